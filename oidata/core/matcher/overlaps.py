"""The anchors near each box: all pairs whose IoU can matter, without the IoU of all pairs.

The anchors of a shape differ only by their cell, and the IoU falls with the distance in rows and in columns. So for
each shape the nearest cell bounds what any cell can reach, and a few rows and columns around it hold all that reach a
threshold. Bounds are taken with a slack that covers every rounding; the IoU of what is left is TFOD's, to the bit.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from oidata.core.matcher.anchors import AnchorGrid

    Floats: TypeAlias = NDArray[np.float32]
    Ints: TypeAlias = NDArray[np.intp]

# How many numbers to work on at a time: enough to outweigh the calls, and few enough for the caches.
BOUNDS_AT_ONCE = 1 << 17
CELLS_AT_ONCE = 1 << 16

# A window is widened to the next of these, so that windows of one size are computed together.
WINDOW_SIZES = np.array([1, 2, 3, 4, 5, 6, 8, 10, 12, 16, 20, 24, 32, 48, 64, 96, 128, 256, 1 << 10, 1 << 20])

ROUNDING = np.float32(1e-5)
ALMOST_NOTHING = np.float32(1e-30)
LEAST_IOU = np.finfo(np.float32).smallest_subnormal
HALF = np.float32(0.5)


@dataclass(frozen=True, eq=False)
class Pairs:
    """Boxes and anchors that overlap, (P,) each: the indices of both, and their IoU in float32."""

    box: Ints
    anchor: Ints
    iou: Floats


@dataclass(frozen=True, eq=False)
class Windows:
    """For some boxes the rows and columns of each shape that are to be looked at, (W,) each, and the boxes' sides.

    `least` is for each box an IoU that its best anchor reaches, or the threshold if that is less.
    """

    sides: tuple[Floats, Floats, Floats, Floats]
    area: Floats
    least: Floats
    shape: Ints
    box: Ints
    column: Ints
    row: Ints
    num_columns: Ints
    num_rows: Ints

    @property
    def num_cells(self) -> int:
        """The pairs of box and anchor in all windows."""
        return int(np.dot(self.num_columns, self.num_rows))


@dataclass(frozen=True, eq=False)
class _Axis:
    """The columns (or rows) of all layers: tables of each shape in each cell (T,), and numbers for each shape (S,).

    Cell c of shape s is at `base[s]` + c · `pitch[s]` of the tables, and about `origin[s]` + c · `step[s]`, off by no
    more than `slack` in either end.
    """

    low: Floats
    high: Floats
    length: Floats
    base: Ints
    pitch: Ints
    cells: Ints
    last: Floats
    origin: Floats
    step: Floats
    size: Floats
    slack: np.float32

    @classmethod
    def of(cls, lows: Sequence[Floats], highs: Sequence[Floats]) -> _Axis:
        fits = [_fit(low, high) for low, high in zip(lows, highs, strict=True)]
        low, high = np.concatenate([low.ravel() for low in lows]), np.concatenate([high.ravel() for high in highs])
        shapes = [low.shape[1] for low in lows]
        starts = np.cumsum([0, *(low.size for low in lows)])[:-1]
        reach = max(np.abs(low).max(), np.abs(high).max())
        return cls(
            low=low,
            high=high,
            length=high - low,
            base=np.concatenate([start + np.arange(number) for start, number in zip(starts, shapes, strict=True)]),
            pitch=np.repeat(shapes, shapes),
            cells=np.repeat([len(low) for low in lows], shapes),
            last=np.repeat([np.float32(len(low) - 1) for low in lows], shapes),
            origin=np.repeat(np.array([fit[0] for fit in fits], dtype=np.float32), shapes),
            step=np.repeat(np.array([fit[1] for fit in fits], dtype=np.float32), shapes),
            size=np.concatenate([fit[2] for fit in fits]).astype(np.float32),
            slack=np.float32(max(fit[3] for fit in fits) + 2**-20 * (1 + reach)),
        )

    def clip(self, values: Floats) -> Floats:
        """Beyond the outermost anchors a box is as one that ends there: what is common stays, to the bit."""
        return values.clip(self.low.min(), self.high.max())

    def common(self, at: Ints, low: Floats, high: Floats) -> Floats:
        """The length common to the anchors `at` the tables and to boxes, as TFOD computes it."""
        length = np.minimum(high, self.high.take(at))
        length -= np.maximum(low, self.low.take(at))
        return np.maximum(length, 0, out=length)

    def most_common(self, low: Floats, high: Floats, layers: Sequence[int]) -> Floats:
        """For each shape and box, (S, N), no less than the length common to the box and any cell of the shape.

        It is at most two `slack` too much for the nearest cell. `layers` are the first shapes of the layers.
        """
        origin, step = self.origin[layers, None], self.step[layers, None]
        center, length = (low + high) * HALF, high - low
        cell = (center - origin) / step
        cell = np.rint(cell, out=cell).clip(0, self.last[layers, None])
        inside = length * HALF - np.abs(center - (origin + cell * step))
        common = np.repeat(inside, self.pitch[layers], axis=0)
        common += (self.size * HALF + self.slack)[:, None]
        np.minimum(common, (self.size + self.slack)[:, None], out=common)
        np.minimum(common, length + self.slack, out=common)
        # A row of zeros: numpy is three times slower with the number 0.
        np.maximum(common, np.zeros_like(length), out=common)
        return common

    def window(self, shape: Ints, center: Floats, reach: Floats) -> tuple[Ints, Ints]:
        """The first cell, and how many, whose centre is within `reach` of `center`: at least one."""
        reach = reach + 2 * self.slack
        inside, step, last = center - self.origin[shape], self.step[shape], self.last[shape]
        low = np.ceil((inside - reach) / step).clip(0, last)
        high = np.floor((inside + reach) / step).clip(low, last)
        return low.astype(np.intp), (high - low).astype(np.intp) + 1


def _fit(low: Floats, high: Floats) -> tuple[float, float, NDArray[np.float64], float]:
    """Origin, step, sizes (A,) of the even grid nearest to (cells, A) `low` and `high`, and how far off that is."""
    low, high = low.astype(np.float64), high.astype(np.float64)
    centers = (low + high).mean(axis=1) / 2
    step = (centers[-1] - centers[0]) / (len(centers) - 1) if len(centers) > 1 else 1.0
    step = step if step > 0 else 1.0
    sizes = (high - low).mean(axis=0)
    even = (centers[0] + step * np.arange(len(centers)))[:, None]
    off = max(np.abs(low - (even - sizes / 2)).max(), np.abs(high - (even + sizes / 2)).max())
    return centers[0], step, sizes, off


class Overlaps:
    """Finds the pairs of box and anchor with an IoU of at least `floor`, and for each box those that tie for its best.

    With a `floor` of 0 these are all pairs; else a pair with an IoU of 0 is never one.
    """

    def __init__(self, grid: AnchorGrid, floor: float) -> None:
        self._x = _Axis.of([layer.xmin for layer in grid.layers], [layer.xmax for layer in grid.layers])
        self._y = _Axis.of([layer.ymin for layer in grid.layers], [layer.ymax for layer in grid.layers])
        self._floor = np.float32(floor)
        shapes = [len(layer.widths) for layer in grid.layers]
        self._layers = [0, *np.cumsum(shapes)[:-1]]
        starts = np.cumsum([0, *(layer.num_anchors for layer in grid.layers)])[:-1]
        self._first = np.repeat(starts, shapes) + np.concatenate([np.arange(number) for number in shapes])
        self._num_shapes = sum(shapes)
        small, large = (
            (self._x.size + sign * self._x.slack).clip(0) * (self._y.size + sign * self._y.slack).clip(0)
            for sign in (-1, 1)
        )
        self._area = np.maximum(small, ALMOST_NOTHING)
        self._excess = np.float32((large / self._area).max()) * (1 + ROUNDING)

    def windows(self, boxes: Floats) -> Windows:
        """Where to look for the anchors of (N, 4) xyxy `boxes`."""
        xmin, ymin, xmax, ymax = np.ascontiguousarray(boxes.T)
        with np.errstate(over="ignore", invalid="ignore"):
            area = (ymax - ymin) * (xmax - xmin)
        some = (xmax > xmin) & (ymax > ymin) & np.isfinite(area)
        xmin, xmax = (np.where(some, self._x.clip(side), 0) for side in (xmin, xmax))
        ymin, ymax = (np.where(some, self._y.clip(side), 0) for side in (ymin, ymax))
        sides, area = (xmin, ymin, xmax, ymax), np.where(some, area, 0)
        block = max(1, BOUNDS_AT_ONCE // self._num_shapes)
        least = np.zeros_like(area)
        parts = [self._near(sides, area, least, slice(at, at + block)) for at in range(0, len(area), block)]
        shape, box, reach_x, reach_y = (np.concatenate(column) for column in zip(*parts, strict=True))
        column, num_columns = self._x.window(shape, (xmin[box] + xmax[box]) * HALF, reach_x)
        row, num_rows = self._y.window(shape, (ymin[box] + ymax[box]) * HALF, reach_y)
        return Windows(sides, area, least, shape, box, column, row, num_columns, num_rows)

    def _near(
        self, sides: tuple[Floats, ...], area: Floats, least: Floats, block: slice
    ) -> tuple[Ints, Ints, Floats, Floats]:
        """Shape, box, and the reach in x and in y of all windows of a block of boxes; fills the block of `least`."""
        xmin, ymin, xmax, ymax = (side[block] for side in sides)
        width, height, area = xmax - xmin, ymax - ymin, area[block]
        if not self._floor:
            shape, box = np.divmod(np.arange(self._num_shapes * len(area)), len(area))
            everything = np.full(len(box), np.inf, dtype=np.float32)
            return shape, box + block.start, everything, everything
        x, y = self._x.most_common(xmin, xmax, self._layers), self._y.most_common(ymin, ymax, self._layers)
        areas = self._area[:, None] + area
        # IoU = i / (a - i) rises with i / a, where i is the intersection and a the sum of both areas.
        share = x * y
        share /= areas
        too_much = 2 * (self._x.slack * (height + self._y.slack) + self._y.slack * (width + self._x.slack))
        sure = (share.max(axis=0) - too_much / (area + self._area.min())) / self._excess - ROUNDING * ROUNDING
        sure = sure.clip(0, HALF)
        least[block] = np.minimum(sure / (1 - sure) * (1 - ROUNDING), self._floor).clip(LEAST_IOU)
        needed = (least[block] / (1 + least[block]) * (1 - ROUNDING)).clip(ALMOST_NOTHING)
        found = np.flatnonzero(share >= needed)
        shape, box = np.divmod(found, len(area))
        common = needed[box] * areas.take(found)
        reach_x = (self._x.size[shape] + width[box]) * HALF - common / y.take(found)
        reach_y = (self._y.size[shape] + height[box]) * HALF - common / x.take(found)
        return shape, box + block.start, reach_x, reach_y

    def pairs(self, windows: Windows) -> Pairs:
        """The pairs in `windows` that reach the `least` of their box."""
        parts = [self._pairs_of(windows, some, *size) for some, size in self._alike(windows)]
        if not parts:
            return Pairs(np.zeros(0, dtype=np.intp), np.zeros(0, dtype=np.intp), np.zeros(0, dtype=np.float32))
        return Pairs(*(np.concatenate(column) for column in zip(*parts, strict=True)))

    def _alike(self, windows: Windows) -> Iterator[tuple[Ints, tuple[int, int]]]:
        """Batches of windows, with one number of columns and of rows for each batch."""
        columns = self._widened(self._x, windows.shape, windows.num_columns)
        rows = self._widened(self._y, windows.shape, windows.num_rows)
        code = rows << 32 | columns
        order = np.argsort(code, kind="stable")
        code = code[order]
        edges = [0, *(np.flatnonzero(np.diff(code)) + 1), len(code)]
        for first, last in pairwise(edges if len(code) else []):
            num_rows, num_columns = divmod(int(code[first]), 1 << 32)
            step = max(1, CELLS_AT_ONCE // (num_rows * num_columns))
            for at in range(first, last, step):
                yield order[at : min(at + step, last)], (num_columns, num_rows)

    @staticmethod
    def _widened(axis: _Axis, shape: Ints, number: Ints) -> Ints:
        wide: Ints = np.minimum(WINDOW_SIZES[np.searchsorted(WINDOW_SIZES, number)], axis.cells[shape])
        return wide

    def _pairs_of(self, windows: Windows, some: Ints, num_columns: int, num_rows: int) -> tuple[Ints, Ints, Floats]:
        shape, box = windows.shape[some], windows.box[some]
        column = np.minimum(windows.column[some], self._x.cells[shape] - num_columns)
        row = np.minimum(windows.row[some], self._y.cells[shape] - num_rows)
        pitch = self._x.pitch[shape]
        at_x = self._x.base[shape] + (column + np.arange(num_columns)[:, None]) * pitch
        at_y = self._y.base[shape] + (row + np.arange(num_rows)[:, None]) * pitch
        xmin, ymin, xmax, ymax = (side[box] for side in windows.sides)
        iou = self._y.common(at_y, ymin, ymax)[:, None] * self._x.common(at_x, xmin, xmax)
        union = self._y.length.take(at_y)[:, None] * self._x.length.take(at_x)
        union += windows.area[box]
        union -= iou
        iou /= union
        found = np.flatnonzero(iou >= windows.least[box])
        cell, which = np.divmod(found, len(some))
        down, right = np.divmod(cell, num_columns)
        cells = (row[which] + down) * self._x.cells[shape[which]] + column[which] + right
        return box[which], self._first[shape[which]] + cells * pitch[which], iou.ravel()[found]
