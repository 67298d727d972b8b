"""Boxes are counted by what the matcher makes of them."""

import numpy as np
import pandas as pd
from hypothesis import given
from hypothesis import strategies as st

from oidata.core.auditing.matching import SIZE_EDGES_PX, match_facts, size_buckets
from oidata.core.labels import Label, LabelMap
from oidata.core.matcher.anchors import SsdAnchors
from oidata.core.matcher.targets import Matcher, match
from oidata.core.statistics import Cells

CELLS = Cells(LabelMap((Label("/m/a", "A"), Label("/m/b", "B"))), ("train", "test"))
GRID = SsdAnchors(aspect_ratios=(1.0, 2.0, 0.5, 3.0, 0.3333)).grid(
    [(19, 19), (10, 10), (5, 5), (3, 3), (2, 2), (1, 1)], 300, 300
)


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["/m/a", "/m/b"]),
            st.sampled_from(["train", "test"]),
            st.floats(0, 0.5),
            st.floats(0, 0.5),
            st.floats(0.01, 0.5),
        ),
        max_size=30,
    )
)
def test_every_box_is_counted_once(rows: list[tuple[str, str, float, float, float]]) -> None:
    """The sizes of a class add up to all its boxes, and the three outcomes to the boxes."""
    truth = pd.DataFrame(
        {
            "mid": pd.Series([row[0] for row in rows], dtype="str"),
            "split": pd.Series([row[1] for row in rows], dtype="str"),
        }
    )
    boxes = np.array([(x, y, x + side, y + side) for _, _, x, y, side in rows], np.float32).reshape(-1, 4)
    targets = match(boxes, np.arange(len(rows)) // 3, GRID, Matcher())
    side_px = 300 * np.array([row[4] for row in rows])
    facts = match_facts(truth, side_px, targets, CELLS)
    whole = [fact for fact in facts if fact.size == "all"]
    assert [(fact.split, fact.mid) for fact in whole] == [(split, label.mid) for split, label in CELLS]
    for fact in whole:
        parts = [part for part in facts if (part.split, part.mid) == (fact.split, fact.mid) and part.size != "all"]
        for name in ("num_boxes", "num_matched", "num_forced_only", "num_starved"):
            assert getattr(fact, name) == sum(getattr(part, name) for part in parts)
        assert fact.num_boxes == fact.num_matched + fact.num_forced_only + fact.num_starved
    assert sum(fact.num_boxes for fact in whole) == len(rows)


def test_a_bucket_holds_its_lower_edge() -> None:
    """A box of exactly 32 pixels is in the bucket 32-48."""
    truth = pd.DataFrame({"mid": ["/m/a"], "split": ["train"]})
    targets = match(np.array([[0, 0, 0.1, 0.1]], np.float32), np.zeros(1, int), GRID, Matcher())
    facts = match_facts(truth, np.array([SIZE_EDGES_PX[1]]), targets, CELLS)
    assert [fact.size for fact in facts if fact.num_boxes] == ["all", "32-48"]
    assert len(size_buckets()) == len(SIZE_EDGES_PX) + 1


def test_a_box_without_an_area_has_no_size() -> None:
    """It counts among all boxes, and is neither among the small nor among the large."""
    truth = pd.DataFrame({"mid": ["/m/a"], "split": ["train"]})
    targets = match(np.array([[0.1, 0.1, 0.1, 0.2]], np.float32), np.zeros(1, int), GRID, Matcher())
    facts = match_facts(truth, np.array([np.nan]), targets, CELLS)
    assert [(fact.size, fact.num_boxes) for fact in facts if fact.num_boxes] == [("all", 1)]


def test_numbers_of_a_box_made_to_match() -> None:
    """A box that is an anchor of the third layer has IoU 1 with it and positives there; no box gives None."""
    first = GRID.layers[0].num_anchors + GRID.layers[1].num_anchors
    truth = pd.DataFrame({"mid": ["/m/a"], "split": ["train"]})
    targets = match(GRID.boxes()[[first + 40]], np.zeros(1, int), GRID, Matcher())
    fact, *_, empty = match_facts(truth, np.array([100.0]), targets, CELLS)
    assert fact.median_best_iou == 1
    assert fact.positives_per_layer[2] >= 1
    assert fact.mean_positive_anchors == sum(fact.positives_per_layer)
    assert (empty.num_boxes, empty.mean_positive_anchors, empty.median_best_iou) == (0, None, None)
