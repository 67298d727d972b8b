"""The schemas of a dataset's tables, and the check that reading and writing both pass through."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pandas as pd

from oidata.errors import TableError

if TYPE_CHECKING:
    from collections.abc import Iterator

SCHEMA_VERSION = 1

TRAIN, VALIDATION, TEST = SPLITS = ("train", "validation", "test")
STATUSES = ("ok", "missing", "corrupt", "failed")
FLAGS = ("is_occluded", "is_truncated", "is_group_of", "is_depiction", "is_inside")
FLAG_VALUES = {"yes": 1, "no": 0, "unknown": -1}
COORDINATES = ("xmin", "ymin", "xmax", "ymax")

IMAGE_ID = r"[0-9a-f]{16}"
SHA256 = r"[0-9a-f]{64}"


@dataclass(frozen=True)
class Column:
    """A column: its pandas dtype, whether it may hold nulls, and which values it may hold.

    `values` lists the allowed ones; `pattern` is a regular expression that the whole string must match.
    """

    name: str
    dtype: str
    nullable: bool = False
    values: tuple[object, ...] = ()
    pattern: str = ""

    def faults(self, column: pd.Series) -> Iterator[str]:
        """Say in words each way in which `column` is not as declared."""
        if str(column.dtype) != self.dtype:
            yield f"{self.name} is {column.dtype}, not {self.dtype}"
            return
        null = column.isna()
        if null.any() and not self.nullable and not self.dtype.startswith("float"):
            yield f"{self.name} is empty in {int(null.sum()):,} of {len(column):,} rows"
        present = column[~null]
        if self.values and not present.isin(self.values).all():
            yield f"{self.name} holds {present[~present.isin(self.values)].tolist()[0]!r}"
        if self.pattern and not present.str.fullmatch(self.pattern).all():
            yield f"{self.name} holds {present[~present.str.fullmatch(self.pattern)].iloc[0]!r}"


@dataclass(frozen=True)
class Schema:
    """A table: its name, its columns in order, and the columns that together identify a row, if any do."""

    name: str
    columns: tuple[Column, ...]
    key: tuple[str, ...]

    def empty(self) -> pd.DataFrame:
        """A table of this schema without rows."""
        return pd.DataFrame({column.name: pd.Series(dtype=column.dtype) for column in self.columns})

    def conform(self, frame: pd.DataFrame) -> pd.DataFrame:
        """The schema's columns of `frame`, in order, cast to their dtypes."""
        dtypes = {column.name: column.dtype for column in self.columns}
        return frame[list(dtypes)].astype(dtypes).reset_index(drop=True)


IMAGES = Schema(
    "images",
    (
        Column("image_id", "str", pattern=IMAGE_ID),
        Column("split", "str", values=SPLITS),
        Column("status", "str", values=STATUSES),
        Column("dropped", "str", nullable=True),
        Column("width_px", "Int32", nullable=True),
        Column("height_px", "Int32", nullable=True),
        Column("exif_orientation", "Int8", nullable=True),
        Column("rotation", "Int16", nullable=True),
        Column("size_bytes", "Int64", nullable=True),
        Column("sha256", "str", nullable=True, pattern=SHA256),
        Column("license", "str", nullable=True),
        Column("author", "str", nullable=True),
        Column("author_url", "str", nullable=True),
        Column("title", "str", nullable=True),
        Column("landing_url", "str", nullable=True),
    ),
    key=("image_id",),
)

# Coordinates are as in the release: a value out of range, or NaN, is a strip rule's business.
BOXES = Schema(
    "boxes",
    (
        Column("box_id", "str", pattern=IMAGE_ID + r"-\d+"),
        Column("image_id", "str", pattern=IMAGE_ID),
        Column("mid", "str"),
        Column("mid_original", "str"),
        Column("source", "str"),
        *(Column(name, "float32") for name in COORDINATES),
        *(Column(name, "int8", values=(-1, 0, 1)) for name in FLAGS),
        Column("stripped", "str", nullable=True),
    ),
    key=("box_id",),
)

LABELS = Schema(
    "labels",
    (
        Column("image_id", "str", pattern=IMAGE_ID),
        Column("mid", "str"),
        Column("is_present", "bool"),
    ),
    key=("image_id", "mid"),
)

SCHEMAS = (IMAGES, BOXES, LABELS)


@dataclass(frozen=True, eq=False)
class Tables:
    """The three tables of a dataset, or the same rows of all three, as IMAGES, BOXES and LABELS declare them."""

    images: pd.DataFrame
    boxes: pd.DataFrame
    labels: pd.DataFrame


# What an audit tells of each ground-truth box; layers count from 0, the finest.
AUDIT_BOXES = Schema(
    "boxes",
    (
        Column("box_id", "str", pattern=IMAGE_ID + r"-\d+"),
        Column("image_id", "str", pattern=IMAGE_ID),
        Column("mid", "str"),
        *(Column(name, "float32") for name in COORDINATES),
        Column("best_anchor_iou", "float32"),
        Column("best_anchor_layer", "int8"),
        Column("num_positive_anchors", "int32"),
        Column("is_forced_only", "bool"),
        Column("is_starved", "bool"),
        Column("side_px", "float32"),
    ),
    key=("box_id",),
)

# What a detector found. The score is its own, never Open Images' Confidence. No column identifies a row: the same box
# can be found twice, and the second is a false positive. Ids of photos may be another tool's; the unknown are counted.
DETECTIONS = Schema(
    "detections",
    (
        Column("image_id", "str"),
        Column("mid", "str"),
        Column("score", "float32"),
        *(Column(name, "float32") for name in COORDINATES),
    ),
    key=(),
)


def check(frame: pd.DataFrame, schema: Schema) -> pd.DataFrame:
    """Return `frame` if it is as `schema` declares; else raise one TableError that lists all faults."""
    faults = list(_faults(frame, schema))
    if faults:
        hint = "Fetch into a new directory, or restore the table that oidata wrote."
        raise TableError(f"The table {schema.name!r} is not as declared: {'; '.join(faults)}.", hint)
    return frame


def _faults(frame: pd.DataFrame, schema: Schema) -> Iterator[str]:
    declared = [column.name for column in schema.columns]
    missing = [name for name in declared if name not in frame.columns]
    extra = [str(name) for name in frame.columns if name not in declared]
    if missing:
        yield f"no column {', '.join(missing)}"
    if extra:
        yield f"unknown column {', '.join(extra)}"
    for column in schema.columns:
        if column.name not in missing:
            yield from column.faults(frame[column.name])
    key = list(schema.key)
    if key and not set(key) & set(missing) and (repeated := frame.duplicated(key)).any():
        first = frame.loc[repeated, key].iloc[0].tolist()
        yield f"two rows for {', '.join(map(str, first))}"
