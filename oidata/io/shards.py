"""A shard of a training set: written, read back and compared with what it is to hold, and only then given its name."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from oidata.core.sharding.example import PhotoExample
from oidata.core.sharding.features import photo_features
from oidata.errors import PhotoError, RecordError, StorageError
from oidata.io.photos import sha256_of
from oidata.io.tensorflow_records import decode_records
from oidata.io.tfrecord import check_records, write_records

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from oidata.core.labels import LabelMap
    from oidata.core.tables import Tables
    from oidata.io.outputs import Output

_FETCH_AGAIN = "Delete it and run the same oidata fetch again."


@dataclass(frozen=True, eq=False)
class ShardJob:
    """A shard that is to be: everything that decides its bytes, and where they go.

    tables: the rows of its photos; images in the order of the examples, with a column `path`, where each photo is.
    stripped: what becomes of stripped boxes, one of core.sharding.features.STRIPPED. with_tensorflow: check by
    that too.
    """

    name: str
    output: Output
    tables: Tables
    classes: LabelMap
    stripped: str
    with_tensorflow: bool


@dataclass(frozen=True)
class ShardFacts:
    """A whole shard: its examples, its boxes that train by class, in the order of the ids, its length and SHA-256."""

    name: str
    num_examples: int
    num_boxes: tuple[int, ...]
    size_bytes: int
    sha256: str


def write_shard(job: ShardJob) -> ShardFacts:
    """Write a shard.

    Raises PhotoError for a photo that is not there, or not the one that was fetched; RecordError where TensorFlow
    cannot read an example; StorageError and SourceError where the output refuses.
    """
    photos = _photos(job)
    with job.output.whole(job.name) as path:
        with path.open("wb") as file:
            write_records(file, (photo.record() for photo in photos))
        facts = _compared(path, photos, job)
        _decode(path, photos, job)
        return facts


def find_shard(job: ShardJob) -> ShardFacts | None:
    """The shard that is there under that name, if it is the one that `write_shard` would write.

    Raises RecordError where it is, and TensorFlow cannot read an example: it would not read it from a new one either.
    """
    photos = _photos(job)
    with job.output.local(job.name) as path:
        try:
            facts = _compared(path, photos, job)
        except RecordError:
            return None
        _decode(path, photos, job)
        return facts


@dataclass(frozen=True)
class _Photo:
    """A photo, the example that it makes, and the ids of the boxes in it that train."""

    image_id: str
    path: Path
    sha256: str
    example: PhotoExample
    class_ids: np.ndarray

    def record(self) -> bytes:
        """The example with the photo's bytes in it."""
        try:
            encoded = self.path.read_bytes()
        except FileNotFoundError:
            raise PhotoError(f"{self.path} is not there any more.", "Run the same oidata fetch again.") from None
        except OSError as error:
            raise StorageError.unread(error, self.path) from error
        if (found := sha256_of(encoded)) != self.sha256:
            message = f"{self.path} is not the photo that was fetched: its SHA-256 is {found}, not {self.sha256}."
            raise PhotoError(message, _FETCH_AGAIN)
        return self.example.record(encoded)

    def is_in(self, record: bytes) -> bool:
        """Whether `record` is what `record()` gives."""
        encoded = self.example.photo_in(record)
        return encoded is not None and sha256_of(encoded) == self.sha256


def _photos(job: ShardJob) -> list[_Photo]:
    images, boxes, labels = job.tables.images, job.tables.boxes, job.tables.labels
    features = photo_features(images, boxes, labels, job.classes, job.stripped)
    files = zip(images["path"], images["size_bytes"], images["sha256"], strict=True)
    return [
        _Photo(
            image_id,
            Path(path),
            sha256,
            PhotoExample.of(of_photo, size_bytes, sha256),
            np.asarray(of_photo["image/object/class/label"])[np.asarray(of_photo["image/object/weight"]) > 0],
        )
        for (image_id, of_photo), (path, size_bytes, sha256) in zip(features, files, strict=True)
    ]


def _compared(path: Path, photos: Sequence[_Photo], job: ShardJob) -> ShardFacts:
    """Read a shard back. Raises RecordError if it is damaged, or does not hold exactly `photos`, in their order."""
    expected = iter(photos)

    def compare(record: bytes) -> None:
        photo = next(expected, None)
        if photo is None or not photo.is_in(record):
            raise _differs(job.name)

    found = check_records(path, compare)
    if found.num_records != len(photos):
        raise _differs(job.name)
    num_boxes = _num_boxes((photo.class_ids for photo in photos), len(job.classes.labels))
    return ShardFacts(job.name, found.num_records, num_boxes, found.size_bytes, found.sha256)


def _decode(path: Path, photos: Sequence[_Photo], job: ShardJob) -> None:
    """Have TensorFlow read a shard, if that is asked for. Raises RecordError at an example that it cannot read."""
    if job.with_tensorflow:
        decode_records(path, job.name, [photo.image_id for photo in photos])


def _num_boxes(class_ids: Iterable[np.ndarray], num_classes: int) -> tuple[int, ...]:
    ids = np.concatenate([np.zeros(0, np.int64), *class_ids])
    return tuple(np.bincount(ids, minlength=num_classes + 1)[1:].tolist())


def _differs(name: str) -> RecordError:
    return RecordError(f"{name} does not hold what it should.", "Write it again with --overwrite.")
