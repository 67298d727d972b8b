"""What the dataset itself does to training. The rules stand in the order of their weight."""

from __future__ import annotations

from typing import TYPE_CHECKING

from oidata.core.auditing.evidence import Evidence, Reads, Rule
from oidata.core.auditing.findings import Area, Finding, Severity
from oidata.core.tables import TRAIN, VALIDATION
from oidata.core.words import counted, percent

if TYPE_CHECKING:
    from collections.abc import Sequence

    from oidata.core.auditing.verification import PairFacts

# Everingham et al.: The PASCAL VOC Challenge (2010): the rarest class of VOC 2007 trainval, bus, has so many boxes.
FEW_BOXES = 272
# The most frequent class having over so many times the boxes of the rarest is worth a word.
IMBALANCE = 10
# One box in ten wrong costs a tenth of the AP at best; one in fifty is noise.
MANY = 0.10
SOME = 0.02

_FACTS_PAGE = "https://storage.googleapis.com/openimages/web/factsfigures.html"
_MEASURED = "the verdict's table in oidata's benchmarks/RESULTS.md"
_LEFT_OUT = "to leave out the photos that show it (3 % of them, in trainings that were compared) raised no AP"


def _severity(share: float, least: Severity = Severity.INFO) -> Severity:
    """How much a fault in a share of the boxes or photos costs, no less than `least`."""
    if share >= MANY:
        return Severity.ERROR
    return Severity.WARNING if share >= SOME else least


def _no_boxes(evidence: Evidence) -> Finding | None:
    empty = [facts for split in evidence.splits for facts in evidence.boxes(split) if not facts.num_truth]
    if not empty:
        return None
    listed = ", ".join(f"{facts.display_name} in {facts.split} ({facts.num_boxes:,} in the release)" for facts in empty)
    names = " and ".join(dict.fromkeys(facts.display_name for facts in empty))
    splits = {facts.split for facts in empty}
    where = ", ".join(f"{facts.display_name} in {facts.split}" for facts in empty)
    return Finding(
        name="no_boxes",
        area=Area.DATA if TRAIN in splits else Area.METRIC,
        severity=Severity.ERROR if splits & {TRAIN, VALIDATION} else Severity.INFO,
        what=f"There is no ground truth of {where}.",
        evidence=f"{listed}.",
        effect="What has no train box is not learned; what has no validation or test box is not measured, and is left "
        "out of the mean or drags it down.",
        fix=f"Fetch more photos of {names}, or strip less.",
        source="TFOD metrics/coco_evaluation.py",
    )


def _group_boxes(evidence: Evidence) -> Finding | None:
    classes = evidence.boxes(TRAIN)
    kept, total = (sum(getattr(facts, name) for facts in classes) for name in ("num_group_truth", "num_truth"))
    if not kept:
        return None
    return Finding(
        name="group_boxes",
        area=Area.DATA,
        severity=_severity(kept / total, least=Severity.WARNING),
        what=f"{counted(kept, 'group box trains', 'group boxes train')} as if each were one object.",
        evidence=f"{kept:,} of {total:,} train boxes ({percent(kept / total, 1)}) have IsGroupOf 1 and are not "
        "stripped; TFOD's loss never reads group_of.",
        effect="The model learns to put one box around many objects, and that the objects within are background.",
        fix="Run oidata strip, and leave those photos out of the shards.",
        source=f"{_FACTS_PAGE}; TFOD data_decoders/tf_example_decoder.py",
    )


def _collateral(evidence: Evidence) -> Finding | None:
    facts = evidence.photos(TRAIN)
    if facts is None or not facts.num_leftover:
        return None
    share = facts.num_leftover / facts.num_with_truth
    others = f" {counted(facts.num_emptied, 'other')} kept no box, and shards leave them out."
    return Finding(
        name="collateral",
        area=Area.DATA,
        severity=Severity.INFO,
        what=f"On {percent(share)} of the train photos with boxes to train on a stripped object stays to be seen.",
        evidence=f"{facts.num_leftover:,} of {counted(facts.num_with_truth, 'train photo')}."
        f"{others if facts.num_emptied else ''}",
        effect="It trains as background, and the hard-example miner picks it as such.",
        fix="Nothing by itself: in trainings with such objects on 13 % and on half of the photos, it raised no AP to "
        "leave these out (oidata shard --leftover drop-image), nor to keep the objects' boxes with weight 0.",
        source=f"TFOD core/losses.py, HardExampleMiner; {_MEASURED}",
    )


def _present_unboxed(evidence: Evidence) -> Finding | None:
    classes = [facts for facts in evidence.boxes(TRAIN) if facts.num_present_unboxed]
    if not classes:
        return None
    worst = max(facts.num_present_unboxed / max(facts.num_verified_present, 1) for facts in classes)
    listed = "; ".join(
        f"{facts.display_name} on {facts.num_present_unboxed:,} of {facts.num_verified_present:,}" for facts in classes
    )
    return Finding(
        name="present_unboxed",
        area=Area.DATA,
        severity=_severity(worst),
        what="Photos verified to show a class have no box of it.",
        evidence=f"Of the train photos verified to show it: {listed}.",
        effect="Each is a sure object that trains as background.",
        fix=f"Draw the boxes; {_LEFT_OUT}.",
        source=f"{_FACTS_PAGE}; {_MEASURED}",
    )


def _unverified_pairs(evidence: Evidence) -> Finding | None:
    pairs = [pair for pair in evidence.data.pairs if pair.split == TRAIN and pair.num_unverified]
    if not pairs:
        return None
    pairs.sort(key=lambda pair: -pair.num_unverified)
    return Finding(
        name="unverified_pairs",
        area=Area.DATA,
        severity=Severity.INFO,
        what="On some photos of one class nobody looked for the other.",
        evidence=f"{_listed_pairs(pairs)}.",
        effect="Open Images boxes a class exhaustively only where it was verified: an unboxed object of the other "
        "class trains as background.",
        fix=f"Look at the gallery of unverified photos, and draw what is missing; {_LEFT_OUT}.",
        source=f"{_FACTS_PAGE}; {_MEASURED}",
    )


def _listed_pairs(pairs: Sequence[PairFacts], most: int = 4) -> str:
    listed = "; ".join(
        f"{pair.other_display_name} was never verified on {pair.num_unverified:,} of "
        f"{counted(pair.num_photos, 'train photo')} of {pair.display_name}"
        for pair in pairs[:most]
    )
    return listed + (f"; and {len(pairs) - most:,} more pairs" if len(pairs) > most else "")


def _leakage(evidence: Evidence) -> Finding | None:
    looks = evidence.looks
    if looks is None or not looks.leaks:
        return None
    total = sum(leak.num_in_other for leak in looks.leaks)
    measured = sum(facts.num_usable for facts in evidence.data.photos if facts.split != TRAIN)
    listed = "; ".join(
        f"{counted(leak.num_in_other, 'photo')} of {leak.other} also in {leak.split}" for leak in looks.leaks
    )
    return Finding(
        name="leakage",
        area=Area.METRIC,
        severity=_severity(total / max(measured, 1), least=Severity.WARNING),
        what=f"{counted(total, 'photo is', 'photos are')} in another split, too.",
        evidence=f"{listed} (the same picture, or nearly).",
        effect="The metric rewards what was learned by heart.",
        fix="Drop one of each pair: tag it drop in the App (oidata inspect, view duplicates across splits), then "
        "oidata inspect --pull. audit/duplicates.parquet lists them.",
        source="Perceptual hash, Hamming distance as in audit/duplicates.parquet",
    )


def _few_boxes(evidence: Evidence) -> Finding | None:
    few = [facts for facts in evidence.boxes(TRAIN) if 0 < facts.num_truth < FEW_BOXES]
    if not few:
        return None
    listed = ", ".join(
        f"{facts.display_name} {facts.num_truth:,} on {counted(facts.num_photos, 'photo')}" for facts in few
    )
    names = " and ".join(facts.display_name for facts in few)
    return Finding(
        name="few_boxes",
        area=Area.DATA,
        severity=Severity.ERROR if any(facts.num_truth < FEW_BOXES // 10 for facts in few) else Severity.WARNING,
        what=f"{names} {'has' if len(few) == 1 else 'have'} few train boxes.",
        evidence=f"{listed}; the rarest class of PASCAL VOC 2007 has {FEW_BOXES}.",
        effect="The model learns these photos rather than the class.",
        fix=f"Fetch more photos of {names}, or fold subclasses in (--include-subclasses); start from a checkpoint.",
        source="Everingham et al., The PASCAL VOC Challenge (2010)",
    )


def _imbalance(evidence: Evidence) -> Finding | None:
    classes = [facts for facts in evidence.boxes(TRAIN) if facts.num_truth]
    if len(classes) < 2:  # noqa: PLR2004 - it takes two to be unequal
        return None
    most, least = (pick(classes, key=lambda facts: facts.num_truth) for pick in (max, min))
    times = most.num_truth / least.num_truth
    if times < IMBALANCE:
        return None
    return Finding(
        name="imbalance",
        area=Area.DATA,
        severity=Severity.WARNING,
        what=f"{most.display_name} has {times:.0f} × the train boxes of {least.display_name}.",
        evidence=f"{most.num_truth:,} against {least.num_truth:,}.",
        effect=f"The loss is about {most.display_name}; scores of {least.display_name} stay low.",
        fix=f"Fetch more of {least.display_name}, or --limit-per-class to balance.",
        source="Oksuz et al., Imbalance Problems in Object Detection (2020), section 4",
    )


def _twins(evidence: Evidence) -> Finding | None:
    twins = [facts for facts in evidence.data.twins if facts.split == TRAIN]
    total = sum(facts.num_truth for facts in evidence.boxes(TRAIN))
    if not twins or not total:
        return None
    pairs = sum(facts.num_pairs for facts in twins)
    listed = ", ".join(f"{facts.display_name} and {facts.other_display_name} {facts.num_pairs:,}" for facts in twins)
    return Finding(
        name="twins",
        area=Area.DATA,
        severity=_severity(pairs / total),
        what="One object is boxed under two classes.",
        evidence=f"Pairs of train boxes that are the same: {listed} (in all {pairs:,} of {total:,} boxes).",
        effect="Anchors go to the first box and the second is starved, or the classes contradict each other.",
        fix="Decide for one class, or drop those photos.",
        source="TFOD matchers/argmax_matcher.py: ties go to the lowest ground-truth index",
    )


def _unusable(evidence: Evidence) -> Finding | None:
    photos = evidence.data.photos
    counts = {status: sum(facts.statuses[status] for facts in photos) for status in ("missing", "corrupt", "failed")}
    undecodable = evidence.looks.num_undecodable if evidence.looks else 0
    lost, total = sum(counts.values()) + undecodable, sum(facts.num_photos for facts in photos)
    if not lost:
        return None
    listed = ", ".join(f"{number:,} {status}" for status, number in counts.items() if number)
    broken = f"{undecodable:,} that do not decode" if undecodable else ""
    return Finding(
        name="unusable_photos",
        area=Area.DATA,
        severity=Severity.ERROR if undecodable else Severity.INFO,
        what="Some photos cannot be used.",
        evidence=f"{', '.join(part for part in (listed, broken) if part)}, of {total:,}.",
        effect="A photo that does not decode stops training; one that is not there only makes the dataset smaller.",
        fix="Run the same oidata fetch again; leave out what does not decode.",
        source="oidata fetch; every photo decoded once",
    )


def _turned(evidence: Evidence) -> Finding | None:
    looks = evidence.looks
    if looks is None or not (looks.num_turned or looks.num_rotated):
        return None
    return Finding(
        name="turned_photos",
        area=Area.DATA,
        severity=Severity.INFO,
        what="Some photos lie on their side.",
        evidence=f"{counted(looks.num_turned, 'photo')} with an EXIF orientation, {looks.num_rotated:,} with a "
        "Rotation in the release. Boxes fit the pixels as stored, as TensorFlow reads them; viewers turn the picture.",
        effect="Boxes look misplaced in a viewer though they are right; training sees objects lying on their side.",
        fix="Leave them, or drop them if upright objects matter. Never let a tool turn the pixels without the boxes.",
        source="Exif 2.32, tag 0x0112; TensorFlow's decode_jpeg ignores it",
    )


def _not_rgb(evidence: Evidence) -> Finding | None:
    looks = evidence.looks
    odd = {mode: number for mode, number in looks.modes.items() if mode != "RGB"} if looks else {}
    if not odd:
        return None
    return Finding(
        name="not_rgb",
        area=Area.DATA,
        severity=Severity.INFO,
        what="Some photos are not RGB.",
        evidence=f"{', '.join(f'{number:,} of mode {mode}' for mode, number in sorted(odd.items()))}.",
        effect="TensorFlow decodes grey and CMYK photos as RGB; those of CMYK may have odd colours.",
        fix="Nothing to do for grey ones; look at the others, and drop what looks wrong.",
        source="Measured with TensorFlow 2.21; core/lib/jpeg/jpeg_mem.cc",
    )


def _over_photo(evidence: Evidence) -> Finding | None:
    rows = [row for row in evidence.sizes.splits if row.split == TRAIN]
    over, total = (sum(getattr(row, name) for row in rows) for name in ("num_over_photo", "num_boxes"))
    if not over or over / total < SOME:
        return None
    return Finding(
        name="boxes_over_photo",
        area=Area.DATA,
        severity=Severity.INFO,
        what=f"{percent(over / total)} of the train boxes cover nearly the whole photo.",
        evidence=f"{over:,} of {total:,} boxes cover over 90 % of it.",
        effect="They say that the photo shows the class, and little of where.",
        fix="Look at them; close-ups are fine, a box around everything is not.",
        source="oidata: share of the photo's area",
    )


def _over_max_boxes(evidence: Evidence) -> Finding | None:
    splits = [facts for facts in evidence.per_image.splits if facts.split == TRAIN and facts.num_over]
    if not splits:
        return None
    photos, cut = sum(facts.num_over for facts in splits), sum(facts.num_cut for facts in splits)
    most = evidence.per_image.max_number_of_boxes
    return Finding(
        name="max_number_of_boxes",
        area=Area.DATA,
        severity=Severity.WARNING,
        what=f"{counted(photos, 'train photo has', 'train photos have')} more than {most:,} boxes.",
        evidence=f"max_number_of_boxes is {most:,}; {counted(cut, 'box is', 'boxes are')} cut off.",
        effect="The boxes beyond are not read, and their objects train as background.",
        fix=f"Set train_config.max_number_of_boxes to {max(facts.max_boxes or 0 for facts in splits):,}.",
        source="TFOD inputs.py, pad_input_data_to_static_shapes",
    )


def _no_validation(evidence: Evidence) -> Finding | None:
    facts = evidence.photos(VALIDATION)
    if VALIDATION not in evidence.absent_splits and (facts is None or facts.num_with_truth):
        return None
    return Finding(
        name="no_validation",
        area=Area.METRIC,
        severity=Severity.ERROR,
        what="No validation photo has ground truth." if facts else "The dataset has no validation split.",
        evidence=f"{facts.num_usable if facts else 0:,} usable validation photos.",
        effect="Nothing tells when training begins to overfit.",
        fix="Fetch the validation split, or take photos from train.",
        source="oidata",
    )


DATA_RULES = (
    Rule(_no_boxes),
    Rule(_no_validation),
    Rule(_few_boxes),
    Rule(_group_boxes),
    Rule(_present_unboxed),
    Rule(_collateral),
    Rule(_leakage),
    Rule(_unverified_pairs),
    Rule(_imbalance),
    Rule(_twins),
    Rule(_over_max_boxes, Reads.BOTH),
    Rule(_unusable),
    Rule(_not_rgb),
    Rule(_turned),
    Rule(_over_photo),
)
