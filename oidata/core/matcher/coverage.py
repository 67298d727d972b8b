"""Which sizes of boxes the anchors reach: a box of a size, alone in a photo, wherever it may lie in it."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Literal

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from oidata.core.matcher.anchors import AnchorGrid, AnchorLayer
    from oidata.core.matcher.targets import Matcher

# A size is a hole where less than every second place gives a box an anchor.
EVEN_CHANCE = 0.5
# The edge of a hole is known to this share of its side.
EDGE_PRECISION = 0.002
NUM_SAMPLES = 512 * 512


@dataclass(frozen=True)
class Coverage:
    """What boxes of one size get, over all places wholly inside the photo.

    side: the square root of the area, in the sweep's unit; ratio: width over height in that unit; share: of the
    places, those with an anchor at the matched threshold; mean_positives: such anchors in the mean over all places.
    """

    side: float
    ratio: float
    share: float
    mean_positives: float


@dataclass(frozen=True)
class Sweep:
    """The coverage of many sizes, by ratio and then by rising side; sizes that do not fit the photo are left out."""

    sizes: tuple[Coverage, ...]

    @property
    def ratios(self) -> tuple[float, ...]:
        """The aspect ratios, each once, in order."""
        return tuple(dict.fromkeys(size.ratio for size in self.sizes))

    def of_ratio(self, ratio: float) -> tuple[Coverage, ...]:
        """The sizes of one aspect ratio, by rising side."""
        return tuple(size for size in self.sizes if size.ratio == ratio)


@dataclass(frozen=True)
class Hole:
    """Sizes of one aspect ratio that get an anchor in less than half of the places, and the least share among them.

    where: `below` if no smaller size of the sweep has an even chance (too small for any anchor), `above` if no larger
    one has, `inner` if both have: a gap between the anchors. Where no size at all has an even chance it is `below`.
    """

    ratio: float
    side_min: float
    side_max: float
    min_share: float
    where: Literal["below", "inner", "above"]

    def holds(self, sides: np.ndarray) -> np.ndarray:
        """Which of `sides` (N,) lie in it, (N,) bool: below the smallest anchors also those that the sweep left out."""
        return (sides <= self.side_max) & ((sides >= self.side_min) | (self.where == "below"))


def sweep(  # noqa: PLR0913 - what to sweep, over what, and how finely
    grid: AnchorGrid,
    matcher: Matcher,
    sides: Sequence[float],
    ratios: Sequence[float] = (1.0,),
    *,
    height: float = 1.0,
    width: float = 1.0,
    num_samples: int = NUM_SAMPLES,
    seed: int = 0,
) -> Sweep:
    """What a box gets from the matcher, for each of `sides` and `ratios`, if it lies anywhere with equal chance.

    `height` and `width` are those of the network's input in the unit of `sides`: with the defaults sides are
    normalised, and with the input's pixels they are pixels. Between the sides given others are added: where an anchor
    begins and ceases to reach any place, which is where gaps between anchors end and begin, and where the share
    crosses an even chance, until that place is known to EDGE_PRECISION. The places are the product of about
    √num_samples columns and as many rows, one drawn in each of as many equal strips; with NUM_SAMPLES the standard
    deviation of a share was measured as 0.004 at most. The forced match is left out, for a box alone always has an
    anchor through it.
    """
    per_axis = max(1, round(num_samples**0.5))
    strips = np.random.default_rng(seed).random((2, per_axis)) + np.arange(per_axis)
    threshold = 0.0 if matcher.ignore_thresholds else matcher.matched_threshold
    probe = _Probe(grid, threshold, height, width, strips[0] / per_axis, strips[1] / per_axis)
    chosen = sorted({*sides, *probe.turns(sides)})
    return Sweep(tuple(size for ratio in ratios for size in _refined(probe, chosen, ratio)))


def holes(swept: Sweep) -> tuple[Hole, ...]:
    """The ranges of sizes with less than an even chance, by ratio and then by rising side."""
    return tuple(hole for ratio in swept.ratios for hole in _holes(swept.of_ratio(ratio)))


def _holes(sizes: Sequence[Coverage]) -> Iterator[Hole]:
    is_hole = [size.share < EVEN_CHANCE for size in sizes]
    start = 0
    while start < len(sizes):
        end = start
        while end < len(sizes) and is_hole[end]:
            end += 1
        if end > start:
            where: Literal["below", "inner", "above"] = "inner" if end < len(sizes) else "above"
            inside = sizes[start:end]
            low, high = inside[0].side, inside[-1].side
            least = min(size.share for size in inside)
            yield Hole(sizes[0].ratio, low, high, least, where if start else "below")
        start = end + 1


def _refined(probe: _Probe, sides: Sequence[float], ratio: float) -> list[Coverage]:
    """The sizes that fit, and between any two of which only one is a hole, those that a bisection looks at."""
    sizes = [size for side in sides if (size := probe.coverage(side, ratio))]
    between = [_bisected(probe, low, high) for low, high in pairwise(sizes)]
    return sorted([*sizes, *(size for added in between for size in added)], key=lambda size: size.side)


def _bisected(probe: _Probe, low: Coverage, high: Coverage) -> Iterator[Coverage]:
    while (low.share < EVEN_CHANCE) != (high.share < EVEN_CHANCE) and high.side > low.side * (1 + EDGE_PRECISION):
        middle = probe.coverage((low.side * high.side) ** 0.5, low.ratio)
        if middle is None:
            return
        yield middle
        if (middle.share < EVEN_CHANCE) == (low.share < EVEN_CHANCE):
            low = middle
        else:
            high = middle


@dataclass(frozen=True, eq=False)
class _Probe:
    """The grid, and the places at which boxes are looked at: x and y, (n,) each, in [0, 1) of the room there is."""

    grid: AnchorGrid
    threshold: float
    height: float
    width: float
    x: np.ndarray
    y: np.ndarray

    def turns(self, sides: Sequence[float]) -> Iterator[float]:
        """The sides, within the range of `sides`, at which an anchor is just too large or too small for any place.

        IoU is at most the quotient of the areas, so an anchor of area a reaches from √(a · t) to √(a / t).
        """
        if not sides or not self.threshold:
            return
        shapes = np.concatenate([layer.heights * layer.widths for layer in self.grid.layers])
        anchors = np.sqrt(np.unique(shapes.round(6)).astype(np.float64) * self.height * self.width)
        reach = (1 + EDGE_PRECISION) / self.threshold**0.5
        for side in (*(anchors / reach).tolist(), *(anchors * reach).tolist()):
            if min(sides) < side < max(sides):
                yield side

    def coverage(self, side: float, ratio: float) -> Coverage | None:
        """What boxes of this size get; None if they do not fit the photo."""
        box_width, box_height = side * ratio**0.5 / self.width, side / ratio**0.5 / self.height
        if not (0 < box_width <= 1 and 0 < box_height <= 1):
            return None
        if not self.threshold:
            return Coverage(side, ratio, 1.0, float(self.grid.num_anchors))
        is_matched = np.zeros((len(self.x), len(self.y)), bool)
        num_positives = 0
        for layer in self.grid.layers:
            across = _overlap(self.x * (1 - box_width), box_width, layer.xmin, layer.xmax)
            along = _overlap(self.y * (1 - box_height), box_height, layer.ymin, layer.ymax)
            needed = _needed(layer, box_width * box_height, self.threshold)
            most_across, most_along = across.max(axis=1), along.max(axis=1)
            with np.errstate(divide="ignore"):  # where no anchor is met along, none is wide enough across
                least_across = needed / most_along
            for shape in np.flatnonzero(most_across.max(axis=0) * most_along.max(axis=0) >= needed):
                is_matched |= most_across[:, None, shape] >= least_across[:, shape]
                num_positives += _num_pairs(across[:, :, shape], along[:, :, shape], needed[shape])
        return Coverage(side, ratio, float(is_matched.mean()), num_positives / is_matched.size)


def _overlap(start: np.ndarray, length: float, low: np.ndarray, high: np.ndarray) -> np.ndarray:
    """(n, cells, A): along one axis, what boxes from `start`, (n,), share with anchors `low` to `high`, (cells, A)."""
    first = np.maximum(start[:, None, None], low)
    last = np.minimum(start[:, None, None] + length, high)
    return np.asarray(np.maximum(last - first, 0))


def _needed(layer: AnchorLayer, area: float, threshold: float) -> np.ndarray:
    """(A,): the intersection that gives a box of `area` an IoU of `threshold` with each shape.

    From IoU = i / (a + b - i) ≥ t follows i ≥ (a + b) · t / (1 + t); and what does not meet has IoU 0.
    """
    areas = layer.heights.astype(np.float64) * layer.widths
    return np.asarray(np.maximum((area + areas) * threshold / (1 + threshold), np.finfo(np.float64).tiny))


def _num_pairs(across: np.ndarray, along: np.ndarray, area: float) -> int:
    """How many pairs of an element of each have a product of at least `area`, which is above 0.

    IoU needs the product of the overlaps alone, so that no list of all anchors at all places is made.
    """
    widths = across[across > 0]
    heights = np.sort(along, axis=None)
    return int(np.sum(len(heights) - np.searchsorted(heights, area / widths)))
