"""What a fetch has to say: what came, what did not and why, and where the release has less than was asked for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from oidata.core.tables import STATUSES
from oidata.core.words import counted
from oidata.dataset import ATTRIBUTION_NAME
from oidata.report.summary import Summary, Table

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import pandas as pd

    from oidata.core.release.selection import Quota
    from oidata.dataset import Dataset
    from oidata.io.download import PhotoResult

_NUM_REASONS = 5


@dataclass(frozen=True)
class FetchReport:
    """What a dataset holds after a fetch.

    photos: by split, how many have each status. boxes, photos_with: by split and MID, of the photos that are ok.
    num_absent: boxes on the other photos. downloaded: photos that came just now. reasons: of the first few photos that
    are not there. advice: what helps where photos failed. notes: where the data has less than was asked for.
    """

    directory: str
    classes: dict[str, str]
    photos: dict[str, dict[str, int]]
    boxes: dict[str, dict[str, int]]
    photos_with: dict[str, dict[str, int]]
    num_absent: int
    downloaded: int
    reasons: tuple[str, ...]
    advice: tuple[str, ...]
    notes: tuple[str, ...]

    @property
    def num_failed(self) -> int:
        """Photos that are not there, though the source may have them: see `advice`."""
        return sum(of_status["failed"] for of_status in self.photos.values())

    def summary(self) -> Summary:
        """For a person."""
        total = {status: sum(of_status[status] for of_status in self.photos.values()) for status in STATUSES}
        rows = {**self.photos, "total": total}
        photos = Table("Photos", ("split", *STATUSES), tuple((name, *row.values()) for name, row in rows.items()))
        num_boxes = sum(sum(of_class.values()) for of_class in self.boxes.values())
        headline = (
            f"{self.directory}: {counted(total['ok'], 'photo')} ({self.downloaded:,} downloaded now),"
            f" {counted(num_boxes, 'box', 'boxes')} of {', '.join(self.classes.values())}"
        )
        notes = (*self._uncounted(), *self.notes, *self.reasons, *self.advice)
        return Summary(headline, (photos, self._boxes_table()), notes)

    def _boxes_table(self) -> Table:
        rows = (
            (split, name, self.boxes[split][mid], self.photos_with[split][mid])
            for split in self.boxes
            for mid, name in self.classes.items()
        )
        return Table("Boxes, and photos that show the class", ("split", "class", "boxes", "photos"), tuple(rows))

    def _uncounted(self) -> Iterator[str]:
        if self.num_absent:
            yield f"Not counted: {counted(self.num_absent, 'box', 'boxes')} on photos that are not there."


def fetch_report(dataset: Dataset, quota: Quota, results: Sequence[PhotoResult], *, was_asked: bool) -> FetchReport:
    """Report on `dataset` after the photos of `results` were tried; `was_asked` is false for an offline source."""
    images = dataset.images()
    boxes = dataset.boxes().merge(images[["image_id", "split", "status"]], on="image_id")
    there = boxes[boxes["status"] == "ok"]
    by_class = there.groupby(["split", "mid"])["image_id"]
    num_boxes, num_photos = by_class.size(), by_class.nunique()
    splits, names = dataset.info.splits, dataset.info.classes.names
    status = images.groupby(["split", "status"]).size()
    return FetchReport(
        directory=str(dataset.path),
        classes=names,
        photos={split: {name: int(status.get((split, name), 0)) for name in STATUSES} for split in splits},
        boxes={split: {mid: int(num_boxes.get((split, mid), 0)) for mid in names} for split in splits},
        photos_with={split: {mid: int(num_photos.get((split, mid), 0)) for mid in names} for split in splits},
        num_absent=len(boxes) - len(there),
        downloaded=sum(result.status == "ok" and not result.was_there for result in results),
        reasons=_reasons(results),
        advice=tuple(_advice(sum(result.status == "failed" for result in results), was_asked=was_asked)),
        notes=tuple(_notes(dataset, images, boxes, quota)),
    )


def _reasons(results: Sequence[PhotoResult]) -> tuple[str, ...]:
    absent = [f"{result.status}: {result.reason}" for result in results if result.status != "ok"]
    more = (f"… and {len(absent) - _NUM_REASONS:,} more",) if len(absent) > _NUM_REASONS else ()
    return (*absent[:_NUM_REASONS], *more)


def _advice(num_failed: int, *, was_asked: bool) -> Iterator[str]:
    """What helps where photos failed."""
    photos = counted(num_failed, "photo")
    if num_failed and not was_asked:
        yield f"Not asked for: {photos}. Run the same command without --offline."
    elif num_failed:
        yield (
            f"Failed: {photos}. Where the source did not answer (5xx, 429, resets, stalls), run the same command again."
            " Where it refused (401, 403), check that it is open to you. Where it has other bytes than are recorded,"
            " they stay refused: fetch from a source that has the right ones, or into a new directory."
        )


def _notes(dataset: Dataset, images: pd.DataFrame, boxes: pd.DataFrame, quota: Quota) -> Iterator[str]:
    """Where the release has less than was asked for: photos count here whether or not they came."""
    names = dataset.info.classes.names
    num_photos = boxes.groupby(["split", "mid"])["image_id"].nunique()
    boxed = images["image_id"].isin(boxes["image_id"])
    for split in dataset.info.splits:
        of_split = images["split"] == split
        of_class = {name: int(num_photos.get((split, mid), 0)) for mid, name in names.items()}
        yield from _shortage(f"{split} photo", " of these classes", int((of_split & boxed).sum()), quota.limit)
        yield from _shortage(f"{split} negative", "", int((of_split & ~boxed).sum()), quota.negatives)
        for name in names.values():
            if of_class[name]:
                yield from _shortage(f"{split} photo", f" of {name}", of_class[name], quota.limit_per_class)
        if unseen := [name for name in names.values() if not of_class[name]]:
            yield f"No {split} photo in this dataset shows {' or '.join(unseen)}."
    unknown = int(images["license"].isna().sum())
    if unknown:
        yield f"The release has no metadata of {unknown:,} of these photos: {ATTRIBUTION_NAME} lacks their authors."


def _shortage(one: str, of_what: str, there: int, asked: int | None) -> Iterator[str]:
    if asked is not None and there < asked:
        yield f"The release has only {there:,} of the {counted(asked, one)}{of_what} asked for."
