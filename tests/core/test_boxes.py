"""Laws of the arithmetic on boxes."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from oidata.core import boxes

# TFOD's core/box_list_ops_test.py, test_intersection, test_iou and test_ioa, here in xyxy.
FIRST = np.array([[3, 4, 5, 7], [6, 5, 7, 10]], dtype=np.float32)
SECOND = np.array([[4, 3, 8, 6], [14, 14, 15, 15], [0, 0, 20, 20]], dtype=np.float32)

SIDES = st.sampled_from([-0.5, 0.0, 0.25, 0.3, 0.7, 1.0, 1.25]) | st.floats(-1, 2, width=32)


def drawn(number: int) -> st.SearchStrategy[np.ndarray]:
    """Boxes in all states: some are inverted, some have no area, and sides are often shared."""
    return arrays(np.float32, (number, 4), elements=SIDES)


def proper(number: int) -> st.SearchStrategy[np.ndarray]:
    """Boxes with an area."""
    ends = st.lists(st.integers(0, 64), min_size=2, max_size=2, unique=True).map(sorted)
    sides = st.tuples(ends, ends).map(lambda pair: [pair[0][0], pair[1][0], pair[0][1], pair[1][1]])
    return st.lists(sides, min_size=number, max_size=number).map(lambda rows: np.array(rows, dtype=np.float32) / 64)


def test_area_is_the_published_one() -> None:
    """Areas are those of TFOD's core/box_list_ops_test.py, test_area."""
    assert boxes.area(np.array([[0, 0, 20, 10], [2, 1, 4, 3]], dtype=np.float32)).tolist() == [200, 4]


def test_intersections_are_the_published_ones() -> None:
    """Intersection, IoU and IoA are those of TFOD's core/box_list_ops_test.py."""
    assert boxes.intersection(FIRST, SECOND).tolist() == [[2, 0, 6], [1, 0, 5]]
    np.testing.assert_allclose(boxes.iou(FIRST, SECOND), [[2 / 16, 0.0, 6 / 400], [1 / 16, 0.0, 5 / 400]], rtol=1e-6)
    np.testing.assert_allclose(boxes.ioa(FIRST, SECOND), [[2 / 12, 0.0, 6 / 400], [1 / 12, 0.0, 5 / 400]], rtol=1e-6)
    np.testing.assert_allclose(boxes.ioa(SECOND, FIRST), [[2 / 6, 1 / 5], [0.0, 0.0], [1.0, 1.0]], rtol=1e-6)


@given(drawn(3), drawn(4))
def test_iou_is_symmetric_and_within_0_and_1(first: np.ndarray, second: np.ndarray) -> None:
    """IoU is the same from both sides, to the bit, and lies in [0, 1] for boxes in any state."""
    iou = boxes.iou(first, second)
    assert iou.dtype == np.float32
    assert np.array_equal(iou, boxes.iou(second, first).T)
    assert ((iou >= 0) & (iou <= 1)).all()


@given(proper(5))
def test_a_box_is_like_itself_alone(drawn_boxes: np.ndarray) -> None:
    """IoU is 1 between equal boxes, and between no others."""
    equal = (drawn_boxes[:, None] == drawn_boxes[None]).all(axis=2)
    assert np.array_equal(boxes.iou(drawn_boxes, drawn_boxes) == 1, equal)


@given(proper(3), proper(3))
def test_ioa_is_1_for_what_is_inside(outer: np.ndarray, inner: np.ndarray) -> None:
    """IoA is 1 if the second box lies in the first, and less if not."""
    inside = (outer[:, None, :2] <= inner[None, :, :2]).all(axis=2) & (outer[:, None, 2:] >= inner[None, :, 2:]).all(
        axis=2
    )
    assert np.array_equal(boxes.ioa(outer, inner) == 1, inside)


@pytest.mark.parametrize("sides", [(0.5, 0.5, 0.5, 0.9), (0.9, 0.1, 0.1, 0.9), (0.9, 0.9, 0.1, 0.1), (np.nan, 0, 1, 1)])
def test_a_box_that_is_none_meets_nothing(sides: tuple[float, ...]) -> None:
    """A box without area, inverted or with a NaN has IoU and IoA 0 with every box, itself included."""
    none = np.array([sides], dtype=np.float32)
    others = np.concatenate([none, np.array([[0, 0, 1, 1]], dtype=np.float32)])
    assert boxes.iou(none, others).tolist() == [[0, 0]]
    assert boxes.ioa(others, none).tolist() == [[0], [0]]


@pytest.mark.parametrize("shape", [(0, 3), (2, 0), (0, 0)])
def test_no_boxes_give_no_numbers(shape: tuple[int, int]) -> None:
    """Empty arrays have empty results of the right shape."""
    first, second = (np.zeros((number, 4), dtype=np.float32) for number in shape)
    assert boxes.iou(first, second).shape == boxes.ioa(first, second).shape == shape
