"""The search for anchors that fit the boxes better: a coarse grid, then a coordinate descent.

It stays within the fields of the generator that the config has, keeps as many anchors in each layer, and is
deterministic.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from oidata.core.matcher.anchors import MultiscaleAnchors, SsdAnchors
from oidata.core.matcher.layers import MAX_AMBIGUITY, layer_ambiguity, placed
from oidata.core.matcher.targets import match

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from oidata.core.matcher.anchors import AnchorGrid
    from oidata.core.matcher.targets import Matcher, Targets

Anchors: TypeAlias = SsdAnchors | MultiscaleAnchors

# No class may lose more than this share of its boxes (or one box), on either split.
MAX_CLASS_LOSS = 0.02
# One more doubling of a box's anchors counts as much as this share of all boxes matched: enough to decide ties.
DOUBLING = 0.01
# Scales listed one by one must bring at least this over min_scale and max_scale, on train: they are more to fit.
MIN_GAIN_OF_LIST = 0.005
# What keeps the search short: boxes it looks at, and sets of anchors it tries.
MAX_TRAIN_BOXES = 5_000
MAX_TRIALS = 400

_STEPS = (1.3, 1.12, 1.04)
_MAX_PASSES = 3
_MIN_SCALES = (0.03, 0.045, 0.07, 0.1, 0.14, 0.2, 0.28)
_MAX_SCALES = (0.5, 0.65, 0.8, 0.95)
_ANCHOR_SCALES = (1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 6.0)
_SCALE_LIMITS = (0.02, 1.0)
_ANCHOR_SCALE_LIMITS = (1.0, 16.0)
_RATIO_LIMITS = (0.125, 8.0)


@dataclass(frozen=True, eq=False)
class GroundTruth:
    """The boxes of a split: boxes (N, 4) float32 xyxy in the frame of the anchors, their photos and classes.

    image_index (N,) int is the photo of each box, boxes of a photo contiguous and in ground-truth order; mids (N,)
    are strings.
    """

    boxes: np.ndarray
    image_index: np.ndarray
    mids: np.ndarray

    def sample(self, num_boxes: int, seed: int) -> GroundTruth:
        """Whole photos in a random order, until they have `num_boxes` or more; all if there are no more."""
        if len(self.boxes) <= num_boxes:
            return self
        photos, inverse, counts = np.unique(self.image_index, return_inverse=True, return_counts=True)
        order = np.random.default_rng(seed).permutation(len(photos))
        num_photos = int(np.searchsorted(np.cumsum(counts[order]), num_boxes)) + 1
        is_taken = np.isin(inverse, order[:num_photos])
        return GroundTruth(self.boxes[is_taken], self.image_index[is_taken], self.mids[is_taken])


def best_anchors(
    anchors: Anchors, grid_of: Callable[[Anchors], AnchorGrid], matcher: Matcher, train: GroundTruth
) -> Anchors:
    """The anchors that match most boxes of `train` without the forced match; `anchors` itself if none are better.

    Sizes that crowd into two layers can match more boxes, but then each layer sees as background what the other learns:
    layer_ambiguity is bounded. Scales listed one by one are taken only where they bring more than min_scale and
    max_scale do.
    """
    trials = _Trials(grid_of, matcher, train, anchors)
    start = max((anchors, *_coarse(anchors)), key=trials.merit)
    best = _descended(start, trials)
    if isinstance(best, SsdAnchors) and not best.scales:
        listed = _descended(replace(best, scales=_listed(best)), trials)
        if trials.merit(listed) > trials.merit(best) + MIN_GAIN_OF_LIST:
            return listed
    return best


@dataclass(eq=False)
class _Trials:
    """The merit of anchors on the train boxes, each set computed once; MAX_TRIALS in all."""

    grid_of: Callable[[Anchors], AnchorGrid]
    matcher: Matcher
    truth: GroundTruth
    anchors: Anchors
    merits: dict[Anchors, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.mids = np.unique(self.truth.mids, return_inverse=True)[1]
        self.placed = placed(self.truth.boxes)
        self.num_matched_now = self._num_matched(self._match(self.grid_of(self.anchors)))

    def merit(self, anchors: Anchors) -> float:
        """The share of matched boxes and a little for more anchors; -1 after the last trial, and for what is ruled out.

        Ruled out is what loses too much of a class, and what exceeds MAX_AMBIGUITY, as the anchors of now may.
        """
        if anchors not in self.merits and len(self.merits) < MAX_TRIALS:
            self.merits[anchors] = self._merit(self.grid_of(anchors))
        return self.merits.get(anchors, -1.0)

    def _match(self, grid: AnchorGrid) -> Targets:
        return match(self.truth.boxes, self.truth.image_index, grid, self.matcher)

    def _num_matched(self, targets: Targets) -> np.ndarray:
        return np.bincount(self.mids, targets.num_matched_anchors > 0)

    def _merit(self, grid: AnchorGrid) -> float:
        targets = self._match(grid)
        num_lost = self.num_matched_now - self._num_matched(targets)
        if (num_lost > np.maximum(MAX_CLASS_LOSS * np.bincount(self.mids), 1)).any():
            return -1.0
        if layer_ambiguity(grid, self.matcher, self.placed) > MAX_AMBIGUITY:
            return -1.0
        doublings = np.log2(1 + targets.num_matched_anchors)
        return float((targets.num_matched_anchors > 0).mean() + DOUBLING * doublings.mean())


def _coarse(anchors: Anchors) -> Iterator[Anchors]:
    """Where a descent may begin: sizes over the whole range that is of use, with the ratios that there are."""
    if isinstance(anchors, MultiscaleAnchors):
        for octaves, ratios in _splits(anchors):
            for scale in (anchors.anchor_scale, *_ANCHOR_SCALES):
                yield replace(anchors, anchor_scale=scale, scales_per_octave=octaves, aspect_ratios=ratios)
    else:
        for low in _MIN_SCALES:
            for high in _MAX_SCALES:
                spread = replace(anchors, scales=(), min_scale=low, max_scale=high)
                yield replace(spread, scales=_listed(spread)) if anchors.scales else spread


def _splits(anchors: MultiscaleAnchors) -> Iterator[tuple[int, tuple[float, ...]]]:
    """The ways to have as many anchors in a cell: more scales and fewer ratios, or fewer and more."""
    per_cell = anchors.scales_per_octave * len(anchors.aspect_ratios)
    for octaves in range(1, per_cell + 1):
        if octaves == anchors.scales_per_octave:
            yield octaves, anchors.aspect_ratios
        elif per_cell % octaves == 0:
            num_ratios = per_cell // octaves
            ladder = np.geomspace(0.5, 2, num_ratios) if num_ratios > 1 else np.ones(1)
            yield octaves, tuple(_rounded(ratio) for ratio in ladder)


def _listed(anchors: SsdAnchors) -> tuple[float, ...]:
    """The scales that min_scale and max_scale stand for, one for each layer."""
    return tuple(_rounded(scale) for scale in np.linspace(anchors.min_scale, anchors.max_scale, anchors.num_layers))


def _descended(anchors: Anchors, trials: _Trials) -> Anchors:
    """Turn one number after the other up or down while that helps, in ever smaller steps."""
    for step in _STEPS:
        for _ in range(_MAX_PASSES):
            before = anchors
            for name, place in _knobs(anchors):
                turned = (_turned(anchors, name, place, factor) for factor in (step, 1 / step))
                anchors = max((anchors, *filter(_is_sane, turned)), key=trials.merit)
            if anchors == before:
                break
    return anchors


def _knobs(anchors: Anchors) -> Iterator[tuple[str, int]]:
    """The numbers that a search may turn: the field, and the place in it."""
    if isinstance(anchors, MultiscaleAnchors):
        yield "anchor_scale", 0
    elif anchors.scales:
        yield from (("scales", place) for place in range(anchors.num_layers))
    else:
        yield from (("min_scale", 0), ("max_scale", 0))
    yield from (("aspect_ratios", place) for place in range(len(anchors.aspect_ratios)))


def _turned(anchors: Anchors, name: str, place: int, factor: float) -> Anchors:
    value = getattr(anchors, name)
    if isinstance(value, tuple):
        turned: object = (*value[:place], _rounded(value[place] * factor), *value[place + 1 :])
    else:
        turned = _rounded(value * factor)
    changes: dict[str, Any] = {name: turned}
    return replace(anchors, **changes)


def _is_sane(anchors: Anchors) -> bool:
    """Whether numbers are in their limits, and no layer has smaller anchors than a finer one."""
    scales: tuple[float, ...]
    if isinstance(anchors, MultiscaleAnchors):
        limits, scales = _ANCHOR_SCALE_LIMITS, (anchors.anchor_scale,)
    else:
        limits, scales = _SCALE_LIMITS, anchors.scales or (anchors.min_scale, anchors.max_scale)
    is_ordered = all(one <= other for one, other in pairwise(scales))
    return is_ordered and _are_within(limits, scales) and _are_within(_RATIO_LIMITS, anchors.aspect_ratios)


def _are_within(limits: tuple[float, float], values: tuple[float, ...]) -> bool:
    return all(limits[0] <= value <= limits[1] for value in values)


def _rounded(value: float) -> float:
    """To three digits: what the patch prints is what was tried."""
    return float(f"{value:.3g}")
