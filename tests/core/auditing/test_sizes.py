"""Laws of box sizes, shapes and places."""

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from oidata.core.auditing.sizes import (
    HEAT_CELLS,
    RATIO_EDGES,
    SIDE_EDGES,
    SIDE_EDGES_PX,
    InputBoxes,
    SizeFacts,
    size_facts,
)
from oidata.core.statistics import Cells, ground_truth
from oidata.core.tables import COORDINATES
from oidata.dataset import Dataset
from oidata.fetch import Network, Request, fetch
from tests.core.made import CELLS, boxes, images

NUMBERS = st.sampled_from([0.0, 0.03125, 0.05, 0.25, 0.26, 0.5, 0.98, 1.0]) | st.floats(-0.5, 1.5, width=32)
ODD = st.sampled_from([float("nan"), float("inf")])
DRAWN = st.lists(
    st.fixed_dictionaries(
        {
            "photo": st.integers(0, 2),
            "mid": st.sampled_from(["/m/1", "/m/2", "/m/3"]),
            **dict.fromkeys(COORDINATES, NUMBERS | ODD),
        }
    ),
    max_size=8,
)


def truth_of(*drawn: Mapping[str, object]) -> pd.DataFrame:
    """Ground truth on three photos: 640 by 480, of unknown size, and of a split that is not asked for."""
    pictures = images({}, {"split": "test", "width_px": None, "height_px": None}, {"split": "validation"})
    return ground_truth(pictures, boxes(*drawn))


def facts_of(truth: pd.DataFrame, cells: Cells = CELLS, width_px: float = 300, height_px: float = 300) -> SizeFacts:
    """Sizes at an input that the photos are squashed to."""
    return size_facts(truth, InputBoxes(truth[list(COORDINATES)].to_numpy(), width_px, height_px), cells)


@given(DRAWN)
def test_sizes_add_up(drawn: list[dict[str, object]]) -> None:
    """Every cell is there, and its histograms and size classes add up to its boxes; all of it is plain JSON."""
    truth = truth_of(*drawn)
    facts = facts_of(truth)
    json.dumps(asdict(facts), allow_nan=False)
    assert [(row.split, row.mid) for row in facts.classes] == [(split, label.mid) for split, label in CELLS]
    num = Counter(zip(truth["split"], truth["mid"], strict=True))
    for row in facts.classes:
        assert row.num_boxes == num[row.split, str(row.mid)]
    for row in (*facts.classes, *facts.splits):
        measured = row.num_boxes - row.num_without_area
        for found in (row.side_px_counts, row.side_counts, row.ratio_counts):
            assert sum(found) == measured
        for coco in (row.coco_at_input, row.coco_in_photo):
            assert sum(asdict(coco).values()) == row.num_boxes
        assert row.coco_at_input.unknown == row.num_without_area
        assert (row.side_px["p50"] is None) == (measured == 0)
        assert row.num_over_photo <= measured


@given(DRAWN)
def test_a_split_is_the_sum_of_its_classes(drawn: list[dict[str, object]]) -> None:
    """All counts of a split's row are the sums of its classes' rows."""
    facts = facts_of(truth_of(*drawn))
    for total in facts.splits:
        rows = [row for row in facts.classes if row.split == total.split]
        assert total.num_boxes == sum(row.num_boxes for row in rows)
        assert total.num_over_photo == sum(row.num_over_photo for row in rows)
        assert total.side_px_counts == tuple(np.sum([row.side_px_counts for row in rows], axis=0).tolist())


@given(DRAWN)
def test_the_heat_map_is_what_a_loop_fills_in(drawn: list[dict[str, object]]) -> None:
    """A cell counts exactly the boxes with an area that reach into it."""
    truth = truth_of(*drawn)
    for heat in facts_of(truth).heat_maps:
        xyxy = truth.loc[(truth["mid"] == heat.mid) & truth["split"].isin(CELLS.splits), list(COORDINATES)]
        expected, num = np.zeros((HEAT_CELLS, HEAT_CELLS), int), 0
        for xmin, ymin, xmax, ymax in xyxy.to_numpy(float):
            if np.isfinite([xmin, ymin, xmax, ymax]).all() and xmin < xmax and ymin < ymax:
                low, high = np.arange(HEAT_CELLS) / HEAT_CELLS, np.arange(1, HEAT_CELLS + 1) / HEAT_CELLS
                expected += np.outer((low < ymax) & (high > ymin), (low < xmax) & (high > xmin))
                num += 1
        assert heat.num_boxes == num
        assert (np.array(heat.num_covering) == expected).all()
        assert heat.shares.max() <= 1


def test_measures_by_example() -> None:
    """A box of 0.25 by 0.5 at 400 by 300 px is 100 by 150 px: side √15000 px, √0.125 of the input, ratio 2/3."""
    seen = InputBoxes(np.array([[0.25, 0.25, 0.5, 0.75], [0.5, 0.5, 0.5, 0.75]], np.float32), 400, 300)
    np.testing.assert_allclose(seen.side_px, [15000**0.5, np.nan])
    np.testing.assert_allclose(seen.side, [0.125**0.5, np.nan])
    np.testing.assert_allclose(seen.ratio, [2 / 3, np.nan])


def test_each_box_has_its_own_input() -> None:
    """Where the resizer keeps the aspect ratio, the input's size is given box by box."""
    seen = InputBoxes(np.array([[0, 0, 1, 1]] * 2), np.array([300, 400]), np.array([300, 225]))
    np.testing.assert_allclose(seen.side_px, [300, 300])
    np.testing.assert_allclose(seen.ratio, [1, 16 / 9])


@pytest.mark.parametrize(
    "side_px, expected",
    [(31, (1, 0, 0, 0)), (32, (0, 1, 0, 0)), (95, (0, 1, 0, 0)), (96, (0, 0, 1, 0))],
)
def test_coco_sizes_by_example(side_px: float, expected: tuple[int, ...]) -> None:
    """COCO's classes meet at 32² and 96² px, at the input and in the photo each by its own pixels."""
    one = {"xmin": 0.0, "ymin": 0.0, "xmax": side_px / 256, "ymax": side_px / 256}
    row = facts_of(truth_of(one), width_px=256, height_px=256).splits[0]
    assert tuple(asdict(row.coco_at_input).values()) == expected
    in_photo = (side_px / 256) ** 2 * 640 * 480
    assert tuple(asdict(row.coco_in_photo).values()) == (0, int(in_photo < 96**2), int(in_photo >= 96**2), 0)
    unknown = facts_of(truth_of({**one, "photo": 1})).splits[1]
    assert unknown.coco_in_photo.unknown == 1


def test_the_usual_ratios_are_no_edges() -> None:
    """Edges rise, and the ratios that anchors have lie inside bins, so that rounding moves no box."""
    for edges in (SIDE_EDGES_PX, SIDE_EDGES, RATIO_EDGES):
        assert list(edges) == sorted(set(edges))
    assert all(abs(np.log2(ratio / edge)) > 0.05 for ratio in (0.5, 1.0, 2.0) for edge in RATIO_EDGES)
    assert (SIDE_EDGES_PX[-1], SIDE_EDGES[0], SIDE_EDGES[-1]) == (2048, 1 / 1024, 1)


def test_real_photos(shared_mirror: Path, tmp_path: Path, network: Network) -> None:
    """The mirror's boxes over 90 % of the photo are those of its COUNTS.json, for every class it has."""
    counts: dict[str, Any] = json.loads((shared_mirror / "COUNTS.json").read_text())["splits"]
    names = tuple(sorted({name for split in counts.values() for name in split["classes"]}))
    fetch(tmp_path / "d", Request(names, source=shared_mirror.as_uri()), network)
    dataset = Dataset.open(tmp_path / "d")
    cells = Cells(dataset.info.classes, dataset.info.splits)
    facts = facts_of(ground_truth(dataset.images(), dataset.boxes()), cells)
    for row in facts.classes:
        known = counts[row.split]["classes"].get(row.display_name, {"over_90pct": 0, "boxes": 0})
        assert (row.num_boxes, row.num_over_photo) == (known["boxes"], known["over_90pct"])
    assert [row.num_over_photo for row in facts.splits] == [
        counts[split]["boxes_over_90pct_of_photo"] for split in cells.splits
    ]
