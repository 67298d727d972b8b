"""The views that the App offers: what each selects, and which of it is worst and comes first."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Final

import numpy as np

from oidata.core.evaluation.failures import Cause, Error
from oidata.core.viewing.inspection import FORCED_ONLY, MISSED, STARVED, STRIPPED

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import pandas as pd

    from oidata.core.viewing.inspection import Inspection

_MISTAKEN: Final = (str(Error.CLASSIFICATION), str(Error.BOTH))
MOST_PAIRS: Final = 40  # views of pairs of classes: a longer list nobody looks through


class Of(StrEnum):
    """What a view selects."""

    BOXES = "boxes"
    DETECTIONS = "detections"
    PHOTOS = "photos"


@dataclass(frozen=True)
class View:
    """A selection: rows of which every column in `where` has one of the values, and photos that have such rows.

    worst: the column by which they are sorted, the highest or the lowest first. is_failure: of a trained model.
    """

    name: str
    says: str
    of: Of
    where: Mapping[str, tuple[object, ...]]
    worst: str
    is_highest_first: bool = True
    is_failure: bool = False

    def rows(self, inspection: Inspection) -> pd.DataFrame:
        """What it selects."""
        frame = {Of.BOXES: inspection.boxes, Of.DETECTIONS: inspection.detections, Of.PHOTOS: inspection.photos}[
            self.of
        ]
        if frame is None:
            message = f"The view {self.name} needs detections."
            raise ValueError(message)
        chosen = np.ones(len(frame), bool)
        for column, values in self.where.items():
            chosen &= frame[column].isin(values).to_numpy()
        return frame[chosen]


@dataclass(frozen=True)
class Counted:
    """A view, how many rows it selects, and on how many photos."""

    view: View
    number: int = field(compare=False)
    num_photos: int = field(compare=False)


def views(inspection: Inspection) -> list[View]:
    """All views that there are to have: those of failures first, where a run was judged, and then of the dataset."""
    return [*(_failures(inspection) if inspection.is_judged else ()), *_CURATION]


def counted(all_views: list[View], inspection: Inspection) -> list[Counted]:
    """How much each view selects."""
    rows = [(view, view.rows(inspection)) for view in all_views]
    return [Counted(view, len(of_view), of_view["image_id"].nunique()) for view, of_view in rows]


def worst(all_views: list[Counted]) -> Counted | None:
    """The view to open: of the failures, else of the others, the first that selects most; None where all are empty."""
    for is_failure in (True, False):
        there = [each for each in all_views if each.number and each.view.is_failure is is_failure]
        if there:
            return max(there, key=lambda each: each.number)
    return None


def _missed(name: str, says: str, causes: tuple[Cause, ...], by: str, *, is_highest_first: bool = True) -> View:
    where = {"outcome": (MISSED,), "cause": tuple(map(str, causes))}
    return View(f"missed: {name}", says, Of.BOXES, where, by, is_highest_first, is_failure=True)


def _found(name: str, says: str, where: Mapping[str, tuple[object, ...]]) -> View:
    return View(name, says, Of.DETECTIONS, where, "score", is_failure=True)


_MISSED = (
    _missed(
        "no anchor could match",
        "No anchor reaches the matcher's threshold: starved, in a size hole, or forced only.",
        (Cause.STARVED, Cause.SIZE_HOLE, Cause.FORCED_ONLY),
        "best_anchor_iou",
        is_highest_first=False,
    ),
    _missed(
        "hard to see",
        "The release calls them truncated, occluded, a depiction or a group; or they are tiny at the input.",
        (Cause.TRUNCATED, Cause.OCCLUDED, Cause.DEPICTION, Cause.GROUP, Cause.TINY),
        "side_px",
    ),
    _missed(
        "suppressed in a pile", "A detected neighbour of the class took them along.", (Cause.SUPPRESSED,), "side_px"
    ),
    _missed("below the threshold", "Found, with too low a score.", (Cause.BELOW_THRESHOLD,), "side_px"),
    _missed(
        "in spite of anchors",
        "Nothing tells why: anchors matched them, and the model had what it takes.",
        (Cause.IN_SPITE_OF_ANCHORS,),
        "num_positive_anchors",
    ),
)
_LOCALISATION = _found("localisation", "Beside the box.", {"outcome": (str(Error.LOCALISATION),)})
_DUPLICATES = _found("duplicates", "Found a second time.", {"outcome": (str(Error.DUPLICATE),)})
_BACKGROUND = _found(
    "background, maybe unboxed",
    "No box is there: the model is wrong, or a box is missing (cause unverified: nobody looked for the class).",
    {"outcome": (str(Error.BACKGROUND),)},
)

_CURATION = (
    View("stripped", "Boxes that do not train.", Of.BOXES, {"outcome": (STRIPPED,)}, "area"),
    View(
        "no anchor",
        "Boxes that no anchor reaches at the matcher's threshold: starved, or forced only.",
        Of.BOXES,
        {"anchor_match": (STARVED, FORCED_ONLY)},
        "best_anchor_iou",
        is_highest_first=False,
    ),
    View("group boxes", "More than five instances in one box.", Of.BOXES, {"is_group_of": ("yes",)}, "area"),
    View(
        "stripped, still visible",
        "The collateral: an object that a detector learns as background.",
        Of.PHOTOS,
        {"is_collateral": (True,)},
        "num_stripped",
    ),
    View("photos without a box", "None at all, or all stripped.", Of.PHOTOS, {"num_boxes": (0,)}, "num_stripped"),
    View(
        "duplicates across splits",
        "Twins in several splits: what is measured there was learned by heart.",
        Of.PHOTOS,
        {"is_across_splits": (True,)},
        "duplicate_group",
        is_highest_first=False,
    ),
    View(
        "EXIF-turned",
        "Shown as stored, as TensorFlow reads them; a person would see them turned.",
        Of.PHOTOS,
        {"exif_orientation": tuple(range(2, 9))},
        "num_boxes",
    ),
)


def _failures(inspection: Inspection) -> Iterator[View]:
    yield from _MISSED
    yield from _pairs(inspection)
    yield from (_LOCALISATION, _DUPLICATES, _BACKGROUND)


def _pairs(inspection: Inspection) -> Iterator[View]:
    """A view for each pair of classes of which one was taken for the other, and one for the reverse; most first."""
    detections = inspection.detections
    if detections is None:
        return
    mistaken = detections[detections["outcome"].isin(_MISTAKEN)].dropna(subset="other_class")
    counts = mistaken.groupby(["other_class", "label"]).size()
    pairs: dict[tuple[str, str], None] = {}
    for is_class, taken_for in counts.sort_values(ascending=False, kind="stable").index:
        pairs |= dict.fromkeys([(is_class, taken_for), (taken_for, is_class)])
    for is_class, taken_for in list(pairs)[:MOST_PAIRS]:
        where = {"outcome": _MISTAKEN, "label": (taken_for,), "other_class": (is_class,)}
        yield _found(f"{is_class} taken for {taken_for}", f"On a box of {is_class}, called {taken_for}.", where)
