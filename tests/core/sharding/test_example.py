"""Laws of serialised examples; TensorFlow is the oracle."""

from functools import partial
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from oidata.core.sharding.example import Features, PhotoExample, encode

INT64 = st.integers(-(2**63), 2**63 - 1)
VALUES = (
    st.lists(st.binary(max_size=300), max_size=4)
    | st.lists(st.floats(width=32, allow_nan=False), max_size=40).map(partial(np.array, dtype=np.float32))
    | st.lists(INT64 | st.integers(-1, 300), max_size=40).map(partial(np.array, dtype=np.int64))
)
NAMES = st.text(st.characters(exclude_categories=["Cs"], exclude_characters=["/"]), max_size=6)
# The slash at the end is the only one, so no name begins with another.
ANY_FEATURES = st.dictionaries(NAMES.map("{}/".format), VALUES, max_size=6)


def test_the_bytes_are_those_of_tensorflow() -> None:
    """Whatever the names and values, empty lists and negative numbers too, TensorFlow writes the same bytes."""
    import tensorflow as tf

    def feature(values: Any) -> Any:
        if not isinstance(values, np.ndarray):
            return tf.train.Feature(bytes_list=tf.train.BytesList(value=values))
        if values.dtype == np.float32:
            return tf.train.Feature(float_list=tf.train.FloatList(value=values))
        return tf.train.Feature(int64_list=tf.train.Int64List(value=values))

    @given(ANY_FEATURES)
    def check(features: Features) -> None:
        named = {name: feature(values) for name, values in features.items()}
        example = tf.train.Example(features=tf.train.Features(feature=named))
        assert encode(features) == example.SerializeToString(deterministic=True)

    check()


@pytest.mark.parametrize("length", [0, 1, 119, 120, 127, 128, 16_383, 16_384, 300_000])
def test_long_values_are_those_of_tensorflow(length: int) -> None:
    """Lengths at which a length itself grows by a byte are written as TensorFlow writes them."""
    import tensorflow as tf

    data = bytes(range(256)) * (length // 256 + 1)
    named = {"image/encoded": tf.train.Feature(bytes_list=tf.train.BytesList(value=[data[:length]]))}
    example = tf.train.Example(features=tf.train.Features(feature=named))
    assert encode({"image/encoded": (data[:length],)}) == example.SerializeToString(deterministic=True)


@given(ANY_FEATURES, st.randoms())
def test_the_order_of_the_features_does_not_matter(features: Features, random: Any) -> None:
    """Features in another order give the same bytes."""
    names = random.sample(list(features), len(features))
    assert encode({name: features[name] for name in names}) == encode(features)


def test_numbers_of_any_width_are_taken() -> None:
    """Booleans and small integers are written as int64, floats as float32."""
    wide = encode({"a": np.array([1, 0]), "b": np.array([0.1], np.float32)})
    assert encode({"a": np.array([True, False]), "b": np.array([0.1])}) == wide
    assert encode({"a": np.array([1, 0], np.int8), "b": np.array([0.1])}) == wide


def test_other_arrays_are_refused() -> None:
    """An array of text is refused, rather than written as what it is not."""
    with pytest.raises(TypeError, match="not <U1"):
        encode({"a": np.array(["x"])})


@given(ANY_FEATURES, st.binary(min_size=2, max_size=300))
def test_a_photo_stands_in_its_example(features: Features, photo: bytes) -> None:
    """What stands around a photo makes the example of all its features, and the photo is found in it again."""
    of_photo: Features = {"image/encoded": (photo,), "image/format": (b"jpeg",), "image/key/sha256": (b"5e" * 32,)}
    example = PhotoExample.of(features, len(photo), "5e" * 32)
    assert example.record(photo) == encode({**features, **of_photo})
    assert example.photo_in(example.record(photo)) == memoryview(photo)


def test_no_photo_is_found_in_another_example() -> None:
    """A record of other features, of another length or another SHA-256 is that of another example."""
    example = PhotoExample.of({"image/height": np.array([1])}, 9, "00" * 32)
    others = [
        PhotoExample.of({"image/height": np.array([2])}, 9, "00" * 32),
        PhotoExample.of({"image/height": np.array([1])}, 8, "00" * 32),
        PhotoExample.of({"image/height": np.array([1])}, 9, "01" * 32),
    ]
    assert [example.photo_in(other.record(b"photo")) for other in others] == [None] * 3
