"""The fields that a sample has in the App, each named as the column that it comes from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal

from oidata.core.tables import FLAGS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

TRUTH, DETECTIONS, PRESENT, ABSENT = "ground_truth", "detections", "verified_present", "verified_absent"
Kind = Literal["str", "float", "int", "bool", "list"]


@dataclass(frozen=True)
class Field:
    """A value of a sample, or an attribute of a label, named as its column."""

    name: str
    kind: Kind


_FAILURE: Final = (
    Field("error", "str"),  # the type of error, after TIDE
    Field("cause", "str"),  # the first cause
    Field("causes", "str"),  # all causes that apply
    Field("other_class", "str"),  # the class that it was taken for, or on whose box it lies
)
BOX_FIELDS: Final = (
    Field("outcome", "str"),  # found, missed or stripped
    *_FAILURE[1:],
    Field("stripped", "list"),  # why it does not train
    Field("release_class", "str"),  # its class in the release, where that is another
    *(Field(flag, "str") for flag in FLAGS),  # yes, no or unknown
    Field("anchor_match", "str"),  # matched, forced only or starved
    Field("best_anchor_iou", "float"),  # IoU of the anchor that fits best
    Field("num_positive_anchors", "int"),  # how many anchors learn it
    Field("is_starved", "bool"),  # whether no anchor learns it
    Field("is_forced_only", "bool"),  # whether only the forced match gives it an anchor
    Field("side_px", "float"),  # square root of its area at the network's input
    Field("area", "float"),  # its share of the photo
    Field("box_id", "str"),  # its id in boxes.parquet
)
DETECTION_FIELDS: Final = (
    Field("outcome", "str"),  # found (a true positive), ignored, or the type of error
    *_FAILURE,
    Field("row", "int"),  # its row in detections.parquet, from 0
)
PHOTO_FIELDS: Final = (
    Field("image_id", "str"),  # its id in Open Images
    Field("num_boxes", "int"),  # boxes that train
    Field("num_stripped", "int"),  # boxes that do not
    Field("num_missed", "int"),  # boxes that the model missed
    Field("num_false_positives", "int"),  # detections that are wrong
    Field("is_collateral", "bool"),  # whether a stripped object stays visible
    Field("duplicate_group", "int"),  # twins have the same number
    Field("is_across_splits", "bool"),  # whether a twin is in another split
    Field("exif_orientation", "int"),  # 1 is upright
    Field("dropped", "list"),  # why it is left out of the shards
)
_EXAMPLES: Final = {"str": "", "float": 0.5, "int": 0, "bool": True, "list": [""]}
LABEL_FIELDS: Final = {TRUTH: BOX_FIELDS, DETECTIONS: DETECTION_FIELDS}


def declare(fo: Any, dataset: Any, *, with_detections: bool) -> None:
    """Give a FiftyOne dataset the fields that it lacks; without detections it has none.

    It takes them from a sample that has them all: to add one after the other takes seconds.
    """
    there = dataset.get_field_schema(flat=True)
    if not with_detections and DETECTIONS in there:
        dataset.delete_sample_field(DETECTIONS)
    if set(_paths(with_detections=with_detections)) - there.keys():
        dataset.delete_samples(dataset.add_sample(_template(fo, with_detections=with_detections), dynamic=True))


def _paths(*, with_detections: bool) -> Iterator[str]:
    yield from (each.name for each in PHOTO_FIELDS)
    yield from (PRESENT, ABSENT)
    for name, fields in LABEL_FIELDS.items():
        if name == TRUTH or with_detections:
            yield from (f"{name}.detections.{each.name}" for each in fields)


def _template(fo: Any, *, with_detections: bool) -> Any:
    """A sample that has a value in every field."""
    labels = {name: fields for name, fields in LABEL_FIELDS.items() if name == TRUTH or with_detections}
    boxes = {
        name: fo.Detections(detections=[fo.Detection(label="", bounding_box=[0.0] * 4, **_examples(fields))])
        for name, fields in labels.items()
    }
    verified = {name: fo.Classifications(classifications=[fo.Classification(label="")]) for name in (PRESENT, ABSENT)}
    size = fo.ImageMetadata(width=1, height=1)
    return fo.Sample(filepath="template.jpg", metadata=size, **_examples(PHOTO_FIELDS), **boxes, **verified)


def _examples(fields: Iterable[Field]) -> dict[str, Any]:
    return {each.name: _EXAMPLES[each.kind] for each in fields}
