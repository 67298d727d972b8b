"""Which of a model's detections are kept as those of a dataset, and by which names; the others are counted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
import pandas as pd

from oidata.core.tables import COORDINATES, DETECTIONS
from oidata.errors import ConfigError, ModelError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from oidata.core.prediction.postprocessing import RawDetections

_ROUNDING: Final = 1e-3  # by which the best score of a quantised model may exceed 1
_REASONS: Final = (
    "with a score or a coordinate that is no number",
    "of class ids that the label map does not have",
    "of classes that the dataset does not have",
)


@dataclass(frozen=True)
class Sieve:
    """Keeps what scores above `score_threshold` and is of a class of the dataset.

    names: what the class ids of the model stand for, a MID of the dataset or another name. mids: of the dataset.
    is_strict: a class id that has no name is an error, not a detection to be left out.
    """

    names: Mapping[int, str]
    mids: tuple[str, ...]
    score_threshold: float
    is_strict: bool = False

    def sift(self, found: RawDetections) -> tuple[RawDetections, dict[str, int]]:
        """What of `found` is kept, the best score first, and how many detections are left out, by reason.

        Raises ModelError for a score that is none, and ConfigError for a class id without a name, where that is one.
        """
        is_number = np.isfinite(found.scores) & np.isfinite(found.boxes).all(axis=1)
        is_seen = ~is_number | (found.scores > np.float32(self.score_threshold))
        seen, is_number = found[is_seen], is_number[is_seen]
        _check_scores(found.scores)
        is_named = np.isin(seen.class_ids, list(self.names))
        if self.is_strict and not is_named.all():
            fault = f"it finds the class {seen.class_ids[~is_named][0]}, which the label map does not have."
            raise ConfigError(fault, "Give the label map that the model was trained with: --label-map.")
        is_ours = np.isin(seen.class_ids, [number for number, name in self.names.items() if name in self.mids])
        faults = np.stack([~is_number, ~is_named, ~is_ours])
        first = np.where(faults.any(axis=0), faults.argmax(axis=0), len(_REASONS))
        counts = np.bincount(first, minlength=len(_REASONS) + 1).tolist()
        kept = seen[first == len(_REASONS)]
        left_out = {reason: count for reason, count in zip(_REASONS, counts, strict=False) if count}
        return kept[np.argsort(-kept.scores, kind="stable")], left_out

    def rows(self, kept: Mapping[str, RawDetections]) -> pd.DataFrame:
        """DETECTIONS of what was kept of each photo, by image_id, in that order."""
        if not any(map(len, kept.values())):
            return DETECTIONS.empty()
        ids = np.concatenate([each.class_ids for each in kept.values()])
        sides = np.concatenate([each.boxes for each in kept.values()])
        columns: dict[str, object] = {
            "image_id": np.repeat(np.array(list(kept), object), [len(each) for each in kept.values()]),
            "mid": [self.names[number] for number in ids.tolist()],
            "score": np.minimum(np.concatenate([each.scores for each in kept.values()]), np.float32(1)),
        }
        return DETECTIONS.conform(pd.DataFrame(columns | dict(zip(COORDINATES, sides.T, strict=True))))


def _check_scores(scores: NDArray[np.float32]) -> None:
    is_wrong = (scores < 0) | (scores > 1 + _ROUNDING)
    if is_wrong.any():
        fault = f"the model gives a score of {scores[is_wrong][0]:g}, which is not in [0, 1]."
        raise ModelError(fault, "Give the config that the model was trained with: its score_converter makes scores.")
