"""Serialised tf.train.Examples: protobuf's wire format, without TensorFlow and byte for byte as it writes them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Self, TypeAlias

import numpy as np

Values: TypeAlias = Sequence[bytes] | np.ndarray
Features: TypeAlias = Mapping[str, Values]
"""Values by feature name: byte strings, or an array of shape (N,) of floats (kept as float32) or integers."""

# A field's tag is its number · 8 + wire type 2, of known length. Features are field 1 of an Example, map entries 1 of
# Features, key 1 and value 2 of an entry, values 1 of a list (tensorflow/core/example/example.proto, feature.proto).
_FIRST, _SECOND = b"\x0a", b"\x12"
_BYTES_LIST, _FLOAT_LIST, _INT64_LIST = b"\x0a", b"\x12", b"\x1a"
_CONTINUES: Final = 0x80
_INT64_MASK: Final = (1 << 64) - 1


@dataclass(frozen=True)
class PhotoExample:
    """The example of a photo but for the photo's bytes: what stands before them and what behind."""

    before: bytes
    behind: bytes

    @classmethod
    def of(cls, features: Features, size_bytes: int, sha256: str) -> Self:
        """The example of a JPEG of that length and SHA-256 in hex, with `features` beside it."""
        stand_in = bytes(size_bytes)
        of_photo: Features = {
            "image/encoded": (stand_in,),
            "image/format": (b"jpeg",),
            "image/key/sha256": (sha256.encode(),),
        }
        parts = _parts({**features, **of_photo})
        place = next(place for place, part in enumerate(parts) if part is stand_in)
        return cls(b"".join(parts[:place]), b"".join(parts[place + 1 :]))

    def record(self, encoded: bytes) -> bytes:
        """The serialised example with the photo in it, its bytes as they are."""
        return b"".join((self.before, encoded, self.behind))

    def photo_in(self, record: bytes) -> memoryview | None:
        """The photo's bytes in a record of this example; None if it is the record of another."""
        if record.startswith(self.before) and record.endswith(self.behind):
            return memoryview(record)[len(self.before) : len(record) - len(self.behind)]
        return None


def encode(features: Features) -> bytes:
    """A tf.train.Example of `features` in protobuf's wire format, its names in order.

    The same bytes as TensorFlow's `Example.SerializeToString(deterministic=True)`, if no name begins with another: of
    two such, protobuf's C library (upb) puts the longer one first, its other implementations the shorter.
    """
    return b"".join(_parts(features))


def _parts(features: Features) -> list[bytes]:
    """The encoded example in parts, so that a photo's bytes are copied only once, or not at all."""
    named = sorted((name.encode(), values) for name, values in features.items())
    parts = [part for name, values in named for part in _entry(name, values)]
    return [_head(_FIRST, sum(map(len, parts))), *parts]


def _entry(name: bytes, values: Values) -> list[bytes]:
    """A map entry of Features, in parts."""
    kind, parts = _list(values)
    num_bytes = sum(map(len, parts))
    feature = _head(kind, num_bytes)
    value = _head(_SECOND, len(feature) + num_bytes) + feature
    entry = _head(_FIRST, len(name)) + name + value
    return [_head(_FIRST, len(entry) + num_bytes) + entry, *parts]


def _list(values: Values) -> tuple[bytes, list[bytes]]:
    """The tag of a feature's list, and what is in it: byte strings one by one, numbers all together."""
    if not isinstance(values, np.ndarray):
        return _BYTES_LIST, [part for value in values for part in (_head(_FIRST, len(value)), value)]
    if values.dtype.kind == "f":
        return _FLOAT_LIST, _packed(values.astype("<f4").tobytes())
    if values.dtype.kind in "biu":
        return _INT64_LIST, _packed(b"".join(map(_varint, values.tolist())))
    raise TypeError(f"a feature holds bytes, floats or integers, not {values.dtype}")


def _packed(numbers: bytes) -> list[bytes]:
    return [_head(_FIRST, len(numbers)), numbers] if numbers else []


def _head(tag: bytes, num_bytes: int) -> bytes:
    """What stands before the content of a field."""
    return tag + _varint(num_bytes)


def _varint(number: int) -> bytes:
    """Base 128, low digits first; a negative number as its 64-bit complement."""
    if 0 <= number < _CONTINUES:
        return _DIGITS[number]
    number &= _INT64_MASK
    digits = bytearray()
    while number >= _CONTINUES:
        digits.append(number & 0x7F | _CONTINUES)
        number >>= 7
    digits.append(number)
    return bytes(digits)


_DIGITS: Final = [bytes([digit]) for digit in range(_CONTINUES)]
