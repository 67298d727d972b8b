"""The loss of TFOD's SSD: sigmoid cross-entropy and smooth L1 on what the hard example miner leaves."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import tensorflow as tf

from oidata.errors import ConfigError

if TYPE_CHECKING:
    from oidata.core.config.pipeline_pb2 import HardExampleMiner, Loss
    from ssd.assignment import Assignment


def losses(encodings: Any, logits: Any, assigned: Assignment, loss: Loss) -> tuple[Any, Any]:
    """The classification and the localisation loss of a batch, both per positive anchor.

    encodings (B, A, 4) and logits (B, A, 1 + num_classes) are the network's; `assigned` has the batch first, too.
    As meta_architectures/ssd_meta_arch.py with normalize_loss_by_num_matches, and core/losses.py.
    """
    entropy = tf.nn.sigmoid_cross_entropy_with_logits(labels=assigned.one_hot, logits=logits)
    by_class = tf.reduce_sum(entropy, axis=-1) * assigned.weights
    positive = tf.cast(assigned.is_positive, tf.float32)
    by_place = tf.reduce_sum(_smooth_l1(encodings - assigned.encodings), axis=-1) * assigned.weights * positive
    mined = tf.stop_gradient(_mined(by_class, assigned.is_positive, loss.hard_example_miner))
    num_matches = tf.maximum(tf.reduce_sum(positive), 1)
    return (
        loss.classification_weight * tf.reduce_sum(by_class * mined) / num_matches,
        loss.localization_weight * tf.reduce_sum(by_place * mined) / num_matches,
    )


def check(loss: Loss, name: str) -> None:
    """Refuse a loss that is not this one. Raises ConfigError."""
    miner = loss.hard_example_miner
    is_followed = (
        loss.localization_loss.WhichOneof("localization_loss") == "weighted_smooth_l1"
        and loss.classification_loss.WhichOneof("classification_loss") == "weighted_sigmoid"
        and miner.iou_threshold >= 1
        and miner.LossType.Name(miner.loss_type) == "CLASSIFICATION"
    )
    if not is_followed:
        fault = f"{name} has another loss than weighted_sigmoid, weighted_smooth_l1 and a miner without suppression."
        raise ConfigError(fault, "Set the miner's iou_threshold to 1 and its loss_type to CLASSIFICATION.")


def _smooth_l1(difference: Any) -> Any:
    size = tf.abs(difference)
    return tf.where(size < 1, size**2 / 2, size - 0.5)


def _mined(by_class: Any, is_positive: Any, miner: HardExampleMiner) -> Any:
    """(B, A), 1 for what counts: all positives, and of each photo the negatives of the highest loss."""
    num_positives = tf.reduce_sum(tf.cast(is_positive, tf.int32), axis=1)
    most = tf.maximum(miner.max_negatives_per_positive * num_positives, miner.min_negatives_per_image)
    negative = tf.where(is_positive, -1.0, by_class)
    rank = tf.argsort(tf.argsort(negative, axis=1, direction="DESCENDING", stable=True), axis=1, stable=True)
    return tf.cast(is_positive | (rank < tf.cast(most, rank.dtype)[:, None]), tf.float32)
