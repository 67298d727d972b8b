"""All that an evaluation says of a run, as values: metrics, operating points, errors, causes, and where AP is lost."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from oidata.core.auditing.findings import Area
from oidata.core.auditing.matching import SIZE_EDGES_PX, size_buckets
from oidata.core.evaluation.causes import false_causes, first_cause, missed_causes
from oidata.core.evaluation.coco_ap import Engine, coco_ap
from oidata.core.evaluation.error_types import ERRORS, Errors, confusion, errors
from oidata.core.evaluation.failure_table import failure_table
from oidata.core.evaluation.failures import Cause, Error, Kind
from oidata.core.evaluation.lost_ap import Standing
from oidata.core.evaluation.open_images_ap import CHALLENGE, PLAIN, V2, open_images_ap
from oidata.core.evaluation.operating_point import operating_points, thresholds
from oidata.core.tables import FLAG_VALUES, FLAGS
from oidata.errors import DatasetError

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

    from oidata.core.evaluation.causes import FalsePositives, MissedBoxes
    from oidata.core.evaluation.coco_ap import CocoAp
    from oidata.core.evaluation.evaluation_set import EvaluationSet
    from oidata.core.evaluation.open_images_ap import OpenImagesAp
    from oidata.core.evaluation.operating_point import OperatingPoint
    from oidata.core.evaluation.truth_facts import TruthFacts


# What is mended first stands first: what the metric excuses, then what no training can learn, then the rest.
AREAS = (Area.DATA, Area.ANCHORS, Area.TRAINING)


@dataclass(frozen=True)
class ErrorFacts:
    """One of TIDE's errors at the operating point.

    error           its name
    num             how many there are, and by class (MID) of the detection, or of the box that is missed
    ap_without      mAP of Open Images V2 if this error alone were mended
    gain            what that is above the mAP as it is: gains of several errors do not add up
    cumulative_ap   mAP if this one and all that stand before it were mended, in this order; the last has 1
    """

    error: str
    num: int
    num_per_class: dict[str, int]
    ap_without: float
    gain: float
    cumulative_ap: float


@dataclass(frozen=True)
class CauseFacts:
    """One cause of boxes that are missed, or of false positives.

    kind            missed, false_positive or ignored
    cause, area     its name, and where it is mended
    num             how many have it as their first cause, and by class (MID)
    num_applies     how many it applies to
    gain            what mAP of Open Images V2 gains if these are mended after all that stand before, in this order
    cumulative_ap   the mAP then; both None for what counts neither for nor against
    """

    kind: str
    cause: str
    area: str
    num: int
    num_per_class: dict[str, int]
    num_applies: int
    gain: float | None
    cumulative_ap: float | None


@dataclass(frozen=True)
class LostAp:
    """How the AP that is missing to 1, at an IoU of 0.5, divides: metric, data, anchors and training add up to `lost`.

    plain_ap   mAP if every box, groups too, were one object, as metrics have it that know no groups
    ap         mAP by the rules of Open Images V2
    metric     what these rules give back: ap - plain_ap, which can be below 0
    data, anchors, training   what mending the causes of each area gains, in this order
    """

    plain_ap: float
    ap: float
    lost: float
    metric: float
    data: float
    anchors: float
    training: float


@dataclass(frozen=True)
class FlagFacts:
    """The boxes of which a flag has a value: how many, how many are found, and mAP where these alone are asked for."""

    flag: str
    value: str
    num_truth: int
    num_found: int
    average_precision: float | None


@dataclass(frozen=True)
class SizeFacts:
    """The boxes of a size, √area in pixels at the network's input: how many, and how many are found."""

    size: str
    num_truth: int
    num_found: int


@dataclass(frozen=True, eq=False)
class Evaluation:
    """All of it.

    coco             with group boxes as COCO's crowds
    coco_plain       with group boxes as ordinary ones, as TFOD's default metric has them
    v2, challenge    by the rules of Open Images; the Challenge's with classes expanded along the hierarchy
    points           operating points
    errors, causes   in the order in which they are mended
    lost             where AP is lost
    confusion        rows true, columns detected; last background, and missed: (C + 1, C + 1)
    flags, sizes     the boxes by flag and by size at the input
    failures         FAILURES
    num_truth, num_found, num_false   boxes asked for, those found at the operating point, and false positives there
    """

    coco: CocoAp
    coco_plain: CocoAp
    v2: OpenImagesAp
    challenge: OpenImagesAp
    points: tuple[OperatingPoint, ...]
    errors: tuple[ErrorFacts, ...]
    causes: tuple[CauseFacts, ...]
    lost: LostAp
    confusion: tuple[tuple[int, ...], ...]
    flags: tuple[FlagFacts, ...]
    sizes: tuple[SizeFacts, ...]
    failures: pd.DataFrame
    num_truth: int
    num_found: int
    num_false: int


def evaluation(  # noqa: PLR0913 - two sets, what is known of them, and how to evaluate
    scored: EvaluationSet,
    expanded: EvaluationSet,
    boxes: pd.DataFrame,
    facts: TruthFacts,
    score: float | None = None,
    *,
    engine: Engine = Engine.PYCOCOTOOLS,
) -> Evaluation:
    """Evaluate. `expanded` is the same with boxes and labels passed on along the hierarchy, `boxes` are BOXES.

    `score` is the threshold for all classes, if it is not to be that of the best F1 of each; `engine` computes COCO's
    numbers. Raises DatasetError where no single box is to be found.
    """
    v2 = open_images_ap(scored, V2)
    if v2.mean_average_precision is None:
        message = f"Every box to be found is a group box or stripped ({len(scored.truth):,})."
        raise DatasetError(message, "Count stripped boxes as ground truth, or choose other splits.")
    points = operating_points(v2, score)
    floor = thresholds(points)
    found = errors(scored, v2.judgement, floor)
    standing = Standing.at_first(scored, v2.judgement, found, floor)
    missed = missed_causes(scored, v2.judgement, found, facts)
    false = false_causes(scored, v2.judgement, found)
    causes = _cause_facts(scored, standing, missed, false)
    coco = coco_ap(scored, groups_are_crowds=True, engine=engine)
    if scored.truth.is_group.any():
        coco_plain = coco_ap(scored, groups_are_crowds=False, engine=engine)
    else:
        coco_plain = replace(coco, groups_are_crowds=False)
    return Evaluation(
        coco=coco,
        coco_plain=coco_plain,
        v2=v2,
        challenge=open_images_ap(expanded, CHALLENGE),
        points=points,
        errors=_error_facts(scored, standing, found),
        causes=causes,
        lost=_lost(open_images_ap(scored, PLAIN), standing, causes),
        confusion=tuple(map(tuple, confusion(scored, found).tolist())),
        flags=_flag_facts(scored, boxes, found),
        sizes=_size_facts(facts, found),
        failures=failure_table(scored, found, missed, false, boxes["box_id"]),
        num_truth=int(found.is_asked.sum()),
        num_found=int(found.is_found.sum()),
        num_false=int((found.error >= 0).sum()),
    )


def _error_facts(scored: EvaluationSet, standing: Standing, found: Errors) -> tuple[ErrorFacts, ...]:
    ap = standing.mean_average_precision
    mended, facts = standing, []
    for error in ERRORS:
        mended, alone = mended.without_error(error), standing.without_error(error).mean_average_precision
        if error == Error.MISSED:
            label = scored.label(scored.truth.key[found.is_missed_error])
        else:
            label = scored.label(scored.detected.key[found.detections(error)])
        counts = _per_class(scored, label)
        facts.append(ErrorFacts(str(error), len(label), counts, alone, alone - ap, mended.mean_average_precision))
    return tuple(facts)


def _cause_facts(
    scored: EvaluationSet, standing: Standing, missed: MissedBoxes, false: FalsePositives
) -> tuple[CauseFacts, ...]:
    ap, facts = standing.mean_average_precision, []
    keys = {
        Kind.MISSED: scored.truth.key[missed.truth],
        Kind.FALSE_POSITIVE: scored.detected.key[false.detection],
    }
    applies = {Kind.MISSED: missed.applies, Kind.FALSE_POSITIVE: false.applies}
    first = {kind: first_cause(table) for kind, table in applies.items()}
    places = {cause: place for place, cause in enumerate(Cause)}
    for kind, cause in _in_order(applies):
        has = first[kind] == places[cause]
        counts = _per_class(scored, scored.label(keys[kind][has]))
        counted = (int(has.sum()), counts, int(applies[kind][cause].sum()))
        if cause.area == Area.METRIC:
            shown = Kind.IGNORED if kind == Kind.FALSE_POSITIVE else kind
            facts.append(CauseFacts(str(shown), str(cause), str(cause.area), *counted, None, None))
            continue
        is_missed, is_false = np.zeros(len(scored.truth), bool), np.zeros(len(scored.detected), bool)
        if kind == Kind.MISSED:
            is_missed[missed.truth[has]] = True
        else:
            is_false[false.detection[has]] = True
        standing = standing.without(is_missed, is_false)
        before, ap = ap, standing.mean_average_precision
        facts.append(CauseFacts(str(kind), str(cause), str(cause.area), *counted, ap - before, ap))
    return tuple(facts)


def _in_order(applies: dict[Kind, dict[Cause, NDArray[np.bool_]]]) -> list[tuple[Kind, Cause]]:
    """What counts neither for nor against first, then by area, in each the missed boxes, in the order of Cause."""
    pairs = [(kind, cause) for kind, table in applies.items() for cause in Cause if cause in table]
    return sorted(pairs, key=lambda pair: (Area.METRIC, *AREAS).index(pair[1].area))


def _lost(plain: OpenImagesAp, standing: Standing, causes: tuple[CauseFacts, ...]) -> LostAp:
    plain_ap, ap = plain.mean_average_precision or 0.0, standing.mean_average_precision
    by_area = {str(area): sum(each.gain or 0.0 for each in causes if each.area == area) for area in AREAS}
    return LostAp(plain_ap, ap, 1 - plain_ap, ap - plain_ap, **by_area)


def _per_class(scored: EvaluationSet, label: NDArray[np.intp]) -> dict[str, int]:
    counts = np.bincount(label, minlength=len(scored.classes.labels)).tolist()
    return dict(zip(scored.classes.mids, counts, strict=True))


def _flag_facts(scored: EvaluationSet, boxes: pd.DataFrame, found: Errors) -> tuple[FlagFacts, ...]:
    """Each flag and value that some box which is asked for has. Groups are asked for by none of these rules."""
    facts = []
    for flag in (flag for flag in FLAGS if flag != "is_group_of"):
        values = boxes[flag].to_numpy()[scored.truth.row]
        for name, value in FLAG_VALUES.items():
            has = found.is_asked & (values == value)
            if has.any():
                alone = replace(scored, truth=scored.truth.ignoring(values != value))
                ap = open_images_ap(alone, V2).mean_average_precision
                facts.append(FlagFacts(flag, name, int(has.sum()), int((has & found.is_found).sum()), ap))
    return tuple(facts)


def _size_facts(facts: TruthFacts, found: Errors) -> tuple[SizeFacts, ...]:
    bucket = np.searchsorted(SIZE_EDGES_PX, facts.side_px, side="right")
    bucket = np.where(np.isfinite(facts.side_px), bucket, -1)
    return tuple(
        SizeFacts(name, int((has := found.is_asked & (bucket == at)).sum()), int((has & found.is_found).sum()))
        for at, name in enumerate(size_buckets())
    )
