"""Laws of what can be scored: what cannot is an error, or is counted."""

from dataclasses import asdict

import numpy as np
import pandas as pd
import pytest

from oidata.core.evaluation.detections import check_detections
from oidata.core.evaluation.evaluation_set import evaluation_set
from oidata.core.tables import DETECTIONS, Tables, check
from oidata.errors import TableError
from tests.core.made import CELLS, boxes, images, labels
from tests.core.scenes import detections

TABLES = Tables(
    images({}, {"split": "validation"}, {"status": "missing"}, {"dropped": "user:blurred"}), boxes({}), labels()
)


def test_the_same_can_be_found_twice() -> None:
    """Equal rows are two detections, and no fault of the table."""
    frame = detections({}, {})
    assert check(frame, DETECTIONS) is frame
    empty = DETECTIONS.empty()
    assert check(empty, DETECTIONS) is empty


@pytest.mark.parametrize("score", [-0.1, 1.5, 95.0, np.nan, np.inf])
def test_a_score_is_a_probability(score: float) -> None:
    """A score that is not within 0 and 1 is an error that tells how many there are, and one of them."""
    with pytest.raises(TableError, match=rf"1 of 2 scores are not within 0 and 1, such as {score:g}\."):
        check_detections(detections({}, {"score": score}))


def test_pixels_are_told_from_normalised_coordinates() -> None:
    """Coordinates in pixels are an error that says so and what to do."""
    pixels = {"xmin": 10, "ymin": 20, "xmax": 210, "ymax": 120}
    with pytest.raises(TableError, match=r"in pixels where normalised .*10, 20, 210, 120.*[Dd]ivide xmin"):
        check_detections(detections(*[{}] * 8, pixels))


def test_a_box_may_lie_far_outside_now_and_then() -> None:
    """A wild box among many good ones, or a little beyond the photo, is a detection, and so is none in pixels."""
    check_detections(detections(*[{}] * 19, {"xmax": 7}))
    check_detections(detections({"xmin": -0.2, "xmax": 1.3}))
    check_detections(detections({"xmax": np.inf}, {"xmin": np.nan}))


def test_a_table_of_another_kind_is_refused() -> None:
    """Detections are as their schema declares."""
    with pytest.raises(TableError, match=r"'detections'.*no column score"):
        check_detections(detections({}).drop(columns="score"))


@pytest.mark.parametrize(
    "change, reason",
    [
        ({"photo": 9}, "num_unknown_photos"),
        ({"photo": 1}, "num_other_photos"),
        ({"photo": 2}, "num_other_photos"),
        ({"photo": 3}, "num_other_photos"),
        ({"mid": "/m/3"}, "num_unknown_classes"),
        ({"ymin": np.nan}, "num_not_finite"),
        ({"ymax": np.inf}, "num_not_finite"),
        ({"xmin": 0.75}, "num_inverted"),
        ({"ymin": 0.5}, "num_no_area"),
        ({"photo": 9, "mid": "/m/3", "xmin": 0.75}, "num_unknown_photos"),
    ],
)
def test_what_is_left_out_is_counted(change: dict[str, object], reason: str) -> None:
    """Each detection that cannot be scored is counted once, for the first reason, and the others stay."""
    scene = evaluation_set(TABLES, detections({}, change, change, {}), CELLS)
    assert {name for name, number in asdict(scene.left_out).items() if number} == {reason}
    assert scene.left_out.total == 2
    assert sorted(scene.detected.row.tolist()) == [0, 3]


def test_all_left_out_is_an_error() -> None:
    """Where no detection is left, an error says why each was left out."""
    frame = pd.concat([detections({"photo": 9}, {"mid": "/m/3"}), detections({"photo": 1})], ignore_index=True)
    with pytest.raises(TableError) as caught:
        evaluation_set(TABLES, frame, CELLS)
    assert caught.value.message == (
        "None of the 3 detections can be scored: 1 on photos that the dataset does not have, "
        "1 on photos of other splits, or dropped, or without a whole file, 1 of classes that the dataset does not have."
    )
