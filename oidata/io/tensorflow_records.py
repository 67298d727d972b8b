"""Shards as TensorFlow itself reads them: the last word on whether a training run can."""

from __future__ import annotations

import os
from contextlib import contextmanager
from functools import partial
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from oidata.errors import RecordError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

_BOX_SIDES = ("ymin", "xmin", "ymax", "xmax")


def decode_records(path: Path, name: str, image_ids: Sequence[str]) -> None:
    """Parse every example of the shard `name`, which is at `path`, with tf.data, and decode its photo as RGB.

    `image_ids` are those of its examples, in order. Raises RecordError that names the photo at which TensorFlow stops,
    or whose size is not what its example says.
    """
    tf = _tensorflow()
    decoded = tf.autograph.experimental.do_not_convert(partial(_decoded, tf))
    records = tf.data.TFRecordDataset(str(path)).map(decoded, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True)
    num_read = 0
    try:
        for source_id, found_px, said_px in records.as_numpy_iterator():
            if source_id.decode() != image_ids[num_read] or found_px.tolist() != said_px.tolist():
                raise _refused(name, image_ids[num_read], f"it decodes to {found_px}, and its example says {said_px}")
            num_read += 1
    except tf.errors.OpError as error:
        reason = str(error.message).partition("\n")[0].rpartition(": ")[2].rstrip(".")
        raise _refused(name, image_ids[num_read], reason) from error


def tensorflow_version() -> str:
    """The version that `decode_records` reads with."""
    return version("tensorflow")


def _decoded(tf: Any, record: Any) -> Any:  # noqa: ANN401 - symbolic tensors
    """The photo's id, and height, width and channels: of the pixels, and as the example has them."""
    scalars = {
        "image/encoded": tf.string,
        "image/source_id": tf.string,
        "image/height": tf.int64,
        "image/width": tf.int64,
    }
    sides = {f"image/object/bbox/{side}": tf.io.VarLenFeature(tf.float32) for side in _BOX_SIDES}
    found = tf.io.parse_single_example(
        record, {name: tf.io.FixedLenFeature((), kind) for name, kind in scalars.items()} | sides
    )
    image = tf.io.decode_image(found["image/encoded"], channels=3, expand_animations=False)
    size_px = tf.cast(tf.shape(image), tf.int64)
    return found["image/source_id"], size_px, tf.stack([found["image/height"], found["image/width"], 3])


def _tensorflow() -> Any:  # noqa: ANN401 - a module without types
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    with _silence():
        import tensorflow as tf

        tf.config.set_visible_devices([], "GPU")  # which is for training
    return tf


@contextmanager
def _silence() -> Iterator[None]:
    """Drop what is written to stderr: TensorFlow looks for a graphics card, and logs that before levels apply."""
    stderr = os.dup(2)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        yield
    finally:
        os.dup2(stderr, 2)
        os.close(nowhere)
        os.close(stderr)


def _refused(name: str, image_id: str, reason: str) -> RecordError:
    message = f"TensorFlow cannot read the photo {image_id} in {name}: {reason}."
    return RecordError(message, "Leave it out: set `dropped` of that photo in images.parquet.")
