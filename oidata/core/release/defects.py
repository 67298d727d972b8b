"""The strip rules: which boxes should not train a detector, and why. A rule is a line of one of two tables."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from oidata.core.tables import COORDINATES
from oidata.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

SEPARATOR = "|"
USER = "user:"
# How far a box may reach out of the photo: what TFOD puts down to rounding (1.01, core/box_list_ops.py).
OUTSIDE_TOLERANCE = 0.01
_ALIKE = ["image_id", "mid", *COORDINATES]


def _not_a_number(boxes: pd.DataFrame) -> np.ndarray:
    return boxes[list(COORDINATES)].isna().any(axis=1).to_numpy()


def _in_order(boxes: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """The lower and the higher (x, y) of each box, whichever is called min: two arrays of shape (N, 2)."""
    xyxy = boxes[list(COORDINATES)].to_numpy()
    return np.minimum(xyxy[:, :2], xyxy[:, 2:]), np.maximum(xyxy[:, :2], xyxy[:, 2:])


def _outside(boxes: pd.DataFrame) -> np.ndarray:
    low, high = _in_order(boxes)
    reaches_out = (low < -OUTSIDE_TOLERANCE) | (high > 1 + OUTSIDE_TOLERANCE)
    is_beside = (low >= 1) | (high <= 0)
    is_out: np.ndarray = np.any(reaches_out | is_beside, axis=1)
    return is_out


def _is_in_photo(boxes: pd.DataFrame) -> np.ndarray:
    """Whether a box, its corners put in order, has a part with area in the photo."""
    low, high = _in_order(boxes)
    is_in: np.ndarray = np.all(np.minimum(high, 1) > np.maximum(low, 0), axis=1)
    return is_in


def _inverted(boxes: pd.DataFrame) -> np.ndarray:
    return ((boxes["xmax"] < boxes["xmin"]) | (boxes["ymax"] < boxes["ymin"])).to_numpy()


def _no_area(boxes: pd.DataFrame) -> np.ndarray:
    return ((boxes["xmax"] == boxes["xmin"]) | (boxes["ymax"] == boxes["ymin"])).to_numpy()


@dataclass(frozen=True)
class FlagRule:
    """Strip a box whose `flag` column says yes (1)."""

    reason: str
    flag: str
    says: str
    default: bool = True


@dataclass(frozen=True)
class DegenerateRule:
    """Strip a box that is none: `applies` takes BOXES and gives a boolean array of shape (N,). Always on."""

    reason: str
    applies: Callable[[pd.DataFrame], np.ndarray]
    says: str


# What the flags mean: https://storage.googleapis.com/openimages/web/factsfigures.html
FLAG_RULES = (
    FlagRule("group", "is_group_of", "more than five instances in one box"),
    FlagRule("depiction", "is_depiction", "a drawing or picture of the object"),
    FlagRule("truncated", "is_truncated", "the object extends beyond the photo"),
    FlagRule("occluded", "is_occluded", "another object hides part of it", default=False),
    FlagRule("inside", "is_inside", "the photo was taken from inside the object", default=False),
)
DEGENERATE_RULES = (
    DegenerateRule("not_a_number", _not_a_number, "a coordinate is NaN"),
    DegenerateRule("outside", _outside, "it lies outside the photo, or reaches out by more than 1 % of it"),
    DegenerateRule("inverted", _inverted, "max lies before min"),
    DegenerateRule("no_area", _no_area, "width or height is 0"),
)
DUPLICATE = "duplicate"

DEFAULT = tuple(rule.reason for rule in FLAG_RULES if rule.default)


def unknown(reason: str) -> str:
    """The reason of a box that is stripped since its flag is unknown: `group` → `group_unknown`."""
    return f"{reason}_unknown"


REASONS = {
    **{rule.reason: rule.says for rule in (*FLAG_RULES, *DEGENERATE_RULES)},
    **{unknown(rule.reason): f"unknown whether {rule.says}" for rule in FLAG_RULES},
    DUPLICATE: "the same box of the same class stands there twice",
}


def reasons(boxes: pd.DataFrame, flags: Collection[str] = DEFAULT, *, with_unknown: bool = False) -> pd.Series:
    """For each of BOXES the reasons to strip it, sorted and joined by a bar; null where there is none.

    `flags` names the flag rules to apply; boxes that are none are always stripped. Reasons that begin with `user:`
    are kept. Of exact duplicates of a class in a photo the first without another reason stays. Raises UsageError for
    a flag rule that does not exist.
    """
    _check_known(flags)
    table = _matrix(boxes, flags, with_unknown=with_unknown)
    user = [_of_user(text) for text in boxes["stripped"]]
    kept = table.to_numpy().any(axis=1) | np.array([bool(own) for own in user], dtype=bool)
    table[DUPLICATE] = _duplicate(boxes, kept)
    names = np.array(table.columns, dtype=object)
    texts = [
        SEPARATOR.join(sorted({*names[row], *own})) or None for row, own in zip(table.to_numpy(), user, strict=True)
    ]
    return pd.Series(texts, index=boxes.index, dtype="str")


def user_reasons(boxes: pd.DataFrame) -> pd.Series:
    """What remains of `stripped` when all rules are taken back: the reasons that begin with `user:`."""
    texts = [SEPARATOR.join(_of_user(text)) or None for text in boxes["stripped"]]
    return pd.Series(texts, index=boxes.index, dtype="str")


def split_reasons(stripped: pd.Series) -> pd.DataFrame:
    """One row for each pair of box and reason: the box's index, and `reason`."""
    return stripped.dropna().str.split(SEPARATOR, regex=False).explode().to_frame("reason")


def is_object(boxes: pd.DataFrame) -> np.ndarray:
    """Which of BOXES stand for an object of their own, stripped or not: booleans of shape (N,).

    Those do not that are degenerate or another's exact double, marked so or not. Of doubles the first that is not
    stripped does, else the first.
    """
    is_none = np.zeros(len(boxes), dtype=bool)
    for rule in DEGENERATE_RULES:
        is_none |= rule.applies(boxes)
    is_double = _duplicate(boxes, is_none | boxes["stripped"].notna().to_numpy())
    return np.asarray(~is_none & ~is_double)


def is_unboxed(boxes: pd.DataFrame, is_kept: np.ndarray | None = None) -> np.ndarray:
    """Which of BOXES are not kept though their object stays to see, without another box: booleans of shape (N,).

    `is_kept` (N,) are by default those that are not stripped. There is something to see where a box has a part with
    area in the photo, whatever is wrong with it. A box that is kept at the very same place for the same class still
    stands for the object.
    """
    kept = boxes["stripped"].isna().to_numpy() if is_kept is None else is_kept
    place = boxes.groupby(_ALIKE, sort=False, dropna=False).ngroup()
    is_boxed = place.isin(place[kept]).to_numpy()
    return _is_in_photo(boxes) & ~is_boxed


def emptied(boxes: pd.DataFrame) -> list[str]:
    """The photos of BOXES that have lost every box to a strip, by image_id, sorted."""
    photo, image_ids = pd.factorize(boxes["image_id"])
    num_kept = np.bincount(photo[boxes["stripped"].isna()], minlength=len(image_ids))
    return sorted(image_ids[num_kept == 0])


def collateral(boxes: pd.DataFrame) -> list[str]:
    """The photos of BOXES on which a stripped object stays to see, so that a detector learns it as background.

    By image_id, sorted.
    """
    return sorted(boxes.loc[is_unboxed(boxes), "image_id"].unique())


def num_unknown(boxes: pd.DataFrame, flags: Collection[str] = DEFAULT) -> dict[str, int]:
    """By flag rule, how many of BOXES have that flag unknown (-1)."""
    return {rule.reason: int((boxes[rule.flag] == -1).sum()) for rule in FLAG_RULES if rule.reason in flags}


def _check_known(flags: Collection[str]) -> None:
    known = [rule.reason for rule in FLAG_RULES]
    if unheard := set(flags).difference(known):
        raise UsageError(f"{', '.join(sorted(unheard))} is no strip rule.", f"The rules are {', '.join(known)}.")


def _matrix(boxes: pd.DataFrame, flags: Collection[str], *, with_unknown: bool) -> pd.DataFrame:
    chosen = [rule for rule in FLAG_RULES if rule.reason in flags]
    columns = {rule.reason: boxes[rule.flag].to_numpy() == 1 for rule in chosen}
    columns |= {rule.reason: rule.applies(boxes) for rule in DEGENERATE_RULES}
    if with_unknown:
        columns |= {unknown(rule.reason): boxes[rule.flag].to_numpy() == -1 for rule in chosen}
    return pd.DataFrame(columns, index=boxes.index)


def _duplicate(boxes: pd.DataFrame, has_reason: np.ndarray) -> np.ndarray:
    order = np.argsort(has_reason, kind="stable")
    repeated = boxes.iloc[order].duplicated(_ALIKE).to_numpy()
    result = np.empty(len(boxes), dtype=bool)
    result[order] = repeated
    return result


def _of_user(text: object) -> list[str]:
    parts = text.split(SEPARATOR) if isinstance(text, str) else []
    return [part for part in parts if part.startswith(USER)]
