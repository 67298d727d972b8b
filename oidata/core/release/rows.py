"""From the rows of a release's CSVs, all strings, to the tables of a dataset.

Column names are those of the Open Images download page. The index of every frame that comes in is the byte
offset of its row in the file, so that a fault can be named by its line.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from oidata.core.tables import BOXES, IMAGE_ID, LABELS

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from oidata.core.labels import Hierarchy

BOX_COLUMNS = (
    "ImageID",
    "Source",
    "LabelName",
    "XMin",
    "XMax",
    "YMin",
    "YMax",
    "IsOccluded",
    "IsTruncated",
    "IsGroupOf",
    "IsDepiction",
    "IsInside",
)
LABEL_COLUMNS = ("ImageID", "LabelName", "Confidence")
IMAGE_COLUMNS = (
    "ImageID",
    "OriginalLandingURL",
    "License",
    "AuthorProfileURL",
    "Author",
    "Title",
    "Rotation",
)

_FLAG_COLUMNS = {
    "is_occluded": "IsOccluded",
    "is_truncated": "IsTruncated",
    "is_group_of": "IsGroupOf",
    "is_depiction": "IsDepiction",
    "is_inside": "IsInside",
}
_COORDINATE_COLUMNS = {"xmin": "XMin", "ymin": "YMin", "xmax": "XMax", "ymax": "YMax"}


class BadRowError(ValueError):
    """A row that cannot be read: its byte offset in the file, and what is wrong with it."""

    def __init__(self, offset: int, fault: str) -> None:
        super().__init__(fault)
        self.offset = offset
        self.fault = fault


def classes_of(rows: pd.DataFrame, fold: Mapping[str, str]) -> dict[str, set[str]]:
    """By image_id the chosen classes that are boxed in the photo, from box rows. Raises BadRowError for a bad id."""
    _check_ids(rows)
    chosen = rows["LabelName"].map(dict(fold))
    return {str(image_id): set(mids) for image_id, mids in chosen.groupby(rows["ImageID"])}


def boxes(rows: pd.DataFrame, fold: Mapping[str, str], num_before: Mapping[str, int] | None = None) -> pd.DataFrame:
    """The BOXES of the classes that `fold` maps to a chosen one, from *all* box rows of their photos.

    All rows are needed since box_id counts them; `num_before` says how many of a photo's came earlier. Coordinates
    stay as in the release, normalised, rounded to float32. Raises BadRowError for an id, number or flag that is none.
    """
    _check_ids(rows)
    earlier = rows["ImageID"].map(dict(num_before or {})).fillna(0).astype("int64")
    ordinal = rows.groupby("ImageID", sort=False).cumcount() + earlier
    wanted = rows["LabelName"].isin(list(fold))
    rows, ordinal = rows[wanted], ordinal[wanted]
    columns = {
        "box_id": rows["ImageID"] + "-" + ordinal.astype("str"),
        "image_id": rows["ImageID"],
        "mid": rows["LabelName"].map(fold),
        "mid_original": rows["LabelName"],
        "source": rows["Source"],
        **{name: _numbers(rows[column]) for name, column in _COORDINATE_COLUMNS.items()},
        **{name: _one_of(rows[column], {"1": 1, "0": 0, "-1": -1}) for name, column in _FLAG_COLUMNS.items()},
        "stripped": pd.Series(index=rows.index, dtype="str"),
    }
    return BOXES.conform(pd.DataFrame(columns))


def evidence(mids: Collection[str], fold: Mapping[str, str], hierarchy: Hierarchy | None) -> pd.DataFrame:
    """Which image label speaks for which chosen class: label_mid, is_present, mid.

    Without a hierarchy a label speaks for its own class alone. With one, presence passes upward, to every chosen
    class that the label is a kind of (not just to the one that takes its boxes), and absence downward (no Fruit, so
    no Lemon). `fold` names the classes at and below the chosen ones.
    """
    kinds = {label: {label, *(hierarchy.ancestors(label) if hierarchy else ())} for label in fold}
    present = [(label, True, mid) for label in fold for mid in mids if mid in kinds[label]]
    absent = [(above, False, mid) for mid in mids for above in sorted(kinds[mid])]
    return pd.DataFrame(present + absent, columns=["label_mid", "is_present", "mid"])


def labels(rows: pd.DataFrame, spoken: pd.DataFrame) -> pd.DataFrame:
    """The LABELS that image-label rows verify, through `spoken` (see `evidence`).

    Confidence 1 is verified present, 0 verified absent. Where rows disagree about a photo, presence wins: it was seen.
    """
    _check_ids(rows)
    said = pd.DataFrame(
        {
            "image_id": rows["ImageID"],
            "label_mid": rows["LabelName"],
            "is_present": _one_of(rows["Confidence"], {"1": 1, "0": 0, "1.0": 1, "0.0": 0}).astype(bool),
        }
    )
    joined = said.merge(spoken, on=["label_mid", "is_present"])
    verified = joined.groupby(["image_id", "mid"], sort=True)["is_present"].max()
    return LABELS.conform(verified.reset_index())


def image_facts(rows: pd.DataFrame) -> pd.DataFrame:
    """What a release says of photos: image_id, rotation, license, author, author_url, title, landing_url.

    Rotation is in degrees counterclockwise, null where unknown. It describes the upright view: boxes fit the
    pixels as stored. Raises BadRowError for an id that is none, and a rotation that is no multiple of 90.
    """
    _check_ids(rows)
    facts = {
        "image_id": rows["ImageID"],
        "rotation": _degrees(rows["Rotation"]),
        "license": rows["License"],
        "author": rows["Author"],
        "author_url": rows["AuthorProfileURL"],
        "title": rows["Title"],
        "landing_url": rows["OriginalLandingURL"],
    }
    return pd.DataFrame(facts).drop_duplicates("image_id").reset_index(drop=True)


def _check_ids(rows: pd.DataFrame) -> None:
    _refuse(rows["ImageID"], ~rows["ImageID"].str.fullmatch(IMAGE_ID), "is no image id of 16 hex digits")


def _numbers(column: pd.Series) -> pd.Series:
    numbers = pd.to_numeric(column, errors="coerce")
    _refuse(column, numbers.isna() & (column.str.lower() != "nan"), "is no number")
    return numbers


def _degrees(column: pd.Series) -> pd.Series:
    degrees = pd.to_numeric(column, errors="coerce")
    turns = degrees.between(-360, 360) & (degrees % 90 == 0)
    _refuse(column, ~turns & (column != ""), "is no rotation in quarter turns, in degrees")
    return degrees.astype("Int16")


def _one_of(column: pd.Series, values: Mapping[str, int]) -> pd.Series:
    mapped = column.map(values)
    _refuse(column, mapped.isna(), f"is none of {', '.join(values)}")
    return mapped.astype("int8")


def _refuse(column: pd.Series, bad: pd.Series, fault: str) -> None:
    if bad.any():
        first = column[bad]
        raise BadRowError(int(first.index[0]), f"{column.name} {first.iloc[0]!r} {fault}")
