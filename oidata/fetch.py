"""`oidata fetch`: class names in, a dataset out, with photos, boxes, verified labels and attribution."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, fields, replace
from functools import partial
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pandas as pd

from oidata.core.labels import LabelMap
from oidata.core.release import manifest
from oidata.core.release.selection import Quota, splits_of
from oidata.core.tables import IMAGES, SPLITS
from oidata.dataset import INFO_NAME, Dataset, DatasetInfo
from oidata.errors import DatasetError, SourceError, StorageError, UnknownClassError, UsageError
from oidata.io import files
from oidata.io.cache import Cache, default_directory
from oidata.io.download import PhotoJob, PhotoResult, download_photos
from oidata.io.loop import run
from oidata.io.metadata import OFFICIAL, Metadata, Source
from oidata.io.photos import PhotoFacts
from oidata.io.releases import Release, class_list, photo
from oidata.io.retry import Retry
from oidata.io.store import STALL_TIMEOUT_S, open_store
from oidata.io.subset import Choice, read_subset
from oidata.report.fetch_report import FetchReport, fetch_report
from oidata.report.progress import Progress, Silence, photo_by_photo

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from oidata.core.release.manifest import Pin
    from oidata.core.tables import Tables

DEFAULT_CONNECTIONS = 32
_FACTS = tuple(field.name for field in fields(PhotoFacts))


@dataclass(frozen=True)
class Request:
    """What to fetch. Everything here decides the rows of the dataset, and is recorded in it.

    splits: `val` is taken for validation, and they come to stand in the order of SPLITS; UsageError for others, and
    for a source without a name.
    """

    classes: tuple[str, ...]
    release: Release = Release.V5
    splits: tuple[str, ...] = SPLITS
    source: str = OFFICIAL
    include_subclasses: bool = False
    quota: Quota = field(default_factory=Quota)
    manifest: Path | None = None

    def __post_init__(self) -> None:
        """Give the splits their full names, and take no empty source for the working directory."""
        if not self.source:
            raise UsageError("The source is empty.", "Name one, or leave it out: the official servers are the default.")
        object.__setattr__(self, "splits", splits_of(self.splits))


@dataclass(frozen=True)
class Network:
    """How to fetch it: nothing here changes what comes out."""

    connections: int = DEFAULT_CONNECTIONS
    offline: bool = False
    cache: Path = field(default_factory=default_directory)
    retry: Retry = field(default_factory=Retry)
    stall_timeout_s: float = STALL_TIMEOUT_S


def fetch(
    directory: Path, request: Request, network: Network | None = None, progress: Progress | None = None
) -> FetchReport:
    """Make `directory` the dataset that `request` asks for, or complete it.

    What is there is kept (a photo, while its file has the recorded length): after a break, ask again. Raises
    UsageError, SourceError, TableError, StorageError, and DatasetError if the directory is a dataset made for another
    request, or something else.
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
        if tables is not None:
            dataset = _begun(dataset, tables)
        results = _have_photos(dataset, pins, source, network, progress)
    was_asked = not network.offline or urlsplit(source.photos_url).scheme == "file"
    return fetch_report(dataset, request.quota, results, was_asked=was_asked)


def _pins(request: Request) -> tuple[Pin, ...]:
    if request.manifest is None:
        return ()
    try:
        text = request.manifest.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise StorageError(f"Cannot read the manifest {request.manifest}: {reason}.", "Check its path.") from error
    return manifest.parse(text, str(request.manifest))


def _opened(directory: Path, request: Request, pins: Sequence[Pin], metadata: Metadata) -> Dataset:
    """The dataset if it is there and made for the same request; else one that is yet to be written."""
    try:
        files.check_writable(directory)
        there = _there(directory)
    except OSError as error:
        raise StorageError.of(error, directory) from error
    known = there.info.classes if there else LabelMap(())
    asked = _info(request, pins, _classes(request.classes, known, metadata))
    if there is None:
        return Dataset(directory, replace(asked, ancestors=_ancestors(asked.classes, metadata)))
    _check_same(there, asked)
    return there


def _begun(dataset: Dataset, tables: Tables) -> Dataset:
    """The dataset with its tables written. Under the lock: another fetch may have written some meanwhile."""
    there = _there(dataset.path)
    if there is None:
        dataset.begin(tables)
        return dataset
    _check_same(there, dataset.info)
    there.mend(tables)
    return there


def _there(directory: Path) -> Dataset | None:
    """The dataset in `directory`, or None where one may be made: no table is there, nor anything else."""
    if not Dataset.exists(directory):
        Dataset.check_free(directory)
        return None
    dataset = Dataset.open(directory)
    return dataset if dataset.is_begun() else None


def _classes(names: Sequence[str], known: LabelMap, metadata: Metadata) -> LabelMap:
    """The named classes. The release's list is asked for only if there are some that are not `known`."""
    try:
        return known.select(names)
    except UnknownClassError:
        classes = metadata.class_list()
    try:
        return classes.select(names)
    except UnknownClassError as error:
        listed_in = f"{metadata.source.metadata_url}/{class_list(metadata.release)}"
        raise UnknownClassError(error.name, error.close, listed_in) from None


def _ancestors(classes: LabelMap, metadata: Metadata) -> dict[str, list[str]] | None:
    """Of each class those of the others that it is a kind of; None where the hierarchy cannot be had."""
    if len(classes.labels) == 1:
        return {}
    try:
        hierarchy = metadata.hierarchy()
    except SourceError:
        return None
    above = {mid: [other for other in classes.mids if other in hierarchy.ancestors(mid)] for mid in classes.mids}
    return {mid: others for mid, others in above.items() if others}


def _info(request: Request, pins: Sequence[Pin], classes: LabelMap) -> DatasetInfo:
    splits = splits_of(pin.split for pin in pins) if pins else request.splits
    options = {
        "include_subclasses": request.include_subclasses,
        **asdict(request.quota),
        "manifest_sha256": manifest.digest(pins) if pins else None,
    }
    return DatasetInfo(str(request.release), Source.of(request.source).name, classes, splits, options)


def _check_same(dataset: Dataset, asked: DatasetInfo) -> None:
    """Refuse to mix two requests in one directory."""
    old, new = _terms(dataset.info), _terms(asked)
    if odd := sorted(old.keys() ^ new.keys()):
        message = f"{dataset.path / INFO_NAME} and this oidata do not know the same options: {', '.join(odd)}."
        raise DatasetError(message, "Use the oidata that wrote it, or fetch into a new directory.")
    differences = [_difference(name, old[name], new[name]) for name in old if old[name] != new[name]]
    if differences:
        message = f"{dataset.path} is a dataset made for another request: {'; '.join(differences)}."
        raise DatasetError(message, "Name another directory with -d DIR, or ask for the same.")


def _terms(info: DatasetInfo) -> dict[str, object]:
    """Everything that makes two requests differ, by the name that a person knows it by: options as they are typed."""
    classes = " and ".join(sorted(info.classes.names.values()))
    splits = " and ".join(info.splits)
    named = {"classes": classes, "--release": info.release, "--source": info.source, "--split": splits}
    options = {name.removesuffix("_sha256").replace("_", "-"): value for name, value in info.options.items()}
    return named | {f"--{name}": value for name, value in options.items()}


def _difference(name: str, old: object, new: object) -> str:
    """How a request that has `old` differs from one that has `new`; what is None, False or 0 was not asked for."""
    if not old or not new:
        value = old or new
        typed = name if value is True or name == "--manifest" else f"{name} {value}"
        return f"with {typed}" if old else f"without {typed}"
    return f"with another {name}" if name == "--manifest" else f"with {name} {old}, not {new}"


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
        store = open_store(source.photos_url, offline=network.offline, stall_timeout_s=network.stall_timeout_s)
        async with store:
            with photo_by_photo(progress, "photos tried", len(jobs)) as advance:
                return await download_photos(
                    store,
                    jobs,
                    connections=network.connections,
                    retry=network.retry,
                    advance=advance,
                )

    return run(download()) if jobs else []


def _recorded(images: pd.DataFrame, index: pd.Index, results: Sequence[PhotoResult]) -> pd.DataFrame:
    """IMAGES with the outcomes of the photos at `index`.

    A photo that did not come keeps what is recorded of it: whenever it comes, it must be that one.
    """
    facts = {row: asdict(result.facts) for row, result in zip(index, results, strict=True) if result.facts}
    new = pd.DataFrame(facts.values(), index=pd.Index(facts), columns=list(_FACTS))
    updated = images.copy()
    updated.loc[index, "status"] = [result.status for result in results]
    for name in _FACTS:
        updated.loc[new.index, name] = new[name].astype(images[name].dtype)
    return IMAGES.conform(updated)
