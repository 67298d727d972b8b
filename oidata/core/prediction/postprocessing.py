"""From the raw outputs of an SSD to detections, as TFOD has it in the graphs that it exports."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, Self

import numpy as np

from oidata.core import boxes as box_ops
from oidata.core.config.pipeline_pb2 import PostProcessing as PostProcessingMessage
from oidata.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from oidata.core.config.pipeline import PipelineConfig
    from oidata.core.config.pipeline_pb2 import BatchNonMaxSuppression

_MANY: Final = 2048
_BLOCK: Final = 128  # candidates that are compared with each other at once
_MAX_LOG_SIZE: Final = np.float32(80)  # exp(89) is infinite in float32; the bound of faster_rcnn_box_coder.py


@dataclass(frozen=True, eq=False)
class RawDetections:
    """What a model finds in one photo, the best score first.

    boxes are (K, 4) xyxy float32, normalised to the photo, and may reach beyond [0, 1]; scores are (K,) float32,
    class_ids (K,) int64, from 1, since 0 is background.
    """

    boxes: NDArray[np.float32]
    scores: NDArray[np.float32]
    class_ids: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.scores)

    def __getitem__(self, chosen: slice | NDArray[np.generic]) -> RawDetections:
        return RawDetections(self.boxes[chosen], self.scores[chosen], self.class_ids[chosen])


@dataclass(frozen=True)
class BoxCoder:
    """How boxes are told relative to anchors: the fields of TFOD's FasterRcnnBoxCoder, with its defaults."""

    y_scale: float = 10.0
    x_scale: float = 10.0
    height_scale: float = 5.0
    width_scale: float = 5.0

    def decode(self, encodings: NDArray[np.float32], anchors: NDArray[np.float32]) -> NDArray[np.float32]:
        """The boxes, (N, 4) xyxy, that `encodings` (N, 4), in TFOD's order y, x, height, width, say of `anchors`.

        The order of operations is that of box_coders/faster_rcnn_box_coder.py and of get_center_coordinates_and_sizes
        in core/box_list.py.
        """
        center_x, center_y, widths, heights = _centers_and_sizes(anchors)
        y, x, height, width = (encodings / self._scales()).T
        half_height = np.exp(np.minimum(height, _MAX_LOG_SIZE)) * heights / np.float32(2)
        half_width = np.exp(np.minimum(width, _MAX_LOG_SIZE)) * widths / np.float32(2)
        center_y, center_x = y * heights + center_y, x * widths + center_x
        sides = (center_x - half_width, center_y - half_height, center_x + half_width, center_y + half_height)
        return np.stack(sides, axis=-1)

    def _scales(self) -> NDArray[np.float32]:
        return np.array((self.y_scale, self.x_scale, self.height_scale, self.width_scale), np.float32)


@dataclass(frozen=True)
class Suppression:
    """Non-maximum suppression: the fields of TFOD's BatchNonMaxSuppression that decide what is left."""

    score_threshold: float = 0.0
    iou_threshold: float = 0.6
    max_detections_per_class: int = 100
    max_total_detections: int = 100
    is_class_agnostic: bool = False

    @classmethod
    def of(cls, message: BatchNonMaxSuppression, name: str) -> Suppression:
        """Read a config's batch_non_max_suppression. Raises ConfigError for a kind of it that is not followed."""
        unfollowed = [each for each in ("soft_nms_sigma", "use_combined_nms") if getattr(message, each)]
        if unfollowed:
            fault = f"{name} sets {' and '.join(unfollowed)}, which is not followed for a model without suppression."
            raise ConfigError(fault, "Export the model with its post-processing.")
        return cls(
            message.score_threshold,
            message.iou_threshold,
            message.max_detections_per_class,
            message.max_total_detections,
            message.use_class_agnostic_nms,
        )

    def detections(
        self,
        boxes: NDArray[np.float32],
        scores: NDArray[np.float32],
        window: tuple[float, float] = (1.0, 1.0),
    ) -> RawDetections:
        """What is left of `boxes` (A, 4) xyxy with the `scores` (A, C) of C classes, without background.

        Class by class, the best score first, at equal scores the lowest index, unless a box already taken has an IoU
        above the threshold; then those of all classes by score, at equal scores the lowest class first: the rules of
        multiclass_non_max_suppression and class_agnostic_non_max_suppression in TFOD's core/post_processing.py and of
        TensorFlow's kernel. The photo fills the share `window`, of width and height, of the input: boxes are clipped to
        it, and dropped if nothing is left, only after suppression; those returned are normalised to it.
        """
        if self.is_class_agnostic:
            classes = scores.argmax(axis=1)
            taken, _ = self._taken(boxes, scores.max(axis=1)[:, None], window)
            return self._placed(boxes, scores, taken, classes[taken], window)
        taken, classes = self._taken(boxes, scores, window)
        return self._placed(boxes, scores, taken, classes, window)

    def _taken(
        self, boxes: NDArray[np.float32], scores: NDArray[np.float32], window: tuple[float, float]
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """The index and the class of each detection, in order.

        Candidates of all classes are gone through by score, some at a time, until there are enough. Those taken count
        and suppress wherever they lie; which of them are to be seen decides in the end.
        """
        num_boxes, num_classes = scores.shape
        is_seen = box_ops.area(_clipped(boxes, window)) > 0
        taken = np.zeros((2, 0), np.int64)
        for indices in _in_order(scores.T.ravel(), self.score_threshold):
            if np.count_nonzero(is_seen[taken[0]]) >= self.max_total_detections:
                break
            labels, candidates = np.divmod(indices, num_boxes)
            block = np.stack([candidates, labels])
            num_left = self._max_per_class() - np.bincount(taken[1], minlength=num_classes)
            is_alive = ~np.any(self._clashes(boxes, taken, block), axis=0)
            kept = _kept(labels.tolist(), is_alive, self._clashes(boxes, block, block), num_left)
            taken = np.concatenate([taken, block[:, kept]], axis=1)
        found, classes = taken[:, is_seen[taken[0]]][:, : self.max_total_detections]
        return found, classes

    def _clashes(
        self, boxes: NDArray[np.float32], taken: NDArray[np.int64], block: NDArray[np.int64]
    ) -> NDArray[np.bool_]:
        """Which of the N `taken` suppress which of the M in `block`, (N, M); both are indices above classes."""
        is_far = box_ops.iou(boxes[taken[0]], boxes[block[0]]) <= np.float32(self.iou_threshold)
        clashes: NDArray[np.bool_] = ~is_far & (taken[1][:, None] == block[1])
        return clashes

    def _max_per_class(self) -> int:
        return self.max_total_detections if self.is_class_agnostic else self.max_detections_per_class

    @staticmethod
    def _placed(
        boxes: NDArray[np.float32],
        scores: NDArray[np.float32],
        taken: NDArray[np.int64],
        classes: NDArray[np.int64],
        window: tuple[float, float],
    ) -> RawDetections:
        in_photo = _clipped(boxes[taken], window) / _limits(window)
        return RawDetections(in_photo, scores[taken, classes], classes + 1)


@dataclass(frozen=True)
class PostProcessing:
    """Box coder, score converter and suppression of an SSD config; `num_classes` is without background."""

    num_classes: int
    has_background: bool
    coder: BoxCoder
    score_converter: str
    logit_scale: float
    suppression: Suppression

    @classmethod
    def of(cls, config: PipelineConfig) -> PostProcessing:
        """Read a config. Raises ConfigError for another model than SSD, and for a part that is not followed."""
        if config.architecture != "ssd":
            fault = f"{config.name} is a config of {config.architecture or 'no model'}, not of an SSD."
            raise ConfigError(fault, "Export the model with its post-processing.")
        ssd = config.message.model.ssd
        kind = ssd.box_coder.WhichOneof("box_coder_oneof")
        if kind != "faster_rcnn_box_coder":
            fault = f"{config.name} has {f'the box coder {kind}' if kind else 'no box_coder'}."
            raise ConfigError(fault, "Decoded are encodings of faster_rcnn_box_coder.")
        coder, post = ssd.box_coder.faster_rcnn_box_coder, ssd.post_processing
        return cls(
            ssd.num_classes,
            ssd.add_background_class or ssd.explicit_background_class,
            BoxCoder(coder.y_scale, coder.x_scale, coder.height_scale, coder.width_scale),
            PostProcessingMessage.ScoreConverter.Name(post.score_converter),
            post.logit_scale,
            Suppression.of(post.batch_non_max_suppression, config.name),
        )

    def above(self, score_threshold: float) -> Self:
        """The same, without the detections that do not score above `score_threshold`: no other is changed by that."""
        least = max(score_threshold, self.suppression.score_threshold)
        return replace(self, suppression=replace(self.suppression, score_threshold=least))

    @property
    def num_columns(self) -> int:
        """The classes that the raw scores of a model are of, with background."""
        return self.num_classes + self.has_background

    def scores(self, logits: NDArray[np.float32]) -> NDArray[np.float32]:
        """The scores (A, num_columns) of raw class predictions of that shape.

        As the score converters of TFOD's builders/post_processing_builder.py.
        """
        scaled: NDArray[np.float32] = logits / np.float32(self.logit_scale)
        if self.score_converter == "SIGMOID":
            return _sigmoid(scaled)
        return _softmax(scaled) if self.score_converter == "SOFTMAX" else scaled

    def detections(
        self,
        encodings: NDArray[np.float32],
        scores: NDArray[np.float32],
        anchors: NDArray[np.float32],
        window: tuple[float, float] = (1.0, 1.0),
    ) -> RawDetections:
        """What `encodings` (A, 4) and `scores` (A, num_columns) of `anchors` (A, 4) detect.

        As postprocess of TFOD's meta_architectures/ssd_meta_arch.py; for `window` see `Suppression.detections`.
        """
        boxes = self.coder.decode(encodings, anchors)
        return self.suppression.detections(boxes, scores[:, int(self.has_background) :], window)


def _centers_and_sizes(boxes: NDArray[np.float32]) -> tuple[NDArray[np.float32], ...]:
    xmin, ymin, xmax, ymax = boxes.T
    widths, heights = xmax - xmin, ymax - ymin
    return xmin + widths / np.float32(2), ymin + heights / np.float32(2), widths, heights


def _clipped(boxes: NDArray[np.float32], window: tuple[float, float]) -> NDArray[np.float32]:
    return np.clip(boxes, np.float32(0), _limits(window))


def _limits(window: tuple[float, float]) -> NDArray[np.float32]:
    return np.array(window * 2, np.float32)


def _kept(
    labels: Sequence[int], is_alive: NDArray[np.bool_], clashes: NDArray[np.bool_], num_left: NDArray[np.int64]
) -> list[int]:
    """The places that are taken of a block of candidates, the best first, whose `clashes` among each other are given.

    `num_left` of each class may be taken.
    """
    kept: list[int] = []
    is_alive, left = is_alive.copy(), num_left.tolist()
    for place, label in enumerate(labels):
        if is_alive[place] and left[label]:
            left[label] -= 1
            is_alive &= ~clashes[place]
            kept.append(place)
    return kept


def _in_order(scores: NDArray[np.float32], threshold: float) -> Iterator[NDArray[np.int64]]:
    """The indices of the scores above the threshold, the best score first, at equal scores the lowest index.

    They come some at a time. The best of many are sorted first, since the others are seldom asked for.
    """
    left = np.flatnonzero(scores > np.float32(threshold))
    if len(left) > _MANY:
        least = np.partition(scores[left], -_MANY)[-_MANY]
        is_best = scores[left] >= least
        yield from _blocks(left[is_best], scores)
        left = left[~is_best]
    yield from _blocks(left, scores)


def _blocks(indices: NDArray[np.int64], scores: NDArray[np.float32]) -> Iterator[NDArray[np.int64]]:
    order = indices[np.argsort(-scores[indices], kind="stable")]
    yield from (order[at : at + _BLOCK] for at in range(0, len(order), _BLOCK))


def _sigmoid(values: NDArray[np.float32]) -> NDArray[np.float32]:
    # Of the exponential that does not overflow.
    small = np.exp(-np.abs(values))
    result: NDArray[np.float32] = np.where(values < 0, small, np.float32(1)) / (1 + small)
    return result


def _softmax(values: NDArray[np.float32]) -> NDArray[np.float32]:
    powers = np.exp(values - values.max(axis=1, keepdims=True))
    result: NDArray[np.float32] = powers / powers.sum(axis=1, keepdims=True)
    return result
