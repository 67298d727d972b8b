"""The anchors of a detector, built as TFOD builds them: in float32, in its order, not clipped to the photo."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from oidata.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike, NDArray

# The first shape of a reduced lowest layer has this scale, whatever min_scale is (multiple_grid_anchor_generator.py).
LOWEST_SCALE = 0.1

_HALF = np.float32(0.5)


@dataclass(frozen=True, eq=False)
class AnchorLayer:
    """The anchors of one feature map: each of A shapes in each cell, so that rows and columns say it all.

    `ymin` and `ymax` are (rows, A), `xmin` and `xmax` (columns, A); `heights` and `widths` are the nominal sizes
    of the shapes, (A,). All are normalised float32, and may reach beyond [0, 1].
    """

    ymin: NDArray[np.float32]
    ymax: NDArray[np.float32]
    xmin: NDArray[np.float32]
    xmax: NDArray[np.float32]
    heights: NDArray[np.float32]
    widths: NDArray[np.float32]

    @property
    def num_anchors(self) -> int:
        """Rows × columns × shapes."""
        return len(self.ymin) * int(self.xmin.size)

    def boxes(self) -> NDArray[np.float32]:
        """All anchors, (num_anchors, 4) xyxy: row by row, then column by column, the shape fastest."""
        rows, columns = self.ymin[:, None], self.xmin[None]
        sides = (self.xmin[None], rows, self.xmax[None], self.ymax[:, None])
        shape = np.broadcast_shapes(rows.shape, columns.shape)
        return np.stack([np.broadcast_to(side, shape) for side in sides], axis=-1).reshape(-1, 4)


@dataclass(frozen=True, eq=False)
class AnchorGrid:
    """All anchors of a detector, layer after layer, from the finest to the coarsest."""

    layers: tuple[AnchorLayer, ...]

    @property
    def num_anchors(self) -> int:
        """The anchors of all layers."""
        return sum(layer.num_anchors for layer in self.layers)

    def boxes(self) -> NDArray[np.float32]:
        """All anchors, (num_anchors, 4) xyxy float32, normalised, in TFOD's order."""
        return np.concatenate([layer.boxes() for layer in self.layers])

    def layer_index(self) -> NDArray[np.int8]:
        """The layer of each anchor, (num_anchors,)."""
        numbers = np.arange(len(self.layers), dtype=np.int8)
        return np.repeat(numbers, [layer.num_anchors for layer in self.layers])


@dataclass(frozen=True)
class SsdAnchors:
    """The fields of TFOD's proto SsdAnchorGenerator, with its defaults.

    Scales are shares of the input's shorter side; `height_stride`, `width_stride`, `height_offset` and
    `width_offset` are in pixels, one for each layer, or empty for strides of one cell and offsets of half of one.
    """

    num_layers: int = 6
    min_scale: float = 0.2
    max_scale: float = 0.95
    scales: tuple[float, ...] = ()
    aspect_ratios: tuple[float, ...] = ()
    interpolated_scale_aspect_ratio: float = 1.0
    reduce_boxes_in_lowest_layer: bool = True
    base_anchor_height: float = 1.0
    base_anchor_width: float = 1.0
    height_stride: tuple[float, ...] = ()
    width_stride: tuple[float, ...] = ()
    height_offset: tuple[float, ...] = ()
    width_offset: tuple[float, ...] = ()

    def shapes(self) -> tuple[tuple[tuple[float, float], ...], ...]:
        """For each layer its (scale, aspect ratio) pairs, as create_ssd_anchors of TFOD makes them.

        Raises ConfigError for scales or ratios that make no anchors.
        """
        ratios = tuple(_proto_float("aspect_ratios", ratio) for ratio in self.aspect_ratios)
        scales = self._scales()
        layers = [self._shapes_of(scales[layer], scales[layer + 1], ratios) for layer in range(self.num_layers)]
        if self.reduce_boxes_in_lowest_layer and layers:
            layers[0] = ((LOWEST_SCALE, 1.0), (scales[0], 2.0), (scales[0], 0.5))
        if not layers or not all(layers):
            message = "ssd_anchor_generator has no layers, or a layer without anchors."
            raise ConfigError(message, "Set num_layers to 1 or more, and list aspect_ratios, such as 1.0.")
        return tuple(layers)

    def grid(self, feature_maps: Sequence[tuple[int, int]], height_px: int, width_px: int) -> AnchorGrid:
        """The anchors on `feature_maps`, (rows, columns) each, of an input of `height_px` × `width_px`.

        As TFOD's anchor_generators/multiple_grid_anchor_generator.py. Raises ConfigError where the fields, the
        feature maps and the input do not make a grid.
        """
        _check_input(feature_maps, height_px, width_px, self.num_layers, "num_layers")
        pairs = self.shapes()
        size_px = _float32((height_px, width_px))
        base = self._base() * (size_px.min() / size_px)
        strides = self._pairs("stride", size_px)
        offsets = self._pairs("offset", size_px)
        layers = []
        for number, cells in enumerate(feature_maps):
            stride: NDArray[np.float32] = strides[number] if strides else np.reciprocal(_float32(cells))
            offset: NDArray[np.float32] = offsets[number] if offsets else _HALF * stride
            layers.append(_tile(cells, _float32(pairs[number]), base, stride, offset))
        return AnchorGrid(tuple(layers))

    def _scales(self) -> list[float]:
        # In double precision, from fields in single precision: the order of create_ssd_anchors.
        if self.scales:
            scales = [_proto_float("scales", scale) for scale in self.scales]
            if len(scales) < self.num_layers:
                message = f"ssd_anchor_generator lists {len(scales)} scales for {self.num_layers} layers."
                raise ConfigError(message, "List one scale for each layer.")
            return [*scales, 1.0]
        if self.num_layers < 2:  # noqa: PLR2004 - scales are spread between two ends
            message = "ssd_anchor_generator spreads min_scale to max_scale over a single layer."
            raise ConfigError(message, "List `scales`, or set num_layers to 2 or more.")
        low = _proto_float("min_scale", self.min_scale)
        span = _proto_float("max_scale", self.max_scale) - low
        return [*(low + span * layer / (self.num_layers - 1) for layer in range(self.num_layers)), 1.0]

    def _shapes_of(self, scale: float, following: float, ratios: tuple[float, ...]) -> tuple[tuple[float, float], ...]:
        shapes = [(scale, ratio) for ratio in ratios]
        if self.interpolated_scale_aspect_ratio > 0:
            ratio = _proto_float("interpolated_scale_aspect_ratio", self.interpolated_scale_aspect_ratio)
            shapes.append((math.sqrt(scale * following), ratio))
        return tuple(shapes)

    def _base(self) -> NDArray[np.float32]:
        height = _proto_float("base_anchor_height", self.base_anchor_height)
        return _float32((height, _proto_float("base_anchor_width", self.base_anchor_width)))

    def _pairs(self, kind: str, size_px: NDArray[np.float32]) -> list[NDArray[np.float32]]:
        heights, widths = getattr(self, f"height_{kind}"), getattr(self, f"width_{kind}")
        if not heights and not widths:
            return []
        if not len(heights) == len(widths) == self.num_layers:
            message = (
                f"ssd_anchor_generator lists {len(heights)} height_{kind} and {len(widths)} width_{kind} "
                f"for {self.num_layers} layers."
            )
            raise ConfigError(message, f"List one height_{kind} and one width_{kind} for each layer, or none.")
        if kind == "stride":
            heights, widths = ([_proto_float("A stride", value) for value in values] for values in (heights, widths))
        return [_float32(pair) / size_px for pair in zip(heights, widths, strict=True)]


@dataclass(frozen=True)
class MultiscaleAnchors:
    """The fields of TFOD's proto MultiscaleAnchorGenerator, with its defaults: the anchors of the FPN detectors.

    Sizes are `anchor_scale` strides of a level. The grid is normalised whatever `normalize_coordinates` says:
    the field is kept so that a config can be told as it is.
    """

    min_level: int = 3
    max_level: int = 7
    anchor_scale: float = 4.0
    aspect_ratios: tuple[float, ...] = ()
    scales_per_octave: int = 2
    normalize_coordinates: bool = True

    def shapes(self) -> tuple[tuple[float, float], ...]:
        """The (scale, aspect ratio) pairs of every level, the ratio slowest. Raises ConfigError if there are none."""
        ratios = [_proto_float("aspect_ratios", ratio) for ratio in self.aspect_ratios]
        scales = [2 ** (step / self.scales_per_octave) for step in range(self.scales_per_octave)]
        if not ratios or not scales:
            message = "multiscale_anchor_generator has no aspect_ratios, or no scales_per_octave."
            raise ConfigError(message, "Set aspect_ratios, such as 1.0, and scales_per_octave to 1 or more.")
        return tuple((scale, ratio) for ratio in ratios for scale in scales)

    def grid(self, feature_maps: Sequence[tuple[int, int]], height_px: int, width_px: int) -> AnchorGrid:
        """The anchors on `feature_maps`, (rows, columns) of each level, of an input of `height_px` × `width_px`.

        As TFOD's anchor_generators/multiscale_grid_anchor_generator.py: centres begin half a stride in where the
        stride divides the input, else at 0. Raises ConfigError where the fields, the feature maps and the input do
        not make a grid.
        """
        if not 0 <= self.min_level <= self.max_level:
            message = f"multiscale_anchor_generator runs from level {self.min_level} to {self.max_level}."
            raise ConfigError(message, "Set min_level and max_level, 0 ≤ min_level ≤ max_level.")
        levels = range(self.min_level, self.max_level + 1)
        _check_input(feature_maps, height_px, width_px, len(levels), "max_level - min_level + 1")
        shapes = _float32(self.shapes())
        anchor_scale = _proto_float("anchor_scale", self.anchor_scale)
        layers = []
        for level, cells in zip(levels, feature_maps, strict=True):
            size = 2**level
            stride = _float32((size, size))
            offset = _float32([size / 2 if side % size == 0 or side == 1 else 0 for side in (height_px, width_px)])
            layer = _tile(cells, shapes, stride * np.float32(anchor_scale), stride, offset)
            layers.append(_normalised(layer, height_px, width_px))
        return AnchorGrid(tuple(layers))


def _tile(
    cells: tuple[int, int],
    shapes: NDArray[np.float32],
    base: NDArray[np.float32],
    stride: NDArray[np.float32],
    offset: NDArray[np.float32],
) -> AnchorLayer:
    """Put each shape into each cell, in the order of operations of tile_anchors in TFOD's grid_anchor_generator.py.

    `shapes` are (A, 2), scale and aspect ratio; `base`, `stride` and `offset` are (2,), height before width.
    """
    scales, ratios = shapes.T
    roots = np.sqrt(ratios)
    heights = scales / roots * base[0]
    widths = scales * roots * base[1]
    rows, columns = (
        (np.arange(number, dtype=np.float32) * step + start)[:, None]
        for number, step, start in zip(cells, stride, offset, strict=True)
    )
    half_heights, half_widths = _HALF * heights, _HALF * widths
    return AnchorLayer(
        ymin=rows - half_heights,
        ymax=rows + half_heights,
        xmin=columns - half_widths,
        xmax=columns + half_widths,
        heights=heights,
        widths=widths,
    )


def _normalised(layer: AnchorLayer, height_px: int, width_px: int) -> AnchorLayer:
    # TFOD multiplies by the reciprocal (box_list_ops.to_normalized_coordinates).
    by_height, by_width = np.float32(1) / np.float32(height_px), np.float32(1) / np.float32(width_px)
    return AnchorLayer(
        ymin=layer.ymin * by_height,
        ymax=layer.ymax * by_height,
        xmin=layer.xmin * by_width,
        xmax=layer.xmax * by_width,
        heights=layer.heights * by_height,
        widths=layer.widths * by_width,
    )


def _float32(values: ArrayLike) -> NDArray[np.float32]:
    return np.array(values, dtype=np.float32)


def _proto_float(name: str, value: float) -> float:
    """`value` as a float field of a proto holds it. Raises ConfigError unless it is a finite number above 0."""
    if not 0 < value < math.inf:
        raise ConfigError(f"{name} is {value:g} in the anchor generator.", "Set it to a number above 0.")
    return float(np.float32(value))


def _check_input(
    feature_maps: Sequence[tuple[int, int]], height_px: int, width_px: int, num_layers: int, name: str
) -> None:
    if len(feature_maps) != num_layers:
        message = (
            f"The anchor generator makes {num_layers} layers, and the detector has {len(feature_maps)} feature maps."
        )
        raise ConfigError(message, f"Make {name} and the number of feature maps equal.")
    if min(height_px, width_px, *(cells for pair in feature_maps for cells in pair)) < 1:
        message = f"An input of {height_px} × {width_px} px with feature maps {list(feature_maps)} has no cells."
        raise ConfigError(message, "Sizes and feature maps are whole numbers of 1 or more.")
