"""What the metric measures on this dataset, and what it does not. The rules stand in the order of their weight."""

from __future__ import annotations

from oidata.core.auditing.evidence import Evidence, Reads, Rule
from oidata.core.auditing.findings import Area, Finding, Severity
from oidata.core.tables import VALIDATION
from oidata.core.words import percent

# With so few boxes of a class, one found or missed moves its recall by a point or more.
FEW_TO_MEASURE = 100
# Group boxes are worth a word from one in a hundred on: as much as a point of recall.
SOME_GROUPS = 0.01
# Fewer do not move a metric by more than its noise.
FEW_GROUPS = 5


def _few_to_measure(evidence: Evidence) -> Finding | None:
    few = [facts for facts in evidence.boxes(VALIDATION) if 0 < facts.num_truth < FEW_TO_MEASURE]
    if not few:
        return None
    listed = ", ".join(
        f"{facts.display_name} {facts.num_truth:,} (± {100 * _standard_error(facts.num_truth):.0f} points)"
        for facts in few
    )
    return Finding(
        name="few_to_measure",
        area=Area.METRIC,
        severity=Severity.WARNING,
        what="Validation has too few boxes to tell a better model from a worse one.",
        evidence=f"Validation boxes: {listed}; in brackets the standard error of a recall of one half.",
        effect="mAP moves by points from one checkpoint to the next though nothing has changed.",
        fix="Fetch more validation photos, and evaluate on test as well.",
        source="Standard error of a share, √(p(1 - p)/n)",
    )


def _standard_error(number: int) -> float:
    return float(0.5 / number**0.5)


def _groups_as_objects(evidence: Evidence) -> Finding | None:
    sets = list(evidence.config.message.eval_config.metrics_set)
    if any(name.startswith(("open_images", "oid_")) for name in sets):
        return None
    classes = evidence.boxes(VALIDATION)
    groups, total = sum(facts.flags["is_group_of"]["yes"] for facts in classes), sum(f.num_boxes for f in classes)
    kept = sum(facts.num_group_truth for facts in classes)
    if groups < FEW_GROUPS or groups / total < SOME_GROUPS:
        return None
    named = ", ".join(sets) or "absent, which means coco_detection_metrics"
    return Finding(
        name="metric_of_groups",
        area=Area.METRIC,
        severity=Severity.WARNING,
        what="The metric takes no account of group boxes.",
        evidence=f"metrics_set is {named}; {groups:,} of {total:,} validation boxes ({percent(groups / total, 1)}) are "
        f"groups, of which {kept:,} are kept as ground truth.",
        effect="A kept group counts as one object that hardly any detection matches; a dropped one turns every "
        "detection in it into a false positive. mAP is too low either way.",
        fix='Set eval_config.metrics_set: "open_images_V2_detection_metrics".',
        source="TFOD metrics/coco_evaluation.py, utils/object_detection_evaluation.py",
    )


METRIC_RULES = (Rule(_groups_as_objects, Reads.BOTH), Rule(_few_to_measure))
