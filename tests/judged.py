"""A run of a dataset made by hand: every kind of failure, each as often as is told, on boxes that are there."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import cycle

import pandas as pd

from oidata.core.evaluation.failures import FAILURES, Cause, Error, Kind
from oidata.core.statistics import ground_truth
from oidata.core.tables import COORDINATES, DETECTIONS
from oidata.dataset import Dataset
from oidata.runs import Run, RunInfo

# What becomes of one ground-truth box after the other, again and again. A cause of a detection is one on that box.
FATES: tuple[Cause | None, ...] = (
    None,
    None,
    Cause.SIZE_HOLE,
    Cause.OTHER_CLASS,
    Cause.IN_SPITE_OF_ANCHORS,
    None,
    Cause.LOCALISATION,
    Cause.STARVED,
    Cause.DUPLICATE,
    Cause.BELOW_THRESHOLD,
    Cause.UNVERIFIED,
    Cause.OCCLUDED,
    Cause.BACKGROUND,
)
ERRORS = {
    Cause.OTHER_CLASS: Error.CLASSIFICATION,
    Cause.LOCALISATION: Error.LOCALISATION,
    Cause.DUPLICATE: Error.DUPLICATE,
    Cause.UNVERIFIED: Error.BACKGROUND,
    Cause.BACKGROUND: Error.BACKGROUND,
}
THRESHOLD = 0.3


@dataclass
class Maker:
    """Detections and failures so far."""

    mids: tuple[str, ...]
    detections: list[dict[str, object]]
    failures: list[dict[str, object]]

    def box(self, box: dict[str, object], fate: Cause | None, score: float) -> None:
        """Let one ground-truth box have its fate."""
        other = next(mid for mid in self.mids if mid != box["mid"])
        on_it = {name: box[name] for name in ("image_id", "mid", *COORDINATES)}
        if fate in (None, Cause.DUPLICATE):
            self.detections.append({**on_it, "score": score})
        if fate == Cause.BELOW_THRESHOLD:
            self.detections.append({**on_it, "score": THRESHOLD / 2})
            self.fail(box, Kind.MISSED, fate, Error.MISSED, detection=len(self.detections) - 1)
        elif fate in ERRORS:
            self.detections.append(self.wrong(on_it, fate, other, score))
            made = self.detections[-1]
            named = {"mid": made["mid"], "other_mid": box["mid"] if fate == Cause.OTHER_CLASS else None}
            is_on_box = ERRORS[fate] != Error.BACKGROUND
            self.fail(
                box | named,
                Kind.FALSE_POSITIVE,
                fate,
                ERRORS[fate],
                detection=len(self.detections) - 1,
                box_id=box["box_id"] if is_on_box else None,
                score=score,
                other_mid=named["other_mid"],
            )
            if fate == Cause.OTHER_CLASS:
                self.fail(box, Kind.MISSED, Cause.TAKEN_FOR_OTHER, Error.MISSED, other_mid=other)
        elif fate is not None:
            self.fail(box, Kind.MISSED, fate, Error.MISSED)

    def wrong(self, on_it: dict[str, object], fate: Cause, other: str, score: float) -> dict[str, object]:
        """The detection that is wrong."""
        if fate == Cause.OTHER_CLASS:
            return {**on_it, "mid": other, "score": score}
        if fate == Cause.DUPLICATE:
            return {**on_it, "score": score * 0.9}
        xmin, xmax = float(str(on_it["xmin"])), float(str(on_it["xmax"]))
        return {**on_it, "xmin": xmin + (xmax - xmin) / 2, "score": score}

    def fail(self, box: dict[str, object], kind: Kind, cause: Cause, error: Error | None, **values: object) -> None:
        """Note a failure down."""
        names = [column.name for column in FAILURES.columns]
        row = dict.fromkeys(names) | {name: box[name] for name in ("image_id", "mid", "box_id")}
        self.failures.append(row | {"kind": kind, "cause": cause, "causes": cause, "error": error} | values)


def judged_run(dataset: Dataset, name: str = "ssd", fates: tuple[Cause | None, ...] = FATES) -> Run:
    """Write a run, and the evaluation of it, in which the boxes of a dataset have the `fates` in turn."""
    truth = ground_truth(dataset.images(), dataset.boxes())
    maker = Maker(dataset.info.classes.mids, [], [])
    for box, fate, score in zip(truth.to_dict("records"), cycle(fates), _scores(), strict=False):
        maker.box({str(key): value for key, value in box.items()}, fate, score)
    maker.detections.append({**maker.detections[0], "score": THRESHOLD / 3})  # that explains nothing
    processed = tuple(sorted(truth["image_id"].unique()))
    info = RunInfo("made.parquet", "0" * 64, False, None, None, 0.05, dataset.info.splits, processed, {})  # noqa: FBT003
    run = Run.create(dataset, name, info, DETECTIONS.conform(pd.DataFrame(maker.detections)), None)
    failures = FAILURES.conform(pd.DataFrame(maker.failures))
    points = [{"mid": mid, "threshold": THRESHOLD} for mid in dataset.info.classes.mids]
    report = {"made_from": run.hashes(), "operating_points": points}
    run.write_evaluation(report, failures, "")
    return run


def _scores() -> Iterator[float]:
    yield from cycle([0.95, 0.5, 0.8, 0.65, 0.35])
