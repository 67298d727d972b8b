"""What was seen of the photos when each was decoded."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import pandas as pd

    from oidata.core.auditing.duplicates import Overlap

# A resizer to a square squeezes what is in such a photo to a third of its width or height.
EXTREME_RATIO = 3.0
NUM_NAMED = 20
"""How many photos are named, where some are."""


@dataclass(frozen=True)
class LookFacts:
    """The photos of the splits that are there, as decoded.

    num_photos        photos looked at
    num_undecodable   those that do not decode
    undecodable       reason by image_id, of the first NUM_NAMED
    modes             photos by Pillow's mode as stored: RGB, L (grey), CMYK, …
    num_turned        photos with an EXIF orientation other than upright; turned: the first NUM_NAMED of them
    num_rotated       photos to which the release gives a Rotation other than 0
    num_extreme       photos more than EXTREME_RATIO times as wide as high, or as high as wide
    overlaps          duplicates within a split and across two, by pair of splits
    """

    num_photos: int
    num_undecodable: int
    undecodable: dict[str, str]
    modes: dict[str, int]
    num_turned: int
    turned: tuple[str, ...]
    num_rotated: int
    num_extreme: int
    overlaps: tuple[Overlap, ...]

    @property
    def leaks(self) -> tuple[Overlap, ...]:
        """The duplicates across splits."""
        return tuple(overlap for overlap in self.overlaps if overlap.split != overlap.other)


def look_facts(decoded: pd.DataFrame, images: pd.DataFrame, overlaps: tuple[Overlap, ...]) -> LookFacts:
    """Count what was seen: `decoded` has a row for each photo looked at, `images` are their rows of IMAGES.

    The columns of `decoded` are image_id, reason (empty if it decodes), mode, width_px, height_px, exif_orientation.
    """
    decodes = decoded["reason"] == ""
    broken, good = decoded[~decodes], decoded[decodes]
    turned = good[good["exif_orientation"] != 1]
    ratio = np.log(good["width_px"].to_numpy(np.float64) / good["height_px"].to_numpy(np.float64))
    modes = good["mode"].value_counts().sort_index()
    return LookFacts(
        num_photos=len(decoded),
        num_undecodable=len(broken),
        undecodable=dict(broken[["image_id", "reason"]].head(NUM_NAMED).itertuples(index=False, name=None)),
        modes={str(mode): int(number) for mode, number in modes.items()},
        num_turned=len(turned),
        turned=tuple(turned["image_id"].head(NUM_NAMED)),
        num_rotated=int((images["rotation"].fillna(0) % 360 != 0).sum()),
        num_extreme=int((np.abs(ratio) > np.log(EXTREME_RATIO)).sum()),
        overlaps=overlaps,
    )
