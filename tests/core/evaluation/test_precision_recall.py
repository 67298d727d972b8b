"""Laws of the precision-recall curve and of the area under it."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from oidata.core.evaluation.precision_recall import Curve

CREDITS = st.lists(st.sampled_from([0.0, 0.5, 1.0]), max_size=20)


def curve(credit: list[float], num_truth: float) -> Curve:
    """The curve of detections with those credits."""
    return Curve.of(np.linspace(1, 0, len(credit)), np.array(credit, dtype=np.float64), num_truth)


@pytest.mark.parametrize(
    "credit, precision, recall",
    [
        ([0, 1, 0, 1, 0, 1], [0, 1 / 2, 1 / 3, 2 / 4, 2 / 5, 3 / 6], [0, 0.1, 0.1, 0.2, 0.2, 0.3]),
        ([0, 1, 0, 1, 0.5, 1], [0, 0.5, 1 / 3, 0.5, 2.5 / 4.5, 3.5 / 5.5], [0, 0.1, 0.1, 0.2, 0.25, 0.35]),
    ],
)
def test_precision_and_recall_are_the_published_ones(
    credit: list[float], precision: list[float], recall: list[float]
) -> None:
    """Values are those of TFOD's utils/metrics_test.py, compute_precision_recall with bool and with float labels."""
    found = curve(credit, 10)
    assert found.precision == pytest.approx(precision)
    assert found.recall == pytest.approx(recall)


def test_the_area_is_the_published_one() -> None:
    """The area is that of TFOD's utils/metrics_test.py, test_compute_average_precision."""
    precision = np.array([0.8, 0.76, 0.9, 0.65, 0.7, 0.5, 0.55, 0])
    recall = np.array([0.3, 0.3, 0.4, 0.4, 0.45, 0.45, 0.5, 0.5])
    assert Curve(precision, precision, recall).average_precision == pytest.approx(0.4225)


def test_nothing_found_has_no_area() -> None:
    """Without detections the curve is empty and the area 0."""
    assert curve([], 3).average_precision == 0


@given(CREDITS)
def test_the_area_lies_within_0_and_1(credit: list[float]) -> None:
    """The area lies within 0 and 1, and is 1 only if all the truth is found before anything false."""
    num_truth = sum(credit) + 1
    assert 0 <= curve(credit, num_truth).average_precision < 1
    in_order = sorted(credit, reverse=True)
    if sum(credit):
        assert curve(in_order, sum(credit)).average_precision == pytest.approx(1)


@given(CREDITS, st.integers(0, 5))
def test_what_is_false_and_last_changes_nothing(credit: list[float], num_false: int) -> None:
    """False positives below everything else leave the curve above them, and the area, as they were."""
    num_truth = sum(credit) + 1
    before, after = curve(credit, num_truth), curve(credit + [0.0] * num_false, num_truth)
    assert after.precision[: len(credit)].tolist() == before.precision.tolist()
    assert after.recall[: len(credit)].tolist() == before.recall.tolist()
    assert after.average_precision == pytest.approx(before.average_precision)
