"""Laws of finding the box that each detection fits best."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from oidata.core import boxes
from oidata.core.evaluation import candidates
from oidata.core.evaluation.candidates import NONE, best, best_of_other_classes, ioa, iou
from tests.core.scenes import TIED, TRUTH, scored, sides
from tests.core.test_boxes import drawn

SOME_TRUTH = st.lists(TRUTH.map(sides), max_size=8).map(lambda rows: [{"photo": 2}, *rows])
SOME_FOUND = st.lists(TIED.map(sides), max_size=8).map(lambda rows: [{"photo": 2}, *rows])


@given(drawn(6), drawn(6))
def test_pair_by_pair_as_all_with_all(first: np.ndarray, second: np.ndarray) -> None:
    """Overlaps of pairs are the diagonal of those of all with all, to the bit."""
    assert np.array_equal(iou(first, second), np.diagonal(boxes.iou(first, second)))
    assert np.array_equal(ioa(first, second), np.diagonal(boxes.ioa(second, first)))


@pytest.mark.parametrize("side", [np.nan, np.inf, -np.inf, 3e38])
def test_a_box_that_is_none_is_not_met(side: float) -> None:
    """A box that is not finite, or has no finite area, overlaps nothing by half, and nothing is warned of."""
    one, none = (np.array([row], dtype=np.float32) for row in ([0, 0, 1, 1], [side, -side, side, side]))
    assert iou(one, none).tolist() == [0]
    assert ioa(one, none).tolist() == [0]


@given(SOME_TRUTH, SOME_FOUND)
def test_the_best_is_that_of_the_whole_matrix(truth: list[dict[str, object]], found: list[dict[str, object]]) -> None:
    """For each detection it is the first of highest IoU in a whole matrix, among those of its photo and class."""
    scene = scored(truth, found, count_stripped=True)
    every = np.full(len(scene.truth), fill_value=True)
    result = best(scene.detected, scene.truth, every, iou)
    matrix = boxes.iou(scene.detected.boxes, scene.truth.boxes)
    matrix[scene.detected.key[:, None] != scene.truth.key] = -1
    has_any = matrix.max(axis=1) >= 0
    assert np.array_equal(result.truth, np.where(has_any, matrix.argmax(axis=1), NONE))
    assert np.array_equal(result.overlap, matrix.max(axis=1).clip(0))


@pytest.mark.parametrize("limit", [1, 2, 7])
def test_blocks_do_not_matter(monkeypatch: pytest.MonkeyPatch, limit: int) -> None:
    """The best are the same however many pairs are looked at in one go."""
    random = np.random.default_rng(0)
    corners = [{"xmin": low, "xmax": low + 0.3, "photo": at % 3} for at, low in enumerate(random.random(40).tolist())]
    scene = scored(corners, corners[::2])
    arguments = (scene.detected, scene.truth, ~scene.truth.is_group, iou)
    expected = best(*arguments)
    monkeypatch.setattr(candidates, "PAIRS_AT_ONCE", limit)
    result = best(*arguments)
    assert np.array_equal(result.truth, expected.truth)
    assert np.array_equal(result.overlap, expected.overlap)


def test_nothing_is_best_of_nothing() -> None:
    """Where no box is among the candidates none is the best, and no detections have none."""
    scene = scored([{}], [{}])
    result = best(scene.detected, scene.truth, scene.truth.is_group, iou)
    assert (result.truth.tolist(), result.overlap.tolist(), result.where(0.0).tolist()) == ([NONE], [0], [False])
    nothing = scored([{}], [])
    assert len(best(nothing.detected, nothing.truth, ~nothing.truth.is_group, iou).truth) == 0


@settings(max_examples=40)
@given(SOME_TRUTH, SOME_FOUND)
def test_the_best_of_other_classes_is_that_of_the_whole_matrix(
    truth: list[dict[str, object]], found: list[dict[str, object]]
) -> None:
    """For each detection it is the first of highest IoU in a whole matrix, of its photo and not of its class."""
    scene = scored(truth, found, count_stripped=True)
    among = ~scene.truth.is_group
    result = best_of_other_classes(scene.detected, scene.truth, among, 2)
    matrix = boxes.iou(scene.detected.boxes, scene.truth.boxes)
    one, other = scene.detected.key[:, None], scene.truth.key
    matrix[(scene.photo(one) != scene.photo(other)) | (one == other) | ~among] = -1
    assert np.array_equal(result.truth, np.where(matrix.max(axis=1) >= 0, matrix.argmax(axis=1), NONE))
    assert np.array_equal(result.overlap, matrix.max(axis=1).clip(0))
