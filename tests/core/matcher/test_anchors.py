"""Laws of the anchors, and the values that TFOD publishes in its tests."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from oidata.core.matcher.anchors import AnchorGrid, MultiscaleAnchors, SsdAnchors, _tile
from oidata.errors import ConfigError

RATIOS = (1.0, 2.0, 0.5, 3.0, 0.3333)
SSD_MAPS = [(19, 19), (10, 10), (5, 5), (3, 3), (2, 2), (1, 1)]
# Of TFOD's CreateSSDAnchorsTest in multiple_grid_anchor_generator_test.py.
TEST_MAPS = [(38, 38), (19, 19), (10, 10), (5, 5), (3, 3), (1, 1)]
FPN_MAPS = [(40, 40), (20, 20), (10, 10), (5, 5), (3, 3)]

ONE_SHAPE = SsdAnchors(
    num_layers=1,
    scales=(1.0,),
    aspect_ratios=(1.0,),
    interpolated_scale_aspect_ratio=0.0,
    reduce_boxes_in_lowest_layer=False,
)
LEVEL_5 = MultiscaleAnchors(min_level=5, max_level=5, aspect_ratios=(1.0,), scales_per_octave=1)
LEVEL_6 = MultiscaleAnchors(min_level=6, max_level=6, aspect_ratios=(1.0, 2.0))

CELLS = st.tuples(st.integers(1, 6), st.integers(1, 6))
SIZES_PX = st.integers(1, 700)


def yxyx(grid: AnchorGrid) -> np.ndarray:
    """The anchors as TFOD's tests write them."""
    return grid.boxes()[:, [1, 0, 3, 2]]


def float32(*values: float) -> np.ndarray:
    return np.array(values, dtype=np.float32)


@pytest.mark.parametrize(
    "anchors,feature_maps,num_anchors",
    [
        (SsdAnchors(aspect_ratios=RATIOS), SSD_MAPS, 1917),
        (SsdAnchors(aspect_ratios=RATIOS), TEST_MAPS, 7308),
        (SsdAnchors(aspect_ratios=RATIOS, reduce_boxes_in_lowest_layer=False), TEST_MAPS, 11640),
        (MultiscaleAnchors(aspect_ratios=(1.0, 2.0, 0.5)), FPN_MAPS, 12804),
    ],
)
def test_numbers_are_the_known_ones(
    anchors: SsdAnchors | MultiscaleAnchors, feature_maps: list[tuple[int, int]], num_anchors: int
) -> None:
    """1917 at 300 px; 7308 and 11640 in TFOD's CreateSSDAnchorsTest; 12804 for FPN-Lite at 320 px."""
    size_px = 300 if isinstance(anchors, SsdAnchors) else 320
    grid = anchors.grid(feature_maps, size_px, size_px)
    assert grid.num_anchors == num_anchors
    assert grid.boxes().shape == (num_anchors, 4)
    assert grid.boxes().dtype == np.float32
    assert grid.layer_index().shape == (num_anchors,)


def test_shapes_in_one_cell_are_the_published_ones() -> None:
    """Anchors are those of test_construct_single_anchor in TFOD's grid_anchor_generator_test.py."""
    shapes = [(scale, ratio) for ratio in (0.25, 1.0, 4.0) for scale in (0.5, 1.0, 2.0)]
    layer = _tile((1, 1), np.array(shapes, np.float32), float32(256, 256), float32(16, 16), float32(7, -3))
    expected = [
        *([-121, -35, 135, 29], [-249, -67, 263, 61], [-505, -131, 519, 125]),
        *([-57, -67, 71, 61], [-121, -131, 135, 125], [-249, -259, 263, 253]),
        *([-25, -131, 39, 125], [-57, -259, 71, 253], [-121, -515, 135, 509]),
    ]
    assert yxyx(AnchorGrid((layer,))).tolist() == expected


def test_a_grid_of_cells_is_the_published_one() -> None:
    """Anchors are those of test_construct_anchor_grid in TFOD's grid_anchor_generator_test.py, in its order."""
    shapes = float32(0.5, 1, 1, 1, 2, 1).reshape(3, 2)
    layer = _tile((2, 2), shapes, float32(10, 10), float32(19, 19), float32(0, 0))
    expected = [
        *([-2.5, -2.5, 2.5, 2.5], [-5, -5, 5, 5], [-10, -10, 10, 10]),
        *([-2.5, 16.5, 2.5, 21.5], [-5, 14, 5, 24], [-10, 9, 10, 29]),
        *([16.5, -2.5, 21.5, 2.5], [14, -5, 24, 5], [9, -10, 29, 10]),
        *([16.5, 16.5, 21.5, 21.5], [14, 14, 24, 24], [9, 9, 29, 29]),
    ]
    assert yxyx(AnchorGrid((layer,))).tolist() == expected


def test_two_grids_are_the_published_ones() -> None:
    """Strides and offsets give test_construct_multiple_grids of TFOD's multiple_grid_anchor_generator_test.py."""
    high, wide = np.sqrt(2) / 2, np.sqrt(0.5) / 2
    large = _tile(
        (4, 4), float32(1, 1, 2, 1, 1, 0.5).reshape(3, 2), float32(1, 1), float32(0.25, 0.25), float32(0.125, 0.125)
    )
    small = _tile((2, 2), float32(1, 1, 1, 0.5).reshape(2, 2), float32(1, 1), float32(0.5, 0.5), float32(0.25, 0.25))
    anchors = yxyx(AnchorGrid((large, small)))
    first = [
        *([-0.375, -0.375, 0.625, 0.625], [-0.875, -0.875, 1.125, 1.125]),
        [0.125 - high, 0.125 - wide, 0.125 + high, 0.125 + wide],
    ]
    last = [
        side
        for y in (0.25, 0.75)
        for x in (0.25, 0.75)
        for side in ([y - 0.5, x - 0.5, y + 0.5, x + 0.5], [y - high, x - wide, y + high, x + wide])
    ]
    assert anchors.shape == (56, 4)
    np.testing.assert_allclose(anchors[:3], first, rtol=1e-6)
    np.testing.assert_allclose(anchors[48:], last, rtol=1e-6)


@pytest.mark.parametrize(
    "height_px,width_px,expected",
    [(1, 1, [[0, -0.25, 1, 0.75], [0, 0.25, 1, 1.25]]), (320, 640, [[0, 0, 1, 0.5], [0, 0.5, 1, 1]])],
)
def test_a_wide_input_keeps_square_anchors_square(height_px: int, width_px: int, expected: list[list[float]]) -> None:
    """As test_construct_anchor_grid_non_square and …_normalized of TFOD's multiple_grid_anchor_generator_test.py."""
    assert yxyx(ONE_SHAPE.grid([(1, 2)], height_px, width_px)).tolist() == expected


def test_ssd_layers_have_the_scales_of_the_paper() -> None:
    """From min_scale to max_scale in even steps (SSD, section 2.2); ratios as listed, then the one between."""
    grid = SsdAnchors(aspect_ratios=(2.0, 1.0)).grid(SSD_MAPS, 300, 300)
    scales = [0.2, 0.35, 0.5, 0.65, 0.8, 0.95, 1.0]
    for layer, scale, following in zip(grid.layers[1:], scales[1:-1], scales[2:], strict=True):
        between = np.sqrt(scale * following)
        np.testing.assert_allclose(layer.heights, [scale / np.sqrt(2), scale, between], rtol=1e-6)
        np.testing.assert_allclose(layer.widths, [scale * np.sqrt(2), scale, between], rtol=1e-6)


@pytest.mark.parametrize("min_scale", [0.05, 0.2])
def test_the_lowest_layer_is_reduced(min_scale: float) -> None:
    """A square of 0.1 whatever min_scale is, then 2:1 and 1:2 at min_scale; all shapes if it is not reduced."""
    reduced, whole = (
        SsdAnchors(min_scale=min_scale, aspect_ratios=RATIOS, reduce_boxes_in_lowest_layer=says).grid(
            SSD_MAPS, 300, 300
        )
        for says in (True, False)
    )
    root = np.sqrt(2)
    np.testing.assert_allclose(reduced.layers[0].widths, [0.1, min_scale * root, min_scale / root], rtol=1e-6)
    assert [len(layer.widths) for layer in reduced.layers] == [3, 6, 6, 6, 6, 6]
    assert [len(layer.widths) for layer in whole.layers] == [6] * 6


def test_listed_scales_replace_the_even_steps() -> None:
    """`scales` are taken as they stand, and 1.0 follows the last."""
    grid = SsdAnchors(num_layers=2, scales=(0.25, 0.64), reduce_boxes_in_lowest_layer=False).grid(
        [(2, 2), (1, 1)], 9, 9
    )
    np.testing.assert_allclose([layer.widths[0] for layer in grid.layers], [0.4, 0.8], rtol=1e-6)


def test_strides_and_offsets_are_in_pixels() -> None:
    """Listed strides and offsets are divided by the input's height and width; an offset defaults to half a stride."""
    strides: dict[str, Any] = {"height_stride": (20.0,), "width_stride": (40.0,)}
    fields: dict[str, Any] = {"num_layers": 1, "scales": (0.1,), "reduce_boxes_in_lowest_layer": False}
    listed: dict[str, Any] = {"height_offset": (5.0,), "width_offset": (0.0,)}
    cases: list[tuple[dict[str, Any], tuple[float, float]]] = [({}, (0.1, 0.1)), (listed, (0.05, 0.0))]
    for offsets, start in cases:
        (layer,) = SsdAnchors(**fields, **strides, **offsets).grid([(3, 2)], 100, 200).layers
        np.testing.assert_allclose(layer.ymin[:, 0] + layer.heights[0] / 2, start[0] + 0.2 * np.arange(3), atol=1e-6)
        np.testing.assert_allclose(layer.xmin[:, 0] + layer.widths[0] / 2, start[1] + 0.2 * np.arange(2), atol=1e-6)


def test_a_base_anchor_scales_every_shape() -> None:
    """base_anchor_height and base_anchor_width stretch the anchors."""
    plain, stretched = (
        SsdAnchors(aspect_ratios=RATIOS, base_anchor_height=height, base_anchor_width=width).grid(SSD_MAPS, 300, 300)
        for height, width in ((1.0, 1.0), (0.5, 2.0))
    )
    for one, other in zip(plain.layers, stretched.layers, strict=True):
        assert np.array_equal(other.heights, one.heights / 2)
        assert np.array_equal(other.widths, one.widths * 2)


@pytest.mark.parametrize(
    "anchors,cells,size_px,expected",
    [
        (LEVEL_5, 2, (64, 64), [[-48, -48, 80, 80], [-48, -16, 80, 112], [-16, -48, 112, 80], [-16, -16, 112, 112]]),
        (LEVEL_5, 2, (64, 128), [[-48, -48, 80, 80], [-48, -16, 80, 112], [-16, -48, 112, 80], [-16, -16, 112, 112]]),
        (
            *(LEVEL_5, 3, (65, 65)),
            [[y - 64, x - 64, y + 64, x + 64] for y in (0, 32, 64) for x in (0, 32, 64)],
        ),
        (
            *(LEVEL_6, 1, (64, 64)),
            [
                *([-96, -96, 160, 160], [-149.0193, -149.0193, 213.0193, 213.0193]),
                *([-58.50967, -149.0193, 122.50967, 213.0193], [-96, -224, 160, 288]),
            ],
        ),
        (
            *(MultiscaleAnchors(5, 5, 1.0, (1.0,), 1), 2, (1, 1)),
            [[0, 0, 32, 32], [0, 32, 32, 64], [32, 0, 64, 32], [32, 32, 64, 64]],
        ),
    ],
)
def test_levels_are_the_published_ones(
    anchors: MultiscaleAnchors, cells: int, size_px: tuple[int, int], expected: list[list[float]]
) -> None:
    """Anchors are those of TFOD's multiscale_grid_anchor_generator_test.py, there in pixels."""
    height_px, width_px = size_px
    grid = anchors.grid([(cells, cells)], height_px, width_px)
    np.testing.assert_allclose(yxyx(grid) * [height_px, width_px, height_px, width_px], expected, rtol=1e-6, atol=1e-5)


def test_a_level_that_does_not_divide_the_input_begins_at_0() -> None:
    """At 320 px the centres of level 7 begin at 0, those of the others half a stride in."""
    grid = MultiscaleAnchors(aspect_ratios=(1.0,)).grid(FPN_MAPS, 320, 320)
    starts = [(layer.xmin[0, 0] + layer.widths[0] / 2) * 320 for layer in grid.layers]
    np.testing.assert_allclose(starts, [4, 8, 16, 32, 0], atol=1e-4)


def assert_sizes(low: np.ndarray, high: np.ndarray, nominal: np.ndarray) -> None:
    """Sides lie `nominal` apart but for the rounding of float32: of each side twice, and of the size once.

    A side is centre ± half a size, rounded, and in an FPN times the reciprocal of the input, rounded again: each
    time by at most half an eps of its value. An anchor may lie at many times the size of a small input, so that no
    absolute bound fits all.
    """
    gap = high.astype(np.float64) - low
    rounding = np.finfo(np.float32).eps * (np.abs(low).astype(np.float64) + np.abs(high) + nominal / 2)
    assert (np.abs(gap - nominal) <= rounding).all()


@given(feature_maps=st.lists(CELLS, min_size=2, max_size=4), height_px=SIZES_PX, width_px=SIZES_PX, fpn=st.booleans())
def test_order_is_row_column_shape_and_sizes_are_nominal(
    feature_maps: list[tuple[int, int]], height_px: int, width_px: int, *, fpn: bool
) -> None:
    """Anchor a of row r and column c of a layer stands at (r · columns + c) · A + a, with the layer's nominal size."""
    last = len(feature_maps) + 2
    anchors = (
        MultiscaleAnchors(3, last, aspect_ratios=(1.0, 3.0))
        if fpn
        else SsdAnchors(len(feature_maps), aspect_ratios=(3.0,))
    )
    grid = anchors.grid(feature_maps, height_px, width_px)
    boxes, layers = grid.boxes(), grid.layer_index()
    for number, layer in enumerate(grid.layers):
        rows, columns, shapes = len(layer.ymin), len(layer.xmin), len(layer.widths)
        assert (rows, columns) == feature_maps[number]
        mine = boxes[layers == number].reshape(rows, columns, shapes, 4)
        for at, table in enumerate((layer.xmin[None], layer.ymin[:, None], layer.xmax[None], layer.ymax[:, None])):
            assert (mine[..., at] == table).all()
        assert_sizes(layer.xmin, layer.xmax, layer.widths)
        assert_sizes(layer.ymin, layer.ymax, layer.heights)
    assert (np.diff(layers) >= 0).all()


@pytest.mark.parametrize(
    "fields",
    [
        {"aspect_ratios": (1.0, 0.0)},
        {"aspect_ratios": (-2.0,)},
        {"aspect_ratios": (float("nan"),)},
        {"min_scale": 0.0},
        {"max_scale": -0.1},
        {"scales": (0.1, 0.2, 0.0, 0.4, 0.5, 0.6)},
        {"scales": (0.1, 0.2)},
        {"num_layers": 5},
        {"num_layers": 0},
        {"num_layers": 1},
        {"num_layers": 0, "scales": (0.1,)},
        {"aspect_ratios": (), "interpolated_scale_aspect_ratio": 0.0},
        {"base_anchor_height": 0.0},
        {"base_anchor_width": float("inf")},
        {"height_stride": (16.0,) * 6},
        {"height_stride": (16.0,) * 5, "width_stride": (16.0,) * 5},
        {"height_stride": (0.0,) * 6, "width_stride": (16.0,) * 6},
        {"height_offset": (1.0,) * 6, "width_offset": (1.0,) * 7},
    ],
)
def test_fields_that_make_no_ssd_grid_are_refused(fields: dict[str, Any]) -> None:
    """A field that cannot be meant so is a ConfigError that says what to do."""
    with pytest.raises(ConfigError) as caught:
        SsdAnchors(**{"aspect_ratios": (1.0,), **fields}).grid(SSD_MAPS, 300, 300)
    assert caught.value.hint


@pytest.mark.parametrize(
    "fields",
    [
        {"max_level": 2},
        {"min_level": -1, "max_level": 3},
        {"max_level": 6},
        {"aspect_ratios": ()},
        {"aspect_ratios": (0.0,)},
        {"anchor_scale": 0.0},
        {"scales_per_octave": 0},
        {"scales_per_octave": -1},
    ],
)
def test_fields_that_make_no_multiscale_grid_are_refused(fields: dict[str, Any]) -> None:
    """A field that cannot be meant so is a ConfigError that says what to do."""
    with pytest.raises(ConfigError) as caught:
        MultiscaleAnchors(**{"aspect_ratios": (1.0,), **fields}).grid(FPN_MAPS, 320, 320)
    assert caught.value.hint


@pytest.mark.parametrize("cells,size_px", [((0, 3), (300, 300)), ((3, 3), (0, 300)), ((3, 3), (300, -1))])
def test_an_input_without_cells_is_refused(cells: tuple[int, int], size_px: tuple[int, int]) -> None:
    """No rows, no columns or no pixels is a ConfigError."""
    with pytest.raises(ConfigError):
        ONE_SHAPE.grid([cells], *size_px)


def test_a_detector_without_layers_has_no_shapes() -> None:
    """No layers at all is a ConfigError, not an empty grid."""
    with pytest.raises(ConfigError):
        SsdAnchors(num_layers=0, scales=(0.5,)).grid([], 300, 300)
