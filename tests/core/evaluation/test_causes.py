"""A case made by hand for every cause of a failure, and what the table of failures says of it."""

from collections.abc import Sequence
from functools import cache
from typing import Any, TypeAlias

import pandas as pd
import pytest

from oidata.core.auditing.anchor_numbers import anchor_numbers
from oidata.core.auditing.findings import Area
from oidata.core.config.pipeline import PipelineConfig
from oidata.core.evaluation.evaluation import Evaluation, evaluation
from oidata.core.evaluation.evaluation_set import evaluation_set
from oidata.core.evaluation.failures import FAILURES, Cause
from oidata.core.evaluation.truth_facts import TruthFacts
from oidata.core.statistics import ground_truth
from oidata.core.tables import Tables, check
from oidata.io.configs import read_config
from tests.core.made import CELLS, boxes, images, labels
from tests.core.scenes import Row, detections

Case: TypeAlias = tuple[list[Row], list[Row], Cause, set[Cause]]

SIZE_PX = 300
"""Photos are as large as the input of ssd_mobilenet_v2_coco, so that pixels are pixels."""
NMS_IOU = 0.6
"""As that config has it."""

LARGE: Row = {"xmin": 0.1, "ymin": 0.1, "xmax": 0.5, "ymax": 0.5}
"""120 px, which many anchors reach."""


@cache
def config(min_scale: float) -> PipelineConfig:
    text = read_config("ssd_mobilenet_v2_coco").text.replace("min_scale: 0.2", f"min_scale: {min_scale}")
    return PipelineConfig.parse(text, "edited")


def evaluated(
    truth: Sequence[Row],
    found: Sequence[Row],
    verdicts: Sequence[tuple[int, str, bool]] = (),
    min_scale: float = 0.2,
) -> Evaluation:
    """Boxes and detections on photos of 300 × 300 px, with the numbers that the reference config's anchors give.

    Detections count from a score of 0.3.
    """
    photos, table = images(*[{"width_px": SIZE_PX, "height_px": SIZE_PX}] * 4), boxes(*truth)
    scene = evaluation_set(Tables(photos, table, labels(*verdicts)), detections(*found), CELLS)
    numbers = anchor_numbers(config(min_scale), ground_truth(photos, table))
    return evaluation(scene, scene, table, TruthFacts.of(scene.truth, table, numbers, NMS_IOU), 0.3)


def square(x: float, y: float, side: float, **change: Any) -> Row:
    """A square of a side in pixels."""
    ends = {"xmin": x, "ymin": y, "xmax": x + side, "ymax": y + side}
    return {**{name: value / SIZE_PX for name, value in ends.items()}, **change}


def moved(row: Row, by: float) -> Row:
    """The same box, to the right by a share of its width."""
    off = (row["xmax"] - row["xmin"]) * by
    return {**row, "xmin": row["xmin"] + off, "xmax": row["xmax"] + off}


def failure(result: Evaluation, row: int, kind: str) -> "pd.Series[Any]":
    """The failure that a box or a detection is, by the number of its row."""
    table = check(result.failures, FAILURES)
    rows = table[table["kind"] == kind]
    of = rows["box_id"].str.endswith(f"-{row}") if kind == "missed" else rows["detection"] == row
    assert of.sum() == 1
    return rows[of].iloc[0]


def causes(row: "pd.Series[Any]") -> tuple[Cause, set[Cause]]:
    """The first cause, and all of them."""
    return Cause(row["cause"]), {Cause(each) for each in row["causes"].split("|")}


ANCHORED = Cause.IN_SPITE_OF_ANCHORS
OTHER: Row = {**LARGE, "photo": 2}
"""A box that is found, so that not all is missed."""

# Each: the boxes, of which the last is missed, the detections, the first cause, and all.
MISSED: dict[str, Case] = {
    "group": ([{**LARGE, "is_group_of": 1}], [], Cause.GROUP, {Cause.GROUP}),
    "starved": ([square(200, 200, 30), square(200, 200, 30)], [], Cause.STARVED, {Cause.STARVED}),
    "starved in a hole": (
        [square(200, 200, 12), square(200, 200, 12)],
        [],
        Cause.STARVED,
        {Cause.STARVED, Cause.SIZE_HOLE, Cause.TINY},
    ),
    "size hole": ([square(100, 100, 45)], [], Cause.SIZE_HOLE, {Cause.SIZE_HOLE, Cause.FORCED_ONLY}),
    "size hole and tiny": (
        [square(200, 200, 12)],
        [],
        Cause.SIZE_HOLE,
        {Cause.SIZE_HOLE, Cause.FORCED_ONLY, Cause.TINY},
    ),
    "forced only": ([square(40, 40, 46)], [], Cause.FORCED_ONLY, {Cause.FORCED_ONLY}),
    "truncated": ([{**LARGE, "is_truncated": 1}], [], Cause.TRUNCATED, {Cause.TRUNCATED}),
    "occluded": ([{**LARGE, "is_occluded": 1}], [], Cause.OCCLUDED, {Cause.OCCLUDED}),
    "depiction": ([{**LARGE, "is_depiction": 1}], [], Cause.DEPICTION, {Cause.DEPICTION}),
    "every flag": (
        [{**LARGE, "is_truncated": 1, "is_occluded": 1, "is_depiction": 1}],
        [],
        Cause.TRUNCATED,
        {Cause.TRUNCATED, Cause.OCCLUDED, Cause.DEPICTION},
    ),
    "unknown flags are none": (
        [{**LARGE, "is_truncated": -1, "is_occluded": -1, "is_depiction": -1}],
        [],
        ANCHORED,
        {ANCHORED},
    ),
    "suppressed": ([moved(LARGE, 0.1), LARGE], [moved(LARGE, 0.1)], Cause.SUPPRESSED, {Cause.SUPPRESSED}),
    "a neighbour that is not found": ([moved(LARGE, 0.1), LARGE], [], ANCHORED, {ANCHORED}),
    "a neighbour too far": ([moved(LARGE, 0.3), LARGE], [moved(LARGE, 0.3)], ANCHORED, {ANCHORED}),
    "below the threshold": ([LARGE], [{**LARGE, "score": 0.2}], Cause.BELOW_THRESHOLD, {Cause.BELOW_THRESHOLD}),
    "taken for another": ([LARGE], [{**LARGE, "mid": "/m/2"}], Cause.TAKEN_FOR_OTHER, {Cause.TAKEN_FOR_OTHER}),
    "taken for another below the threshold": (
        [LARGE],
        [{**LARGE, "mid": "/m/2", "score": 0.2}],
        ANCHORED,
        {ANCHORED},
    ),
    "in spite of anchors": ([LARGE], [], ANCHORED, {ANCHORED}),
    "below the threshold and taken for another": (
        [LARGE],
        [{**LARGE, "score": 0.2}, {**LARGE, "mid": "/m/2"}],
        Cause.BELOW_THRESHOLD,
        {Cause.BELOW_THRESHOLD, Cause.TAKEN_FOR_OTHER},
    ),
    "all that can become of one": (
        [moved(LARGE, 0.2), LARGE],
        [moved(LARGE, 0.2), {**LARGE, "score": 0.2}, {**LARGE, "mid": "/m/2"}],
        Cause.SUPPRESSED,
        {Cause.SUPPRESSED, Cause.BELOW_THRESHOLD, Cause.TAKEN_FOR_OTHER},
    ),
}


@pytest.mark.parametrize("name", MISSED)
def test_why_a_box_is_missed(name: str) -> None:
    """A hand-made case for each cause, with the real anchors' numbers: the first cause, and all that apply."""
    truth, found, first, every = MISSED[name]
    result = evaluated([OTHER, *truth], [OTHER, *found])
    assert causes(failure(result, len(truth), "missed")) == (first, every)


def test_a_tiny_box_may_have_anchors() -> None:
    """With anchors as small as that of min_scale 0.05, a box of 15 px in the middle of a cell is tiny and no more."""
    cell_px = SIZE_PX / 19
    tiny = square(10.5 * cell_px - 7.5, 10.5 * cell_px - 7.5, 15)
    result = evaluated([OTHER, tiny], [OTHER], min_scale=0.05)
    assert causes(failure(result, 1, "missed")) == (Cause.TINY, {Cause.TINY})
    result = evaluated([OTHER, tiny], [OTHER])
    assert causes(failure(result, 1, "missed"))[0] == Cause.SIZE_HOLE


@pytest.mark.parametrize(
    "found, cause, detection, score, iou, other_mid",
    [
        pytest.param([], ANCHORED, None, None, None, None, id="nothing"),
        pytest.param([moved(LARGE, 0.2)], Cause.SUPPRESSED, 1, 0.5, 0.8 / 1.2, None, id="the neighbour's"),
        pytest.param([{**LARGE, "score": 0.2}], Cause.BELOW_THRESHOLD, 1, 0.2, 1, None, id="the weak one"),
        pytest.param([{**LARGE, "mid": "/m/2"}], Cause.TAKEN_FOR_OTHER, 1, 0.5, 1, "/m/2", id="the other class's"),
        pytest.param(
            [{**moved(LARGE, 0.3), "mid": "/m/2", "score": 0.9}, {**LARGE, "mid": "/m/2", "score": 0.4}],
            Cause.TAKEN_FOR_OTHER,
            2,
            0.4,
            1,
            "/m/2",
            id="of two the one that fits best",
        ),
        pytest.param(
            [moved(LARGE, 0.2), {**LARGE, "score": 0.2}, {**LARGE, "mid": "/m/2"}],
            Cause.SUPPRESSED,
            1,
            0.5,
            0.8 / 1.2,
            None,
            id="that of the first cause",
        ),
    ],
)
def test_what_explains_a_miss(  # noqa: PLR0913, PLR0917 - a row of FAILURES
    found: list[Row], cause: Cause, detection: int | None, score: float | None, iou: float | None, other_mid: str | None
) -> None:
    """The row of a missed box has the detection that explains it, how it overlaps the box, and another class."""
    row = failure(evaluated([OTHER, moved(LARGE, 0.2), LARGE], [OTHER, *found]), 2, "missed")
    values = [None if pd.isna(row[name]) else row[name] for name in ("detection", "score", "iou", "other_mid")]
    assert row["cause"] == cause
    assert values[0] == detection
    assert values[1:3] == [score if score is None else pytest.approx(score), iou if iou is None else pytest.approx(iou)]
    assert (values[3], row["mid"]) == (other_mid, "/m/1")


STRIPPED: Row = {**LARGE, "stripped": "truncated"}
GROUP: Row = {"xmin": 0.0, "ymin": 0.0, "xmax": 1.0, "ymax": 1.0, "is_group_of": 1}

# Each: the boxes, the detections, of which the last is no true positive, the first cause, and all.
FALSE: dict[str, Case] = {
    "on a stripped box": ([STRIPPED], [LARGE], Cause.ON_STRIPPED, {Cause.ON_STRIPPED}),
    "in a group": ([GROUP], [LARGE], Cause.IN_GROUP, {Cause.IN_GROUP}),
    "duplicate": ([LARGE], [LARGE, {**LARGE, "score": 0.4}], Cause.DUPLICATE, {Cause.DUPLICATE}),
    "localisation": ([LARGE], [moved(LARGE, 0.5)], Cause.LOCALISATION, {Cause.LOCALISATION}),
    "other class": (
        [{**LARGE, "mid": "/m/2"}, {**square(200, 200, 90)}],
        [LARGE],
        Cause.OTHER_CLASS,
        {Cause.OTHER_CLASS},
    ),
    "neither class nor place": (
        [{**LARGE, "mid": "/m/2"}, {**square(200, 200, 90)}],
        [moved(LARGE, 0.5)],
        Cause.OTHER_CLASS,
        {Cause.OTHER_CLASS},
    ),
    "other class, and nobody looked for its own": (
        [{**LARGE, "mid": "/m/2"}],
        [LARGE],
        Cause.OTHER_CLASS,
        {Cause.OTHER_CLASS, Cause.UNVERIFIED},
    ),
    "unverified": ([], [{**LARGE, "photo": 1}], Cause.UNVERIFIED, {Cause.UNVERIFIED}),
    "background of a photo with the class": ([LARGE], [square(200, 200, 60)], Cause.BACKGROUND, {Cause.BACKGROUND}),
}


@pytest.mark.parametrize("name", FALSE)
def test_why_a_detection_is_false(name: str) -> None:
    """A hand-made case for each cause: the first, and all that apply. What is ignored is no failure."""
    truth, found, first, every = FALSE[name]
    result = evaluated([OTHER, *truth], [OTHER, *found])
    kind = "ignored" if first.area == Area.METRIC else "false_positive"
    row = failure(result, len(found), kind)
    assert causes(row) == (first, every)
    assert pd.isna(row["error"]) == (kind == "ignored")


@pytest.mark.parametrize("is_present", [True, False])
def test_where_the_class_was_looked_for_it_is_background(is_present: bool) -> None:  # noqa: FBT001 - a verdict
    """A verified label of the class, present or absent, says that somebody looked: then it is no missing label."""
    found: list[Row] = [OTHER, {**LARGE, "photo": 1}]
    result = evaluated([OTHER], found, [(1, "/m/1", is_present), (1, "/m/2", True)])
    assert causes(failure(result, 1, "false_positive")) == (Cause.BACKGROUND, {Cause.BACKGROUND})


@pytest.mark.parametrize(
    "truth, found, box, iou, other_mid",
    [
        pytest.param([LARGE], [moved(LARGE, 0.5)], 1, 1 / 3, None, id="beside"),
        pytest.param([{**LARGE, "mid": "/m/2"}], [LARGE], 1, 1, "/m/2", id="of another class"),
        pytest.param([STRIPPED], [LARGE], 1, 1, None, id="on a stripped box"),
        pytest.param([GROUP], [LARGE], 1, 0.16, None, id="in a group"),
        pytest.param([], [LARGE], None, None, None, id="of nothing"),
    ],
)
def test_what_a_false_detection_is_due_to(
    truth: list[Row], found: list[Row], box: int | None, iou: float | None, other_mid: str | None
) -> None:
    """The row of a detection has the box that it is due to, how they overlap, and that box's class if it is another."""
    result = evaluated([OTHER, *truth], [OTHER, *found])
    row = result.failures[result.failures["detection"] == 1].iloc[-1]
    assert (None if pd.isna(row["box_id"]) else int(row["box_id"].split("-")[1])) == box
    assert (None if pd.isna(row["iou"]) else row["iou"]) == (iou if iou is None else pytest.approx(iou))
    assert (None if pd.isna(row["other_mid"]) else row["other_mid"], row["mid"]) == (other_mid, "/m/1")
    assert row["score"] == 0.5


def test_each_cause_has_its_count() -> None:
    """On one set of photos the counts of first causes are those that were put there, by class."""
    truth: list[Row] = [
        # Photo 0: nothing is found.
        {**GROUP, "mid": "/m/2"},
        {**LARGE, "is_truncated": 1},
        *(square(200, 200, 45), square(40, 40, 46)),
        *[square(200, 20, 30)] * 2,
        # Photo 1: classes are mixed up, and one is found too weakly.
        {**LARGE, "photo": 1, "mid": "/m/2"},
        square(200, 200, 90, photo=1, mid="/m/2"),
        # Photo 2: some are found, some are not.
        {**LARGE, "photo": 2, "stripped": "depiction"},
        square(200, 200, 90, photo=2),
        square(209, 200, 90, photo=2),
        square(200, 10, 90, photo=2, is_occluded=1),
        # Photo 3
        square(10, 10, 90, photo=3, is_depiction=1),
        square(10, 200, 90, photo=3),
        square(200, 10, 90, photo=3, is_group_of=1),
    ]
    found: list[Row] = [
        {**LARGE, "photo": 1},  # a Two taken for a One, which nobody looked for there
        square(200, 200, 90, photo=1, mid="/m/2", score=0.2),
        {**LARGE, "photo": 2},
        square(200, 200, 90, photo=2),
        square(200, 200, 90, photo=2, score=0.4),
        square(10, 200, 60, photo=2),
        square(55, 200, 90, photo=3),
        square(210, 20, 50, photo=3),
        square(120, 120, 60, photo=3, mid="/m/2"),  # where nobody looked for a Two
    ]
    result = evaluated(truth, found)
    counts = {each.cause: tuple(each.num_per_class.values()) for each in result.causes}
    assert counts == {
        Cause.GROUP: (0, 1),
        Cause.STARVED: (1, 0),
        Cause.SIZE_HOLE: (1, 0),
        Cause.FORCED_ONLY: (1, 0),
        Cause.TRUNCATED: (1, 0),
        Cause.OCCLUDED: (1, 0),
        Cause.DEPICTION: (1, 0),
        Cause.TINY: (0, 0),
        Cause.SUPPRESSED: (1, 0),
        Cause.BELOW_THRESHOLD: (0, 1),
        Cause.TAKEN_FOR_OTHER: (0, 1),
        Cause.IN_SPITE_OF_ANCHORS: (2, 0),
        Cause.ON_STRIPPED: (1, 0),
        Cause.IN_GROUP: (1, 0),
        Cause.DUPLICATE: (1, 0),
        Cause.LOCALISATION: (1, 0),
        Cause.OTHER_CLASS: (1, 0),
        Cause.UNVERIFIED: (0, 1),
        Cause.BACKGROUND: (1, 0),
    }
    assert (result.num_truth, result.num_found, result.num_false) == (12, 1, 5)
    assert sum(each.num for each in result.causes if each.area == Area.METRIC) == 3


def test_every_cause_is_met() -> None:
    """The cases above leave no cause out; only a tiny box needs other anchors to be that first."""
    assert {first for _, _, first, _ in (*MISSED.values(), *FALSE.values())} == set(Cause) - {Cause.TINY}
