"""Laws of the kinds of errors, after TIDE, and of the confusion matrix."""

from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from oidata.core.evaluation.candidates import NONE
from oidata.core.evaluation.error_types import ERRORS, NO_ERROR, Errors, confusion, errors
from oidata.core.evaluation.evaluation_set import EvaluationSet
from oidata.core.evaluation.failures import Error
from oidata.core.evaluation.open_images_ap import V2, Judgement, Outcome, judge
from tests.core import dense_errors
from tests.core.made import BOX
from tests.core.scenes import DETECTION, TIED, TRUTH, Row, scored, sides

Judged: TypeAlias = tuple[EvaluationSet, Judgement, Errors]

SOME_TRUTH = st.lists(TRUTH.map(sides), max_size=6).map(lambda rows: [{"photo": 2}, *rows])
SOME_FOUND = st.lists(TIED.map(sides), max_size=10)
FLOORS = st.tuples(*[st.sampled_from([0.0, 0.25, 0.5, 0.75])] * 2)

# The box of these is the square from 0.25 to 0.5.
BESIDE: Row = {"xmin": 0.375, "xmax": 0.625}  # IoU 1/3
FAR: Row = {"xmin": 0.75, "xmax": 1.0}


def judged(truth: Sequence[Row], found: Sequence[Row], floor: tuple[float, ...] = (0.0, 0.0)) -> Judged:
    """A scene with its errors, at a threshold for each class."""
    scene = scored(truth, found)
    judgement = judge(scene, V2)
    return scene, judgement, errors(scene, judgement, np.array(floor, np.float32))


def named(truth: Sequence[Row], found: Sequence[Row]) -> list[tuple[str | None, int | None]]:
    """The error of each of `found`, in their order, and the row of the box that it is due to."""
    scene, _, result = judged(truth, found)
    of = {
        row: (str(ERRORS[error]) if error != NO_ERROR else None, None if at == NONE else int(scene.truth.row[at]))
        for row, error, at in zip(scene.detected.row.tolist(), result.error, result.truth, strict=True)
    }
    return [of[row] for row in range(len(found))]


@pytest.mark.parametrize(
    "truth, found, expected",
    [
        pytest.param([{}], [{}], [(None, None)], id="true"),
        pytest.param([{}], [{"mid": "/m/2"}], [("classification", 0)], id="classification"),
        pytest.param([{}], [BESIDE], [("localisation", 0)], id="localisation"),
        pytest.param([{}], [{**BESIDE, "mid": "/m/2"}], [("both", 0)], id="both"),
        pytest.param([{}], [{}, {"score": 0.4}], [(None, None), ("duplicate", 0)], id="duplicate"),
        pytest.param([{}], [FAR], [("background", None)], id="background"),
        pytest.param([{}], [{"photo": 1}], [("background", None)], id="background of another photo"),
        pytest.param(
            [{}, {**BESIDE, "mid": "/m/2"}],
            [{"xmin": 0.34, "xmax": 0.59, "score": 0.9}],
            [("localisation", 0)],
            id="localisation goes before classification",
        ),
        pytest.param(
            [{}, {"mid": "/m/2"}],
            [{}, {"score": 0.4}],
            [(None, None), ("classification", 1)],
            id="classification goes before duplicate",
        ),
        pytest.param(
            [{}], [{"xmin": 0.25, "xmax": 0.3125}], [("localisation", 0)], id="an IoU of a quarter is localisation"
        ),
        pytest.param(
            [{"stripped": "truncated"}, {"photo": 1}],
            [{"mid": "/m/2"}],
            [("background", None)],
            id="a stripped box explains nothing",
        ),
        pytest.param(
            [{"is_group_of": 1}, {"photo": 1}],
            [{"mid": "/m/2"}],
            [("background", None)],
            id="nor does a group",
        ),
        pytest.param([{"is_group_of": 1}, {"photo": 1}], [{}], [(None, None)], id="in a group"),
    ],
)
def test_each_error(truth: list[Row], found: list[Row], expected: list[tuple[str | None, int | None]]) -> None:
    """A hand-made case for each error of a detection, and the order where several fit."""
    assert named(truth, found) == expected


@pytest.mark.parametrize(
    "found, missed, covered",
    [
        pytest.param([], True, False, id="nothing found"),
        pytest.param([{}], False, False, id="found"),
        pytest.param([{"score": 0.1}], True, False, id="found below the threshold"),
        pytest.param([FAR], True, False, id="something else found"),
        pytest.param([{"mid": "/m/2"}], True, True, id="taken for another class"),
        pytest.param([BESIDE], True, True, id="found beside"),
        pytest.param([{**BESIDE, "score": 0.1}], True, False, id="found beside, below the threshold"),
        pytest.param([{**BESIDE, "mid": "/m/2"}], True, False, id="neither class nor place"),
    ],
)
def test_a_missed_box(found: list[Row], missed: bool, covered: bool) -> None:  # noqa: FBT001 - what is expected
    """A box is missed where no detection that counts finds it, and no error of its own where one can be put right."""
    _, _, result = judged([{}], found, (0.2, 0.2))
    assert (result.is_missed.tolist(), result.is_missed_error.tolist()) == ([missed], [missed and not covered])


def test_groups_and_stripped_boxes_are_not_missed() -> None:
    """What is not asked for is no miss."""
    _, _, result = judged([{"is_group_of": 1}, {"stripped": "truncated"}, {"photo": 1}], [])
    assert result.is_missed.sum() == 1


@settings(max_examples=25)
@given(SOME_TRUTH, SOME_FOUND, FLOORS)
def test_each_detection_that_counts_is_one_thing(
    truth: list[Row], found: list[Row], floor: tuple[float, float]
) -> None:
    """It is true, or ignored, or has one error; one that does not count has none. Each box is found or missed."""
    scene, judgement, result = judged(truth, found, floor)
    has_error = result.error != NO_ERROR
    is_false = judgement.outcome == Outcome.FALSE_POSITIVE
    assert np.array_equal(has_error, is_false & result.is_above)
    assert np.array_equal(result.is_above, scene.detected.score >= np.array(floor)[scene.label(scene.detected.key)])
    assert np.array_equal(result.is_found | result.is_missed, result.is_asked)
    assert not (result.is_found & result.is_missed).any()
    assert not (result.is_covered & ~result.is_missed).any()
    is_true = judgement.outcome == Outcome.TRUE_POSITIVE
    assert result.is_found.sum() == (is_true & result.is_above).sum()
    at = np.flatnonzero(result.truth != NONE)
    assert has_error[at].all()
    assert np.array_equal(scene.photo(scene.detected.key[at]), scene.photo(scene.truth.key[result.truth[at]]))
    assert result.is_asked[result.truth[at]].all()
    # A duplicate is of what is found, and counts.
    assert result.is_found[result.truth[result.detections(Error.DUPLICATE)]].all()


@settings(max_examples=40)
@given(SOME_TRUTH, SOME_FOUND)
def test_all_at_once_is_as_tide_has_it(truth: list[Row], found: list[Row]) -> None:
    """At a threshold of 0 the errors are those of TIDE's code, gone through photo by photo."""
    scene, _, result = judged(truth, found)
    expected = dense_errors.tide(*whole(truth, found))
    of = {detection.row: detection.error for detection in expected.detections}
    named = [None if error == NO_ERROR else str(ERRORS[error]) for error in result.error]
    assert named == [of[row] for row in scene.detected.row.tolist()]
    assert {box.row for box in expected.missed} == set(scene.truth.row[result.is_missed_error].tolist())


def whole(truth: Sequence[Row], found: Sequence[Row]) -> tuple[list[Row], list[Row]]:
    """Rows with all that they leave to the defaults."""
    return [{**BOX, "photo": 0, **row} for row in truth], [{**DETECTION, "photo": 0, **row} for row in found]


@settings(max_examples=25)
@given(SOME_TRUTH, SOME_FOUND, FLOORS)
def test_the_confusion_matrix_adds_up(truth: list[Row], found: list[Row], floor: tuple[float, float]) -> None:
    """Rows add up to the boxes asked for, columns to the detections that count, the diagonal is what is found."""
    scene, judgement, result = judged(truth, found, floor)
    table = confusion(scene, result)
    assert table.shape == (3, 3)
    of_truth, of_detected = scene.label(scene.truth.key), scene.label(scene.detected.key)
    is_counted = result.is_above & (judgement.outcome <= Outcome.TRUE_POSITIVE)
    assert table[:-1].sum(axis=1).tolist() == np.bincount(of_truth[result.is_asked], minlength=2).tolist()
    assert table[:, :-1].sum(axis=0).tolist() == np.bincount(of_detected[is_counted], minlength=2).tolist()
    assert np.diagonal(table)[:-1].tolist() == np.bincount(of_truth[result.is_found], minlength=2).tolist()
    assert table[-1, -1] == 0


def test_a_box_is_taken_for_the_class_of_the_best_detection() -> None:
    """Of two detections of another class on a missed box one explains it, and the other is of nothing."""
    scene, _, result = judged([{}, {"photo": 1, "mid": "/m/2"}], [{"mid": "/m/2"}, {"mid": "/m/2", "score": 0.9}])
    assert confusion(scene, result).tolist() == [[0, 1, 0], [0, 0, 1], [0, 1, 0]]


def test_a_box_that_is_found_is_not_taken_for_another() -> None:
    """A detection of another class on a box that is found is of nothing."""
    scene, _, result = judged([{}], [{}, {"mid": "/m/2"}])
    assert confusion(scene, result).tolist() == [[1, 0, 0], [0, 0, 0], [0, 1, 0]]


def test_without_any_detection_all_is_missed() -> None:
    """Nothing found leaves each box missed, and no other error."""
    scene, _, result = judged([{}, {"photo": 1, "mid": "/m/2"}], [])
    assert result.is_missed_error.all()
    assert confusion(scene, result).tolist() == [[0, 0, 1], [0, 0, 1], [0, 0, 0]]
