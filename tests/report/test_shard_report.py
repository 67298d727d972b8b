"""What the report of the shards says to a person."""

import numpy as np
import pytest

from oidata.core.sharding.balance import assign
from oidata.core.sharding.evenness import Photos, balance_facts
from oidata.io.shards import ShardFacts
from oidata.report.shard_report import ShardReport, SplitShards


def report(num_classes: int) -> ShardReport:
    """Two shards of as many photos as classes, each photo with all six boxes of a class of its own."""
    ids = [f"{number:016x}" for number in range(num_classes)]
    owner = np.repeat(np.arange(num_classes), 6)
    photos = Photos(ids, np.full(num_classes, 1000), owner, owner, num_classes)
    facts = tuple(ShardFacts(f"train.record-0000{n}-of-00002", 0, (0,) * num_classes, 0, "") for n in range(2))
    shards = SplitShards("train", "train.record-?????-of-00002", facts, balance_facts(photos, assign(photos, 2), 2))
    names = {f"/m/{number}": f"Class {number}" for number in range(num_classes)}
    return ShardReport(names, {}, {"val_fraction": None}, (shards,), {}, 0, 0)


@pytest.mark.parametrize("num_classes, ending", [(2, "Class 1"), (5, "Class 4"), (60, "Class 4 and 55 more")])
def test_many_classes_do_not_flood_the_summary(num_classes: int, ending: str) -> None:
    """However many classes there are, the headline names a few, and so does one note on those that stay uneven."""
    summary = report(num_classes).summary()
    assert summary.headline.endswith(ending)
    (note,) = (note for note in summary.notes if "no division is more even" in note)
    assert note.startswith("train, Class 0, Class 1")
    assert f"{ending}: no division" in note
