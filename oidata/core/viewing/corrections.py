"""What the tags that were set in the App make of a dataset's tables, and what taking a tag off takes back."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final

import pandas as pd

from oidata.core.release.defects import SEPARATOR, USER
from oidata.core.tables import IMAGE_ID, Column, Schema
from oidata.errors import UnknownClassError, UsageError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    from oidata.core.labels import LabelMap

DROP: Final = "drop"
RELABEL: Final = "relabel:"
MARK: Final = f"{USER}{DROP}"

# The class that a corrected box had before, where mid_original does not say it: of a subclass that was folded.
CORRECTIONS = Schema(
    "corrections",
    (Column("box_id", "str", pattern=IMAGE_ID + r"-\d+"), Column("mid", "str")),
    key=("box_id",),
)


class Action(StrEnum):
    """What a tag asks for, or asks for no more."""

    DROP = "drop"
    UNDROP = "take back drop"
    RELABEL = "relabel"
    UNLABEL = "take back relabel"


@dataclass(frozen=True)
class Change:
    """What is done to a box or a photo, by its id; of a box, the display name of its class before and after."""

    action: Action
    of: str
    id: str
    before: str | None = None
    after: str | None = None


@dataclass(frozen=True, eq=False)
class Corrected:
    """IMAGES, BOXES and CORRECTIONS as the tags have them, and every change on the way there."""

    images: pd.DataFrame
    boxes: pd.DataFrame
    corrections: pd.DataFrame
    changes: tuple[Change, ...]


@dataclass(frozen=True)
class Tagged:
    """The tags of all boxes and photos that the App has, by id. Of others nothing is known, and nothing changes."""

    boxes: Mapping[str, Collection[str]]
    photos: Mapping[str, Collection[str]]


def corrected(
    images: pd.DataFrame, boxes: pd.DataFrame, corrections: pd.DataFrame, classes: LabelMap, tagged: Tagged
) -> Corrected:
    """Bring IMAGES and BOXES to what the tags say.

    `drop` marks a box or a photo, `relabel:Cheese` gives a box another class. One that is not tagged so loses the mark,
    or gets its class back. Raises UsageError for a tag that names no class of the dataset, and for two that differ.
    """
    targets = dict(_targets(tagged.boxes, classes))
    before = _before(boxes, corrections, classes)
    is_known = boxes["box_id"].isin(tagged.boxes)
    mid = boxes["box_id"].map(targets).astype("str").fillna(before).where(is_known, boxes["mid"]).astype("str")
    new_boxes = boxes.assign(mid=mid, stripped=_marked(boxes, "box_id", "stripped", tagged.boxes))
    new_images = images.assign(dropped=_marked(images, "image_id", "dropped", tagged.photos))
    is_told = mid.ne(before) & ~boxes["mid_original"].isin(classes.mids)
    told = pd.DataFrame({"box_id": boxes["box_id"], "mid": before})[is_told]
    changes = (
        *_marks(images, new_images, "image_id", "dropped"),
        *_marks(boxes, new_boxes, "box_id", "stripped"),
        *_relabels(boxes, mid, targets, classes),
    )
    return Corrected(new_images, new_boxes, CORRECTIONS.conform(told), changes)


def tags_of(boxes: pd.DataFrame, corrections: pd.DataFrame, classes: LabelMap) -> dict[str, list[str]]:
    """By box_id the tags that say how BOXES were corrected, of those that were: what the App begins with."""
    tags: dict[str, list[str]] = {}
    for box_id in boxes.loc[_has_mark(boxes["stripped"]), "box_id"]:
        tags.setdefault(box_id, []).append(DROP)
    is_other = boxes["mid"] != _before(boxes, corrections, classes)
    for box_id, mid in boxes.loc[is_other, ["box_id", "mid"]].itertuples(index=False):
        tags.setdefault(box_id, []).append(f"{RELABEL}{classes.names.get(mid, mid)}")
    return tags


def dropped_photos(images: pd.DataFrame) -> set[str]:
    """The image_id of those of IMAGES that the user dropped."""
    return set(images.loc[_has_mark(images["dropped"]), "image_id"])


def _targets(tags: Mapping[str, Collection[str]], classes: LabelMap) -> Iterator[tuple[str, str]]:
    """The box_id of each box that is to have another class, and the MID of that."""
    for box_id, of_box in tags.items():
        names = [tag.strip()[len(RELABEL) :] for tag in of_box if tag.strip().casefold().startswith(RELABEL)]
        mids = {_mid(name, box_id, classes) for name in names}
        if len(mids) > 1:
            raise UsageError(f"Box {box_id} has two tags {RELABEL}…: {', '.join(sorted(names))}.", "Leave one of them.")
        yield from ((box_id, mid) for mid in mids)


def _mid(name: str, box_id: str, classes: LabelMap) -> str:
    try:
        return classes.find(name.strip()).mid
    except UnknownClassError:
        hint = f"Its classes are {', '.join(classes.names.values())}. Change the tag in the App."
        message = f"The tag {RELABEL}{name} of box {box_id} names no class of this dataset."
        raise UsageError(message, hint) from None


def _before(boxes: pd.DataFrame, corrections: pd.DataFrame, classes: LabelMap) -> pd.Series:
    """The class that each box has without a correction.

    A class that was chosen is never folded into another (`core.labels.Hierarchy.fold`), so that mid_original is it.
    """
    recorded = boxes["box_id"].map(corrections.set_index("box_id")["mid"]).astype("str").fillna(boxes["mid"])
    is_chosen = boxes["mid_original"].isin(classes.mids)
    return boxes["mid_original"].where(is_chosen, recorded).astype("str")


def _has_mark(reasons: pd.Series) -> pd.Series:
    parts = reasons.fillna("").str.split(SEPARATOR, regex=False)
    return parts.map(lambda of_row: MARK in of_row).astype(bool)


def _marked(rows: pd.DataFrame, key: str, column: str, tags: Mapping[str, Collection[str]]) -> pd.Series:
    """The reasons of each row, with our mark where its tags have `drop`, without it where they have not."""
    is_wanted = {name: any(tag.strip().casefold() == DROP for tag in of_row) for name, of_row in tags.items()}
    wanted = rows[key].map(is_wanted)
    is_marked = _has_mark(rows[column])
    changed = wanted.notna() & wanted.ne(is_marked)
    texts = rows[column].astype(object)
    for at in rows.index[changed]:
        texts[at] = _turned(texts[at])
    return texts.where(texts.notna(), None).astype("str")


def _turned(text: object) -> str | None:
    """The reasons with the mark, if they lack it, else without."""
    reasons = set(text.split(SEPARATOR)) if isinstance(text, str) else set()
    return SEPARATOR.join(sorted(reasons ^ {MARK})) or None


def _marks(old: pd.DataFrame, new: pd.DataFrame, key: str, column: str) -> Iterator[Change]:
    had, has = _has_mark(old[column]), _has_mark(new[column])
    of = "photo" if key == "image_id" else "box"
    for action, rows in ((Action.DROP, has & ~had), (Action.UNDROP, had & ~has)):
        yield from (Change(action, of, name) for name in old.loc[rows, key])


def _relabels(boxes: pd.DataFrame, mid: pd.Series, targets: Mapping[str, str], classes: LabelMap) -> Iterator[Change]:
    changed = boxes["mid"] != mid
    names = classes.names
    for box_id, old, new in zip(boxes.loc[changed, "box_id"], boxes.loc[changed, "mid"], mid[changed], strict=True):
        action = Action.RELABEL if box_id in targets else Action.UNLABEL
        yield Change(action, "box", box_id, names.get(old, old), names.get(new, new))
