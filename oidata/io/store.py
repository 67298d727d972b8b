"""A source of files: one root, official paths below it, read over http(s)://, s3://, gs:// or file://.

Everything that can go wrong comes out as one of three errors: NotFoundError, TransientError (try again) or
SourceError (do not).
"""

from __future__ import annotations

import os
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any, Protocol, Self
from urllib.parse import quote, unquote, urlsplit

from oidata import __version__
from oidata.errors import NotFoundError, SourceError, TransientError, UsageError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from types import TracebackType

    from pyreqwest.client import Client
    from pyreqwest.response import Response

CONNECT_TIMEOUT_S = 10.0
STALL_TIMEOUT_S = 30.0
_TRANSIENT_STATUS = frozenset({408, 425, 429, *range(500, 600)})
_NOT_FOUND_STATUS = frozenset({404, 410})
_NUM_REDIRECTS = 10


@dataclass(frozen=True)
class Stat:
    """A file at its source: length in bytes, and a tag that changes when its content does ("" if none is told)."""

    size_bytes: int
    tag: str


@dataclass(frozen=True)
class Body:
    """A file on its way: the byte it begins at, and its chunks."""

    start: int
    chunks: AsyncIterator[bytes]


class Store(Protocol):
    """What a source can do. `path` is relative to the root, with `/`. Use as an async context manager."""

    url: str

    async def __aenter__(self) -> Self: ...

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    async def get(self, path: str) -> memoryview:
        """The whole file; its length is the declared one."""

    async def stat(self, path: str) -> Stat:
        """Length and tag."""

    def open(self, path: str, start: int, tag: str) -> Any:  # noqa: ANN401 - an async context manager of Body
        """The file from byte `start` on if it still has that tag, else from the beginning."""


def open_store(url: str, *, offline: bool = False, stall_timeout_s: float = STALL_TIMEOUT_S) -> Store:
    """The store for a root URL; offline, one that has nothing, unless the root is a directory.

    Raises UsageError for a scheme that is none of http(s), s3, gs, file.
    """
    scheme = urlsplit(url).scheme
    if offline and scheme != "file":
        return OfflineStore(url)
    if scheme in ("http", "https"):
        return HttpStore(url, stall_timeout_s)
    if scheme in ("s3", "gs", "file"):
        return ObjectStore(url, stall_timeout_s)
    raise UsageError(
        f"The source {url!r} is no URL that oidata can read.",
        "Give http://…, https://…, s3://…, gs://…, file:///… or sample:.",
    )


class HttpStore:
    """An HTTP server. Reads the headers of refusals, which object stores hide: Retry-After is honoured."""

    def __init__(self, url: str, stall_timeout_s: float = STALL_TIMEOUT_S) -> None:
        self.url = url.rstrip("/")
        self._stall_timeout = timedelta(seconds=stall_timeout_s)
        self._client: Client | None = None

    async def __aenter__(self) -> Self:
        from pyreqwest.client import ClientBuilder

        builder = ClientBuilder().user_agent(f"oidata/{__version__}")
        builder = builder.gzip(False).brotli(False).zstd(False).deflate(False)  # noqa: FBT003 - lengths are as declared
        builder = builder.connect_timeout(timedelta(seconds=CONNECT_TIMEOUT_S)).read_timeout(self._stall_timeout)
        self._client = builder.max_redirects(_NUM_REDIRECTS).build()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._client is not None:
            await self._client.close()

    async def get(self, path: str) -> memoryview:
        """The whole file; the client fails on a body shorter than declared."""
        with _http_errors(self._url(path)):
            response = await self._http.get(self._url(path)).build().send()
            self._check(response, path)
            return memoryview(await response.bytes())

    async def stat(self, path: str) -> Stat:
        """Length and tag, from a HEAD request."""
        with _http_errors(self._url(path)):
            response = await self._http.head(self._url(path)).build().send()
            self._check(response, path)
        length = response.get_header("content-length")
        if length is None:
            raise SourceError(f"{self._url(path)} does not tell its length.", "Choose another source.")
        tag = response.get_header("etag") or response.get_header("last-modified") or ""
        return Stat(int(length), tag)

    @asynccontextmanager
    async def open(self, path: str, start: int, tag: str) -> AsyncIterator[Body]:
        """A GET with Range and If-Range: a server that ignores them, or has other content, begins anew."""
        url = self._url(path)
        request = self._http.get(url)
        if start:
            request = request.headers({"Range": f"bytes={start}-", **({"If-Range": tag} if tag else {})})
        with _http_errors(url):
            async with request.build_streamed() as response:
                self._check(response, path)
                resumed = response.status == 206  # noqa: PLR2004 - Partial Content
                yield Body(start if resumed else 0, _chunks(response, url))

    @property
    def _http(self) -> Client:
        if self._client is None:
            raise RuntimeError("enter the store before you use it")
        return self._client

    def _url(self, path: str) -> str:
        return f"{self.url}/{quote(path)}"

    def _check(self, response: Response, path: str) -> None:
        status, url = response.status, self._url(path)
        if status in _NOT_FOUND_STATUS:
            raise NotFoundError(f"{url} answers {status}: no such file.", "Check the source and the release.")
        if status in _TRANSIENT_STATUS:
            raise TransientError(f"{url} answers {status}", _wait_s(response.get_header("retry-after")))
        if not 200 <= status < 300:  # noqa: PLR2004 - the class of successes
            raise SourceError(f"{url} answers {status}.", "Check the source, and whether it is open to you.")


class OfflineStore(HttpStore):
    """A source that is not asked."""

    async def get(self, path: str) -> memoryview:
        """Raise SourceError."""
        raise SourceError(f"{self._url(path)} was not asked for: this is --offline.", "Run without --offline.")


async def _chunks(response: Response, url: str) -> AsyncIterator[bytes]:
    with _http_errors(url):
        while (chunk := await response.body_reader.read_chunk()) is not None:
            yield bytes(chunk)


def _wait_s(retry_after: str | None) -> float:
    """Seconds of a Retry-After header, which is a number or a date (RFC 9110, 10.2.3)."""
    if not retry_after:
        return 0.0
    if retry_after.strip().isdigit():
        return float(retry_after)
    try:
        until = parsedate_to_datetime(retry_after)
    except ValueError:
        return 0.0
    return max(0.0, (until - datetime.now(UTC)).total_seconds())


@contextmanager
def _http_errors(url: str) -> Iterator[None]:
    """Turn the HTTP client's errors into ours."""
    from pyreqwest.exceptions import PyreqwestError, RedirectError, RequestError

    try:
        yield
    except RedirectError as error:
        raise SourceError(f"{url} redirects without end.", "Check the source.") from error
    except RequestError as error:
        raise TransientError(f"{url}: {_reason(error)}") from error
    except PyreqwestError as error:
        raise SourceError(f"{url}: {error}.", "Check the source.") from error


def _reason(error: Exception) -> str:
    """The innermost cause that the client tells, which is the one a person can act on."""
    causes = (getattr(error, "details", None) or {}).get("causes") or []
    return str(causes[-1]["message"]) if causes else str(error)


class ObjectStore:
    """A bucket (s3://, gs://) or a directory (file://)."""

    def __init__(self, url: str, stall_timeout_s: float = STALL_TIMEOUT_S) -> None:
        self.url = url.rstrip("/")
        self._stall_timeout = timedelta(seconds=stall_timeout_s)
        self._store: Any = None

    async def __aenter__(self) -> Self:
        self._store = _object_store(self.url, self._stall_timeout)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._store = None

    async def get(self, path: str) -> memoryview:
        """The whole file."""
        with _object_errors(f"{self.url}/{path}"):
            return memoryview(await (await self._store.get_async(path)).bytes_async())

    async def stat(self, path: str) -> Stat:
        """Length and ETag."""
        with _object_errors(f"{self.url}/{path}"):
            meta = await self._store.head_async(path)
        return Stat(meta["size"], meta["e_tag"] or "")

    @asynccontextmanager
    async def open(self, path: str, start: int, tag: str) -> AsyncIterator[Body]:
        """A ranged read; other content than `tag` tells begins anew."""
        stat = await self.stat(path)
        first = start if stat.tag == tag and start < stat.size_bytes else 0
        yield Body(first, self._chunks(path, first, stat))

    async def _chunks(self, path: str, start: int, stat: Stat) -> AsyncIterator[bytes]:
        if start == stat.size_bytes:
            return
        options: dict[str, Any] = {"range": {"offset": start}} | ({"if_match": stat.tag} if stat.tag else {})
        with _object_errors(f"{self.url}/{path}"):
            result = await self._store.get_async(path, options=options)
            async for chunk in result.stream():
                yield bytes(chunk)


def _object_store(url: str, stall_timeout: timedelta) -> Any:  # noqa: ANN401 - one of obstore's store classes
    from obstore.store import LocalStore, from_url

    parts = urlsplit(url)
    if parts.scheme == "file":
        return LocalStore(unquote(parts.path))
    client: Any = {
        "connect_timeout": timedelta(seconds=CONNECT_TIMEOUT_S),
        "read_timeout": stall_timeout,
        "timeout": timedelta(days=1),
        "allow_http": True,
    }
    options: Any = {"skip_signature": True} if _is_anonymous(parts.scheme) else {}
    return from_url(url, client_options=client, retry_config={"max_retries": 0}, **options)


def _is_anonymous(scheme: str) -> bool:
    """Public buckets are read unsigned; credentials are used where the environment names some."""
    prefix = {"s3": ("AWS_ACCESS_KEY_ID", "AWS_WEB_IDENTITY"), "gs": ("GOOGLE_",)}[scheme]
    return not any(name.startswith(prefix) for name in os.environ)


@contextmanager
def _object_errors(url: str) -> Iterator[None]:
    """Turn obstore's errors into ours."""
    from obstore.exceptions import BaseError, GenericError

    try:
        yield
    except FileNotFoundError as error:
        raise NotFoundError(f"{url}: no such file.", "Check the source and the release.") from error
    except GenericError as error:
        raise TransientError(f"{url}: {_first_line(error)}") from error
    except (BaseError, OSError) as error:
        message = f"{url}: {_first_line(error)}"
        raise SourceError(message, "Check the source, and whether it is open to you.") from error


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0]
