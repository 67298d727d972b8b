"""Photos to divide into shards, made by hand, for the tests of what is computed about shards."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from oidata.core.sharding.evenness import Photos


def photos_of(num_boxes: ArrayLike, size_bytes: ArrayLike, image_ids: Sequence[str] = ()) -> Photos:
    """Photos with `num_boxes` (N, C) of each class; ids, if not given, as far apart as hashes are."""
    table = np.asarray(num_boxes, dtype=np.int64)
    photo, label = np.nonzero(table)
    number = table[photo, label]
    ids = image_ids or [f"{place * 0x9E3779B97F4A7C15 % 2**64:016x}" for place in range(len(table))]
    size = np.asarray(size_bytes, dtype=np.int64)
    return Photos(ids, size, np.repeat(photo, number), np.repeat(label, number), table.shape[1])
