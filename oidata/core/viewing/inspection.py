"""What there is to see of a dataset: its photos, boxes and detections, each with what is known of it, as plain tables.

The tables hold words for a person (display names, yes, no and unknown) under the names by which the App filters.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from oidata.core.evaluation.failures import Kind
from oidata.core.release.defects import collateral
from oidata.core.statistics import places
from oidata.core.tables import COORDINATES, FLAG_VALUES, FLAGS

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    import pandas as pd

    from oidata.core.labels import LabelMap
    from oidata.core.tables import Tables

FOUND, MISSED, STRIPPED, IGNORED, BELOW = "found", "missed", "stripped", "ignored", "below the threshold"
MATCHED, FORCED_ONLY, STARVED = "matched", "forced only", "starved"
NUMBERS: Final = ("best_anchor_iou", "num_positive_anchors", "is_starved", "is_forced_only", "side_px")


@dataclass(frozen=True, eq=False)
class Judged:
    """A run: DETECTIONS, and how an evaluation judged them, if there was one.

    processed: the photos that were looked at, and judged if any were. failures: FAILURES. thresholds: by MID, the score
    from which a detection counted; those below are not shown, unless they explain a miss.
    """

    detections: pd.DataFrame
    processed: Collection[str]
    failures: pd.DataFrame | None = None
    thresholds: Mapping[str, float] | None = None


@dataclass(frozen=True, eq=False)
class Inspection:
    """Photos, boxes, detections and verified labels, each row with its `image_id`; no detections without a run.

    is_judged: whether an evaluation says what of it is a failure. num_below: detections that are not shown, since their
    scores are below the threshold.
    """

    photos: pd.DataFrame
    boxes: pd.DataFrame
    detections: pd.DataFrame | None
    labels: pd.DataFrame
    is_judged: bool = False
    num_below: int = 0


def inspection(
    tables: Tables, classes: LabelMap, numbers: pd.DataFrame, duplicates: pd.DataFrame | None, run: Judged | None
) -> Inspection:
    """Join what is known of the photos of `tables`; rows on other photos are left out.

    numbers: AUDIT_BOXES. duplicates: DUPLICATES, None where they are not known.
    """
    images = tables.images
    boxes = _boxes(_of(images, tables.boxes), classes, numbers, run)
    detections, num_below = (None, 0) if run is None else _detections(images, classes, run)
    photos = _photos(images, boxes, detections, duplicates)
    photos["is_collateral"] = photos["image_id"].isin(collateral(_of(images, tables.boxes)))
    labels = _of(images, tables.labels)
    labels = labels.assign(label=_names(labels["mid"], classes))
    is_judged = run is not None and run.failures is not None
    return Inspection(photos, boxes, detections, labels, is_judged, num_below)


def _of(images: pd.DataFrame, rows: pd.DataFrame) -> pd.DataFrame:
    return rows[places(rows["image_id"], images["image_id"]) >= 0].reset_index(drop=True)


def _names(mids: pd.Series, classes: LabelMap) -> pd.Series:
    """The display names of MIDs; a null stays one, and what is no class of the dataset its MID."""
    return mids.map(classes.names).astype("str").fillna(mids)


def _boxes(boxes: pd.DataFrame, classes: LabelMap, numbers: pd.DataFrame, run: Judged | None) -> pd.DataFrame:
    is_other = boxes["mid_original"] != boxes["mid"]
    in_words = {value: word for word, value in FLAG_VALUES.items()}
    words = {flag: boxes[flag].map(in_words) for flag in FLAGS}
    shown = boxes.assign(
        label=_names(boxes["mid"], classes),
        release_class=_names(boxes["mid_original"].where(is_other), classes),
        **words,
    )
    shown["area"] = (shown["xmax"] - shown["xmin"]) * (shown["ymax"] - shown["ymin"])
    shown = shown.merge(numbers[["box_id", *NUMBERS]].drop_duplicates("box_id"), on="box_id", how="left")
    shown["anchor_match"] = np.select(
        [shown["is_starved"].eq(True), shown["is_forced_only"].eq(True), shown["side_px"].notna()],  # noqa: FBT003
        [STARVED, FORCED_ONLY, MATCHED],
        None,  # type: ignore[call-overload]
    )
    missed = None
    if run is not None and run.failures is not None:
        missed = run.failures[run.failures["kind"] == Kind.MISSED].dropna(subset="box_id").drop_duplicates("box_id")
    shown = _with_failures(shown, missed, "box_id", classes)
    is_seen = shown["image_id"].isin(run.processed) if run is not None and missed is not None else False
    is_missed = shown["cause"].notna()
    shown["outcome"] = np.select([shown["stripped"].notna(), is_missed, is_seen], [STRIPPED, MISSED, FOUND], None)  # type: ignore[call-overload]
    return shown


def _detections(images: pd.DataFrame, classes: LabelMap, run: Judged) -> tuple[pd.DataFrame, int]:
    """The detections to show, and how many are below the threshold."""
    rows = run.detections.assign(row=np.arange(len(run.detections)), label=_names(run.detections["mid"], classes))
    is_finite = np.isfinite(rows[["score", *COORDINATES]].to_numpy()).all(axis=1)
    rows = _of(images, rows[is_finite])
    if run.failures is None:
        return _with_failures(rows, None, "row", classes).assign(outcome=None), 0
    told = run.failures.dropna(subset="detection").astype({"detection": "int64"}).rename(columns={"detection": "row"})
    rows = _with_failures(rows, told[told["kind"] != Kind.MISSED].drop_duplicates("row"), "row", classes)
    is_below = np.zeros(len(rows), bool)
    if run.thresholds is not None:
        least = rows["mid"].map(run.thresholds).fillna(0).to_numpy()
        is_below = (rows["score"].to_numpy() < least) & rows["cause"].isna().to_numpy()
    is_judged = rows["image_id"].isin(run.processed)
    outcome = rows["error"].astype(object).where(rows["error"].notna(), IGNORED)
    rows["outcome"] = outcome.where(rows["cause"].notna(), FOUND).mask(is_below, BELOW).where(is_judged, None)
    shown = rows[~is_below | rows["row"].isin(told["row"]).to_numpy()].reset_index(drop=True)
    return shown, len(rows) - len(shown)


def _with_failures(rows: pd.DataFrame, failures: pd.DataFrame | None, key: str, classes: LabelMap) -> pd.DataFrame:
    """`rows` with error, cause, causes and other_class of their failures, null where there is none."""
    if failures is None:
        return rows.assign(error=None, cause=None, causes=None, other_class=None)
    told = failures[[key, "error", "cause", "causes"]].assign(other_class=_names(failures["other_mid"], classes))
    return rows.merge(told, on=key, how="left")


def _photos(
    images: pd.DataFrame, boxes: pd.DataFrame, detections: pd.DataFrame | None, duplicates: pd.DataFrame | None
) -> pd.DataFrame:
    is_stripped = boxes["outcome"] == STRIPPED
    photos = images.assign(
        num_boxes=_count(images, boxes[~is_stripped]),
        num_stripped=_count(images, boxes[is_stripped]),
        num_missed=_count(images, boxes[boxes["outcome"] == MISSED]),
        num_false_positives=0,
    )
    if detections is not None:
        photos["num_false_positives"] = _count(images, detections[detections["error"].notna()])
    return _grouped(photos, duplicates)


def _grouped(photos: pd.DataFrame, duplicates: pd.DataFrame | None) -> pd.DataFrame:
    """`photos` with the group of twins that each is in, and whether it has members in several splits."""
    if duplicates is None:
        return photos.assign(duplicate_group=None, is_across_splits=False)
    grouped = photos.merge(duplicates[["image_id", "group_id"]], on="image_id", how="left")
    num_splits = grouped.groupby("group_id")["split"].transform("nunique")
    return grouped.rename(columns={"group_id": "duplicate_group"}).assign(is_across_splits=num_splits > 1)


def _count(images: pd.DataFrame, rows: pd.DataFrame) -> np.ndarray:
    place = places(rows["image_id"], images["image_id"])
    return np.bincount(place, minlength=len(images))
