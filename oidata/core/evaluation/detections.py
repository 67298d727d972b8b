"""Which detections can be scored: what is wrong with the others is an error, or counted, and never a silent number."""

from __future__ import annotations

from dataclasses import astuple, dataclass
from typing import TYPE_CHECKING

import numpy as np

from oidata.core.statistics import places
from oidata.core.tables import COORDINATES, DETECTIONS, check
from oidata.errors import TableError

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

    from oidata.core.statistics import Cells

# A detector that does not clip places a box so far outside the photo now and then; in pixels nearly all lie there.
FAR_OUTSIDE = 2.0
_PIXELS_SHARE = 0.1

_REASONS = (
    "on photos that the dataset does not have",
    "on photos of other splits, or dropped, or without a whole file",
    "of classes that the dataset does not have",
    "with a coordinate that is NaN or infinite",
    "with max before min",
    "without an area",
)


@dataclass(frozen=True)
class LeftOut:
    """How many detections are not scored, each for the first reason that applies."""

    num_unknown_photos: int
    num_other_photos: int
    num_unknown_classes: int
    num_not_finite: int
    num_inverted: int
    num_no_area: int

    @classmethod
    def of(cls, fault: NDArray[np.intp]) -> LeftOut:
        """Count the `faults` of the detections."""
        return cls(*np.bincount(fault[fault >= 0], minlength=len(_REASONS)).tolist())

    @property
    def total(self) -> int:
        """How many are left out in all."""
        return sum(astuple(self))

    def reasons(self) -> list[str]:
        """Say of each reason that applies how many detections it leaves out."""
        return [f"{number:,} {says}" for number, says in zip(astuple(self), _REASONS, strict=True) if number]


def check_detections(detections: pd.DataFrame) -> None:
    """Raise TableError if `detections` are not as DETECTIONS declares, or no probabilities, or in pixels."""
    check(detections, DETECTIONS)
    score = detections["score"].to_numpy()
    is_none = ~((score >= 0) & (score <= 1))
    if is_none.any():
        number = f"{is_none.sum():,} of {len(score):,} scores"
        message = f"{number} are not within 0 and 1, such as {score[is_none][0]:g}."
        raise TableError(message, "Give the detector's scores after its sigmoid or softmax.")
    xyxy = detections[list(COORDINATES)].to_numpy()
    is_far = ((xyxy > FAR_OUTSIDE) & np.isfinite(xyxy)).any(axis=1)
    if is_far.sum() > _PIXELS_SHARE * len(xyxy):
        example = ", ".join(f"{side:g}" for side in xyxy[is_far][0])
        message = f"Boxes are in pixels where normalised coordinates are expected, such as {example}."
        raise TableError(message, "Divide xmin and xmax by the width of the photo, ymin and ymax by its height.")


def faults(detections: pd.DataFrame, images: pd.DataFrame, photos: pd.DataFrame, cells: Cells) -> NDArray[np.intp]:
    """Why each detection cannot be scored: the place of the reason in LeftOut, -1 if it can; intp of shape (N,).

    `photos` are those of `images`, as IMAGES, that are to be scored. A box must have an area, as in TFOD's
    utils/per_image_evaluation.py, _remove_invalid_boxes.
    """
    xmin, ymin, xmax, ymax = (detections[name].to_numpy() for name in COORDINATES)
    applies = np.array(
        [
            places(detections["image_id"], images["image_id"]) < 0,
            places(detections["image_id"], photos["image_id"]) < 0,
            cells.class_codes(detections) < 0,
            ~np.isfinite([xmin, ymin, xmax, ymax]).all(axis=0),
            (xmax < xmin) | (ymax < ymin),
            (xmax == xmin) | (ymax == ymin),
        ]
    )
    return np.where(applies.any(axis=0), applies.argmax(axis=0), -1)
