"""`oidata demo`: every verb on the embedded sample, with the sample's own SSD."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from oidata import audit, evaluate, fetch, inspect, predict, sample, shard
from oidata.core.auditing.findings import Severity
from oidata.core.tables import TRAIN
from oidata.core.words import counted
from oidata.dataset import Dataset
from oidata.errors import DatabaseError
from oidata.report.demo_report import DemoReport, Step
from oidata.report.progress import Progress, Silence
from oidata.strip import strip

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from oidata.core.auditing.findings import Verdict
    from oidata.report.inspect_report import InspectReport
    from oidata.report.shard_report import ShardReport

CLASSES: Final = ("Lemon", "Cheese")
NUM_SHARDS: Final = 3
"""Ten would leave shards of the 15 validation photos almost empty."""


def demo(
    directory: Path, tell: Callable[[Step], object] = lambda _: None, progress: Progress | None = None
) -> DemoReport:
    """Make `directory` a dataset of the sample, and take every verb to it; `tell` hears of each step when it is done.

    What is there already is kept, as by the verbs themselves, whose errors are raised. Where there is no database for
    FiftyOne, the last step says so.
    """
    steps = []
    for step in _steps(directory, progress or Silence()):
        tell(step)
        steps.append(step)
    run = directory / "runs" / sample.MODEL.stem
    return DemoReport(
        directory=str(directory),
        steps=tuple(steps),
        reports=(str(directory / "audit/report.html"), str(run / "report.html")),
    )


def _steps(directory: Path, progress: Progress) -> Iterator[Step]:
    where = f"-d {directory}"
    fetched = fetch.fetch(directory, fetch.Request(CLASSES, source=sample.NAME), progress=progress)
    missing, corrupt = (sum(each[status] for each in fetched.photos.values()) for status in ("missing", "corrupt"))
    yield Step(
        f"oidata fetch {' '.join(CLASSES)} --source {sample.NAME} {where}",
        fetched.summary().headline,
        f"{missing} missing and {corrupt} corrupt, as on any server: images.parquet says which.",
    )
    dataset = Dataset.open(directory)
    stripped = strip(dataset)
    yield Step(f"oidata strip {where}", stripped.summary().headline, stripped.summary().notes[0])
    audited = audit.audit(dataset, audit.Request(sample.NAME), progress)
    yield Step(f"oidata audit --config {sample.NAME} {where}", audited.about, _verdict(audited))
    sharded = shard.shard(dataset, shard.Request(num_shards=NUM_SHARDS), progress=progress)
    yield Step(f"oidata shard --splits {NUM_SHARDS} {where}", sharded.summary().headline, _evenness(sharded))
    predicted = predict.predict(dataset, predict.Request(sample.MODEL), progress)
    yield Step(
        f"oidata predict {sample.NAME} {where}",
        predicted.summary().headline,
        "Up to 100 of each photo, most with low scores. The SSD was trained on other photos of this generator.",
    )
    evaluated = evaluate.evaluate(dataset, evaluate.Request(run=predicted.name))
    yield Step(f"oidata evaluate {where}", evaluated.about, _lost(evaluated))
    yield _inspected(dataset, predicted.name, f"oidata inspect {where}", progress)


def _verdict(report: audit.AuditReport) -> str:
    severities, worst = [finding.severity for finding in report.findings], report.findings[0]
    counts = {each: severities.count(each) for each in (Severity.ERROR, Severity.WARNING)}
    found = " and ".join(counted(number, each) for each, number in counts.items() if number)
    return f"{_opening(report.verdict)} {found}; the first: {worst.what} {worst.fix}"


def _evenness(report: ShardReport) -> str:
    balance = next(of_split.balance for of_split in report.splits if of_split.split == TRAIN)
    ours, hashed = 100 * balance.balanced.box_share, 100 * balance.by_hash.box_share
    return (
        f"No shard of train is over {ours:.1f} % off the mean in boxes of a class; by hash one would be {hashed:.0f} %."
    )


def _lost(report: evaluate.EvaluationReport) -> str:
    lost = report.evaluation.lost
    return (
        f"{_opening(report.verdict)} mAP at an IoU of 0.5 is {lost.plain_ap:.2f} as TFOD counts, and {lost.ap:.2f} by "
        f"the rules of Open Images for groups. Of the rest, the data would give {lost.data:.2f}, anchors and input "
        f"size {lost.anchors:.2f}, and training {lost.training:.2f}."
    )


def _opening(verdict: Verdict) -> str:
    """Its first line: dataset or hyperparameters, and what is to be kept in mind."""
    return verdict.text.partition("\n")[0]


def _inspected(dataset: Dataset, run: str, command: str, progress: Progress) -> Step:
    try:
        report = inspect.inspect(dataset, inspect.Request(run), progress)
    except DatabaseError as error:
        return Step(command, "Not done: there is no database for FiftyOne.", str(error), is_done=False)
    return Step(command, report.summary().headline, _views(report))


def _views(report: InspectReport) -> str:
    views = sum(bool(view.number) for view in report.views)
    opened = next(view for view in report.views if view.name == report.opened)
    unshown = [note for note in report.notes if note.startswith("Not shown")]
    text = (
        f"{counted(views, 'view')} of what fails; it opens on “{opened.name}”, {counted(opened.num_photos, 'photo')} "
        "with the worst first."
    )
    return " ".join((text, *unshown))
