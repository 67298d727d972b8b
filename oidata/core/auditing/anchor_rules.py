"""What anchors, matcher, miner and non-maximum suppression make of the dataset, in the order of the rules' weight."""

from __future__ import annotations

from typing import TYPE_CHECKING

from oidata.core.auditing.evidence import Evidence, Reads, Rule
from oidata.core.auditing.findings import Area, Finding, Severity
from oidata.core.matcher.layers import MAX_AMBIGUITY
from oidata.core.tables import TRAIN
from oidata.core.words import counted, percent

if TYPE_CHECKING:
    from collections.abc import Sequence

    from oidata.core.auditing.matching import HoleFacts, MatchFacts
    from oidata.core.config.pipeline import PipelineConfig

# Below a tenth the anchors are not what holds mAP back; from a third on no training can make up for it.
SOME_UNMATCHED = 0.10
MANY_UNMATCHED = 0.33
# A starved box is never learned at all; a few come with every crowded photo.
SOME_STARVED = 0.01
# Holes matter by the boxes in them.
SOME_IN_HOLES = 0.05
MANY_IN_HOLES = 0.20

# What a suggestion that matches so many more boxes may bring was seen at 17 % (benchmarks/RESULTS.md, Which anchors?).
MUCH_GAINED = 0.10

_MATCHER = "TFOD matchers/argmax_matcher.py, simulated on every box"


def _unmatched(evidence: Evidence) -> Finding | None:
    rows = _train(evidence)
    total = sum(row.num_boxes for row in rows)
    missed = sum(row.num_boxes - row.num_matched for row in rows)
    if not total or missed / total < SOME_UNMATCHED:
        return None
    listed = ", ".join(f"{row.display_name} {_share(row.num_boxes - row.num_matched, row.num_boxes)}" for row in rows)
    opened = _low_min_scale(evidence)
    return Finding(
        name="unmatched_boxes",
        area=Area.ANCHORS,
        severity=Severity.ERROR if missed / total >= MANY_UNMATCHED else Severity.WARNING,
        what=f"{percent(missed / total)} of the train boxes get no anchor at the matcher's threshold.",
        evidence=f"{missed:,} of {total:,} boxes get no anchor at IoU ≥ {_threshold(evidence)} ({listed}); "
        f"{_smallest(evidence)}",
        effect="They are learned from one poor anchor each through the forced match, if at all.",
        fix=opened.fix if opened else "Use a larger input or an FPN model.",
        source=_MATCHER,
    )


def _smallest(evidence: Evidence) -> str:
    small = [row for row in _facts(evidence) if row.split == TRAIN and row.size != "all"]
    worst: dict[str, list[int]] = {}
    for row in small:
        counts = worst.setdefault(row.size, [0, 0])
        counts[0] += row.num_boxes - row.num_matched
        counts[1] += row.num_boxes
    if not worst:
        return "none of them has an area."
    size, (missed, total) = max(worst.items(), key=lambda item: item[1][0])
    return f"the largest part has a side of {size} px at the input ({missed:,} of {counted(total, 'box', 'boxes')})."


def _in_holes(evidence: Evidence) -> Finding | None:
    found = [facts for facts in _holes(evidence) if facts.num_boxes]
    share = sum(facts.share or 0.0 for facts in found)
    if share < SOME_IN_HOLES:
        return None
    return Finding(
        name="size_holes",
        area=Area.ANCHORS,
        severity=Severity.ERROR if share >= MANY_IN_HOLES else Severity.WARNING,
        what=f"{percent(share)} of the train boxes have sizes at which anchors miss most squares.",
        evidence=f"Randomly placed squares have less than an even chance of an anchor at {_listed_holes(found)}.",
        effect="Objects of these sizes are found late and with low scores, wherever they lie between the anchors.",
        fix=f"Use {_outgrown(evidence)}",
        source="oidata: sweep of randomly placed boxes over the anchor grid",
    )


def _outgrown(evidence: Evidence) -> str:
    """What lets boxes outgrow holes: the anchors of one generator have sizes in pixels, the other's are shares."""
    if evidence.ssd.anchor_generator.HasField("multiscale_anchor_generator"):
        return "a larger input: its anchors keep their sizes in pixels, and boxes outgrow the holes."
    return "an FPN model with a larger input: the anchors of an ssd_anchor_generator grow with it, and so do the holes."


def _listed_holes(found: Sequence[HoleFacts]) -> str:
    return "; ".join(
        f"{_range(facts)} ({counted(facts.num_boxes, 'box', 'boxes')}, {percent(facts.hole.min_share)} of places at "
        "worst)"
        for facts in found
    )


def _range(facts: HoleFacts) -> str:
    if facts.hole.where == "below":
        return f"up to {facts.hole.side_max:.0f} px"
    return f"{facts.hole.side_min:.0f}-{facts.hole.side_max:.0f} px"


def _low_min_scale(evidence: Evidence) -> Finding | None:
    """A gap that the config opened itself, below the reference's scales."""
    inner = [facts for facts in _holes(evidence) if facts.hole.where == "inner"]
    own, reference = _min_scale(evidence.config), _min_scale(evidence.nearest)
    if not inner or own is None or reference is None or own >= reference:
        return None
    return Finding(
        name="low_min_scale",
        area=Area.ANCHORS,
        severity=Severity.WARNING,
        what="min_scale opens a gap between the anchor sizes.",
        evidence=f"It is {own:.3g}, not the reference's {reference:.3g}{_literal(evidence)}: {_listed_holes(inner)}.",
        effect="Objects just larger than the smallest anchors are missed more than those on either side of the gap.",
        fix=f"Set min_scale back to {reference:.3g}.",
        source="TFOD anchor_generators/multiple_grid_anchor_generator.py; sweep of randomly placed squares",
    )


def _literal(evidence: Evidence) -> str:
    if not evidence.ssd.anchor_generator.ssd_anchor_generator.reduce_boxes_in_lowest_layer:
        return ""
    return "; the smallest square stays at 0.1 whatever it is"


def _min_scale(config: PipelineConfig | None) -> float | None:
    """The min_scale that decides the scales of a config's anchors, if one does."""
    if config is None:
        return None
    generator = config.message.model.ssd.anchor_generator
    is_ssd = generator.HasField("ssd_anchor_generator") and not generator.ssd_anchor_generator.scales
    return generator.ssd_anchor_generator.min_scale if is_ssd else None


def _ambiguous(evidence: Evidence) -> Finding | None:
    share = evidence.anchors.layer_ambiguity if evidence.anchors else None
    if share is None or share <= MAX_AMBIGUITY:
        return None
    return Finding(
        name="ambiguous_layers",
        area=Area.ANCHORS,
        severity=Severity.WARNING,
        what="Which layer learns an object depends on where it lies.",
        evidence=f"Train boxes were moved to random places: at {percent(share, 1)} of these another layer has the best "
        "anchor than at most places of the same box.",
        effect="What a layer learns at one place is background to it at the next: of trainings that differed in their "
        "anchors alone, those with more of this came out worse, even where more boxes had an anchor.",
        fix="Keep the sizes of neighbouring layers apart, as the reference has them.",
        source="oidata: exact matcher on moved boxes; benchmarks/RESULTS.md",
    )


def _starved(evidence: Evidence) -> Finding | None:
    rows = _train(evidence)
    starved, total = (sum(getattr(row, name) for row in rows) for name in ("num_starved", "num_boxes"))
    if not total or starved / total < SOME_STARVED or not evidence.ssd.matcher.argmax_matcher.force_match_for_each_row:
        return None
    return Finding(
        name="starved_boxes",
        area=Area.ANCHORS,
        severity=Severity.WARNING,
        what=f"{starved:,} of {counted(total, 'train box', 'train boxes')} got no anchor at all.",
        evidence=f"{_share(starved, total)} of the boxes: another box of the photo took their best anchor, "
        "and they have no other.",
        effect="They train as background.",
        fix="Small boxes side by side need a finer grid: a larger input, or an FPN model.",
        source=_MATCHER,
    )


def _suggestion(evidence: Evidence) -> Finding | None:
    outcome = evidence.suggestion
    if outcome is None or outcome.suggestion is None:
        return None
    return Finding(
        name="better_anchors",
        area=Area.ANCHORS,
        severity=Severity.WARNING if outcome.suggestion.validation[0].gain >= MUCH_GAINED else Severity.INFO,
        what="Other anchors of the same generator match more boxes.",
        evidence=outcome.reason,
        effect="Where a suggestion matched 17 % more boxes, trainings came to an AP50 of 0.64 instead of 0.60. What "
        "fewer are worth is not known. A checkpoint's box predictor has to learn anew.",
        fix="Train with the suggested anchor_generator beside your own, and compare: oidata evaluate --against.",
        source="oidata: fitted on train, scored on validation with the exact matcher; benchmarks/RESULTS.md",
    )


def _piles(evidence: Evidence) -> Finding | None:
    rows = _train(evidence)
    total = sum(row.num_boxes for row in rows)
    if not evidence.num_pile_boxes or not total:
        return None
    share = evidence.num_pile_boxes / total
    return Finding(
        name="piles",
        area=Area.ANCHORS,
        severity=Severity.WARNING if share >= SOME_STARVED else Severity.INFO,
        what=f"{evidence.num_pile_boxes:,} of {total:,} train boxes stand closer than NMS allows.",
        evidence=f"{percent(share, 1)} have IoU ≥ {evidence.nms_iou:.2g} with another box of the class; only one is "
        "kept.",
        effect="Even perfect detections of both are cut down to one.",
        fix="Raise post_processing's iou_threshold if piles matter.",
        source="TFOD core/post_processing.py",
    )


def _few_mined(evidence: Evidence) -> Finding | None:
    facts = [mined for mined in evidence.anchors.mined if mined.split == TRAIN] if evidence.anchors else []
    if not facts or not facts[0].num_positives or not evidence.ssd.loss.HasField("hard_example_miner"):
        return None
    mined = facts[0]
    return Finding(
        name="mined_negatives",
        area=Area.ANCHORS,
        severity=Severity.INFO,
        what=f"A pass over train has {mined.num_positives:,} positive and {mined.num_negatives:,} negative anchors.",
        evidence=f"{mined.num_available:,} negatives are there; the miner takes "
        f"{mined.num_negatives / mined.num_positives:.1f} for each positive, those of the highest loss.",
        effect="An unboxed object is a negative of the highest loss, so it is nearly always among those.",
        fix="Nothing by itself: it says how much a wrong label weighs.",
        source="TFOD core/losses.py, HardExampleMiner",
    )


def _facts(evidence: Evidence) -> tuple[MatchFacts, ...]:
    return evidence.anchors.boxes if evidence.anchors else ()


def _train(evidence: Evidence) -> tuple[MatchFacts, ...]:
    return evidence.anchors.of_split(TRAIN) if evidence.anchors else ()


def _holes(evidence: Evidence) -> tuple[HoleFacts, ...]:
    return tuple(facts for facts in evidence.anchors.holes if facts.split == TRAIN) if evidence.anchors else ()


def _threshold(evidence: Evidence) -> str:
    return f"{evidence.anchors.matched_threshold:g}" if evidence.anchors else ""


def _share(part: int, whole: int) -> str:
    return percent(part / whole, 1) if whole else "-"


ANCHOR_RULES = (
    Rule(_low_min_scale, Reads.BOTH),
    Rule(_unmatched),
    Rule(_in_holes),
    Rule(_ambiguous),
    Rule(_suggestion),
    Rule(_starved),
    Rule(_piles),
    Rule(_few_mined),
)
