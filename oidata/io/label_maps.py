"""Label maps of trained models."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from oidata.core.config.label_map import mids_of_lines, mids_of_pbtxt
from oidata.errors import ConfigError
from oidata.io.configs import read_text

if TYPE_CHECKING:
    from pathlib import Path

    from oidata.core.labels import LabelMap

LABEL_MAP_NAME: Final = "label_map.pbtxt"


def read_label_map(path: Path, classes: LabelMap) -> dict[int, str]:
    """The MID of each class id of a model, from its label map: .txt is one class a line, anything else .pbtxt.

    A class that is none of `classes` has its name in place of a MID. The formats are those of
    `oidata.core.config.label_map`. Raises ConfigError if there is none at `path`, and for one that does not fit.
    """
    try:
        text = read_text(path, "label map")
    except FileNotFoundError:
        raise ConfigError(f"There is no label map at {path}.", "Give label_map.pbtxt, or a .txt.") from None
    read = mids_of_lines if path.suffix == ".txt" else mids_of_pbtxt
    return read(text, str(path), classes)
