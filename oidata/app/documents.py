"""Photos and what is known of them as the documents that FiftyOne keeps in its database.

FiftyOne would make the same ones from a Sample with a Detection for each box, field by field, which takes most of the
time of an import; the tests compare the two.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, TypeAlias
from zlib import crc32

import numpy as np
from bson import ObjectId

from oidata.app.fields import ABSENT, BOX_FIELDS, DETECTION_FIELDS, DETECTIONS, PHOTO_FIELDS, PRESENT, TRUTH
from oidata.core.release.defects import SEPARATOR
from oidata.core.tables import COORDINATES

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

    import pandas as pd

    from oidata.app.fields import Field
    from oidata.core.viewing.inspection import Inspection

Document: TypeAlias = dict[str, Any]

# The ids of labels of a photo are its own and a number of 32 bits: of a box its ordinal, of others with a high bit set.
_VERIFIED: Final = 1 << 30
_DETECTED: Final = 1 << 31
_RUN_BITS: Final = 11
_ROW_BITS: Final = 20


def sample_id(image_id: str) -> ObjectId:
    """The id of a photo's sample: the same whenever it is made."""
    return _id(image_id, (1 << 32) - 1)


def documents(
    inspection: Inspection, paths: Mapping[str, str], tags: Mapping[str, Sequence[str]], run: str = ""
) -> Iterator[Document]:
    """A document for each photo, without what FiftyOne itself sets when it adds one.

    `paths` says where the photo of each image_id is, `tags` which tags a box begins with, by box_id; `run` tells the
    detections of one run from those of another.
    """
    labels = {TRUTH: _by_photo(inspection.boxes, _boxes(inspection.boxes, tags))}
    if inspection.detections is not None:
        labels[DETECTIONS] = _by_photo(inspection.detections, _detections(inspection.detections, run))
    for name, is_present in ((PRESENT, True), (ABSENT, False)):
        rows = inspection.labels[inspection.labels["is_present"] == is_present]
        labels[name] = _by_photo(rows, _classifications(rows))
    photos = inspection.photos
    sizes = (_values(photos[name].astype("Float64"), "int") for name in ("width_px", "height_px"))
    for image_id, split, width, height, values in zip(
        photos["image_id"], photos["split"], *sizes, _records(photos, PHOTO_FIELDS), strict=True
    ):
        yield {
            "_id": sample_id(image_id),
            "filepath": paths[image_id],
            "tags": [split],
            "metadata": {"_cls": "ImageMetadata", "width": width, "height": height},
            **{each.name: None for each in PHOTO_FIELDS},
            **values,
            **{name: _labels(name, of_photo.get(image_id, [])) for name, of_photo in labels.items()},
        }


def _labels(name: str, rows: list[Document]) -> Document:
    if name in (PRESENT, ABSENT):
        return {"_cls": "Classifications", "classifications": rows}
    return {"_cls": "Detections", "detections": rows}


def _id(image_id: str, number: int) -> ObjectId:
    return ObjectId(f"{image_id}{number:08x}")


def _by_photo(rows: pd.DataFrame, made: Iterator[Document]) -> dict[str, list[Document]]:
    of_photo: dict[str, list[Document]] = {}
    for image_id, document in zip(rows["image_id"], made, strict=True):
        of_photo.setdefault(image_id, []).append(document)
    return of_photo


def _boxes(boxes: pd.DataFrame, tags: Mapping[str, Collection[str]]) -> Iterator[Document]:
    rows = zip(
        boxes["image_id"], boxes["box_id"], boxes["label"], _places(boxes), _records(boxes, BOX_FIELDS), strict=True
    )
    for image_id, box_id, label, place, values in rows:
        number = int(box_id[len(image_id) + 1 :])
        yield _detection(_id(image_id, number), label, place) | {"tags": list(tags.get(box_id, ()))} | values


def _detections(detections: pd.DataFrame, run: str) -> Iterator[Document]:
    high = _DETECTED | (crc32(run.encode()) & ((1 << _RUN_BITS) - 1)) << _ROW_BITS
    ordinal = detections.groupby("image_id").cumcount()
    rows = zip(
        *(detections[name] for name in ("image_id", "label")),
        detections["score"].astype("float64"),
        ordinal,
        _places(detections),
        _records(detections, DETECTION_FIELDS),
        strict=True,
    )
    for image_id, label, score, number, place, values in rows:
        yield _detection(_id(image_id, high | number), label, place) | {"confidence": score} | values


def _detection(identity: ObjectId, label: str, place: list[float]) -> Document:
    return {"_id": identity, "_cls": "Detection", "attributes": {}, "tags": [], "label": label, "bounding_box": place}


def _classifications(labels: pd.DataFrame) -> Iterator[Document]:
    for image_id, mid, label in labels[["image_id", "mid", "label"]].itertuples(index=False):
        number = _VERIFIED | (crc32(mid.encode()) & (_VERIFIED - 1))
        yield {"_id": _id(image_id, number), "_cls": "Classification", "tags": [], "label": label}


def _places(rows: pd.DataFrame) -> list[list[float]]:
    """Left, top, width and height of each box, its corners put in order; of one that is none, a point."""
    xyxy = np.nan_to_num(rows[list(COORDINATES)].to_numpy(np.float64), nan=0.0, posinf=0.0, neginf=0.0)
    low, high = np.minimum(xyxy[:, :2], xyxy[:, 2:]), np.maximum(xyxy[:, :2], xyxy[:, 2:])
    places: list[list[float]] = np.concatenate([low, high - low], axis=1).tolist()
    return places


def _records(rows: pd.DataFrame, fields: Sequence[Field]) -> Iterator[Document]:
    """The values of each row by name, without nulls."""
    columns = [_values(rows[each.name], each.kind) for each in fields]
    names = [each.name for each in fields]
    for row in zip(*columns, strict=True):
        yield {name: value for name, value in zip(names, row, strict=True) if value is not None}


def _values(column: pd.Series, kind: str) -> list[Any]:
    """As the database takes them: Python's own types, None for a null."""
    values = column.astype(object).where(column.notna(), None)
    if kind == "list":
        return [None if value is None else value.split(SEPARATOR) for value in values]
    make = {"str": str, "float": float, "int": int, "bool": bool}[kind]
    return [None if value is None else make(value) for value in values]
