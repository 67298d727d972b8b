"""Shards to batches: what tf.data makes of train.record-?????-of-00010, as a pipeline config says."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Self

import tensorflow as tf

from oidata.core.matcher.detector import Detector
from oidata.core.prediction.postprocessing import PostProcessing
from oidata.core.prediction.preprocessing import Normaliser
from oidata.errors import ConfigError, DatasetError
from ssd.assignment import Assigner, Assignment

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from oidata.core.config.pipeline import PipelineConfig
    from oidata.core.matcher.anchors import AnchorGrid
    from oidata.core.matcher.detector import Resizer

_SIDES: Final = ("xmin", "ymin", "xmax", "ymax")
_FEATURES: Final = {
    "image/encoded": tf.io.FixedLenFeature([], tf.string),
    "image/object/class/label": tf.io.RaggedFeature(tf.int64),
    "image/object/weight": tf.io.RaggedFeature(tf.float32),
    **{f"image/object/bbox/{side}": tf.io.RaggedFeature(tf.float32) for side in _SIDES},
}
_AUGMENTATIONS: Final = {"random_horizontal_flip"}


class Batch(NamedTuple):
    """B photos (B, H, W, 3) in [-1, 1], and what each of their anchors is to say."""

    photos: Any
    assigned: Assignment


@dataclass(frozen=True)
class Pipeline:
    """How photos and boxes become batches; the parts of a config that decide it."""

    grid: AnchorGrid
    assigner: Assigner
    resizer: Resizer
    normaliser: Normaliser
    batch_size: int
    is_flipped: bool

    @classmethod
    def of(cls, config: PipelineConfig) -> Self:
        """Read a config. Raises ConfigError for what is not followed here."""
        detector, train = Detector.of(config), config.message.train_config
        if not detector.resizer.is_fixed or detector.resizer.pads:
            raise ConfigError(f"{config.name} has no fixed_shape_resizer.", "Train with one: photos are squashed here.")
        asked = {str(each.WhichOneof("preprocessing_step")) for each in train.data_augmentation_options}
        if asked - _AUGMENTATIONS:
            fault = f"{config.name} asks for {', '.join(sorted(asked - _AUGMENTATIONS))}, which is not done here."
            raise ConfigError(fault, "Keep random_horizontal_flip alone: other photos can be drawn.")
        grid = detector.grid_for(detector.resizer.height, detector.resizer.width)
        post = PostProcessing.of(config)
        return cls(
            grid=grid,
            assigner=Assigner(grid.boxes(), detector.matcher, post.coder, post.num_classes),
            resizer=detector.resizer,
            normaliser=Normaliser.of(config.message.model.ssd.feature_extractor.type),
            batch_size=train.batch_size,
            is_flipped=bool(asked),
        )

    def batches(self, shards: Sequence[Path], seed: int, first: int = 0) -> Iterator[Batch]:
        """Batches without end, from the number `first` on: the same for the same shards and seed.

        All records are shuffled anew in each pass, so they have to fit into memory as JPEGs.
        """
        if not shards:
            raise DatasetError("There are no shards to train on.", "Make them: oidata shard --splits 10.")
        records = tf.data.TFRecordDataset([str(path) for path in shards])
        num_records = sum(1 for _ in records)
        shuffled = records.cache().shuffle(num_records, seed=seed, reshuffle_each_iteration=True).repeat()
        numbered = shuffled.enumerate().skip(first * self.batch_size)
        examples = numbered.map(lambda number, record: self._example(number, record, seed), tf.data.AUTOTUNE)
        return iter(examples.batch(self.batch_size, drop_remainder=True).prefetch(2))

    def _example(self, number: Any, record: Any, seed: int) -> Batch:
        found = tf.io.parse_single_example(record, _FEATURES)
        photo = self._photo(found["image/encoded"])
        boxes = tf.stack([found[f"image/object/bbox/{side}"] for side in _SIDES], axis=-1)
        if self.is_flipped and tf.random.stateless_uniform([], [seed, number]) < 0.5:
            photo = tf.reverse(photo, [1])
            boxes = tf.stack([1 - boxes[:, 2], boxes[:, 1], 1 - boxes[:, 0], boxes[:, 3]], axis=-1)
        class_ids, weights = found["image/object/class/label"], found["image/object/weight"]
        return Batch(photo, self.assigner.assign(boxes, class_ids, weights))

    def _photo(self, encoded: Any) -> Any:
        """As in TFOD, and as `oidata predict` has it: bilinear, corners not aligned, pixels without centres."""
        size = (self.resizer.height, self.resizer.width)
        pixels = tf.io.decode_jpeg(encoded, channels=3)
        scaled = tf.raw_ops.ResizeBilinear(images=pixels[None], size=size)[0]
        scaled.set_shape((*size, 3))
        return scaled * self.normaliser.scale - tf.constant(self.normaliser.means)
