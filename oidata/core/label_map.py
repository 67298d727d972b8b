"""The label map of a dataset as TFOD reads it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from google.protobuf import text_format

from oidata.core.pipeline_pb2 import StringIntLabelMap, StringIntLabelMapItem

if TYPE_CHECKING:
    from oidata.core.labels import LabelMap


def label_map_text(classes: LabelMap) -> str:
    """The label_map.pbtxt of `classes`, in ASCII: name is the MID, ids count from 1, since 0 is background."""
    items = [
        StringIntLabelMapItem(name=label.mid, id=number, display_name=label.display_name)
        for number, label in enumerate(classes.labels, start=1)
    ]
    return str(text_format.MessageToString(StringIntLabelMap(item=items), as_utf8=False))
