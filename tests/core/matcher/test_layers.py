"""Laws of the ambiguity of layers: sizes that crowd into two layers are learned now by one, now by the other."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from oidata.core.boxes import iou
from oidata.core.matcher.anchors import SsdAnchors
from oidata.core.matcher.layers import NUM_BOXES, NUM_PLACES, layer_ambiguity, placed
from oidata.core.matcher.targets import Matcher

CELLS = [(10, 10), (5, 5)]


def anchors(*scales: float) -> SsdAnchors:
    """Squares, of one size in each layer."""
    return SsdAnchors(
        num_layers=len(scales),
        scales=scales,
        aspect_ratios=(1.0,),
        interpolated_scale_aspect_ratio=0.0,
        reduce_boxes_in_lowest_layer=False,
    )


def squares(side: float, num: int = 200) -> np.ndarray:
    return np.tile(np.array([0.0, 0.0, side, side], np.float32), (num, 1))


@pytest.mark.parametrize("side", [0.1, 0.2, 0.4, 0.9])
def test_a_single_layer_is_never_ambiguous(side: float) -> None:
    """There is no other."""
    grid = anchors(0.2).grid(CELLS[:1], 300, 300)
    assert layer_ambiguity(grid, Matcher(), placed(squares(side))) == 0


def test_layers_of_one_size_are_ambiguous_and_layers_apart_are_not() -> None:
    """Squares of 0.2 belong to whichever of two layers of 0.2 is nearer, and to the finer one of 0.2 and 0.8."""
    crowded, apart = (anchors(0.2, scale).grid(CELLS, 300, 300) for scale in (0.2, 0.8))
    assert layer_ambiguity(crowded, Matcher(), placed(squares(0.2))) > 0.1
    assert layer_ambiguity(apart, Matcher(), placed(squares(0.2))) == 0
    assert layer_ambiguity(apart, Matcher(), placed(squares(0.8))) == 0


def test_it_is_what_a_dense_matrix_says() -> None:
    """The places of each box that are not in its most frequent layer, counted one by one."""
    grid = anchors(0.2, 0.3).grid(CELLS, 300, 300)
    boxes = placed(np.concatenate((squares(0.22, 20), squares(0.26, 20))), seed=3)
    layers = grid.layer_index()
    off = 0
    for places in boxes:
        found = [layers[row.argmax()] for row in iou(places, grid.boxes())]
        off += len(found) - max(found.count(layer) for layer in found)
    assert off > 0
    assert layer_ambiguity(grid, Matcher(), boxes) == pytest.approx(off / (len(boxes) * NUM_PLACES))


def test_without_boxes_there_is_none() -> None:
    """Nothing can be said then."""
    with pytest.raises(ValueError, match="no boxes"):
        layer_ambiguity(anchors(0.2).grid(CELLS[:1], 300, 300), Matcher(), placed(squares(0.2, 0)))


@given(st.integers(0, 2 * NUM_BOXES), st.floats(0.01, 1.5), st.integers(0, 9))
def test_boxes_are_moved_and_nothing_else(num: int, side: float, seed: int) -> None:
    """As many as asked for at most, of their own sizes, inside the photo if they fit, the same for the same seed."""
    boxes = placed(squares(side, num), seed)
    assert boxes.shape == (min(num, NUM_BOXES), NUM_PLACES, 4)
    assert boxes[..., 2:] - boxes[..., :2] == pytest.approx(side, abs=1e-6)
    assert boxes.min(initial=0.0) >= 0
    assert boxes.max(initial=0.0) <= max(1, side) + 1e-6
    np.testing.assert_array_equal(boxes, placed(squares(side, num), seed))
