"""Laws of setting detections against ground truth."""

import numpy as np
import pytest

from oidata.core.evaluation.evaluation_set import evaluation_set
from oidata.core.tables import DETECTIONS, Tables
from oidata.errors import DatasetError
from tests.core.made import CELLS, boxes, image_id, images, labels
from tests.core.scenes import Row, detections, scored


def test_truth_is_by_photo_and_class_and_what_is_ignored_comes_last() -> None:
    """Boxes of a photo and class stand together, and a stripped one after those that count."""
    rows: list[Row] = [{"photo": 1}, {"stripped": "truncated"}, {}, {"mid": "/m/2"}, {"photo": 9}, {"mid": "/m/3"}]
    truth = scored(rows, []).truth
    assert truth.row.tolist() == [2, 1, 3, 0]
    assert truth.key.tolist() == [0, 0, 1, 2]
    assert truth.is_ignored.tolist() == [False, True, False, False]


@pytest.mark.parametrize(
    "change, says",
    [
        ({}, "single"),
        ({"is_group_of": -1}, "single"),
        ({"is_group_of": 1}, "group"),
        ({"is_group_of": 1, "stripped": "group"}, "group"),
        ({"stripped": "depiction"}, "ignored"),
        ({"is_group_of": -1, "stripped": "group_unknown"}, "ignored"),
    ],
)
def test_what_a_stripped_box_is(change: Row, says: str) -> None:
    """A group is one if its flag says yes, stripped or not; any other stripped box is ignored unless it is counted."""
    truth = scored([change, {"photo": 1}], []).truth
    assert (truth.is_group[0], truth.is_ignored[0]) == (says == "group", says == "ignored")
    counted = scored([change], [], count_stripped=True).truth
    assert (counted.is_group[0], counted.is_ignored[0]) == (says == "group", False)


def test_detections_stand_by_falling_score_and_the_later_first() -> None:
    """Detections of a photo and class stand together, by falling score; of equals the later row is first."""
    rows: list[Row] = [{"photo": 1}, {"score": 0.2}, {"score": 0.9}, {"score": 0.2}, {"mid": "/m/2"}]
    detected = scored([{}], rows).detected
    assert detected.row.tolist() == [2, 3, 1, 4, 0]
    assert detected.key.tolist() == [0, 0, 0, 1, 2]
    assert detected.boxes.dtype == detected.score.dtype == np.float32


def test_keys_tell_photo_and_class() -> None:
    """The photo and the class of a key are places in the photos and in the label map."""
    scene = scored([{}], [{"photo": 2, "mid": "/m/2"}], [(1, "/m/2", False), (0, "/m/1", True), (9, "/m/1", True)])
    key = scene.detected.key
    assert scene.photos["image_id"][scene.photo(key)[0]] == image_id(2)
    assert scene.classes.mids[scene.label(key)[0]] == "/m/2"
    assert scene.verified.tolist() == [0, 3]


def test_nothing_found_is_a_result() -> None:
    """No detections at all can be scored: a detector may find nothing."""
    scene = evaluation_set(Tables(images({}), boxes({}), labels()), DETECTIONS.empty(), CELLS)
    assert (len(scene.detected), scene.left_out.total, len(scene.truth)) == (0, 0, 1)


@pytest.mark.parametrize(
    "photo, box, said",
    [
        ({}, {"mid": "/m/3"}, "There is no ground truth of One, Two on the usable photos of train, test."),
        ({"split": "validation"}, {}, "There is no ground truth"),
        ({"status": "missing"}, {}, "There is no ground truth"),
        ({}, {"stripped": "truncated"}, r"Every box of One, Two on the usable photos of train, test is stripped \(1\)"),
    ],
)
def test_no_ground_truth_is_an_error(photo: dict[str, object], box: dict[str, object], said: str) -> None:
    """Photos without a box that counts give no number, but an error that names classes and splits."""
    with pytest.raises(DatasetError, match=said):
        evaluation_set(Tables(images(photo), boxes(box), labels()), detections({}), CELLS)
