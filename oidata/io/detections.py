"""Detections of other origin: COCO results, Open Images predictions, TFOD's records, and tables of another run."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pandas as pd
import pyarrow as pa
from pyarrow import parquet

from oidata.core.evaluation.detections import check_detections
from oidata.core.tables import COORDINATES, DETECTIONS, check
from oidata.errors import StorageError, TableError
from oidata.io.quiet import tensorflow
from oidata.io.tfrecord import read_records

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from numpy.typing import ArrayLike

# An SSD's boxes overhang the photo, by no more than the photo's size; beyond that they are in pixels.
_LOWEST, _HIGHEST = -1.0, 2.0
_HINT: Final = "Correct the row, or leave it out."

_COLUMNS: Final = ("image_id", "class_id", "score", *COORDINATES)
_CSV_COLUMNS: Final = {"ImageID": "image_id", "LabelName": "mid"} | {
    name: name.lower() for name in ("XMin", "YMin", "XMax", "YMax")
}
_CSV_SCORES: Final = ("Score", "Conf")

# TfExampleFields of TFOD's core/standard_fields.py, written by inference/detection_inference.py.
_SIDES: Final = {side: f"image/detection/bbox/{side}" for side in COORDINATES}
_SCORE, _LABEL, _SOURCE_ID = "image/detection/score", "image/detection/label", "image/source_id"


@dataclass(frozen=True, eq=False)
class ForeignDetections:
    """What a file holds: DETECTIONS, boxes normalised, and how many rows are of no photo or class that is known."""

    detections: pd.DataFrame
    num_of_unknown_photos: int = 0
    num_of_unknown_classes: int = 0


def read_detections(path: Path, images: pd.DataFrame, mids: Mapping[int, str]) -> ForeignDetections:
    """The detections in a file, which its name tells: .json, .csv, .parquet, or else TFRecords.

    `images` are the IMAGES that detections may be of; `mids` are the classes, by the id that a model has for them:
    rows of other photos and classes are counted and left out. Raises TableError for a row that is no detection, with
    its number, RecordError for damaged records, StorageError for a file that cannot be read.
    """
    try:
        if path.suffix == ".json":
            return _known(_of_coco(path, images), images, mids)
        if path.suffix == ".csv":
            return _known(_of_csv(path), images, mids)
        if path.suffix == ".parquet":
            return _known(_of_parquet(path), images, mids)
    except OSError as error:
        raise StorageError.unread(error, path) from error
    return _known(_of_records(path), images, mids)


def _of_coco(path: Path, images: pd.DataFrame) -> pd.DataFrame:
    """COCO results (cocodataset.org/#format-results): bbox is x, y, width and height, in pixels."""
    try:
        results = json.loads(path.read_bytes())
    except ValueError as error:
        raise TableError(f"{path} is no JSON: {error}.", "Write the results again.") from None
    if not isinstance(results, list):
        hint = 'They look like [{"image_id": …, "category_id": 1, "bbox": [x, y, width, height], "score": 0.9}].'
        raise TableError(f"{path} is no list of COCO results.", hint)
    rows = [_coco_row(result, f"{path}, result {number}") for number, result in enumerate(results, start=1)]
    frame = pd.DataFrame(rows, columns=_COLUMNS, index=range(1, len(rows) + 1))
    corners = frame[list(COORDINATES)].to_numpy(np.float64)
    if len(frame) and np.abs(corners).max() <= 1:
        raise TableError(f"{path} has normalised boxes, and COCO results are in pixels.", "Multiply them by the sizes.")
    sizes = images.set_index("image_id")[["width_px", "height_px"]].reindex(frame["image_id"]).astype("Float64")
    sizes_px = sizes.to_numpy(np.float64, na_value=np.nan)
    known = frame["image_id"].isin(images["image_id"]).to_numpy()
    if np.isnan(sizes_px[known]).any():
        raise TableError("The size of a photo is not known, and COCO results are in pixels.", "Fetch the photos.")
    frame[list(COORDINATES)] = corners / np.tile(np.where(known[:, None], sizes_px, np.inf), 2)
    return _checked(frame, f"{path}, result")


def _coco_row(result: object, where: str) -> tuple[str, int, float, float, float, float, float]:
    match result:
        case {"image_id": image_id, "category_id": int(class_id), "bbox": [x, y, width, height], "score": score}:
            pass
        case _:
            raise TableError(f"{where} has no image_id, category_id, score, and bbox of four numbers.", _HINT)
    if not isinstance(image_id, str):
        fault = f"{where}: image_id {image_id!r} is no Open Images id."
        raise TableError(fault, "Write the id of the photo, 16 hex digits, as a string.")
    numbers = (score, x, y, width, height)
    if not all(isinstance(number, int | float) for number in numbers):
        raise TableError(f"{where}: score and bbox are {numbers}, and not all are numbers.", _HINT)
    if width < 0 or height < 0:
        raise TableError(f"{where}: its box has a width of {width} and a height of {height}.", _HINT)
    return image_id, class_id, score, x, y, x + width, y + height


def _of_csv(path: Path) -> pd.DataFrame:
    """Open Images predictions: ImageID, LabelName (a MID), XMin, XMax, YMin, YMax, and Score, or Conf.

    Score is read by TFOD's metrics/oid_challenge_evaluation_utils.py; Conf is in submissions to the Challenge.
    """
    try:
        rows = pd.read_csv(path, dtype=str, keep_default_na=False, skip_blank_lines=False)
    except (ValueError, pd.errors.EmptyDataError) as error:
        raise TableError(f"{path} is no CSV: {str(error).strip()}.", "Write the predictions again.") from None
    score = next((name for name in _CSV_SCORES if name in rows.columns), "")
    missing = [name for name in _CSV_COLUMNS if name not in rows.columns] + ["Score"] * (not score)
    if missing:
        fault = f"{path} has no column {', '.join(missing)}."
        raise TableError(fault, f"Columns are {', '.join(_CSV_COLUMNS)}, and Score or Conf.")
    columns = {**_CSV_COLUMNS, score: "score"}
    frame = rows[list(columns)].rename(columns=columns).set_axis(range(2, len(rows) + 2))
    for name in ("score", *COORDINATES):
        numbers = pd.to_numeric(frame[name], errors="coerce")
        _refuse(numbers.isna(), f"{path}, line", f"{name} is no number", frame[name])
        frame[name] = numbers
    return _checked(frame, f"{path}, line")


def _of_parquet(path: Path) -> pd.DataFrame:
    """DETECTIONS, such as a run's. A box that is none is for the evaluation to count."""
    hint = f"It is to have the columns of a run's: {', '.join(column.name for column in DETECTIONS.columns)}."
    try:
        frame: pd.DataFrame = parquet.ParquetFile(path).read().to_pandas()
    except pa.ArrowInvalid as error:
        raise TableError(f"{path} is no Parquet file: {str(error).rstrip('.')}.", hint) from None
    try:
        check(frame, DETECTIONS)
    except TableError as error:
        raise TableError(f"{path}: {error.message}", hint) from None
    try:
        check_detections(frame)
    except TableError as error:
        raise TableError(f"{path}: {error.message}", error.hint) from None
    return frame


def _of_records(path: Path) -> pd.DataFrame:
    parse = tensorflow().train.Example.FromString
    columns: dict[str, list[object]] = {name: [] for name in ("record", *_COLUMNS)}
    for number, record in enumerate(read_records(path), start=1):
        where = f"{path}, record {number}"
        try:
            feature = parse(record).features.feature
        except Exception as error:  # protobuf's DecodeError, of whichever implementation
            raise TableError(f"{where} is no tf.Example.", "Give the records that TFOD's inference wrote.") from error
        for name, values in _record_columns(feature, where).items():
            columns[name] += values
        columns["record"] += [number] * (len(columns["score"]) - len(columns["record"]))
    frame = pd.DataFrame(columns).set_index("record")
    return _checked(frame, f"{path}, record")


def _record_columns(feature: Any, where: str) -> dict[str, list[object]]:  # noqa: ANN401 - a protobuf map
    """The columns of one photo's detections, all of one length."""
    ids = feature[_SOURCE_ID].bytes_list.value if _SOURCE_ID in feature else ()
    if not ids:
        raise TableError(f"{where} has no {_SOURCE_ID}.", "Run TFOD's inference on shards that have it.")
    columns = {name: list(feature[key].float_list.value) for name, key in {"score": _SCORE, **_SIDES}.items()}
    columns["class_id"] = list(feature[_LABEL].int64_list.value)
    lengths = {len(values) for values in columns.values()}
    if len(lengths) > 1:
        raise TableError(f"{where} has scores, labels and sides of boxes in different numbers.", _HINT)
    image_id = ids[0].decode(errors="replace")
    return {"image_id": [image_id] * max(lengths), **columns}


def _checked(frame: pd.DataFrame, where: str) -> pd.DataFrame:
    """Rows with a score and a normalised box. Raises TableError for the first that is none, by its index label."""
    sides = frame[list(COORDINATES)].astype("float64")
    score = frame["score"].astype("float64")
    values = sides.to_numpy()
    is_far = ((values < _LOWEST) | (values > _HIGHEST)).any(axis=1)
    is_inverted = (values[:, 0] > values[:, 2]) | (values[:, 1] > values[:, 3])
    _refuse(~score.between(0, 1), where, "its score is not in [0, 1]", score)
    _refuse(~np.isfinite(values).all(axis=1), where, "its box is no box", sides)
    _refuse(is_far, where, "its box is not normalised, but in pixels", sides)
    _refuse(is_inverted, where, "its box is inverted", sides)
    return frame


def _refuse(bad: ArrayLike, where: str, fault: str, shown: pd.Series | pd.DataFrame) -> None:
    rows = np.flatnonzero(bad)
    if len(rows):
        values = np.atleast_1d(shown.to_numpy()[rows[0]]).tolist()
        listed = ", ".join(f"{value:g}" if isinstance(value, float) else repr(value) for value in values)
        raise TableError(f"{where} {shown.index[rows[0]]}: {fault} ({listed}).", _HINT)


def _known(frame: pd.DataFrame, images: pd.DataFrame, mids: Mapping[int, str]) -> ForeignDetections:
    """The rows of known photos and classes; where classes have ids, these become MIDs."""
    is_known = frame["image_id"].isin(images["image_id"])
    known = frame[is_known]
    if "class_id" in known:
        known = known.assign(mid=known["class_id"].map(dict(mids)).astype("str"))
    has_class = known["mid"].isin(list(mids.values()))
    detections = DETECTIONS.conform(known[has_class])
    return ForeignDetections(detections, int((~is_known).sum()), int((~has_class).sum()))
