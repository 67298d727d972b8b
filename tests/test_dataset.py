"""Laws of the dataset directory."""

import csv
import hashlib
import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pyarrow import parquet

from oidata.core.auditing.duplicates import DUPLICATES
from oidata.core.labels import Label, LabelMap
from oidata.core.release import manifest
from oidata.core.release.manifest import Pin
from oidata.core.tables import BOXES, FLAGS, IMAGES, LABELS, Tables
from oidata.dataset import (
    ATTRIBUTION_NAME,
    AUDIT_NAME,
    AUDIT_REPORT_NAME,
    INFO_NAME,
    MANIFEST_NAME,
    Dataset,
    DatasetInfo,
)
from oidata.errors import DatasetError, StorageError, TableError
from oidata.io.files import locked

A, B, C = "000000000000000a", "000000000000000b", "000000000000000c"
LEMON = Label("/m/09k_b", "Lemon")
INFO = DatasetInfo("v5", "official", LabelMap((Label("/m/01nkt", "Käse"), LEMON)), ("train", "test"), {"limit": None})
OK = {
    "image_id": A,
    "split": "train",
    "status": "ok",
    "width_px": 640,
    "height_px": 480,
    "exif_orientation": 6,
    "rotation": 90,
    "size_bytes": 1234,
    "sha256": "a" * 64,
    "license": "https://creativecommons.org/licenses/by/2.0/",
    "author": "Ann",
    "author_url": "https://a/who",
    "title": "Lemons",
    "landing_url": "https://a/land",
}
MISSING = {"image_id": B, "split": "test", "status": "missing"}


def images(*rows: Mapping[str, object]) -> pd.DataFrame:
    """IMAGES with nulls where a row says nothing."""
    return IMAGES.conform(pd.DataFrame(rows).reindex(columns=[column.name for column in IMAGES.columns]))


def boxes() -> pd.DataFrame:
    """BOXES with a known and an unknown flag, a NaN, and a box that is stripped."""
    box = {
        "box_id": f"{A}-0",
        "image_id": A,
        "mid": LEMON.mid,
        "mid_original": LEMON.mid,
        "source": "xclick",
        **dict(zip(("xmin", "ymin", "xmax", "ymax"), (0.1, float("nan"), 1.5, -0.0), strict=True)),
        **dict(zip(FLAGS, (1, 0, -1, 0, 1), strict=True)),
        "stripped": None,
    }
    return BOXES.conform(pd.DataFrame([box, {**box, "box_id": f"{A}-12", "stripped": "group|user:x"}]))


TABLES = Tables(
    images=images(MISSING, OK),
    boxes=boxes(),
    labels=LABELS.conform(pd.DataFrame({"image_id": [A, B], "mid": LEMON.mid, "is_present": [True, False]})),
)
EMPTY = Tables(IMAGES.empty(), BOXES.empty(), LABELS.empty())


def begun(directory: Path, tables: Tables = TABLES) -> Dataset:
    """A dataset of `tables` in a new directory."""
    directory.mkdir()
    dataset = Dataset(directory, INFO)
    dataset.begin(tables)
    return dataset


@pytest.fixture
def dataset(tmp_path: Path) -> Dataset:
    """A dataset that a fetch has begun."""
    return begun(tmp_path / "data")


def credits_in(dataset: Dataset) -> list[list[str]]:
    """The rows of ATTRIBUTION.csv, as another program reads them."""
    with (dataset.path / ATTRIBUTION_NAME).open(encoding="utf-8", newline="") as file:
        return list(csv.reader(file, strict=True))


def digests(directory: Path) -> dict[str, str]:
    """By name the SHA-256 of every file below `directory`."""
    files = (path for path in directory.rglob("*") if path.is_file())
    return {str(path.relative_to(directory)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


@pytest.mark.parametrize("tables", [TABLES, EMPTY], ids=["full", "empty"])
def test_tables_come_back_as_they_were_written(tmp_path: Path, tables: Tables) -> None:
    """Reading gives the tables that were written, with their dtypes, nulls and NaNs, however few their rows."""
    dataset = Dataset.open(begun(tmp_path / "data", tables).path)
    assert dataset.info == INFO
    pd.testing.assert_frame_equal(dataset.images(), tables.images)
    pd.testing.assert_frame_equal(dataset.boxes(), tables.boxes)
    pd.testing.assert_frame_equal(dataset.labels(), tables.labels)


def test_equal_tables_are_equal_bytes(dataset: Dataset, tmp_path: Path) -> None:
    """The same tables are the same bytes in any directory, and reading and writing them changes nothing."""
    before = digests(dataset.path)
    assert digests(begun(tmp_path / "other").path) == before
    dataset.begin(Tables(dataset.images(), dataset.boxes(), dataset.labels()))
    assert digests(dataset.path) == before
    assert len(before) == 6


def test_the_manifest_pins_the_photos_that_are_there(dataset: Dataset) -> None:
    """The manifest names each photo that is ok, sorted, and reads back as its pins."""
    there = [
        {**OK, "image_id": image_id, "split": split} for image_id, split in ((C, "train"), (B, "test"), (A, "train"))
    ]
    dataset.write_images(images(*there, {**MISSING, "image_id": "d" * 16}))
    text = (dataset.path / MANIFEST_NAME).read_text()
    pins = tuple(Pin(split, image_id, "a" * 64) for split, image_id in (("test", B), ("train", A), ("train", C)))
    assert manifest.parse(text, MANIFEST_NAME) == pins
    assert text.splitlines()[0] == f"test/{B}\t{'a' * 64}\t1234"


def test_the_attribution_credits_the_photos_that_are_there(dataset: Dataset) -> None:
    """Each photo that is ok is credited under a header; one that is missing is not."""
    assert credits_in(dataset) == [
        ["photo", "author", "author_url", "license", "title", "landing_url"],
        [f"train/{A}", *(str(OK[name]) for name in ("author", "author_url", "license", "title", "landing_url"))],
    ]


@pytest.mark.parametrize(
    "title", ["a,b", '5" of lemon', '"', "two\nlines", "two\r\nlines", "old\rMac", "", " x ", "Käse 🧀"]
)
def test_any_title_survives_the_attribution(dataset: Dataset, title: str) -> None:
    """A title with commas, quotes, line ends of any kind, or nothing, is read back by a CSV reader as it is."""
    dataset.write_images(images({**OK, "title": title}))
    assert credits_in(dataset)[1][4] == title


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=50)
@given(author=st.text(), title=st.text())
def test_any_text_survives_table_and_attribution(dataset: Dataset, author: str, title: str) -> None:
    """Whatever authors and titles hold, table and attribution keep every character."""
    dataset.write_images(images({**OK, "author": author, "title": title}))
    assert credits_in(dataset)[1][1:5:3] == [author, title]
    assert dataset.images()[["author", "title"]].to_numpy().tolist() == [[author, title]]


def test_an_unknown_author_is_empty_in_the_attribution(dataset: Dataset) -> None:
    """A photo of which the release knows nothing is credited with empty fields."""
    row = {name: OK[name] for name in ("image_id", "split", "status", "sha256", "size_bytes")}
    dataset.write_images(images(row))
    assert credits_in(dataset)[1] == [f"train/{A}", "", "", "", "", ""]


@pytest.mark.parametrize(
    "bad",
    [
        TABLES.images.assign(split="val"),
        TABLES.images.drop(columns="author"),
        pd.concat([TABLES.images, TABLES.images]),
    ],
    ids=["value", "column", "key"],
)
def test_a_bad_table_changes_nothing(dataset: Dataset, bad: pd.DataFrame) -> None:
    """Images that are not as declared are a TableError, and every file of the dataset stays as it was."""
    before = digests(dataset.path)
    with pytest.raises(TableError, match="'images' is not as declared"):
        dataset.write_images(bad)
    assert digests(dataset.path) == before


def test_all_faults_of_a_table_are_listed_at_once(dataset: Dataset) -> None:
    """Writing boxes with several faults is one TableError that names each of them."""
    with pytest.raises(TableError) as caught:
        dataset.write_boxes(boxes().assign(is_inside=3, score=0.5, mid=None))
    for fault in ("is_inside", "score", "mid"):
        assert fault in caught.value.message


def test_a_file_that_was_tampered_with_is_refused(dataset: Dataset) -> None:
    """A table whose columns another program changed is a TableError when it is read."""
    path = dataset.path / "boxes.parquet"
    table = parquet.read_table(path)
    parquet.write_table(table.drop_columns(["source"]), path)
    with pytest.raises(TableError, match="no column source"):
        dataset.boxes()


@pytest.mark.parametrize("version", [b"0", b"2", None])
def test_a_table_of_another_schema_version_is_refused(dataset: Dataset, version: bytes | None) -> None:
    """A table of another version, or of none, is a TableError that names the file and both versions."""
    path = dataset.path / "labels.parquet"
    metadata = {b"oidata_schema_version": version} if version else None
    parquet.write_table(parquet.read_table(path).replace_schema_metadata(metadata), path)
    with pytest.raises(
        TableError, match=rf"labels\.parquet has schema version {(version or b'none').decode()}.*version 1"
    ):
        dataset.labels()


@pytest.mark.parametrize("data", [b"", b"PAR1", b"ImageID,Source\n"])
def test_a_table_that_is_no_parquet_is_refused(dataset: Dataset, data: bytes) -> None:
    """A file that is cut short or is another is a TableError that names it."""
    (dataset.path / "boxes.parquet").write_bytes(data)
    with pytest.raises(TableError, match=r"boxes\.parquet cannot be read") as caught:
        dataset.boxes()
    assert caught.value.message.endswith(".")
    assert not caught.value.message.endswith("..")


def test_a_table_of_other_columns_is_refused(dataset: Dataset) -> None:
    """A parquet file of another program is a TableError, not a table."""
    parquet.write_table(pa.table({"ImageID": [A]}), dataset.path / "boxes.parquet")
    with pytest.raises(TableError, match=r"boxes\.parquet"):
        dataset.boxes()


def test_without_tables_the_fetch_did_not_finish(tmp_path: Path) -> None:
    """A dataset that a fetch left without tables says so, and to run it again."""
    (tmp_path / INFO_NAME).write_text(INFO.to_json(), encoding="utf-8")
    dataset = Dataset.open(tmp_path)
    assert not dataset.has_tables()
    with pytest.raises(DatasetError, match=r"no boxes\.parquet: its fetch did not finish.*fetch again"):
        dataset.boxes()


def test_a_dataset_is_begun_once_a_table_is_there(dataset: Dataset) -> None:
    """Whichever it is: what a table records must not go to another request."""
    for path in sorted(dataset.path.glob("*.parquet")):
        assert dataset.is_begun()
        path.unlink()
    assert not dataset.is_begun()


@pytest.mark.parametrize("name", ["images", "boxes", "labels"])
def test_a_dataset_without_one_of_its_tables_has_not_all(dataset: Dataset, name: str) -> None:
    """All three tables must be there, whichever was lost."""
    assert dataset.has_tables()
    (dataset.path / f"{name}.parquet").unlink()
    assert not dataset.has_tables()


@pytest.mark.parametrize("name", ["images", "boxes", "labels"])
def test_mending_writes_only_what_is_lost(dataset: Dataset, name: str) -> None:
    """A lost table comes back as it was; the others keep their bytes, whatever the new ones hold."""
    before = digests(dataset.path)
    (dataset.path / f"{name}.parquet").unlink()
    empty = {"images": IMAGES.empty(), "boxes": BOXES.empty(), "labels": LABELS.empty()}
    dataset.mend(Tables(**empty | {name: getattr(TABLES, name)}))
    assert digests(dataset.path) == before


@pytest.mark.parametrize("path", ["", "nowhere", "file", "file/below"])
def test_what_is_no_dataset_is_refused(tmp_path: Path, path: str) -> None:
    """An empty directory, none, or a file is a DatasetError that says how to make a dataset."""
    (tmp_path / "file").write_text("x")
    with pytest.raises(DatasetError, match=r"is no dataset.*oidata fetch"):
        Dataset.open(tmp_path / path)
    assert not Dataset.exists(tmp_path / path)


@pytest.mark.parametrize("text", [b"", b"{", b"[]", b"null", b"{}", b'{"classes": []}', b"\xff\xfe\x00"])
def test_a_broken_description_is_refused(tmp_path: Path, text: bytes) -> None:
    """A dataset.json that oidata did not write is a DatasetError that names the file."""
    (tmp_path / INFO_NAME).write_bytes(text)
    with pytest.raises(DatasetError, match=r"dataset\.json cannot be read"):
        Dataset.open(tmp_path)


@pytest.mark.parametrize("options", [None, 5, [1], "limit"])
def test_options_that_are_none_are_refused(tmp_path: Path, options: object) -> None:
    """A dataset.json whose options are no mapping is a DatasetError that names the file."""
    described = json.loads(INFO.to_json()) | {"options": options}
    (tmp_path / INFO_NAME).write_text(json.dumps(described), encoding="utf-8")
    with pytest.raises(DatasetError, match=r"dataset\.json cannot be read"):
        Dataset.open(tmp_path)


@pytest.mark.parametrize("more", [{}, {"tiles": 3}])
def test_a_dataset_of_a_later_version_is_refused(tmp_path: Path, more: dict[str, int]) -> None:
    """A dataset.json of another schema version is a TableError with both versions, whatever else it holds."""
    described = {**json.loads(INFO.to_json()), "schema_version": 2, **more}
    (tmp_path / INFO_NAME).write_text(json.dumps(described), encoding="utf-8")
    with pytest.raises(TableError, match=r"dataset\.json has schema version 2.*version 1"):
        Dataset.open(tmp_path)


def test_the_description_is_read_back() -> None:
    """What describes a dataset survives JSON, and its classes carry their ids from 1."""
    assert DatasetInfo.from_json(INFO.to_json()) == INFO
    assert [(each["id"], each["display_name"]) for each in json.loads(INFO.to_json())["classes"]] == [
        (1, "Käse"),
        (2, "Lemon"),
    ]
    assert DatasetInfo.from_json(replace(INFO, options={}).to_json()) != INFO


def test_a_directory_with_other_things_in_it_is_not_free(tmp_path: Path) -> None:
    """A dataset may be made where nothing is, or nothing but hidden files; anything else is a DatasetError."""
    Dataset.check_free(tmp_path / "nowhere")
    (tmp_path / ".lock").touch()
    Dataset.check_free(tmp_path)
    (tmp_path / "notes.txt").write_text("x")
    with pytest.raises(DatasetError, match="not empty"):
        Dataset.check_free(tmp_path)


def test_a_table_that_cannot_be_written_is_a_storage_error(tmp_path: Path) -> None:
    """A dataset below a file is a StorageError that names the table."""
    (tmp_path / "file").write_text("x")
    with pytest.raises(StorageError, match=r"boxes\.parquet"):
        Dataset(tmp_path / "file", INFO).write_boxes(boxes())


def test_photos_stand_below_images(dataset: Dataset) -> None:
    """A photo's place is images/SPLIT/ID.jpg."""
    assert dataset.photo_path("train", A) == dataset.path / "images" / "train" / f"{A}.jpg"


TWINS = DUPLICATES.conform(pd.DataFrame({"image_id": [A, B], "group_id": 0, "distance": [3, 3], "kind": "near"}))


def audited(dataset: Dataset, **changes: object) -> Path:
    """Write what an audit of all photos found, with `changes` to what it reports; the directory it is in."""
    report = {"splits": ["train", "test"], "photos": {"num_photos": 1}, "made_from": dataset.hashes()}
    dataset.write_audit({DUPLICATES: TWINS}, report | changes, "")
    return dataset.path / AUDIT_NAME


def test_duplicates_are_those_of_the_audit(dataset: Dataset) -> None:
    """Near duplicates that an audit of these photos found are read as it wrote them."""
    assert dataset.duplicates() is None
    audited(dataset)
    found = dataset.duplicates()
    assert found is not None
    pd.testing.assert_frame_equal(found, TWINS)


def test_duplicates_of_other_photos_are_not_trusted(dataset: Dataset) -> None:
    """Once images.parquet is another, the audit is stale; other boxes leave the photos as they are."""
    audited(dataset)
    dataset.write_boxes(BOXES.empty())
    assert dataset.duplicates() is not None
    dataset.write_images(TABLES.images.assign(dropped="duplicate"))
    assert dataset.duplicates() is None


@pytest.mark.parametrize("changes", [{"splits": ["validation", "test"]}, {"photos": None}, {"made_from": {}}])
def test_an_audit_that_saw_no_train_photo_found_none_of_their_duplicates(
    dataset: Dataset, changes: dict[str, object]
) -> None:
    """Without train among its splits, a photo to look at, or a word of what it was made from, an audit says nothing."""
    audited(dataset, **changes)
    assert dataset.duplicates() is None


def test_an_audit_of_some_splits_does_not_know_all_groups(dataset: Dataset) -> None:
    """Twins of twins are one group whichever splits they are in, so that an audit of some splits is not trusted."""
    audited(dataset, splits=["train"])
    assert dataset.duplicates() is None


@pytest.mark.parametrize("data", [None, b"", b"[]", b"null", b"{", b"\xff", b'{"made_from": 3}'])
@pytest.mark.parametrize("name", [AUDIT_REPORT_NAME, "duplicates.parquet"])
def test_duplicates_of_a_broken_audit_are_not_trusted(dataset: Dataset, name: str, data: bytes | None) -> None:
    """Where the report or the table is lost or unreadable, no duplicates are known."""
    path = audited(dataset) / name
    path.unlink()
    if data is not None:
        path.write_bytes(data)
    assert dataset.duplicates() is None


def test_an_audit_is_not_mixed_with_another(dataset: Dataset) -> None:
    """While another audit writes its files, they stay as they are."""
    directory = audited(dataset)
    with locked(directory), pytest.raises(DatasetError, match="Another oidata is at work"):
        audited(dataset, splits=["train"])
    assert dataset.duplicates() is not None


def test_an_audit_that_is_stopped_leaves_no_older_report_beside_its_tables(dataset: Dataset) -> None:
    """When an audit cannot finish, what an earlier one reported does not pass for its own."""
    directory = audited(dataset)
    with pytest.raises(TableError):
        dataset.write_audit({DUPLICATES: TWINS.drop(columns="kind")}, {}, "")
    assert not (directory / AUDIT_REPORT_NAME).exists()
    assert dataset.duplicates() is None
