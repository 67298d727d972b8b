"""The label map of a dataset as TFOD reads it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from oidata.core.labels import LabelMap

_ESCAPES: Final = {"\n": r"\n", "\r": r"\r", "\t": r"\t", '"': r"\"", "'": r"\'", "\\": r"\\"}


def label_map_text(classes: LabelMap) -> str:
    """The label_map.pbtxt of `classes`, ASCII: name is the MID, ids count from 1.

    As protobuf's text format writes TFOD's StringIntLabelMap (protos/string_int_label_map.proto).
    """
    return "".join(
        f"item {{\n  name: {_quoted(label.mid)}\n  id: {number}\n  display_name: {_quoted(label.display_name)}\n}}\n"
        for number, label in enumerate(classes.labels, start=1)
    )


def _quoted(text: str) -> str:
    r"""A string of protobuf's text format: UTF-8, all but printable ASCII escaped, as \n, \r, \t, or in octal."""
    return '"' + "".join(map(_escaped, text.encode())) + '"'


def _escaped(byte: int) -> str:
    if chr(byte) in _ESCAPES:
        return _ESCAPES[chr(byte)]
    return chr(byte) if chr(byte).isascii() and chr(byte).isprintable() else f"\\{byte:03o}"
