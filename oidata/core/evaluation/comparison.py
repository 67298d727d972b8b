"""What another run does better, and what worse, on the same photos."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from oidata.core.evaluation.failures import Cause, Kind

if TYPE_CHECKING:
    import pandas as pd

    from oidata.core.evaluation.evaluation import Evaluation


@dataclass(frozen=True)
class ClassChange:
    """A class before and after: AP by Open Images V2, F1 at the operating point, boxes that changed sides."""

    mid: str
    display_name: str
    ap_before: float | None
    ap_after: float | None
    f1_before: float | None
    f1_after: float | None
    num_now_found: int
    num_now_missed: int


@dataclass(frozen=True)
class CountChange:
    """How many failures have an error or, of a kind, a first cause, before and after."""

    name: str
    kind: str
    before: int
    after: int


@dataclass(frozen=True)
class Comparison:
    """The run `against`, before, and this one, after, both evaluated on the photos that both looked at."""

    against: str
    num_photos: int
    classes: tuple[ClassChange, ...]
    errors: tuple[CountChange, ...]
    causes: tuple[CountChange, ...]


def comparison(against: str, num_photos: int, before: Evaluation, after: Evaluation) -> Comparison:
    """Compare two evaluations of the same photos, splits and classes."""
    missed_before, missed_after = _missed(before.failures), _missed(after.failures)
    classes = tuple(
        ClassChange(
            mid=one.mid,
            display_name=one.display_name,
            ap_before=one.average_precision,
            ap_after=other.average_precision,
            f1_before=point_before.f1,
            f1_after=point_after.f1,
            num_now_found=_num_of(one.mid, missed_before, missed_after),
            num_now_missed=_num_of(one.mid, missed_after, missed_before),
        )
        for one, other, point_before, point_after in zip(
            before.v2.classes, after.v2.classes, before.points, after.points, strict=True
        )
    )
    errors = tuple(
        CountChange(one.error, "", one.num, other.num) for one, other in zip(before.errors, after.errors, strict=True)
    )
    causes = tuple(
        CountChange(one.cause, one.kind, one.num, other.num)
        for one, other in zip(before.causes, after.causes, strict=True)
    )
    return Comparison(against, num_photos, classes, errors, causes)


def _missed(failures: pd.DataFrame) -> pd.DataFrame:
    """The boxes that are asked for and missed."""
    is_missed = (failures["kind"] == str(Kind.MISSED)) & (failures["cause"] != str(Cause.GROUP))
    return failures.loc[is_missed, ["box_id", "mid"]]


def _num_of(mid: str, ones: pd.DataFrame, others: pd.DataFrame) -> int:
    """Boxes of a class that are among `ones` and not among `others`."""
    return int(((ones["mid"] == mid) & ~ones["box_id"].isin(others["box_id"])).sum())
