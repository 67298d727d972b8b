"""What the matcher makes of a dataset: which boxes anchors reach, by class, size and layer, and what the miner adds."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from oidata.core.matcher.coverage import holes

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    import pandas as pd

    from oidata.core.matcher.anchors import AnchorGrid
    from oidata.core.matcher.coverage import Hole, Sweep
    from oidata.core.matcher.targets import Targets
    from oidata.core.statistics import Cells

SIZE_EDGES_PX = (16.0, 32.0, 48.0, 64.0, 96.0, 128.0, 192.0)
"""Where the size buckets divide: side (√area) in pixels at the network's input; 32 and 96 are COCO's."""


@dataclass(frozen=True)
class MatchFacts:
    """What became of some ground-truth boxes; matched, forced_only and starved add up to num_boxes.

    split, mid, display_name  whose boxes
    size                  the bucket of their side at the network's input in pixels: "<16", "16-32", …, "≥192"; "all",
                          which alone has the boxes without an area too
    num_boxes             how many there are
    num_matched           have an anchor at the matcher's threshold
    num_forced_only       have positive anchors through the forced match alone
    num_starved           have none: nothing learns them
    mean_positive_anchors   anchors that learn a box, after the forced match; None without a box
    positives_per_layer   the same by layer, from the finest
    median_best_iou       the IoU of the best anchor; None without a box
    """

    split: str
    mid: str
    display_name: str
    size: str
    num_boxes: int
    num_matched: int
    num_forced_only: int
    num_starved: int
    mean_positive_anchors: float | None
    positives_per_layer: tuple[float, ...]
    median_best_iou: float | None


@dataclass(frozen=True)
class LayerFacts:
    """A feature map and its anchors.

    rows, columns    its cells
    heights_px, widths_px  the nominal sizes of the anchors of a cell, in pixels at the network's input
    """

    rows: int
    columns: int
    heights_px: tuple[float, ...]
    widths_px: tuple[float, ...]


@dataclass(frozen=True)
class HoleFacts:
    """A range of sizes that anchors mostly miss, and the ground truth in it.

    hole          the range; sides in pixels at the network's input
    split         whose boxes
    num_boxes     boxes of the split with a side in it
    share         num_boxes / all boxes of the split; None without a box
    """

    hole: Hole
    split: str
    num_boxes: int
    share: float | None


@dataclass(frozen=True)
class MinedFacts:
    """What a pass over a split brings to the loss.

    split           the split
    num_photos      usable photos, those without ground truth too
    num_positives   positive anchors, after the forced match
    num_negatives   negative anchors that the miner takes beside them; all there are, without a miner
    num_available   negative anchors there are
    """

    split: str
    num_photos: int
    num_positives: int
    num_negatives: int
    num_available: int


@dataclass(frozen=True)
class AnchorFacts:
    """What the anchors of a config make of the ground truth.

    input_px            height and width of the network's input that most photos come to
    num_anchors         anchors at that input
    matched_threshold   the matcher's
    layers              feature maps at that input, from the finest
    boxes               one MatchFacts per split and class for all its boxes, then one per size that has some
    after_crop          the same after the config's random crops of train, if it has any
    crop_zoom           median linear zoom of those crops; None without them
    sweep               share of randomly placed boxes with an anchor at the threshold, by side in px and ratio
    holes               by split, the sizes with less than an even chance, of square boxes
    layer_ambiguity     of the train boxes, as in core/matcher/layers.py; None where there are none
    mined               one MinedFacts per split
    """

    input_px: tuple[int, int]
    num_anchors: int
    matched_threshold: float
    layers: tuple[LayerFacts, ...]
    boxes: tuple[MatchFacts, ...]
    after_crop: tuple[MatchFacts, ...]
    crop_zoom: float | None
    sweep: Sweep
    holes: tuple[HoleFacts, ...]
    layer_ambiguity: float | None
    mined: tuple[MinedFacts, ...]

    def of_split(self, split: str) -> tuple[MatchFacts, ...]:
        """The classes of a split, all sizes together."""
        return tuple(facts for facts in self.boxes if facts.split == split and facts.size == "all")


def layer_facts(grid: AnchorGrid, height_px: int, width_px: int) -> tuple[LayerFacts, ...]:
    """The feature maps of a grid at an input of that size."""
    return tuple(
        LayerFacts(
            layer.ymin.shape[0],
            layer.xmin.shape[0],
            tuple((layer.heights * height_px).tolist()),
            tuple((layer.widths * width_px).tolist()),
        )
        for layer in grid.layers
    )


def hole_facts(swept: Sweep, truth: pd.DataFrame, side_px: np.ndarray, splits: Sequence[str]) -> tuple[HoleFacts, ...]:
    """The holes of square boxes in a sweep by px, with the boxes of each split whose side lies in them."""
    squares = [hole for hole in holes(swept) if hole.ratio == 1]
    return tuple(
        _hole_facts(hole, split, side_px[(truth["split"] == split).to_numpy()]) for split in splits for hole in squares
    )


def _hole_facts(hole: Hole, split: str, side_px: np.ndarray) -> HoleFacts:
    inside = int(hole.holds(side_px).sum())
    return HoleFacts(hole, split, inside, inside / len(side_px) if len(side_px) else None)


def size_buckets() -> tuple[str, ...]:
    """The names of the size buckets, the smallest first."""
    edges = [f"{edge:g}" for edge in SIZE_EDGES_PX]
    between = (f"{low}-{high}" for low, high in pairwise(edges))
    return (f"<{edges[0]}", *between, f"≥{edges[-1]}")


def match_facts(truth: pd.DataFrame, side_px: np.ndarray, targets: Targets, cells: Cells) -> tuple[MatchFacts, ...]:
    """By split and class: all boxes first, then each size bucket that holds one. A box without an area is in none.

    `truth` is the ground truth with its split, `side_px` (N,) its size at the network's input, `targets` what the
    matcher made of it, in the same order.
    """
    buckets = np.where(np.isnan(side_px), -1, np.searchsorted(SIZE_EDGES_PX, side_px, side="right"))
    return tuple(_facts(cells.codes(truth), buckets, targets, cells))


def _facts(codes: np.ndarray, buckets: np.ndarray, targets: Targets, cells: Cells) -> Iterator[MatchFacts]:
    for code, (split, label) in enumerate(cells):
        own = codes == code
        groups: Iterable[tuple[str, np.ndarray]] = [
            ("all", own),
            *((name, own & (buckets == place)) for place, name in enumerate(size_buckets())),
        ]
        for size, chosen in groups:
            if size == "all" or chosen.any():
                yield MatchFacts(split, label.mid, label.display_name, size, *_counts(targets, chosen))


def _counts(
    targets: Targets, chosen: np.ndarray
) -> tuple[int, int, int, int, float | None, tuple[float, ...], float | None]:
    num_boxes = int(chosen.sum())
    forced, starved = (int(flags[chosen].sum()) for flags in (targets.is_forced_only, targets.is_starved))
    layers = targets.positives_per_layer[chosen]
    per_layer = layers.mean(axis=0).tolist() if num_boxes else [0.0] * layers.shape[1]
    mean = float(targets.num_positive_anchors[chosen].mean()) if num_boxes else None
    median = float(np.median(targets.best_iou[chosen])) if num_boxes else None
    return num_boxes, num_boxes - forced - starved, forced, starved, mean, tuple(per_layer), median
