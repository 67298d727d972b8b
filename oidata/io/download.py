"""Many photos at once: each is retried, verified, hashed, and only then given its name."""

from __future__ import annotations

import asyncio
import random
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal
from urllib.parse import urlsplit

from oidata.errors import NotFoundError, PhotoError, SourceError, StorageError, TransientError
from oidata.io import files
from oidata.io.photos import PhotoFacts, photo_facts
from oidata.io.retry import Pace, Retry

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from oidata.io.photos import Bytes
    from oidata.io.store import Store


@dataclass(frozen=True)
class PhotoJob:
    """A photo to have: its path at the source, where to put it, and its SHA-256 if other bytes are an error."""

    name: str
    target: Path
    sha256: str = ""


@dataclass(frozen=True)
class PhotoResult:
    """What became of a job.

    missing: the source has no such file. corrupt: what it serves is no whole JPEG. failed: the source may have it, and
    another try may mend it, or the source has to be opened first. `facts` is there if, and only if, the photo is (ok).
    """

    status: Literal["ok", "missing", "corrupt", "failed"]
    facts: PhotoFacts | None = None
    reason: str = ""
    was_there: bool = False


class OtherBytesError(PhotoError):
    """A whole photo, but not the one that was asked for."""


async def download_photos(
    store: Store,
    jobs: Sequence[PhotoJob],
    *,
    connections: int,
    retry: Retry | None = None,
    advance: Callable[[], None] | None = None,
) -> list[PhotoResult]:
    """Have all photos in place; one result for each job, in order. A photo that is there and whole is kept.

    `advance` is called once for each photo. Raises StorageError if the file system refuses.
    """
    for directory in {job.target.parent for job in jobs}:
        files.make_directory(directory)
    retry = retry or Retry()
    crew = _Crew(store, retry, advance or (lambda: None), give_up_after=2 * connections * retry.attempts)
    results: list[PhotoResult] = [PhotoResult("failed")] * len(jobs)
    # In another order each time: what a run that gives up has not tried is tried by a later one.
    todo = iter(random.sample(range(len(jobs)), len(jobs)))

    async def work() -> None:
        for index in todo:
            results[index] = await crew.have(jobs[index])
            await asyncio.sleep(0)  # photos that are there would keep the loop, and Ctrl-C, from its turn

    try:
        async with asyncio.TaskGroup() as group:
            for _ in range(min(connections, len(jobs))):
                group.create_task(work())
    except ExceptionGroup as errors:
        raise errors.exceptions[0] from errors
    return results


class _Crew:
    """What the connections share: the store, its pace, the writers, and when to give up on it."""

    def __init__(self, store: Store, retry: Retry, advance: Callable[[], None], give_up_after: int) -> None:
        self._store = store
        # Asking a local directory again changes nothing.
        self._retry = Retry(attempts=1) if urlsplit(store.url).scheme == "file" else retry
        self._advance = advance
        self._give_up_after = give_up_after
        self._unanswered = 0  # tries in a row, of all connections
        self._pace = Pace()

    async def have(self, job: PhotoJob) -> PhotoResult:
        """Have one photo in place."""
        result = await self._look(job) or await self._fetch(job)
        self._advance()
        return result

    async def _look(self, job: PhotoJob) -> PhotoResult | None:
        """The photo if it is there and whole: one that a stopped run left, say."""
        try:
            return PhotoResult("ok", _facts(job, job.target.read_bytes()), was_there=True)
        except (FileNotFoundError, OtherBytesError):
            return None
        except PhotoError:
            files.remove(job.target)  # what is cut or damaged must not stand there as a photo if no other comes
            return None
        except OSError as error:
            raise StorageError.unread(error, job.target, "Remove it, or change its permissions.") from error

    async def _fetch(self, job: PhotoJob) -> PhotoResult:
        result = PhotoResult("failed", reason="not tried: the source has stopped answering")
        for attempt in range(self._retry.attempts):
            if self._unanswered >= self._give_up_after:
                break
            await self._pace.ready()
            result, is_final = await self._try(job)
            if is_final or attempt + 1 == self._retry.attempts:
                break
            await asyncio.sleep(self._retry.wait_s(attempt))
        return result

    async def _try(self, job: PhotoJob) -> tuple[PhotoResult, bool]:
        """One try, and whether another one now would change nothing."""
        try:
            result = await self._asked(job)
        except TransientError as error:
            self._unanswered += 1
            self._pace.hold(min(error.retry_after_s, self._retry.asked_max_s))
            return PhotoResult("failed", reason=error.message), False
        self._unanswered = 0
        return result

    async def _asked(self, job: PhotoJob) -> tuple[PhotoResult, bool]:
        """What the source answers; raises TransientError where it does not."""
        try:
            body = await self._store.get(job.name)
            facts = _facts(job, body)
            files.write_bytes(job.target, body)
            return PhotoResult("ok", facts), True
        except NotFoundError as error:
            return PhotoResult("missing", reason=error.message.removesuffix(".")), True
        except TransientError:
            raise
        except SourceError as error:
            return PhotoResult("failed", reason=error.message.removesuffix(".")), True
        except OtherBytesError as error:
            return PhotoResult("failed", reason=f"{job.name}: {error.message}"), False
        except PhotoError as error:
            return PhotoResult("corrupt", reason=f"{job.name}: {error.message}"), False


def _facts(job: PhotoJob, data: Bytes) -> PhotoFacts:
    """The facts of a photo that is whole and the one asked for; raises PhotoError for any other.

    Hashing is done on the event loop: to hand a photo to a thread and back takes as long.
    """
    facts = photo_facts(data)
    if job.sha256 and facts.sha256 != job.sha256:
        raise OtherBytesError(f"its SHA-256 is {facts.sha256}, not {job.sha256} as recorded")
    return facts
