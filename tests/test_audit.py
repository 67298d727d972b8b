"""`oidata audit` on the sample, on real photos, and on what it cannot use."""

import json
import re
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import replace
from hashlib import sha256
from io import StringIO
from pathlib import Path

import pandas as pd
import pytest
from rich.console import Console

from oidata.audit import RULES, AuditReport, Request, audit
from oidata.core.auditing.duplicates import Overlap
from oidata.core.auditing.evidence import Against, Evidence, findings
from oidata.core.auditing.findings import Finding, Severity
from oidata.core.auditing.suggestion import Comparison, Outcome, Score, Suggestion
from oidata.core.auditing.twins import TwinFacts
from oidata.core.config.pipeline import PipelineConfig, nearest
from oidata.core.matcher.anchors import SsdAnchors
from oidata.core.tables import AUDIT_BOXES, check
from oidata.dataset import Dataset
from oidata.errors import ConfigError, DatasetError, UsageError
from oidata.fetch import Request as FetchRequest
from oidata.fetch import fetch
from oidata.io.configs import read_config, references
from oidata.report.audit_page import page
from oidata.report.page import render
from oidata.report.progress import Lines
from oidata.strip import strip, unstrip
from tests.conftest import SHARED, absent
from tests.test_cli import oidata

README = Path(__file__).parents[1] / "README.md"


@pytest.fixture(scope="module")
def sample(stripped_sample: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The embedded sample, fetched, stripped, and audited below; to be copied, not changed."""
    directory = tmp_path_factory.mktemp("sample") / "d"
    shutil.copytree(stripped_sample, directory)
    return directory


@pytest.fixture(scope="module")
def report(sample: Path) -> AuditReport:
    """The sample audited with the default config."""
    return audit(Dataset.open(sample))


@pytest.fixture
def dataset(sample: Path, tmp_path: Path) -> Dataset:
    """A copy of the sample to be changed."""
    shutil.copytree(sample, tmp_path / "d")
    return Dataset.open(tmp_path / "d")


@pytest.fixture
def user_config() -> Path:
    """The pipeline.config of the user's question."""
    path = SHARED / "seed" / "pipeline.config"
    if not path.is_file():
        absent(f"there is no pipeline.config of the user's question at {path}")
    return path


def names(report: AuditReport) -> dict[str, Severity]:
    return {finding.name: finding.severity for finding in report.findings}


def edited(path: Path, old: str, new: str) -> Path:
    """A reference config with one thing changed, as a file."""
    text = read_config("ssd_mobilenet_v2_coco").text
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")
    return path


def test_every_box_is_accounted_for(report: AuditReport, sample: Path) -> None:
    """The boxes of the release are stripped, on unusable photos, or ground truth, and each of these has its numbers."""
    boxes = Dataset.open(sample).boxes()
    classes = report.evidence.data.classes
    assert sum(facts.num_boxes for facts in classes) == len(boxes)
    assert sum(facts.num_stripped for facts in classes) == boxes["stripped"].notna().sum()
    total = sum(facts.num_truth for facts in classes)
    audited = pd.read_parquet(sample / "audit" / "boxes.parquet")
    assert len(audited) == total == sum(row.num_boxes for row in report.evidence.sizes.classes)
    assert report.evidence.anchors is not None
    assert total == sum(row.num_boxes for row in report.evidence.anchors.boxes if row.size == "all")


def test_boxes_have_the_numbers_of_the_matcher(report: AuditReport, sample: Path) -> None:
    """audit/boxes.parquet is as declared, and its outcomes are those that the report counts."""
    audited = check(pd.read_parquet(sample / "audit" / "boxes.parquet"), AUDIT_BOXES)
    assert report.evidence.anchors is not None
    whole = [row for row in report.evidence.anchors.boxes if row.size == "all"]
    assert audited["is_starved"].sum() == sum(row.num_starved for row in whole)
    assert audited["is_forced_only"].sum() == sum(row.num_forced_only for row in whole)
    assert ((audited["num_positive_anchors"] == 0) == audited["is_starved"]).all()
    assert (audited.loc[~audited["is_forced_only"] & ~audited["is_starved"], "best_anchor_iou"] >= 0.5).all()


def test_the_json_is_the_report(report: AuditReport, sample: Path) -> None:
    """audit/report.json is what to_dict gives, without a NaN in it, and says what it was made from."""
    text = (sample / "audit" / "report.json").read_text(encoding="utf-8")
    assert json.loads(text) == json.loads(json.dumps(report.to_dict(), allow_nan=False))
    tables = {"images.parquet", "boxes.parquet", "labels.parquet"}
    assert set(json.loads(text)["made_from"]) == {*tables, "ssd_mobilenet_v2_coco"}


def test_two_configs_of_one_name_have_two_curves(report: AuditReport) -> None:
    """Every config of TFOD is called pipeline.config: where both are, their directories tell them apart."""
    assert report.evidence.anchors is not None
    mine, other = (replace(report.evidence.config, name=f"{place}/pipeline.config") for place in "ab")
    evidence = replace(report.evidence, config=mine, against=Against(other, report.evidence.anchors))
    html = render(page(evidence, (), report.verdict, "", (), ()))
    assert all(f">{each.name}</text>" in html for each in (mine, other))


def test_an_audit_changes_nothing_but_what_it_derives(dataset: Dataset) -> None:
    """Twice the same audit gives the same files, and leaves the tables as they are."""
    tables = dataset.hashes()
    audit(dataset)
    first = {path.name: path.read_bytes() for path in (dataset.path / "audit").iterdir()}
    audit(dataset)
    assert {path.name: path.read_bytes() for path in (dataset.path / "audit").iterdir()} == first
    assert dataset.hashes() == tables


def test_the_page_is_whole_and_asks_nobody(report: AuditReport, sample: Path) -> None:
    """The sample's titles hold scripts; in the page they are text, and no address leads out of it."""
    html = (sample / "audit" / "report.html").read_text(encoding="utf-8")
    titles = Dataset.open(sample).images()["title"]
    assert titles.str.contains("<script>", regex=False).any()
    assert "<script" not in html
    assert not [link for link in re.findall(r'(?:src|href)="([^"]*)"', html) if not link.startswith(("#", "data:"))]
    assert report.verdict.text.split(".")[0] in html
    assert html.count("data:image/jpeg;base64,") >= 10


def test_of_a_reference_config_only_the_anchors_are_meant(report: AuditReport) -> None:
    """Without a config of the user's nothing is said of training: the reference's schedule is for other data."""
    assert report.origin == "reference"
    assert {finding.area for finding in report.findings} <= {"data", "anchors", "metric"}
    assert "metric_of_groups" not in names(report)
    assert "Training: not judged, since a reference config is made for other data" in report.verdict.text


def test_the_sample_shows_what_it_was_drawn_for(report: AuditReport) -> None:
    """Stripped objects that stay to see, classes nobody looked for, turned and broken photos: all are found."""
    assert {
        "collateral",
        "unverified_pairs",
        "few_boxes",
        "turned_photos",
        "unusable_photos",
    } <= set(names(report))


def test_a_config_becomes_the_datasets_own(dataset: Dataset, tmp_path: Path) -> None:
    """A config that is given once is taken by later audits; what it says is found then too."""
    config = edited(tmp_path / "mine.config", "num_classes: 90", "num_classes: 2")
    given = audit(dataset, Request(config))
    later = audit(dataset)
    assert (given.origin, later.origin) == ("given", "dataset")
    assert names(given) == names(later)
    assert dataset.config_path.read_bytes() == config.read_bytes()
    assert "pipeline.config" in later.made_from


def test_the_configs_that_a_report_was_made_from_are_recorded(dataset: Dataset, tmp_path: Path) -> None:
    """What was audited and what it was compared with have their SHA-256, and a config that was not read has none."""
    mine = edited(tmp_path / "pipeline.config", "num_classes: 90", "num_classes: 2")
    digest = sha256(mine.read_bytes()).hexdigest()
    given = audit(dataset, Request(mine, against="ssd_mobilenet_v2_oid_v4")).made_from
    assert given["pipeline.config"] == digest
    assert given["against ssd_mobilenet_v2_oid_v4"] == sha256(read_config("oid_v4").text.encode()).hexdigest()
    compared = audit(dataset, Request("oid_v4", against=mine)).made_from
    assert compared[f"against {mine}"] == digest
    assert "pipeline.config" not in compared
    assert compared["ssd_mobilenet_v2_oid_v4"] == given["against ssd_mobilenet_v2_oid_v4"]


def found_with(report: AuditReport, *changes: tuple[str, str], num_workers: int | None = None) -> dict[str, Severity]:
    """The findings on the same data where the default config has some texts changed, by name, with their severity."""
    return {finding.name: finding.severity for finding in findings_with(report, *changes, num_workers=num_workers)}


def findings_with(
    report: AuditReport, *changes: tuple[str, str], num_workers: int | None = None
) -> tuple[Finding, ...]:
    text = read_config("ssd_mobilenet_v2_coco").text
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    config = PipelineConfig.parse(text, "mine.config")
    evidence = replace(report.evidence, config=config, nearest=nearest(config, references()), num_workers=num_workers)
    return findings(evidence, RULES)


def test_paths_and_label_map_of_a_config_are_looked_up(dataset: Dataset, tmp_path: Path) -> None:
    """A local path without a file, a placeholder, a pattern without a file, and a label map of other ids are told."""
    label_map = tmp_path / "label_map.pbtxt"
    label_map.write_text('item { name: "/m/01nkt" id: 1 display_name: "Cheese" } item { name: "Lemon" id: 2 }')
    text = read_config("ssd_mobilenet_v2_coco").text.replace("PATH/lm", str(label_map))
    text = text.replace("PATH/mscoco_val.record", f"{tmp_path}/val.record-?????-of-010")
    text = text.replace("PATH/mscoco_train.record", f"{tmp_path}/train.record-?????-of-00010")
    config = tmp_path / "mine.config"
    config.write_text(text)
    report = audit(dataset, Request(config))
    found = {finding.name: finding for finding in report.findings}
    assert found["label_map"].severity == Severity.ERROR
    assert "id 1 to /m/01nkt, the dataset to Lemon" in found["label_map"].evidence
    assert "no file at" in found["input_paths"].evidence
    assert "a shard pattern that no file fits" in found["input_paths"].evidence
    assert found["no_checkpoint"].what == "Training cannot start: PATH/model.ckpt is no checkpoint."
    label_map.write_text('item { name: "/m/09k_b" id: 1 } item { name: "Cheese" id: 2 }')
    (tmp_path / "train.record-00000-of-00010").touch()
    again = {finding.name: finding for finding in audit(dataset, Request(config)).findings}
    assert "label_map" not in again
    assert "train.record" not in again["input_paths"].evidence


ANY_CHANGE = ("num_steps: 200000", "num_steps: 200001")


@pytest.mark.parametrize(
    "change, name, severity",
    [
        (('fine_tune_checkpoint: "', '# fine_tune_checkpoint: "'), "no_checkpoint", Severity.ERROR),
        (("num_classes: 90", "num_classes: 3"), "num_classes", Severity.ERROR),
        (ANY_CHANGE, "too_many_epochs", Severity.WARNING),
        (ANY_CHANGE, "constant_learning_rate", Severity.WARNING),
        (ANY_CHANGE, "no_gradient_clipping", Severity.INFO),
        (ANY_CHANGE, "high_learning_rate", Severity.INFO),
        (("initial_learning_rate: 0.004", "initial_learning_rate: 0.04"), "high_learning_rate", Severity.WARNING),
        (ANY_CHANGE, "no_zoom_out", Severity.INFO),
        (("ssd_random_crop {", "random_image_scale {"), "no_zoom_out", Severity.INFO),
        (("force_match_for_each_row: true", ""), "no_forced_match", Severity.WARNING),
        (("num_steps: 200000", "num_steps: 200001 no_such_field: 1"), "unknown_fields", Severity.INFO),
        (ANY_CHANGE, "differs_from_reference", Severity.INFO),
        (("mscoco_val", "mscoco train"), "input_paths", Severity.WARNING),
        (("num_examples: 8000", "num_examples: 8001"), "eval_num_examples", Severity.INFO),
        (("l2_regularizer { weight: 4e-05", "l2_regularizer { weight: 7e-05"), "l2_without_backbone", Severity.INFO),
    ],
)
def test_a_finding_is_made_where_it_holds(
    report: AuditReport, change: tuple[str, str], name: str, severity: Severity
) -> None:
    """Each change of the config brings its finding, of information at most where the nearest reference has it too."""
    assert found_with(report, change)[name] == severity


def test_the_literal_tenth_is_named_where_it_is_used(report: AuditReport) -> None:
    """The lowest layer has an anchor of 0.1 whatever min_scale is, but not without reduce_boxes_in_lowest_layer."""
    for more, is_named in (("", True), (" reduce_boxes_in_lowest_layer: false", False)):
        found = findings_with(report, ("min_scale: 0.2", f"min_scale: 0.05{more}"))
        gap = next(finding for finding in found if finding.name == "low_min_scale")
        assert ("stays at 0.1" in gap.evidence) == is_named


@pytest.mark.parametrize("step, named", [("ssd_random_crop {", "ssd_random_crop"), ("random_horizontal_flip {", "")])
def test_a_crop_is_named_where_there_is_one(report: AuditReport, step: str, named: str) -> None:
    """What zooms in is what the config has; without a crop nothing is said of crops."""
    found = findings_with(report, ANY_CHANGE, ("ssd_random_crop {", step))
    finding = next(each for each in found if each.name == "no_zoom_out")
    assert ("Crops" in finding.effect) == bool(named)
    assert ("instead of" in finding.fix) == bool(named)
    assert named in finding.fix


def test_groups_need_a_metric_that_knows_them(report: AuditReport) -> None:
    """COCO's metric on data with group boxes is a warning, though the reference has it: its data has no such boxes."""
    grouped = replace(report, evidence=with_classes(report.evidence, "validation", num_boxes=100, flags=GROUPS))
    assert found_with(grouped, ANY_CHANGE)["metric_of_groups"] == Severity.WARNING
    assert "metric_of_groups" not in found_with(report, ANY_CHANGE)  # three group boxes


def test_a_finding_is_not_made_where_it_does_not_hold(report: AuditReport) -> None:
    """What was mended is not found any more."""
    mended = found_with(
        report,
        ("num_classes: 90", "num_classes: 2"),
        ("num_steps: 200000", "num_steps: 300 gradient_clipping_by_norm: 10"),
        ("decay_steps: 800720", "decay_steps: 10"),
        ("initial_learning_rate: 0.004", "initial_learning_rate: 0.0008"),
        ("ssd_random_crop {", "ssd_random_crop_pad {"),
        ("PATH/", "gs://bucket/"),
        ("num_examples: 8000", 'num_examples: 15 metrics_set: "open_images_V2_detection_metrics"'),
    )
    training = {"num_classes", "too_many_epochs", "constant_learning_rate", "no_gradient_clipping", "no_zoom_out"}
    others = {"high_learning_rate", "metric_of_groups", "eval_num_examples", "no_checkpoint", "input_paths"}
    assert not (training | others) & set(mended)


def test_replicas_are_told(report: AuditReport) -> None:
    """Asynchronous training is a finding only where somebody says that several replicas train, and not together."""
    assert "asynchronous_replicas" not in found_with(report, ANY_CHANGE)
    assert "asynchronous_replicas" not in found_with(report, ANY_CHANGE, num_workers=1)
    assert found_with(report, ANY_CHANGE, num_workers=6)["asynchronous_replicas"] == Severity.WARNING
    together = ("num_steps: 200000", "num_steps: 200000 sync_replicas: true")
    assert "asynchronous_replicas" not in found_with(report, together, num_workers=6)


@pytest.mark.parametrize(
    "old, new, name",
    [
        ("min_scale: 0.2", "min_scale: 0.05", "low_min_scale"),
        ("num_steps: 200000", "max_number_of_boxes: 2 num_steps: 200000", "max_number_of_boxes"),
    ],
)
def test_anchors_and_limits_of_a_config_are_followed(
    dataset: Dataset, tmp_path: Path, old: str, new: str, name: str
) -> None:
    """What a config changes in matching or reading the ground truth is found by matching and counting anew."""
    assert names(audit(dataset, Request(edited(tmp_path / "mine.config", old, new))))[name] == Severity.WARNING


def test_two_configs_side_by_side(dataset: Dataset, tmp_path: Path) -> None:
    """Against another config, the same boxes are counted under its anchors; against itself nothing differs."""
    config = edited(tmp_path / "mine.config", "min_scale: 0.2", "min_scale: 0.05")
    report = audit(dataset, Request(config, against="ssd_mobilenet_v2_coco"))
    other = report.evidence.against
    assert other is not None
    assert report.evidence.anchors is not None
    pairs = list(zip(report.evidence.anchors.boxes, other.anchors.boxes, strict=True))
    assert all(one.num_boxes == two.num_boxes for one, two in pairs)
    assert sum(one.num_matched for one, _ in pairs) < sum(two.num_matched for _, two in pairs)
    same = audit(dataset, Request("ssd_mobilenet_v2_coco", against="ssd_mobilenet_v2_coco")).evidence
    assert same.against is not None
    assert same.against.anchors == same.anchors


def test_a_config_of_another_input_is_compared_box_by_box(dataset: Dataset) -> None:
    """The other config's input may have another size: the same boxes are in the same rows."""
    report = audit(dataset, Request("ssd_mobilenet_v2_coco", against="ssd_mobilenet_v2_fpnlite_320x320"))
    assert report.evidence.against is not None
    assert report.evidence.anchors is not None
    pairs = zip(report.evidence.anchors.boxes, report.evidence.against.anchors.boxes, strict=True)
    assert all((one.size, one.num_boxes) == (other.size, other.num_boxes) for one, other in pairs)
    assert "against ssd_mobilenet_v2_fpnlite_320x320" in (dataset.path / "audit/report.html").read_text()
    assert not dataset.config_path.exists()  # a reference is nobody's own config


def test_feature_maps_are_for_the_config_that_needs_them(dataset: Dataset, tmp_path: Path) -> None:
    """An extractor that is not known has the feature maps given, in either config; one that is known keeps its own."""
    known, maps = "ssd_mobilenet_v2_coco", ((19, 19), (10, 10), (5, 5), (3, 3), (2, 2), (1, 1))
    unknown = edited(tmp_path / "mine.config", 'type: "ssd_mobilenet_v2"', 'type: "my_own_net"')
    for config, against in ((known, unknown), (unknown, "ssd_mobilenet_v2_fpnlite_320x320"), (unknown, unknown)):
        evidence = audit(dataset, Request(config, against, feature_maps=maps)).evidence
        assert evidence.anchors is not None
        assert evidence.against is not None
        assert evidence.anchors.num_anchors == 1917
        assert evidence.against.anchors.num_anchors == (12804 if "fpnlite" in str(against) else 1917)
    with pytest.raises(UsageError, match="are known"):
        audit(dataset, Request(known, feature_maps=maps))


def test_the_users_question(user_config: Path, shared_mirror: Path, tmp_path: Path) -> None:
    """On real Lemon and Cheese, the user's config lacks a checkpoint first of all, and its min_scale has a hole."""
    fetch(tmp_path / "d", FetchRequest(("Lemon", "Cheese"), source=str(shared_mirror)))
    dataset = Dataset.open(tmp_path / "d")
    strip(dataset)
    report = audit(dataset, Request(user_config))
    found = names(report)
    assert report.verdict.answer == "both"
    assert found["no_checkpoint"] == Severity.ERROR
    assert found["low_min_scale"] == found["constant_learning_rate"] == Severity.WARNING
    assert found["collateral"] == found["no_gradient_clipping"] == Severity.INFO
    assert report.evidence.nearest is not None
    assert report.evidence.nearest.name == "ssd_mobilenet_v2_quantized_300x300_coco"
    assert report.evidence.anchors is not None
    inner = [facts.hole for facts in report.evidence.anchors.holes if facts.hole.where == "inner"]
    assert all(42 < hole.side_min < 43 and 49 < hole.side_max < 50 for hole in inner)
    shown = re.search(r"^```\n(Verdict: .*?)^```", README.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
    assert shown is not None
    assert shown[1].split() == f"Verdict: {report.verdict.text}".split()


def test_the_config_on_one_line_is_the_same(user_config: Path, dataset: Dataset) -> None:
    """Pasted from a forum, on one line, the config gives the same findings."""
    one_line = user_config.with_name("pipeline.one-line.config")
    assert names(audit(dataset, Request(one_line))) == names(audit(dataset, Request(user_config)))


def test_no_suggestion_has_a_reason(report: AuditReport) -> None:
    """Where no anchors are suggested a note says why, and where some are there is a finding instead."""
    assert report.evidence.suggestion is not None
    assert report.summary().notes == (f"Better anchors: {report.evidence.suggestion.reason}",)
    assert replace(report, evidence=replace(report.evidence, suggestion=suggested(0.02))).summary().notes == ()


def test_group_boxes_that_are_kept_are_named(dataset: Dataset) -> None:
    """Without a strip the group boxes train as objects, and the audit says how many."""
    assert "group_boxes" not in names(audit(dataset))
    unstrip(dataset)
    report = audit(dataset)
    assert "side nan" not in (dataset.path / "audit/report.html").read_text(encoding="utf-8")
    groups = sum(facts.num_group_truth for facts in report.evidence.boxes("train"))
    finding = next(finding for finding in report.findings if finding.name == "group_boxes")
    assert finding.evidence.startswith(f"{groups} of ")


def test_splits_can_be_chosen(dataset: Dataset) -> None:
    """Of some splits only those are audited; one that the dataset lacks is refused."""
    report = audit(dataset, Request(splits=("val",)))
    assert report.evidence.splits == ("validation",)
    assert report.verdict.answer == "unknown"
    assert "no_checkpoint" not in names(report)
    assert {facts.split for facts in report.evidence.data.classes} == {"validation"}
    narrow = replace(dataset, info=replace(dataset.info, splits=("train",)))
    with pytest.raises(UsageError, match="no split test"):
        audit(narrow, Request(splits=("test",)))
    assert names(audit(narrow))["no_validation"] == Severity.ERROR


@pytest.mark.parametrize(
    "config, remedy",
    [
        ("ssd_mobilenet_v2_coco", "Use an FPN model with a larger input: the anchors of an ssd_anchor_generator grow"),
        ("ssd_mobilenet_v2_fpnlite_320x320", "Use a larger input: its anchors keep their sizes in pixels"),
    ],
)
def test_holes_are_outgrown_where_anchors_have_sizes_in_pixels(dataset: Dataset, config: str, remedy: str) -> None:
    """A larger input mends a hole of a multiscale_anchor_generator alone: it makes other anchors larger as well."""
    finding = next(found for found in audit(dataset, Request(config)).findings if found.name == "size_holes")
    assert finding.fix.startswith(remedy)


def test_without_photos_the_tables_are_audited(dataset: Dataset) -> None:
    """Where the photos are gone the audit goes on, and says what it could not look at."""
    shutil.rmtree(dataset.path / "images")
    report = audit(dataset)
    assert report.evidence.looks is None
    assert report.evidence.anchors is not None
    assert "are recorded as ok and are not there" in report.not_done[0]
    html = (dataset.path / "audit/report.html").read_text(encoding="utf-8")
    assert report.not_done[0] in html
    assert "Every photo, decoded once" not in html


def test_without_ground_truth_there_is_nothing_to_audit(dataset: Dataset) -> None:
    """Where every box is stripped, the error says how to take that back."""
    boxes = dataset.boxes()
    dataset.write_boxes(boxes.assign(stripped=pd.Series("user:all", index=boxes.index, dtype="str")))
    with pytest.raises(DatasetError, match=r"no ground truth.*--none"):
        audit(dataset)


def test_a_class_without_boxes_is_a_finding(dataset: Dataset) -> None:
    """Where strip leaves a class without a train box, the audit goes on and says so."""
    boxes = dataset.boxes()
    lemon = (boxes["mid"] == "/m/09k_b").map({True: "user:x", False: None}).astype("str")
    dataset.write_boxes(boxes.assign(stripped=boxes["stripped"].fillna(lemon)))
    report = audit(dataset)
    assert names(report)["no_boxes"] == Severity.ERROR
    assert "no ground truth of Lemon in train, Lemon in validation, Lemon in test" in report.verdict.text


@pytest.mark.parametrize("xmax", [float("nan"), float("inf"), 0.001])
def test_boxes_that_are_none_are_audited_too(dataset: Dataset, xmax: float) -> None:
    """Where all boxes are no boxes, or too small for any plot, and nobody stripped them, the audit says so and ends."""
    boxes = dataset.boxes().assign(stripped=None, xmin=0.0, ymin=0.0, ymax=0.001, xmax=xmax)
    types = {"stripped": "str", **dict.fromkeys(("xmin", "ymin", "xmax", "ymax"), "float32")}
    dataset.write_boxes(boxes.astype(types))
    assert names(audit(dataset))["unmatched_boxes"] == Severity.ERROR


def test_another_model_is_audited_without_anchors(dataset: Dataset, tmp_path: Path) -> None:
    """Of a Faster R-CNN the anchors are left out, and said to be; the rest of the audit is there."""
    path = tmp_path / "frcnn.config"
    path.write_text(
        "model { faster_rcnn { num_classes: 2 image_resizer { fixed_shape_resizer { height: 600 width: 600 } } } }"
        " train_config { batch_size: 1 num_steps: 10 }"
    )
    report = audit(dataset, Request(path))
    assert report.evidence.anchors is None
    assert "not of an SSD" in report.not_done[0]
    html = (dataset.path / "audit/report.html").read_text(encoding="utf-8")
    assert report.not_done[0] in html
    assert "Dotted" not in html
    assert "Anchors: not judged, since the config is not of an SSD." in report.verdict.text
    assert "no_checkpoint" in names(report)
    assert report.evidence.nearest is None
    assert not {"differs_from_reference", "l2_without_backbone", "piles"} & set(names(report))
    median = report.evidence.sizes.splits[0].side_px["p50"]
    reference = audit(dataset, Request("ssd_mobilenet_v2_coco")).evidence.sizes.splits[0].side_px["p50"]
    assert median is not None
    assert reference is not None
    assert median == pytest.approx(2 * reference)


@pytest.mark.parametrize(
    "old, new, message",
    [
        ("matched_threshold: 0.5", "matched_threshold: 1.5", "matched_threshold 1.5"),
        ("iou_threshold: 0.6", "iou_threshold: -1", "iou_threshold -1"),
        ("aspect_ratios: [1.0", "aspect_ratios: [0.0", "aspect_ratios"),
        ('type: "ssd_mobilenet_v2"', 'type: "my_own_net"', "--feature-maps"),
        ("num_steps: 200000", "num_steps: many", r"line \d+"),
    ],
)
def test_a_config_that_cannot_be_followed_is_refused(
    dataset: Dataset, tmp_path: Path, old: str, new: str, message: str
) -> None:
    """Values that make no anchors, an unknown extractor, and bad syntax are errors before any photo is decoded."""
    path = edited(tmp_path / "mine.config", old, new)
    shown = StringIO()
    with pytest.raises(ConfigError, match=message):
        audit(dataset, Request(path), Lines(Console(file=shown)))
    assert not dataset.config_path.exists()
    assert not shown.getvalue()  # no photo was decoded for it


def test_the_command_line(dataset: Dataset) -> None:
    """Tables fit 100 columns, verdict and page come last, --json prints the report, and a gate exits with 3."""

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        return oidata("audit", "-d", "d", *arguments, cwd=dataset.path.parent)

    shown = run("--config", "ssd_mobilenet_v2_coco")
    assert shown.returncode == 0
    assert max(map(len, shown.stdout.splitlines())) <= 120
    *_, verdict, where = shown.stdout.rstrip().split("\n\n")
    assert verdict.startswith("Verdict: ")
    assert where == "Plots and pictures: d/audit/report.html"
    assert "\x1b" not in shown.stdout
    assert run("--fail-on", "error").returncode == 0
    gate = run("--json", "--fail-on", "warning")
    assert gate.returncode == 3
    assert "--fail-on warning" in gate.stderr
    assert json.loads(gate.stdout) == json.loads((dataset.path / "audit/report.json").read_text(encoding="utf-8"))
    assert run("--feature-maps", "19,x").returncode == 2
    missing = run("--config", "no_such")
    assert missing.returncode == 1
    assert "ssd_mobilenet_v2_coco" in missing.stderr


def with_classes(evidence: Evidence, split: str, **changes: object) -> Evidence:
    """The evidence with every class of a split changed."""
    classes = tuple(
        replace(facts, **changes) if facts.split == split else facts  # type: ignore[arg-type]
        for facts in evidence.data.classes
    )
    return replace(evidence, data=replace(evidence.data, classes=classes))


def with_matches(evidence: Evidence, **changes: object) -> Evidence:
    """The evidence with the outcomes of all train boxes changed."""
    assert evidence.anchors is not None
    boxes = tuple(replace(row, num_boxes=100, **changes) for row in evidence.anchors.boxes)  # type: ignore[arg-type]
    return replace(evidence, anchors=replace(evidence.anchors, boxes=boxes))


def with_looks(evidence: Evidence, **changes: object) -> Evidence:
    assert evidence.looks is not None
    return replace(evidence, looks=replace(evidence.looks, **changes))  # type: ignore[arg-type]


def with_ambiguity(evidence: Evidence, share: float | None) -> Evidence:
    assert evidence.anchors is not None
    return replace(evidence, anchors=replace(evidence.anchors, layer_ambiguity=share))


def with_rarer_lemons(evidence: Evidence) -> Evidence:
    classes = tuple(
        replace(facts, num_truth=3000 if facts.display_name == "Cheese" else 300) for facts in evidence.data.classes
    )
    return replace(evidence, data=replace(evidence.data, classes=classes))


MADE = TwinFacts("train", "/m/09k_b", "Lemon", "/m/01nkt", "Cheese", 30, ())
SCORE = Score(0.5, 1.0, 0.0)


def suggested(gain: float) -> Outcome:
    comparison = Comparison("", 10, SCORE, replace(SCORE, share_matched=SCORE.share_matched + gain))
    return Outcome(Suggestion(SsdAnchors(), (), (comparison,), 0.1), "More boxes.")


GROUPS = {"is_group_of": {"yes": 50, "no": 50, "unknown": 0}}


@pytest.mark.parametrize(
    "change, name, severity",
    [
        (lambda e: with_classes(e, "train", num_truth=0), "no_boxes", Severity.ERROR),
        (lambda e: with_classes(e, "test", num_truth=0), "no_boxes", Severity.INFO),
        (lambda e: with_classes(e, "train", num_truth=100, num_group_truth=50), "group_boxes", Severity.ERROR),
        (
            lambda e: with_classes(e, "train", num_truth=999, num_group_truth=1),
            "group_boxes",
            Severity.WARNING,
        ),
        (lambda e: with_classes(e, "train", num_present_unboxed=1), "present_unboxed", Severity.WARNING),
        (lambda e: with_classes(e, "train", num_truth=26), "few_boxes", Severity.ERROR),
        (lambda e: with_classes(e, "train", num_truth=271), "few_boxes", Severity.WARNING),
        (with_rarer_lemons, "imbalance", Severity.WARNING),
        (lambda e: replace(e, data=replace(e.data, twins=(MADE,))), "twins", Severity.ERROR),
        (lambda e: with_looks(e, overlaps=(Overlap("train", "validation", 1, 1, 1),)), "leakage", Severity.WARNING),
        (lambda e: with_looks(e, modes={"RGB": 1, "CMYK": 1}), "not_rgb", Severity.INFO),
        (lambda e: with_looks(e, modes={"RGB": 1, "L": 1}), "not_rgb", Severity.INFO),
        (lambda e: with_looks(e, num_undecodable=1), "unusable_photos", Severity.ERROR),
        (lambda e: with_matches(e, num_matched=89), "unmatched_boxes", Severity.WARNING),
        (lambda e: with_matches(e, num_matched=60), "unmatched_boxes", Severity.ERROR),
        (lambda e: with_matches(e, num_starved=1), "starved_boxes", Severity.WARNING),
        (lambda e: with_ambiguity(e, 0.06), "ambiguous_layers", Severity.WARNING),
        (lambda e: replace(e, num_pile_boxes=100), "piles", Severity.WARNING),
        (lambda e: replace(e, suggestion=suggested(0.02)), "better_anchors", Severity.INFO),
        (lambda e: replace(e, suggestion=suggested(0.2)), "better_anchors", Severity.WARNING),
        (lambda e: with_classes(e, "validation", num_truth=99), "few_to_measure", Severity.WARNING),
    ],
)
def test_what_the_data_and_the_anchors_show_is_found(
    report: AuditReport, change: Callable[[Evidence], Evidence], name: str, severity: Severity
) -> None:
    """Each fact brings its finding, as severe as it is."""
    found = {finding.name: finding.severity for finding in findings(change(report.evidence), RULES)}
    assert found[name] == severity


@pytest.mark.parametrize(
    "change, name",
    [
        (lambda e: with_classes(e, "train", num_truth=272), "few_boxes"),
        (lambda e: with_classes(e, "train", num_truth=272), "imbalance"),
        (lambda e: with_classes(e, "train", flags=GROUPS, num_group_truth=0), "group_boxes"),
        (lambda e: with_classes(e, "validation", num_truth=100), "few_to_measure"),
        (lambda e: with_looks(e, overlaps=(Overlap("train", "train", 1, 2, 2),)), "leakage"),
        (lambda e: with_looks(e, modes={"RGB": 9}), "not_rgb"),
        (lambda e: with_looks(e, num_turned=0, num_rotated=0), "turned_photos"),
        (lambda e: with_matches(e, num_matched=91), "unmatched_boxes"),
        (lambda e: with_matches(e, num_starved=0), "starved_boxes"),
        (lambda e: with_ambiguity(e, 0.05), "ambiguous_layers"),
        (lambda e: with_ambiguity(e, None), "ambiguous_layers"),
        (lambda e: replace(e, num_pile_boxes=0), "piles"),
        (lambda e: replace(e, suggestion=Outcome(None, "None.")), "better_anchors"),
        (lambda e: replace(e, anchors=None), "unmatched_boxes"),
        (lambda e: replace(e, looks=None), "leakage"),
    ],
)
def test_what_does_not_hold_is_not_found(
    report: AuditReport, change: Callable[[Evidence], Evidence], name: str
) -> None:
    """At its threshold, or without its fact, a finding is gone."""
    assert name not in {finding.name for finding in findings(change(report.evidence), RULES)}
