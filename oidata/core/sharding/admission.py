"""Which photos become examples of a training set, and why the others do not."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import pandas as pd

from oidata.core.release.defects import is_unboxed
from oidata.core.sharding.features import DROP, is_written
from oidata.core.statistics import places

if TYPE_CHECKING:
    from oidata.core.tables import Tables

NOT_OK, DROPPED, NO_BOX, NEGATIVE, LEFTOVER = "not_ok", "dropped", "no_box", "negative", "leftover"
REASONS: Final = {
    NOT_OK: "missing, or no whole JPEG, which TensorFlow does not decode",
    DROPPED: "dropped by you",
    NO_BOX: "no box to write, and not verified to lack a class",
    NEGATIVE: "verified to lack a class, without a box",
    LEFTOVER: "shows an object without its box, beside others",
}


def left_out(
    tables: Tables, *, stripped: str = DROP, drop_leftover: bool = False, with_negatives: bool = True
) -> pd.Series:
    """For each of the images the first of REASONS to leave it out, null where the photo becomes an example.

    An example has a box that is written (`core.features.is_written`), or is a negative: a photo without any box,
    stripped or not, that is verified to lack a chosen class and to show none.
    """
    images, boxes, labels = tables.images, tables.boxes, tables.labels
    image_ids = images["image_id"]
    written = is_written(boxes, stripped)
    is_boxed = _have(image_ids, boxes[written])
    is_shown = _have(image_ids, boxes) | _have(image_ids, labels[labels["is_present"]])
    is_negative = ~is_shown & _have(image_ids, labels[~labels["is_present"]])
    reasons = {
        NOT_OK: (images["status"] != "ok").to_numpy(),
        DROPPED: images["dropped"].notna().to_numpy(),
        NO_BOX: ~is_boxed & ~is_negative,
        NEGATIVE: is_negative & (not with_negatives),
        LEFTOVER: image_ids.isin(leftover(boxes, stripped) if drop_leftover else ()).to_numpy(),
    }
    found = np.full(len(images), None, dtype=object)
    for reason, applies in reversed(reasons.items()):
        found[applies] = reason
    return pd.Series(found, images.index, dtype="str")


def leftover(boxes: pd.DataFrame, stripped: str = DROP) -> set[str]:
    """The photos on which an object stays to see though its box is not written, by image_id."""
    return set(boxes.loc[is_unboxed(boxes, is_written(boxes, stripped)), "image_id"])


def _have(image_ids: pd.Series, rows: pd.DataFrame) -> np.ndarray:
    """Which photos have one of the rows: booleans of shape (num_photos,)."""
    have = np.zeros(len(image_ids) + 1, dtype=bool)
    have[places(rows["image_id"], image_ids)] = True
    return have[:-1]
