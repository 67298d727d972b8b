"""COCO's twelve numbers, as pycocotools computes them, or faster-coco-eval: https://cocodataset.org/#detection-eval."""

from __future__ import annotations

from contextlib import redirect_stdout
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

import numpy as np

from oidata.core.words import counted
from oidata.errors import TableError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray

    from oidata.core.evaluation.evaluation_set import EvaluationSet

# Where pycocotools has an IoU of 0.5 and of 0.75, and how many areas and limits of detections (cocoeval.py, Params).
_AT_50, _AT_75 = 0, 5
_ALL, *_SIZES = range(4)
*_FEWER, _MOST = range(3)

# pycocotools overwrites `ignore`, but ignores what is of no size that it asks for, and then finding it is no error.
_NO_SIZE = -1.0


class Engine(StrEnum):
    """What computes COCO's numbers, the same with either."""

    PYCOCOTOOLS = "pycocotools"
    FASTER = "faster-coco-eval"


@dataclass(frozen=True)
class CocoSummary:
    """Average precision (ap) and recall (ar), None where no box counts.

    They are means over the IoU thresholds 0.5, 0.55, … 0.95, if not at 50 or 75 % alone, and of the 100 best detections
    of each photo and class, if not of the best 1 or 10. Small is below 32² pixels of the photo, large above 96².
    """

    ap: float | None
    ap50: float | None
    ap75: float | None
    ap_small: float | None
    ap_medium: float | None
    ap_large: float | None
    ar1: float | None
    ar10: float | None
    ar100: float | None
    ar_small: float | None
    ar_medium: float | None
    ar_large: float | None

    @classmethod
    def of(cls, precision: NDArray[np.float64], recall: NDArray[np.float64]) -> CocoSummary:
        """Average pycocotools' tables.

        `precision` has the axes IoU threshold, recall threshold, class, size, limit of detections; `recall` is without
        the second.
        """
        at_most, of_all = precision[..., _MOST], precision[..., _ALL, _MOST]
        return cls(
            *(_mean(of_all), _mean(of_all[_AT_50]), _mean(of_all[_AT_75])),
            *(_mean(at_most[..., size]) for size in _SIZES),
            *(_mean(recall[..., _ALL, limit]) for limit in (*_FEWER, _MOST)),
            *(_mean(recall[..., size, _MOST]) for size in _SIZES),
        )


@dataclass(frozen=True)
class ClassSummary:
    """The numbers of one class."""

    mid: str
    display_name: str
    summary: CocoSummary


@dataclass(frozen=True)
class CocoAp:
    """COCO's numbers of all classes together, and of each in the order of the label map.

    groups_are_crowds  whether a group box was COCO's crowd, which can be neither missed nor found wrongly, or an
                       ordinary box
    engine             what computed them
    """

    groups_are_crowds: bool
    engine: Engine
    summary: CocoSummary
    classes: tuple[ClassSummary, ...]


def coco_ap(scored: EvaluationSet, *, groups_are_crowds: bool, engine: Engine = Engine.PYCOCOTOOLS) -> CocoAp:
    """Score detections by COCO's rules, with group boxes as crowds or as ordinary boxes.

    Ordinary is what TFOD's metrics/coco_tools.py makes of them, since its reader never passes group_of on to it. A
    stripped box that is no group is neither missed nor a false positive for the one detection that it matches. Raises
    TableError for a photo of unknown size, since sizes count in pixels.
    """
    annotations = _truth(scored, groups_are_crowds=groups_are_crowds), _detections(scored)
    coco, evaluate = _ENGINES[engine]()
    with redirect_stdout(None):  # pycocotools prints what it does
        evaluation = evaluate(*(_filled(coco(), scored, rows) for rows in annotations), "bbox")
        evaluation.evaluate()
        evaluation.accumulate()
    precision, recall = evaluation.eval["precision"], evaluation.eval["recall"]
    classes = (
        ClassSummary(label.mid, label.display_name, CocoSummary.of(precision[:, :, [at]], recall[:, [at]]))
        for at, label in enumerate(scored.classes.labels)
    )
    return CocoAp(groups_are_crowds, engine, CocoSummary.of(precision, recall), tuple(classes))


def _pycocotools() -> tuple[Callable[[], Any], Callable[..., Any]]:
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    return COCO, COCOeval


def _faster_coco_eval() -> tuple[Callable[[], Any], Callable[..., Any]]:
    from faster_coco_eval import COCO, COCOeval_faster

    return COCO, COCOeval_faster


_ENGINES = {Engine.PYCOCOTOOLS: _pycocotools, Engine.FASTER: _faster_coco_eval}


def _filled(coco: Any, scored: EvaluationSet, annotations: Iterator[dict[str, object]]) -> Any:  # noqa: ANN401
    """An index of COCO's, of either package, with `annotations` in it."""
    coco.dataset = {
        "images": [{"id": photo} for photo in range(len(scored.photos))],
        "categories": [{"id": label} for label in range(len(scored.classes.labels))],
        "annotations": list(annotations),
    }
    coco.createIndex()
    return coco


def _truth(scored: EvaluationSet, *, groups_are_crowds: bool) -> Iterator[dict[str, object]]:
    truth = scored.truth
    boxes = np.where(_is_box(truth.boxes)[:, np.newaxis], truth.boxes, 0)
    xywh = _xywh_px(scored, truth.key, boxes)
    facts: dict[str, np.ndarray] = {
        "area": np.where(truth.is_ignored, _NO_SIZE, xywh[:, 2] * xywh[:, 3]),
        "iscrowd": truth.is_group & groups_are_crowds,
    }
    return _annotations(scored, truth.key, xywh, np.argsort(truth.row), facts)


def _detections(scored: EvaluationSet) -> Iterator[dict[str, object]]:
    detected = scored.detected
    xywh = _xywh_px(scored, detected.key, detected.boxes)
    facts: dict[str, np.ndarray] = {"area": xywh[:, 2] * xywh[:, 3], "score": detected.score}
    return _annotations(scored, detected.key, xywh, np.argsort(detected.row), facts)


def _annotations(
    scored: EvaluationSet,
    key: NDArray[np.intp],
    xywh: NDArray[np.float64],
    order: NDArray[np.intp],
    facts: dict[str, np.ndarray],
) -> Iterator[dict[str, object]]:
    """Boxes as COCO's annotations, in `order`: of equals pycocotools prefers by that."""
    columns = {
        "id": np.arange(1, len(key) + 1),  # 0 is pycocotools' word for "not matched"
        "image_id": scored.photo(key)[order],
        "category_id": scored.label(key)[order],
        "bbox": xywh[order],
        **{name: values[order] for name, values in facts.items()},
    }
    rows = zip(*(column.tolist() for column in columns.values()), strict=True)
    return (dict(zip(columns, row, strict=True)) for row in rows)


def _xywh_px(scored: EvaluationSet, key: NDArray[np.intp], boxes: NDArray[np.float32]) -> NDArray[np.float64]:
    sizes = scored.photos[["width_px", "height_px"]]
    if (unknown := sizes.isna().any(axis=1)).any():
        first = scored.photos.loc[unknown, "image_id"].iloc[0]
        message = f"The size of {counted(int(unknown.sum()), 'photo')} is unknown, {first} among them."
        raise TableError(message, "Run the same fetch again: it measures the photos that are there.")
    sides_px = sizes.to_numpy(np.float64)[scored.photo(key)]
    low, high = boxes[:, :2] * sides_px, boxes[:, 2:] * sides_px
    return np.hstack([low, high - low])


def _is_box(boxes: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Which of (M, 4) are boxes: of others pycocotools matches the NaN with everything, and ignores the inverted."""
    return np.asarray(np.isfinite(boxes).all(axis=1) & (boxes[:, :2] < boxes[:, 2:]).all(axis=1))


def _mean(values: NDArray[np.float64]) -> float | None:
    """The mean of what is not -1, pycocotools' word for "there is none"."""
    known = values[values > -1]
    return float(known.mean()) if known.size else None
