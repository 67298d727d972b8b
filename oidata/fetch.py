"""`oidata fetch`: class names in, a dataset out, with photos, boxes, verified labels and attribution."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, fields
from functools import partial
from hashlib import sha256
from itertools import count
from typing import TYPE_CHECKING

import pandas as pd

from oidata.core import manifest
from oidata.core.labels import Label, LabelMap
from oidata.core.selection import Quota
from oidata.core.tables import IMAGES, SPLITS, STATUSES
from oidata.dataset import ATTRIBUTION_NAME, Dataset, DatasetInfo
from oidata.errors import DatasetError, StorageError, UnknownClassError
from oidata.io import files
from oidata.io.cache import Cache, default_directory
from oidata.io.download import PhotoJob, PhotoResult, download_photos
from oidata.io.loop import run
from oidata.io.metadata import OFFICIAL, Metadata, Source
from oidata.io.photos import PhotoFacts
from oidata.io.releases import Release, photo
from oidata.io.retry import Retry
from oidata.io.store import STALL_TIMEOUT_S, open_store
from oidata.io.subset import Choice, read_subset
from oidata.report.progress import Progress, Silence
from oidata.report.summary import Summary, Table

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from oidata.core.manifest import Pin

DEFAULT_CONNECTIONS = 32
_NUM_REASONS = 5
_FACTS = tuple(field.name for field in fields(PhotoFacts))


@dataclass(frozen=True)
class Request:
    """What to fetch. Everything here decides the rows of the dataset, and is recorded in it."""

    classes: tuple[str, ...]
    release: Release = Release.V5
    splits: tuple[str, ...] = SPLITS
    source: str = OFFICIAL
    include_subclasses: bool = False
    quota: Quota = field(default_factory=Quota)
    manifest: Path | None = None


@dataclass(frozen=True)
class Network:
    """How to fetch it: nothing here changes what comes out."""

    connections: int = DEFAULT_CONNECTIONS
    offline: bool = False
    cache: Path = field(default_factory=default_directory)
    retry: Retry = field(default_factory=Retry)
    stall_timeout_s: float = STALL_TIMEOUT_S


@dataclass(frozen=True)
class FetchReport:
    """What a dataset holds after a fetch.

    photos: by split, how many have each status. boxes, photos_with: by split and MID. downloaded: photos that came
    just now. reasons: of the first few photos that are not there. notes: where the data has less than was asked for.
    """

    directory: str
    classes: dict[str, str]
    photos: dict[str, dict[str, int]]
    boxes: dict[str, dict[str, int]]
    photos_with: dict[str, dict[str, int]]
    downloaded: int
    reasons: tuple[str, ...]
    notes: tuple[str, ...]

    @property
    def num_failed(self) -> int:
        """Photos that another try might bring."""
        return sum(of_status["failed"] for of_status in self.photos.values())

    def summary(self) -> Summary:
        """For a person."""
        total = {status: sum(of_status[status] for of_status in self.photos.values()) for status in STATUSES}
        rows = {**self.photos, "total": total}
        photos = Table("Photos", ("split", *STATUSES), tuple((name, *row.values()) for name, row in rows.items()))
        num_boxes = sum(sum(of_class.values()) for of_class in self.boxes.values())
        headline = (
            f"{self.directory}: {total['ok']:,} photos ({self.downloaded:,} downloaded now),"
            f" {num_boxes:,} boxes of {', '.join(self.classes.values())}"
        )
        return Summary(headline, (photos, self._boxes_table()), (*self.notes, *self.reasons, *self._advice()))

    def _boxes_table(self) -> Table:
        columns = [column for name in self.classes.values() for column in (f"{name} boxes", "photos")]
        rows = (
            (
                split,
                *(n for mid in self.classes for n in (self.boxes[split][mid], self.photos_with[split][mid])),
            )
            for split in self.boxes
        )
        return Table("Boxes, and photos that show the class", ("split", *columns), tuple(rows))

    def _advice(self) -> Iterator[str]:
        if self.num_failed:
            yield f"{self.num_failed:,} photos failed for a reason that may pass: run the same command again."


def fetch(
    directory: Path, request: Request, network: Network | None = None, progress: Progress | None = None
) -> FetchReport:
    """Make `directory` the dataset that `request` asks for, or complete it.

    What is there and whole is kept: after a break, ask again. Raises UsageError, SourceError, TableError,
    StorageError, and DatasetError if the directory is a dataset made for another request, or something else.
    """
    network, progress = network or Network(), progress or Silence()
    pins = _pins(request)
    source = Source.of(request.source)
    cache = Cache(network.cache, network.offline, network.retry)
    watch = partial(progress.task, unit="bytes")
    metadata = Metadata(request.release, source, cache, watch, network.stall_timeout_s)
    dataset = _opened(directory, request, pins, metadata)
    choice = Choice(dataset.info.classes, dataset.info.splits, request.include_subclasses, request.quota, pins)
    tables = None if dataset.has_tables() else read_subset(metadata, choice)
    with files.locked(directory):
        if tables is not None and not dataset.has_tables():
            dataset.begin(tables)
        results = _have_photos(dataset, pins, source, network, progress)
    return _report(dataset, request.quota, results)


def _pins(request: Request) -> tuple[Pin, ...]:
    if request.manifest is None:
        return ()
    try:
        text = request.manifest.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise StorageError(f"Cannot read the manifest {request.manifest}: {error}.", "Check its path.") from error
    return manifest.parse(text, str(request.manifest))


def _opened(directory: Path, request: Request, pins: Sequence[Pin], metadata: Metadata) -> Dataset:
    """The dataset if it is there and made for the same request; else one that is yet to be written."""
    files.check_writable(directory)
    if not Dataset.exists(directory):
        Dataset.check_free(directory)
        return Dataset(directory, _info(request, pins, metadata.class_list().select(request.classes)))
    dataset = Dataset.open(directory)
    _check_same(dataset, request, pins)
    return dataset


def _info(request: Request, pins: Sequence[Pin], classes: LabelMap) -> DatasetInfo:
    splits = {pin.split for pin in pins} or set(request.splits)
    pinned = "\n".join(f"{pin.split}/{pin.image_id}\t{pin.sha256}" for pin in pins)
    options = {
        "include_subclasses": request.include_subclasses,
        **asdict(request.quota),
        "manifest_sha256": sha256(pinned.encode()).hexdigest() if pins else None,
    }
    ordered = tuple(split for split in SPLITS if split in splits)
    return DatasetInfo(str(request.release), Source.of(request.source).name, classes, ordered, options)


def _check_same(dataset: Dataset, request: Request, pins: Sequence[Pin]) -> None:
    """Refuse to mix two requests in one directory."""
    there = dataset.info
    try:
        asked = _info(request, pins, there.classes.select(request.classes))
    except UnknownClassError:
        asked = _info(request, pins, LabelMap(tuple(Label(name, name) for name in request.classes)))
    pairs = zip(_terms(there).items(), _terms(asked).values(), strict=True)
    differences = [f"its {name} is {old}, not {new}" for (name, old), new in pairs if old != new]
    if differences:
        message = f"{dataset.path} is a dataset made for another request: {'; '.join(differences)}."
        raise DatasetError(message, "Name another directory with -d DIR, or ask for the same.")


def _terms(info: DatasetInfo) -> dict[str, object]:
    """Everything that makes two requests differ, by the name that a person knows it by."""
    classes = ", ".join(sorted(info.classes.names.values()))
    names = {
        "classes": classes,
        "release": info.release,
        "source": info.source,
        "splits": ", ".join(info.splits),
    }
    return names | {name.replace("_", "-"): value for name, value in info.options.items()}


def _have_photos(
    dataset: Dataset, pins: Sequence[Pin], source: Source, network: Network, progress: Progress
) -> list[PhotoResult]:
    """Have the photos that are not there yet, and record what became of them."""
    images = dataset.images()
    todo = images[~_is_there(dataset, images)]
    pinned = {pin.image_id: pin.sha256 for pin in pins}
    jobs = [
        PhotoJob(photo(split, image_id), dataset.photo_path(split, image_id), recorded or pinned.get(image_id, ""))
        for split, image_id, recorded in zip(todo["split"], todo["image_id"], todo["sha256"].fillna(""), strict=True)
    ]
    results = _download(jobs, source, network, progress)
    dataset.write_images(_recorded(images, todo.index, results))
    return results


def _is_there(dataset: Dataset, images: pd.DataFrame) -> pd.Series:
    """Whether a photo is recorded as ok and its file still has the recorded length."""
    paths = (dataset.photo_path(*name) for name in zip(images["split"], images["image_id"], strict=True))
    sizes = pd.Series([path.stat().st_size if path.is_file() else -1 for path in paths], index=images.index)
    return (images["status"] == "ok") & (sizes == images["size_bytes"]).fillna(value=False)


def _download(jobs: Sequence[PhotoJob], source: Source, network: Network, progress: Progress) -> list[PhotoResult]:
    async def download() -> list[PhotoResult]:
        done = count(1)
        store = open_store(source.photos_url, offline=network.offline, stall_timeout_s=network.stall_timeout_s)
        async with store:
            with progress.task("photos", unit="photos") as tell:
                return await download_photos(
                    store,
                    jobs,
                    connections=network.connections,
                    retry=network.retry,
                    advance=lambda: tell(next(done), len(jobs)),
                )

    return run(download()) if jobs else []


def _recorded(images: pd.DataFrame, index: pd.Index, results: Sequence[PhotoResult]) -> pd.DataFrame:
    """IMAGES with the outcomes of the photos at `index`."""
    facts = [asdict(result.facts) if result.facts else dict.fromkeys(_FACTS) for result in results]
    new = pd.DataFrame(facts, index=index, columns=list(_FACTS))
    updated = images.copy()
    updated.loc[index, "status"] = [result.status for result in results]
    for name in _FACTS:
        updated.loc[index, name] = new[name].astype(images[name].dtype)
    return IMAGES.conform(updated)


def _report(dataset: Dataset, quota: Quota, results: Sequence[PhotoResult]) -> FetchReport:
    images, boxes = dataset.images(), dataset.boxes()
    split_of = images.set_index("image_id")["split"]
    by_class = boxes.assign(split=boxes["image_id"].map(split_of)).groupby(["split", "mid"])["image_id"]
    num_boxes, num_photos = by_class.size(), by_class.nunique()
    splits, names = dataset.info.splits, dataset.info.classes.names
    status = images.groupby(["split", "status"]).size()
    return FetchReport(
        directory=str(dataset.path),
        classes=names,
        photos={split: {name: int(status.get((split, name), 0)) for name in STATUSES} for split in splits},
        boxes={split: {mid: int(num_boxes.get((split, mid), 0)) for mid in names} for split in splits},
        photos_with={split: {mid: int(num_photos.get((split, mid), 0)) for mid in names} for split in splits},
        downloaded=sum(result.status == "ok" and not result.was_there for result in results),
        reasons=_reasons(results),
        notes=tuple(_notes(dataset, images, num_photos, quota)),
    )


def _reasons(results: Sequence[PhotoResult]) -> tuple[str, ...]:
    absent = [f"{result.status}: {result.reason}" for result in results if result.status != "ok"]
    more = (f"… and {len(absent) - _NUM_REASONS:,} more",) if len(absent) > _NUM_REASONS else ()
    return (*absent[:_NUM_REASONS], *more)


def _notes(dataset: Dataset, images: pd.DataFrame, num_photos: pd.Series, quota: Quota) -> Iterator[str]:
    """Where the release has less than was asked for."""
    boxed = images["image_id"].isin(dataset.boxes()["image_id"])
    for split in dataset.info.splits:
        of_split = images["split"] == split
        yield from _shortage(f"{split} photos of these classes", int((of_split & boxed).sum()), quota.limit)
        yield from _shortage(f"{split} negatives", int((of_split & ~boxed).sum()), quota.negatives)
        for mid, name in dataset.info.classes.names.items():
            of_class = int(num_photos.get((split, mid), 0))
            if not of_class:
                yield f"No {split} photo in this dataset shows {name}."
            else:
                yield from _shortage(f"{split} photos of {name}", of_class, quota.limit_per_class)
    unknown = int(images["license"].isna().sum())
    if unknown:
        yield f"The release has no metadata of {unknown:,} of these photos: {ATTRIBUTION_NAME} lacks their authors."


def _shortage(what: str, there: int, asked: int | None) -> Iterator[str]:
    if asked is not None and there < asked:
        yield f"Only {there:,} {what} exist; {asked:,} were asked for."
