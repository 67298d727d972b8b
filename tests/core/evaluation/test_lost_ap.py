"""Laws of AP without some failures: mended one at a time, and one after the other, until none is left."""

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from oidata.core.evaluation.error_types import errors
from oidata.core.evaluation.evaluation import Evaluation, evaluation
from oidata.core.evaluation.evaluation_set import EvaluationSet
from oidata.core.evaluation.failures import Error
from oidata.core.evaluation.lost_ap import Standing
from oidata.core.evaluation.open_images_ap import V2, open_images_ap
from oidata.core.evaluation.truth_facts import TruthFacts
from tests.core import dense_errors
from tests.core.evaluation.test_error_types import BESIDE, FAR, whole
from tests.core.made import boxes
from tests.core.scenes import FOUND, TIED, TRUTH, Row, scored, sides

SOME_TRUTH = st.lists(TRUTH.map(sides), max_size=6).map(lambda rows: [{"photo": 2, "xmax": 0.375}, *rows])
SOME_TIED = st.lists(TIED.map(sides), max_size=10)
FLOORS = st.tuples(*[st.sampled_from([0.0, 0.25, 0.5, 0.75])] * 2)


def standing(scene: EvaluationSet, floor: tuple[float, float] = (0.0, 0.0)) -> Standing:
    """Before anything is mended, at a threshold for each class."""
    judgement = open_images_ap(scene, V2).judgement
    thresholds = np.array(floor, np.float32)
    return Standing.at_first(scene, judgement, errors(scene, judgement, thresholds), thresholds)


def mean_ap(truth: Sequence[Row], found: Sequence[Row], *mended: Error, floor: float = 0.0) -> float:
    """The mean AP with some errors mended one after the other."""
    mine = standing(scored(truth, found), (floor, floor))
    for error in mended:
        mine = mine.without_error(error)
    return mine.mean_average_precision


def evaluated(truth: Sequence[Row], found: Sequence[Row], score: float | None = None) -> Evaluation:
    """A scene evaluated, without anchors."""
    scene, table = scored(truth, found), boxes(*truth)
    return evaluation(scene, scene, table, TruthFacts.of(scene.truth, table, None, 0.6), score)


@settings(max_examples=25)
@given(SOME_TRUTH, SOME_TIED, FLOORS)
def test_with_all_errors_mended_ap_is_1(truth: list[Row], found: list[Row], floor: tuple[float, float]) -> None:
    """Before anything is mended AP is that of V2; after all six errors in order it is exactly 1."""
    scene = scored(truth, found)
    mended = standing(scene, floor)
    assert mended.mean_average_precision == pytest.approx(open_images_ap(scene, V2).mean_average_precision)
    for error in Error:
        mended = mended.without_error(error)
        assert 0 <= mended.mean_average_precision <= 1
    assert mended.mean_average_precision == 1


@settings(max_examples=40)
@given(SOME_TRUTH, SOME_TIED)
def test_gains_are_those_of_tide(truth: list[Row], found: list[Row]) -> None:
    """At a threshold of 0 each error mended alone, and all up to it, give what TIDE's fixes give one by one."""
    first = after = standing(scored(truth, found))
    expected = dense_errors.tide(*whole(truth, found))
    assert first.mean_average_precision == pytest.approx(expected.mean_average_precision())
    for place, error in enumerate(Error):
        after = after.without_error(error)
        alone = first.without_error(error)
        assert alone.mean_average_precision == pytest.approx(expected.mean_average_precision(error))
        up_to = expected.mean_average_precision(*dense_errors.ORDER[: place + 1])
        assert after.mean_average_precision == pytest.approx(up_to)


TWO: list[Row] = [{}, {"photo": 1}]


@pytest.mark.parametrize(
    "truth, found, error, before, after",
    [
        pytest.param(TWO, [{}, {"photo": 1, **BESIDE, "score": 0.4}], Error.LOCALISATION, 0.5, 1, id="put right"),
        pytest.param(TWO, [{}, {**BESIDE, "score": 0.9}], Error.LOCALISATION, 0.25, 0.5, id="beside what is found"),
        pytest.param(
            TWO, [{}, {"score": 0.6}, {"photo": 1, "score": 0.4}], Error.DUPLICATE, 5 / 6, 1, id="found twice"
        ),
        pytest.param(TWO, [{}, {**FAR, "score": 0.9}], Error.BACKGROUND, 0.25, 0.5, id="on the background"),
        pytest.param(TWO, [{}], Error.MISSED, 0.5, 1, id="no longer asked for"),
        pytest.param(
            TWO, [{}, {**BESIDE, "photo": 1, "score": 0.4}], Error.MISSED, 0.5, 0.5, id="not missed, but beside"
        ),
        pytest.param(
            [{}, {"photo": 1, "mid": "/m/2"}],
            [{}, {"photo": 1, "score": 0.9}],
            Error.CLASSIFICATION,
            0.25,
            1,
            id="the other class has it",
        ),
        pytest.param(
            [{}, {"photo": 1, "mid": "/m/2"}],
            [{}, {"mid": "/m/2", **BESIDE, "score": 0.9}, {"photo": 1, "mid": "/m/2"}],
            Error.BOTH,
            0.75,
            1,
            id="neither class nor place",
        ),
    ],
)
def test_an_error_mended_alone(truth: list[Row], found: list[Row], error: Error, before: float, after: float) -> None:
    """A hand-made case for each error, and what mending it gives."""
    assert mean_ap(truth, found) == pytest.approx(before)
    assert mean_ap(truth, found, error) == pytest.approx(after)


def test_one_detection_alone_is_put_right_for_a_box() -> None:
    """Of a detection beside a box and one of another class on it the better one is put right, and the other taken out.

    As tidecv's BestGTMatch has it, whichever of the two errors is mended.
    """
    truth: list[Row] = [{}, {"photo": 1, "mid": "/m/2"}]
    found: list[Row] = [{**BESIDE, "score": 0.9}, {"mid": "/m/2", "score": 0.8}, {"photo": 1, "mid": "/m/2"}]
    assert mean_ap(truth, found) == pytest.approx((0 + 0.5) / 2)
    assert mean_ap(truth, found, Error.CLASSIFICATION) == pytest.approx((0 + 1) / 2)
    assert mean_ap(truth, found, Error.LOCALISATION) == pytest.approx((1 + 0.5) / 2)
    assert mean_ap(truth, found, Error.CLASSIFICATION, Error.LOCALISATION) == 1


def test_a_detection_that_is_put_right_counts_for_its_new_class() -> None:
    """One above its own class's threshold is taken to be above that of the class it is put right to."""
    truth: list[Row] = [{}, {"photo": 1}, {"photo": 2, "mid": "/m/2"}]
    found: list[Row] = [
        {"score": 0.9},
        {"photo": 2, "score": 0.6},  # does not count, and stands above what is put right
        {"photo": 1, "mid": "/m/2", "score": 0.3},
        {"photo": 2, "mid": "/m/2", "score": 0.2},
    ]
    mended = standing(scored(truth, found), (0.75, 0.1)).without_error(Error.CLASSIFICATION)
    assert mended.mean_average_precision == 1


def test_what_finds_a_box_below_the_threshold_goes_with_the_box() -> None:
    """A box that is no longer asked for takes its detection below the threshold along."""
    found: list[Row] = [{"score": 0.9}, {"photo": 1, "score": 0.3}]
    assert mean_ap(TWO, found, floor=0.5) == 1
    assert mean_ap(TWO, found, Error.MISSED, floor=0.5) == 1


@settings(max_examples=15)
@given(SOME_TRUTH, st.lists(FOUND.map(sides), max_size=8), st.sampled_from([None, 0.0, 0.3]))
def test_what_is_lost_is_all_accounted_for(truth: list[Row], found: list[Row], score: float | None) -> None:
    """Causes mended one after the other end at an AP of 1, and their areas, with the metric's, add up to what is lost.

    So do the errors, whose last cumulative AP is 1.
    """
    result = evaluated(truth, found, score)
    lost = result.lost
    assert lost.ap == pytest.approx(result.v2.mean_average_precision)
    assert lost.metric + lost.data + lost.anchors + lost.training == pytest.approx(lost.lost)
    assert lost.lost == 1 - lost.plain_ap
    counted = [each for each in result.causes if each.cumulative_ap is not None]
    assert counted[-1].cumulative_ap == result.errors[-1].cumulative_ap == 1
    ap = lost.ap
    for cause in counted:
        assert cause.cumulative_ap == pytest.approx(ap + (cause.gain or 0))
        ap = cause.cumulative_ap or 0
    for error in result.errors:
        assert error.gain == pytest.approx(error.ap_without - lost.ap)


@settings(max_examples=15)
@given(SOME_TRUTH, st.lists(FOUND.map(sides), max_size=8))
def test_counts_are_those_of_the_failures(truth: list[Row], found: list[Row]) -> None:
    """Each error and each cause counts as many as there are rows of it in FAILURES, by class too."""
    result = evaluated(truth, found)
    for error in result.errors:
        rows = result.failures[result.failures["error"] == error.error]
        assert (error.num, sum(error.num_per_class.values())) == (len(rows), len(rows))
        assert all((rows["mid"] == mid).sum() == number for mid, number in error.num_per_class.items())
    for cause in result.causes:
        of_kind = result.failures[result.failures["kind"] == cause.kind]
        rows = of_kind[of_kind["cause"] == cause.cause]
        assert cause.num == len(rows)
        assert all((rows["mid"] == mid).sum() == number for mid, number in cause.num_per_class.items())
        assert cause.num_applies == sum(cause.cause in every.split("|") for every in of_kind["causes"])
    assert sum(each.num for each in result.causes) == len(result.failures)
    assert result.num_truth - result.num_found == result.failures["kind"].eq("missed").sum() - sum(
        each.num for each in result.causes if each.cause == "group"
    )
    assert result.num_false == result.failures["kind"].eq("false_positive").sum()
