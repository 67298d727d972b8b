"""From a scene to pixels, and to a map that says which item is in view at each of them."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageFilter

from oidata.sample import cheeses, props, rounds
from oidata.sample.rounds import Painter
from oidata.sample.scenes import Frame, Scene, Thing
from oidata.sample.shading import Picture, Plane, Sprite, grid, noise, unit
from oidata.sample.surfaces import backdrop

PAINTERS: Final[Mapping[str, Painter]] = MappingProxyType(
    {
        "lemon": rounds.lemon,
        "lemon_half": rounds.lemon_half,
        "lemon_wedge": rounds.lemon_wedge,
        "wedge": cheeses.wedge,
        "wheel": cheeses.wheel,
        "cube": cheeses.cube,
        "slice": cheeses.slice_,
        "lime": rounds.lime,
        "lime_half": rounds.lime_half,
        "tennis_ball": rounds.tennis_ball,
        "loaf": props.loaf,
        "toast": props.toast,
        "roll": props.roll,
        "grape": rounds.grape,
        "leaf": props.leaf,
        "knife": props.knife,
        "plate": props.plate,
        "plate_low": props.plate_low,
        "board": props.board,
        "board_low": props.board_low,
        "mug": props.mug,
        "poster": props.poster,
        "carton": props.carton,
        "drawn_lemon": props.drawn_lemon,
        "drawn_cheese": props.drawn_cheese,
    }
)
SOLID: Final = 0.5
"""Cover from which a pixel counts as the object's."""

KNEE: Final = 0.72
"""Brightness from which highlights are rolled off."""


@dataclass(frozen=True)
class Extent:
    """How many pixels of an item the frame holds, whatever covers them, and how many lie beyond the frame."""

    framed: int
    beyond: int


@dataclass(frozen=True)
class Photo:
    """Pixels [rows, columns, 3], the number of the item at each (0 = none), and the items' extents."""

    pixels: npt.NDArray[np.uint8]
    items: npt.NDArray[np.int32]
    extents: Mapping[int, Extent]

    def turned(self, quarters: int) -> "Photo":
        """The same photo with its pixels turned counterclockwise by quarter turns."""
        return Photo(
            np.ascontiguousarray(np.rot90(self.pixels, quarters)),
            np.ascontiguousarray(np.rot90(self.items, quarters)),
            self.extents,
        )


def photograph(scene: Scene) -> Photo:
    """Paint the scene, as far as its frame shows it."""
    rng, frame = np.random.default_rng(scene.seed), scene.frame
    ground = backdrop(scene, rng)
    canvas = ground[frame.top : frame.top + frame.height, frame.left : frame.left + frame.width].copy()
    items = np.zeros(canvas.shape[:2], np.int32)
    extents: dict[int, Extent] = {}
    for thing in scene.things:
        sprite, place = _sprite(thing), _place(thing, frame)
        if thing.shadow:
            _cast(canvas, sprite.cover, place, standing=thing.row >= 0 and scene.horizon > 0)
        _lay(canvas, sprite, place)
        before = extents.get(thing.item, Extent(0, 0))
        extents[thing.item] = _claim(items, sprite.cover, place, thing.item, before)
    return Photo(_developed(canvas, scene, rng), items, extents)


def _sprite(thing: Thing) -> Sprite:
    g = grid(_diameter(thing), thing.angle, flip=thing.flip, rng=np.random.default_rng(thing.seed))
    return PAINTERS[thing.kind](g, thing.tone).reduced(g.fine)


def _diameter(thing: Thing) -> int:
    return max(6, round(thing.size))


def _place(thing: Thing, frame: Frame) -> tuple[int, int]:
    half = _diameter(thing) / 2
    return round(thing.y - half) - frame.top, round(thing.x - half) - frame.left


def _overlap(
    place: tuple[int, int], shape: tuple[int, ...], canvas: tuple[int, ...]
) -> tuple[tuple[slice, slice], tuple[slice, slice]]:
    """The common part of a patch and the canvas, as slices of the canvas and of the patch."""
    spans = []
    for start, length, limit in zip(place, shape, canvas, strict=False):
        low, high = min(max(start, 0), limit), min(max(start + length, 0), limit)
        spans.append((slice(low, high), slice(low - start, max(high, low) - start)))
    (rows, own_rows), (columns, own_columns) = spans
    return (rows, columns), (own_rows, own_columns)


def _lay(canvas: Picture, sprite: Sprite, place: tuple[int, int]) -> None:
    on, of = _overlap(place, sprite.cover.shape, canvas.shape)
    canvas[on] += (sprite.colour[of] - canvas[on]) * sprite.cover[of][..., None]


def _claim(items: npt.NDArray[np.int32], cover: Plane, place: tuple[int, int], item: int, before: Extent) -> Extent:
    """Enter the item into the map; the extent grows by the pixels that no earlier piece of it had."""
    on, of = _overlap(place, cover.shape, items.shape)
    solid = cover >= SOLID
    inside = solid[of]
    new = int(np.count_nonzero(inside & (items[on] != item)))
    items[on][inside] = item
    return Extent(before.framed + new, before.beyond + int(np.count_nonzero(solid)) - int(np.count_nonzero(inside)))


def _cast(canvas: Picture, cover: Plane, place: tuple[int, int], *, standing: bool) -> None:
    """Darken the canvas by the object's soft shadow, to the right of it and below."""
    side = cover.shape[0]
    soft = max(1.0, side * 0.05)
    outline = Image.fromarray((cover * 255).astype(np.uint8))
    outline, drop = _fallen(outline, cover) if standing else (outline, round(side * 0.07))
    pad = round(3 * soft)
    sheet = Image.new("L", (outline.width + 2 * pad, outline.height + 2 * pad))
    sheet.paste(outline, (pad, pad))
    dark = np.asarray(sheet.filter(ImageFilter.GaussianBlur(soft)), np.float32) * (0.55 / 255)
    on, of = _overlap((place[0] - pad + drop, place[1] - pad + round(side * 0.06)), dark.shape, canvas.shape)
    canvas[on] *= 1 - dark[of][..., None]


def _fallen(outline: Image.Image, cover: Plane) -> tuple[Image.Image, int]:
    """The outline flattened onto the table, and the row of the sprite where it begins."""
    filled = np.flatnonzero(cover.max(axis=1) >= SOLID)
    foot = int(filled[-1]) + 1 if filled.size else outline.height
    height = max(2, round(outline.height * 0.30))
    return outline.resize((outline.width, height), Image.Resampling.BILINEAR), foot - round(height * 0.80)


def _developed(canvas: Picture, scene: Scene, rng: np.random.Generator) -> npt.NDArray[np.uint8]:
    """Exposure, falling light, white balance, darker corners, sensor noise and a little blur."""
    height, width = canvas.shape[:2]
    y = np.linspace(-1, 1, height, dtype=np.float32)[:, None]
    x = np.linspace(-1, 1, width, dtype=np.float32)[None, :]
    light = 1 + scene.slope[0] * x + scene.slope[1] * y - 0.10 * (x * x + y * y)
    balance = np.asarray([1 + scene.warmth, 1.0, 1 - scene.warmth], np.float32) * scene.exposure
    grains = noise(rng, (height, width), (height, width)) * (scene.noise * 1.7)
    picture = _shoulder(canvas * light[..., None] * balance) + grains[..., None]
    pixels = (unit(picture) * 255 + 0.5).astype(np.uint8)
    if not scene.blur:
        return pixels
    return np.asarray(Image.fromarray(pixels).filter(ImageFilter.GaussianBlur(scene.blur)))


def _shoulder(picture: Picture) -> Picture:
    """Highlights rolled off, as film does, so that white things in strong light keep their shape."""
    over = np.maximum(picture - KNEE, 0)
    return np.asarray(np.minimum(picture, KNEE) + over / (1 + over / (1 - KNEE) * 0.8))
