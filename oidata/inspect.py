"""`oidata inspect`: the dataset and a run's failures in the FiftyOne App, and the tags that are set there back here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import pandas as pd

from oidata.app import server
from oidata.app.database import fiftyone
from oidata.app.documents import documents, sample_id
from oidata.app.layout import arrange, save_views, view_names
from oidata.app.samples import find, find_or_make
from oidata.app.server import Place
from oidata.core.statistics import Cells
from oidata.core.tables import AUDIT_BOXES, Tables
from oidata.core.viewing.corrections import corrected, dropped_photos, tags_of
from oidata.core.viewing.inspection import Judged, inspection
from oidata.core.viewing.views import Of, counted, views, worst
from oidata.core.words import counted as in_words
from oidata.errors import DatasetError, PhotoError, UsageError
from oidata.io import files
from oidata.io.configs import read_config
from oidata.io.photos import UPRIGHT, without_exif
from oidata.report.inspect_report import InspectReport, PullReport, SavedView
from oidata.report.progress import Progress, Silence, photo_by_photo
from oidata.run_config import anchors_of, config_of, hash_of
from oidata.runs import Run, run_names

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from oidata.app.server import App
    from oidata.core.viewing.inspection import Inspection
    from oidata.core.viewing.views import Counted
    from oidata.dataset import Dataset

CACHE_NAME: Final = "inspect"


@dataclass(frozen=True)
class Request:
    """What to show, and under which name.

    run: by default the newest, if there is one. view: the one to open, by default that of the most failures. name: of
    the dataset in FiftyOne, by default as the directory is called.
    """

    run: str | None = None
    view: str | None = None
    name: str | None = None


def inspect(dataset: Dataset, request: Request | None = None, progress: Progress | None = None) -> InspectReport:
    """Make or refresh the FiftyOne dataset of a dataset, with saved views; `open_app` then shows it.

    What the user did in the App (tags, fields, views, labels drawn) is kept. Raises DatabaseError where FiftyOne has no
    database, UsageError for an unknown view and for a name that is taken, DatasetError for a run that is not there.
    """
    request, progress = request or Request(), progress or Silence()
    with files.locked(dataset.path):
        run = Run.open(dataset, request.run) if request.run is not None or run_names(dataset) else None
        seen = _Seen.of(dataset, run)
        all_views = counted(views(seen.inspection), seen.inspection)
        fo = fiftyone()
        known = find(fo, dataset.path, request.name)
        opened = _opened(request.view, all_views, [] if known is None else view_names(known))
        store = find_or_make(fo, dataset.path, request.name)
        paths = _paths(dataset, seen.tables.images)
        tags = tags_of(seen.tables.boxes, dataset.corrections(), dataset.info.classes)
        made = documents(seen.inspection, paths, tags, "" if run is None else str(run.hashes()))
        with photo_by_photo(progress, "photos put into FiftyOne", len(paths)) as advance:
            dropped = {sample_id(image_id) for image_id in dropped_photos(seen.tables.images)}
            store.refresh(made, dropped, advance, with_detections=run is not None)
        save_views(store, [each.view for each in all_views if each.number])
        opens_on = next((each.view.of for each in all_views if each.view.name == opened), Of.BOXES)
        arrange(store, opens_on, is_judged=seen.inspection.is_judged)
    shown = seen.inspection
    return InspectReport(
        directory=str(dataset.path),
        name=store.name,
        run=None if run is None else run.name,
        num_photos=len(shown.photos),
        num_boxes=len(shown.boxes),
        num_detections=0 if shown.detections is None else len(shown.detections),
        views=tuple(map(_saved, all_views)),
        opened=opened,
        notes=seen.notes,
    )


def open_app(dataset: Dataset, report: InspectReport, place: Place | None = None) -> App:
    """Open the App on what `inspect` reports. Raises UsageError where the port is taken."""
    store = find(fiftyone(), dataset.path, report.name)
    if store is None:
        raise DatasetError(f"FiftyOne's dataset {report.name} is gone.", "Run oidata inspect again.")
    return server.launch(store, place or Place(), report.opened)


def pull(dataset: Dataset, agree: Callable[[PullReport], bool], name: str | None = None) -> PullReport:
    """Bring the tags that were set in the App into the dataset, if `agree` says yes to the changes that this makes.

    `drop` on a ground-truth box is the strip reason user:drop, on a photo it drops that; `relabel:Cheese` gives a box
    another class. A tag that is taken off is taken back. Raises DatasetError where the App was never opened, UsageError
    for a tag that names no class; then nothing is written.
    """
    with files.locked(dataset.path):
        store = find(fiftyone(), dataset.path, name)
        if store is None:
            message = f"FiftyOne has no dataset of {dataset.path}: there is nothing to pull."
            raise DatasetError(message, "Run oidata inspect, and set tags in the App.")
        images, boxes = dataset.images(), dataset.boxes()
        new = corrected(images, boxes, dataset.corrections(), dataset.info.classes, store.tagged())
        report = PullReport(str(dataset.path), store.name, new.changes, is_written=False)
        if not new.changes or not agree(report):
            return report
        # At no moment is a box corrected of which nothing says what it was.
        dataset.write_corrections(pd.concat([dataset.corrections(), new.corrections]).drop_duplicates("box_id"))
        if not new.boxes.equals(boxes):
            dataset.write_boxes(new.boxes)
        if not new.images.equals(images):
            dataset.write_images(new.images)
        dataset.write_corrections(new.corrections)
    return PullReport(report.directory, report.name, report.changes, is_written=True)


@dataclass(frozen=True, eq=False)
class _Seen:
    """What there is to show: the tables of the photos that are there, what is known of them, and what is not."""

    tables: Tables
    inspection: Inspection
    notes: tuple[str, ...]

    @classmethod
    def of(cls, dataset: Dataset, run: Run | None) -> _Seen:
        """Look at a dataset, and at a run of it if there is one."""
        images = dataset.images()
        ok = images[images["status"] == "ok"]
        is_there = [dataset.photo_path(*photo).is_file() for photo in zip(ok["split"], ok["image_id"], strict=True)]
        tables = Tables(ok[is_there].reset_index(drop=True), dataset.boxes(), dataset.labels())
        if tables.images.empty:
            raise DatasetError(f"{dataset.path} has no photo to show.", "Run the same oidata fetch again.")
        config, _ = config_of(dataset, run)
        cells = Cells(dataset.info.classes, dataset.info.splits)
        numbers, not_known = anchors_of(dataset, tables, cells, config)
        duplicates = dataset.duplicates()
        judged, not_judged = (None, ()) if run is None else _judged(dataset, run, images)
        shown = inspection(
            tables, dataset.info.classes, AUDIT_BOXES.empty() if numbers is None else numbers.boxes, duplicates, judged
        )
        notes = [*not_judged, *not_known]
        if run is None:
            notes.append("No run: nothing was detected on these photos yet, so there are views of the dataset alone.")
        if duplicates is None:
            notes.append("Duplicates are not known: no audit looked at these photos as they are now. Run oidata audit.")
        if shown.num_below:
            below = in_words(shown.num_below, "detection")
            notes.append(f"Not shown: {below} below the score threshold of the evaluation.")
        if absent := len(ok) - len(tables.images):
            notes.append(f"Not shown: {in_words(absent, 'photo')} recorded as ok that are not there.")
        return cls(tables, shown, tuple(notes))


def _judged(dataset: Dataset, run: Run, images: pd.DataFrame) -> tuple[Judged, tuple[str, ...]]:
    """A run as it was evaluated, if it was, and what to say of that. `images` are all IMAGES.

    Of the photos that were looked at, those of other splits than the evaluation's are not judged.
    """
    detections, processed = run.detections(), frozenset(run.info.processed)
    evaluation = run.evaluation()
    if evaluation is None:
        note = f"The run {run.name} was not evaluated: its detections are shown without errors. Run oidata evaluate."
        return Judged(detections, processed), (note,)
    of_splits = images.loc[images["split"].isin(evaluation.get("splits") or run.info.splits), "image_id"]
    judged = Judged(detections, processed.intersection(of_splits), run.failures(), _thresholds(evaluation))
    now = {**dataset.hashes(), **run.hashes()}
    if (evaluation.get("config") or {}).get("origin") == "dataset" and dataset.config_path.is_file():
        now |= hash_of(read_config(dataset.config_path))
    made_from = evaluation.get("made_from") or {}
    if any(name in now and now[name] != sha256 for name, sha256 in made_from.items()):
        return judged, (f"The evaluation of {run.name} is older than the dataset: run oidata evaluate again.",)
    return judged, ()


def _thresholds(evaluation: dict[str, Any]) -> dict[str, float] | None:
    """By MID, the score from which a detection counted, as `oidata evaluate` noted it down."""
    points = evaluation.get("operating_points")
    return None if points is None else {point["mid"]: point["threshold"] for point in points}


def _opened(asked: str | None, all_views: list[Counted], others: list[str]) -> str | None:
    """The name of the view to open. Raises UsageError for one that there is not, or that is empty."""
    if asked is None:
        first = worst(all_views)
        return None if first is None else first.view.name
    there = [each.view.name for each in all_views if each.number]
    names = list(dict.fromkeys([*there, *others]))
    empty = [each.view.name for each in all_views if not each.number]
    found = {_key(name): name for name in [*names, *empty]}.get(_key(asked))
    if found is None or (found in empty):
        wrong = f"There is no view {asked!r}." if found is None else f"The view {found!r} is empty."
        raise UsageError(wrong, f"Choose one of: {'; '.join(name for name in names if name not in empty)}.")
    return found


def _key(name: str) -> str:
    """Views are found without regard to case, spaces and punctuation."""
    return "".join(letter for letter in name.casefold() if letter.isalnum())


def _paths(dataset: Dataset, images: pd.DataFrame) -> dict[str, str]:
    """Where each photo is, by image_id: of one with an EXIF orientation, a copy without, so that its boxes fit."""
    return dict(_shown(dataset, images))


def _shown(dataset: Dataset, images: pd.DataFrame) -> Iterator[tuple[str, str]]:
    cache = dataset.path.resolve() / CACHE_NAME
    columns = (images["image_id"], images["split"], images["exif_orientation"].fillna(UPRIGHT))
    for image_id, split, orientation in zip(*columns, strict=True):
        path = dataset.photo_path(split, image_id).resolve()
        if orientation != UPRIGHT:
            path = _copy(path, cache / f"{image_id}.jpg")
        yield image_id, str(path)


def _copy(photo: Path, copy: Path) -> Path:
    if not copy.is_file():
        files.make_directory(copy.parent)
        try:
            files.write_bytes(copy, without_exif(photo.read_bytes()))
        except PhotoError:
            return photo
    return copy


def _saved(each: Counted) -> SavedView:
    view = each.view
    first = f"{'most' if view.is_highest_first else 'least'} {view.worst}"
    return SavedView(view.name, view.says, view.of, each.number, each.num_photos, first)
