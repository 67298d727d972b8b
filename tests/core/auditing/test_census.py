"""Laws of the census: what a dataset holds, what was stripped, and what was verified."""

import json
from collections import Counter
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from oidata.core.auditing.census import SOURCES, ClassFacts, DatasetFacts, dataset_facts
from oidata.core.auditing.verification import PAIRS_MAX, sightings
from oidata.core.labels import Label, LabelMap
from oidata.core.statistics import Cells, ground_truth
from oidata.core.tables import FLAGS, IMAGES, SPLITS, STATUSES
from oidata.dataset import Dataset
from oidata.fetch import Network, Request, fetch
from oidata.strip import strip
from tests.core.made import CELLS, DRAWN, PHOTOS, boxes, image_id, images, labels

VERDICTS = st.dictionaries(
    st.tuples(st.integers(0, 5), st.sampled_from(["/m/1", "/m/2", "/m/3"])), st.booleans(), max_size=9
).map(lambda verdicts: labels(*((photo, mid, present) for (photo, mid), present in verdicts.items())))


def facts_of(dataset: Dataset) -> DatasetFacts:
    """The census of a dataset in a directory."""
    cells = Cells(dataset.info.classes, dataset.info.splits)
    return dataset_facts(dataset.images(), dataset.boxes(), dataset.labels(), cells)


def find(facts: DatasetFacts, split: str, display_name: str) -> ClassFacts:
    """The facts of one class in one split."""
    return next(row for row in facts.classes if (row.split, row.display_name) == (split, display_name))


@settings(max_examples=40)  # each builds and joins tables
@given(PHOTOS, DRAWN, VERDICTS)
def test_counts_add_up(photos: list[dict[str, object]], drawn: list[dict[str, object]], verdicts: pd.DataFrame) -> None:
    """Every cell is there, its parts add up to its boxes, and all of it is plain JSON without NaN."""
    pictures, frame = images(*photos), boxes(*drawn)
    facts = dataset_facts(pictures, frame, verdicts, CELLS)
    json.dumps(asdict(facts), allow_nan=False)
    assert [(row.split, row.mid) for row in facts.classes] == [(split, label.mid) for split, label in CELLS]
    for row in facts.classes:
        assert row.num_boxes == row.num_stripped + row.num_on_unusable + row.num_truth
        assert row.num_boxes == sum(row.sources.values())
        assert all(sum(values.values()) == row.num_boxes for values in row.flags.values())
        assert list(row.flags) == list(FLAGS)
        assert sum(row.stripped.values()) >= row.num_stripped
        assert row.num_photos <= row.num_truth
        assert row.num_present_unboxed <= row.num_verified_present
        assert row.num_absent_boxed + row.num_verified_negatives <= row.num_verified_absent
    truth = ground_truth(pictures, frame)
    of_cell = Counter(zip(truth["split"], truth["mid"], strict=True))
    assert {(row.split, row.mid): row.num_truth for row in facts.classes if row.num_truth} == {
        cell: num for cell, num in of_cell.items() if cell in {(split, label.mid) for split, label in CELLS}
    }


@settings(max_examples=40)  # each builds and joins tables
@given(PHOTOS, DRAWN)
def test_photos_add_up(photos: list[dict[str, object]], drawn: list[dict[str, object]]) -> None:
    """The statuses of a split add up to its photos, and no number of usable photos exceeds those."""
    facts = dataset_facts(images(*photos), boxes(*drawn), labels(), CELLS)
    assert [row.split for row in facts.photos] == list(CELLS.splits)
    for row in facts.photos:
        assert list(row.statuses) == list(STATUSES)
        assert row.num_photos == sum(row.statuses.values()) == sum(photo["split"] == row.split for photo in photos)
        assert row.num_usable >= row.num_boxed == row.num_with_truth + row.num_emptied
        assert row.num_collateral - row.num_emptied <= row.num_leftover <= row.num_with_truth
        assert row.num_leftover <= row.num_collateral <= row.num_boxed
        assert sum(row.dropped.values()) == row.num_dropped


@settings(max_examples=40)  # each builds and joins tables
@given(PHOTOS, DRAWN, VERDICTS)
def test_pairs_are_what_a_loop_counts(
    photos: list[dict[str, object]], drawn: list[dict[str, object]], verdicts: pd.DataFrame
) -> None:
    """A photo is unverified for a pair iff it shows the one, and has neither a verdict nor a box of the other."""
    pictures, frame = images(*photos), boxes(*drawn)
    truth = ground_truth(pictures, frame)
    known = set(verdicts[["image_id", "mid"]].itertuples(index=False, name=None))
    known |= set(frame[["image_id", "mid"]].itertuples(index=False, name=None))
    pairs = dataset_facts(pictures, frame, verdicts, CELLS).pairs
    seen = sightings(pictures, frame, verdicts, CELLS)
    assert [(row.split, row.mid, row.other_mid) for row in pairs] == [
        (split, *pair) for split in CELLS.splits for pair in (("/m/1", "/m/2"), ("/m/2", "/m/1"))
    ]
    for row in pairs:
        shown = set(truth.loc[(truth["split"] == row.split) & (truth["mid"] == row.mid), "image_id"])
        unverified = {photo for photo in shown if (photo, row.other_mid) not in known}
        assert (row.num_photos, row.num_unverified) == (len(shown), len(unverified))
        assert row.share == (len(unverified) / len(shown) if shown else None)
        of_split = set(pictures.loc[pictures["split"] == row.split, "image_id"])
        assert set(seen.unverified(row.mid, row.other_mid)) & of_split == unverified


@pytest.mark.parametrize("verdict", [True, False])
def test_either_verdict_settles_a_pair(*, verdict: bool) -> None:
    """A photo on which the other class is verified, present or absent, is not unverified; nor is one that boxes it."""
    frame = boxes({}, {"photo": 1}, {"photo": 2}, {"photo": 2, "mid": "/m/2", "stripped": "group"})
    verdicts = labels((0, "/m/2", verdict))
    assert dataset_facts(images({}, {}, {}), frame, verdicts, CELLS).pairs[0].num_unverified == 1
    assert sightings(images({}, {}, {}), frame, verdicts, CELLS).unverified("/m/1", "/m/2") == [image_id(1)]


def test_verdicts_by_example() -> None:
    """Present without a box, absent with one, and a negative photo are each told apart, by usable photo."""
    frame = boxes({}, {"photo": 1}, {"photo": 2, "stripped": "group"}, {"photo": 5})
    verdicts = labels(
        (0, "/m/1", True),
        (1, "/m/1", False),  # absent, yet boxed
        (2, "/m/1", True),  # its box is stripped, which is no missing box
        (3, "/m/1", True),  # present, and not boxed
        (4, "/m/1", False),  # a negative
        (2, "/m/2", False),  # no negative: a photo with a box
        (5, "/m/1", True),
    )
    facts = dataset_facts(images({}, {}, {}, {}, {}, {"status": "missing"}), frame, verdicts, CELLS)
    one, two = find(facts, "train", "One"), find(facts, "train", "Two")
    assert (one.num_verified_present, one.num_verified_absent) == (3, 2)
    assert (one.num_present_unboxed, one.num_absent_boxed, one.num_verified_negatives) == (1, 1, 1)
    assert (two.num_verified_absent, two.num_verified_negatives) == (1, 0)
    assert [(row.num_photos, row.num_unverified) for row in facts.pairs if row.split == "train"] == [(2, 2), (0, 0)]


def test_boxes_by_example() -> None:
    """Boxes are counted by source, flag and reason, whatever their photo; strangers among the sources have a name."""
    frame = boxes(
        {"xmin": 0.125, "is_group_of": 1, "stripped": "group|user:odd"},
        {"source": "other", "is_group_of": -1},
        {"photo": 1},
    )
    facts = dataset_facts(images({}, {"dropped": "duplicate"}), frame, labels(), CELLS)
    row = find(facts, "train", "One")
    assert (row.num_boxes, row.num_stripped, row.num_on_unusable, row.num_truth) == (3, 1, 1, 1)
    assert row.stripped == {"group": 1, "user:odd": 1}
    assert row.sources == {**dict.fromkeys(SOURCES, 0), "xclick": 2, "other": 1}
    assert row.flags["is_group_of"] == {"yes": 1, "no": 1, "unknown": 1}
    assert facts.photos[0].dropped == {"duplicate": 1}
    assert (facts.photos[0].num_collateral, facts.photos[0].num_leftover) == (1, 1)
    assert facts.twins == ()


def test_an_empty_dataset_is_counted_in_peace() -> None:
    """Without photos all counts are 0, and no share is made up."""
    facts = dataset_facts(images(), boxes(), labels(), CELLS)
    assert {row.num_photos for row in facts.photos} == {0}
    assert {row.share for row in facts.pairs} == {None}


def test_pairs_of_many_classes_are_bounded() -> None:
    """Of more pairs than PAIRS_MAX those with most unverified photos are listed."""
    many = Cells(LabelMap(tuple(Label(f"/m/{number}", str(number)) for number in range(40))), ("train",))
    pairs = dataset_facts(images({}), boxes({"mid": "/m/39"}), labels(), many).pairs
    assert len(pairs) == PAIRS_MAX
    assert sum(pair.num_unverified for pair in pairs) == 39


def test_real_photos(shared_mirror: Path, tmp_path: Path, network: Network) -> None:
    """The mirror's boxes, photos and flags of Lemon and Cheese are those of its COUNTS.json, split by split."""
    fetch(tmp_path / "d", Request(("Lemon", "Cheese"), source=shared_mirror.as_uri()), network)
    counts: dict[str, Any] = json.loads((shared_mirror / "COUNTS.json").read_text())["splits"]
    facts = facts_of(Dataset.open(tmp_path / "d"))
    flags = dict(zip(FLAGS, ("IsOccluded", "IsTruncated", "IsGroupOf", "IsDepiction", "IsInside"), strict=True))
    for row in facts.classes:
        known = counts[row.split]["classes"][row.display_name]
        assert (row.num_boxes, row.num_truth, row.num_photos) == (known["boxes"], known["boxes"], known["images"])
        assert {flags[name]: values for name, values in row.flags.items()} == known["flags"]
        assert row.num_verified_present == known["verified_present"]
        assert (row.num_present_unboxed, row.num_absent_boxed) == (0, 0)


def test_strip_and_census_agree(shared_mirror: Path, tmp_path: Path, network: Network) -> None:
    """On photos that are all there the census counts what strip reports: reasons, emptied photos, the collateral."""
    fetch(tmp_path / "d", Request(("Lemon", "Cheese"), source=shared_mirror.as_uri()), network)
    report = strip(Dataset.open(tmp_path / "d"))
    facts = facts_of(Dataset.open(tmp_path / "d"))
    assert [(row.num_boxes, row.num_stripped, row.stripped) for row in facts.classes] == [
        (row.boxes, row.stripped, row.reasons) for row in report.classes
    ]
    assert [(row.num_boxed, row.num_emptied, row.num_collateral) for row in facts.photos] == [
        (row.photos, row.emptied, row.collateral) for row in report.photos
    ]


@pytest.mark.parametrize("split", SPLITS)
def test_the_sample(tmp_path: Path, network: Network, split: str) -> None:
    """The embedded sample's census of one split is as that of all: splits do not touch each other."""
    fetch(tmp_path / "d", Request(("Lemon", "Cheese"), source="sample:"), network)
    dataset = Dataset.open(tmp_path / "d")
    info = replace(dataset.info, splits=(split,))
    whole, part = facts_of(dataset), facts_of(replace(dataset, info=info))
    for name, rows in vars(part).items():
        assert rows == tuple(row for row in getattr(whole, name) if row.split == split)
    there = dataset.images()
    assert part.photos[0].statuses["ok"] == ((there["split"] == split) & (there["status"] == "ok")).sum()


def test_a_photo_that_fell_out_takes_its_boxes_along() -> None:
    """A missing photo's boxes are no ground truth and its verdicts no negatives."""
    pictures = IMAGES.conform(images({}).assign(status="missing"))
    facts = dataset_facts(pictures, boxes({}), labels((0, "/m/2", False)), CELLS)
    assert {row.num_truth for row in facts.classes} == {0}
    assert {row.num_verified_absent for row in facts.classes} == {0}
    assert image_id(0) not in sightings(pictures, boxes({}), labels(), CELLS).unverified("/m/1", "/m/2")
