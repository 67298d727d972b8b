"""What each anchor of a photo is to say: TFOD's argmax matcher and box coder, dense, in TensorFlow."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import tensorflow as tf

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from oidata.core.matcher.targets import Matcher
    from oidata.core.prediction.postprocessing import BoxCoder


class Assignment(NamedTuple):
    """Of each of A anchors: what to say, and how much it counts.

    encodings (A, 4) in TFOD's order y, x, height, width; one_hot (A, 1 + num_classes), background first;
    is_positive (A,) bool; weights (A,): the box's for positives, 1 for background, 0 for what is ignored.
    """

    encodings: Any
    one_hot: Any
    is_positive: Any
    weights: Any


@dataclass(frozen=True, eq=False)
class Assigner:
    """Assigns the anchors (A, 4), xyxy, of a photo to its boxes, as core/target_assigner.py does."""

    anchors: NDArray[np.float32]
    matcher: Matcher
    coder: BoxCoder
    num_classes: int

    def assign(self, boxes: Any, class_ids: Any, weights: Any) -> Assignment:
        """What the anchors are to say of `boxes` (N, 4) xyxy.

        class_ids (N,) count from 1; weights (N,) are image/object/weight. A box of weight 0 claims nothing by force.
        """
        # A box without area is nobody's: with it there is always one to gather from.
        boxes = tf.pad(boxes, [[0, 1], [0, 0]])
        class_ids, weights = (tf.pad(each, [[0, 1]]) for each in (class_ids, weights))
        iou = _iou(boxes, tf.constant(self.anchors))
        owner, best = tf.argmax(iou, axis=0), tf.reduce_max(iou, axis=0)
        is_positive = best >= self.matcher.matched_threshold
        is_ignored = ~is_positive & (best >= self.matcher.unmatched_threshold)
        if self.matcher.force_match:
            claims = tf.one_hot(tf.argmax(iou, axis=1), len(self.anchors), on_value=True, off_value=False)
            claims &= (weights > 0)[:, None]
            is_claimed = tf.reduce_any(claims, axis=0)
            owner = tf.where(is_claimed, tf.argmax(tf.cast(claims, tf.int8), axis=0), owner)
            is_positive, is_ignored = is_positive | is_claimed, is_ignored & ~is_claimed
        encodings = _encode(tf.gather(boxes, owner), self.anchors, self.coder)
        return Assignment(
            encodings=tf.where(is_positive[:, None], encodings, 0.0),
            one_hot=tf.one_hot(tf.where(is_positive, tf.gather(class_ids, owner), 0), 1 + self.num_classes),
            is_positive=is_positive,
            weights=tf.where(is_positive, tf.gather(weights, owner), tf.cast(~is_ignored, tf.float32)),
        )


def _iou(boxes: Any, anchors: Any) -> Any:
    """(N, A)."""
    boxes = boxes[:, None]
    sides = tf.minimum(boxes[..., 2:], anchors[:, 2:]) - tf.maximum(boxes[..., :2], anchors[:, :2])
    shared = tf.reduce_prod(tf.maximum(sides, 0), axis=-1)
    total = _area(boxes) + _area(anchors) - shared
    return tf.where(shared > 0, shared / total, 0.0)


def _area(boxes: Any) -> Any:
    return (boxes[..., 2] - boxes[..., 0]) * (boxes[..., 3] - boxes[..., 1])


def _encode(boxes: Any, anchors: Any, coder: BoxCoder) -> Any:
    """As box_coders/faster_rcnn_box_coder.py; what `BoxCoder.decode` takes back."""
    tiny = 1e-8
    size, anchor_size = boxes[:, 2:] - boxes[:, :2] + tiny, anchors[:, 2:] - anchors[:, :2] + tiny
    moved = ((boxes[:, :2] + boxes[:, 2:]) - (anchors[:, :2] + anchors[:, 2:])) / 2 / anchor_size
    scaled = tf.math.log(size / anchor_size)
    return tf.stack(
        [
            moved[:, 1] * coder.y_scale,
            moved[:, 0] * coder.x_scale,
            scaled[:, 1] * coder.height_scale,
            scaled[:, 0] * coder.width_scale,
        ],
        axis=-1,
    )
