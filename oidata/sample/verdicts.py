"""What an annotator would have written down about a photo: boxes with flags, and verified image labels."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from random import Random
from typing import Final

import numpy as np

from oidata.sample.classes import PARENT, SUBJECTS
from oidata.sample.photograph import Extent, Photo
from oidata.sample.scenes import Scene, Thing

SIDE_CLASSES: Final = ("Bread", "Baked goods", "Tennis ball", "Plate", "Mug")
LEAST_PIXELS: Final = 14
LEAST_SHARE: Final = 0.15
"""An item is in view if so many pixels and this share of itself are; an annotator passes over less."""
CLEAR_SHARE: Final = 0.95
"""Share of an item's pixels in the frame below which it counts as occluded."""
CUT_SHARE: Final = 0.015
"""Share of an item's pixels beyond the frame above which it counts as truncated."""


@dataclass(frozen=True)
class Box:
    """One row of a box table: shares of the stored photo's sides, and flags 1, 0 or -1 (unknown)."""

    label: str
    source: str
    xmin: float
    xmax: float
    ymin: float
    ymax: float
    occluded: int
    truncated: int
    group: int
    depiction: int
    inside: int = 0


@dataclass(frozen=True)
class Verdict:
    """All that is known of one photo: its boxes, and per class whether it was verified present or absent."""

    boxes: tuple[Box, ...]
    verified: tuple[tuple[str, bool], ...]


@dataclass(frozen=True)
class Sighting:
    """An item in view: one of its things, and the tight box of its visible pixels."""

    thing: Thing
    box: Box


def judge(scene: Scene, photo: Photo, rng: Random, *, split: str) -> Verdict:
    """Boxes are exhaustive for the classes verified present; the others, in view or not, have none."""
    seen = sightings(scene, photo)
    present = {sighting.box.label for sighting in seen}
    boxed = {label for label in sorted(present) if label in SUBJECTS or rng.random() < 0.8} - scene.unboxed
    boxes = tuple(_sourced(sighting.box, rng, split) for sighting in seen if sighting.box.label in boxed)
    absent = _absent(present, rng)
    return Verdict(
        boxes,
        tuple(sorted([(name, True) for name in _upward(boxed, rng)] + [(name, False) for name in absent])),
    )


def sightings(scene: Scene, photo: Photo) -> list[Sighting]:
    """The labelled items in view, in painting order."""
    things = {thing.item: thing for thing in scene.things if thing.label}
    found = ((thing, _box(thing, photo, photo.extents[item])) for item, thing in things.items())
    return [Sighting(thing, box) for thing, box in found if box]


def _box(thing: Thing, photo: Photo, extent: Extent) -> Box | None:
    mask = photo.items == thing.item
    visible = int(np.count_nonzero(mask))
    if visible < max(LEAST_PIXELS, LEAST_SHARE * (extent.framed + extent.beyond)) or not thing.label:
        return None
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    height, width = mask.shape
    return Box(
        thing.label,
        "xclick",
        xmin=int(columns[0]) / width,
        xmax=(int(columns[-1]) + 1) / width,
        ymin=int(rows[0]) / height,
        ymax=(int(rows[-1]) + 1) / height,
        occluded=int(visible < CLEAR_SHARE * extent.framed),
        truncated=int(extent.beyond > CUT_SHARE * (extent.framed + extent.beyond)),
        group=int(thing.group),
        depiction=int(thing.depiction),
    )


def _sourced(box: Box, rng: Random, split: str) -> Box:
    """Who drew the box: of the training boxes some came from a machine, a little loose and without flags."""
    dice = rng.random()
    if split == "train" and dice < 0.085:
        return _loose(box, rng)
    return replace(box, source="freeform" if dice > 0.88 else "xclick")


def _loose(box: Box, rng: Random) -> Box:
    width, height = box.xmax - box.xmin, box.ymax - box.ymin
    left, right, above, below = (rng.uniform(0.0, 0.07) for _ in range(4))
    return replace(
        box,
        source="activemil",
        xmin=max(0.0, box.xmin - left * width),
        xmax=min(1.0, box.xmax + right * width),
        ymin=max(0.0, box.ymin - above * height),
        ymax=min(1.0, box.ymax + below * height),
        occluded=-1,
        truncated=-1,
        group=-1,
        depiction=-1,
        inside=-1,
    )


def _upward(boxed: Iterable[str], rng: Random) -> set[str]:
    """The boxed classes, at times with the class above them."""
    names = set(boxed)
    return names | {PARENT[name] for name in sorted(names) if rng.random() < 0.12}


def _absent(present: set[str], rng: Random) -> set[str]:
    """Classes verified absent: some of those not in view; without both subjects, at least one of the two."""
    gone = [name for name in SUBJECTS if name not in present]
    absent = {name for name in gone if rng.random() < 0.4}
    if len(gone) == len(SUBJECTS) and not absent:
        absent = {rng.choice(gone)}
    absent |= {name for name in SIDE_CLASSES if name not in present and rng.random() < 0.08}
    if "Cheese" in gone and rng.random() < 0.1:
        absent.add("Dairy")
    return absent
