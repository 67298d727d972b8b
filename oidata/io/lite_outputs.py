"""The inputs and outputs of TFLite models, and which output is which: their order in the file is any."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Self

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

BOXES, CLASSES, SCORES, COUNT = "boxes", "classes", "scores", "count"
ENCODINGS, PREDICTIONS = "encodings", "predictions"

# How the converter names the outputs of TFOD's export_tflite_ssd_graph_lib.py, those of export_tflite_graph_lib_tf2.py,
# which reverses them, and what those who write metadata call them. The order in the file is any.
_NAMES: Final = (
    (re.compile(r"TFLite_Detection_PostProcess(?::(\d))?"), (BOXES, CLASSES, SCORES, COUNT)),
    (re.compile(r"(?:Stateful)?PartitionedCall(?::(\d))?"), (COUNT, SCORES, CLASSES, BOXES)),
)
_WORDS: Final = {
    "detection_boxes": BOXES,
    "detection_classes": CLASSES,
    "detection_scores": SCORES,
    "num_detections": COUNT,
    "raw_outputs/box_encodings": ENCODINGS,
    "raw_outputs/class_predictions": PREDICTIONS,
}
POST_PROCESSED: Final = frozenset({BOXES, CLASSES, SCORES, COUNT})
RAW: Final = frozenset({ENCODINGS, PREDICTIONS})


@dataclass(frozen=True)
class Tensor:
    """An input or output of a model.

    A real value is (stored - zero_point) · scale where the model is quantised; a scale of 0 says that it is not.
    """

    index: int
    name: str
    shape: tuple[int, ...]
    dtype: Any
    scale: float
    zero_point: int

    @classmethod
    def of(cls, details: Mapping[str, Any]) -> Self:
        """From what the interpreter tells of it."""
        shape = tuple(int(size) for size in details["shape"])
        scale, zero_point = details["quantization"]
        return cls(details["index"], details["name"], shape, details["dtype"], scale, zero_point)

    def __str__(self) -> str:
        return f"{self.name} {list(self.shape)} {np.dtype(self.dtype).name}"

    @property
    def is_float(self) -> bool:
        """Whether values are stored as they are."""
        return bool(np.issubdtype(self.dtype, np.floating))

    def stored(self, values: NDArray[np.float32]) -> NDArray[Any]:
        """Real values as the model takes them, rounded to the nearest that it can tell."""
        if self.is_float:
            return np.asarray(values, self.dtype)
        limits = np.iinfo(self.dtype)
        steps = np.round(values / (self.scale or 1)) + self.zero_point
        taken: NDArray[Any] = np.clip(steps, limits.min, limits.max).astype(self.dtype)
        return taken

    def real(self, stored: NDArray[Any]) -> NDArray[np.float32]:
        """What the model says by `stored`."""
        if self.is_float or not self.scale:
            return stored.astype(np.float32)
        steps = stored.astype(np.int32) - self.zero_point
        return steps.astype(np.float32) * np.float32(self.scale)


def bind(outputs: Sequence[Tensor], values: Sequence[NDArray[np.float32]]) -> dict[str, Tensor]:
    """The outputs of a detector by what they are: all of POST_PROCESSED or of RAW; empty if it is none.

    Their names say it, where these are of TFOD's exporters and fit the shapes; else the shapes of their `values` for a
    trial do, and of two that differ in nothing else, classes are those that are whole numbers.
    """
    by_name = [_role_by_name(each.name) for each in outputs]
    by_shape = [_role_by_shape(each, len(values)) for each in values]
    for roles in (by_name, by_shape):
        if _is_consistent(dict(zip(roles, values, strict=True))):
            return dict(zip(roles, outputs, strict=True))
    return {}


def _role_by_name(name: str) -> str:
    name = name.removesuffix(":0")
    for pattern, roles in _NAMES:
        if (match := pattern.fullmatch(name)) and int(match[1] or 0) < len(roles):
            return roles[int(match[1] or 0)]
    return _WORDS.get(name, "")


def _role_by_shape(values: NDArray[np.float32], num_outputs: int) -> str:
    match values.shape:
        case (1, _, 4):
            return ENCODINGS if num_outputs == len(RAW) else BOXES
        case (1, _, _):
            return PREDICTIONS
        case (1, _):
            return CLASSES if np.array_equal(values, np.round(values)) else SCORES
        case (1,) | ():
            return COUNT
    return ""


def _is_consistent(bound: Mapping[str, NDArray[np.float32]]) -> bool:
    shapes = {role: values.shape for role, values in bound.items()}
    if shapes.keys() == RAW:
        return len(shapes[PREDICTIONS]) == 3 and shapes[ENCODINGS] == (*shapes[PREDICTIONS][:2], 4)  # noqa: PLR2004
    return shapes.keys() == POST_PROCESSED and (*shapes[CLASSES], 4) == (*shapes[SCORES], 4) == shapes[BOXES]
