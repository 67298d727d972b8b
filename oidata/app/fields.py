"""The fields that a sample has in the App: where each comes from, its type, and what it says."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal

if TYPE_CHECKING:
    from collections.abc import Iterator

TRUTH, DETECTIONS, PRESENT, ABSENT = "ground_truth", "detections", "verified_present", "verified_absent"
Kind = Literal["str", "float", "int", "bool", "list"]


@dataclass(frozen=True)
class Field:
    """A value of a sample, or an attribute of a label, named as its column."""

    name: str
    kind: Kind
    says: str


_FAILURE: Final = (
    Field("error", "str", "the type of error, after TIDE"),
    Field("cause", "str", "the first cause"),
    Field("causes", "str", "all causes that apply"),
    Field("other_class", "str", "the class that it was taken for, or on whose box it lies"),
)
BOX_FIELDS: Final = (
    Field("outcome", "str", "found, missed or stripped"),
    *_FAILURE[1:],
    Field("stripped", "list", "why it does not train"),
    Field("release_class", "str", "its class in the release, where that is another"),
    *(
        Field(f"is_{flag}", "str", "a flag of the release: yes, no or unknown")
        for flag in ("occluded", "truncated", "group_of", "depiction", "inside")
    ),
    Field("anchor_match", "str", "matched, forced only or starved"),
    Field("best_anchor_iou", "float", "IoU of the anchor that fits best"),
    Field("num_positive_anchors", "int", "how many anchors learn it"),
    Field("is_starved", "bool", "whether no anchor learns it"),
    Field("is_forced_only", "bool", "whether only the forced match gives it an anchor"),
    Field("side_px", "float", "square root of its area at the network's input"),
    Field("area", "float", "its share of the photo"),
    Field("box_id", "str", "its id in boxes.parquet"),
)
DETECTION_FIELDS: Final = (
    Field("outcome", "str", "found (a true positive), ignored, or the type of error"),
    *_FAILURE,
    Field("row", "int", "its row in detections.parquet, from 0"),
)
PHOTO_FIELDS: Final = (
    Field("image_id", "str", "its id in Open Images"),
    Field("num_boxes", "int", "boxes that train"),
    Field("num_stripped", "int", "boxes that do not"),
    Field("num_missed", "int", "boxes that the model missed"),
    Field("num_false_positives", "int", "detections that are wrong"),
    Field("is_collateral", "bool", "whether a stripped object stays visible"),
    Field("duplicate_group", "int", "twins have the same number"),
    Field("is_across_splits", "bool", "whether a twin is in another split"),
    Field("exif_orientation", "int", "1 is upright"),
    Field("dropped", "list", "why it is left out of the shards"),
)
LABEL_FIELDS: Final = {TRUTH: BOX_FIELDS, DETECTIONS: DETECTION_FIELDS}


def declare(fo: Any, dataset: Any, *, with_detections: bool) -> None:
    """Give a FiftyOne dataset the fields that it lacks; without detections it has none."""
    there = dataset.get_field_schema(flat=True)
    if not with_detections and DETECTIONS in there:
        dataset.delete_sample_field(DETECTIONS)
    for path, options in _declared(fo, with_detections=with_detections):
        if path not in there:
            dataset.add_sample_field(path, **options)


def _declared(fo: Any, *, with_detections: bool) -> Iterator[tuple[str, dict[str, Any]]]:
    for each in PHOTO_FIELDS:
        yield each.name, _options(fo, each)
    for name in (PRESENT, ABSENT):
        yield name, {"ftype": fo.EmbeddedDocumentField, "embedded_doc_type": fo.Classifications}
    for name, fields in LABEL_FIELDS.items():
        if name == TRUTH or with_detections:
            yield name, {"ftype": fo.EmbeddedDocumentField, "embedded_doc_type": fo.Detections}
            yield from ((f"{name}.detections.{each.name}", _options(fo, each)) for each in fields)


def _options(fo: Any, of: Field) -> dict[str, Any]:
    types = {"str": fo.StringField, "float": fo.FloatField, "int": fo.IntField, "bool": fo.BooleanField}
    if of.kind == "list":
        return {"ftype": fo.ListField, "subfield": fo.StringField, "description": of.says}
    return {"ftype": types[of.kind], "description": of.says}
