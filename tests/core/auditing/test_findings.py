"""Findings are ranked by severity, and the verdict goes by the worst on either side."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oidata.core.auditing.findings import Area, Finding, Severity, ranked, reaches, verdict


def finding(area: Area = Area.DATA, severity: Severity = Severity.WARNING, name: str = "x") -> Finding:
    return Finding(name, area, severity, f"What {name}.", "evidence", "effect", f"Mend {name}.", "source")


FINDINGS = st.lists(st.builds(finding, st.sampled_from(Area), st.sampled_from(Severity), st.text(max_size=3)))


@given(FINDINGS)
def test_ranking_is_a_stable_sort(findings: list[Finding]) -> None:
    """The most severe come first, equally severe ones in the order in which they came, and none is lost."""
    result = ranked(findings)
    expected = [finding for severity in Severity for finding in findings if finding.severity == severity]
    assert list(result) == expected


@given(FINDINGS, st.sampled_from(Severity))
def test_a_gate_sees_what_is_at_least_as_severe(findings: list[Finding], severity: Severity) -> None:
    """A gate holds if, and only if, every finding is less severe."""
    worst = min((finding.severity.rank for finding in findings), default=len(Severity))
    assert reaches(findings, severity) == (worst <= severity.rank)


@pytest.mark.parametrize(
    "findings, answer",
    [
        ([], "neither"),
        ([finding(severity=Severity.INFO), finding(Area.TRAINING, Severity.INFO)], "neither"),
        ([finding()], "dataset"),
        ([finding(Area.TRAINING)], "hyperparameters"),
        ([finding(Area.ANCHORS)], "hyperparameters"),
        ([finding(), finding(Area.TRAINING)], "both"),
        ([finding(severity=Severity.ERROR), finding(Area.TRAINING)], "dataset"),
        ([finding(), finding(Area.ANCHORS, Severity.ERROR)], "hyperparameters"),
        ([finding(Area.METRIC)], "metric"),
        ([finding(), finding(Area.METRIC, Severity.ERROR)], "dataset"),
    ],
)
def test_the_worst_on_either_side_decides(findings: list[Finding], answer: str) -> None:
    """Dataset or hyperparameters: the side with the worse finding, both where they are equal."""
    assert verdict(findings).answer == answer


def test_the_paragraph_names_what_and_what_first() -> None:
    """The text holds the worst finding of each area, how many more, and their fixes: of equals the cheapest first."""
    named = [
        *(finding(name=name) for name in "bcd"),
        finding(Area.METRIC, Severity.ERROR, "e"),
        finding(Area.TRAINING, name="a"),
    ]
    text = verdict(named).text
    assert "Training: What a." in text
    assert "Data: What b (2 more)." in text
    assert "Anchors: nothing serious." in text
    assert text.endswith("First: Mend e.\nThen: Mend a.\nAfter that: Mend b.")


@pytest.mark.parametrize("findings", [[], [finding()], [finding(Area.ANCHORS)], [finding(), finding(Area.ANCHORS)]])
def test_nothing_is_said_of_what_was_not_judged(findings: list[Finding]) -> None:
    """An area that was not judged has no verdict but why, and without training the anchors alone are the other side."""
    text = verdict(findings, {Area.TRAINING: "for want of a config"}).text
    assert "Training: not judged, for want of a config." in text
    assert "the anchors" in text.partition(".")[0]
    assert "hyperparameters" not in text
