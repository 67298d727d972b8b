"""Laws of the features of a photo; TensorFlow's parser is the reader."""

from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from oidata.core.sharding.example import Features, PhotoExample
from oidata.core.sharding.features import DROP, IGNORE, KEEP, STRIPPED, photo_features
from oidata.errors import TableError, UsageError
from tests.core.made import CLASSES, DRAWN, boxes, image_id, images, labels

VERDICTS = st.dictionaries(st.tuples(st.integers(0, 5), st.sampled_from(["/m/1", "/m/2", "/m/3"])), st.booleans())
NAN = float("nan")
FEWER = settings(max_examples=30)

# What the readers ask for, by type, from TFOD's data_decoders/tf_example_decoder.py.
TFOD = {
    "string": "image/encoded image/format image/filename image/key/sha256 image/source_id",
    "int64": "image/height image/width",
    "strings": "image/class/text image/object/class/text",
    "int64s": "image/class/label image/neg_category_ids image/not_exhaustive_category_ids image/object/class/label "
    "image/object/is_crowd image/object/difficult image/object/group_of",
    "floats": "image/class/confidence image/object/bbox/xmin image/object/bbox/xmax image/object/bbox/ymin "
    "image/object/bbox/ymax image/object/area image/object/weight",
}
# The same from the Model Garden's official/vision/dataloaders/tf_example_decoder.py.
OFFICIAL = {
    "string": "image/encoded image/source_id",
    "int64": "image/height image/width",
    "int64s": "image/object/class/label image/object/is_crowd",
    "floats": "image/object/bbox/xmin image/object/bbox/xmax image/object/bbox/ymin image/object/bbox/ymax "
    "image/object/area",
}
NOT_READ = {"image/object/truncated", "image/object/occluded", "image/object/depiction"}
LISTS = ["strings", "int64s", "floats"]


def record_of(features: Features, encoded: bytes, sha256: str) -> bytes:
    """The record of a photo."""
    return PhotoExample.of(features, len(encoded), sha256).record(encoded)


def parsed(example: bytes, reader: dict[str, str]) -> dict[str, Any]:
    """An example as `reader` parses it: a number or bytes of a scalar, a list of the others."""
    import tensorflow as tf

    types = {"string": tf.string, "int64": tf.int64, "float": tf.float32}
    spec = {
        name: tf.io.VarLenFeature(types[kind.removesuffix("s")])
        if kind in LISTS
        else tf.io.FixedLenFeature((), types[kind])
        for kind, names in reader.items()
        for name in names.split()
    }
    tensors = tf.io.parse_single_example(example, spec)
    return {
        name: tf.sparse.to_dense(value).numpy().tolist() if isinstance(value, tf.SparseTensor) else value.numpy()
        for name, value in tensors.items()
    }


def features_of(
    photos: pd.DataFrame, boxes: pd.DataFrame, labels: pd.DataFrame, stripped: str = DROP
) -> list[dict[str, Any]]:
    """The features of each photo, in Python's own types."""
    found = list(photo_features(photos, boxes, labels, CLASSES, stripped))
    assert [name for name, _ in found] == photos["image_id"].tolist()
    return [
        {name: values.tolist() if isinstance(values, np.ndarray) else list(values) for name, values in features.items()}
        for _, features in found
    ]


@pytest.mark.parametrize("reader", [TFOD, OFFICIAL], ids=["tfod", "official.vision"])
def test_the_readers_find_what_they_read(reader: dict[str, str]) -> None:
    """Every feature that a reader parses is there, of the type that it asks for, and holds what the tables say."""
    made = boxes({"is_group_of": 1, "is_truncated": -1}, {"mid": "/m/2", "xmax": 0.75})
    ((_, features),) = photo_features(images({}), made, labels((0, "/m/1", True)), CLASSES)
    found = parsed(record_of(features, b"\xff\xd8 a photo \xff\xd9", "5e" * 32), reader)
    expected = {
        "image/encoded": b"\xff\xd8 a photo \xff\xd9",
        "image/format": b"jpeg",
        "image/filename": b"0000000000000000.jpg",
        "image/key/sha256": b"5e" * 32,
        "image/source_id": b"0000000000000000",
        "image/height": 480,
        "image/width": 640,
        "image/class/text": [b"/m/1", b"/m/2"],
        "image/class/label": [1, 2],
        "image/class/confidence": [1.0, 1.0],
        "image/neg_category_ids": [],
        "image/not_exhaustive_category_ids": [],
        "image/object/class/text": [b"/m/1", b"/m/2"],
        "image/object/class/label": [1, 2],
        "image/object/bbox/xmin": [0.25, 0.25],
        "image/object/bbox/ymin": [0.25, 0.25],
        "image/object/bbox/xmax": [0.5, 0.75],
        "image/object/bbox/ymax": [0.5, 0.5],
        "image/object/area": [160 * 120, 320 * 120],
        "image/object/is_crowd": [1, 0],
        "image/object/group_of": [1, 0],
        "image/object/difficult": [0, 0],
        "image/object/weight": [1.0, 1.0],
    }
    assert found == {name: expected[name] for names in reader.values() for name in names.split()}


@pytest.mark.parametrize("reader", [TFOD, OFFICIAL], ids=["tfod", "official.vision"])
def test_a_photo_without_boxes_is_read(reader: dict[str, str]) -> None:
    """A negative has all features too, lists without values among them."""
    ((_, features),) = photo_features(images({}), boxes(), labels((0, "/m/2", False)), CLASSES)
    found = parsed(record_of(features, b"photo", "00" * 32), reader)
    of_objects = {name for name in found if name.startswith("image/object/")}
    assert of_objects
    assert all(found[name] == [] for name in of_objects)
    if reader is TFOD:
        assert (found["image/class/label"], found["image/class/confidence"]) == ([2], [0.0])
        assert (found["image/neg_category_ids"], found["image/not_exhaustive_category_ids"]) == ([2], [1])


def test_no_name_begins_with_another() -> None:
    """No feature's name is the beginning of another's: there, protobuf's implementations sort differently."""
    names = sorted({name for listed in TFOD.values() for name in listed.split()} | NOT_READ)
    assert not [pair for pair in pairwise(names) if pair[1].startswith(pair[0])]


def test_every_feature_is_one_that_a_reader_knows() -> None:
    """No feature has a name that TFOD does not define: a name with a typo would never be read."""
    ((_, features),) = photo_features(images({}), boxes({}), labels(), CLASSES)
    names = {*features, "image/encoded", "image/format", "image/key/sha256"}
    assert names - NOT_READ == {name for listed in TFOD.values() for name in listed.split()}


@FEWER
@given(DRAWN, VERDICTS, st.sampled_from(STRIPPED))
def test_boxes_are_kept_in_step(
    drawn: list[dict[str, object]], verdicts: dict[tuple[int, str], bool], way: str
) -> None:
    """In each photo every feature of objects has a value for each box, and every one of classes for each verdict."""
    made = boxes(*(box for box in drawn if box["mid"] != "/m/3"))
    for features in features_of(images({}, {}, {}), made, verdict_table(verdicts), stripped=way):
        assert len({len(values) for name, values in features.items() if name.startswith("image/object/")}) == 1
        assert len({len(values) for name, values in features.items() if name.startswith("image/class/")}) == 1


@FEWER
@given(DRAWN, VERDICTS, st.sampled_from(STRIPPED))
def test_each_class_is_present_absent_or_not_known(
    drawn: list[dict[str, object]], verdicts: dict[tuple[int, str], bool], way: str
) -> None:
    """A class is present where it has a box or a verdict that says so, absent where one denies it, else not known."""
    made, said = boxes(*(box for box in drawn if box["mid"] != "/m/3")), verdict_table(verdicts)
    for photo, features in enumerate(features_of(images({}, {}, {}), made, said, stripped=way)):
        of_photo = made[made["image_id"] == image_id(photo)]
        marks = dict(zip(features["image/class/label"], features["image/class/confidence"], strict=True))
        for number, mid in enumerate(CLASSES.mids, start=1):
            of_class = of_photo[of_photo["mid"] == mid]
            is_present = bool(len(of_class)) or verdicts.get((photo, mid))
            assert marks.get(number) == (None if is_present is None else float(is_present))
            assert (number in features["image/neg_category_ids"]) == (is_present is False)
            is_hidden = way == DROP and len(of_class) and of_class["stripped"].notna().all()
            assert (number in features["image/not_exhaustive_category_ids"]) == (is_present is None or is_hidden)


def verdict_table(verdicts: dict[tuple[int, str], bool]) -> pd.DataFrame:
    """LABELS of verdicts by photo and class."""
    return labels(*((photo, mid, is_present) for (photo, mid), is_present in verdicts.items()))


@FEWER
@given(DRAWN, st.randoms())
def test_photos_do_not_know_of_each_other(drawn: list[dict[str, object]], random: Any) -> None:
    """A photo's features are the same whatever other photos are asked for, and in which order."""
    made = boxes(*(box for box in drawn if box["mid"] != "/m/3"))
    photos = images(*[{}] * 6)
    together = features_of(photos, made, labels())
    order = random.sample(range(6), 4)
    assert features_of(photos.iloc[order], made, labels()) == [together[photo] for photo in order]


@pytest.mark.parametrize(
    "way, weights, crowds, difficult",
    [
        (DROP, [1.0], [0], [0]),
        (IGNORE, [1.0, 0.0, 0.0], [0, 1, 1], [0, 1, 1]),
        (KEEP, [1.0, 1.0, 1.0], [1, 0, 0], [0, 0, 0]),
    ],
)
def test_what_becomes_of_a_stripped_box(
    way: str, weights: list[float], crowds: list[int], difficult: list[int]
) -> None:
    """It is dropped; or it stands last with weight 0, as a crowd and difficult; or it is as any other."""
    made = boxes({"stripped": "group", "is_group_of": 1}, {"stripped": "user:blurred", "xmin": 0.125}, {"mid": "/m/2"})
    (features,) = features_of(images({}), made, labels(), stripped=way)
    assert features["image/object/weight"] == weights
    assert features["image/object/is_crowd"] == crowds
    assert features["image/object/difficult"] == difficult
    if way == IGNORE:
        assert features["image/object/class/label"] == [2, 1, 1]
        assert features["image/object/group_of"] == [0, 1, 0]


@pytest.mark.parametrize("way", STRIPPED)
@pytest.mark.parametrize("mark", [False, True], ids=["not stripped", "stripped"])
@pytest.mark.parametrize(
    "change, not_exhaustive",
    [({"xmin": NAN}, [2]), ({"xmax": 1.5}, [1, 2]), ({"xmin": 0.75}, [1, 2]), ({"ymin": 0.5}, [2])],
    ids=["nan", "outside", "inverted", "empty"],
)
def test_what_is_no_box_is_never_written(
    way: str, change: dict[str, object], not_exhaustive: list[int], *, mark: bool
) -> None:
    """A box that is none is left out, whatever is stripped; if a part of it has area, its object stays to see."""
    made = boxes({}, {**change, "stripped": "no_area" if mark else None})
    (features,) = features_of(images({}), made, labels(), stripped=way)
    assert features["image/object/bbox/xmin"] == [0.25]
    assert features["image/not_exhaustive_category_ids"] == not_exhaustive


@pytest.mark.parametrize("way", STRIPPED)
def test_a_double_is_never_written(way: str) -> None:
    """Of equal boxes one is written, marked or not: a double of weight 0 would take the anchors of its twin."""
    for made in (boxes({"stripped": "duplicate"}, {}), boxes({}, {})):
        (features,) = features_of(images({}), made, labels(), stripped=way)
        assert features["image/object/weight"] == [1.0]
        assert features["image/not_exhaustive_category_ids"] == [2]


@pytest.mark.parametrize("flag", ["group_of", "truncated", "occluded", "depiction"])
def test_unknown_is_no(flag: str) -> None:
    """A flag is written as 1 only where it says yes: -1, unknown, is 0."""
    made = boxes(*({f"is_{flag}": value, "xmax": 0.5 + value / 8} for value in (1, 0, -1)))
    (features,) = features_of(images({}), made, labels())
    assert features[f"image/object/{flag}"] == [1, 0, 0]


def test_a_class_that_is_not_in_the_label_map_is_refused() -> None:
    """A box of another class is a TableError, not one of class 0, which is background."""
    with pytest.raises(TableError, match=r"0000000000000000-0 is of class /m/3"):
        features_of(images({}), boxes({"mid": "/m/3"}), labels())


def test_a_photo_of_unknown_size_is_refused() -> None:
    """Without the size of a photo there is no area, so it is a TableError that names the photo."""
    with pytest.raises(TableError, match="0000000000000001"):
        features_of(images({}, {"height_px": None}), boxes(), labels())


def test_another_way_is_refused() -> None:
    """A way to treat stripped boxes that does not exist is a UsageError that lists those that do."""
    with pytest.raises(UsageError, match=r"'hide'.*drop, ignore, keep"):
        features_of(images({}), boxes(), labels(), stripped="hide")


def test_the_photo_is_passed_through(shared_mirror: Path) -> None:
    """The bytes of a real photo come out of TensorFlow's parser as they are, and decode to the size that is written."""
    import tensorflow as tf

    path = min((shared_mirror / "test").glob("*.jpg"))
    data = path.read_bytes()
    height_px, width_px, _ = tf.io.decode_jpeg(data).shape
    photo = images({"height_px": height_px, "width_px": width_px})
    ((_, features),) = photo_features(photo, boxes(), labels(), CLASSES)
    found = parsed(record_of(features, data, "00" * 32), OFFICIAL)
    assert found["image/encoded"] == data
    assert (found["image/height"], found["image/width"]) == (height_px, width_px)
