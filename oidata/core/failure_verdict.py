"""The verdict after training: how the lost AP divides, and what to do first."""

from __future__ import annotations

from typing import TYPE_CHECKING

from oidata.core.failures import Cause, Kind
from oidata.core.findings import Area, Verdict
from oidata.core.metric_rules import FEW_TO_MEASURE
from oidata.core.words import counted

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from oidata.core.evaluation import CauseFacts, Evaluation, LostAp

# Below this share of what is lost, a side is not named beside the other: it is within what a second training changes.
_CLEARLY_MORE = 0.2
_NUM_STEPS = 3
_LITTLE = 0.01
"""A gain of less than a point of mAP is no step to take."""

_OTHER_ANCHORS = "Sizes that no anchor fits: change the anchors (oidata audit suggests some)."
_MIXED_UP = "Classes that are mixed up: fetch more photos that show both, and look at these ones."
_FIXES = {
    Cause.STARVED: "Boxes that share their best anchor: more anchors of their size (oidata audit suggests some).",
    Cause.SIZE_HOLE: _OTHER_ANCHORS,
    Cause.FORCED_ONLY: _OTHER_ANCHORS,
    Cause.TRUNCATED: "Truncated objects: strip them (oidata strip), or fetch more of them.",
    Cause.OCCLUDED: "Occluded objects: fetch more of them, or strip them (oidata strip --occluded).",
    Cause.DEPICTION: "Depictions: strip them (oidata strip), or fetch more of them.",
    Cause.TINY: "Objects that are tiny at the network's input: enlarge the input (image_resizer).",
    Cause.SUPPRESSED: "Piles: raise iou_threshold in post_processing, and see whether more is found twice.",
    Cause.BELOW_THRESHOLD: "Objects found with a low score: train longer, with a rate that decays.",
    Cause.TAKEN_FOR_OTHER: _MIXED_UP,
    Cause.IN_SPITE_OF_ANCHORS: "Objects missed though anchors reach them: begin from a checkpoint, and add photos.",
    Cause.DUPLICATE: "Objects found twice: lower iou_threshold in post_processing.",
    Cause.LOCALISATION: "Boxes beside their objects: train longer, or give the localisation loss more weight.",
    Cause.OTHER_CLASS: _MIXED_UP,
    Cause.UNVERIFIED: "Detections of classes that nobody looked for: look at them, some may be right.",
    Cause.BACKGROUND: "Detections on the background: look for objects without a box, and fetch --negatives.",
}
_NOUNS = {Kind.MISSED: ("box", "boxes"), Kind.FALSE_POSITIVE: ("detection", "detections")}
_NAMES = {
    Area.DATA: "the data",
    Area.ANCHORS: "anchors and input size",
    Area.TRAINING: "training (what anchors and boxes allowed, and the model did not learn)",
}


def failure_verdict(found: Evaluation) -> Verdict:
    """Where the AP is lost that is missing to 1, and the causes that are worth most, as steps.

    The answer is dataset, hyperparameters (anchors and training), both, metric, or (where less than a point is lost)
    neither.
    """
    lost = found.lost
    shares = {Area.DATA: lost.data, Area.ANCHORS: lost.anchors, Area.TRAINING: lost.training}
    if lost.lost < _LITTLE:
        return Verdict("neither", f"mAP at an IoU of 0.5 is {lost.ap:.3f}: there is nothing to mend.")
    parts = [f"{value:.3f} {_NAMES[area]}" for area, value in shares.items()]
    answer = _answer(lost)
    division = (
        f"mAP at an IoU of 0.5 is {lost.plain_ap:.3f} if every box counts as one object, so {lost.lost:.3f} are lost. "
        f"Of these the rules of Open Images (groups) give back {lost.metric:.3f}; mended in this order, "
        f"{', '.join(parts[:-1])} and {parts[-1]} make up the rest."
    )
    return Verdict(answer, " ".join((_OPENINGS[answer], division, *_caution(found.num_truth), *_steps(found.causes))))


def _caution(num_truth: int) -> Iterator[str]:
    if num_truth < FEW_TO_MEASURE:
        yield f"All of this rests on {counted(num_truth, 'box', 'boxes')}: another training would tell another story."


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
        f"{word} ({counted(each.num, *_NOUNS[Kind(each.kind)])}, {each.gain:+.3f} mAP): {fix}"
        for word, (fix, each) in zip(words, steps, strict=False)
    ]
