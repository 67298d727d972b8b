"""Laws of the schemas and of the check at the doors."""

import pandas as pd
import pytest

from oidata.core.tables import BOXES, IMAGES, LABELS, SCHEMAS, Schema, check
from oidata.errors import TableError

A, B = "000000000000000a", "000000000000000b"
BOX = {
    "box_id": f"{A}-0",
    "image_id": A,
    "mid": "/m/09k_b",
    "mid_original": "/m/09k_b",
    "source": "xclick",
    **dict.fromkeys(("xmin", "ymin", "xmax", "ymax"), 0.5),
    **dict.fromkeys(("is_occluded", "is_truncated", "is_group_of", "is_depiction", "is_inside"), 0),
    "stripped": None,
}


def boxes(**changes: object) -> pd.DataFrame:
    """BOXES with one row, as declared but for the changed values."""
    return BOXES.conform(pd.DataFrame([{**BOX, **changes}]))


@pytest.mark.parametrize("schema", SCHEMAS, ids=lambda schema: schema.name)
def test_an_empty_table_is_as_declared(schema: Schema) -> None:
    """The empty table of every schema passes its check and keeps its dtypes when conformed."""
    empty = schema.empty()
    assert check(empty, schema) is empty
    pd.testing.assert_frame_equal(schema.conform(empty), empty)


def test_conform_orders_casts_and_renumbers() -> None:
    """Conforming gives the declared columns in order, their dtypes, and an index from 0."""
    frame = pd.DataFrame({"extra": [1], "is_present": [1], "mid": ["/m/1"], "image_id": [A]}, index=pd.Index([7]))
    expected = pd.DataFrame({"image_id": [A], "mid": ["/m/1"], "is_present": [True]})
    pd.testing.assert_frame_equal(LABELS.conform(frame), expected)


@pytest.mark.parametrize("value", [-0.5, 1.5, float("inf"), float("nan")])
def test_any_coordinate_is_in_order(value: float) -> None:
    """A coordinate out of range, or none, is no fault of the table: that is a strip rule's business."""
    frame = boxes(xmin=value)
    assert check(frame, BOXES) is frame


@pytest.mark.parametrize(
    "frame, fault",
    [
        (boxes().drop(columns="stripped"), "no column stripped"),
        (boxes().assign(score=0.5), "unknown column score"),
        (boxes().astype({"xmin": "float64"}), "xmin is float64, not float32"),
        (boxes().astype({"is_group_of": "bool"}), "is_group_of is bool, not int8"),
        (boxes(is_group_of=2), "is_group_of holds .*2"),
        (boxes(mid=None), "mid is empty in 1 of . rows"),
        (boxes(image_id="../../x"), r"image_id holds '\.\./\.\./x'"),
        (boxes(image_id=A.upper()), "image_id holds"),
        (boxes(image_id=f"{A}\n"), "image_id holds"),
        (boxes(box_id=A), "box_id holds"),
        (pd.concat([boxes(), boxes()]), f"two rows for {A}-0"),
    ],
)
def test_each_fault_is_named(frame: pd.DataFrame, fault: str) -> None:
    """A table that is not as declared is a TableError that says what is wrong."""
    with pytest.raises(TableError, match=fault):
        check(frame, BOXES)


def test_all_faults_are_listed_at_once() -> None:
    """One error names the table and every fault in it."""
    frame = pd.concat([boxes(is_inside=5, mid=None), boxes()]).drop(columns="source").assign(score=1)
    with pytest.raises(TableError) as caught:
        check(frame, BOXES)
    for fault in ("'boxes'", "no column source", "unknown column score", "is_inside holds", "mid is empty", "two rows"):
        assert fault in caught.value.message


def test_labels_are_identified_by_photo_and_class() -> None:
    """Two classes in a photo are two labels, the same class twice is a fault."""
    frame = pd.DataFrame({"image_id": [A, A, B], "mid": ["/m/1", "/m/2", "/m/1"], "is_present": True})
    check(LABELS.conform(frame), LABELS)
    with pytest.raises(TableError, match=f"two rows for {A}, /m/1"):
        check(LABELS.conform(pd.concat([frame, frame])), LABELS)


@pytest.mark.parametrize(
    "changes, fault",
    [
        ({"split": "val"}, "split holds 'val'"),
        ({"status": "done"}, "status holds 'done'"),
        ({"sha256": "abc"}, "sha256 holds 'abc'"),
        ({}, ""),
    ],
)
def test_a_photo_has_known_split_status_and_hash(changes: dict[str, str], fault: str) -> None:
    """Splits, statuses and hashes are of the declared kind, and all that a photo's bytes say may be empty."""
    row = {"image_id": A, "split": "train", "status": "failed", **changes}
    frame = IMAGES.conform(pd.DataFrame([row]).reindex(columns=[column.name for column in IMAGES.columns]))
    if not fault:
        assert check(frame, IMAGES) is frame
        return
    with pytest.raises(TableError, match=fault):
        check(frame, IMAGES)
