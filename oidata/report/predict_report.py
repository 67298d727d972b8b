"""What a prediction has to say: what a model found, by whose names, and which photos and detections are left out."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Final

from oidata import __version__
from oidata.core.words import counted, listed
from oidata.report.summary import Share, Summary, Table

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    import pandas as pd

    from oidata.dataset import Dataset
    from oidata.runs import Run

REPORT_VERSION = 1
_MOST_PHOTOS: Final = 5
LABEL_MAP_ORIGINS: Final = {
    "given": "as given",
    "near": "which lies near the model, since none was given: name another with --label-map",
    "dataset": "that of this dataset's shards, since none was given and none lies near the model: if it was trained "
    "with another, name that with --label-map",
}


@dataclass(frozen=True)
class SplitPhotos:
    """The photos of a split that the model looked at, and those of them on which it found something."""

    split: str
    num_photos: int
    num_with_detections: int


@dataclass(frozen=True)
class ClassDetections:
    """What was found of a class: detections, photos, and the best score; no class_id where the model lacks it."""

    mid: str
    display_name: str
    class_ids: tuple[int, ...]
    num_detections: int
    num_photos: int
    best_score: float | None


@dataclass(frozen=True)
class Now:
    """What happened just now.

    label_map: its path. label_map_origin: where it comes from, of LABEL_MAP_ORIGINS. num_there: photos that were looked
    at earlier. replaced: whether a run of another model, or with other settings, had that name. unreadable: why, by
    photo (split/image_id), of those that could not be looked at.
    """

    label_map: str
    label_map_origin: str
    num_there: int
    replaced: bool
    unreadable: dict[str, str]


@dataclass(frozen=True)
class PredictReport:
    """A run that is whole.

    directory: of the run. model, sha256, config, score_threshold, left_out: as oidata.runs.RunInfo has them.
    other_classes: of the model, which the dataset does not have.
    """

    directory: str
    name: str
    model: str
    sha256: str
    config: str | None
    score_threshold: float
    splits: tuple[SplitPhotos, ...]
    classes: tuple[ClassDetections, ...]
    left_out: dict[str, int]
    other_classes: tuple[str, ...]
    now: Now

    def to_dict(self) -> dict[str, object]:
        """For `--json`. A change that breaks readers raises report_version."""
        values = {name: value for name, value in asdict(self).items() if name != "now"}
        return {"report_version": REPORT_VERSION, "oidata_version": __version__, **values, **asdict(self.now)}

    def summary(self) -> Summary:
        """For a person."""
        num_photos = sum(each.num_photos for each in self.splits)
        num_detections = sum(each.num_detections for each in self.classes)
        headline = (
            f"{self.directory}: {counted(num_photos, 'photo')} ({self.now.num_there:,} already there),"
            f" {counted(num_detections, 'detection')} of {listed([each.display_name for each in self.classes])}"
        )
        return Summary(headline, (self._photos_table(), self._classes_table()), tuple(self._notes()))

    def _photos_table(self) -> Table:
        rows = (
            (each.split, each.num_photos, each.num_with_detections, Share(each.num_with_detections, each.num_photos))
            for each in self.splits
        )
        return Table("Photos", ("split", "photos", "with detections", "share"), tuple(rows))

    def _classes_table(self) -> Table:
        rows = (
            (
                each.display_name,
                ", ".join(map(str, each.class_ids)) or None,
                each.num_detections,
                each.num_photos,
                each.best_score,
            )
            for each in self.classes
        )
        columns = ("class", "id in the model", "detections", "photos", "best score")
        return Table(f"Detections that score above {self.score_threshold:g}", columns, tuple(rows))

    def _notes(self) -> Iterator[str]:
        if self.now.replaced:
            yield f"The run {self.name} of another model, or with other settings, was replaced."
        yield f"Label map: {self.now.label_map}, {LABEL_MAP_ORIGINS[self.now.label_map_origin]}."
        if self.config:
            yield f"Config: {self.config}, copied into the run."
        if lacking := [each.display_name for each in self.classes if not each.class_ids]:
            yield f"Warning: the label map lacks {listed(lacking)}, so that the model finds none of it."
        if self.other_classes:
            classes = counted(len(self.other_classes), "class", "classes")
            yield f"The dataset lacks {classes} of the model: {listed(self.other_classes)}."
        for reason, number in self.left_out.items():
            yield f"Left out: {counted(number, 'detection')} {reason}."
        if self.now.unreadable:
            yield from self._on_unreadable()

    def _on_unreadable(self) -> Iterator[str]:
        photos = counted(len(self.now.unreadable), "photo")
        yield f"Warning: {photos} could not be looked at; the run says nothing of them, and the next try asks again."
        for photo, reason in list(self.now.unreadable.items())[:_MOST_PHOTOS]:
            yield f"{photo}: {reason}"
        if (more := len(self.now.unreadable) - _MOST_PHOTOS) > 0:
            yield f"… and {more:,} more"


def predict_report(dataset: Dataset, run: Run, names: Mapping[int, str], now: Now) -> PredictReport:
    """Report on a run that is whole; `names` are what the class ids of the model stand for, MIDs or other names."""
    images, detections, info = dataset.images(), run.detections(), run.info
    classes = dataset.info.classes.names
    split_of = dict(zip(images["image_id"], images["split"], strict=True))
    return PredictReport(
        directory=str(run.path),
        name=run.name,
        model=info.source,
        sha256=info.sha256,
        config=info.config,
        score_threshold=info.score_threshold,
        splits=tuple(_split_photos(run, split_of, set(detections["image_id"]))),
        classes=tuple(_class_detections(classes, names, detections)),
        left_out=info.left_out,
        other_classes=tuple(name for name in names.values() if name not in classes),
        now=now,
    )


def _split_photos(run: Run, split_of: Mapping[str, str], found_on: Collection[str]) -> Iterator[SplitPhotos]:
    for split in run.info.splits:
        photos = [name for name in run.info.processed if split_of.get(name) == split]
        yield SplitPhotos(split, len(photos), sum(name in found_on for name in photos))


def _class_detections(
    classes: Mapping[str, str], names: Mapping[int, str], detections: pd.DataFrame
) -> Iterator[ClassDetections]:
    of_class = dict(iter(detections.groupby("mid")))
    for mid, display_name in classes.items():
        ids = tuple(number for number, name in names.items() if name == mid)
        rows = of_class.get(mid, detections.head(0))
        best = float(rows["score"].max()) if len(rows) else None
        yield ClassDetections(mid, display_name, ids, len(rows), rows["image_id"].nunique(), best)
