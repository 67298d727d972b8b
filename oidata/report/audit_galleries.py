"""The pictures of an audit: photos with the boxes that a finding is about."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from oidata.core.auditing.duplicates import DUPLICATES
from oidata.core.auditing.verification import sightings
from oidata.core.statistics import Cells, usable
from oidata.core.tables import AUDIT_BOXES, COORDINATES, TRAIN
from oidata.core.words import counted
from oidata.errors import PhotoError
from oidata.report.gallery import Outline, thumbnail
from oidata.report.page import Gallery, Picture

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from oidata.core.auditing.evidence import Evidence
    from oidata.core.tables import Schema, Tables
    from oidata.dataset import Dataset

NUM_PICTURES = 12
_SUBJECT = "#ff3b30"
_OTHER = "#34c7ff"


def galleries(
    dataset: Dataset, evidence: Evidence, tables: Tables, frames: Mapping[Schema, pd.DataFrame]
) -> tuple[Gallery, ...]:
    """The galleries that have a picture: boxes without anchors or in holes, groups, unverified pairs, duplicates.

    `tables` are those of the dataset, `frames` holds AUDIT_BOXES and DUPLICATES of the audit.
    """
    shelf = _Shelf.of(dataset, evidence, tables)
    audited = frames[AUDIT_BOXES].join(shelf.images["split"], on="image_id", how="inner")
    found = (
        _unanchored(shelf, audited),
        _in_holes(shelf, audited, evidence),
        _groups(shelf),
        *_unverified(shelf, evidence),
        _duplicates(shelf, frames[DUPLICATES], evidence),
    )
    return tuple(gallery for gallery in found if gallery.pictures)


@dataclass(frozen=True, eq=False)
class _Shelf:
    """What pictures are made of: the photos of the splits that are there, all their boxes, and the verified labels."""

    dataset: Dataset
    images: pd.DataFrame
    boxes: pd.DataFrame
    labels: pd.DataFrame
    names: Mapping[str, str]

    @classmethod
    def of(cls, dataset: Dataset, evidence: Evidence, tables: Tables) -> _Shelf:
        images = tables.images[usable(tables.images) & tables.images["split"].isin(evidence.splits)]
        names = zip(images["split"], images["image_id"], strict=True)
        there = np.array([dataset.photo_path(*name).is_file() for name in names], bool)
        images = images[there].set_index("image_id", drop=False)
        boxes = tables.boxes[tables.boxes["image_id"].isin(images.index)].sort_values("image_id", kind="stable")
        return cls(dataset, images, boxes, tables.labels, evidence.classes.names)

    def gallery(self, title: str, text: str, subjects: pd.DataFrame, say: Callable[[pd.Series], str]) -> Gallery:
        """One picture for each photo of `subjects` (rows of boxes, the most telling first), until there are enough."""
        subjects = subjects[subjects["image_id"].isin(self.images.index)]
        photos = subjects.drop_duplicates("image_id")
        pictures = []
        for _, row in photos.iterrows():
            own = subjects[subjects["image_id"] == row["image_id"]]
            picture = self.picture(str(row["image_id"]), own["box_id"], say(row))
            if picture:
                pictures.append(picture)
            if len(pictures) == NUM_PICTURES:
                break
        counts = f"{counted(len(subjects), 'box', 'boxes')} on {counted(len(photos), 'photo')}"
        return Gallery(title, f"{text} {counts}.", len(photos), tuple(pictures))

    def picture(self, image_id: str, subjects: Iterable[str], text: str) -> Picture | None:
        """A photo with all its boxes, those of `subjects` in red; None where it cannot be decoded."""
        photo = self.images.loc[image_id]
        first, end = (self.boxes["image_id"].searchsorted(image_id, side=side) for side in ("left", "right"))
        own = self.boxes.iloc[first:end]
        chosen = own["box_id"].isin(list(subjects)).to_numpy()
        order = np.argsort(chosen, kind="stable")
        xyxy = own[list(COORDINATES)].to_numpy(np.float64)[order]
        outlines = [
            Outline((row[0], row[1], row[2], row[3]), _SUBJECT if is_subject else _OTHER)
            for row, is_subject in zip(xyxy.tolist(), chosen[order], strict=True)
            if np.isfinite(row).all()
        ]
        try:
            uri = thumbnail(self.dataset.photo_path(str(photo["split"]), image_id), outlines)
        except PhotoError:
            return None
        title = f" “{photo['title']}”" if pd.notna(photo["title"]) and photo["title"] else ""
        return Picture(uri, f"{photo['split']}/{image_id}", f"{text}{title}")


def _unanchored(shelf: _Shelf, audited: pd.DataFrame) -> Gallery:
    rows = audited[(audited["is_starved"] | audited["is_forced_only"]) & (audited["split"] == TRAIN)]
    rows = rows.sort_values(["is_starved", "best_anchor_iou"], ascending=[False, True], kind="stable")
    text = "Train boxes (red) that get no anchor at the threshold: starved ones first, then by rising IoU."
    return shelf.gallery("Boxes without an anchor at the threshold", text, rows, lambda row: _said(shelf, row))


def _in_holes(shelf: _Shelf, audited: pd.DataFrame, evidence: Evidence) -> Gallery:
    found = [facts.hole for facts in evidence.anchors.holes if facts.split == TRAIN] if evidence.anchors else []
    inside = np.zeros(len(audited), bool)
    for hole in found:
        inside |= hole.holds(audited["side_px"].to_numpy())
    rows = audited[inside & (audited["split"] == TRAIN)].sort_values("side_px", ascending=False, kind="stable")
    text = "Train boxes (red) of a size that anchors mostly miss, the largest first."
    return shelf.gallery("Boxes in size holes", text, rows, lambda row: _said(shelf, row))


def _said(shelf: _Shelf, row: pd.Series) -> str:
    outcome = "starved" if row["is_starved"] else "forced only" if row["is_forced_only"] else "matched"
    name = shelf.names[row["mid"]]
    side = "no area" if pd.isna(row["side_px"]) else f"side {row['side_px']:.0f} px"
    return f"{name}, {side}, best IoU {row['best_anchor_iou']:.2f}, {outcome}."


def _groups(shelf: _Shelf) -> Gallery:
    rows = shelf.boxes[shelf.boxes["is_group_of"] == 1]
    text = "Boxes (red) that the release calls a group, stripped or not: to a detector each is one object."

    def say(row: pd.Series) -> str:
        state = f"stripped ({row['stripped']})" if pd.notna(row["stripped"]) else "kept"
        return f"{shelf.names[row['mid']]}, {state}."

    return shelf.gallery("Group boxes", text, rows, say)


def _unverified(shelf: _Shelf, evidence: Evidence) -> Iterator[Gallery]:
    """For the two ordered pairs of classes with most photos to verify in train."""
    pairs = [pair for pair in evidence.data.pairs if pair.split == TRAIN and pair.num_unverified]
    seen = sightings(shelf.images, shelf.boxes, shelf.labels, Cells(evidence.classes, evidence.splits))
    for pair in sorted(pairs, key=lambda pair: -pair.num_unverified)[:2]:
        photos = seen.unverified(pair.mid, pair.other_mid)
        train = set(shelf.images.loc[shelf.images["split"] == TRAIN, "image_id"])
        own = [image_id for image_id in photos if image_id in train]
        title = f"{pair.other_display_name} never verified on photos of {pair.display_name}"
        text = f"Is there {pair.other_display_name} in one of these train photos? If so, it trains as background."
        pictures = (shelf.picture(image_id, (), f"{pair.display_name} boxed.") for image_id in own[:NUM_PICTURES])
        yield Gallery(title, text, len(own), tuple(picture for picture in pictures if picture))


def _duplicates(shelf: _Shelf, duplicates: pd.DataFrame, evidence: Evidence) -> Gallery:
    """Groups with photos of two splits, a group's photos side by side."""
    split = duplicates["image_id"].map(shelf.images["split"])
    rows = duplicates.assign(split=split)
    across = rows.groupby("group_id")["split"].transform("nunique") > 1
    rows = rows[across & rows["split"].isin(evidence.splits)]
    pictures = (
        shelf.picture(row["image_id"], (), f"Group {row['group_id']}, {row['kind']}, distance {row['distance']}.")
        for _, row in rows.head(NUM_PICTURES).iterrows()
    )
    text = "The same picture, or nearly, in two splits."
    found = tuple(picture for picture in pictures if picture)
    return Gallery("Duplicates across splits", text, len(rows), found)
