"""What is known of each ground-truth box before anything is detected."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from oidata.core.statistics import places

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

    from oidata.core.auditing.anchor_numbers import AnchorNumbers
    from oidata.core.evaluation.evaluation_set import Truth


@dataclass(frozen=True, eq=False)
class TruthFacts:
    """What the release, the matcher and the resizer make of each of the M boxes of an EvaluationSet.

    is_truncated, is_occluded, is_depiction   as the release says: bool (M,)
    is_starved, is_forced_only, is_in_hole    of those that train; False where that is not known: bool (M,)
    side_px  √area in pixels at the network's input; NaN where that is not known: float32 (M,)
    nms_iou  the IoU from which non-maximum suppression takes the lower of two detections of a class
    """

    is_truncated: NDArray[np.bool_]
    is_occluded: NDArray[np.bool_]
    is_depiction: NDArray[np.bool_]
    is_starved: NDArray[np.bool_]
    is_forced_only: NDArray[np.bool_]
    is_in_hole: NDArray[np.bool_]
    side_px: NDArray[np.float32]
    nms_iou: float

    @classmethod
    def of(cls, truth: Truth, boxes: pd.DataFrame, numbers: AnchorNumbers | None, nms_iou: float) -> TruthFacts:
        """`boxes` are BOXES; `numbers` are of those that train, None where there are no anchors."""
        rows = boxes.iloc[truth.row]
        flags = {name: rows[name].to_numpy() == 1 for name in ("is_truncated", "is_occluded", "is_depiction")}
        if numbers is None:
            no, unknown = np.zeros(len(truth), bool), np.full(len(truth), np.nan, np.float32)
            return cls(**flags, is_starved=no, is_forced_only=no, is_in_hole=no, side_px=unknown, nms_iou=nms_iou)
        place = places(rows["box_id"], numbers.boxes["box_id"])
        side_px = np.append(numbers.boxes["side_px"].to_numpy(np.float32), np.float32(np.nan))[place]
        is_starved, is_forced_only = (
            np.append(numbers.boxes[name].to_numpy(bool), False)[place] for name in ("is_starved", "is_forced_only")
        )
        return cls(
            **flags,
            is_starved=is_starved,
            is_forced_only=is_forced_only,
            is_in_hole=np.any([hole.holds(side_px) for hole in numbers.holes] or [np.zeros(len(truth), bool)], axis=0),
            side_px=side_px,
            nms_iou=nms_iou,
        )
