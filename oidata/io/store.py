"""A source of files: one root, official paths below it, read over http(s)://, s3://, gs:// or file://.

Everything that can go wrong comes out as one of three errors: NotFoundError, TransientError (try again) or
SourceError (do not).
"""

from __future__ import annotations

import os
import re
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
_REFUSED_STATUS = frozenset({401, 403, 407, 451})
_PARTIAL_STATUS = 206
_NUM_REDIRECTS = 10
_CONTENT_RANGE = re.compile(r"bytes (\d+)-\d+/(\d+)")  # RFC 9110, 14.4
_ACCESS_HINT = "Check the source, and whether it is open to you."
_SCHEMES = frozenset({"http", "https", "s3", "gs", "file"})


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

    def open(self, path: str, start: int, stat: Stat) -> Any:  # noqa: ANN401 - an async context manager of Body
        """The file that `stat` told of, from byte `start` on or from the beginning.

        Raises TransientError for any other: one that has changed since, or a page that took its place.
        """


def open_store(url: str, *, offline: bool = False, stall_timeout_s: float = STALL_TIMEOUT_S) -> Store:
    """The store for a root URL; offline, one that has nothing, unless the root is a directory.

    Raises UsageError for a URL that names no place of a scheme http(s), s3, gs or file.
    """
    scheme = _scheme(url)
    if offline and scheme != "file":
        return OfflineStore(url)
    if scheme in ("http", "https"):
        return HttpStore(url, stall_timeout_s)
    return ObjectStore(url, stall_timeout_s)


def _scheme(url: str) -> str:
    """The scheme of a root URL that can be one, for the HTTP client too."""
    try:
        parts = urlsplit(url)
        if parts.scheme in ("http", "https"):
            from pyreqwest.http import Url

            Url(url)
        is_place = bool(parts.path if parts.scheme == "file" else parts.hostname) and parts.port != 0
    except ValueError:
        is_place = False
    if is_place and parts.scheme in _SCHEMES and not any(map(str.isspace, url)):
        return parts.scheme
    raise UsageError(
        f"The source {url!r} is no URL that oidata can read, and no directory.",
        "Give http://…, https://…, s3://…, gs://…, file:///…, a directory, or sample:.",
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
            if response.status == _PARTIAL_STATUS:
                raise TransientError(f"{self._url(path)} answers with a part of what was asked for")
            return memoryview(await response.bytes())

    async def stat(self, path: str) -> Stat:
        """Length and tag, from a HEAD request."""
        with _http_errors(self._url(path)):
            response = await self._http.head(self._url(path)).build().send()
            self._check(response, path)
        _refuse_page(response, self._url(path))
        length = _header(response, "content-length")
        if not (length.isascii() and length.isdecimal()):
            raise SourceError(f"{self._url(path)} does not tell its length.", "Choose another source.")
        return Stat(int(length), _tag(response))

    @asynccontextmanager
    async def open(self, path: str, start: int, stat: Stat) -> AsyncIterator[Body]:
        """A GET with Range and If-Range; a server that ignores them begins anew."""
        url = self._url(path)
        request = self._http.get(url)
        if start:
            if_range = {"If-Range": stat.tag} if stat.tag else {}
            request = request.headers({"Range": f"bytes={start}-", **if_range})
        with _http_errors(url):
            # Nothing is read ahead: of a body that breaks, what came is kept.
            async with request.streamed_read_buffer_limit(0).build_streamed() as response:
                self._check(response, path)
                yield Body(_start(response, url, start, stat), _chunks(response, url))

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
            raise TransientError(f"{url} answers {status}", _wait_s(_header(response, "retry-after")))
        if status in _REFUSED_STATUS:
            raise SourceError(f"{url} answers {status}: access is refused.", _ACCESS_HINT)
        if not 200 <= status < 300:  # noqa: PLR2004 - the class of successes
            raise SourceError(f"{url} answers {status}.", _ACCESS_HINT)


class OfflineStore(HttpStore):
    """A source that is not asked."""

    async def get(self, path: str) -> memoryview:
        """Raise SourceError."""
        # All in the message: it is also the reason of a photo that was not had.
        raise SourceError(f"{self._url(path)} is not there, and was not asked for: run without --offline.")


def _tag(response: Response) -> str:
    return _header(response, "etag") or _header(response, "last-modified")


def _header(response: Response, name: str) -> str:
    """A header, "" where there is none, or one that is not ASCII."""
    try:
        return response.get_header(name) or ""
    except ValueError:
        return ""


def _start(response: Response, url: str, asked: int, stat: Stat) -> int:
    """The byte that the body of a response begins at. Raises TransientError if it is of another file than `stat`'s."""
    _refuse_page(response, url)
    tag = _tag(response)
    is_same = not (tag and stat.tag) or tag == stat.tag
    if response.status == _PARTIAL_STATUS:  # it may be less than what was asked for
        told = _CONTENT_RANGE.fullmatch(_header(response, "content-range"))
        is_same &= told is not None and (int(told[1]), int(told[2])) == (asked, stat.size_bytes)
        start = asked
    else:
        is_same &= _header(response, "content-length") == str(stat.size_bytes)
        start = 0
    if not is_same:
        raise TransientError(f"{url} answers with another file than it announced")
    return start


def _refuse_page(response: Response, url: str) -> None:
    """No metadata is a web page: one that comes instead is a portal's, or an error's, and goes by."""
    if _header(response, "content-type").startswith("text/html"):
        raise TransientError(f"{url} answers with a web page")


async def _chunks(response: Response, url: str) -> AsyncIterator[bytes]:
    with _http_errors(url):
        while (chunk := await response.body_reader.read_chunk()) is not None:
            yield bytes(chunk)


def _wait_s(retry_after: str) -> float:
    """Seconds of a Retry-After header, which is a number or a date (RFC 9110, 10.2.3); 0 for anything else."""
    text = retry_after.strip()
    if text.isascii() and text.isdecimal():
        return float(text)
    try:
        until = parsedate_to_datetime(text)
    except (ValueError, OverflowError):
        return 0.0
    if until.tzinfo is None:
        until = until.replace(tzinfo=UTC)
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
        with _object_errors(self.url):
            try:
                self._store = _object_store(self.url, self._stall_timeout)
            except ValueError as error:
                raise SourceError(f"{self.url} names no bucket: {error}.", "Check its spelling.") from error
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
    async def open(self, path: str, start: int, stat: Stat) -> AsyncIterator[Body]:
        """A ranged read of that version."""
        if await self.stat(path) != stat:
            raise TransientError(f"{self.url}/{path} has changed since it was announced")
        yield Body(start, self._chunks(path, start, stat))

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
        path = unquote(parts.path)
        if parts.netloc or not os.path.isdir(path):  # noqa: PTH112 - a string, as the URL has it
            raise SourceError(f"{url} is no directory.", "A local mirror is file:///…, with three slashes.")
        return LocalStore(path)
    options: Any = {"skip_signature": True} if _is_anonymous(parts.scheme) else {}
    client = client_options(stall_timeout)
    return from_url(url, client_options=client, retry_config={"max_retries": 0}, **options)


def client_options(read_timeout: timedelta) -> Any:  # noqa: ANN401 - obstore's ClientConfig
    """How obstore speaks to a bucket: as long as it hears from it, and over HTTP too, since it may be next door."""
    return {
        "connect_timeout": timedelta(seconds=CONNECT_TIMEOUT_S),
        "read_timeout": read_timeout,
        "timeout": timedelta(days=1),
        "allow_http": True,
    }


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
        raise SourceError(message, _ACCESS_HINT) from error


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0]
