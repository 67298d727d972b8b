"""Laws of boxes that stand there under several classes."""

from collections.abc import Mapping
from random import Random
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from oidata.core.auditing.twins import EXAMPLES_MAX, TWIN_IOU, twin_facts, twins
from oidata.core.statistics import ground_truth
from tests.core.made import CELLS, boxes, images

LOW, HIGH = st.sampled_from([0.0, 0.2, 0.21, 0.25]), st.sampled_from([0.2, 0.6, 0.61, 0.625, 1.0])
DRAWN = st.lists(
    st.fixed_dictionaries(
        {
            "photo": st.integers(0, 2),
            "mid": st.sampled_from(["/m/1", "/m/2", "/m/3"]),
            "xmin": LOW,
            "ymin": LOW,
            "xmax": HIGH,
            "ymax": HIGH,
        }
    ),
    max_size=12,
)
THREE: tuple[dict[str, object], ...] = ({}, {"split": "test"}, {"split": "validation"})


def truth_of(*drawn: Mapping[str, object]) -> pd.DataFrame:
    """Ground truth on three photos, one of a split that is not asked for."""
    return ground_truth(images(*THREE), boxes(*drawn))


def plain(truth: pd.DataFrame) -> set[frozenset[str]]:
    """The box ids of all twins, by looking at every pair."""
    asked_for = truth["mid"].isin(CELLS.classes.mids) & truth["split"].isin(CELLS.splits)
    rows: list[Any] = list(truth[asked_for].itertuples())
    return {
        frozenset((str(one.box_id), str(other.box_id)))
        for place, one in enumerate(rows)
        for other in rows[:place]
        if one.image_id == other.image_id and one.mid != other.mid and agree(one, other)
    }


def agree(one: Any, other: Any) -> bool:
    """Whether two boxes are equal, or their IoU is enough."""
    a, b = ([float(getattr(row, name)) for name in ("xmin", "ymin", "xmax", "ymax")] for row in (one, other))
    width, height = (max(min(a[k + 2], b[k + 2]) - max(a[k], b[k]), 0) for k in range(2))
    union = sum((box[2] - box[0]) * (box[3] - box[1]) for box in (a, b)) - width * height
    return a == b or (union > 0 and width * height / union >= TWIN_IOU)


@settings(max_examples=40)  # each builds and joins tables
@given(DRAWN)
def test_twins_are_what_every_pair_gives(drawn: list[dict[str, object]]) -> None:
    """The sweep finds exactly the pairs of one photo and two classes that are equal or agree enough, each once."""
    truth = truth_of(*drawn)
    found = [frozenset(pair) for pair in twins(truth, CELLS)[["box_id", "other_box_id"]].itertuples(index=False)]
    assert len(found) == len(set(found))
    assert set(found) == plain(truth)


@settings(max_examples=40)  # each builds and joins tables
@given(DRAWN, st.randoms(use_true_random=False))
def test_the_order_of_the_boxes_does_not_matter(drawn: list[dict[str, object]], random: Random) -> None:
    """In another order of the rows the same pairs are found."""
    truth = truth_of(*drawn)
    order = random.sample(range(len(truth)), len(truth))
    shuffled = truth.iloc[order].reset_index(drop=True)
    assert plain(shuffled) == plain(truth)
    one, other = (
        twins(frame, CELLS).sort_values(["box_id", "other_box_id"]).reset_index(drop=True)
        for frame in (truth, shuffled)
    )
    pd.testing.assert_frame_equal(one, other)


@pytest.mark.parametrize(
    "change, num",
    [
        ({}, 1),
        ({"xmax": 0.4875}, 1),  # IoU 0.95
        ({"xmax": 0.48}, 0),
        ({"xmin": 0.26}, 1),  # IoU 0.96, begins later
        ({"xmin": 0.24}, 1),  # begins earlier
        ({"photo": 1}, 0),
        ({"mid": "/m/1"}, 0),
        ({"mid": "/m/3"}, 0),
        ({"stripped": "group"}, 0),
    ],
)
def test_by_example(change: dict[str, object], num: int) -> None:
    """The same box, or nearly the same, of another class in the same photo is a twin; any other is not."""
    truth = truth_of({}, {"mid": "/m/2", **change})
    assert len(twins(truth, CELLS)) == num


def test_boxes_that_are_none_cause_no_error() -> None:
    """NaN and infinity agree with nothing; equal boxes without an area agree."""
    flat = {"xmax": 0.25}
    bad = [{key: value, "mid": mid} for key, value in (("xmin", np.nan), ("ymax", np.inf)) for mid in ("/m/1", "/m/2")]
    found = twins(truth_of(flat, {**flat, "mid": "/m/2"}, *bad), CELLS)
    assert found["iou"].tolist() == [1.0]


def test_facts_name_classes_and_boxes() -> None:
    """By split and pair of classes there is the number of pairs and the box ids, the lower class first."""
    truth = truth_of({"mid": "/m/2"}, {}, {"photo": 1}, {"photo": 1, "mid": "/m/2"})
    facts = twin_facts(twins(truth, CELLS), CELLS)
    assert [(fact.split, fact.display_name, fact.other_display_name, fact.num_pairs) for fact in facts] == [
        ("train", "One", "Two", 1),
        ("test", "One", "Two", 1),
    ]
    assert facts[0].examples == (("0000000000000000-1", "0000000000000000-0"),)


def test_examples_are_bounded() -> None:
    """All pairs are counted, and the first of them listed."""
    facts = twin_facts(twins(truth_of(*[{"mid": f"/m/{1 + row % 2}"} for row in range(30)]), CELLS), CELLS)
    assert facts[0].num_pairs == 225
    assert len(facts[0].examples) == EXAMPLES_MAX
