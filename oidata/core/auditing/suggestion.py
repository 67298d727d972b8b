"""Scales and aspect ratios that would fit the boxes better, if there are any: found on train, judged on validation."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

import numpy as np

from oidata.core.matcher.anchors import SsdAnchors
from oidata.core.matcher.search import MAX_CLASS_LOSS, MAX_TRAIN_BOXES, best_anchors
from oidata.core.matcher.targets import match
from oidata.core.words import counted, percent

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from oidata.core.matcher.anchors import AnchorGrid
    from oidata.core.matcher.search import Anchors, GroundTruth
    from oidata.core.matcher.targets import Matcher, Targets

# What a suggestion must bring on validation: less is not worth a new training of the box predictor.
MIN_GAIN = 0.01
# And its gain less this many standard errors must be above 0 (one-sided 97.5 %).
NUM_STANDARD_ERRORS = 1.96
# Fewer photos than this say nothing: the standard error is that of a normal distribution.
MIN_PHOTOS = 20


@dataclass(frozen=True)
class Score:
    """What the matcher gives boxes: the share with an anchor at the threshold, the mean positives, and the starved.

    mean_positives counts the anchors of a box after the forced match; share_starved has none even then.
    """

    share_matched: float
    mean_positives: float
    share_starved: float

    @classmethod
    def of(cls, targets: Targets, chosen: np.ndarray) -> Score:
        """The score of the boxes `chosen`, (N,) bool, of which there is at least one."""
        return cls(
            float((targets.num_matched_anchors[chosen] > 0).mean()),
            float(targets.num_positive_anchors[chosen].mean()),
            float(targets.is_starved[chosen].mean()),
        )


@dataclass(frozen=True)
class Comparison:
    """Boxes of one class (`mid`; empty for all classes) under the anchors of now and under those suggested."""

    mid: str
    num_boxes: int
    now: Score
    suggested: Score

    @property
    def gain(self) -> float:
        """By how much the share of matched boxes rises; negative if it falls."""
        return self.suggested.share_matched - self.now.share_matched

    @property
    def is_loss(self) -> bool:
        """Whether this loses more than MAX_CLASS_LOSS of its boxes, and more than one."""
        return round(-self.gain * self.num_boxes) > max(MAX_CLASS_LOSS * self.num_boxes, 1)


@dataclass(frozen=True)
class Suggestion:
    """Anchors that match more boxes, on validation too; comparisons are of all classes first, then of each.

    The box predictor of a checkpoint was trained for other anchors. Its weights still load, since there are as many
    anchors in each layer as before, but what it learned no longer fits: train from a classification checkpoint, or
    long enough for the predictor to learn anew. `min_gain` is what the gain on validation is with its error taken off.
    """

    anchors: Anchors
    train: tuple[Comparison, ...]
    validation: tuple[Comparison, ...]
    min_gain: float

    def patch(self) -> str:
        """The text of the anchor_generator block to put into the pipeline.config."""
        name = "ssd" if isinstance(self.anchors, SsdAnchors) else "multiscale"
        lines = [f"    {name}: {_proto_text(value)}" for name, value in _proto_fields(self.anchors)]
        block = [f"  {name}_anchor_generator {{", *lines, "  }"]
        return "\n".join(["anchor_generator {", *block, "}", ""])


@dataclass(frozen=True)
class Outcome:
    """A suggestion, or None; `reason` says in a sentence why."""

    suggestion: Suggestion | None
    reason: str


def suggest(  # noqa: PLR0913 - the anchors, how they match, and two splits
    anchors: Anchors,
    grid_of: Callable[[Anchors], AnchorGrid],
    matcher: Matcher,
    train: GroundTruth,
    validation: GroundTruth,
    *,
    names: Mapping[str, str] | None = None,
    seed: int = 0,
) -> Outcome:
    """Look for anchors that give more boxes an anchor at the threshold, without the forced match.

    `grid_of` makes the grid of a generator for the detector's feature maps and input. A suggestion is one only where
    the share of matched boxes on validation rises by MIN_GAIN and by more than its noise, and no class loses. Of a
    large train split, whole photos of about MAX_TRAIN_BOXES boxes are taken with `seed`. Boxes are as given: those
    that ssd_random_crop leaves may be given as well. `names` are those of the classes by MID, for the reason.
    """
    for name, truth in (("train", train), ("validation", validation)):
        num_photos = len(np.unique(truth.image_index))
        if num_photos < MIN_PHOTOS:
            return Outcome(None, f"{name} has boxes in {counted(num_photos, 'photo')}, which is too few to judge by.")
    found = best_anchors(anchors, grid_of, matcher, train.sample(MAX_TRAIN_BOXES, seed))
    if found == anchors:
        return Outcome(None, "No other scales and ratios match more boxes of train.")
    grids = grid_of(anchors), grid_of(found)
    return _judged(found, _compared(train, matcher, *grids), _compared(validation, matcher, *grids), names or {})


def _judged(found: Anchors, train: _Compared, validation: _Compared, names: Mapping[str, str]) -> Outcome:
    gain, low = validation.rows[0].gain, validation.min_gain
    lost = [row for row in (*train.rows, *validation.rows) if row.is_loss]
    told = f"the anchors that are best on train match {percent(gain, 1, '+')} of the boxes of validation"
    if gain < MIN_GAIN:
        return Outcome(None, f"No gain: {told}, less than {percent(MIN_GAIN)}.")
    if low <= 0:
        return Outcome(None, f"No sure gain: {told}, which is within the noise.")
    if lost:
        name = names.get(lost[0].mid, lost[0].mid)
        return Outcome(None, f"A class loses: {told}, but {percent(lost[0].gain, 1, '+')} of those of {name}.")
    return Outcome(
        Suggestion(found, train.rows, validation.rows, low), f"A gain: {told}, at least {percent(low, 1, '+')}."
    )


@dataclass(frozen=True)
class _Compared:
    rows: tuple[Comparison, ...]
    min_gain: float


def _compared(truth: GroundTruth, matcher: Matcher, now: AnchorGrid, found: AnchorGrid) -> _Compared:
    one, other = (match(truth.boxes, truth.image_index, grid, matcher) for grid in (now, found))
    rows = []
    for mid in ("", *np.unique(truth.mids).tolist()):
        chosen = (truth.mids == mid) if mid else np.ones(len(truth.mids), bool)
        rows.append(Comparison(mid, int(chosen.sum()), Score.of(one, chosen), Score.of(other, chosen)))
    change = (other.num_matched_anchors > 0).astype(np.float64) - (one.num_matched_anchors > 0)
    return _Compared(tuple(rows), _mean_less_error(change, truth.image_index))


def _mean_less_error(values: np.ndarray, image_index: np.ndarray) -> float:
    """The mean of `values` (N,) less NUM_STANDARD_ERRORS, where the boxes of a photo are not independent.

    The standard error is that of a ratio estimate with photos as the units: W. G. Cochran, Sampling Techniques, ch. 6.
    """
    _, photos, counts = np.unique(image_index, return_inverse=True, return_counts=True)
    mean = float(values.mean())
    residuals = np.bincount(photos, values) - mean * counts
    variance = (residuals**2).sum() * len(counts) / (len(counts) - 1) / len(values) ** 2
    return float(mean - NUM_STANDARD_ERRORS * variance**0.5)


def _proto_fields(anchors: Anchors) -> Iterator[tuple[str, object]]:
    """The fields to print, repeated ones once for each value: all that are not the proto's default, and the scales."""
    always = {"num_layers", "min_scale", "max_scale", "min_level", "max_level", "anchor_scale", "scales_per_octave"}
    hidden = {"min_scale", "max_scale"} if isinstance(anchors, SsdAnchors) and anchors.scales else set()
    for each in fields(anchors):
        value = getattr(anchors, each.name)
        if each.name not in hidden and (each.name in always or value != each.default):
            is_whole = each.name.endswith(("_stride", "_offset"))  # int32 in the proto
            yield from ((each.name, int(part) if is_whole else part) for part in _as_tuple(value))


def _as_tuple(value: Any) -> tuple[Any, ...]:  # noqa: ANN401 - of any field
    return value if isinstance(value, tuple) else (value,)


def _proto_text(value: object) -> str:
    """A value in text format; a float with the digits that single precision holds."""
    if isinstance(value, float):
        return np.format_float_positional(np.float32(value), unique=True, trim="0")
    return str(value).lower()
