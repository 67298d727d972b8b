"""Metadata files, downloaded once: resumed after a break, checked, and used again while the source has the same."""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import re
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from filelock import FileLock

from oidata.errors import NotFoundError, SourceError, StorageError, TransientError
from oidata.io import files
from oidata.io.retry import Retry
from oidata.io.store import Stat

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from oidata.io.releases import Published
    from oidata.io.store import Store


def default_directory() -> Path:
    """`$OIDATA_CACHE`, else `oidata` in the XDG cache directory."""
    if own := os.environ.get("OIDATA_CACHE"):
        return Path(own)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "oidata"


@dataclass(frozen=True)
class Cache:
    """A directory of metadata files, by source. What is read from file:// is used in place."""

    directory: Path
    offline: bool = False
    retry: Retry = field(default_factory=Retry)

    def path_of(self, url: str, name: str) -> Path:
        """Where the file `name` of the source `url` is kept."""
        if urlsplit(url).scheme == "file":
            return Path(unquote(urlsplit(url).path)) / name
        readable = re.sub(r"[^A-Za-z0-9.]+", "-", url.partition("://")[2]).strip("-")[:60]
        return self.directory / f"{readable}-{hashlib.sha256(url.encode()).hexdigest()[:8]}" / name

    async def fetch(
        self,
        store: Store,
        name: str,
        published: Published | None = None,
        advance: Callable[[int, int], None] | None = None,
    ) -> Path:
        """The local path of a file that is whole, downloaded now if need be.

        `advance` is told the bytes that are there and the bytes in all while they come. Raises SourceError
        (NotFoundError, if the source has no such file), StorageError.
        """
        path = self.path_of(store.url, name)
        if urlsplit(store.url).scheme == "file":
            return _existing(path, f"{store.url} has no {name}.", "Check the source and the release.")
        if self.offline:
            return _existing(path, f"{name} is not in the cache {self.directory}.", "Run once without --offline.")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with FileLock(path.with_name(f".{path.name}.lock")):
                await _Download(store, name, path, self.retry, advance or _nobody).run(published)
        except OSError as error:
            raise StorageError.of(error, path) from error
        return path


@dataclass(frozen=True)
class _Download:
    """One file on its way from a store to `path`. A note beside it, and one beside its beginning, name the versions.

    What is there stays until another version is whole and verified.
    """

    store: Store
    name: str
    path: Path
    retry: Retry
    advance: Callable[[int, int], None]

    async def run(self, published: Published | None) -> None:
        stat = await self._patiently(lambda: self.store.stat(self.name))
        if published and published.size_bytes != stat.size_bytes:
            raise SourceError(
                f"{self.store.url}/{self.name} has {stat.size_bytes} bytes; {published.size_bytes} were published.",
                "The source holds another version: report it, or name a mirror with --source.",
            )
        if _noted(self.path) == stat and self.path.exists() and self.path.stat().st_size == stat.size_bytes:
            return
        if _noted(self._partial) != stat:
            self._partial.unlink(missing_ok=True)
            files.write_text(_note_of(self._partial), json.dumps(asdict(stat)))
        await self._complete(stat)
        self._verify(stat, published)
        _note_of(self.path).unlink(missing_ok=True)  # a stop between the next two lines must not leave the old one
        self._partial.replace(self.path)
        _note_of(self._partial).replace(_note_of(self.path))

    @property
    def _partial(self) -> Path:
        return files.partial_of(self.path)

    async def _complete(self, stat: Stat) -> None:
        """Append to the partial file until it is whole; a try that gets further than any before is not counted."""
        failures, furthest = 0, self._have()
        self._partial.touch()
        while (have := self._have()) < stat.size_bytes:
            error = await self._tried(have, stat)
            failures = 0 if self._have() > furthest else failures + 1
            furthest = max(furthest, self._have())
            if failures >= self.retry.attempts:
                raise SourceError(f"{error.message}.", "Check the network and run the same command again.") from error
            if self._have() < stat.size_bytes:
                await asyncio.sleep(self.retry.wait_s(failures, error.retry_after_s))

    async def _tried(self, have: int, stat: Stat) -> TransientError:
        """Ask for what is lacking once; what is to be said where it is not all that came."""
        try:
            await self._append(have, stat)
        except TransientError as error:
            return error
        return TransientError(f"{self.store.url}/{self.name} ends before its announced length")

    async def _append(self, have: int, stat: Stat) -> None:
        async with self.store.open(self.name, have, stat) as body:
            with self._partial.open("r+b" if have else "wb") as file:
                file.seek(body.start)
                file.truncate()
                async for chunk in body.chunks:
                    file.write(chunk)
                    self.advance(file.tell(), stat.size_bytes)

    def _have(self) -> int:
        return self._partial.stat().st_size if self._partial.exists() else 0

    def _verify(self, stat: Stat, published: Published | None) -> None:
        if self._have() != stat.size_bytes:
            self._refuse(f"{self._have()} bytes came, {stat.size_bytes} were announced")
        if published and published.sha256 and _sha256(self._partial) != published.sha256:
            self._refuse("its SHA-256 is not the published one")

    def _refuse(self, fault: str) -> None:
        self._partial.unlink()
        raise SourceError(
            f"{self.store.url}/{self.name}: {fault}.", "Run the same command again, or choose another source."
        )

    async def _patiently(self, ask: Callable[[], Awaitable[Stat]]) -> Stat:
        attempt = 0
        while True:
            try:
                return await ask()
            except TransientError as error:
                attempt += 1
                if attempt >= self.retry.attempts:
                    raise SourceError(
                        f"{error.message}.",
                        "Check the source and the network, or name a mirror with --source.",
                    ) from error
                await asyncio.sleep(self.retry.wait_s(attempt, error.retry_after_s))


def _note_of(path: Path) -> Path:
    return path.with_name(f".{path.name.removeprefix('.')}.json")


def _noted(path: Path) -> Stat | None:
    """The version of a file, by the note beside it."""
    try:
        return Stat(**json.loads(_note_of(path).read_text(encoding="utf-8")))
    except (FileNotFoundError, ValueError, TypeError):
        return None


def _existing(path: Path, message: str, hint: str) -> Path:
    if not path.is_file():
        raise NotFoundError(message, hint)
    return path


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _nobody(_have: int, _total: int) -> None:
    """Tell nobody."""
