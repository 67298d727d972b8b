"""Shards as TensorFlow itself reads them: the last word on whether a training run can."""

from __future__ import annotations

from functools import partial
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, Final

from oidata.errors import RecordError
from oidata.io.quiet import tensorflow

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

# All that a reader asks for, by type (see core.features): what does not parse here would stop a training run.
_SCALARS: Final = {
    "string": "encoded format filename source_id key/sha256",
    "int64": "height width",
}
_LISTS: Final = {
    "string": "class/text object/class/text",
    "int64": "class/label neg_category_ids not_exhaustive_category_ids object/class/label object/is_crowd"
    " object/difficult object/group_of",
    "float32": "class/confidence object/bbox/ymin object/bbox/xmin object/bbox/ymax object/bbox/xmax object/area"
    " object/weight",
}


def decode_records(path: Path, name: str, image_ids: Sequence[str]) -> None:
    """Parse every example of the shard `name`, which is at `path`, with tf.data, and decode its photo as RGB.

    `image_ids` are those of its examples, in order. Raises RecordError that names the photo at which TensorFlow stops,
    whose size is not what its example says, or whose objects have more of one feature than of another.
    """
    tf = tensorflow()
    decoded = tf.autograph.experimental.do_not_convert(partial(_decoded, tf))
    records = tf.data.TFRecordDataset(str(path)).map(decoded, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True)
    num_read = 0
    try:
        for source_id, found_px, said_px, is_even in records.as_numpy_iterator():
            if source_id.decode() != image_ids[num_read] or found_px.tolist() != said_px.tolist():
                raise _refused(name, image_ids[num_read], f"it decodes to {found_px}, and its example says {said_px}")
            if not is_even:
                raise _refused(name, image_ids[num_read], "its objects have features of different lengths")
            num_read += 1
    except tf.errors.OpError as error:
        reason = str(error.message).partition("\n")[0].rpartition(": ")[2].rstrip(".")
        raise _refused(name, image_ids[num_read], reason) from error


def tensorflow_version() -> str:
    """The version that `decode_records` reads with."""
    return version("tensorflow")


def _decoded(tf: Any, record: Any) -> Any:  # noqa: ANN401 - symbolic tensors
    """The photo's id; height, width and channels, of the pixels and as the example has them; whether lists fit."""
    spec = {name: tf.io.FixedLenFeature((), kind) for name, kind in _names(_SCALARS)}
    spec |= {name: tf.io.RaggedFeature(kind) for name, kind in _names(_LISTS)}
    found = tf.io.parse_single_example(record, spec)
    image = tf.io.decode_image(found["image/encoded"], channels=3, expand_animations=False)
    size_px = tf.cast(tf.shape(image), tf.int64)
    num_objects = [tf.size(found[name]) for name, _ in _names(_LISTS) if name.startswith("image/object/")]
    is_even = tf.reduce_all(tf.equal(num_objects, num_objects[0]))
    return found["image/source_id"], size_px, tf.stack([found["image/height"], found["image/width"], 3]), is_even


def _names(by_kind: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    return ((f"image/{name}", kind) for kind, names in by_kind.items() for name in names.split())


def _refused(name: str, image_id: str, reason: str) -> RecordError:
    message = f"TensorFlow cannot read the photo {image_id} in {name}: {reason}."
    return RecordError(message, "Leave it out: tag it drop in the App (oidata inspect), and oidata inspect --pull.")
