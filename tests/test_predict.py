"""Laws of `oidata predict`, on a small model that finds the colours of photos, and on a real one."""

import json
import os
import shutil
import signal
import subprocess
import sys
from dataclasses import replace
from inspect import signature
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from oidata.cli import predict_command
from oidata.core import boxes
from oidata.core.config.label_map import label_map_text
from oidata.core.config.pipeline import PipelineConfig, with_values
from oidata.core.labels import Label, LabelMap
from oidata.core.matcher.detector import Detector as SsdParts
from oidata.core.statistics import usable
from oidata.core.tables import COORDINATES, SPLITS, TEST, VALIDATION
from oidata.dataset import Dataset
from oidata.errors import ConfigError, DatasetError, ModelError, PhotoError, UsageError
from oidata.fetch import fetch
from oidata.io.configs import read_config
from oidata.predict import BATCH, SCORE_THRESHOLD, Request, default_name, predict
from oidata.runs import Run, run_names
from tests.conftest import SHARED, absent
from tests.io import exported
from tests.test_cli import oidata
from tests.test_crash import wait_until

LEMON, CHEESE = "/m/09k_b", "/m/01nkt"
BOTH = LabelMap((Label(LEMON, "Lemon"), Label(CHEESE, "Cheese")))
SIZE_PX = 64


def small_config(size_px: int = SIZE_PX) -> PipelineConfig:
    """A config of 2 classes for inputs of that size."""
    side = "model.ssd.image_resizer.fixed_shape_resizer"
    values = {"model.ssd.num_classes": 2, f"{side}.height": size_px, f"{side}.width": size_px}
    return with_values(read_config("oid_v4"), values, "small")


@pytest.fixture(scope="session")
def exported_models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A TFLite model with its post-processing, one with raw outputs of 2 classes, and a SavedModel."""
    directory = tmp_path_factory.mktemp("models")
    (directory / "colours.tflite").write_bytes(exported.lite_post_processed(directory / "lite"))
    num_anchors = len(SsdParts.of(small_config()).grid_for(SIZE_PX, SIZE_PX).boxes())
    predictions = np.zeros((num_anchors, 3), np.float32)
    (directory / "raw.tflite").write_bytes(exported.lite_raw(directory / "raw", SIZE_PX, predictions))
    exported.saved_model(directory / "trained/saved_model")
    return directory


@pytest.fixture
def model(exported_models: Path, tmp_path: Path) -> Path:
    """The first of them, in a directory of its own."""
    path = tmp_path / "exports/today/colours.tflite"
    path.parent.mkdir(parents=True)
    shutil.copy(exported_models / "colours.tflite", path)
    return path


@pytest.fixture
def dataset(stripped_sample: Path, tmp_path: Path) -> Dataset:
    shutil.copytree(stripped_sample, tmp_path / "d")
    return Dataset.open(tmp_path / "d")


@pytest.fixture
def label_map(tmp_path: Path) -> Path:
    path = tmp_path / "map.pbtxt"
    path.write_text(label_map_text(BOTH))
    return path


@pytest.fixture
def request_(model: Path, label_map: Path) -> Request:
    return Request(model, label_map=label_map)


def photos_of(dataset: Dataset, *splits: str) -> list[str]:
    images = dataset.images()
    return sorted(images.loc[usable(images) & images["split"].isin(splits), "image_id"])


def files_of(run: Run) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in run.path.iterdir() if path.name != ".lock"}


def test_a_run_is_what_was_found_on_photos_not_trained_on(dataset: Dataset, request_: Request) -> None:
    """By default validation and test are looked at, and each detection has the MID that the label map gives its id."""
    report = predict(dataset, request_)
    run = Run.open(dataset, "colours")
    assert run.info.splits == (VALIDATION, TEST)
    assert list(run.info.processed) == photos_of(dataset, VALIDATION, TEST)
    found = run.detections()
    assert set(found["mid"]) == {LEMON, CHEESE}
    assert (found.loc[found["mid"] == LEMON, list(COORDINATES)] == [0, 0, 0.5, 0.5]).all(axis=None)
    order = dataset.images().reset_index().set_index("image_id")["index"]
    keys = list(zip(found["image_id"].map(order), -found["score"], strict=True))
    assert keys == sorted(keys)
    assert [(each.split, each.num_photos) for each in report.splits] == [(VALIDATION, 15), (TEST, 15)]
    assert sum(each.num_detections for each in report.classes) == len(found)
    assert report.now.label_map_origin == "given"


def test_all_splits_where_none_is_held_out(dataset: Dataset, request_: Request) -> None:
    """Of a dataset with neither validation nor test photos train is looked at; dropped photos never are."""
    images = dataset.images()
    of_train = images["split"] == "train"
    dataset.write_images(images.assign(dropped=images["dropped"].mask(~of_train, "user:drop").astype("str")))
    predict(dataset, request_)
    assert Run.open(dataset).info.splits == ("train",)
    assert list(Run.open(dataset).info.processed) == photos_of(dataset, "train")
    with pytest.raises(DatasetError, match="no whole photo in validation"):
        predict(dataset, replace(request_, splits=("val",)))


def test_a_photo_without_detections_is_processed(dataset: Dataset, request_: Request) -> None:
    """Where nothing scores above the threshold, the run has all photos and no detection."""
    report = predict(dataset, replace(request_, score_threshold=1.0))
    run = Run.open(dataset)
    assert len(run.detections()) == 0
    assert len(run.info.processed) == 30
    assert [each.best_score for each in report.classes] == [None, None]


def test_only_what_scores_above_the_threshold_is_kept(dataset: Dataset, request_: Request) -> None:
    """A threshold leaves the detections that score above it, and changes none of them."""
    predict(dataset, replace(request_, score_threshold=0.0))
    every = Run.open(dataset).detections()
    predict(dataset, replace(request_, score_threshold=0.5))
    some = Run.open(dataset).detections()
    assert 0 < len(some) < len(every)
    pd.testing.assert_frame_equal(some, every[every["score"] > np.float32(0.5)].reset_index(drop=True))


def test_the_same_again_does_nothing(dataset: Dataset, request_: Request) -> None:
    """What is judged of a run stays as long as model, config, label map, threshold and photos are the same."""
    predict(dataset, request_)
    (Run.open(dataset).path / "evaluation.json").write_text("{}")
    before = files_of(Run.open(dataset))
    report = predict(dataset, request_)
    assert files_of(Run.open(dataset)) == before
    assert (report.now.num_there, report.now.replaced) == (30, False)


def test_more_photos_complete_a_run(dataset: Dataset, request_: Request) -> None:
    """Split by split a run becomes what it is when all are looked at at once; nothing is looked at twice."""
    predict(dataset, replace(request_, run="once", splits=SPLITS))
    predict(dataset, replace(request_, run="parts", splits=("test",)))
    (Run.open(dataset, "parts").path / "evaluation.json").write_text("{}")
    report = predict(dataset, replace(request_, run="parts", splits=("train", "val")))
    assert report.now.num_there == 15
    assert files_of(Run.open(dataset, "parts")) == files_of(Run.open(dataset, "once"))


def test_another_model_replaces_a_run(dataset: Dataset, request_: Request, model: Path) -> None:
    """Retrained, or with another label map, threshold or config, a model starts its run anew, and that is said."""
    predict(dataset, request_)
    model.write_bytes(model.read_bytes() + bytes(16))
    config = model.parent / "small.config"
    config.write_text(small_config(exported.LITE_PX).text)
    for changed in (
        request_,
        replace(request_, score_threshold=0.2),
        replace(request_, score_threshold=0.2, config=config),
    ):
        report = predict(dataset, changed)
        assert (report.now.num_there, report.now.replaced) == (0, True)
        assert "was replaced" in report.summary().notes[0]
    assert Run.open(dataset).config_path.read_text() == config.read_text()
    assert run_names(dataset) == ["colours"]


def test_the_label_map_near_a_model_is_found(dataset: Dataset, exported_models: Path, tmp_path: Path) -> None:
    """Beside it before the one above, which is before that of the dataset's shards; none at all is an error."""
    shutil.copytree(exported_models / "trained", tmp_path / "exports/trained")
    model = tmp_path / "exports/trained/saved_model"
    request = Request(model)
    with pytest.raises(ConfigError, match=r"no label_map\.pbtxt near it, and none at .*shards/label_map\.pbtxt"):
        predict(dataset, request)
    for place, origin in (
        (dataset.label_map_path, "dataset"),
        (tmp_path / "exports/label_map.pbtxt", "near"),
        (tmp_path / "exports/trained/label_map.pbtxt", "near"),
    ):
        place.parent.mkdir(exist_ok=True)
        place.write_text(label_map_text(BOTH))
        report = predict(dataset, request)
        assert (report.now.label_map, report.now.label_map_origin) == (str(place), origin)
        assert str(place) in " ".join(report.summary().notes)
    assert report.name == "trained"
    assert report.now.num_there == 30  # they all say the same


def test_the_config_near_a_model_is_kept_with_its_run(dataset: Dataset, exported_models: Path, tmp_path: Path) -> None:
    """As TFOD's exporter leaves it, unless another is given; without either, the run has none."""
    shutil.copytree(exported_models / "trained", tmp_path / "trained")
    dataset.label_map_path.parent.mkdir(exist_ok=True)
    dataset.label_map_path.write_text(label_map_text(BOTH))
    request = Request(tmp_path / "trained/saved_model")
    predict(dataset, request)
    assert not Run.open(dataset).config_path.exists()
    (tmp_path / "trained/pipeline.config").write_text(small_config(20).text)
    predict(dataset, request)
    assert Run.open(dataset).config_path.read_text() == small_config(20).text
    (tmp_path / "other.config").write_text(small_config(30).text)
    predict(dataset, replace(request, config=tmp_path / "other.config"))
    assert Run.open(dataset).config_path.read_text() == small_config(30).text


def test_classes_that_the_dataset_lacks_are_left_out(dataset: Dataset, model: Path, label_map: Path) -> None:
    """They are counted, and a class of the dataset that the label map lacks is a warning."""
    predict(dataset, Request(model, label_map=label_map))
    every = Run.open(dataset).detections()
    label_map.write_text('item { id: 1 name: "Bicycle" } item { id: 2 name: "cheese" }')
    report = predict(dataset, Request(model, label_map=label_map))
    pd.testing.assert_frame_equal(Run.open(dataset).detections(), every[every["mid"] == CHEESE].reset_index(drop=True))
    assert report.other_classes == ("Bicycle",)
    assert sum(report.left_out.values()) == (every["mid"] == LEMON).sum()
    notes = " ".join(report.summary().notes)
    assert "Warning: the label map lacks Lemon" in notes
    assert "detections of classes that the dataset does not have" in notes
    label_map.write_text('item { id: 2 name: "Cheese" }')
    assert list(predict(dataset, Request(model, label_map=label_map)).left_out) == [
        "of class ids that the label map does not have"
    ]


def test_a_label_map_of_another_model_is_refused(dataset: Dataset, exported_models: Path, label_map: Path) -> None:
    """One without any class of the dataset, or with more ids than the model has classes, is an error."""
    colours = exported_models / "colours.tflite"
    label_map.write_text('item { id: 1 name: "Bicycle" }')
    with pytest.raises(ConfigError, match=r"no class of the dataset, which is of Lemon, Cheese; it has Bicycle"):
        predict(dataset, Request(colours, label_map=label_map))
    dataset.label_map_path.parent.mkdir()
    dataset.label_map_path.write_text('item { id: 1 name: "Lemon" }')
    with pytest.raises(ConfigError, match=r"validation/\w{16}\.jpg: it finds the class 2, which the label map does"):
        predict(dataset, Request(colours))
    label_map.write_text('item { id: 3 name: "Lemon" }')
    dataset.write_config(small_config().text)
    with pytest.raises(ConfigError, match=r"has 1 class up to the id 3, and the model has 2"):
        predict(dataset, Request(exported_models / "raw.tflite", label_map=label_map))
    with pytest.raises(ConfigError, match=r"shards/label_map\.pbtxt has 1 class up to the id 1, and the model has 2"):
        predict(dataset, Request(exported_models / "raw.tflite"))


def test_the_datasets_own_config_is_taken_where_one_is_needed(dataset: Dataset, exported_models: Path) -> None:
    """It is kept with the run of a model with raw outputs; a model that needs none does not get it."""
    dataset.write_config(small_config().text)
    dataset.label_map_path.parent.mkdir()
    dataset.label_map_path.write_text(label_map_text(BOTH))
    for name, config in (("raw", str(dataset.config_path)), ("colours", None)):
        assert predict(dataset, Request(exported_models / f"{name}.tflite", splits=(TEST,))).config == config
        assert Run.open(dataset, name).config_path.is_file() == bool(config)


def test_photos_that_cannot_be_decoded_are_named(dataset: Dataset, request_: Request) -> None:
    """They are not processed and the others are; mended, they are looked at, and nothing else is."""
    first, second, *others = photos_of(dataset, TEST)
    place = dataset.photo_path(TEST, first)
    whole = place.read_bytes()
    place.write_bytes(whole[:20])
    dataset.photo_path(TEST, second).rename(place.with_name("away.jpg"))
    report = predict(dataset, replace(request_, splits=(TEST,)))
    assert set(report.now.unreadable) == {f"test/{first}", f"test/{second}"}
    assert "No such file" in report.now.unreadable[f"test/{second}"]
    assert any(note.startswith(f"test/{first}: TensorFlow does not decode") for note in report.summary().notes)
    assert list(Run.open(dataset).info.processed) == others
    place.write_bytes(whole)
    place.with_name("away.jpg").rename(dataset.photo_path(TEST, second))
    mended = predict(dataset, replace(request_, splits=(TEST,)))
    assert (mended.now.num_there, mended.now.unreadable) == (len(others), {})
    assert list(Run.open(dataset).info.processed) == photos_of(dataset, TEST)


def test_no_photo_at_all_is_an_error(dataset: Dataset, request_: Request) -> None:
    """Where not one photo can be read there is no run."""
    for path in dataset.path.glob("images/test/*.jpg"):
        path.write_bytes(b"")
    with pytest.raises(PhotoError, match=r"No photo could be looked at\. test/"):
        predict(dataset, replace(request_, splits=(TEST,)))
    assert run_names(dataset) == []


@pytest.mark.parametrize(
    "model, name",
    [
        ("a/detect v2.tflite", "detect_v2"),
        ("exports/lemon-1.2/saved_model", "lemon-1.2"),
        ("exports/lemon-1.2/saved_model/saved_model.pb", "lemon-1.2"),
        ("exports/lemon-1.2", "lemon-1.2"),
        ("exports/lemon-1.2/frozen_inference_graph.pb", "lemon-1.2"),
        ("-x.pb", "_x"),
    ],
)
def test_a_run_is_called_as_its_model(model: str, name: str, tmp_path: Path) -> None:
    """By the name that tells models apart, which TFOD's own names for files do not."""
    (tmp_path / "exports/lemon-1.2/saved_model").mkdir(parents=True)
    (tmp_path / "exports/lemon-1.2/saved_model/saved_model.pb").touch()
    assert default_name(tmp_path / model) == name


def test_a_saved_model_is_known_by_all_its_files(dataset: Dataset, exported_models: Path, label_map: Path) -> None:
    """Its hash is another when a file of its variables is, wherever it lies."""
    trained = dataset.path.parent / "trained"
    shutil.copytree(exported_models / "trained", trained)
    request = Request(trained, label_map=label_map, splits=(TEST,))
    before = predict(dataset, request)
    assert predict(dataset, replace(request, model=trained / "saved_model")).sha256 == before.sha256
    (trained / "saved_model/assets/note.txt").write_text("another")
    after = predict(dataset, request)
    assert after.sha256 != before.sha256
    assert after.now.replaced


@pytest.mark.parametrize(
    "values, fault",
    [
        ({"score_threshold": 1.5}, "not in"),
        ({"score_threshold": float("nan")}, "not in"),
        ({"batch": 0}, "after 0 photos"),
    ],
)
def test_what_cannot_be_meant_is_refused(values: dict[str, float], fault: str, model: Path) -> None:
    """UsageError says what is asked for."""
    with pytest.raises(UsageError, match=fault):
        replace(Request(model), **values)  # type: ignore[arg-type]


def test_errors_come_before_any_work(dataset: Dataset, request_: Request, exported_models: Path) -> None:
    """A model that is none, names that are none, and a split that is not there leave no run behind."""
    (dataset.path / "classifier.tflite").write_bytes(exported.lite_classifier(dataset.path / "lite"))
    with pytest.raises(ModelError, match=r"is no detector that can be read: its outputs are"):
        predict(dataset, replace(request_, model=dataset.path / "classifier.tflite"))
    with pytest.raises(ModelError, match="does not exist"):
        predict(dataset, Request(dataset.path / "absent.tflite"))
    with pytest.raises(ConfigError, match="has raw outputs"):
        predict(dataset, replace(request_, model=exported_models / "raw.tflite"))
    with pytest.raises(UsageError, match="no name for a run"):
        predict(dataset, replace(request_, run="../up"))
    with pytest.raises(UsageError, match="no split"):
        predict(dataset, replace(request_, splits=("dev",)))
    assert not (dataset.path / "runs").exists()


def test_killed_and_completed(dataset: Dataset, request_: Request, label_map: Path) -> None:
    """Killed with -9, a run is not there yet; the same command goes on, and makes what an undisturbed one makes."""
    stuck = dataset.photo_path("train", photos_of(dataset, "train")[30])
    stuck.rename(stuck.with_suffix(".away"))
    os.mkfifo(stuck)  # whoever opens it waits
    arguments = ["predict", str(request_.model), "-d", str(dataset.path), "--label-map", str(label_map)]
    command = [sys.executable, "-m", "oidata", *arguments, "--split", "all", "--batch", "1"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    wait_until(
        lambda: len(checkpoints(dataset)) == 30, process, at_most_s=600
    )  # the import of TensorFlow takes its time
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert process.returncode == -signal.SIGKILL
    assert run_names(dataset) == []
    there = len(checkpoints(dataset))
    assert there == 30
    stuck.with_suffix(".away").replace(stuck)
    checkpoints(dataset)[3].write_bytes(b"torn by the power cut")
    assert predict(dataset, replace(request_, splits=SPLITS)).now.num_there == there - 1
    assert not checkpoints(dataset)
    predict(dataset, replace(request_, run="undisturbed", splits=SPLITS))
    assert files_of(Run.open(dataset, "colours")) == files_of(Run.open(dataset, "undisturbed"))


def checkpoints(dataset: Dataset) -> list[Path]:
    return sorted(dataset.path.glob("runs/*/.predict-*.part/*.parquet"))


def test_what_was_stopped_is_not_taken_up_by_another_model(dataset: Dataset, request_: Request) -> None:
    """Results that were put by for one threshold are dropped, not mixed in, when another is asked for."""
    predict(dataset, request_)
    before = Run.open(dataset).detections()
    run = Run.open(dataset)
    put_by = run.path / f".predict-{run.info.identity}.part"
    put_by.mkdir()
    shutil.copy(run.path / "detections.parquet", put_by / "00000000.parquet")
    predict(dataset, replace(request_, score_threshold=0.3))
    after = Run.open(dataset).detections()
    assert not put_by.exists()
    pd.testing.assert_frame_equal(after, before[before["score"] > np.float32(0.3)].reset_index(drop=True))


def test_the_command_line(dataset: Dataset, request_: Request, label_map: Path) -> None:
    """The report is JSON where that is asked for; exit codes are 0, 1 and 2, and errors are short."""
    arguments = ["predict", str(request_.model), "-d", "d", "--label-map", str(label_map)]
    run = oidata(*arguments, "--split", "val", "--split", "test", "--json", cwd=dataset.path.parent)
    report = json.loads(run.stdout)
    assert (report["report_version"], report["directory"], report["num_there"]) == (1, "d/runs/colours", 0)
    assert [(each["split"], each["num_photos"]) for each in report["splits"]] == [(VALIDATION, 15), (TEST, 15)]
    assert (run.returncode, run.stderr) == (0, "")
    for wrong, code, words in (
        (["--score-threshold", "2"], 2, "not in [0, 1]"),
        (["--config", "absent.config"], 1, "absent.config is neither"),
    ):
        failed = oidata(*arguments, *wrong, cwd=dataset.path.parent)
        assert (failed.returncode, failed.stdout) == (code, "")
        assert words in failed.stderr
        assert len(failed.stderr.splitlines()) <= 4


def test_the_summary_says_what_was_found(dataset: Dataset, request_: Request) -> None:
    """Its headline counts photos and detections, and its tables have a row for each split and each class."""
    summary = predict(dataset, replace(request_, splits=(VALIDATION,))).summary()
    assert summary.headline.endswith("d/runs/colours: 15 photos (0 already there), 30 detections of Lemon, Cheese")
    photos, classes = summary.tables
    assert [row[:3] for row in photos.rows] == [(VALIDATION, 15, 15)]
    assert [row[:4] for row in classes.rows] == [("Lemon", "1", 15, 15), ("Cheese", "2", 15, 15)]


def test_the_defaults_are_those_of_the_library() -> None:
    """The command line, which may not import it for its help, says what the library takes."""
    defaults = signature(predict_command).parameters
    assert (defaults["batch"].default, defaults["score_threshold"].default) == (BATCH, SCORE_THRESHOLD)


def test_a_real_model_on_real_photos(shared_mirror: Path, tmp_path: Path) -> None:
    """A real SSD finds all the persons, tables and bottles that Open Images has on five photos."""
    from oidata.fetch import Request as FetchRequest

    model = SHARED / "models/ssd_mobilenetv2_oidv4_fp16.tflite"
    if not model.is_file():
        absent(f"there is no real model at {model}")
    fetch(tmp_path / "d", FetchRequest(("Person", "Table", "Bottle", "Chair"), source=shared_mirror.as_uri()))
    dataset = Dataset.open(tmp_path / "d")
    dataset.write_config(with_values(read_config("oid_v4"), {"model.ssd.num_classes": 23}, "real").text)
    report = predict(dataset, Request(model, label_map=SHARED / "models/ssd_mobilenetv2_oidv4_labelmap.txt"))
    assert [each.class_ids for each in report.classes] == [(4,), (15,), (16,), (5,)]
    assert len(report.other_classes) == 19
    assert report.config == str(dataset.config_path)
    truth, found = dataset.boxes(), Run.open(dataset).detections()
    truth = truth[truth["image_id"].isin(Run.open(dataset).info.processed)]
    num_found = 0
    for image_id, mid, *box in truth[["image_id", "mid", *COORDINATES]].itertuples(index=False):
        of_class = found[(found["image_id"] == image_id) & (found["mid"] == mid)][list(COORDINATES)].to_numpy()
        num_found += bool((boxes.iou(np.array([box], np.float32), of_class) >= 0.5).any())
    assert (len(truth), num_found) == (10, 10)
