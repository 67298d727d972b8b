"""A real HTTP/1.1 server on loopback that serves a directory and misbehaves on demand.

`with serve(root, faults=Faults(7, reset=0.1)) as mirror:` runs it in a thread of the test;
`python -m tests.mirror ROOT --seed 7 --reset 0.1` runs it as a process of its own.
"""

import argparse
import asyncio
import hashlib
import io
import re
import socket
import struct
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from dataclasses import KW_ONLY, dataclass, fields
from email.utils import formatdate
from enum import StrEnum
from fnmatch import fnmatchcase
from functools import partial
from http import HTTPStatus
from pathlib import Path, PurePosixPath
from urllib.parse import unquote

BLOCK_BYTES = 1 << 18
HTML = b"<!DOCTYPE html><html><body><h1>Welcome to the hotel's WiFi</h1><p>Please log in.</p></body></html>"


class Fault(StrEnum):
    """What can go wrong with one request; the values are also the names of the shares in `Faults`."""

    RESET = "reset"
    STALL = "stall"
    UNAVAILABLE = "unavailable"
    TOO_MANY = "too_many"
    SHORT = "short"
    HTML = "html"
    NOT_FOUND = "not_found"


BREAKS = frozenset({Fault.RESET, Fault.STALL, Fault.SHORT})


@dataclass(frozen=True)
class Faults:
    """Which share of the requests goes wrong, and how.

    Every decision is a hash of the seed, the path and the number of that path's attempt, so that it does not
    depend on the order in which concurrent requests arrive. Shares are in [0, 1]; all but `not_found` exclude
    each other, so they add up to at most 1.
    """

    seed: int = 0
    _: KW_ONLY
    reset: float = 0.0
    """RST, before the first byte of the answer or in the middle of the body."""
    stall: float = 0.0
    """Headers and a part of the body, then silence."""
    unavailable: float = 0.0
    """503."""
    too_many: float = 0.0
    """429 with `Retry-After: retry_after_s`."""
    short: float = 0.0
    """The full Content-Length, a part of the body, and an orderly end of the connection."""
    html: float = 0.0
    """200 with an HTML page of the declared length, as a captive portal answers."""
    not_found: float = 0.0
    """404 for good: the share of the paths, not of the requests."""
    retry_after_s: int = 1
    attempts: int | None = None
    """How many attempts on one path may go wrong before it works (None: all may)."""
    only: str = "*"
    """A glob of the paths that are concerned, such as `*.jpg` or `/train/*`."""

    def __post_init__(self) -> None:
        """Refuse shares that cannot hold and a glob that no path can match."""
        shares = [getattr(self, fault) for fault in Fault]
        if min(shares) < 0 or max(shares) > 1 or sum(shares) - self.not_found > 1 + 1e-9:
            message = f"shares must lie in [0, 1] and add up to at most 1: {self}"
            raise ValueError(message)
        if not self.only.startswith(("/", "*")):
            message = f"only={self.only!r} matches no path: paths begin with a slash"
            raise ValueError(message)

    def pick(self, path: str, attempt: int) -> Fault | None:
        """Return what goes wrong with this attempt (counted from 0) on a path."""
        if not fnmatchcase(path, self.only):
            return None
        if _draw(self.seed, path) < self.not_found:
            return Fault.NOT_FOUND
        if self.attempts is not None and attempt >= self.attempts:
            return None
        draw = _draw(self.seed, path, attempt)
        for fault in Fault:
            if fault is not Fault.NOT_FOUND and (draw := draw - getattr(self, fault)) < 0:
                return fault
        return None

    def cut(self, path: str, attempt: int) -> float:
        """Return the share of the body, in [0, 1), after which a broken answer ends."""
        return _draw(self.seed, path, attempt, "cut")


NONE = Faults()


@dataclass(frozen=True)
class Request:
    """One request as the mirror saw it; `answer` is the status code sent or the name of the fault."""

    method: str
    path: str
    range_start: int | None
    time_s: float
    answer: str


@dataclass(frozen=True)
class _Head:
    """A parsed request; header names are in lower case."""

    method: str
    path: str
    version: str
    headers: Mapping[str, str]

    @property
    def keeps_alive(self) -> bool:
        wanted = self.version == "HTTP/1.1" and self.headers.get("connection", "").lower() != "close"
        return wanted and self.method in {"GET", "HEAD"}

    @property
    def range_start(self) -> int | None:
        match = re.match(r"bytes=(\d+)-", self.headers.get("range", ""))
        return int(match[1]) if match else None


@dataclass(frozen=True)
class _Answer:
    """A response: `part` is the range of the body's bytes that it carries."""

    status: HTTPStatus
    headers: Mapping[str, str]
    body: bytes | Path
    part: range

    def head(self) -> bytes:
        lines = [f"HTTP/1.1 {self.status.value} {self.status.phrase}", f"Content-Length: {len(self.part)}"]
        lines += [f"{name}: {value}" for name, value in self.headers.items()]
        return "\r\n".join([*lines, "", ""]).encode("latin-1")


class Mirror:
    """The server: `requests` fills up while it runs, and `faults` may be exchanged between two runs."""

    def __init__(self, root: Path, *, faults: Faults, latency_s: float, port: int) -> None:
        self.root = root
        self.faults = faults
        self.latency_s = latency_s
        self.requests: list[Request] = []
        self._attempts: Counter[str] = Counter()
        self._start_s = time.monotonic()
        self._open: set[asyncio.WriteTransport] = set()
        self._stopping = asyncio.Event()
        self._socket = socket.create_server(("127.0.0.1", port), backlog=1024)
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}"

    async def run(self, started: Future[Callable[[], object]]) -> None:
        """Serve until the function that `started` receives is called, from any thread."""
        loop = asyncio.get_running_loop()
        self._socket.setblocking(False)  # noqa: FBT003
        with self._socket:
            async with asyncio.TaskGroup() as connections:
                # asyncio.Server loses connections that come while it closes.
                loop.add_reader(self._socket, self._accept, connections)
                started.set_result(partial(loop.call_soon_threadsafe, self._stopping.set))
                await self._stopping.wait()
                loop.remove_reader(self._socket)
                # A client may hold a stalled connection for as long as it likes.
                for transport in self._open:
                    transport.abort()

    def _accept(self, connections: asyncio.TaskGroup) -> None:
        with suppress(BlockingIOError, ConnectionAbortedError):
            connection, _ = self._socket.accept()
            connection.setblocking(False)  # noqa: FBT003
            connections.create_task(self._connection(connection))

    async def _connection(self, connection: socket.socket) -> None:
        reader, writer = await asyncio.open_connection(sock=connection)
        self._open.add(writer.transport)
        try:
            with suppress(ConnectionError, asyncio.IncompleteReadError):
                while not self._stopping.is_set() and await self._exchange(reader, writer):
                    pass
        finally:
            writer.close()
            with suppress(ConnectionError):
                await writer.wait_closed()
            self._open.discard(writer.transport)

    async def _exchange(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Answer one request; return whether the connection stays open for another."""
        head = _parse(await reader.readuntil(b"\r\n\r\n"))
        attempt = self._attempts[head.path]
        self._attempts[head.path] += 1
        fault = self.faults.pick(head.path, attempt)
        answer = self._answer(head, fault)
        self._record(head, fault or str(answer.status.value))
        await asyncio.sleep(self.latency_s)
        part = _sent(head, answer, fault, self.faults.cut(head.path, attempt))
        if part is not None:
            await _send(writer, head, answer, part)
        if fault in BREAKS:
            await _break(reader, writer, fault)
        return head.keeps_alive and fault not in BREAKS

    def _record(self, head: _Head, answer: str) -> None:
        time_s = time.monotonic() - self._start_s
        self.requests.append(Request(head.method, head.path, head.range_start, time_s, answer))

    def _answer(self, head: _Head, fault: Fault | None) -> _Answer:
        match fault:
            case Fault.UNAVAILABLE:
                return _page(HTTPStatus.SERVICE_UNAVAILABLE)
            case Fault.TOO_MANY:
                after = str(self.faults.retry_after_s)
                return _page(HTTPStatus.TOO_MANY_REQUESTS, headers={"Retry-After": after})
            case Fault.HTML:
                return _page(HTTPStatus.OK, HTML, headers={"Content-Type": "text/html"})
            case Fault.NOT_FOUND:
                return _page(HTTPStatus.NOT_FOUND)
            case _:
                return self._file(head)

    def _file(self, head: _Head) -> _Answer:
        if head.method not in {"GET", "HEAD"}:
            return _page(HTTPStatus.METHOD_NOT_ALLOWED, headers={"Allow": "GET, HEAD"})
        parts = PurePosixPath(head.path.lstrip("/")).parts
        path = self.root.joinpath(*parts)
        if ".." in parts or "\0" in head.path or not path.is_file():
            return _page(HTTPStatus.NOT_FOUND)
        return _part(path, head.headers)


@contextmanager
def serve(root: Path, *, faults: Faults = NONE, latency_s: float = 0.0, port: int = 0) -> Iterator[Mirror]:
    """Serve the files below a directory from a thread, on a free port unless one is given."""
    mirror = Mirror(root, faults=faults, latency_s=latency_s, port=port)
    started: Future[Callable[[], object]] = Future()
    thread = threading.Thread(target=lambda: asyncio.run(mirror.run(started)), name="mirror")
    thread.start()
    stop = started.result()
    try:
        yield mirror
    finally:
        stop()
        thread.join()


def _draw(*key: object) -> float:
    """Hash a key to a number in [0, 1) that is the same in every process."""
    digest = hashlib.blake2b(repr(key).encode(), digest_size=6).digest()
    return int.from_bytes(digest) / 2**48


def _parse(raw: bytes) -> _Head:
    first, *lines = raw.decode("latin-1").rstrip("\r\n").split("\r\n")
    method, target, version = first.split(" ")
    pairs = (line.partition(":") for line in lines)
    headers = {name.lower(): value.strip() for name, _, value in pairs}
    return _Head(method, unquote(target.partition("?")[0]), version, headers)


def _page(status: HTTPStatus, body: bytes | None = None, headers: Mapping[str, str] | None = None) -> _Answer:
    body = f"{status.phrase}\n".encode() if body is None else body
    return _Answer(status, headers or {}, body, range(len(body)))


def _part(path: Path, asked: Mapping[str, str]) -> _Answer:
    """Answer with a file, or the range of it that is asked for, under the conditions that are asked for."""
    stat = path.stat()
    tag = f'"{stat.st_mtime_ns:x}-{stat.st_size:x}"'
    modified = formatdate(stat.st_mtime, usegmt=True)
    headers = {"ETag": tag, "Last-Modified": modified, "Accept-Ranges": "bytes"}
    if asked.get("if-match", tag) not in {tag, "*"}:
        return _page(HTTPStatus.PRECONDITION_FAILED, headers=headers)
    part = _range(asked.get("range", ""), stat.st_size)
    if part is None or asked.get("if-range", tag) not in {tag, modified}:
        return _Answer(HTTPStatus.OK, headers, path, range(stat.st_size))
    if not part:
        headers["Content-Range"] = f"bytes */{stat.st_size}"
        return _page(HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE, headers=headers)
    headers["Content-Range"] = f"bytes {part.start}-{part.stop - 1}/{stat.st_size}"
    return _Answer(HTTPStatus.PARTIAL_CONTENT, headers, path, part)


def _range(asked: str, size: int) -> range | None:
    """Return the bytes that a Range header names (none beyond the end), or None if it is not understood."""
    match = re.fullmatch(r"bytes=(\d*)-(\d*)", asked)
    if match is None or not any(match.groups()):
        return None
    first, last = match.groups()
    if not first:
        return range(max(size - int(last), 0), size)
    return range(int(first), min(int(last) + 1, size) if last else size)


def _blocks(body: bytes | Path, part: range) -> Iterator[bytes]:
    with io.BytesIO(body) if isinstance(body, bytes) else body.open("rb") as source:
        source.seek(part.start)
        for left in range(len(part), 0, -BLOCK_BYTES):
            yield source.read(min(left, BLOCK_BYTES))


async def _send(writer: asyncio.StreamWriter, head: _Head, answer: _Answer, part: range) -> None:
    """Send the answer's headers and the given part of its body."""
    writer.write(answer.head())
    for block in _blocks(answer.body, part) if head.method != "HEAD" else ():
        writer.write(block)
        await writer.drain()
    await writer.drain()


def _sent(head: _Head, answer: _Answer, fault: Fault | None, cut: float) -> range | None:
    """Return the part of the body that goes out, or None if not even the headers do."""
    if fault not in BREAKS:
        return answer.part
    if head.method != "GET" or (fault is Fault.RESET and cut < 0.5):
        return None
    return answer.part[: int(len(answer.part) * cut)]


async def _break(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, fault: Fault) -> None:
    """Leave the client with what it has, in the fault's manner."""
    if fault is Fault.STALL:
        await reader.read()
    elif fault is Fault.RESET and not writer.is_closing():
        # A socket that lingers for 0 seconds sends RST instead of FIN.
        linger = struct.pack("ii", 1, 0)
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        writer.transport.abort()


def main() -> None:
    """Serve a directory until interrupted; the URL is the first line of the output."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("root", type=Path)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--latency-s", type=float, default=0.0)
    for field in fields(Faults):
        kind = int if field.default is None else type(field.default)
        parser.add_argument(f"--{field.name.replace('_', '-')}", type=kind, default=field.default)
    options = vars(parser.parse_args())
    root, port, latency_s = (options.pop(name) for name in ("root", "port", "latency_s"))
    faults = Faults(**options)
    with suppress(KeyboardInterrupt), serve(root, faults=faults, latency_s=latency_s, port=port) as mirror:
        print(mirror.url, flush=True)  # noqa: T201
        threading.Event().wait()


if __name__ == "__main__":
    main()
