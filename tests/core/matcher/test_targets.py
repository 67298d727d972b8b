"""Laws of the matcher: to the bit what a whole matrix of IoU gives, and what TFOD publishes in its tests."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from oidata.core.matcher import targets
from oidata.core.matcher.anchors import AnchorGrid, MultiscaleAnchors, SsdAnchors
from oidata.core.matcher.overlaps import Overlaps
from oidata.core.matcher.targets import Matcher, Targets, match
from oidata.errors import ConfigError
from tests.core import dense

RATIOS = (1.0, 2.0, 0.5, 3.0, 0.3333)
SSD_MAPS = [(19, 19), (10, 10), (5, 5), (3, 3), (2, 2), (1, 1)]
SSD = SsdAnchors(aspect_ratios=RATIOS).grid(SSD_MAPS, 300, 300)
GRIDS = {
    "ssd": SSD,
    "ssd from 0.05": SsdAnchors(min_scale=0.05, aspect_ratios=RATIOS).grid(SSD_MAPS, 300, 300),
    "fpn": MultiscaleAnchors(aspect_ratios=(1.0, 2.0, 0.5)).grid(
        [(40, 40), (20, 20), (10, 10), (5, 5), (3, 3)], 320, 320
    ),
    "ssd, wide": SsdAnchors(num_layers=3, aspect_ratios=(1.0, 2.0)).grid([(12, 20), (6, 10), (3, 5)], 180, 300),
    "fpn, tall": MultiscaleAnchors(4, 6, 3.0, (1.0, 0.5), 1).grid([(20, 12), (10, 6), (5, 3)], 300, 180),
    "tiny anchors with gaps": SsdAnchors(2, scales=(0.01, 0.02), aspect_ratios=(1.0,)).grid([(9, 9), (4, 4)], 99, 99),
    "all in one place": SsdAnchors(
        *(1, 0.2, 0.95, (0.3,), (1.0, 2.0)),
        height_offset=(50.0,),
        width_offset=(50.0,),
        height_stride=(1e-6,),
        width_stride=(1e-6,),
    ).grid([(4, 4)], 100, 100),
}
MATCHERS = {
    "0.5": Matcher(),
    "0.5, not forced": Matcher(force_match=False),
    "0.6 and 0.4": Matcher(0.6, 0.4),
    "0.7 and 0.3, not forced": Matcher(0.7, 0.3, force_match=False),
    "negatives between": Matcher(0.6, 0.4, negatives_lower_than_unmatched=False),
    "negatives from 0": Matcher(0.5, 0.0, negatives_lower_than_unmatched=False),
    "nothing is background": Matcher(0.5, 0.0),
    "low": Matcher(0.05, 0.01),
    "all match": Matcher(0.0, 0.0),
    "1": Matcher(1.0, 1.0),
    "no thresholds": Matcher(ignore_thresholds=True),
}
# Sides at which anchors begin, end or have their centres, the photo's borders, and what lies beyond.
LATTICE = sorted({*(cell / 38 for cell in range(39)), 0.1, 0.25, 0.5, 0.55, 0.75, 0.9, -0.25, 1.25, 3.0, -1e5, 1e5})


def same(found: Targets, expected: dict[str, np.ndarray]) -> None:
    """Every field is what the whole matrix gives: values, dtype and shape."""
    for name in dense.FIELDS:
        field = getattr(found, name)
        assert field.dtype == expected[name].dtype, name
        assert field.shape == expected[name].shape, name
        assert np.array_equal(field, expected[name]), name


def drawn_like_open_images(random: np.random.Generator, number: int) -> np.ndarray:
    """Boxes with log-normal sides inside the photo."""
    centers, sides = random.random((number, 2)), np.exp(random.normal(-1.6, 0.9, (number, 2)))
    return np.hstack([centers - sides / 2, centers + sides / 2]).clip(0, 1).astype(np.float32)


def drawn_on_cells(random: np.random.Generator, number: int) -> np.ndarray:
    """Boxes as large as anchors, or inside many, or around many, in the very places of the cells: all ties."""
    centers = random.integers(0, 39, (number, 2)) / 38
    sides = random.choice([0.005, 0.02, 0.0526, 0.1, 0.2, 0.35, 0.95, 1.4], (number, 2))
    return np.hstack([centers - sides / 2, centers + sides / 2]).astype(np.float32)


def drawn_as_anchors(random: np.random.Generator, number: int) -> np.ndarray:
    """Anchors of the SSD grid, some off by a rounding."""
    boxes = SSD.boxes()[random.integers(0, SSD.num_anchors, number)]
    return np.nextafter(boxes, random.choice([-9, 9], boxes.shape).astype(np.float32), dtype=np.float32)


def drawn_badly(random: np.random.Generator, number: int) -> np.ndarray:
    """Boxes that are inverted, flat, far outside, huge, tiny or not finite, among some that are good."""
    boxes = drawn_like_open_images(random, number)
    bad = [
        [0, 0, 0, 0],
        [2, 2, 3, 3],
        [-1e5, -1e5, 1e5, 1e5],
        [-3e38, 0, 3e38, 1],
        [0, 0, np.inf, 1],
        [0.5, np.nan, 1, 1],
    ]
    some = random.random(number) < 0.3
    boxes[some] = np.array(bad, dtype=np.float32)[random.integers(0, len(bad), some.sum())]
    some = random.random(number) < 0.2
    boxes[some] = boxes[some][:, [2, 1, 0, 3]]
    some = random.random(number) < 0.2
    boxes[some, 2:] = boxes[some, :2] + random.choice([0, 1e-30, 1e-7, 1e-4], (some.sum(), 1)).astype(np.float32)
    return boxes


def drawn_at_corners(random: np.random.Generator, number: int) -> np.ndarray:
    """Specks on the corners of anchors, where a rounding decides whether the two overlap at all."""
    anchors = SSD.boxes()[random.integers(0, SSD.num_anchors, number)]
    sides = 10 ** random.uniform(-7.5, -2, (number, 2))
    low = np.where(random.random((number, 2)) < 0.5, anchors[:, :2], anchors[:, 2:])
    low = low - sides * random.choice([0, 0.5, 1], (number, 2))
    return np.hstack([low, low + sides]).astype(np.float32)


DRAWN = (drawn_like_open_images, drawn_on_cells, drawn_as_anchors, drawn_at_corners, drawn_badly)


@pytest.mark.parametrize("grid", GRIDS.values(), ids=GRIDS)
@pytest.mark.parametrize("matcher", MATCHERS.values(), ids=MATCHERS)
def test_matching_is_that_of_the_whole_matrix(grid: AnchorGrid, matcher: Matcher) -> None:
    """On random boxes of every kind, with twins and weights of 0, each field is that of the matrix, to the bit."""
    random = np.random.default_rng(0)
    for draw in DRAWN:
        boxes = draw(random, 24)
        twins = random.random(24) < 0.25
        boxes[twins] = boxes[random.integers(0, 24, twins.sum())]
        boxes = np.where(np.isnan(boxes).any(axis=1, keepdims=True), np.float32(0), boxes)
        photo = np.sort(random.integers(0, 6, 24))
        for weights in (None, random.choice([0, 0.5, 1], 24).astype(np.float32)):
            same(match(boxes, photo, grid, matcher, weights), dense.match(boxes, photo, grid, matcher, weights))


@settings(max_examples=200)
@given(
    sides=st.lists(st.tuples(*[st.sampled_from(LATTICE) | st.floats(-0.5, 1.5, width=32)] * 4), max_size=12),
    photos=st.integers(1, 3),
    zeros=st.sets(st.integers(0, 11)),
    grid=st.sampled_from(list(GRIDS.values())),
    matcher=st.sampled_from(list(MATCHERS.values())),
)
def test_matching_is_that_of_the_whole_matrix_on_any_boxes(
    sides: list[tuple[float, ...]], photos: int, zeros: set[int], grid: AnchorGrid, matcher: Matcher
) -> None:
    """On boxes that Hypothesis chooses, each field is that of the dense matrix, to the bit."""
    boxes = np.array(sides, dtype=np.float32).reshape(-1, 4)
    photo = np.arange(len(boxes)) * photos // max(1, len(boxes))
    weights = np.array([row not in zeros for row in range(len(boxes))], dtype=np.float32)
    same(match(boxes, photo, grid, matcher, weights), dense.match(boxes, photo, grid, matcher, weights))


@pytest.mark.parametrize("grid", GRIDS.values(), ids=GRIDS)
@pytest.mark.parametrize("floor", [0.01, 0.4, 0.9])
def test_no_pair_is_overlooked(grid: AnchorGrid, floor: float) -> None:
    """The search finds each pair with an IoU of at least the floor, and each that ties for a box's best, once."""
    random = np.random.default_rng(1)
    anchors = grid.boxes()
    for draw in DRAWN[:-1]:
        boxes = draw(random, 100)
        overlaps = Overlaps(grid, floor)
        pairs = overlaps.pairs(overlaps.windows(boxes))
        ious = dense.similarity(boxes, anchors)
        wanted = (ious >= np.float32(floor)) | ((ious == ious.max(axis=1, keepdims=True)) & (ious > 0))
        found = np.zeros(ious.shape, dtype=int)
        np.add.at(found, (pairs.box, pairs.anchor), 1)
        assert found.max() <= 1
        assert found[wanted].all()
        assert np.array_equal(ious[pairs.box, pairs.anchor], pairs.iou)


@pytest.mark.parametrize("name,value", [("TABLE_SIZE", 4000), ("TABLE_SIZE", 1), ("MAX_CELLS", 500)])
def test_batches_do_not_matter(monkeypatch: pytest.MonkeyPatch, name: str, value: int) -> None:
    """Photos are matched by themselves: how many are taken at a time changes nothing."""
    random = np.random.default_rng(2)
    boxes, photo = drawn_like_open_images(random, 120), np.sort(random.integers(0, 40, 120))
    whole = {
        matcher: match(boxes, photo, SSD, matcher) for matcher in (Matcher(0.6, 0.4), Matcher(ignore_thresholds=True))
    }
    monkeypatch.setattr(targets, name, value)
    for matcher, expected in whole.items():
        same(match(boxes, photo, SSD, matcher), vars(expected))


@given(st.integers(1, 6), st.integers(0, 1000))
def test_every_box_has_an_anchor_or_lost_it_to_an_earlier_one(number: int, seed: int) -> None:
    """With the forced match a box is starved only if another box of its photo, before it, has the same best anchor."""
    boxes = drawn_on_cells(np.random.default_rng(seed), number)
    found = match(boxes, np.zeros(number, dtype=int), SSD, Matcher())
    for row in np.flatnonzero(found.is_starved):
        assert found.best_anchor[row] in found.best_anchor[:row]
    assert not found.is_starved[0]
    assert np.array_equal(found.positives_per_layer.sum(axis=1), found.num_positive_anchors)


def one_photo(
    *boxes: tuple[float, ...], weights: tuple[float, ...] | None = None, matcher: Matcher | None = None
) -> Targets:
    """The targets of some boxes of one photo."""
    array = np.array(boxes, dtype=np.float32)
    photo = np.zeros(len(boxes), dtype=int)
    given_weights = None if weights is None else np.array(weights, dtype=np.float32)
    return match(array, photo, SSD, matcher or Matcher(), given_weights)


def anchor(index: int) -> tuple[float, ...]:
    """One anchor of the SSD grid, as a box."""
    return tuple(SSD.boxes()[index].tolist())


@pytest.mark.parametrize("index", [0, 541, 1082, 1083, 1700, 1916])
def test_a_box_that_is_an_anchor_has_it(index: int) -> None:
    """The best anchor of a box that equals an anchor is that one, with an IoU of 1, in its layer."""
    found = one_photo(anchor(index))
    assert (found.best_anchor[0], found.best_iou[0]) == (index, 1)
    assert found.best_layer[0] == SSD.layer_index()[index]
    assert not found.is_forced_only[0]


def test_the_second_of_two_twins_is_starved() -> None:
    """Ties go to the first box: an identical one after it gets nothing, neither by IoU nor by force."""
    found = one_photo(anchor(900), anchor(900))
    assert found.num_matched_anchors[1] == found.num_positive_anchors[1] == 0
    assert found.is_starved.tolist() == [False, True]


def test_a_forced_match_takes_the_anchor_from_the_box_that_matched_it() -> None:
    """An anchor that two boxes hold for their best goes to the first, even if the second has the higher IoU."""
    xmin, ymin, xmax, ymax = anchor(900)
    width = (xmax - xmin) / 100
    found = one_photo((xmin + width, ymin, xmax + width, ymax), (xmin, ymin, xmax, ymax))
    assert found.best_anchor.tolist() == [900, 900]
    assert found.best_iou[1] == 1 > found.best_iou[0]
    assert found.num_matched_anchors[1] == found.num_positive_anchors[1] + 1
    assert found.num_positive_anchors[0] == found.num_matched_anchors[0] + 1


def test_a_small_box_is_matched_by_force_alone() -> None:
    """A box below the threshold with every anchor has its best one by force, and none without."""
    small = (0.5, 0.5, 0.51, 0.51)
    forced, plain = one_photo(small), one_photo(small, matcher=Matcher(force_match=False))
    assert (forced.num_matched_anchors[0], forced.num_positive_anchors[0]) == (0, 1)
    assert forced.is_forced_only[0]
    assert not forced.is_starved[0]
    assert plain.num_positive_anchors[0] == 0
    assert plain.is_starved[0]
    assert not plain.is_forced_only[0]


def test_a_box_of_weight_0_keeps_what_it_matches_and_claims_nothing() -> None:
    """Only the claim falls away (target_assigner.py): a large box keeps its anchors, a small one has none."""
    small = (0.5, 0.5, 0.51, 0.51)
    found = one_photo(anchor(900), small, weights=(0.0, 0.0))
    assert found.num_positive_anchors[0] == found.num_matched_anchors[0] > 0
    assert found.is_starved.tolist() == [False, True]


def test_a_box_that_meets_no_anchor_claims_the_first() -> None:
    """Where every IoU is 0 the best anchor is anchor 0, which the forced match gives away as TFOD does."""
    for nothing in [(0.5, 0.5, 0.5, 0.9), (0.9, 0.9, 0.1, 0.1), (float("nan"), 0.1, 0.2, 0.2), (7.0, 7.0, 8.0, 8.0)]:
        found = one_photo(nothing)
        assert (found.best_iou[0], found.best_anchor[0], found.best_layer[0]) == (0, 0, 0)
        assert (found.num_positive_anchors[0], found.is_forced_only[0]) == (1, True)


def test_no_boxes_have_no_targets() -> None:
    """Nothing to match is no error, and the arrays have their shapes."""
    same(match(np.zeros((0, 4), np.float32), np.zeros(0, int), SSD, Matcher()), dense._none(len(SSD.layers)))


# TFOD's argmax_matcher_test.py. Its similarities are no IoU, so they test the matcher that the tests compare with.
SIMILARITIES = [[1, 1, 1, 3, 1], [2, -1, 2, 0, 4], [3, 0, -1, 0, 0]]
UNMATCHED_ROW = [[1, 1, 1, 3, 1], [-1, 0, -2, -2, -1], [3, 0, -1, 2, 0]]
PADDED = [UNMATCHED_ROW[0], UNMATCHED_ROW[1], [0] * 5, UNMATCHED_ROW[2], [0] * 5]


@pytest.mark.parametrize(
    "similarities,fields,expected",
    [
        (SIMILARITIES, {"ignore_thresholds": True}, [2, 0, 1, 0, 1]),
        (SIMILARITIES, {"unmatched_threshold": 3}, [2, -1, -1, 0, 1]),
        (SIMILARITIES, {}, [2, -1, -2, 0, 1]),
        (SIMILARITIES, {"negatives_lower_than_unmatched": False}, [2, -2, -1, 0, 1]),
        (UNMATCHED_ROW, {}, [2, -1, -1, 0, -1]),
        (UNMATCHED_ROW, {"force_match": True}, [2, 1, -1, 0, -1]),
        (PADDED, {"force_match": True}, [3, 1, -1, 0, -1]),
    ],
)
def test_the_dense_matcher_is_the_published_one(
    similarities: list[list[float]], fields: dict[str, Any], expected: list[int]
) -> None:
    """The dense matcher gives the matches of TFOD's argmax_matcher_test.py."""
    plain = {"matched_threshold": 3, "unmatched_threshold": 2, "force_match": False, "ignore_thresholds": False}
    matcher = SimpleNamespace(**{**plain, "negatives_lower_than_unmatched": True, **fields})
    matrix = np.array(similarities, dtype=np.float32)
    _, forced = dense.assignment(matrix, matrix.argmax(axis=1), (matrix != 0).any(axis=1).astype(bool), matcher)
    assert forced.tolist() == expected


@pytest.mark.parametrize(
    "fields",
    [
        {"matched_threshold": 1.5},
        {"unmatched_threshold": -0.1},
        {"matched_threshold": 0.4},
        {"unmatched_threshold": float("nan")},
        {"negatives_lower_than_unmatched": False},
    ],
)
def test_thresholds_that_cannot_be_are_refused(fields: dict[str, Any]) -> None:
    """Thresholds outside of [0, 1], crossed, or equal where negatives lie between them, are a ConfigError."""
    with pytest.raises(ConfigError) as caught:
        Matcher(**fields)
    assert caught.value.hint
