"""How large the ground truth is at the network's input and in the photo, of what shape, and where it lies."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from oidata.core.statistics import counts, histograms, quantiles
from oidata.core.tables import COORDINATES

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd

    from oidata.core.statistics import Cells

# Four bins to an octave: neighbours differ by 19 %, finer than the anchors of any SSD.
SIDE_EDGES_PX = tuple(2 ** (step / 4) for step in range(45))
"""1 to 2048 px."""
SIDE_EDGES = tuple(2 ** (step / 4 - 10) for step in range(41))
"""1/1024 to 1 of the input."""
RATIO_EDGES = tuple(2 ** ((2 * step - 1) / 8) for step in range(-12, 14))
"""1/8.7 to 8.7. The usual ratios of anchors (1, 2, 1/2) lie in the middle of a bin, not on its edge."""

# https://cocodataset.org/#detection-eval: small < 32², medium to 96², large above, in px² of the photo.
COCO_SIDES_PX = (32, 96)
COVERS_PHOTO = 0.9
"""The share of a photo's area above which a box says "this whole photo" rather than where in it."""
HEAT_CELLS = 32
"""Cells to a side of the heat map. A power of two, so that float32 coordinates meet cell borders exactly."""


@dataclass(frozen=True)
class InputBoxes:
    """Boxes as the network sees them, through the resizer.

    xyxy: float, shape (N, 4), normalised to the network's input, padding included. width_px, height_px: the input's
    size for each box, shape (N,), or a number for all. A box without an area, or one that is no box, has NaN for a
    side and a ratio.
    """

    xyxy: np.ndarray
    width_px: np.ndarray | float
    height_px: np.ndarray | float

    @property
    def side_px(self) -> np.ndarray:
        """√area in pixels of the input: float64, shape (N,)."""
        return np.asarray(np.sqrt(_area(self.xyxy) * self.width_px * self.height_px))

    @property
    def side(self) -> np.ndarray:
        """√area as a share of the input's √area, in a square input the scale of an anchor: float64, shape (N,)."""
        return np.asarray(np.sqrt(_area(self.xyxy)))

    @property
    def ratio(self) -> np.ndarray:
        """Width over height in pixels of the input, as anchors have it: float64, shape (N,)."""
        width, height = _width_height(self.xyxy)
        ratio = np.full(len(width), np.nan)
        np.divide(width * self.width_px, height * self.height_px, out=ratio, where=~np.isnan(_area(self.xyxy)))
        return ratio


@dataclass(frozen=True)
class CocoSizes:
    """Boxes by COCO's size classes: side < 32 px, from there to < 96 px, and above; unknown: no size to judge by."""

    small: int
    medium: int
    large: int
    unknown: int


@dataclass(frozen=True)
class SizeRow:
    """The sizes of a class in a split, or of all its classes. Quantiles are named p0 … p100; None without a box.

    split               the split
    mid, display_name   the class; None and "all classes" for all
    num_boxes           ground-truth boxes
    num_without_area    those that have no area, or are no box (strip marks them); sizes leave them out
    side_px             quantiles of √area in pixels at the network's input
    side_px_counts      boxes by side_px between side_edges_px; the end bins hold those beyond
    side                quantiles of √area as a share of the input's √area
    side_counts         boxes by side between side_edges
    ratio               quantiles of width / height at the network's input
    ratio_counts        boxes by ratio between ratio_edges
    coco_at_input       COCO's size classes, by pixels at the network's input
    coco_in_photo       COCO's size classes as COCO has them: by pixels of the photo, unknown where its size is
    num_over_photo      boxes over COVERS_PHOTO of the photo's area
    """

    split: str
    mid: str | None
    display_name: str
    num_boxes: int
    num_without_area: int
    side_px: dict[str, float | None]
    side_px_counts: tuple[int, ...]
    side: dict[str, float | None]
    side_counts: tuple[int, ...]
    ratio: dict[str, float | None]
    ratio_counts: tuple[int, ...]
    coco_at_input: CocoSizes
    coco_in_photo: CocoSizes
    num_over_photo: int


@dataclass(frozen=True)
class HeatMap:
    """Where the ground truth of a class lies, all splits together.

    mid, display_name   the class
    num_boxes           boxes that have an area
    num_covering        rows from the top, in each from the left: how many boxes reach into that cell of the photo
    """

    mid: str
    display_name: str
    num_boxes: int
    num_covering: tuple[tuple[int, ...], ...]

    @property
    def shares(self) -> np.ndarray:
        """The share of the boxes that reach into each cell: float64, shape (HEAT_CELLS, HEAT_CELLS), in [0, 1]."""
        return np.array(self.num_covering) / max(self.num_boxes, 1)


@dataclass(frozen=True)
class SizeFacts:
    """The sizes, shapes and places of the ground truth.

    side_edges_px, side_edges, ratio_edges  the edges of the histograms' bins: a bin holds its lower edge
    classes     one SizeRow per split and class, the empty ones too
    splits      one SizeRow per split, of all classes
    heat_maps   one HeatMap per class
    """

    side_edges_px: tuple[float, ...]
    side_edges: tuple[float, ...]
    ratio_edges: tuple[float, ...]
    classes: tuple[SizeRow, ...]
    splits: tuple[SizeRow, ...]
    heat_maps: tuple[HeatMap, ...]


def size_facts(truth: pd.DataFrame, seen: InputBoxes, cells: Cells) -> SizeFacts:
    """The sizes of `ground_truth`, whose boxes the network sees as `seen`, row by row."""
    codes = cells.codes(truth)
    of_class = [(split, label.mid, label.display_name) for split, label in cells]
    of_split = [(split, None, "all classes") for split in cells.splits]
    split_codes = np.where(codes < 0, -1, cells.split_codes(truth))
    return SizeFacts(
        SIDE_EDGES_PX,
        SIDE_EDGES,
        RATIO_EDGES,
        classes=_rows(truth, seen, codes, of_class),
        splits=_rows(truth, seen, split_codes, of_split),
        heat_maps=_heat_maps(truth[codes >= 0], cells),
    )


def _rows(
    truth: pd.DataFrame, seen: InputBoxes, codes: np.ndarray, heads: Sequence[tuple[str, str | None, str]]
) -> tuple[SizeRow, ...]:
    num, area = len(heads), _area(_xyxy(truth))
    width_px, height_px = (truth[name].to_numpy(np.float64, na_value=np.nan) for name in ("width_px", "height_px"))
    columns = (
        counts(codes, num).tolist(),
        counts(codes[np.isnan(area)], num).tolist(),
        quantiles(seen.side_px, codes, num),
        histograms(seen.side_px, codes, num, SIDE_EDGES_PX),
        quantiles(seen.side, codes, num),
        histograms(seen.side, codes, num, SIDE_EDGES),
        quantiles(seen.ratio, codes, num),
        histograms(seen.ratio, codes, num, RATIO_EDGES),
        _coco(seen.side_px, codes, num),
        _coco(np.sqrt(area * width_px * height_px), codes, num),
        counts(codes[area > COVERS_PHOTO], num).tolist(),
    )
    return tuple(SizeRow(*head, *row) for head, *row in zip(heads, *columns, strict=True))


def _coco(side_px: np.ndarray, codes: np.ndarray, num_groups: int) -> list[CocoSizes]:
    size = np.where(np.isnan(side_px), len(COCO_SIDES_PX) + 1, np.searchsorted(COCO_SIDES_PX, side_px, side="right"))
    cell = np.where(codes < 0, -1, codes * (len(COCO_SIDES_PX) + 2) + size)
    table = counts(cell, num_groups * (len(COCO_SIDES_PX) + 2)).reshape(num_groups, -1)
    return [CocoSizes(*row) for row in table.tolist()]


def _heat_maps(truth: pd.DataFrame, cells: Cells) -> tuple[HeatMap, ...]:
    labels, xyxy = cells.classes.labels, _xyxy(truth)
    is_box = ~np.isnan(_area(xyxy))
    codes = cells.class_codes(truth)[is_box]
    maps = _covering(xyxy[is_box], codes, len(labels)).tolist()
    totals = counts(codes, len(labels)).tolist()
    return tuple(
        HeatMap(label.mid, label.display_name, total, tuple(tuple(row) for row in heat))
        for label, total, heat in zip(labels, totals, maps, strict=True)
    )


def _covering(xyxy: np.ndarray, codes: np.ndarray, num_groups: int) -> np.ndarray:
    """How many boxes reach into each cell: int64 of shape (num_groups, HEAT_CELLS, HEAT_CELLS), row first.

    Each box adds 1 at its first corner and takes it back beyond its others; summing along both axes fills it in.
    """
    first = np.clip(np.floor(xyxy[:, :2] * HEAT_CELLS), 0, HEAT_CELLS).astype(np.int64)
    end = np.clip(np.ceil(xyxy[:, 2:] * HEAT_CELLS), 0, HEAT_CELLS).astype(np.int64)
    shape = (num_groups, HEAT_CELLS + 1, HEAT_CELLS + 1)
    differences = np.zeros(shape, dtype=np.int64)
    for column, row, sign in ((first, first, 1), (end, end, 1), (first, end, -1), (end, first, -1)):
        corner = np.ravel_multi_index((codes, row[:, 1], column[:, 0]), shape)
        differences += sign * counts(corner, differences.size).reshape(shape)
    return differences.cumsum(axis=1).cumsum(axis=2)[:, :-1, :-1]


def _xyxy(truth: pd.DataFrame) -> np.ndarray:
    return truth[list(COORDINATES)].to_numpy(np.float64)


def _width_height(xyxy: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    corners = xyxy.astype(np.float64)
    corners[np.isinf(corners)] = np.nan
    return corners[:, 2] - corners[:, 0], corners[:, 3] - corners[:, 1]


def _area(xyxy: np.ndarray) -> np.ndarray:
    """Normalised, NaN for what has no area or is no box: float64, shape (N,)."""
    width, height = _width_height(xyxy)
    return np.where((width > 0) & (height > 0), width * height, np.nan)
