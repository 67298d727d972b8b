"""The verdict after training: how the lost AP divides, and what to do first."""

from __future__ import annotations

from typing import TYPE_CHECKING

from oidata.core.auditing.findings import Verdict
from oidata.core.auditing.metric_rules import FEW_TO_MEASURE
from oidata.core.evaluation.failures import Cause, Kind
from oidata.core.words import counted

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from oidata.core.evaluation.evaluation import CauseFacts, Evaluation, LostAp

# Below this share of what is lost, a side is not named beside the other: it is within what a second training changes.
_CLEARLY_MORE = 0.2
_NUM_STEPS = 3
_LITTLE = 0.01
"""A gain of less than a point of mAP is no step to take."""

_FINER_GRID = "a larger input, or an FPN model (see oidata audit)"
_NO_ANCHOR = ("sizes that no anchor fits", _FINER_GRID)
_MIXED_UP = ("classes that are mixed up", "look at them, and fetch more photos that show both")
_FIXES = {
    Cause.STARVED: ("boxes that share their best anchor", _FINER_GRID),
    Cause.SIZE_HOLE: _NO_ANCHOR,
    Cause.FORCED_ONLY: _NO_ANCHOR,
    Cause.TRUNCATED: ("truncated objects", "strip them (oidata strip), or fetch more of them"),
    Cause.OCCLUDED: ("occluded objects", "fetch more of them, or strip them (oidata strip --occluded)"),
    Cause.DEPICTION: ("depictions", "strip them (oidata strip), or fetch more of them"),
    Cause.TINY: ("objects that are tiny at the network's input", "enlarge the input (image_resizer)"),
    Cause.SUPPRESSED: ("piles", "raise iou_threshold in post_processing, and see whether more is found twice"),
    Cause.BELOW_THRESHOLD: ("objects found with a low score", "train longer, with a rate that decays"),
    Cause.TAKEN_FOR_OTHER: _MIXED_UP,
    Cause.IN_SPITE_OF_ANCHORS: (
        "objects missed though anchors reach them",
        "look at them, begin from a checkpoint, and add photos",
    ),
    Cause.DUPLICATE: ("objects found twice", "lower iou_threshold in post_processing"),
    Cause.LOCALISATION: (
        "boxes beside their objects",
        "train longer, or give the localisation loss more weight",
    ),
    Cause.OTHER_CLASS: _MIXED_UP,
    Cause.UNVERIFIED: ("detections of classes that nobody looked for", "look at them, some may be right"),
    Cause.BACKGROUND: ("detections on the background", "look for objects without a box, and fetch --negatives"),
}
"""By cause, what it is that fails, and what to try."""

_NOUNS = {Kind.MISSED: ("box", "boxes"), Kind.FALSE_POSITIVE: ("detection", "detections")}


def failure_verdict(found: Evaluation) -> Verdict:
    """Where the AP is lost that is missing to 1, and the causes that are worth most, as steps.

    The answer is dataset, hyperparameters (anchors and training), both, metric, or (where less than a point is lost)
    neither.
    """
    lost = found.lost
    if lost.lost < _LITTLE:
        return Verdict("neither", f"mAP at an IoU of 0.5 is {lost.ap:.3f}: there is nothing to mend.")
    answer = _answer(lost)
    opening = " ".join((_OPENINGS[answer], *_caution(found.num_truth)))
    return Verdict(answer, "\n".join((opening, _division(lost), *_steps(found.causes))))


def _division(lost: LostAp) -> str:
    groups = ""
    if round(lost.metric, 3):
        verb = "give back" if lost.metric > 0 else "take another"
        groups = f" The rules of Open Images for group boxes {verb} {abs(lost.metric):.3f}."
    data, anchors, training = (round(each, 3) + 0.0 for each in (lost.data, lost.anchors, lost.training))
    return (
        f"mAP at an IoU of 0.5 is {lost.plain_ap:.3f} if every box counts as one object: {lost.lost:.3f} are lost."
        f"{groups} Mended in this order, the data would give {data:.3f}, anchors and input size {anchors:.3f}, and "
        f"training {training:.3f}, which is all that no other cause explains."
    )


def _caution(num_truth: int) -> Iterator[str]:
    if num_truth < FEW_TO_MEASURE:
        yield f"This rests on only {counted(num_truth, 'box', 'boxes')}: another training may tell another story."


_OPENINGS = {
    "dataset": "It is the dataset more than the hyperparameters.",
    "hyperparameters": "It is the hyperparameters (anchors, input size, training) more than the dataset.",
    "both": "It is both, the dataset and the hyperparameters.",
    "metric": "It is the metric more than the dataset or the hyperparameters.",
}


def _answer(lost: LostAp) -> str:
    hyperparameters = lost.anchors + lost.training
    if lost.metric > max(lost.data, hyperparameters):
        return "metric"
    if abs(lost.data - hyperparameters) <= _CLEARLY_MORE * (lost.data + hyperparameters):
        return "both"
    return "dataset" if lost.data > hyperparameters else "hyperparameters"


def _steps(causes: Sequence[CauseFacts]) -> list[str]:
    """The fixes of the causes that are worth most, each once."""
    worth = sorted((each for each in causes if (each.gain or 0) >= _LITTLE), key=lambda each: -(each.gain or 0))
    best = {_FIXES[Cause(each.cause)]: each for each in reversed(worth)}
    steps = sorted(best.items(), key=lambda item: -(item[1].gain or 0))[:_NUM_STEPS]
    words = ("First", "Then", "After that")
    return [
        f"{word}, {what} ({counted(each.num, *_NOUNS[Kind(each.kind)])}, {each.gain:+.3f} mAP): {fix}."
        for word, ((what, fix), each) in zip(words, steps, strict=False)
    ]
