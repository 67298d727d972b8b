"""`oidata audit`: what this dataset, these anchors and this config can and cannot learn, with the evidence."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING

import pandas as pd

from oidata import __version__
from oidata.core.auditing.anchor_audit import anchor_audit
from oidata.core.auditing.anchor_numbers import box_numbers
from oidata.core.auditing.anchor_rules import ANCHOR_RULES
from oidata.core.auditing.census import dataset_facts
from oidata.core.auditing.data_rules import DATA_RULES
from oidata.core.auditing.duplicates import DUPLICATES, find, overlaps
from oidata.core.auditing.evidence import Evidence, findings, nms_iou
from oidata.core.auditing.findings import verdict
from oidata.core.auditing.looks import look_facts
from oidata.core.auditing.metric_rules import METRIC_RULES
from oidata.core.auditing.per_image import per_image_facts
from oidata.core.auditing.piles import num_suppressed
from oidata.core.auditing.sizes import size_facts
from oidata.core.auditing.training_rules import TRAINING_RULES
from oidata.core.config.pipeline import nearest
from oidata.core.statistics import Cells, ground_truth, usable
from oidata.core.tables import AUDIT_BOXES, TRAIN, VALIDATION, Tables
from oidata.dataset import AUDIT_NAME, AUDIT_PAGE_NAME
from oidata.errors import DatasetError
from oidata.io.configs import REFERENCE_NAMES, label_maps, read_config, references, unread_paths
from oidata.io.decode import decode_photos, fingerprints
from oidata.io.photos import sha256_of
from oidata.report.audit_galleries import galleries
from oidata.report.audit_page import page
from oidata.report.audit_summary import summary
from oidata.report.page import render
from oidata.report.progress import Progress, Silence, photo_by_photo
from oidata.run_config import ORIGINS, config_of, hash_of

if TYPE_CHECKING:
    from pathlib import Path

    from _typeshed import DataclassInstance

    from oidata.core.auditing.anchor_audit import AnchorAudit
    from oidata.core.auditing.findings import Finding, Verdict
    from oidata.core.auditing.looks import LookFacts
    from oidata.dataset import Dataset
    from oidata.report.summary import Summary

REPORT_VERSION = 1
RULES = (*DATA_RULES, *ANCHOR_RULES, *TRAINING_RULES, *METRIC_RULES)


@dataclass(frozen=True)
class Request:
    """What to audit, and against what.

    config: a file, or the name of a reference config; None takes the dataset's own, else the default reference.
    against: another config to compare with. splits: those of the dataset, if empty. feature_maps: (rows, columns) of
    each, finest first, for either config whose extractor is not known. num_workers: how many replicas train, if known.
    """

    config: str | Path | None = None
    against: str | Path | None = None
    splits: tuple[str, ...] = ()
    feature_maps: tuple[tuple[int, int], ...] | None = None
    num_workers: int | None = None


@dataclass(frozen=True)
class AuditReport:
    """Everything that an audit found.

    evidence: what the rules looked at. findings: the most severe first. made_from: SHA-256 by name of what the report
    rests on: tables, the dataset's pipeline.config or the reference config that stood for it, and behind the word
    against the other config. origin: where the config comes from, given, dataset or (for want of another) reference.
    not_done: what could not be looked at, and why.
    """

    directory: str
    origin: str
    made_from: dict[str, str]
    evidence: Evidence
    findings: tuple[Finding, ...]
    verdict: Verdict
    not_done: tuple[str, ...]

    def to_dict(self) -> dict[str, object]:
        """As audit/report.json has it; each value is a dataclass of the same name, field by field.

        They are of oidata.core.auditing: `data` census.DatasetFacts, `sizes` sizes.SizeFacts, `per_image`
        per_image.PerImageFacts, `anchors` and `against.anchors` matching.AnchorFacts (null where a config has none
        that can be audited), `suggestion` suggestion.Outcome, with `suggested_patch` as its text for a
        pipeline.config, `photos` looks.LookFacts (null where no photo is there). A change that breaks readers raises
        report_version.
        """
        evidence, other = self.evidence, self.evidence.against
        return {
            "report_version": REPORT_VERSION,
            "oidata_version": __version__,
            "directory": self.directory,
            "splits": evidence.splits,
            "classes": evidence.classes.names,
            "made_from": self.made_from,
            "config": _config_dict(evidence, self.origin),
            "verdict": asdict(self.verdict),
            "findings": [asdict(finding) for finding in self.findings],
            "data": asdict(evidence.data),
            "sizes": asdict(evidence.sizes),
            "per_image": asdict(evidence.per_image),
            "anchors": _dict(evidence.anchors),
            "against": {"name": other.config.name, "anchors": asdict(other.anchors)} if other else None,
            "suggestion": _dict(evidence.suggestion),
            "suggested_patch": evidence.patch,
            "photos": _dict(evidence.looks),
            "not_done": self.not_done,
        }

    def summary(self) -> Summary:
        """For a person."""
        found = summary(self.evidence, self.findings, self.verdict, self.about, self.not_done)
        return replace(found, page=f"{self.directory}/{AUDIT_NAME}/{AUDIT_PAGE_NAME}")

    @property
    def about(self) -> str:
        """What was audited, in a line."""
        total = sum(facts.num_truth for facts in self.evidence.data.classes)
        names = ", ".join(self.evidence.classes.names.values())
        config = f"{self.evidence.config.name}{_ORIGINS[self.origin]}"
        return f"{self.directory}: {total:,} ground-truth boxes of {names}, against the config {config}"


_ORIGINS = ORIGINS | {"dataset": " (given earlier)"}


def _config_dict(evidence: Evidence, origin: str) -> dict[str, object]:
    config, nearest_config = evidence.config, evidence.nearest
    return {
        "name": config.name,
        "origin": origin,
        "architecture": config.architecture,
        "nearest": nearest_config.name if nearest_config else None,
        "unknown_fields": [asdict(field) for field in config.unknown_fields],
    }


def _dict(facts: DataclassInstance | None) -> dict[str, object] | None:
    return asdict(facts) if facts else None


def audit(dataset: Dataset, request: Request | None = None, progress: Progress | None = None) -> AuditReport:
    """Audit a dataset; writes audit/report.html, report.json, boxes.parquet and duplicates.parquet into it.

    Raises ConfigError for a config that cannot be audited, UsageError for a split that the dataset lacks, DatasetError
    where there is no ground truth to audit, or where another audit writes into it at the end.
    """
    request, progress = request or Request(), progress or Silence()
    cells = Cells(dataset.info.classes, dataset.splits(request.splits))
    config, origin = config_of(dataset, None, request.config)
    against = None if request.against is None else read_config(request.against)
    made_from = {**dataset.hashes(), **hash_of(config)}
    if against is not None:
        made_from[f"against {against.name}"] = sha256_of(against.text.encode())
    images, boxes, labels = dataset.images(), dataset.boxes(), dataset.labels()
    truth = _truth(dataset, images, boxes, cells)
    anchored = anchor_audit(config, (images, truth), cells, feature_maps=request.feature_maps, against=against)
    evidence = Evidence(
        classes=dataset.info.classes,
        splits=cells.splits,
        config=config,
        nearest=nearest(config, references()),
        data=dataset_facts(images, boxes, labels, cells),
        sizes=size_facts(anchored.seen.truth, anchored.seen.input_boxes, cells),
        per_image=per_image_facts(images, truth, cells, config.message.train_config.max_number_of_boxes),
        anchors=anchored.facts,
        suggestion=anchored.suggestion,
        against=anchored.against,
        num_pile_boxes=num_suppressed(truth[truth["split"] == TRAIN], nms_iou(config)) if anchored.facts else 0,
        num_workers=request.num_workers,
        absent_splits=tuple(split for split in (TRAIN, VALIDATION) if split not in dataset.info.splits),
        unread_paths=unread_paths(config),
        label_maps=label_maps(config),
    )
    # Photos take minutes to decode, so what can be refused has been by now.
    looked = _look(dataset, images[images["split"].isin(cells.splits)], progress)
    evidence = replace(evidence, looks=looked.facts)
    if origin == "given" and config.name not in REFERENCE_NAMES:
        dataset.write_config(config.text)
    found = findings(evidence, RULES)
    not_done = (*looked.not_done, *anchored.not_done)
    report = AuditReport(
        str(dataset.path),
        origin,
        made_from,
        evidence,
        found,
        verdict(found, evidence.unjudged, has_train=TRAIN in cells.splits),
        not_done,
    )
    frames = {AUDIT_BOXES: _boxes(anchored), DUPLICATES: looked.duplicates}
    pictures = galleries(dataset, evidence, Tables(images, boxes, labels), frames)
    html = render(page(evidence, found, report.verdict, report.about, not_done, pictures))
    dataset.write_audit(frames, report.to_dict(), html)
    return report


@dataclass(frozen=True, eq=False)
class _Looked:
    """What was seen of the photos, and DUPLICATES; None and empty where none is there."""

    facts: LookFacts | None
    duplicates: pd.DataFrame
    not_done: tuple[str, ...]


def _truth(dataset: Dataset, images: pd.DataFrame, boxes: pd.DataFrame, cells: Cells) -> pd.DataFrame:
    truth = ground_truth(images, boxes)
    truth = truth[cells.codes(truth) >= 0].reset_index(drop=True)
    if truth.empty:
        hint = "Fetch more photos, or strip less: oidata strip --none takes all marks back."
        raise DatasetError(f"{dataset.path} has no ground truth in {', '.join(cells.splits)}.", hint)
    return truth


def _look(dataset: Dataset, images: pd.DataFrame, progress: Progress) -> _Looked:
    """Decode every photo that is recorded as ok and not dropped, and find duplicates."""
    ok = images[usable(images)]
    paths = {
        image_id: dataset.photo_path(split, image_id)
        for image_id, split in zip(ok["image_id"], ok["split"], strict=True)
    }
    there = {image_id: path for image_id, path in paths.items() if path.is_file()}
    absent = len(paths) - len(there)
    not_done = (f"Photos: {absent:,} of {len(paths):,} are recorded as ok and are not there.",) if absent else ()
    if not there:
        return _Looked(None, DUPLICATES.empty(), not_done or ("Photos: none is there.",))
    with photo_by_photo(progress, "photos decoded", len(there)) as advance:
        decoded = decode_photos(there, advance=advance)
    found = find(fingerprints(decoded))
    facts = look_facts(pd.DataFrame(decoded), ok[ok["image_id"].isin(there)], overlaps(found, images))
    return _Looked(facts, found, not_done)


def _boxes(anchored: AnchorAudit) -> pd.DataFrame:
    """AUDIT_BOXES: none without anchors."""
    return AUDIT_BOXES.empty() if anchored.targets is None else box_numbers(anchored.seen, anchored.targets)
