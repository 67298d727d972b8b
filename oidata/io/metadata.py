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
from oidata.core.rows import BOX_COLUMNS, IMAGE_COLUMNS, LABEL_COLUMNS
from oidata.errors import TableError
from oidata.io import releases
from oidata.io.loop import run
from oidata.io.scan import Csv
from oidata.io.store import STALL_TIMEOUT_S, open_store

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

    from oidata.io.cache import Cache
    from oidata.io.releases import Release

OFFICIAL = "official"
SAMPLE = "sample:"


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
        if name == SAMPLE:
            return cls(name, sample.ROOT.as_uri(), sample.ROOT.as_uri())
        if not urlsplit(name).scheme and Path(name).is_dir():
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
        """All classes of the release."""
        path = self._fetch(releases.class_list(self.release))
        with path.open(encoding="utf-8-sig", newline=None) as file:
            labels = tuple(_label(row, path, number) for number, row in enumerate(csv.reader(file), start=1) if row)
        return LabelMap(tuple(label for label in labels if label.mid.startswith("/")))

    def hierarchy(self) -> Hierarchy:
        """The class hierarchy."""
        path = self._fetch(releases.HIERARCHY)
        try:
            return Hierarchy.from_json(json.loads(path.read_bytes()))
        except ValueError as error:
            raise TableError(f"{path} is no JSON: {error}.", "Take the file from the release again.") from error

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
        table = Csv(self._fetch(name), columns)
        _ = table.header  # a file that is another is found out before the next one is downloaded
        return table

    def _fetch(self, name: str) -> Path:
        return run(self._fetch_async(name))

    async def _fetch_async(self, name: str) -> Path:
        published = releases.PUBLISHED.get(name) if self.source.name == OFFICIAL else None
        async with open_store(self.source.metadata_url, stall_timeout_s=self.stall_timeout_s) as store:
            with self.watch(name) as advance:
                return await self.cache.fetch(store, name, published, advance)


def _label(row: list[str], path: Path, number: int) -> Label:
    if len(row) < 2 or not row[0].strip() or not row[1].strip():  # noqa: PLR2004 - id and name
        raise TableError(
            f"{path}, line {number}: {','.join(row)[:80]!r} is no class.",
            "A line is MID,name. Take the file from the release again.",
        )
    return Label(row[0].strip(), row[1].strip())
