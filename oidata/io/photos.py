"""What can be told of a photo from its bytes without decoding it."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING, TypeAlias

from oidata.errors import PhotoError

if TYPE_CHECKING:
    from collections.abc import Iterator

# JPEG markers: ITU-T T.81, table B.1.
_SOI = b"\xff\xd8"
_EOI = b"\xff\xd9"
_SOS = 0xDA
_APP1 = 0xE1
_SOF = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_EXIF = b"Exif\0\0"
_ORIENTATION = 0x0112  # Exif 2.32, table 4
_SHORT = 3
UPRIGHT = 1
_TAIL_BYTES = 1024
_HEADER_BYTES = 4  # of a segment: its marker and its length

Bytes: TypeAlias = bytes | memoryview


@dataclass(frozen=True)
class PhotoFacts:
    """A whole JPEG: pixels as stored (EXIF not applied), EXIF orientation (1 where there is none), length, hash."""

    width_px: int
    height_px: int
    exif_orientation: int
    size_bytes: int
    sha256: str


def photo_facts(data: Bytes) -> PhotoFacts:
    """Read the facts of a JPEG that is complete by its markers, from SOI to EOI, and its SHA-256.

    Entropy-coded data is not decoded. Raises PhotoError for anything else.
    """
    if data[:2] != _SOI:
        raise PhotoError(f"no JPEG: it begins with {bytes(data[:16])!r}")
    width_px = height_px = 0
    orientation = UPRIGHT
    for marker, start, end in _segments(data):
        if marker in _SOF:
            height_px = int.from_bytes(data[start + 1 : start + 3])
            width_px = int.from_bytes(data[start + 3 : start + 5])
        elif marker == _APP1 and data[start : start + len(_EXIF)] == _EXIF:
            orientation = _exif_orientation(bytes(data[start + len(_EXIF) : end]))
        elif marker == _SOS and not _has_end(data, end):
            raise PhotoError("a JPEG that is cut short: no EOI marker")
    if not (width_px and height_px):
        raise PhotoError("a JPEG without a frame header")
    return PhotoFacts(width_px, height_px, orientation, len(data), sha256_of(data))


def without_exif(data: Bytes) -> bytes:
    """The same JPEG without its EXIF data, so that everybody shows its pixels as stored. Raises PhotoError."""
    parts, kept = [], 0
    for marker, start, end in _segments(data):
        if marker == _APP1 and data[start : start + len(_EXIF)] == _EXIF:
            parts.append(bytes(data[kept : start - _HEADER_BYTES]))
            kept = end
    return b"".join([*parts, bytes(data[kept:])])


def sha256_of(data: Bytes) -> str:
    """The SHA-256 in hexadecimal."""
    return sha256(data).hexdigest()


def _has_end(data: Bytes, scan: int) -> bool:
    """Whether an EOI marker follows the scan; nearly always it is the last thing in the file."""
    tail = max(scan, len(data) - _TAIL_BYTES)
    return _EOI in bytes(data[tail:]) or _EOI in bytes(data[scan:])


def _segments(data: Bytes) -> Iterator[tuple[int, int, int]]:
    """The marker segments up to and with the first scan's header: marker, payload's start and end."""
    marker, position = 0, len(_SOI)
    while marker != _SOS:
        marker, start = _marker(data, position)
        position = start + int.from_bytes(data[start : start + 2])
        if position < start + 2 or position > len(data):
            raise PhotoError("a JPEG that is cut short: its header ends within a segment")
        yield marker, start + 2, position


def _marker(data: Bytes, position: int) -> tuple[int, int]:
    """The marker at `position`, past any fill bytes (T.81, B.1.1.2), and the position behind it."""
    if data[position : position + 1] != b"\xff":
        raise PhotoError(f"a damaged JPEG: no marker at byte {position}")
    while data[position : position + 1] == b"\xff":
        position += 1
    if position >= len(data):
        raise PhotoError("a JPEG that is cut short: no scan")
    return data[position], position + 1


def _exif_orientation(tiff: bytes) -> int:
    """The orientation tag of the first image file directory (TIFF 6.0, section 2); what is no such tag is upright."""
    order = {b"II": "<", b"MM": ">"}.get(tiff[:2], "=")
    try:
        (directory,) = struct.unpack_from(f"{order}I", tiff, 4)
        (num_entries,) = struct.unpack_from(f"{order}H", tiff, directory)
        for entry in range(num_entries):
            tag, kind, _, value = struct.unpack_from(f"{order}HHIH", tiff, directory + 2 + 12 * entry)
            if (tag, kind) == (_ORIENTATION, _SHORT) and value in range(1, 9):
                return int(value)
    except struct.error:
        return UPRIGHT
    return UPRIGHT
