"""Findings: what an audit says of data, anchors, training and metric, each with its evidence; and the verdict."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence


class Severity(StrEnum):
    """How much a finding costs, the worst first.

    error: training or its metric cannot come out right. warning: it costs mAP that can be had. info: worth knowing.
    """

    ERROR = "error"
    WARNING = "warning"
    INFO = "info"

    @property
    def rank(self) -> int:
        """0 for the worst."""
        return list(Severity).index(self)


class Area(StrEnum):
    """What a finding is about."""

    DATA = "data"
    ANCHORS = "anchors"
    TRAINING = "training"
    METRIC = "metric"


@dataclass(frozen=True)
class Finding:
    """One thing that holds for this dataset and this config.

    `name` is stable, for machines. `what` is the fact, `evidence` the numbers behind it, `effect` what to expect of
    it, `fix` what to do, `source` where the rule comes from.
    """

    name: str
    area: Area
    severity: Severity
    what: str
    evidence: str
    effect: str
    fix: str
    source: str


def by_area(findings: Iterable[Finding]) -> dict[Area, list[Finding]]:
    """Findings, the most severe first, by area; so the areas stand in the order of their worst."""
    areas: dict[Area, list[Finding]] = {}
    for finding in findings:
        areas.setdefault(finding.area, []).append(finding)
    return areas


@dataclass(frozen=True)
class Verdict:
    """Is it the dataset or the hyperparameters, and what first.

    `answer` is one word for machines; `text` says it, then a line for each area, and one for each step to take.
    `answer` is dataset, hyperparameters, both, metric, neither, or (without the train split) unknown. Where training
    was not judged, as of a reference config, the hyperparameters are the anchors alone, and the text says anchors.
    """

    answer: str
    text: str


_OPENINGS = {
    "both": "It is both, the dataset and the {}.",
    "dataset": "It is the dataset more than the {}.",
    "hyperparameters": "It is the {} more than the dataset.",
    "metric": "It is neither the dataset nor the {} so much as the metric.",
    "unknown": "Train was not audited, so nothing can be said of the dataset or the {}.",
    "neither": "Neither the dataset nor the {} stand in the way, as far as can be seen before training.",
}
_HYPERPARAMETERS = (Area.ANCHORS, Area.TRAINING)
# What a fix costs: a line of the config, a look at the data, a training with other anchors, more validation photos.
_BY_COST = (Area.TRAINING, Area.DATA, Area.ANCHORS, Area.METRIC)


def ranked(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """The findings, the most severe first; equally severe ones keep their order, which is that of their weight."""
    return tuple(sorted(findings, key=lambda finding: finding.severity.rank))


def reaches(findings: Iterable[Finding], severity: Severity) -> bool:
    """Whether a finding is at least as severe as `severity`."""
    return any(finding.severity.rank <= severity.rank for finding in findings)


def verdict(
    findings: Sequence[Finding], unjudged: Mapping[Area, str] | None = None, *, has_train: bool = True
) -> Verdict:
    """Dataset or hyperparameters, and what first. Information accuses nobody; the worst finding of a side decides.

    `unjudged` says why areas were not judged, as the end of a sentence. Without the train split there is no answer.
    """
    unjudged = unjudged or {}
    serious = [finding for finding in ranked(findings) if finding.severity != Severity.INFO]
    answer = _answer(serious) if has_train else "unknown"
    opening = _OPENINGS[answer].format("anchors" if Area.TRAINING in unjudged else "hyperparameters")
    areas = Area if has_train else (Area.METRIC,)
    lines = [opening, *(_worst_of(area, serious, unjudged) for area in areas), *_steps(serious)]
    return Verdict(answer, "\n".join(line for line in lines if line))


def _answer(serious: Collection[Finding]) -> str:
    data = _worst_rank(finding for finding in serious if finding.area == Area.DATA)
    hyperparameters = _worst_rank(finding for finding in serious if finding.area in _HYPERPARAMETERS)
    if data == hyperparameters == len(Severity):
        return "metric" if serious else "neither"
    if data == hyperparameters:
        return "both"
    return "dataset" if data < hyperparameters else "hyperparameters"


def _worst_rank(findings: Iterable[Finding]) -> int:
    return min((finding.severity.rank for finding in findings), default=len(Severity))


def _worst_of(area: Area, serious: Sequence[Finding], unjudged: Mapping[Area, str]) -> str:
    if area in unjudged:
        return f"{area.title()}: not judged, {unjudged[area]}."
    own = [finding for finding in serious if finding.area == area]
    if not own:
        return "" if area == Area.METRIC else f"{area.title()}: nothing serious."
    more = f" ({len(own) - 1} more)" if len(own) > 1 else ""
    return f"{area.title()}: {own[0].what.removesuffix('.')}{more}."


def _steps(serious: Sequence[Finding]) -> list[str]:
    """What to do first: the worst finding of each area, and of equally severe ones the one that is cheapest to mend."""
    words = ("First", "Then", "After that", "Last")
    worst = [next((finding for finding in serious if finding.area == area), None) for area in _BY_COST]
    steps = ranked(finding for finding in worst if finding)
    return [f"{word}: {finding.fix}" for word, finding in zip(words, steps, strict=False)]
