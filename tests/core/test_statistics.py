"""Laws of what the statistics share: the ground truth, cells, counts, quantiles and histograms."""

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from oidata.core.statistics import (
    PERCENTS,
    Cells,
    ground_truth,
    histograms,
    placed,
    places,
    quantiles,
    tallies,
    truth_of,
)
from oidata.core.tables import BOXES, SPLITS
from tests.core.made import CELLS, CLASSES, DRAWN, PHOTOS, boxes, image_id, images

VALUES = st.lists(st.tuples(st.floats(-4, 4) | st.sampled_from([math.nan, math.inf]), st.integers(-1, 2)), max_size=30)
EDGES = (-2.0, -0.5, 0.0, 1.0)


@given(PHOTOS, DRAWN)
def test_ground_truth_is_what_trains(photos: list[dict[str, object]], drawn: list[dict[str, object]]) -> None:
    """A box is ground truth if and only if it is not stripped and its photo is there, ok and not dropped."""
    pictures, frame = images(*photos), boxes(*drawn)
    good = {image_id(n) for n, photo in enumerate(photos) if photo["status"] == "ok" and photo["dropped"] is None}
    expected = [row.box_id for row in frame.itertuples() if row.image_id in good and not isinstance(row.stripped, str)]
    truth = ground_truth(pictures, frame)
    assert truth["box_id"].tolist() == expected
    assert list(truth.index) == list(range(len(expected)))
    assert list(truth.columns) == [*(column.name for column in BOXES.columns), "split", "width_px", "height_px"]


@given(PHOTOS, DRAWN)
def test_a_box_knows_its_photo(photos: list[dict[str, object]], drawn: list[dict[str, object]]) -> None:
    """Split and size are those of the box's own photo; a box without one is left out."""
    for _, row in placed(images(*photos), boxes(*drawn)).iterrows():
        photo = photos[int(str(row["image_id"]), 16)]
        assert row["split"] == photo["split"]
        assert row["height_px"] == 480
        assert pd.isna(row["width_px"]) == (photo["width_px"] is None)


def test_truth_of_placed_boxes_is_the_ground_truth() -> None:
    """Placing first and choosing then is as choosing at once."""
    pictures, frame = images({}, {"status": "corrupt"}), boxes({}, {"photo": 1}, {"stripped": "group"})
    pd.testing.assert_frame_equal(truth_of(placed(pictures, frame)), ground_truth(pictures, frame))


@given(st.lists(st.tuples(st.sampled_from(SPLITS), st.sampled_from(["/m/1", "/m/2", "/m/3"]))))
def test_a_code_is_the_place_among_the_cells(rows: list[tuple[str, str]]) -> None:
    """A row's code counts the cells in their order; what is in none has -1."""
    frame = pd.DataFrame(rows, columns=["split", "mid"]).astype("str")
    order = [(split, label.mid) for split, label in CELLS]
    assert len(order) == len(CELLS)
    assert CELLS.codes(frame).tolist() == [order.index(row) if row in order else -1 for row in rows]


@given(st.lists(st.sampled_from(["a", "b", "c", None])))
def test_a_place_is_where_the_name_stands(values: list[str | None]) -> None:
    """Each value has the place of its name; one that is not there, or is null, has -1."""
    names = ["c", "a"]
    found = places(pd.Series(values, dtype="str"), names)
    assert found.tolist() == [names.index(value) if value in names else -1 for value in values]


@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(-1, 1))))
def test_tallies_count_by_group_and_name(rows: list[tuple[str, int]]) -> None:
    """Each group counts its rows by name, all names are there, and what has no name or group is not counted."""
    values, codes = pd.Series([value for value, _ in rows], dtype="str"), np.array([code for _, code in rows], int)
    assert tallies(values, codes, ["b", "a"], 2) == [
        {name: rows.count((name, group)) for name in ("b", "a")} for group in range(2)
    ]


@given(VALUES)
def test_quantiles_are_numpys_and_never_nan(rows: list[tuple[float, int]]) -> None:
    """Each group has the percentiles of its own finite values; one without any has None."""
    values, codes = np.array([value for value, _ in rows]), np.array([code for _, code in rows], int)
    for group, found in enumerate(quantiles(values, codes, 3)):
        own = [value for value, code in rows if code == group and math.isfinite(value)]
        assert list(found) == [f"p{percent}" for percent in PERCENTS]
        assert list(found.values()) == (np.percentile(own, PERCENTS).tolist() if own else [None] * len(PERCENTS))


@given(VALUES)
def test_a_histogram_adds_up(rows: list[tuple[float, int]]) -> None:
    """The bins of a group add up to its finite values, and each is what a loop counts, the ends being open."""
    values, codes = np.array([value for value, _ in rows]), np.array([code for _, code in rows], int)
    for group, found in enumerate(histograms(values, codes, 3, EDGES)):
        own = [value for value, code in rows if code == group and math.isfinite(value)]
        assert sum(found) == len(own)
        assert found == (
            sum(value < -0.5 for value in own),
            sum(-0.5 <= value < 0 for value in own),
            sum(value >= 0 for value in own),
        )


@pytest.mark.parametrize("splits", [(), ("train",)])
def test_nothing_is_counted_in_peace(splits: tuple[str, ...]) -> None:
    """Without rows there are no codes, and without splits no cells."""
    cells = Cells(CLASSES, splits)
    truth = ground_truth(images(), boxes())
    assert truth.empty
    assert cells.codes(truth).shape == (0,)
    assert len(cells) == 2 * len(splits)
