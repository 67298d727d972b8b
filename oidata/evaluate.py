"""`oidata evaluate`: how a trained model fares by each metric, and why it fails where it fails."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from oidata import __version__
from oidata.core.auditing.evidence import nms_iou
from oidata.core.evaluation.coco_ap import Engine
from oidata.core.evaluation.comparison import comparison
from oidata.core.evaluation.evaluation import evaluation
from oidata.core.evaluation.evaluation_set import evaluation_set
from oidata.core.evaluation.failure_verdict import failure_verdict
from oidata.core.evaluation.truth_facts import TruthFacts
from oidata.core.labels import Hierarchy
from oidata.core.release.expansion import expanded
from oidata.core.statistics import Cells, usable
from oidata.core.tables import Tables
from oidata.core.words import counted
from oidata.errors import DatasetError, TableError, UsageError
from oidata.io.configs import read_config
from oidata.io.detections import read_detections
from oidata.io.photos import sha256_of
from oidata.report.evaluation_galleries import pictures
from oidata.report.evaluation_page import page
from oidata.report.evaluation_summary import summary
from oidata.report.page import render
from oidata.run_config import ORIGINS, anchors_of, config_of, hash_of
from oidata.runs import Run, RunInfo, run_name, run_path

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from oidata.core.auditing.anchor_numbers import AnchorNumbers
    from oidata.core.auditing.findings import Verdict
    from oidata.core.config.pipeline import PipelineConfig
    from oidata.core.evaluation.comparison import Comparison
    from oidata.core.evaluation.detections import LeftOut
    from oidata.core.evaluation.evaluation import Evaluation
    from oidata.core.evaluation.evaluation_set import EvaluationSet
    from oidata.core.evaluation.open_images_ap import OpenImagesAp
    from oidata.dataset import Dataset
    from oidata.report.summary import Summary

REPORT_VERSION = 1


@dataclass(frozen=True)
class Request:
    """What to evaluate, and how.

    file: detections of other origin, which become a run. run: the name of a run, the newest if None; of a file's
    detections that of the file if None. against: a run to compare with. splits: those of the run, if empty.
    score_threshold: for counting failures; None takes the best F1 of each class. config: a file or a reference
    config, for anchors, input size and suppression; None takes the run's own, else the dataset's, else the default
    reference. count_stripped: take stripped boxes as ground truth.
    """

    file: Path | None = None
    run: str | None = None
    against: str | None = None
    splits: tuple[str, ...] = ()
    score_threshold: float | None = None
    config: str | Path | None = None
    count_stripped: bool = False


@dataclass(frozen=True, eq=False)
class EvaluationReport:
    """Everything that an evaluation found.

    made_from: SHA-256 by name of what it rests on. notes: what the reader should not miss: detections that were left
    out, anchors that are not known. left_out: the detections that cannot be scored, by reason.
    """

    directory: str
    run: Run
    splits: tuple[str, ...]
    classes: dict[str, str]
    config: PipelineConfig
    origin: str
    made_from: dict[str, str]
    num_photos: int
    num_detections: int
    left_out: LeftOut
    evaluation: Evaluation
    verdict: Verdict
    against: Comparison | None
    notes: tuple[str, ...]

    def to_dict(self) -> dict[str, object]:
        """As evaluation.json has it; each value is a dataclass of `oidata.core`, field by field.

        `coco` and `coco_plain` are coco_ap.CocoAp, `open_images_v2` and `_challenge` lists of open_images_ap.ClassAp
        with their mean, `operating_points` operating_point.OperatingPoint, `against` comparison.Comparison, and the
        others those of evaluation. A change that breaks readers raises report_version.
        """
        found = self.evaluation
        return {
            "report_version": REPORT_VERSION,
            "oidata_version": __version__,
            "directory": self.directory,
            "run": self.run.name,
            "splits": self.splits,
            "classes": self.classes,
            "config": {"name": self.config.name, "origin": self.origin},
            "made_from": self.made_from,
            "num_photos": self.num_photos,
            "num_detections": self.num_detections,
            "left_out": asdict(self.left_out),
            "verdict": asdict(self.verdict),
            "num_truth": found.num_truth,
            "num_found": found.num_found,
            "num_false": found.num_false,
            "operating_points": [asdict(point) for point in found.points],
            "open_images_v2": _open_images(found.v2),
            "open_images_challenge": _open_images(found.challenge),
            "coco": asdict(found.coco),
            "coco_plain": asdict(found.coco_plain),
            "errors": [asdict(each) for each in found.errors],
            "causes": [asdict(each) for each in found.causes],
            "lost_ap": asdict(found.lost),
            "confusion": found.confusion,
            "flags": [asdict(each) for each in found.flags],
            "sizes": [asdict(each) for each in found.sizes],
            "against": asdict(self.against) if self.against else None,
            "notes": self.notes,
        }

    def summary(self) -> Summary:
        """For a person."""
        found = summary(self.about, self.evaluation, self.verdict, self.against, self.notes)
        return replace(found, page=str(self.run.page_path))

    @property
    def about(self) -> str:
        """What was evaluated, in a line."""
        found, names = self.evaluation, ", ".join(self.classes.values())
        return (
            f"{self.run.path}: {counted(self.num_detections, 'detection')} of {names} on "
            f"{counted(self.num_photos, 'photo')} of {', '.join(self.splits)}; {found.num_found:,} of "
            f"{counted(found.num_truth, 'box', 'boxes')} found"
        )


def _open_images(result: OpenImagesAp) -> dict[str, object]:
    return {
        "mean_average_precision": result.mean_average_precision,
        "classes": [asdict(each) for each in result.classes],
    }


def evaluate(dataset: Dataset, request: Request | None = None) -> EvaluationReport:
    """Evaluate a run; writes evaluation.json, failures.parquet and report.html into it.

    Raises TableError for detections that cannot be scored, ConfigError for a config that cannot be read, UsageError for
    a split that the dataset lacks, DatasetError where there is no such run, or no ground truth, or where another
    process writes into the run at the end.
    """
    request = request or Request()
    _check(request)
    run = _imported(dataset, request) if request.file else Run.open(dataset, request.run)
    other = None if request.against is None else Run.open(dataset, request.against)
    config, origin = config_of(dataset, run, request.config)
    made_from = {**dataset.hashes(), **run.hashes(), **hash_of(config)}
    tables = Tables(dataset.images(), dataset.boxes(), dataset.labels())
    cells = Cells(dataset.info.classes, _splits(dataset, run, request.splits))
    numbers, unknown = anchors_of(dataset, tables, cells, config, count_stripped=request.count_stripped)
    judge = _Judge(dataset.info.ancestors, tables, cells, config, numbers, request)
    scored, found = judge.judged(run, run.info.processed)
    compared = judge.compared(run, (scored, found), other) if other else None
    report = EvaluationReport(
        directory=str(dataset.path),
        run=run,
        splits=cells.splits,
        classes=dataset.info.classes.names,
        config=config,
        origin=origin,
        made_from=made_from,
        num_photos=len(scored.photos),
        num_detections=len(scored.detected),
        left_out=scored.left_out,
        evaluation=found,
        verdict=failure_verdict(found),
        against=compared,
        notes=(*_notes(dataset, run, scored), *unknown, _judged_by(config, origin)),
    )
    shown = pictures(dataset, scored, found, tables.boxes, numbers)
    holes = numbers.holes if numbers else ()
    html = render(page(found, report.verdict, compared, report.about, report.notes, holes, shown))
    run.write_evaluation(report.to_dict(), found.failures, html)
    return report


@dataclass(frozen=True, eq=False)
class _Judge:
    """What two runs must have in common to be compared."""

    ancestors: dict[str, list[str]] | None
    tables: Tables
    cells: Cells
    config: PipelineConfig
    numbers: AnchorNumbers | None
    request: Request

    def judged(self, run: Run, image_ids: Sequence[str]) -> tuple[EvaluationSet, Evaluation]:
        """A run on some photos."""
        images = self.tables.images
        tables = replace(self.tables, images=images[images["image_id"].isin(image_ids)].reset_index(drop=True))
        detections, count = run.detections(), self.request.count_stripped
        detections = detections[detections["image_id"].isin(image_ids)].reset_index(drop=True)
        scored = evaluation_set(tables, detections, self.cells, count_stripped=count)
        wide = scored
        if self.ancestors:
            hierarchy = Hierarchy({mid: frozenset(above) for mid, above in self.ancestors.items()})
            tables = expanded(tables, self.cells.classes, hierarchy)
            wide = evaluation_set(tables, detections, self.cells, count_stripped=count)
        facts = TruthFacts.of(scored.truth, self.tables.boxes, self.numbers, nms_iou(self.config))
        threshold = self.request.score_threshold
        return scored, evaluation(scored, wide, self.tables.boxes, facts, threshold, engine=_engine())

    def compared(self, run: Run, judged: tuple[EvaluationSet, Evaluation], other: Run) -> Comparison:
        """Two runs on the photos that both looked at; `judged` is the first on all of its own."""
        common = sorted({*run.info.processed} & {*other.info.processed})
        if not common:
            message = f"The runs {run.name} and {other.name} have no photo in common."
            raise DatasetError(message, "Run oidata predict for the same splits.")
        _, before = self.judged(other, common)
        scored, after = judged if len(common) == len(run.info.processed) else self.judged(run, common)
        return comparison(other.name, len(scored.photos), before, after)


def _engine() -> Engine:
    """The faster one where it is installed, as extra `fast` does."""
    return Engine.FASTER if find_spec("faster_coco_eval") else Engine.PYCOCOTOOLS


def _check(request: Request) -> None:
    if request.score_threshold is not None and not 0 <= request.score_threshold <= 1:
        message = f"--score-threshold {request.score_threshold:g} is no score."
        raise UsageError(message, "Give one from 0 to 1, or leave it out: the best F1 of each class.")


def _imported(dataset: Dataset, request: Request) -> Run:
    """Detections of other origin as a run, on all usable photos of the splits that they are of."""
    path = Path(request.file or "").absolute()
    name = request.run or run_name(path.stem)
    run_path(dataset, name)
    there = Run.there(dataset, name)
    if there is not None and there.info.source != str(path):
        message = f"{dataset.path} has a run {name}, of {there.info.source}."
        raise UsageError(message, "Give these detections another name: --run NAME.")
    images = dataset.images()
    found = read_detections(path, images, dict(enumerate(dataset.info.classes.mids, start=1)))
    detected_on = set(images.loc[images["image_id"].isin(found.detections["image_id"]), "split"])
    splits = tuple(split for split in dataset.info.splits if split in detected_on) or dataset.info.splits
    processed = images.loc[usable(images) & images["split"].isin(splits), "image_id"]
    is_seen = found.detections["image_id"].isin(processed)
    left_out = {
        "on photos that the dataset does not have": found.num_of_unknown_photos,
        "of classes that the dataset does not have": found.num_of_unknown_classes,
        "on photos that are dropped or not whole": int((~is_seen).sum()),
    }
    if sum(left_out.values()) and not is_seen.any():
        reasons = ", ".join(_left_out(left_out))
        hint = "Give the detections of this dataset's photos, by image_id, and of its classes, by MID or label map id."
        raise TableError(f"None of the detections in {path} can be scored: {reasons}.", hint)
    config = None if request.config is None else read_config(request.config)
    info = RunInfo(
        source=str(path),
        sha256=sha256_of(path.read_bytes()),
        is_model=False,
        config=config.name if config else None,
        label_map=None,
        score_threshold=0.0,
        splits=splits,
        processed=tuple(sorted(processed)),
        left_out=left_out,
    )
    seen = found.detections[is_seen].reset_index(drop=True)
    return Run.create(dataset, name, info, seen, config.text if config else None)


def _left_out(counts: dict[str, int]) -> list[str]:
    """Say of each reason that applies how many detections it leaves out."""
    return [f"{number:,} {reason}" for reason, number in counts.items() if number]


def _splits(dataset: Dataset, run: Run, asked: Sequence[str]) -> tuple[str, ...]:
    chosen = dataset.splits(asked or run.info.splits)
    if unseen := [split for split in chosen if split not in run.info.splits]:
        message = f"{run.path} looked at no photo of {', '.join(unseen)}."
        raise UsageError(message, f"It has {', '.join(run.info.splits)}: leave out the others, or detect on them too.")
    return chosen


def _notes(dataset: Dataset, run: Run, scored: EvaluationSet) -> Iterator[str]:
    if not len(scored.detected):
        yield "There is no detection at all on these photos: every box is missed."
    for reason in scored.left_out.reasons():
        yield f"Left out: {reason}"
    for reason in _left_out(run.info.left_out):
        yield f"Left out when they were read: {reason}"
    if dataset.info.ancestors is None and len(dataset.info.classes.labels) > 1:
        yield "Open Images Challenge: no expansion, since the hierarchy was not at hand when the classes were fetched."


def _judged_by(config: PipelineConfig, origin: str) -> str:
    return f"Anchors, input size and suppression are those of {config.name}{ORIGINS[origin]}."
