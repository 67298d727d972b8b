"""Laws of the runs of a dataset: what is written is read again, and what is broken is named."""

import json
import os
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from oidata.core.evaluation.failures import FAILURES
from oidata.core.labels import Label, LabelMap
from oidata.core.tables import DETECTIONS
from oidata.dataset import Dataset, DatasetInfo
from oidata.errors import DatasetError, TableError, UsageError
from oidata.io.files import LOCK_NAME, locked
from oidata.runs import Run, RunInfo, run_names, run_path
from tests.core.made import image_id
from tests.core.scenes import detections

INFO = RunInfo(
    source="/models/ssd.tflite",
    sha256="0" * 64,
    is_model=True,
    config="pipeline.config",
    label_map=None,
    score_threshold=0.25,
    splits=("validation", "test"),
    processed=(image_id(0), image_id(1)),
    left_out={"unknown_classes": 3},
)
FOUND = detections({}, {"photo": 1, "mid": "/m/2"})


@pytest.fixture
def dataset(tmp_path: Path) -> Dataset:
    return Dataset(tmp_path, DatasetInfo("v5", "sample:", LabelMap((Label("/m/1", "One"),)), ("train",)))


def test_a_run_is_read_as_it_was_written(dataset: Dataset) -> None:
    """What is said of it, its detections and its config are those that were given."""
    run = Run.create(dataset, "one", INFO, FOUND, "model { }")
    again = Run.open(dataset, "one")
    assert (again.info, again.name, again.path) == (INFO, "one", run.path)
    pd.testing.assert_frame_equal(again.detections(), FOUND)
    assert again.config_path.read_text(encoding="utf-8") == "model { }"
    assert again.evaluation() is None
    assert RunInfo.from_json(json.dumps(asdict(INFO))) == INFO


def test_the_newest_run_is_the_default(dataset: Dataset) -> None:
    """Runs stand in the order in which they were made; one made again is the newest."""
    for place, name in enumerate(("b", "a", "c")):
        path = Run.create(dataset, name, INFO, FOUND, None).path / "run.json"
        os.utime(path, ns=(place, place))
    assert run_names(dataset) == ["b", "a", "c"]
    assert Run.open(dataset).name == "c"
    Run.create(dataset, "b", INFO, FOUND, None)
    assert Run.open(dataset).name == "b"


def test_a_run_that_is_made_again_forgets_what_was_said_of_it(dataset: Dataset) -> None:
    """Neither the evaluation nor the config of the old one is left."""
    run = Run.create(dataset, "one", INFO, FOUND, "model { }")
    run.write_evaluation({"x": 1}, FAILURES.empty(), "<html>")
    assert run.evaluation() == {"x": 1}
    pd.testing.assert_frame_equal(run.failures(), FAILURES.empty())
    Run.create(dataset, "one", INFO, FOUND.iloc[:1], None)
    assert sorted(path.name for path in run.path.iterdir()) == [LOCK_NAME, "detections.parquet", "run.json"]
    with pytest.raises(DatasetError, match=r"one has no failures\.parquet.*oidata evaluate"):
        run.failures()


def test_an_evaluation_is_not_mixed_with_another(dataset: Dataset) -> None:
    """While another process writes into a run, what was judged of it stays as it is."""
    run = Run.create(dataset, "one", INFO, FOUND, None)
    run.write_evaluation({"x": 1}, FAILURES.empty(), "")
    with locked(run.path), pytest.raises(DatasetError, match="Another oidata is at work"):
        run.write_evaluation({"x": 2}, FAILURES.empty(), "")
    assert run.evaluation() == {"x": 1}


def test_a_run_that_was_stopped_is_none(dataset: Dataset) -> None:
    """run.json comes last: without it there is no run of that name, and it can be made again."""
    run = Run.create(dataset, "one", INFO, FOUND, None)
    (run.path / "run.json").unlink()
    assert run_names(dataset) == []
    with pytest.raises(DatasetError, match=r"has no run one.*It has none: run oidata predict MODEL"):
        Run.open(dataset, "one")
    with pytest.raises(DatasetError, match="nothing was detected on its photos yet"):
        Run.open(dataset)
    assert Run.create(dataset, "one", INFO, FOUND, None).info == INFO


@pytest.mark.parametrize("name", ["", "..", "a/b", "/a", "-x", ".hidden", "a b", "ü/"])
def test_a_name_is_one_of_a_directory(dataset: Dataset, name: str) -> None:
    """No name leads out of the dataset, or looks like an option."""
    with pytest.raises(UsageError, match="is no name for a run"):
        run_path(dataset, name)


@pytest.mark.parametrize("name", ["1", "ssd_v2.2026-01-01+a", "Zitrone"])
def test_other_names_are_taken(dataset: Dataset, name: str) -> None:
    """Letters, digits and a few signs between them."""
    assert run_path(dataset, name) == dataset.path / "runs" / name


@pytest.mark.parametrize("text", ["", "{", "[]", '{"schema_version": 1}', '{"schema_version": 1, "splits": 3}'])
def test_a_broken_run_is_named(dataset: Dataset, text: str) -> None:
    """A run.json that is none is said to be."""
    path = Run.create(dataset, "one", INFO, FOUND, None).path / "run.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(DatasetError, match=r"one.run\.json cannot be read.*Make the run again"):
        Run.open(dataset, "one")


def test_a_run_of_another_version_is_named(dataset: Dataset) -> None:
    """So is one of a schema that this oidata does not read."""
    Run.create(dataset, "one", replace(INFO, schema_version=99), FOUND, None)
    with pytest.raises(TableError, match="schema version 99"):
        Run.open(dataset, "one")


def test_a_lost_table_is_named(dataset: Dataset) -> None:
    """A run without its detections says what is gone, and how to have it again."""
    run = Run.create(dataset, "one", INFO, FOUND, None)
    before: dict[str, Any] = run.hashes()
    assert set(before) == {"detections.parquet"}
    (run.path / f"{DETECTIONS.name}.parquet").unlink()
    with pytest.raises(DatasetError, match=r"has no detections\.parquet.*Run oidata predict again"):
        run.detections()
