"""The pictures of an evaluation: what failed, by first cause, the worst first."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from oidata.core.auditing.findings import Area
from oidata.core.evaluation.failures import Cause, Kind
from oidata.core.evaluation.operating_point import thresholds
from oidata.core.words import counted
from oidata.errors import PhotoError
from oidata.report.evaluation_tables import named
from oidata.report.gallery import Outline, crop
from oidata.report.page import Gallery, Key, Picture, Section

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from oidata.core.auditing.anchor_numbers import AnchorNumbers
    from oidata.core.evaluation.evaluation import Evaluation
    from oidata.core.evaluation.evaluation_set import EvaluationSet
    from oidata.dataset import Dataset

NUM_PICTURES = 12
_TRUTH, _DETECTION = "#19b5fe", "#ff4318"
_THIN, _THICK, _OVER = 1, 5, 2
"""Where a detection lies on its box, the line of the box shows beside its own."""
_NUM_NAMES = 5

_SAID_BY_DETECTION = (Cause.SUPPRESSED, Cause.BELOW_THRESHOLD, Cause.TAKEN_FOR_OTHER)
_BY_SCORE = (Cause.BELOW_THRESHOLD, Cause.TAKEN_FOR_OTHER)
_LOOK = {
    Cause.GROUP: "Open Images does not ask for these one by one; other metrics may.",
    Cause.STARVED: "Nothing in training learns these.",
    Cause.SIZE_HOLE: "A box of this size has no anchor in most places, so little in training learns these.",
    Cause.FORCED_ONLY: "One poor anchor learns each of these.",
    Cause.TRUNCATED: "Is what the photo shows of them enough?",
    Cause.OCCLUDED: "Is what is to be seen of them enough?",
    Cause.DEPICTION: "Drawings and pictures of the object.",
    Cause.TINY: "Is there enough left to see at the network's input?",
    Cause.SUPPRESSED: "A box of the same class beside them is found, and suppression lets one of the two through.",
    Cause.BELOW_THRESHOLD: "The detector sees them, but not surely enough to count.",
    Cause.TAKEN_FOR_OTHER: "Can you tell the classes apart here?",
    Cause.IN_SPITE_OF_ANCHORS: "Nothing that is known of them stands in the way: what have they in common?",
    Cause.ON_STRIPPED: "Neither right nor wrong, since the box was stripped.",
    Cause.IN_GROUP: "Neither right nor wrong, since Open Images boxes the group alone.",
    Cause.DUPLICATE: "The object is found already, by a detection with a higher score.",
    Cause.LOCALISATION: "The object is there, the box does not fit it (IoU below 0.5).",
    Cause.OTHER_CLASS: "Can you tell the classes apart here?",
    Cause.UNVERIFIED: "Nobody looked for the class in these photos: is it there after all?",
    Cause.BACKGROUND: "Is there an object without a box after all?",
}


def pictures(
    dataset: Dataset, scored: EvaluationSet, found: Evaluation, boxes: pd.DataFrame, numbers: AnchorNumbers | None
) -> Section:
    """For each first cause that occurs at most NUM_PICTURES of its failures.

    `scored` is what was evaluated, `boxes` are BOXES, `numbers` what the anchors make of them, where that is known.
    """
    shelf = _Shelf.of(dataset, scored, found, boxes, numbers)
    causes = sorted((each for each in found.causes if each.num), key=lambda each: each.area == Area.METRIC)
    galleries = [shelf.gallery(Kind(each.kind), Cause(each.cause)) for each in causes]
    shown = tuple(gallery for gallery in galleries if gallery.pictures)
    text = (
        f"The failures of each first cause, {NUM_PICTURES} at most: missed boxes by falling size (or score, where a "
        "detection explains them), detections by falling score, and of each photo one before its others. The px of a "
        "box are of its side at the network's input."
    )
    keys = (
        Key(_TRUTH, "ground truth (thick: the box in question)"),
        Key(_DETECTION, "detections (thick: the one in question; thin: others that count)"),
    )
    return Section("Pictures", text, notes=tuple(shelf.not_shown()), keys=keys if shown else (), galleries=shown)


@dataclass(frozen=True, eq=False)
class _Boxes:
    """Boxes by photo: photo (K,) rising, xyxy (K, 4), and the place of each by its name."""

    photo: NDArray[np.intp]
    xyxy: NDArray[np.float32]
    places: Mapping[str | int, int]

    def of_photo(self, photo: int) -> NDArray[np.float32]:
        first, end = np.searchsorted(self.photo, (photo, photo + 1))
        return self.xyxy[first:end]

    def of_name(self, name: str | int | None) -> NDArray[np.float32] | None:
        return None if name is None or pd.isna(name) else self.xyxy[self.places[name]]


@dataclass(frozen=True, eq=False)
class _Shelf:
    """What pictures are made of.

    failures: FAILURES with side_px, best_anchor_iou, area and stripped of the box, if known. photos: number, split and
    title by image_id. counted: the detections that count. broken: photos that are not there, or do not decode.
    """

    dataset: Dataset
    names: Mapping[str, str]
    floor: Mapping[str, float]
    failures: pd.DataFrame
    photos: pd.DataFrame
    truth: _Boxes
    detected: _Boxes
    counted: _Boxes
    broken: set[str]

    @classmethod
    def of(
        cls,
        dataset: Dataset,
        scored: EvaluationSet,
        found: Evaluation,
        boxes: pd.DataFrame,
        numbers: AnchorNumbers | None,
    ) -> _Shelf:
        truth, detected = scored.truth, scored.detected
        photos = scored.photos.assign(number=range(len(scored.photos))).set_index("image_id")
        box_ids = boxes["box_id"].to_numpy()[truth.row].tolist()
        counts = detected.score >= thresholds(found.points)[scored.label(detected.key)]
        failed = photos.loc[found.failures["image_id"].unique(), "split"]
        return cls(
            dataset=dataset,
            names=scored.classes.names,
            floor={point.mid: point.threshold for point in found.points},
            failures=_measured(found.failures, numbers)
            .join(_areas(box_ids, truth.boxes), on="box_id")
            .join(boxes.set_index("box_id")["stripped"], on="box_id"),
            photos=photos[["number", "split", "title"]],
            truth=_Boxes(scored.photo(truth.key), truth.boxes, _places(box_ids)),
            detected=_Boxes(scored.photo(detected.key), detected.boxes, _places(detected.row.tolist())),
            counted=_Boxes(scored.photo(detected.key)[counts], detected.boxes[counts], {}),
            broken={
                image_id for image_id, split in failed.items() if not dataset.photo_path(split, image_id).is_file()
            },
        )

    def gallery(self, kind: Kind, cause: Cause) -> Gallery:
        """The failures of a kind that have a first cause."""
        failures = self.failures
        own = failures[(failures["kind"] == kind) & (failures["cause"] == cause)]
        pictures = []
        for _, row in self._worst_first(own, by_score=kind != Kind.MISSED or cause in _BY_SCORE).iterrows():
            if picture := self._picture(row):
                pictures.append(picture)
            if len(pictures) == NUM_PICTURES:
                break
        return Gallery(named(kind, cause), _LOOK[cause], len(own), tuple(pictures))

    def not_shown(self) -> Iterator[str]:
        """Say of which photos with a failure there is no picture."""
        if self.broken:
            listed = sorted(self.broken)[:_NUM_NAMES]
            more = f" and {len(self.broken) - _NUM_NAMES:,} more" if len(self.broken) > _NUM_NAMES else ""
            are = "is not there, or does not decode" if len(self.broken) == 1 else "are not there, or do not decode"
            yield f"{counted(len(self.broken), 'photo')} with failures {are}: {', '.join(listed)}{more}."

    @staticmethod
    def _worst_first(rows: pd.DataFrame, *, by_score: bool) -> pd.DataFrame:
        rows = rows.sort_values("score" if by_score else "area", ascending=False, kind="stable")
        return rows.assign(turn=rows.groupby("image_id").cumcount()).sort_values("turn", kind="stable")

    def _picture(self, row: pd.Series) -> Picture | None:
        image_id = row["image_id"]
        if image_id in self.broken:
            return None
        photo = self.photos.loc[image_id]
        box, detection = self.truth.of_name(row["box_id"]), self.detected.of_name(row["detection"])
        outlines = (
            *_outlines(self.truth.of_photo(photo["number"]), _TRUTH, _THIN),
            *_outlines(self.counted.of_photo(photo["number"]), _DETECTION, _THIN),
            *_outlines(box, _TRUTH, _THICK),
            *_outlines(detection, _DETECTION, _OVER if box is not None else _THICK),
        )
        both = [tuple(each.tolist()) for each in (box, detection) if each is not None and np.isfinite(each).all()]
        if not both:
            return None  # a stripped box that is none, and counts
        lows, highs = zip(*(each[:2] for each in both), strict=True), zip(*(each[2:] for each in both), strict=True)
        (left, top), (right, bottom) = map(min, lows), map(max, highs)
        try:
            uri = crop(self.dataset.photo_path(photo["split"], image_id), outlines, (left, top, right, bottom))
        except PhotoError:
            self.broken.add(image_id)
            return None
        text = [*self._text(row), f"{photo['split']}/{image_id}"]
        if pd.notna(photo["title"]) and photo["title"]:
            text.append(f"“{photo['title']}”")
        return Picture(uri, self._title(row), " · ".join(text))

    def _title(self, row: pd.Series) -> str:
        name = self.names[row["mid"]]
        if row["kind"] != Kind.MISSED:
            return f"{name} {row['score']:.2f}"
        return name if np.isnan(row["side_px"]) else f"{name}, {row['side_px']:.0f} px"

    def _text(self, row: pd.Series) -> Iterator[str]:
        yield from self._of_missed(row) if row["kind"] == Kind.MISSED else self._of_detection(row)
        others = [name for name in row["causes"].split("|") if name not in {row["cause"], *_SAID_BY_DETECTION}]
        if others:
            yield f"also {', '.join(others).replace('_', ' ')}"

    def _of_missed(self, row: pd.Series) -> Iterator[str]:
        if not np.isnan(row["best_anchor_iou"]):
            yield f"best anchor IoU {row['best_anchor_iou']:.2f}"
        if pd.isna(row["detection"]):
            return
        overlap = f"score {row['score']:.2f}, IoU {row['iou']:.2f}"
        if pd.notna(row["other_mid"]):
            yield f"taken for {self.names[row['other_mid']]}: {overlap}"
        elif Cause.BELOW_THRESHOLD in row["causes"].split("|"):
            yield f"found with {overlap}, counts from {self.floor[row['mid']]:.2f}"
        else:
            yield f"neighbour found with {overlap}"

    def _of_detection(self, row: pd.Series) -> Iterator[str]:
        if pd.isna(row["box_id"]):
            yield "on no box that counts"
        elif row["cause"] == Cause.IN_GROUP:
            yield f"in a group of {self.names[row['mid']]}"
        else:
            name = self.names[row["mid"] if pd.isna(row["other_mid"]) else row["other_mid"]]
            stripped = f", stripped ({row['stripped']})" if row["cause"] == Cause.ON_STRIPPED else ""
            yield f"IoU {row['iou']:.2f} with a box of {name}{stripped}"


def _places(names: Sequence[str | int]) -> dict[str | int, int]:
    return {name: place for place, name in enumerate(names)}


def _measured(failures: pd.DataFrame, numbers: AnchorNumbers | None) -> pd.DataFrame:
    """FAILURES with side_px and best_anchor_iou of the boxes, NaN where they are not known."""
    if numbers is None:
        return failures.assign(side_px=np.nan, best_anchor_iou=np.nan)
    known = numbers.boxes.set_index("box_id")[["side_px", "best_anchor_iou"]]
    return failures.join(known, on="box_id")


def _areas(box_ids: list[str], xyxy: NDArray[np.float32]) -> pd.DataFrame:
    """The share of the photo that each box has, by box_id."""
    return pd.DataFrame({"area": (xyxy[:, 2:] - xyxy[:, :2]).prod(axis=1)}, index=pd.Index(box_ids))


def _outlines(xyxy: NDArray[np.float32] | None, colour: str, line_px: int) -> Iterator[Outline]:
    """One for each box, of shape (4,) or (K, 4), if there is any."""
    if xyxy is not None:
        for xmin, ymin, xmax, ymax in np.atleast_2d(xyxy).tolist():
            if np.isfinite((xmin, ymin, xmax, ymax)).all():
                yield Outline((xmin, ymin, xmax, ymax), colour, line_px)
