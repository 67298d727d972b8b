"""`oidata evaluate` on the sample, with its ground truth, moved, mistaken and left out by a seed, as detections."""

import json
import re
import shutil
from collections.abc import Sequence
from dataclasses import astuple
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from oidata.audit import audit
from oidata.core.evaluation.failures import FAILURES
from oidata.core.tables import AUDIT_BOXES, COORDINATES, DETECTIONS, check
from oidata.dataset import Dataset
from oidata.errors import DatasetError, OidataError, StorageError, TableError, UsageError
from oidata.evaluate import EvaluationReport, Request, evaluate
from oidata.io.tables import write_table
from oidata.io.tfrecord import write_records
from oidata.runs import Run, RunInfo, run_names
from tests.test_cli import oidata

DERIVED = ("evaluation.json", "failures.parquet", "report.html")
IMPORTED = ("run.json", "detections.parquet", *DERIVED)


def jittered(dataset: Dataset, seed: int, splits: Sequence[str] = ("validation", "test")) -> pd.DataFrame:
    """Most boxes of some splits, some twice, each off by a little, some of the other class, and more."""
    random = np.random.default_rng(seed)
    images = dataset.images()
    photos = images.loc[(images["status"] == "ok") & images["split"].isin(splits), "image_id"]
    truth = dataset.boxes()
    truth = truth[truth["image_id"].isin(photos)]
    more = pd.DataFrame({"image_id": random.choice(photos.to_numpy(), 20), "mid": dataset.info.classes.mids[0]})
    more[list(COORDINATES)] = np.tile(random.random((20, 2)) * 0.7, 2) + np.array([0, 0, 0.2, 0.2])
    some = (truth.sample(frac=share, random_state=seed) for share in (0.8, 0.2))
    rows = pd.concat([*(frame.astype(dict.fromkeys(COORDINATES, "float64")) for frame in some), more])
    corners = rows[list(COORDINATES)].to_numpy() + random.normal(0, 0.02, (len(rows), 4))
    rows[list(COORDINATES)] = np.sort(corners.reshape(-1, 2, 2), axis=1).reshape(-1, 4)
    rows["mid"] = rows["mid"].mask(random.random(len(rows)) < 0.1, dataset.info.classes.mids[1])
    return DETECTIONS.conform(rows.assign(score=random.integers(1, 100, len(rows)) / 100))


@pytest.fixture
def dataset(stripped_sample: Path, tmp_path: Path) -> Dataset:
    """A copy of the sample to be changed."""
    shutil.copytree(stripped_sample, tmp_path / "d")
    return Dataset.open(tmp_path / "d")


@pytest.fixture
def predictions(dataset: Dataset, tmp_path: Path) -> Path:
    """Detections of validation and test, as Open Images predictions."""
    return csv(tmp_path / "found.csv", jittered(dataset, 0))


def ran(dataset: Dataset, source: Path) -> Run:
    """A run `found` of `source`, on validation and test, that was not evaluated yet."""
    images = dataset.images()
    info = RunInfo(
        source=str(source),
        sha256="0" * 64,
        is_model=False,
        config=None,
        label_map=None,
        score_threshold=0.0,
        splits=("validation", "test"),
        processed=tuple(images.loc[images["split"] != "train", "image_id"]),
        left_out={},
    )
    return Run.create(dataset, "found", info, jittered(dataset, 0), None)


def csv(path: Path, found: pd.DataFrame, score: str = "Score") -> Path:
    names = {"image_id": "ImageID", "mid": "LabelName", "score": score}
    names |= dict(zip(COORDINATES, ("XMin", "YMin", "XMax", "YMax"), strict=True))
    found.rename(columns=names).to_csv(path, index=False, float_format="%.9g")
    return path


def coco(path: Path, found: pd.DataFrame, dataset: Dataset) -> Path:
    sizes = dataset.images().set_index("image_id").loc[found["image_id"], ["width_px", "height_px"]]
    px = found[list(COORDINATES)].to_numpy(np.float64) * np.tile(sizes.to_numpy(np.float64), 2)
    ids = {mid: number for number, mid in enumerate(dataset.info.classes.mids, start=1)}
    results = found[["image_id", "score"]].astype({"score": "float64"}).assign(category_id=found["mid"].map(ids))
    results["bbox"] = np.hstack([px[:, :2], px[:, 2:] - px[:, :2]]).tolist()
    path.write_text(json.dumps(results.to_dict("records")), encoding="utf-8")
    return path


def records(path: Path, found: pd.DataFrame, dataset: Dataset) -> Path:
    import tensorflow as tf

    ids = {mid: number for number, mid in enumerate(dataset.info.classes.mids, start=1)}
    examples = []
    for image_id, rows in found.groupby("image_id", sort=False):
        example = tf.train.Example()
        feature = example.features.feature
        feature["image/source_id"].bytes_list.value[:] = [str(image_id).encode()]
        feature["image/detection/label"].int64_list.value[:] = [ids[mid] for mid in rows["mid"]]
        feature["image/detection/score"].float_list.value[:] = rows["score"].tolist()
        for side in COORDINATES:
            feature[f"image/detection/bbox/{side}"].float_list.value[:] = rows[side].tolist()
        examples.append(example.SerializeToString())
    with path.open("wb") as file:
        write_records(file, examples)
    return path


def contents(directory: Path, names: Sequence[str]) -> dict[str, bytes]:
    return {name: (directory / name).read_bytes() for name in names}


def test_what_is_written_is_the_report(dataset: Dataset, predictions: Path) -> None:
    """evaluation.json is what to_dict gives, without a NaN; failures.parquet is as declared, and what was counted.

    Twice the same evaluation, of the file or of the run, gives the same bytes, and the tables stay as they are.
    """
    tables = dataset.hashes()
    report = evaluate(dataset, Request(predictions))
    run = Run.open(dataset, "found")
    assert run.evaluation() == json.loads(json.dumps(report.to_dict(), allow_nan=False))
    failures = run.failures()
    pd.testing.assert_frame_equal(check(failures, FAILURES), report.evaluation.failures)
    assert set(failures["kind"]) == {"missed", "false_positive", "ignored"}
    for each in report.evaluation.causes:
        assert ((failures["kind"] == each.kind) & (failures["cause"] == each.cause)).sum() == each.num
    first = contents(run.path, IMPORTED)
    evaluate(dataset, Request(predictions))
    assert contents(run.path, IMPORTED) == first
    evaluate(dataset)
    assert contents(run.path, IMPORTED) == first
    assert dataset.hashes() == tables
    assert set(report.made_from) == {*tables, "detections.parquet", "ssd_mobilenet_v2_coco"}


def test_an_import_is_a_run_of_the_splits_it_is_of(dataset: Dataset, predictions: Path) -> None:
    """It looked at all usable photos of the splits that it has detections of, with or without a detection."""
    report = evaluate(dataset, Request(predictions))
    images = dataset.images()
    assert (report.splits, report.num_photos) == (("validation", "test"), 30)
    expected = images.loc[images["split"].isin(["validation", "test"]), "image_id"]
    assert report.run.info.processed == tuple(sorted(expected))
    assert report.num_detections == len(report.run.detections())
    assert (report.run.info.source, report.run.info.is_model) == (str(predictions), False)
    assert report.evaluation.coco.engine == "faster-coco-eval"
    assert json.loads((report.run.path / "evaluation.json").read_bytes())["coco"]["engine"] == "faster-coco-eval"


def test_the_engine_is_what_is_installed(dataset: Dataset, predictions: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without extra `fast`, pycocotools computes COCO's numbers, and they are the same."""
    fast = evaluate(dataset, Request(predictions)).evaluation
    monkeypatch.setattr("oidata.evaluate.find_spec", lambda _: None)
    plain = evaluate(dataset, Request(predictions)).evaluation
    assert plain.coco.engine == "pycocotools"
    for one, other in ((plain.coco, fast.coco), (plain.coco_plain, fast.coco_plain)):
        assert astuple(one.summary) == pytest.approx(astuple(other.summary), rel=1e-12)


@pytest.mark.parametrize("kind", ["Score", "Conf", "coco", "records", "parquet"])
def test_each_format_gives_the_same_run(dataset: Dataset, tmp_path: Path, kind: str) -> None:
    """Whatever format detections are in, the run holds the same, as far as pixels and decimals can tell."""
    found = jittered(dataset, 1).sort_values("image_id", kind="stable", ignore_index=True)
    if kind == "coco":
        path = coco(tmp_path / "in.json", found, dataset)
    elif kind == "records":
        path = records(tmp_path / "in.tfrecord", found, dataset)
    elif kind == "parquet":
        path = tmp_path / "in.parquet"
        found.to_parquet(path)
    else:
        path = csv(tmp_path / "in.csv", found, kind)
    report = evaluate(dataset, Request(path))
    assert report.run.name == "in"
    pd.testing.assert_frame_equal(report.run.detections(), found, check_exact=kind != "coco", rtol=1e-5)
    assert report.left_out.total == 0


def test_what_cannot_be_scored_is_counted(dataset: Dataset, tmp_path: Path) -> None:
    """Detections of unknown photos and classes, and on photos that are not whole, are left out, and notes say so."""
    found = jittered(dataset, 0)
    images = dataset.images()
    lost = images.loc[images["status"] == "missing", "image_id"].iloc[0]
    extra = [found.iloc[[0]].assign(image_id=lost), found.iloc[[1]].assign(image_id="0123456789abcdef")]
    extra += [found.iloc[[2]].assign(mid="/m/0")] * 2
    report = evaluate(dataset, Request(csv(tmp_path / "in.csv", pd.concat([found, *extra], ignore_index=True))))
    assert report.num_detections == len(found)
    prefix = "Left out when they were read:"
    assert [note for note in report.notes if note.startswith(prefix)] == [
        f"{prefix} 1 on photos that the dataset does not have",
        f"{prefix} 2 of classes that the dataset does not have",
        f"{prefix} 1 on photos that are dropped or not whole",
    ]


def test_boxes_that_are_none_are_counted(dataset: Dataset, tmp_path: Path) -> None:
    """In a run's own table a NaN, an inverted box and one without an area are left out, each by its reason."""
    found = jittered(dataset, 0)
    bad = [found.iloc[[0]].assign(xmin=low, xmax=high) for low, high in ((np.nan, 0.5), (0.75, 0.5), (0.5, 0.5))]
    DETECTIONS.conform(pd.concat([found, *bad])).to_parquet(tmp_path / "in.parquet")
    left_out = evaluate(dataset, Request(tmp_path / "in.parquet")).left_out
    assert (left_out.num_not_finite, left_out.num_inverted, left_out.num_no_area, left_out.total) == (1, 1, 1, 3)


def test_no_detections_at_all_are_said(dataset: Dataset, tmp_path: Path) -> None:
    """A detector that finds nothing has an AP of 0, everything is missed, and a note says so."""
    report = evaluate(dataset, Request(csv(tmp_path / "none.csv", DETECTIONS.empty())))
    assert report.evaluation.v2.mean_average_precision == 0
    assert report.evaluation.num_found == 0
    assert set(report.evaluation.failures["kind"]) == {"missed"}
    assert report.notes[0] == "There is no detection at all on these photos: every box is missed."
    assert (report.run.path / "report.html").is_file()


def test_a_given_threshold_is_that_of_all_classes(dataset: Dataset, predictions: Path) -> None:
    """With a higher threshold less is found and less is false; metrics do not change."""
    low, high = (evaluate(dataset, Request(predictions, score_threshold=score)) for score in (0.0, 0.7))
    assert [(point.threshold, point.is_given) for point in high.evaluation.points] == [(0.7, True)] * 2
    assert high.evaluation.num_found < low.evaluation.num_found
    assert high.evaluation.num_false < low.evaluation.num_false
    assert high.evaluation.v2.classes == low.evaluation.v2.classes
    assert (high.evaluation.failures["cause"] == "below_threshold").sum() > 0
    assert (low.evaluation.failures["cause"] == "below_threshold").sum() == 0


def test_stripped_boxes_can_be_counted(dataset: Dataset, predictions: Path) -> None:
    """Counted, a stripped box is one to be found, if it is no group; then no detection is ignored for it."""
    ignored = evaluate(dataset, Request(predictions)).evaluation
    counted = evaluate(dataset, Request(predictions, count_stripped=True)).evaluation
    of = dataset.boxes()[dataset.boxes()["image_id"].isin(Run.open(dataset).info.processed)]
    is_more = of["stripped"].notna() & (of["is_group_of"] != 1)
    assert counted.num_truth == ignored.num_truth + is_more.sum()
    assert (ignored.failures["cause"] == "on_stripped").any()
    assert not (counted.failures["cause"] == "on_stripped").any()


def test_some_splits_of_a_run(dataset: Dataset, predictions: Path) -> None:
    """Only their photos count, and what was detected on others is left out."""
    report = evaluate(dataset, Request(predictions, splits=("val",)))
    assert (report.splits, report.num_photos) == (("validation",), 15)
    assert report.left_out.num_other_photos == len(report.run.detections()) - report.num_detections > 0


def test_against_another_run(dataset: Dataset, predictions: Path, tmp_path: Path) -> None:
    """What is better and worse is said of the photos that both looked at; against itself nothing is."""
    one = evaluate(dataset, Request(predictions))
    other = csv(tmp_path / "other.csv", jittered(dataset, 7, ("test",)))
    report = evaluate(dataset, Request(other, against="found"))
    compared = report.against
    assert compared
    assert (compared.against, compared.num_photos) == ("found", 15)
    both = evaluate(dataset, Request(run="found", splits=("test",)))
    assert [each.ap_before for each in compared.classes] == [
        each.average_precision for each in both.evaluation.v2.classes
    ]
    assert [each.ap_after for each in compared.classes] == [
        each.average_precision for each in report.evaluation.v2.classes
    ]
    for found, changes in (("errors", compared.errors), ("causes", compared.causes)):
        before, after = (getattr(each.evaluation, found) for each in (both, report))
        expected = [(mine.num, theirs.num) for mine, theirs in zip(before, after, strict=True)]
        assert [(each.before, each.after) for each in changes] == expected
    moved = sum(each.num_now_found - each.num_now_missed for each in compared.classes)
    assert moved == report.evaluation.num_found - both.evaluation.num_found
    same = evaluate(dataset, Request(run="found", against="found")).against
    assert same
    assert all(each.num_now_found == each.num_now_missed == 0 for each in same.classes)
    assert all(each.before == each.after for each in (*same.errors, *same.causes))
    assert one.against is None


def test_an_import_overwrites_no_other_run(dataset: Dataset, predictions: Path, tmp_path: Path) -> None:
    """A name that another file's run has is refused, and nothing of that run changes."""
    run = ran(dataset, predictions)
    before = contents(run.path, ("run.json", "detections.parquet"))
    (tmp_path / "elsewhere").mkdir()
    other = csv(tmp_path / "elsewhere" / "found.csv", jittered(dataset, 5))
    for request in (Request(other), Request(run.path / "detections.parquet", run="found")):
        with pytest.raises(UsageError, match=rf"has a run found, of {re.escape(str(predictions))}.*--run NAME"):
            evaluate(dataset, request)
    assert contents(run.path, ("run.json", "detections.parquet")) == before
    assert evaluate(dataset, Request(other, run="mine")).run.name == "mine"
    assert run_names(dataset) == ["found", "mine"]


def test_the_same_name_from_another_directory_is_another_file(
    dataset: Dataset, predictions: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file is known by its whole path, wherever it is named from."""
    monkeypatch.chdir(predictions.parent)
    evaluate(dataset, Request(Path(predictions.name)))
    assert Run.open(dataset).info.source == str(predictions)
    (tmp_path / "elsewhere").mkdir()
    csv(tmp_path / "elsewhere" / predictions.name, jittered(dataset, 5))
    monkeypatch.chdir(tmp_path / "elsewhere")
    with pytest.raises(UsageError, match="has a run found"):
        evaluate(dataset, Request(Path(predictions.name)))


def numbers_used(dataset: Dataset) -> EvaluationReport:
    return evaluate(dataset, Request(run="found"))


def test_the_audits_numbers_are_used_while_they_are_fresh(dataset: Dataset, predictions: Path) -> None:
    """A fresh audit's numbers are taken as they are; a stale one's are computed anew, and so are another config's."""
    expected = evaluate(dataset, Request(predictions)).evaluation
    audit(dataset)
    assert numbers_used(dataset).evaluation.causes == expected.causes

    path = dataset.path / "audit" / "boxes.parquet"
    audited = pd.read_parquet(path)
    forged = AUDIT_BOXES.conform(audited.assign(is_starved=True, is_forced_only=False))
    write_table(path.parent, AUDIT_BOXES, forged)
    starved = {each.cause: each.num for each in numbers_used(dataset).evaluation.causes}["starved"]
    groups = {each.cause: each.num for each in expected.causes}["group"]
    assert starved == sum(each.num for each in expected.causes if each.kind == "missed") - groups

    boxes = dataset.boxes()
    dataset.write_boxes(boxes.assign(source="xclick"))
    assert numbers_used(dataset).evaluation.causes == expected.causes
    dataset.write_boxes(boxes)
    other = evaluate(dataset, Request(run="found", config="ssd_mobilenet_v2_fpnlite_320x320"))
    assert {each.cause: each.num for each in other.evaluation.causes}["starved"] < starved


def test_without_anchors_the_other_causes_are_told(dataset: Dataset, predictions: Path, tmp_path: Path) -> None:
    """Of another model than an SSD the anchors are not looked at, which a note says, and no box is starved."""
    config = tmp_path / "other.config"
    config.write_text("model { faster_rcnn { } }", encoding="utf-8")
    report = evaluate(dataset, Request(predictions, config=config))
    assert any("not of an SSD" in note for note in report.notes)
    assert sum(each.num for each in report.evaluation.causes if each.area == "anchors") == 0
    assert (report.run.config_path.read_text(encoding="utf-8"), report.origin) == (config.read_text("utf-8"), "given")
    assert evaluate(dataset).origin == "run"


BAD_LINE = "0aa2f6303867d674,/m/09k_b,{score},{xmin},{ymin},{xmax},{ymax}\n"
GOOD = {"score": "0.5", "xmin": "0.1", "ymin": "0.1", "xmax": "0.5", "ymax": "0.5"}


@pytest.mark.parametrize(
    "changes, fault",
    [
        ({"score": "1.5"}, r"found\.csv, line 2: its score is not in \[0, 1\] \(1\.5\)"),
        ({"score": "-0.1"}, r"line 2: its score is not in \[0, 1\] \(-0\.1\)"),
        ({"xmin": "nan"}, r"line 2: xmin is no number \('nan'\)"),
        ({"xmin": "0.7"}, r"line 2: its box is inverted \(0\.7, 0\.1, 0\.5, 0\.5\)"),
        ({"xmax": "320"}, r"line 2: its box is not normalised, but in pixels"),
    ],
)
def test_a_row_that_is_no_detection_is_an_error(
    dataset: Dataset, tmp_path: Path, changes: dict[str, str], fault: str
) -> None:
    """It names the file, the line, the fault and what to do, and no run is made of the file."""
    path = tmp_path / "found.csv"
    path.write_text("ImageID,LabelName,Score,XMin,YMin,XMax,YMax\n" + BAD_LINE.format(**GOOD | changes), "utf-8")
    with pytest.raises(TableError, match=fault) as caught:
        evaluate(dataset, Request(path))
    assert caught.value.hint == "Correct the row, or leave it out."
    assert run_names(dataset) == []


def test_a_run_with_impossible_numbers_is_an_error(dataset: Dataset, tmp_path: Path) -> None:
    """A table of scores above 1, of pixels, or of other columns names what is wrong, and what was expected."""
    found = jittered(dataset, 0)
    path = tmp_path / "in.parquet"
    pixels = found.assign(**{name: found[name] * 300 for name in COORDINATES})
    for frame, fault in (
        (found.assign(score=(found["score"] * 100).astype("float32")), "scores are not within 0 and 1"),
        (pixels, "in pixels where normalised coordinates are expected.*Divide"),
        (found.drop(columns="score"), "no column score.*columns of a run's: image_id, mid, score"),
        (found.astype({"score": "float64"}), "score is float64, not float32"),
    ):
        frame.to_parquet(path)
        with pytest.raises(TableError, match=f"{re.escape(str(path))}.*{fault}"):
            evaluate(dataset, Request(path))
    assert run_names(dataset) == []


def test_nothing_that_can_be_scored_is_an_error(dataset: Dataset, tmp_path: Path) -> None:
    """Detections all of other photos or classes give no AP of 0, but an error that counts them, and no run."""
    found = jittered(dataset, 0)
    strange = pd.concat([found.iloc[:5].assign(mid="/m/0"), found.iloc[:3].assign(image_id="0123456789abcdef")])
    with pytest.raises(TableError, match=r"None.*in\.csv.*: 3 on photos that .*, 5 of classes that .*by MID"):
        evaluate(dataset, Request(csv(tmp_path / "in.csv", strange)))
    assert run_names(dataset) == []


@pytest.mark.parametrize(
    "request_, error, fault",
    [
        (Request(), DatasetError, "has no run: nothing was detected.*oidata predict MODEL.*oidata evaluate FILE"),
        (Request(run="other"), DatasetError, "has no run other.*It has found"),
        (Request(against="other"), DatasetError, "has no run other.*It has found"),
        (Request(splits=("train",)), UsageError, "found looked at no photo of train.*It has validation, test"),
        (Request(score_threshold=1.5), UsageError, "--score-threshold 1.5 is no score.*best F1"),
        (Request(score_threshold=float("nan")), UsageError, "--score-threshold nan is no score"),
        (Request(Path("absent.csv")), StorageError, r"Cannot read .*absent\.csv: No such file"),
        (Request(Path("absent.parquet")), StorageError, r"Cannot read .*absent\.parquet: No such file"),
        (Request(config="absent.config"), OidataError, r"absent\.config is neither a file nor a reference"),
    ],
)
def test_what_is_not_there_is_named(
    dataset: Dataset, predictions: Path, request_: Request, error: type[OidataError], fault: str
) -> None:
    """A run, a split, a threshold, a file or a config that is not there: what, where, and what there is."""
    if request_ != Request():
        ran(dataset, predictions)
    with pytest.raises(error, match=fault):
        evaluate(dataset, request_)


def test_a_split_without_ground_truth_is_an_error(dataset: Dataset, predictions: Path) -> None:
    """Where all boxes are stripped there is nothing to find, and the error says what can be done."""
    dataset.write_boxes(dataset.boxes().assign(stripped="truncated", is_group_of=0).astype({"is_group_of": "int8"}))
    with pytest.raises(DatasetError, match=r"Every box of Lemon, Cheese .* is stripped.*Count stripped boxes"):
        evaluate(dataset, Request(predictions))
    dataset.write_boxes(dataset.boxes().iloc[:0])
    with pytest.raises(DatasetError, match="There is no ground truth of Lemon, Cheese on the usable photos"):
        evaluate(dataset, Request(run="found"))


def test_files_that_are_none_are_named(dataset: Dataset, tmp_path: Path) -> None:
    """What is no Parquet file and no JSON is said to be none."""
    for name in ("junk.parquet", "junk.json"):
        (tmp_path / name).write_bytes(b"no such thing")
        with pytest.raises(TableError, match=rf"{name} is no"):
            evaluate(dataset, Request(tmp_path / name))


def test_the_command_line(dataset: Dataset, predictions: Path) -> None:
    """An evaluation ends with 0, a request that cannot be meant with 2, what cannot be evaluated with 1."""
    directory = ["-d", str(dataset.path)]
    run = oidata("evaluate", str(predictions), *directory, "--json", cwd=dataset.path)
    assert run.returncode == 0, run.stderr
    assert json.loads(run.stdout) == Run.open(dataset, "found").evaluation()
    shown = oidata("evaluate", *directory, "--score-threshold", "0.4", "--split", "val", cwd=dataset.path)
    assert shown.returncode == 0, shown.stderr
    assert "found" in shown.stdout
    for arguments, code, words in (
        (["--score-threshold", "2"], 2, "no score"),
        (["--run", "other"], 1, "It has found"),
    ):
        failed = oidata("evaluate", *arguments, *directory, cwd=dataset.path)
        assert failed.returncode == code
        assert words in " ".join(failed.stderr.split())
