"""Laws of reading detections of other origin; each format is written as its own tools write it."""

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from oidata.core.tables import DETECTIONS
from oidata.errors import RecordError, StorageError, TableError
from oidata.io.detections import read_detections
from oidata.io.tfrecord import write_records
from tests.core.made import image_id, images

MIDS = {1: "/m/09k_b", 2: "/m/01nkt"}
PHOTOS = images({"width_px": 200, "height_px": 100}, {"width_px": 400, "height_px": 400}, {"width_px": None})
ROWS = [
    (image_id(0), "/m/09k_b", 0.75, 0.25, 0.5, 0.75, 1.0),
    (image_id(1), "/m/01nkt", 0.5, -0.25, 0.0, 0.5, 1.25),
]
EXPECTED = DETECTIONS.conform(pd.DataFrame(ROWS, columns=[column.name for column in DETECTIONS.columns]))
HEADER = "ImageID,LabelName,Score,XMin,XMax,YMin,YMax"
LINE = f"{image_id(0)},/m/09k_b,0.75,0.25,0.75,0.5,1"


def coco(path: Path, results: Any) -> Path:
    path = path / "results.json"
    path.write_text(json.dumps(results))
    return path


def result(**changes: object) -> dict[str, object]:
    return {"image_id": image_id(0), "category_id": 1, "bbox": [50, 50, 100, 50], "score": 0.75} | changes


def csv(path: Path, *lines: str) -> Path:
    path = path / "predictions.csv"
    path.write_text("\n".join(lines) + "\n")
    return path


def example(row: tuple[Any, ...], **changes: list[Any]) -> bytes:
    """As infer_detections_and_add_to_example of TFOD's inference/detection_inference.py writes it."""
    import tensorflow as tf

    image, mid, score, *sides = row
    of_mid = {mid: number for number, mid in MIDS.items()}
    written = tf.train.Example()
    feature = written.features.feature
    feature["image/source_id"].bytes_list.value[:] = changes.get("source_id", [image.encode()])
    feature["image/detection/label"].int64_list.value[:] = [of_mid[mid]]
    feature["image/detection/score"].float_list.value[:] = changes.get("score", [score])
    for side, value in zip(("xmin", "ymin", "xmax", "ymax"), sides, strict=True):
        feature[f"image/detection/bbox/{side}"].float_list.value[:] = changes.get(side, [value])
    data: bytes = written.SerializeToString()
    return data


def records(path: Path, *examples: bytes) -> Path:
    path = path / "detections.tfrecord"
    with path.open("wb") as file:
        write_records(file, examples)
    return path


def test_coco_results_are_normalised_by_the_size_of_their_photo(tmp_path: Path) -> None:
    """A bbox is the upper left corner, width and height in pixels; a category is a class id of the model."""
    second = result(image_id=image_id(1), category_id=2, bbox=[-100, 0, 300, 500], score=0.5)
    found = read_detections(coco(tmp_path, [result(), second]), PHOTOS, MIDS)
    pd.testing.assert_frame_equal(found.detections, EXPECTED)


@pytest.mark.parametrize("score", ["Score", "Conf"])
def test_open_images_predictions_name_their_columns(score: str, tmp_path: Path) -> None:
    """Columns come in any order, others beside them; the score is called Score or Conf."""
    lines = [
        f"{mid},{score},{xmin},{ymin},{xmax},{ymax},{image},x" for image, mid, score, xmin, ymin, xmax, ymax in ROWS
    ]
    path = csv(tmp_path, f"LabelName,{score},XMin,YMin,XMax,YMax,ImageID,Other", *lines)
    pd.testing.assert_frame_equal(read_detections(path, PHOTOS, MIDS).detections, EXPECTED)


def test_records_of_inference_are_read(tmp_path: Path) -> None:
    """The records that TFOD's inference adds its detections to hold them by photo, class id and side."""
    path = records(tmp_path, *map(example, ROWS))
    pd.testing.assert_frame_equal(read_detections(path, PHOTOS, MIDS).detections, EXPECTED)


@pytest.mark.parametrize("write", [lambda path: coco(path, []), lambda path: csv(path, HEADER), records])
def test_no_detections_are_a_table_without_rows(write: Any, tmp_path: Path) -> None:
    """A file that holds none has the schema of one that does."""
    found = read_detections(write(tmp_path), PHOTOS, MIDS)
    pd.testing.assert_frame_equal(found.detections, DETECTIONS.empty())


def test_rows_of_unknown_photos_and_classes_are_counted(tmp_path: Path) -> None:
    """They are left out, and the numbers say how many there were."""
    unknown = [result(image_id=image_id(9)), result(category_id=7), result(category_id=8)]
    found = read_detections(coco(tmp_path, [result(), *unknown]), PHOTOS, MIDS)
    assert len(found.detections) == 1
    assert (found.num_of_unknown_photos, found.num_of_unknown_classes) == (1, 2)


@pytest.mark.parametrize(
    "changes, fault",
    [
        ({"score": 1.5}, "result 2: its score is not in [0, 1] (1.5)"),
        ({"score": float("nan")}, "result 2: its score is not in [0, 1] (nan)"),
        ({"score": "high"}, "result 2: score and bbox are"),
        ({"bbox": [1, 2, 3]}, "result 2 has no"),
        ({"bbox": [float("nan"), 0, 1, 1]}, "result 2: its box is no box (nan, 0, nan, 0.01)"),
        ({"bbox": [10, 10, -5, 5]}, "result 2: its box has a width of -5"),
        ({"bbox": [10, 10, 9000, 5]}, "result 2: its box is not normalised"),
        ({"image_id": 42}, "result 2: image_id 42 is no Open Images id"),
        ({"image_id": image_id(2)}, "size of a photo is not known"),
    ],
)
def test_a_bad_coco_result_is_told_by_its_number(changes: dict[str, object], fault: str, tmp_path: Path) -> None:
    """TableError names the file, the result, and what is wrong with it."""
    with pytest.raises(TableError, match=re.escape(fault)):
        read_detections(coco(tmp_path, [result(), result(**changes)]), PHOTOS, MIDS)


@pytest.mark.parametrize("results", [{"annotations": []}, [7], "text"])
def test_other_json_is_no_coco_results(results: Any, tmp_path: Path) -> None:
    """Ground truth in COCO's format, or anything else, is refused."""
    with pytest.raises(TableError, match=r"results\.json"):
        read_detections(coco(tmp_path, results), PHOTOS, MIDS)


def test_coco_results_that_are_normalised_are_refused(tmp_path: Path) -> None:
    """Boxes none of which reaches the second pixel are normalised, which COCO's are not."""
    with pytest.raises(TableError, match="in pixels"):
        read_detections(coco(tmp_path, [result(bbox=[0.25, 0.25, 0.5, 0.5])]), PHOTOS, MIDS)


@pytest.mark.parametrize(
    "line, fault",
    [
        (LINE.replace("0.75,0.25", "abc,0.25"), "line 3: score is no number ('abc')"),
        (LINE.replace("0.75,0.25", "-1,0.25"), "line 3: its score is not in [0, 1] (-1)"),
        (LINE.replace("0.25,0.75", "0.75,0.25"), "line 3: its box is inverted (0.75, 0.5, 0.25, 1)"),
        (LINE.replace("0.25,0.75", "25,75"), "line 3: its box is not normalised, but in pixels (25, 0.5, 75, 1)"),
        (LINE.replace("0.25,0.75", "inf,inf"), "line 3: its box is no box (inf, 0.5, inf, 1)"),
        ("", "line 3: score is no number ('')"),
    ],
)
def test_a_bad_prediction_is_told_by_its_line(line: str, fault: str, tmp_path: Path) -> None:
    """TableError names the file, the line, counted from the header's 1, and what is wrong with it."""
    with pytest.raises(TableError, match=re.escape(fault)):
        read_detections(csv(tmp_path, HEADER, LINE, line), PHOTOS, MIDS)


def test_a_csv_without_a_score_holds_no_predictions(tmp_path: Path) -> None:
    """Open Images' ground truth has a Confidence, which is no score."""
    with pytest.raises(TableError, match="no column Score"):
        read_detections(csv(tmp_path, HEADER.replace("Score", "Confidence"), LINE), PHOTOS, MIDS)


def test_bad_records_are_told_by_their_number(tmp_path: Path) -> None:
    """TableError names the record whose numbers are wrong, or do not go together, and the one that is no example."""
    for bad, fault in [
        (example(ROWS[0], score=[1.5]), "record 2: its score"),
        (example(ROWS[0], score=[0.5, 0.5]), "record 2 has scores, labels and sides of boxes in different numbers"),
        (b"\x08no example", "record 2 is no tf.Example"),
        (b"", "record 2 has no image/source_id"),
        (example(("", *ROWS[0][1:]), source_id=[]), "record 2 has no image/source_id"),
    ]:
        with pytest.raises(TableError, match=fault):
            read_detections(records(tmp_path, example(ROWS[0]), bad), PHOTOS, MIDS)


def test_files_that_cannot_be_read_are_named(tmp_path: Path) -> None:
    """StorageError for what is absent, RecordError for what is no TFRecord, TableError for no JSON."""
    for name in ("absent.json", "absent.csv", "absent.tfrecord"):
        with pytest.raises(StorageError, match=name):
            read_detections(tmp_path / name, PHOTOS, MIDS)
    for name, error in (("junk.json", TableError), ("junk.tfrecord", RecordError)):
        (tmp_path / name).write_bytes(np.arange(99).tobytes())
        with pytest.raises(error, match=name):
            read_detections(tmp_path / name, PHOTOS, MIDS)
