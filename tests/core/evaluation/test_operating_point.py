"""Laws of the score from which detections count when failures are counted."""

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from oidata.core.evaluation.evaluation_set import EvaluationSet
from oidata.core.evaluation.open_images_ap import V2, OpenImagesAp, Outcome, open_images_ap
from oidata.core.evaluation.operating_point import DEFAULT_THRESHOLD, OperatingPoint, operating_points, thresholds
from tests.core.scenes import TIED, TRUTH, Row, scored, sides

SOME_TRUTH = st.lists(TRUTH.map(sides), max_size=6).map(lambda rows: [{"photo": 2}, *rows])
SOME_FOUND = st.lists(TIED.map(sides), max_size=10)
SCORES = (0.0, 0.25, 0.5, 0.75, 1.0)


def points(truth: Sequence[Row], found: Sequence[Row], given: float | None = None) -> tuple[OperatingPoint, ...]:
    """The operating points of a scene."""
    return operating_points(open_images_ap(scored(truth, found), V2), given)


def counted(scene: EvaluationSet, result: OpenImagesAp, label: int, score: float) -> tuple[int, int, int]:
    """Of a class, true and false positives from a score on, one detection at a time, and the boxes asked for."""
    outcome = result.judgement.outcome
    is_counted = (scene.label(scene.detected.key) == label) & (scene.detected.score >= score)
    true, false = (
        sum(1 for each in outcome[is_counted] if each == kind)
        for kind in (Outcome.TRUE_POSITIVE, Outcome.FALSE_POSITIVE)
    )
    asked = ~scene.truth.is_group & ~scene.truth.is_ignored & (scene.label(scene.truth.key) == label)
    return true, false, int(asked.sum())


@settings(max_examples=40)
@given(SOME_TRUTH, SOME_FOUND)
def test_the_best_f1_is_the_best_of_all_thresholds(truth: list[Row], found: list[Row]) -> None:
    """No other score has a higher F1, and no higher one the same; with no true positive anywhere it is the default."""
    scene = scored(truth, found)
    result = open_images_ap(scene, V2)
    for label, point in enumerate(operating_points(result)):
        f1 = {}
        for score in SCORES:
            true, false, asked = counted(scene, result, label, score)
            f1[score] = 2 * true / (true + false + asked) if asked and true else 0.0
        best = max(f1.values())
        expected = max(score for score in SCORES if f1[score] == best) if best else DEFAULT_THRESHOLD
        assert point.threshold == expected
        assert not point.is_given
        if best:
            assert point.f1 == pytest.approx(best)


@settings(max_examples=40)
@given(SOME_TRUTH, SOME_FOUND, st.sampled_from([*SCORES, 0.3, 0.9]))
def test_a_given_threshold_is_that_of_all(truth: list[Row], found: list[Row], given: float) -> None:
    """Precision and recall are of what has that score or a higher one; ties at it count all."""
    scene = scored(truth, found)
    result = open_images_ap(scene, V2)
    for label, point in enumerate(operating_points(result, given)):
        true, false, asked = counted(scene, result, label, given)
        assert (point.threshold, point.is_given) == (given, True)
        if not asked:
            assert (point.precision, point.recall, point.f1) == (None, None, None)
        elif not true + false:
            assert (point.precision, point.recall, point.f1) == (None, 0, None)
        else:
            assert point.precision == pytest.approx(true / (true + false))
            assert point.recall == pytest.approx(true / asked)
            assert point.f1 == pytest.approx(2 * true / (true + false + asked))


def test_a_threshold_counts_the_score_that_is_its_float32() -> None:
    """0.1 as a float32 is above 0.1, 0.3 below 0.3: a detection of that score counts all the same."""
    for score in (0.1, 0.3):
        assert points([{}], [{"score": score}], score)[0].recall == 1


def test_of_a_class_without_detections_recall_is_0() -> None:
    """Nothing found is a recall of 0, without a precision, at the default threshold."""
    one, two = points([{}], [{"mid": "/m/2", "score": 0.9}])
    assert (one.threshold, one.precision, one.recall, one.f1) == (DEFAULT_THRESHOLD, None, 0, None)
    assert (two.threshold, two.precision, two.recall, two.f1) == (DEFAULT_THRESHOLD, None, None, None)
    assert (one.mid, two.display_name) == ("/m/1", "Two")


def test_what_is_ignored_moves_no_threshold() -> None:
    """A detection in a group and one on a stripped box count neither for nor against."""
    group: Row = {"photo": 1, "is_group_of": 1}
    stripped: Row = {"photo": 2, "stripped": "truncated"}
    found: list[Row] = [{"score": 0.5}, {"photo": 1, "score": 0.9}, {"photo": 2, "score": 0.8}]
    point = points([{}, group, stripped], found)[0]
    assert (point.threshold, point.precision, point.recall, point.f1) == (0.5, 1, 1, 1)


def test_thresholds_are_by_class() -> None:
    """In the order of the label map, as scores are stored."""
    found: list[Row] = [{"score": 0.75}, {"mid": "/m/2", "score": 0.25}]
    floor = thresholds(points([{}, {"mid": "/m/2"}], found))
    assert floor.tolist() == [0.75, 0.25]
    assert floor.dtype == np.float32
