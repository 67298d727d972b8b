"""Laws of TFRecord files; TensorFlow is the oracle."""

import hashlib
import io
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from oidata.core.sharding.example import encode
from oidata.errors import RecordError, StorageError
from oidata.io.tfrecord import RecordFacts, check_records, read_records, write_records

RECORDS = st.lists(st.binary(max_size=200), max_size=5)
FILES = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50)
FRAME_BYTES = 8 + 4 + 4


def written(records: Iterable[bytes]) -> bytes:
    """The bytes of a file of `records`."""
    file = io.BytesIO()
    write_records(file, records)
    return file.getvalue()


def read(path: Path, data: bytes) -> list[bytes]:
    """The records of a file of these bytes."""
    path.write_bytes(data)
    return list(read_records(path))


@FILES
@given(RECORDS)
def test_what_is_written_is_read(tmp_path: Path, records: list[bytes]) -> None:
    """Reading gives the records that were written, and the facts of the file."""
    data = written(records)
    path = tmp_path / "a.record"
    assert read(path, data) == records
    assert check_records(path) == RecordFacts(len(records), len(data), hashlib.sha256(data).hexdigest())
    assert len(data) == sum(map(len, records)) + FRAME_BYTES * len(records)


def test_the_number_of_records_is_told() -> None:
    """Writing tells how many records there were; none make an empty file."""
    file = io.BytesIO()
    assert write_records(file, iter([b"a", b""])) == 2
    assert write_records(io.BytesIO(), []) == 0
    assert written([]) == b""


def test_records_are_written_as_they_come(tmp_path: Path) -> None:
    """A record is written before the next one is asked for, so that a shard of any size needs little memory."""
    with (tmp_path / "a.record").open("wb", buffering=0) as file:

        def records() -> Iterable[bytes]:
            for number in range(3):
                assert file.tell() == number * (FRAME_BYTES + 1000)
                yield bytes(1000)

        assert write_records(file, records()) == 3


@FILES
@given(RECORDS)
def test_the_file_is_that_of_tensorflow(tmp_path: Path, records: list[bytes]) -> None:
    """TensorFlow's writer makes the same file of the same records, and its reader finds them in it."""
    import tensorflow as tf

    path = tmp_path / "tensorflow.record"
    with tf.io.TFRecordWriter(str(path)) as writer:
        for record in records:
            writer.write(record)
    assert written(records) == path.read_bytes()
    assert list(tf.data.TFRecordDataset(str(path)).as_numpy_iterator()) == records


def test_a_published_checksum() -> None:
    """32 zero bytes have CRC-32C 8a9136aa (RFC 3720, B.4); turned right by 15 bits, plus a282ead8, it is 0fd7fffa."""
    assert written([bytes(32)])[-4:] == bytes.fromhex("faffd70f")


@FILES
@given(st.lists(st.binary(max_size=50), min_size=1, max_size=3), st.data())
def test_any_changed_bit_is_found(tmp_path: Path, records: list[bytes], data: st.DataObject) -> None:
    """Whichever bit of a file is turned, the record that it is in is named, with its byte; those before it are read."""
    whole = bytearray(written(records))
    place = data.draw(st.integers(0, len(whole) - 1))
    whole[place] ^= 1 << data.draw(st.integers(0, 7))
    number, start = record_at(records, place)
    found: list[bytes] = []
    path = tmp_path / "a.record"
    path.write_bytes(whole)
    with pytest.raises(RecordError, match=rf"a\.record, record {number} at byte {start}: "):
        found.extend(read_records(path))
    assert found == records[: number - 1]
    with pytest.raises(RecordError, match=rf"record {number} at byte {start}: "):
        check_records(path)


@FILES
@given(st.lists(st.binary(max_size=50), min_size=1, max_size=3), st.data())
def test_a_file_that_is_cut_short_is_found(tmp_path: Path, records: list[bytes], data: st.DataObject) -> None:
    """A file that ends within a record is a RecordError there; one that ends between two is a shorter file."""
    whole = written(records)
    length = data.draw(st.integers(0, len(whole) - 1))
    number, start = record_at(records, length)
    path = tmp_path / "a.record"
    if start == length:
        assert read(path, whole[:length]) == records[: number - 1]
        return
    with pytest.raises(RecordError, match=rf"a\.record, record {number} at byte {start}: the file is cut short"):
        read(path, whole[:length])


def record_at(records: Sequence[bytes], place: int) -> tuple[int, int]:
    """The number from 1 of the record in which the byte at `place` lies, and where that record begins."""
    start = 0
    for number, record in enumerate(records, start=1):
        end = start + FRAME_BYTES + len(record)
        if place < end:
            return number, start
        start = end
    raise IndexError(place)


def test_a_length_that_the_file_cannot_hold_is_not_believed(tmp_path: Path) -> None:
    """A length with a good checksum but beyond the end is a RecordError, not an attempt to read so much."""
    length = (1 << 62).to_bytes(8, "little")
    checksum = written([length])[-4:]
    with pytest.raises(RecordError, match="record 1 at byte 0: the file is cut short"):
        read(tmp_path / "a.record", length + checksum + b"data")


@pytest.mark.parametrize("data", [b"\xff\xd8\xff\xe0 a photo, say", b"\x1f\x8b gzip", b"<!DOCTYPE html>"])
def test_another_file_is_refused(tmp_path: Path, data: bytes) -> None:
    """A file that is no TFRecord file is a RecordError about its first record."""
    with pytest.raises(RecordError, match=r"a\.record, record 1 at byte 0"):
        read(tmp_path / "a.record", data)


@pytest.mark.parametrize("name", ["nowhere.record", "."])
def test_a_file_that_cannot_be_opened_is_a_storage_error(tmp_path: Path, name: str) -> None:
    """A file that is not there, or is a directory, is a StorageError with its path."""
    with pytest.raises(StorageError, match=str(tmp_path)):
        check_records(tmp_path / name)


def test_tensorflow_reads_batches_of_examples(tmp_path: Path) -> None:
    """tf.data reads shards by their pattern, parses the examples in them, and makes batches of them."""
    import numpy as np
    import tensorflow as tf

    for shard in range(2):
        examples = [encode({"number": np.array([shard * 10 + place])}) for place in range(3)]
        (tmp_path / f"train.record-{shard:05}-of-00002").write_bytes(written(examples))
    files = tf.data.Dataset.list_files(str(tmp_path / "train.record-?????-of-00002"), shuffle=False)

    def parsed(record: Any) -> Any:
        return tf.io.parse_single_example(record, {"number": tf.io.FixedLenFeature((), tf.int64)})["number"]

    batches = tf.data.TFRecordDataset(files).map(parsed).batch(4).as_numpy_iterator()
    assert [batch.tolist() for batch in batches] == [[0, 1, 2, 10], [11, 12]]
