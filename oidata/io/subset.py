"""The tables of a subset, read from the metadata of a release."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pandas as pd

from oidata.core.release import rows as release_rows
from oidata.core.release import selection
from oidata.core.tables import BOXES, IMAGES, LABELS, Tables
from oidata.core.words import counted
from oidata.errors import TableError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from oidata.core.labels import Hierarchy, LabelMap
    from oidata.core.release.manifest import Pin
    from oidata.core.release.selection import Quota
    from oidata.io.metadata import Metadata
    from oidata.io.scan import Csv


@dataclass(frozen=True)
class Choice:
    """What a subset is to hold: classes, splits, how many photos, or just those of a manifest."""

    classes: LabelMap
    splits: Sequence[str]
    include_subclasses: bool
    quota: Quota
    pins: Sequence[Pin] = ()


def read_subset(metadata: Metadata, choice: Choice) -> Tables:
    """The tables of the chosen photos. A photo has the boxes of all chosen classes, whatever class brought it in.

    Raises TableError where a file is broken, or where there is no photo to choose.
    """
    hierarchy = metadata.hierarchy() if choice.include_subclasses else None
    splits = [_Split(metadata, choice, hierarchy, split).tables() for split in choice.splits]
    images = _stacked(IMAGES.empty(), (tables.images for tables in splits))
    if images.empty:
        names = ", ".join(label.display_name for label in choice.classes.labels)
        message = f"No photo of {metadata.source.name} shows {names} in {', '.join(choice.splits)}."
        raise TableError(message, "Check the source, or choose other classes or splits.")
    boxes = _stacked(BOXES.empty(), (tables.boxes for tables in splits))
    labels = _stacked(LABELS.empty(), (tables.labels for tables in splits))
    return Tables(IMAGES.conform(images), BOXES.conform(boxes), LABELS.conform(labels))


@dataclass(frozen=True)
class _Split:
    metadata: Metadata
    choice: Choice
    hierarchy: Hierarchy | None
    split: str

    def tables(self) -> Tables:
        box_rows, images = self.metadata.boxes(self.split), self.metadata.images(self.split)
        labels = self._labels(self.metadata.image_labels(self.split))
        image_ids = self._image_ids(box_rows, labels)
        return Tables(
            self._images(images, image_ids),
            self._boxes(box_rows, image_ids),
            labels[labels["image_id"].isin(image_ids)],
        )

    @property
    def _fold(self) -> dict[str, str]:
        mids = self.choice.classes.mids
        return self.hierarchy.fold(mids) if self.hierarchy else {mid: mid for mid in mids}

    def _labels(self, csv: Csv) -> pd.DataFrame:
        """LABELS of all photos of the split."""
        spoken = release_rows.evidence(self.choice.classes.mids, self._fold, self.hierarchy)
        csv.check_rows()
        rows = csv.class_rows({str(mid) for mid in spoken["label_mid"]})
        with csv.located():
            return release_rows.labels(rows, spoken)

    def _image_ids(self, csv: Csv, labels: pd.DataFrame) -> list[str]:
        """The chosen photos, sorted."""
        if self.choice.pins:
            return sorted(pin.image_id for pin in self.choice.pins if pin.split == self.split)
        rows = csv.class_rows(set(self._fold), ("ImageID", "LabelName"))
        with csv.located():
            classes_of = release_rows.classes_of(rows, self._fold)
        quota = self.choice.quota
        return sorted(selection.positives(classes_of, quota) + selection.negatives(classes_of.keys(), labels, quota))

    def _boxes(self, csv: Csv, image_ids: Sequence[str]) -> pd.DataFrame:
        """BOXES of the chosen photos; box_id counts on where a photo's rows stand in several places of the file."""
        with csv.located():
            num_before: Counter[str] = Counter()
            parts = []
            for rows in csv.image_rows(image_ids):
                parts.append(release_rows.boxes(rows, self._fold, num_before))
                num_before.update(rows["ImageID"])
        return _stacked(BOXES.empty(), parts)

    def _images(self, csv: Csv, image_ids: Sequence[str]) -> pd.DataFrame:
        """IMAGES of the chosen photos, none of them fetched."""
        with csv.located():
            parts = [release_rows.image_facts(rows) for rows in csv.image_rows(image_ids)]
        facts = _stacked(release_rows.image_facts(csv.empty()), parts)
        if self.choice.pins:
            self._check_known(csv, image_ids, facts)
        images = pd.DataFrame({"image_id": pd.Series(image_ids, dtype="str")})
        images = images.merge(facts, on="image_id", how="left").assign(split=self.split, status="failed")
        return IMAGES.conform(images.reindex(columns=[column.name for column in IMAGES.columns]))

    def _check_known(self, csv: Csv, image_ids: Sequence[str], facts: pd.DataFrame) -> None:
        unknown = sorted(set(image_ids) - set(facts["image_id"]))
        if unknown:
            message = f"{csv.path} has no row for {counted(len(unknown), 'photo')} of the manifest, first {unknown[0]}."
            raise TableError(message, "Check the manifest, its splits and the release.")


def _stacked(empty: pd.DataFrame, parts: Iterable[pd.DataFrame]) -> pd.DataFrame:
    filled = [part for part in parts if len(part)]
    return pd.concat(filled, ignore_index=True) if filled else empty
