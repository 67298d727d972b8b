"""Every error that oidata raises on purpose.

OidataError
├── UsageError          the request itself cannot be meant so; the command line exits with 2
│   └── UnknownClassError   a class name that the release does not have
├── SourceError         a source cannot be reached, or does not answer as it should
│   ├── NotFoundError       the source answers, and has no such file
│   └── TransientError      another try may mend it (5xx, 429, reset, stall, short body)
├── TableError          a CSV or a table breaks its contract; names file and line
├── ConfigError         a pipeline config that cannot be read, or that asks for what cannot be
├── ModelError          a trained model that cannot be run, or that is no detector
├── PhotoError          bytes that are no whole JPEG, or not the bytes that were asked for
├── RecordError         a TFRecord file that is damaged, cut short, or not what it should hold
├── ClusterError        a scheduler that cannot be reached, or workers that die over a task
├── DatabaseError       FiftyOne's database cannot be had: no mongod, or another process holds it
├── AppError            FiftyOne's App does not come up
├── DatasetError        a directory that is no dataset, or one made for another request
└── StorageError        no space, no permission: the file system refused
"""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


class OidataError(Exception):
    """What went wrong and where (`message`), and what to do next (`hint`)."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message} {self.hint}".rstrip()

    def __reduce__(self) -> tuple[object, ...]:
        # Python would call the class with `args` again, which here are not what the class takes.
        return _bare, (type(self), *self.args), vars(self)


def _bare(kind: type[OidataError], *args: object) -> OidataError:
    """An error without its attributes, which pickle sets next."""
    return kind.__new__(kind, *args)


class UsageError(OidataError):
    """The request itself cannot be meant so."""


class UnknownClassError(UsageError):
    """A class name or MID that the release does not have.

    close: names that come close to it. listed_in: where all names stand, said where none comes close.
    """

    def __init__(self, name: str, close: Sequence[str], listed_in: str = "") -> None:
        if close:
            hint = f"Did you mean {' or '.join(close)}?"
            if any(" " in each for each in close):
                hint += " Quote a name of several words."
        elif listed_in:
            hint = f"Its classes are listed in {listed_in}"
        else:
            hint = "Names are those of the release's class list."
        super().__init__(f"{name!r} is no class of this release.", hint)
        self.name = name
        self.close = tuple(close)


class SourceError(OidataError):
    """A source cannot be reached, or does not answer as it should."""


class NotFoundError(SourceError):
    """The source answers, and has no such file."""


class TransientError(SourceError):
    """Another try may mend it; `retry_after_s` is the wait that the source asked for, 0 if none."""

    def __init__(self, message: str, retry_after_s: float = 0.0) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class TableError(OidataError):
    """A CSV or a table breaks its contract."""


class ConfigError(OidataError):
    """A pipeline config that cannot be read, or that asks for what cannot be."""


class ModelError(OidataError):
    """A trained model that cannot be run, or that is no detector."""


class PhotoError(OidataError):
    """Bytes that are no whole JPEG, or not the bytes that were asked for."""


class RecordError(OidataError):
    """A TFRecord file that is damaged, cut short, or not what it should hold."""


class ClusterError(OidataError):
    """A scheduler that cannot be reached, or workers that die over a task."""


class DatabaseError(OidataError):
    """FiftyOne's database cannot be had: no mongod is there, or another process holds it."""


class AppError(OidataError):
    """FiftyOne's App does not come up."""


class DatasetError(OidataError):
    """A directory that is no dataset, or one that was made for another request."""


class StorageError(OidataError):
    """The file system refused: no space, no permission."""

    @classmethod
    def of(cls, error: OSError, path: Path) -> StorageError:
        """Say what the operating system refused, for which file, and what to do about it."""
        hints = {
            errno.ENOSPC: "Free some space and run the same command again: what is there is kept.",
            errno.EDQUOT: "Your quota is used up: free some space and run the same command again.",
            errno.EACCES: "Choose a directory you may write to, or change its permissions.",
            errno.EPERM: "Choose a directory you may write to, or change its permissions.",
            errno.EROFS: "The file system is read-only: choose another directory.",
            errno.ENOTDIR: "A part of that path is a file: choose another directory.",
        }
        hint = hints.get(error.errno or 0, "Check the path and run the same command again.")
        return cls(f"Cannot write {path}: {_reason(error)}.", hint)

    @classmethod
    def unread(cls, error: OSError, path: Path, hint: str = "Check the path and its permissions.") -> StorageError:
        """Say which file cannot be read, and why."""
        return cls(f"Cannot read {path}: {_reason(error)}.", hint)


def _reason(error: OSError) -> str:
    # Not strerror: a library may have put a text of its own there.
    return os.strerror(error.errno) if error.errno else str(error).rstrip(".")
