"""Where a dataset's shards go: a directory, or a bucket (s3://, gs://).

An output is a name and no connection: tasks carry it to other processes and machines, each of which takes the
credentials of its own environment (AWS_…, GOOGLE_…). Whatever refuses comes out as a StorageError.
A process that has written to a bucket must not be forked: its child would wait for threads that it has not (spawn it).
"""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass
from datetime import timedelta
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NoReturn, Protocol
from urllib.parse import unquote, urlsplit
from uuid import uuid4

from oidata.errors import StorageError, UsageError
from oidata.io import files
from oidata.io.store import STALL_TIMEOUT_S, client_options

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping
    from contextlib import AbstractContextManager

_UPLOAD_TIMEOUT_S: Final = 300.0  # the client counts from a request's beginning: a part of 5 MiB over a slow line
_RETRY_TIMEOUT_S: Final = 20.0  # and one last try of CONNECT_TIMEOUT_S: half a minute for a server that is not there
_URL: Final = re.compile(r"(?:s3|gs|file):|[A-Za-z][\w+.-]*:/")
# What a server, a URL or a glob in a pipeline.config would take for something else is in no prefix.
_BUCKET: Final = re.compile(
    r"(?:s3|gs)://[a-z0-9][a-z0-9._-]*[a-z0-9](?:/(?!\.{1,2}(?:/|$))[^\s/%?#*\[\]{}\\^`|<>\"~]+)*/*"
)
_PLACES: Final = "Give a directory, s3://bucket/prefix or gs://bucket/prefix, without spaces or any of %?#*[]{}."
_PROBE: Final = ".oidata-probe"
_TOLD: Final = re.compile(r"<Code>(.*?)</Code>\s*<Message>(.*?)\.?</Message>")  # the XML of S3 and of Cloud Storage
_CAUSE: Final = re.compile(r'(?:message|error|source): (?:"(.+)"|(TimedOut))')
_ENDPOINTS: Final = ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "AWS_ENDPOINT")
_REFUSED: Final = re.compile(r"status code: 40[13]|Missing \w*Key|credential|token request|/api/token", re.IGNORECASE)


class Output(Protocol):
    """A place for files. Names have no `/`; what lies in sub-directories, or below longer prefixes, is left alone."""

    @property
    def url(self) -> str:
        """As a pipeline.config names it: an absolute path, or s3://bucket/prefix, with no `/` at its end."""

    def locked(self) -> AbstractContextManager[None]:
        """Keep other runs of this machine out for the block; DatasetError where one is at work."""

    def prepare(self, sizes: Mapping[str, int]) -> None:
        """Raise StorageError if files of these names and about these bytes cannot be written.

        To be called before work goes into them: what a killed run has left of them is removed.
        """

    def sizes(self) -> dict[str, int]:
        """The bytes of each file that is there and whole, by name."""

    def partial_bytes(self, names: Collection[str]) -> int:
        """How much there is of those files that are being written; 0 where that cannot be told."""

    def discard_partial(self, names: Collection[str]) -> None:
        """Remove what writers that were killed have left of those files, while none is at work."""

    def whole(self, name: str) -> AbstractContextManager[Path]:
        """Write to the path that this yields; the file is there, under its name, when the block has ended well."""

    def local(self, name: str) -> AbstractContextManager[Path]:
        """A path from which the file can be read in the block; not to be written to."""

    def write_text(self, name: str, text: str) -> None:
        """Write `text` as UTF-8 with its line ends as they are."""

    def remove(self, name: str) -> None:
        """Remove a file, if it is there."""


def output(where: str | Path) -> Output:
    """The output that a path or URL names. Raises UsageError for one that names neither a directory nor a bucket."""
    text = str(where)
    if text and not _URL.match(text):
        return Directory(Path(text).absolute())
    if _BUCKET.fullmatch(text):
        return Bucket(text.rstrip("/"))
    parts = urlsplit(text)
    if parts.scheme == "file" and not parts.netloc and parts.path.startswith("/"):
        return Directory(Path(unquote(parts.path)))
    raise UsageError(f"{text!r} is no place that oidata can write to.", _meant(text) or _PLACES)


def _meant(text: str) -> str:
    """The URL of a bucket that was misspelt as `text`, in a question; "" if there is none."""
    scheme, _, rest = text.partition(":")
    urls = [f"{close}://{rest.lstrip('/')}" for close in get_close_matches(scheme.lower(), ("s3", "gs"))]
    return next((f"Did you mean {url}?" for url in urls if _BUCKET.fullmatch(url)), "")


@dataclass(frozen=True)
class Directory:
    """A directory of this machine's, or of a file system that all workers share. It is made by `prepare`."""

    path: Path

    @property
    def url(self) -> str:
        """Its path."""
        return str(self.path)

    def locked(self) -> AbstractContextManager[None]:
        """A lock in the directory, which is made for it."""
        files.check_writable(self.path)
        return files.locked(self.path)

    def prepare(self, sizes: Mapping[str, int]) -> None:
        """Make the directory; raise StorageError if it cannot be written to, or has no space."""
        files.check_writable(self.path)
        files.make_directory(self.path)
        self.discard_partial(sizes)
        _check_space(self.path, sum(sizes.values()))

    def sizes(self) -> dict[str, int]:
        """None where there is no directory yet."""
        try:
            if not self.path.exists():
                return {}
            return {path.name: path.stat().st_size for path in self.path.iterdir() if _is_whole(path)}
        except OSError as error:
            raise StorageError.unread(error, self.path) from error

    def partial_bytes(self, names: Collection[str]) -> int:
        """The bytes under the temporary names."""
        return sum(map(_size_bytes, self._partial(names)))

    def discard_partial(self, names: Collection[str]) -> None:
        """Remove the files of temporary names."""
        for path in self._partial(names):
            files.remove(path)

    def whole(self, name: str) -> AbstractContextManager[Path]:
        """A temporary path beside the final one; of its own, since a cluster may try twice at once."""
        return files.whole(self.path / name, uuid4().hex)

    @contextmanager
    def local(self, name: str) -> Iterator[Path]:
        """The file itself."""
        yield self.path / name

    def write_text(self, name: str, text: str) -> None:
        """Write it whole."""
        files.write_text(self.path / name, text)

    def remove(self, name: str) -> None:
        """Remove it."""
        files.remove(self.path / name)

    def _partial(self, names: Collection[str]) -> list[Path]:
        """The temporary files of those names."""
        found = self.path.glob(files.partial_of(Path("*"), "*").name)
        return [path for path in found if path.name.removeprefix(".").rsplit(".", 2)[0] in names]


@dataclass(frozen=True)
class Bucket:
    """A bucket, or the part of it below a prefix. An object is there from the end of its upload on, or not at all.

    Files are written and read in this machine's directory for temporary files ($TMPDIR).
    """

    url: str

    def locked(self) -> AbstractContextManager[None]:
        """Nothing: a bucket has no lock, so that one run at a time is the user's to see to."""
        return nullcontext()

    def prepare(self, sizes: Mapping[str, int]) -> None:
        """Begin an upload and give it up, which takes the permission to write; make sure that one file fits on disk."""
        with _refusals("write", self.url), suppress(_GivenUpError):
            self._client().put(_PROBE, map(_give_up, [b""]))
        _check_space(_temporary(), max(sizes.values(), default=0))

    def sizes(self) -> dict[str, int]:
        """Those of the objects right below the prefix."""
        with _refusals("read", self.url):
            objects = self._client().list_with_delimiter()["objects"]
        return {meta["path"]: meta["size"] for meta in objects if meta["path"]}  # one without a name is a folder's mark

    def partial_bytes(self, names: Collection[str]) -> int:  # noqa: ARG002 - as Output has it
        """Nobody tells."""
        return 0

    def discard_partial(self, names: Collection[str]) -> None:
        """Parts of uploads that were never completed are the bucket's to remove, by a rule of its lifecycle."""

    @contextmanager
    def whole(self, name: str) -> Iterator[Path]:
        """A temporary path; what is there is uploaded."""
        with _scratch(name) as path:
            yield path
            self._put(name, path)

    @contextmanager
    def local(self, name: str) -> Iterator[Path]:
        """A download, which ends with the block."""
        with _scratch(name) as path:
            with path.open("wb") as file, _refusals("read", f"{self.url}/{name}"):
                for chunk in self._client().get(name):
                    file.write(chunk)
            yield path

    def write_text(self, name: str, text: str) -> None:
        """Upload it."""
        self._put(name, text.encode())

    def remove(self, name: str) -> None:
        """Remove the object."""
        with _refusals("write", f"{self.url}/{name}"), suppress(FileNotFoundError):
            self._client().delete(name)

    def _put(self, name: str, content: Path | bytes) -> None:
        """Upload in parts, if there is much of it; parts are given up with the whole."""
        with _refusals("write", f"{self.url}/{name}"):
            self._client(_UPLOAD_TIMEOUT_S).put(name, content)

    def _client(self, timeout_s: float = STALL_TIMEOUT_S) -> Any:  # noqa: ANN401 - one of obstore's store classes
        """A client with the environment's credentials."""
        from obstore.store import from_url

        if self.url.startswith("s3:"):
            _check_endpoint()
        return from_url(
            self.url,
            client_options=client_options(timedelta(seconds=timeout_s)),
            retry_config={"retry_timeout": timedelta(seconds=_RETRY_TIMEOUT_S)},
        )


def _check_endpoint() -> None:
    """Raise StorageError for a server's address without http://, over which the client panics."""
    for name in _ENDPOINTS:
        endpoint = os.environ.get(name, "")
        if endpoint and not re.match(r"https?://[^\s/]", endpoint):
            raise StorageError(f"{name} is {endpoint!r}, which is no URL.", "Set it to http://host:port, or unset it.")


class _GivenUpError(Exception):
    """An upload that was begun to see whether it can be."""


def _give_up(_: bytes) -> NoReturn:
    raise _GivenUpError


@contextmanager
def _refusals(verb: str, url: str) -> Iterator[None]:
    """Turn obstore's errors into a StorageError."""
    from obstore.exceptions import BaseError

    try:
        yield
    except (BaseError, FileNotFoundError) as error:
        reason = _reason(str(error))
        raise StorageError(f"Cannot {verb} {url}: {reason}.", _hint(str(error), urlsplit(url).scheme)) from error


def _reason(text: str) -> str:
    """What a person can act on, out of an error's line, the server's answer, and a dump of all causes."""
    if told := _TOLD.search(text):
        return f"{told[2]} ({told[1]})"
    if causes := _CAUSE.findall(text):
        return "".join(causes[-1])
    return text.partition("\n")[0].rpartition(" - ")[2]


def _hint(text: str, scheme: str) -> str:
    if "NoSuchBucket" in text:
        return "Create the bucket, or check its spelling."
    if _REFUSED.search(text.partition("\n\nDebug source")[0]):
        variables = {"s3": "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY", "gs": "GOOGLE_APPLICATION_CREDENTIALS"}
        return f"Set {variables[scheme]} to credentials that may list, read and write there."
    server = " and AWS_REGION or AWS_ENDPOINT_URL" if scheme == "s3" else ""
    return f"Check the network{server}, and run the same command again: what is there is kept."


@contextmanager
def _scratch(name: str) -> Iterator[Path]:
    """A path to write to, gone after the block. Raises StorageError if the file system refuses."""
    directory = _temporary()
    try:
        with tempfile.TemporaryDirectory(prefix="oidata-", dir=directory) as scratch:
            yield Path(scratch, name)
    except OSError as error:
        raise StorageError.of(error, directory / name) from error


def _temporary() -> Path:
    try:
        return Path(tempfile.gettempdir())
    except FileNotFoundError as error:
        raise StorageError("There is no directory for temporary files.", "Set TMPDIR to one.") from error


def _check_space(directory: Path, need_bytes: int) -> None:
    free_bytes = shutil.disk_usage(directory).free
    if need_bytes > free_bytes:
        message = f"{directory} has {free_bytes / 1e9:,.3f} GB free; {need_bytes / 1e9:,.3f} GB are needed."
        raise StorageError(message, "Free some space, or choose another directory.")


def _is_whole(path: Path) -> bool:
    is_ours = path.name == files.LOCK_NAME or (path.name.startswith(".") and path.suffix == files.PARTIAL_SUFFIX)
    return not is_ours and path.is_file()


def _size_bytes(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0
