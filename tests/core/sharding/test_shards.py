"""Laws of planned shards."""

import pandas as pd
from hypothesis import given, settings
from hypothesis import strategies as st

from oidata.core.sharding.features import STRIPPED
from oidata.core.sharding.shards import NAME, SplitPlan, without_boxes
from oidata.core.tables import Tables
from tests.core.made import CLASSES, DRAWN, boxes, images, labels

FEWER = settings(max_examples=30)
SPLITS = st.lists(st.sampled_from(["train", "train", "test"]), max_size=6)


def tables(splits: list[str], drawn: list[dict[str, object]]) -> Tables:
    """Photos of those splits, with boxes of the classes, and a verdict on the first of them."""
    photos = images(*({"split": split, "size_bytes": 1000 + number} for number, split in enumerate(splits)))
    return Tables(photos, boxes(*(box for box in drawn if box["mid"] != "/m/3")), labels((0, "/m/1", True)))


@FEWER
@given(SPLITS, DRAWN, st.integers(1, 4), st.sampled_from(STRIPPED))
def test_every_row_of_a_split_is_in_one_shard(
    splits: list[str], drawn: list[dict[str, object]], num_shards: int, way: str
) -> None:
    """The shards of a split hold each of its photos once, with all rows of it, and nothing else."""
    given_tables = tables(splits, drawn)
    plan = SplitPlan.of("train", given_tables, CLASSES, num_shards=num_shards, stripped=way)
    contents = dict(plan.contents())
    assert list(contents) == plan.names
    train = set(given_tables.images.loc[given_tables.images["split"] == "train", "image_id"])
    found = pd.concat([content.images for content in contents.values()])
    assert sorted(found["image_id"]) == sorted(train)
    for name in ("boxes", "labels"):
        rows = getattr(given_tables, name)
        expected = rows[rows["image_id"].isin(train)]
        together = pd.concat([getattr(content, name) for content in contents.values()])
        assert sorted(map(tuple, together.astype(str).to_numpy())) == sorted(
            map(tuple, expected.astype(str).to_numpy())
        )
    for content in contents.values():
        assert set(content.boxes["image_id"]) | set(content.labels["image_id"]) <= set(content.images["image_id"])
    assert sum(plan.size_bytes.values()) == found["size_bytes"].sum()


def test_names_are_those_of_tfod() -> None:
    """Shards count from 0 in five digits, validation is val, and the pattern matches each name and no other."""
    plan = SplitPlan.of("validation", tables(["train"], []), CLASSES, num_shards=12)
    assert plan.names[0] == "val.record-00000-of-00012"
    assert plan.names[-1] == "val.record-00011-of-00012"
    assert plan.pattern == "val.record-?????-of-00012"
    assert all(NAME.fullmatch(name) for name in plan.names)
    assert not NAME.fullmatch("train.record")


def test_a_class_without_a_box_that_trains_is_named() -> None:
    """A class of which a split has no box, or none that is not stripped, is told by its name."""
    drawn: list[dict[str, object]] = [{"photo": 0, "mid": "/m/1"}, {"photo": 0, "mid": "/m/2", "stripped": "group"}]
    of_split = {
        (split, way): without_boxes(
            SplitPlan.of(split, tables(["train", "test"], drawn), CLASSES, num_shards=1, stripped=way), CLASSES
        )
        for split, way in (("train", "drop"), ("train", "ignore"), ("train", "keep"), ("test", "keep"))
    }
    assert list(of_split.values()) == [["Two"], ["Two"], [], ["One", "Two"]]
