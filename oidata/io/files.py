"""Files that get their final names when they are whole."""

from __future__ import annotations

import errno
import json
import os
from contextlib import contextmanager
from typing import TYPE_CHECKING

from filelock import FileLock, Timeout

from oidata.errors import DatasetError, StorageError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PARTIAL_SUFFIX = ".part"
LOCK_NAME = ".lock"


def partial_of(path: Path, attempt: str = "") -> Path:
    """The temporary name, in the same directory, under which `path` is written, by one `attempt` of several."""
    return path.with_name(f".{path.name}{attempt and f'.{attempt}'}{PARTIAL_SUFFIX}")


def json_text(values: object) -> str:
    """As JSON files of a dataset are written: for readers, and for diff."""
    return json.dumps(values, indent=1, ensure_ascii=False) + "\n"


def make_directory(path: Path) -> None:
    """Make a directory and those above it, if they are not there. Raises StorageError."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StorageError.of(error, path) from error


def remove(path: Path) -> None:
    """Remove a file, if it is there. Raises StorageError."""
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        raise StorageError.of(error, path) from error


@contextmanager
def whole(path: Path, attempt: str = "") -> Iterator[Path]:
    """Write to the temporary path that this yields; it takes its final name when the block ends well.

    The directory must be there. Two that may write at once need an `attempt` each, so that they do not write into each
    other's file. Raises StorageError if the file system refuses.
    """
    partial = partial_of(path, attempt)
    try:
        yield partial
        partial.replace(path)
    except OSError as error:
        _discard(partial)
        raise StorageError.of(error, path) from error
    except BaseException:
        _discard(partial)
        raise


def write_text(path: Path, text: str) -> None:
    """Write `text` as UTF-8 with its line ends as they are."""
    with whole(path) as partial:
        partial.write_bytes(text.encode())


def write_bytes(path: Path, data: bytes | memoryview) -> None:
    """Write `data`."""
    with whole(path) as partial:
        partial.write_bytes(data)


def check_writable(directory: Path) -> None:
    """Raise StorageError if `directory` cannot be made or written to, before hours go into its content."""
    there = next(path for path in (directory, *directory.absolute().parents) if path.exists())
    if not there.is_dir():
        raise StorageError.of(NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR)), directory)
    if not os.access(there, os.W_OK | os.X_OK):
        raise StorageError.of(PermissionError(errno.EACCES, os.strerror(errno.EACCES)), directory)


@contextmanager
def locked(directory: Path) -> Iterator[None]:
    """Hold the directory's lock; raise DatasetError if another process holds it. A killed process frees it."""
    lock = FileLock(directory / LOCK_NAME, timeout=0)
    make_directory(directory)
    try:
        lock.acquire()
    except Timeout:
        raise DatasetError(f"Another oidata is at work in {directory}.", "Wait until it is done.") from None
    except OSError as error:
        raise StorageError.of(error, directory) from error
    try:
        yield
    finally:
        lock.release()


def _discard(partial: Path) -> None:
    try:
        partial.unlink(missing_ok=True)
    except OSError:
        return  # the error that led here is the one to report
