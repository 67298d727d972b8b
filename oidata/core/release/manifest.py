"""A manifest pins a subset: `split/image_id`, SHA-256 and size in bytes, tab-separated, a line for each photo.

Lines with the first field alone are read too: such lists are what Google's own downloader takes. So is what editors
and people make of them: a byte order mark, hex digits in upper case, `val` for validation.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING

from oidata.core.release.selection import splits_of
from oidata.core.tables import IMAGE_ID, SHA256, SPLITS
from oidata.errors import TableError

if TYPE_CHECKING:
    from collections.abc import Iterable

_LINE = re.compile(
    rf"(?P<split>{'|'.join(SPLITS)}|val)/(?P<image_id>(?i:{IMAGE_ID}))(?:\t(?P<sha256>(?i:{SHA256}))(?:\t[0-9]+)?)?"
)
_BYTE_ORDER_MARK = "\ufeff"


@dataclass(frozen=True)
class Pin:
    """A photo of a manifest; `sha256` is empty where the manifest does not pin the bytes."""

    split: str
    image_id: str
    sha256: str


def parse(text: str, name: str) -> tuple[Pin, ...]:
    """The photos of a manifest; `name` is what an error calls the file. Raises TableError with the line."""
    pins: dict[str, Pin] = {}
    for number, line in enumerate(text.removeprefix(_BYTE_ORDER_MARK).split("\n"), start=1):
        if not line.strip() or line.startswith("#"):
            continue
        match = _LINE.fullmatch(line.rstrip())
        if match is None:
            hint = "A line is split/image_id, with 16 hex digits, then a tab and the SHA-256 if the bytes are pinned."
            raise TableError(f"{name}, line {number}: {line[:80]!r} names no photo.", hint)
        (split,) = splits_of([match["split"]])
        pin = Pin(split, match["image_id"].lower(), (match["sha256"] or "").lower())
        if pins.setdefault(pin.image_id, pin) != pin:
            raise TableError(f"{name}, line {number}: {pin.image_id} is there twice, and not alike.", "Keep one line.")
    if not pins:
        raise TableError(f"{name} names no photo.", "Give it a line split/image_id for each photo.")
    return tuple(pins.values())


def digest(pins: Iterable[Pin]) -> str:
    """One SHA-256, in hex, for a subset: the same for the same photos in any order."""
    lines = sorted(f"{pin.split}/{pin.image_id}\t{pin.sha256}" for pin in pins)
    return sha256("\n".join(lines).encode()).hexdigest()
