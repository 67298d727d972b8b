"""Close pairs are those that a look at all pairs finds."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from oidata.core.auditing.piles import close_pairs, num_suppressed
from oidata.core.boxes import iou

SIDES = st.integers(0, 8)
BOXES = st.lists(
    st.tuples(st.integers(0, 2), st.sampled_from(["/m/a", "/m/b"]), SIDES, SIDES, SIDES, SIDES), max_size=25
)


def table(rows: list[tuple[int, str, int, int, int, int]]) -> pd.DataFrame:
    """Boxes on a coarse grid, so that equal and touching ones are frequent."""
    return pd.DataFrame(
        {
            "image_id": [f"{row[0]:016x}" for row in rows],
            "mid": [row[1] for row in rows],
            "xmin": [row[2] / 16 for row in rows],
            "ymin": [row[3] / 16 for row in rows],
            "xmax": [(row[2] + row[4]) / 16 for row in rows],
            "ymax": [(row[3] + row[5]) / 16 for row in rows],
        }
    )


@given(BOXES, st.sampled_from([0.1, 0.5, 0.6, 0.95]))
def test_no_close_pair_is_missed(rows: list[tuple[int, str, int, int, int, int]], min_iou: float) -> None:
    """The pairs found are all pairs of a photo whose IoU reaches the threshold; equal boxes have IoU 1."""
    truth = table(rows)
    one, other, _ = close_pairs(truth, min_iou)
    xyxy = truth[["xmin", "ymin", "xmax", "ymax"]].to_numpy(np.float64).reshape(-1, 4)
    equal = (xyxy[:, None] == xyxy).all(axis=2)
    close = (iou(xyxy, xyxy) >= min_iou) | equal
    photo = truth["image_id"].to_numpy()
    expected = np.argwhere(np.triu(close & (photo[:, None] == photo), 1))
    assert {tuple(sorted(pair)) for pair in zip(one.tolist(), other.tolist(), strict=True)} == set(
        map(tuple, expected.tolist())
    )


def test_suppressed_boxes_are_those_of_one_class() -> None:
    """Two equal boxes of a class are two boxes that NMS would make one; a box of another class suppresses nothing."""
    rows = [(0, "/m/a", 0, 0, 4, 4), (0, "/m/a", 0, 0, 4, 4), (0, "/m/b", 0, 0, 4, 4), (1, "/m/a", 0, 0, 4, 4)]
    assert num_suppressed(table(rows), 0.6) == 2
    assert num_suppressed(table([]), 0.6) == 0


def test_the_iou_of_a_pair() -> None:
    """Half of a box over another half is IoU 1/3."""
    truth = table([(0, "/m/a", 0, 0, 4, 4), (0, "/m/a", 2, 0, 4, 4)])
    assert close_pairs(truth, 0.3)[2] == pytest.approx([1 / 3])
