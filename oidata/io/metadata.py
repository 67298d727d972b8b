"""A release's class list, hierarchy and CSVs, from a source, through the cache."""

from __future__ import annotations

import csv
import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from oidata import sample
from oidata.core.labels import Hierarchy, Label, LabelMap
from oidata.core.release.rows import BOX_COLUMNS, IMAGE_COLUMNS, LABEL_COLUMNS
from oidata.errors import StorageError, TableError
from oidata.io import releases
from oidata.io.loop import run
from oidata.io.scan import TAKE_ANEW, Csv
from oidata.io.store import STALL_TIMEOUT_S, open_store

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

    from oidata.io.cache import Cache
    from oidata.io.releases import Release

OFFICIAL = "official"


@dataclass(frozen=True)
class Source:
    """Where a release comes from: as it was named, and the roots of metadata and photos."""

    name: str
    metadata_url: str
    photos_url: str

    @classmethod
    def of(cls, name: str) -> Source:
        """`official`, `sample:`, a URL, or a directory. Raises UsageError for anything else."""
        if name == OFFICIAL:
            return cls(name, releases.OFFICIAL_METADATA, releases.OFFICIAL_PHOTOS)
        if name == sample.NAME:
            return cls(name, sample.ROOT.as_uri(), sample.ROOT.as_uri())
        if name and "://" not in name and Path(name).is_dir():
            name = Path(name).resolve().as_uri()
        open_store(name)
        return cls(name, name.rstrip("/"), name.rstrip("/"))


@dataclass(frozen=True)
class Metadata:
    """The files of a release, each fetched into the cache when it is first asked for."""

    release: Release
    source: Source
    cache: Cache
    watch: Callable[[str], AbstractContextManager[Callable[[int, int], None]]]
    stall_timeout_s: float = STALL_TIMEOUT_S

    def class_list(self) -> LabelMap:
        """All classes of the release. Only the first line may be a header."""
        path = self._fetch(releases.class_list(self.release))
        labels = [_label(row, path, number) for number, row in _rows(path) if row]
        if labels and not labels[0].mid.startswith("/"):
            del labels[0]
        if not labels:
            raise TableError(f"{path} lists no class.", TAKE_ANEW)
        return LabelMap(tuple(labels))

    def hierarchy(self) -> Hierarchy:
        """The class hierarchy."""
        path = self._fetch(releases.HIERARCHY)
        try:
            return Hierarchy.from_json(json.loads(path.read_bytes()))
        except ValueError as error:
            raise TableError(f"{path} is no JSON: {error}.", TAKE_ANEW) from error
        except TableError as error:
            raise TableError(f"{path}: {error.message}", error.hint) from error
        except OSError as error:
            raise StorageError.unread(error, path) from error

    def boxes(self, split: str) -> Csv:
        """The boxes of a split."""
        return self._csv(releases.boxes(self.release, split), BOX_COLUMNS)

    def image_labels(self, split: str) -> Csv:
        """The human-verified image labels of a split."""
        return self._csv(releases.image_labels(self.release, split), LABEL_COLUMNS)

    def images(self, split: str) -> Csv:
        """The image metadata of a split."""
        return self._csv(releases.images(split), IMAGE_COLUMNS)

    def _csv(self, name: str, columns: tuple[str, ...]) -> Csv:
        is_downloaded = urlsplit(self.source.metadata_url).scheme != "file"
        table = Csv(self._fetch(name), columns, is_whole=is_downloaded)
        _ = table.header  # a file that is another is found out before the next one is downloaded
        return table

    def _fetch(self, name: str) -> Path:
        return run(self._fetch_async(name))

    async def _fetch_async(self, name: str) -> Path:
        published = releases.PUBLISHED.get(name) if self.source.name == OFFICIAL else None
        async with open_store(self.source.metadata_url, stall_timeout_s=self.stall_timeout_s) as store:
            with self.watch(name) as advance:
                return await self.cache.fetch(store, name, published, advance)


def _rows(path: Path) -> Iterator[tuple[int, list[str]]]:
    """The rows of a small CSV in UTF-8, each with the number, from 1, of the line that it ends in."""
    number = 0
    try:
        with path.open(encoding="utf-8-sig", newline=None) as file:
            reader = csv.reader(file)
            for row in reader:
                number = reader.line_num
                yield number, row
    except UnicodeDecodeError as error:
        raise TableError(f"{path} is no UTF-8: {error.reason}.", TAKE_ANEW) from None
    except csv.Error as error:
        raise TableError(f"{path}, line {number + 1}: {error}.", TAKE_ANEW) from None
    except OSError as error:
        raise StorageError.unread(error, path) from error


def _label(row: list[str], path: Path, number: int) -> Label:
    mid, name = (field.strip() for field in (*row, "", "")[:2])
    if not name or not (mid.startswith("/") or (mid and number == 1)):
        fault = f"{path}, line {number}: {','.join(row)[:80]!r} is no class."
        raise TableError(fault, f"A line is MID,name. {TAKE_ANEW}")
    return Label(mid, name)
