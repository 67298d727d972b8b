"""One box under several classes: to a detector one object that should have two answers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from oidata.core.auditing.piles import close_pairs
from oidata.core.tables import COORDINATES

if TYPE_CHECKING:
    from oidata.core.statistics import Cells

TWIN_IOU = 0.95
"""The strictest IoU that COCO's AP asks of a detection: boxes that agree so well are one box drawn twice."""
EXAMPLES_MAX = 100
"""Pairs of box ids listed for a pair of classes; `twins` gives all."""


@dataclass(frozen=True)
class TwinFacts:
    """Boxes of a split that stand there under two classes.

    split               the split
    mid                 the class of the lower id
    display_name        its name
    other_mid           the other class
    other_display_name  its name
    num_pairs           pairs of boxes in one photo, one of each class, that are equal or have IoU ≥ TWIN_IOU
    examples            the box ids of the first EXAMPLES_MAX pairs, that of `mid` first
    """

    split: str
    mid: str
    display_name: str
    other_mid: str
    other_display_name: str
    num_pairs: int
    examples: tuple[tuple[str, str], ...]


def twins(truth: pd.DataFrame, cells: Cells) -> pd.DataFrame:
    """All pairs of ground-truth boxes of one photo and two classes that are equal or have IoU ≥ TWIN_IOU.

    Columns: split, mid, other_mid, box_id, other_box_id, iou (float64; 1 for equal boxes). The class of the lower id
    comes first; rows are sorted by split and classes, in the order of the boxes. Exact; time and memory grow with the
    boxes and the pairs that begin at nearly the same xmin.
    """
    xyxy = truth[list(COORDINATES)]
    truth = truth[(cells.codes(truth) >= 0) & np.isfinite(xyxy).all(axis=1)]
    label = cells.class_codes(truth)
    one, other, iou = close_pairs(truth, TWIN_IOU)
    differ = label[one] != label[other]
    one, other, iou = one[differ], other[differ], iou[differ]
    swap = label[one] > label[other]
    one, other = np.where(swap, other, one), np.where(swap, one, other)
    order = np.lexsort((other, one, label[other], label[one], cells.split_codes(truth)[one]))
    first, second = truth.iloc[one[order]], truth.iloc[other[order]]
    columns = {
        "split": first["split"].array,
        "mid": first["mid"].array,
        "other_mid": second["mid"].array,
        "box_id": first["box_id"].array,
        "other_box_id": second["box_id"].array,
        "iou": iou[order],
    }
    return pd.DataFrame(columns)


def twin_facts(pairs: pd.DataFrame, cells: Cells) -> tuple[TwinFacts, ...]:
    """What `twins` found, by split and pair of classes; one without a pair is left out."""
    names = cells.classes.names
    facts = []
    for _, rows in pairs.groupby(["split", "mid", "other_mid"], sort=False):
        first = rows.head(EXAMPLES_MAX)
        split, mid, other = first.iloc[0][["split", "mid", "other_mid"]]
        examples = tuple(zip(first["box_id"].tolist(), first["other_box_id"].tolist(), strict=True))
        facts.append(TwinFacts(split, mid, names[mid], other, names[other], len(rows), examples))
    return tuple(facts)
