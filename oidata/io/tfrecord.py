"""TFRecord files: records one after the other, each with its length and two checksums, so that damage is found.

A record is its length (uint64), the masked CRC-32C of that, the data, and the masked CRC-32C of the data, all little
endian: https://www.tensorflow.org/tutorials/load_data/tfrecord, "TFRecords format details".
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING, Final

import google_crc32c

from oidata.errors import RecordError, StorageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path
    from typing import IO

_LENGTH: Final = struct.Struct("<Q")
_CHECKSUM: Final = struct.Struct("<I")
_HEAD_BYTES: Final = _LENGTH.size + _CHECKSUM.size
_UINT32_MASK: Final = 0xFFFFFFFF
_MASK_DELTA: Final = 0xA282EAD8  # tensorflow/core/lib/hash/crc32c.h


@dataclass(frozen=True)
class RecordFacts:
    """A TFRecord file that is whole: how many records it has, its length, and its SHA-256 in hex."""

    num_records: int
    size_bytes: int
    sha256: str


def write_records(file: IO[bytes], records: Iterable[bytes]) -> int:
    """Write each record, as it comes, and return how many there were. Raises OSError if the file system refuses."""
    num_records = 0
    for record in records:
        head, tail = _frame(record)
        file.write(head)
        file.write(record)
        file.write(tail)
        num_records += 1
    return num_records


def read_records(path: Path) -> Iterator[bytes]:
    """The records of a file, one at a time, each with its checksums compared.

    Raises RecordError at the first one that is damaged or cut short, StorageError if the file cannot be read.
    """
    return (record for _, record, _ in _frames(path))


def check_records(path: Path, see: Callable[[bytes], None] = lambda _record: None) -> RecordFacts:
    """Read a file from end to end, as `read_records` does, for its facts; `see` is shown each record."""
    digest = sha256()
    num_records = size_bytes = 0
    for frame in _frames(path):
        for part in frame:
            digest.update(part)
            size_bytes += len(part)
        see(frame[1])
        num_records += 1
    return RecordFacts(num_records, size_bytes, digest.hexdigest())


def _frames(path: Path) -> Iterator[tuple[bytes, bytes, bytes]]:
    """What stands before each record, the record, and what stands behind it."""
    number = offset = 0
    try:
        size_bytes = path.stat().st_size
        with path.open("rb") as file:
            while offset < size_bytes:
                number += 1
                frame = _read(file, size_bytes - offset)
                yield frame
                offset += sum(map(len, frame))
    except _DamageError as damage:
        message = f"{path}, record {number} at byte {offset}: {damage}."
        raise RecordError(message, "Delete the file and run the command that wrote it again.") from None
    except OSError as error:
        raise StorageError.unread(error, path) from error


class _DamageError(ValueError):
    """What is wrong with a record."""


def _read(file: IO[bytes], left: int) -> tuple[bytes, bytes, bytes]:
    """The next record in its frame; `left` is what the file still has, so that no false length is believed."""
    head = file.read(_HEAD_BYTES)
    if len(head) < _HEAD_BYTES:
        raise _DamageError("the file is cut short")
    length, checksum = head[: _LENGTH.size], head[_LENGTH.size :]
    if checksum != _checksum(length):
        raise _DamageError("its length does not fit its checksum")
    (num_bytes,) = _LENGTH.unpack(length)
    if _HEAD_BYTES + num_bytes + _CHECKSUM.size > left:
        raise _DamageError("the file is cut short")
    record, tail = file.read(num_bytes), file.read(_CHECKSUM.size)
    if tail != _checksum(record):
        raise _DamageError("its data do not fit their checksum")
    return head, record, tail


def _frame(record: bytes) -> tuple[bytes, bytes]:
    """What stands before a record and behind it."""
    length = _LENGTH.pack(len(record))
    return length + _checksum(length), _checksum(record)


def _checksum(data: bytes) -> bytes:
    """The CRC-32C of `data`, masked, since a checksum of data that hold their own checksum would be a constant."""
    crc = google_crc32c.value(data)
    return _CHECKSUM.pack(((crc >> 15 | crc << 17) + _MASK_DELTA) & _UINT32_MASK)
