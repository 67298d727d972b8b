"""Label maps: what a detector's class ids stand for, as TFOD and as TFLite write it."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Final

from google.protobuf import text_format

from oidata.core.config import prototext
from oidata.core.config.pipeline_pb2 import StringIntLabelMap, StringIntLabelMapItem
from oidata.errors import ConfigError, UnknownClassError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from oidata.core.labels import LabelMap

_BACKGROUND: Final = 0
_NO_CLASS: Final = frozenset({"", "???", "background"})


def label_map_text(classes: LabelMap) -> str:
    """The label_map.pbtxt of `classes`, in ASCII: name is the MID, ids count from 1, since 0 is background."""
    items = [
        StringIntLabelMapItem(name=label.mid, id=number, display_name=label.display_name)
        for number, label in enumerate(classes.labels, start=1)
    ]
    return str(text_format.MessageToString(StringIntLabelMap(item=items), as_utf8=False))


def mids_of_pbtxt(text: str, name: str, classes: LabelMap) -> dict[int, str]:
    """The MID of each class id, from a label map as TFOD writes it; `name` is its own in errors.

    An item is the one of `classes` that its `name` or its `display_name` names, by MID or display name. A class that is
    none of them has its display name, else its name, in place of a MID. Raises ConfigError for text that is no label
    map, and for an id that is given twice or below 1.
    """
    message = StringIntLabelMap()
    prototext.merge(text, message, name)
    names: dict[int, tuple[str, ...]] = {}
    for item in message.item:
        if item.id == _BACKGROUND and item.name == "background":  # as label_map_util.py of TFOD allows it
            continue
        if item.id in names:
            raise ConfigError(f"{name} has the id {item.id} twice.", "Give each class an id of its own.")
        names[item.id] = tuple(filter(None, (item.name, item.display_name)))
    return _mids(names, name, classes)


def mids_of_lines(text: str, name: str, classes: LabelMap) -> dict[int, str]:
    """The MID of each class id, from a text that names one class a line, by MID or display name.

    Lines count from 0, and the first is the background's: so are the labelmap.txt files beside TFOD's TFLite models,
    which begin with `???`, and so a line's number is the id that TFOD trained with. Elsewhere `???` is no class.
    A class that is none of `classes` has its line in place of a MID. Raises ConfigError for a file whose first line is
    a class.
    """
    lines = [line.strip() for line in text.rstrip().splitlines()]
    if lines and lines[_BACKGROUND].casefold() not in _NO_CLASS:
        fault = f"{name} begins with {lines[_BACKGROUND]!r}, which would have the id of background, 0."
        raise ConfigError(fault, "Write ??? into a line above it, if the class below has the id 1.")
    names = {number: (line,) for number, line in enumerate(lines) if line.casefold() not in _NO_CLASS}
    return _mids(names, name, classes)


def _mids(names: Mapping[int, tuple[str, ...]], name: str, classes: LabelMap) -> dict[int, str]:
    if not names:
        raise ConfigError(f"{name} names no class.", "Give the label map that the model was trained with.")
    below = [number for number in names if number <= _BACKGROUND]
    if below:
        raise ConfigError(f"{name} has the id {below[0]}.", "Ids count from 1, since 0 is background.")
    nameless = [number for number, each in names.items() if not each]
    if nameless:
        raise ConfigError(f"{name} does not name the class {nameless[0]}.", "Give it a name or a display_name.")
    return {number: _mid(each, classes) for number, each in names.items()}


def _mid(names: tuple[str, ...], classes: LabelMap) -> str:
    for each in names:
        with suppress(UnknownClassError):
            return classes.find(each).mid
    return names[-1]
