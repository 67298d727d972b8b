"""Laws of oidata strip, on a dataset made by hand."""

import io
from dataclasses import dataclass, fields
from pathlib import Path

import pandas as pd
import pytest
from rich.console import Console

from oidata.core.labels import Label, LabelMap
from oidata.core.release.defects import REASONS
from oidata.core.tables import BOXES, COORDINATES, FLAGS, IMAGES
from oidata.dataset import Dataset, DatasetInfo
from oidata.errors import DatasetError
from oidata.io.files import locked
from oidata.report.strip_report import Aftermath, Stripped, StripReport
from oidata.report.terminal import show
from oidata.strip import strip, unstrip

LEMON, CHEESE = Label("/m/09k_b", "Lemon"), Label("/m/01nkt", "Cheese")
A, B, C, D, E, F, N, ABSENT = (f"{number:016x}" for number in range(1, 9))
SPLIT_OF = dict.fromkeys((A, B, C, D, N, ABSENT), "train") | dict.fromkeys((E, F), "test")


@dataclass(frozen=True)
class Box:
    """A box of the dataset below; unless said otherwise, one that no rule strips."""

    image_id: str
    label: Label = LEMON
    xmin: float = 0.25
    group: int = 0
    truncated: int = 0
    occluded: int = 0
    stripped: str | None = None


# What the default rules make of each stands beside it.
MADE = (
    Box(A),
    Box(A, CHEESE, group=1),  # group: collateral, and the lemon stays
    Box(B, group=1, truncated=1),  # group, truncated: empties B, collateral
    Box(C, xmin=0.5),  # no_area: empties C, nothing to see
    Box(D),
    Box(D),  # duplicate: nothing to see
    Box(D, CHEESE, group=-1),  # unknown: stays
    Box(D, CHEESE, xmin=0.1, group=-1, truncated=1),  # truncated, and unknown whether a group: collateral
    Box(E, CHEESE, stripped="user:blurred"),  # the user's: empties E, collateral
    Box(E, CHEESE, xmin=0.1, truncated=1, stripped="occluded|user:blurred"),
    Box(F, occluded=1, truncated=-1),  # unknown: stays
    Box(ABSENT, group=1),  # group, and not there: counted apart
    Box(ABSENT, CHEESE),
)


@pytest.fixture
def dataset(tmp_path: Path) -> Dataset:
    """The boxes above, a photo without any, and one that is missing."""
    info = DatasetInfo("v5", "official", LabelMap((LEMON, CHEESE)), ("train", "validation", "test"))
    dataset = Dataset(tmp_path, info)
    status = dict.fromkeys(SPLIT_OF, "ok") | {ABSENT: "missing"}
    photos = pd.DataFrame([(image_id, split, status[image_id]) for image_id, split in SPLIT_OF.items()])
    photos = photos.set_axis(["image_id", "split", "status"], axis=1)
    dataset.write_boxes(BOXES.conform(pd.DataFrame([_row(number, box) for number, box in enumerate(MADE)])))
    dataset.write_images(IMAGES.conform(photos.reindex(columns=[column.name for column in IMAGES.columns])))
    return dataset


def _row(number: int, box: Box) -> dict[str, object]:
    return {
        "box_id": f"{box.image_id}-{number}",
        "image_id": box.image_id,
        "mid": box.label.mid,
        "mid_original": box.label.mid,
        "source": "xclick",
        **dict.fromkeys(COORDINATES, 0.5),
        "xmin": box.xmin,
        "ymin": 0.25,
        **dict.fromkeys(FLAGS, 0),
        "is_group_of": box.group,
        "is_truncated": box.truncated,
        "is_occluded": box.occluded,
        "stripped": box.stripped,
    }


def marks(dataset: Dataset) -> list[str | None]:
    """The reasons of each box, as they are on disk."""
    return [None if pd.isna(text) else str(text) for text in dataset.boxes()["stripped"]]


def test_boxes_are_marked_and_none_is_deleted(dataset: Dataset) -> None:
    """Each box carries its reasons, the user's among them, and nothing but the marks has changed."""
    before = dataset.boxes()
    strip(dataset)
    assert marks(dataset) == [
        None,
        "group",
        "group|truncated",
        "no_area",
        None,
        "duplicate",
        None,
        "truncated",
        "user:blurred",
        "truncated|user:blurred",
        None,
        "group",
        None,
    ]
    pd.testing.assert_frame_equal(dataset.boxes().drop(columns="stripped"), before.drop(columns="stripped"))


def test_the_report_counts_what_was_stripped_and_why(dataset: Dataset) -> None:
    """By split and class of the photos that are there: the boxes, those stripped, and how many have each reason."""
    assert strip(dataset).classes == (
        Stripped("train", "Lemon", 5, 3, {"group": 1, "truncated": 1, "no_area": 1, "duplicate": 1}),
        Stripped("train", "Cheese", 3, 2, {"group": 1, "truncated": 1}),
        Stripped("validation", "Lemon", 0, 0, {}),
        Stripped("validation", "Cheese", 0, 0, {}),
        Stripped("test", "Lemon", 1, 0, {}),
        Stripped("test", "Cheese", 2, 2, {"truncated": 1, "user:blurred": 2}),
    )


def test_the_report_counts_what_is_left_behind(dataset: Dataset) -> None:
    """By split: photos with boxes, those left without one, and those on which a stripped object stays to see."""
    assert strip(dataset).photos == (
        Aftermath("train", photos=4, emptied=2, collateral=3),  # B and C; A, B and D
        Aftermath("validation", photos=0, emptied=0, collateral=0),
        Aftermath("test", photos=2, emptied=1, collateral=1),  # E; E
    )


def test_boxes_on_photos_that_are_not_there_are_counted_apart(dataset: Dataset) -> None:
    """They are marked as all are, and only two numbers of the report count them."""
    report = strip(dataset)
    assert (report.num_absent, report.num_absent_stripped) == (2, 1)
    assert sum(row.boxes for row in report.classes) == len(MADE) - 2
    assert report.summary().notes[-1] == "Not counted: 2 boxes (1 stripped) on photos that are not there."


def test_unknown_is_counted_apart(dataset: Dataset) -> None:
    """Boxes that are left as they are since a flag is unknown are counted by rule; stripped ones are not among them."""
    assert strip(dataset).unknown_flags == {"group": 1, "depiction": 0, "truncated": 1}


def test_unknown_is_stripped_where_asked_for(dataset: Dataset) -> None:
    """With --unknown such boxes are stripped for a reason of their own, and none is left to count."""
    report = strip(dataset, with_unknown=True)
    assert [mark for mark in marks(dataset) if mark and "unknown" in mark] == [
        "group_unknown",
        "group_unknown|truncated",
        "truncated_unknown",
    ]
    assert report.unknown_flags == {}
    assert report.classes[4] == Stripped("test", "Lemon", 1, 1, {"truncated_unknown": 1})


def test_only_the_named_rules_apply(dataset: Dataset) -> None:
    """Of the flag rules those that are named apply; boxes that are none are stripped always."""
    strip(dataset, ["occluded"])
    assert [(index, mark) for index, mark in enumerate(marks(dataset)) if mark] == [
        (3, "no_area"),
        (5, "duplicate"),
        (8, "user:blurred"),
        (9, "user:blurred"),
        (10, "occluded"),
    ]


def test_twice_is_as_once(dataset: Dataset) -> None:
    """A second strip reports the same and leaves the same bytes."""
    first, data = strip(dataset), (dataset.path / "boxes.parquet").read_bytes()
    assert strip(dataset) == first
    assert (dataset.path / "boxes.parquet").read_bytes() == data


def test_unstrip_leaves_the_users_marks(dataset: Dataset) -> None:
    """All marks are taken back but the user's, and the report counts those."""
    strip(dataset, with_unknown=True)
    report = unstrip(dataset)
    assert [(index, mark) for index, mark in enumerate(marks(dataset)) if mark] == [
        (8, "user:blurred"),
        (9, "user:blurred"),
    ]
    assert sum(row.stripped for row in report.classes) == 2
    assert [row.collateral for row in report.photos] == [0, 0, 1]
    assert report.unknown_flags == {}


def test_a_dataset_without_boxes_is_stripped_in_peace(dataset: Dataset) -> None:
    """Where there are no boxes all counts are 0, and the summary can be made."""
    dataset.write_boxes(BOXES.empty())
    report = strip(dataset)
    assert {getattr(row, field.name) for row in report.photos for field in fields(row)[1:]} == {0}
    assert "0 of 0 boxes" in report.summary().headline


def test_the_summary_says_what_to_do_about_the_collateral(dataset: Dataset) -> None:
    """The headline adds up the splits, the photos have a total, and the notes say where more is to be learned."""
    summary = strip(dataset).summary()
    assert summary.headline.endswith("7 of 11 boxes stripped (train 5, validation 0, test 2)")
    assert summary.tables[0].columns == ("split", "class", "boxes", "stripped", "why")
    assert [row[-1] for row in summary.tables[0].rows] == [
        "group=1 truncated=1 no_area=1 duplicate=1",
        "group=1 truncated=1",
        "",
        "",
        "",
        "truncated=1 user:blurred=2",
    ]
    assert summary.tables[1].columns[1] == "with a box"
    assert summary.tables[1].rows[-1] == ("total", 6, 3, 4)
    assert "on 4 photos" in summary.notes[0]
    assert "oidata audit" in summary.notes[0]
    assert "--unknown" in summary.notes[1]


def test_the_tables_fit_100_columns_with_all_reasons() -> None:
    """Whatever the reasons and however long the class's name, no line is longer, and no word of it is broken."""
    reasons = {**dict.fromkeys(REASONS, 12345), "user:blurred": 7}
    rows = (Stripped("validation", "Personal flotation device", 123456, 45678, reasons),)
    report = StripReport("data", rows, (Aftermath("validation", 9, 8, 7),), {}, 0, 0)
    console = Console(file=io.StringIO(), width=200, color_system=None)
    show(report.summary(), console)
    assert isinstance(console.file, io.StringIO)
    table = console.file.getvalue().partition("•")[0]
    assert max(map(len, table.splitlines())) <= 100
    assert all(f"{reason}={num:,}" in table.split() for reason, num in reasons.items())
    assert "Personal flotation device" in table


def test_a_dataset_at_work_is_left_alone(dataset: Dataset) -> None:
    """While another process holds the dataset, strip is a DatasetError and marks nothing."""
    before = marks(dataset)
    with locked(dataset.path), pytest.raises(DatasetError, match="Another oidata"):
        strip(dataset)
    assert marks(dataset) == before
