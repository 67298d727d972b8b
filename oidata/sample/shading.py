"""Coordinates, light, noise and flat geometry for painting one object on a square sprite.

An object is painted in its own frame: u to its right, v down, all of it inside the unit disc, so that a
turned object still fits its square. Outlines use only +, *, / and sqrt, which every machine rounds alike;
boxes are read off the outlines and must come out the same everywhere.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
from PIL import Image

Plane = npt.NDArray[np.floating]
"""One float32 per pixel, [rows, columns]; numpy's annotations lose the width in sums with Python numbers."""
Picture = npt.NDArray[np.floating]
"""Red, green, blue in 0 to 1 per pixel, float32 [rows, columns, 3]."""
Colour = tuple[float, float, float]
Point = tuple[float, float]

FINE: Final = 2
"""Supersampling along each side of sprites under `FINE_BELOW` photo pixels; soft edges serve the larger."""
FINE_BELOW: Final = 150
LIGHT: Final = (-0.48, -0.62, 0.62)
"""Where the light comes from in the photo: left, above, before it (a unit vector)."""


@dataclass(frozen=True)
class Grid:
    """The supersampled pixels of one sprite: their places in the object's frame, the light, the chance.

    `step` is the distance of two pixels in that frame; `turn` is how the frame lies in the photo: the cosine
    and sine of its turn, and -1 if it is mirrored.
    """

    u: Plane
    v: Plane
    light: tuple[float, float, float]
    step: float
    rng: np.random.Generator
    turn: tuple[float, float, float]
    fine: int

    def window(self, centre: Point, radius: float) -> tuple[slice, slice]:
        """The pixels of a square that holds the disc around `centre`, so that small marks stay cheap."""
        (cos, sin, flip), side = self.turn, len(self.u)
        u, v = centre[0] * flip, centre[1]
        column, row = ((x + 1) / 2 * side for x in (u * cos - v * sin, u * sin + v * cos))
        reach = radius / 2 * side + 2
        return (
            slice(max(0, int(row - reach)), max(0, int(row + reach))),
            slice(max(0, int(column - reach)), max(0, int(column + reach))),
        )


@dataclass(frozen=True)
class Sprite:
    """A painted object: its colours and how far it covers each pixel (0 to 1)."""

    colour: Picture
    cover: Plane

    def reduced(self, fine: int) -> "Sprite":
        """The sprite with each `fine` by `fine` pixels made one, their colours weighted by cover."""
        if fine == 1:
            return self
        cover = _mean(self.cover, fine)
        colour = _mean(self.colour * self.cover[..., None], fine) / np.maximum(cover, 1e-6)[..., None]
        return Sprite(colour, cover)


def _mean(values: Plane, fine: int) -> Plane:
    parts = [values[row::fine, column::fine] for row in range(fine) for column in range(fine)]
    return np.asarray(sum(parts[1:], parts[0]) / (fine * fine), np.float32)


def grid(diameter: int, angle: float, *, flip: bool, rng: np.random.Generator) -> Grid:
    """The grid of a sprite `diameter` photo pixels wide, turned clockwise by `angle` radians."""
    fine = FINE if diameter < FINE_BELOW else 1
    side = diameter * fine
    axis = ((np.arange(side, dtype=np.float32) + 0.5) * (2 / side) - 1).astype(np.float32)
    x, y = axis[None, :], axis[:, None]
    cos, sin, sign = math.cos(angle), math.sin(angle), -1.0 if flip else 1.0
    u = (x * cos + y * sin) * sign
    v = y * cos - x * sin
    light = ((LIGHT[0] * cos + LIGHT[1] * sin) * sign, LIGHT[1] * cos - LIGHT[0] * sin, LIGHT[2])
    return Grid(u, v, light, 2 / side, rng, (cos, sin, sign), fine)


def unit(values: Plane) -> Plane:
    """The values held within 0 and 1."""
    return np.asarray(np.clip(values, 0, 1))


def edge(inside: Plane, step: float) -> Plane:
    """Cover of a shape from the signed distance to its outline (positive inside), one pixel soft."""
    return unit(inside / step + 0.5)


def disc(g: Grid, centre: Point = (0.0, 0.0), radii: Point = (1.0, 1.0)) -> Plane:
    """Signed distance (nearly) to an ellipse, positive inside."""
    a, b = (g.u - centre[0]) / radii[0], (g.v - centre[1]) / radii[1]
    return np.asarray((1 - np.sqrt(a * a + b * b)) * min(radii))


def polygon(g: Grid, corners: Sequence[Point]) -> Plane:
    """Signed distance to a convex polygon given clockwise as seen, positive inside."""
    distances = []
    for (u0, v0), (u1, v1) in zip(corners, (*corners[1:], corners[0]), strict=True):
        length = math.sqrt((u1 - u0) ** 2 + (v1 - v0) ** 2)
        normal_u, normal_v = -(v1 - v0) / length, (u1 - u0) / length
        distances.append((g.u - u0) * normal_u + (g.v - v0) * normal_v)
    return np.asarray(np.minimum.reduce(distances))


def rounded(g: Grid, half: Point, corner: float) -> Plane:
    """Signed distance to a rectangle with round corners around the origin, positive inside."""
    a, b = np.abs(g.u) - (half[0] - corner), np.abs(g.v) - (half[1] - corner)
    outer = np.sqrt(np.maximum(a, 0) ** 2 + np.maximum(b, 0) ** 2)
    return np.asarray(corner - outer - np.minimum(np.maximum(a, b), 0))


def flat(g: Grid, colour: Colour) -> Picture:
    """A picture of one colour."""
    return np.broadcast_to(np.asarray(colour, np.float32), (*g.u.shape, 3)).copy()


def mix(a: Picture | Colour, b: Picture | Colour, share: Plane) -> Picture:
    """The colours from `a` (share 0) to `b` (share 1)."""
    first, second = np.asarray(a, np.float32), np.asarray(b, np.float32)
    return np.asarray(first + (second - first) * share[..., None], np.float32)


def ramp(bright: Plane, stops: tuple[Colour, Colour, Colour]) -> Picture:
    """The colours of a lit surface: deep at brightness 0, the object's own at 0.5, lit at 1."""
    deep, own, lit = (np.asarray(stop, np.float32) for stop in stops)
    low, high = unit(bright * 2)[..., None], unit(bright * 2 - 1)[..., None]
    return np.asarray(deep + (own - deep) * low + (lit - own) * high, np.float32)


def lambert(g: Grid, normal: tuple[Plane, Plane, Plane]) -> Plane:
    """Brightness 0 to 1 of a surface with these unit normals, wrapped a little around the edge."""
    facing = normal[0] * g.light[0] + normal[1] * g.light[1]
    return unit((facing + normal[2] * g.light[2] + 0.25) * 0.8)


def gloss(g: Grid, normal: tuple[Plane, Plane, Plane], sharpness: float) -> Plane:
    """The specular highlight for an eye straight above the photo."""
    # Half vector between the light and the eye (0, 0, 1).
    a, b, c = g.light[0], g.light[1], g.light[2] + 1
    norm = math.sqrt(a * a + b * b + c * c)
    aligned = (normal[0] * a + normal[1] * b + normal[2] * c) / norm
    return np.asarray(unit(aligned) ** sharpness, np.float32)


def sphere(g: Grid, radius: float = 1.0) -> tuple[Plane, Plane, Plane]:
    """Unit normals of a ball around the origin."""
    a, b = g.u / radius, g.v / radius
    return a, b, np.sqrt(np.maximum(1 - a * a - b * b, 0))


def noise(rng: np.random.Generator, shape: tuple[int, int], cells: tuple[int, int]) -> Plane:
    """Smooth noise in -1 to 1 with about `cells` bumps down and across."""
    down, across = (min(count, side) for count, side in zip(cells, shape, strict=True))
    coarse = Image.fromarray(rng.random((max(2, down), max(2, across)), dtype=np.float32) * 2 - 1)
    return np.asarray(coarse.resize((shape[1], shape[0]), Image.Resampling.BICUBIC), np.float32)


def grain(g: Grid, cells: int) -> Plane:
    """Smooth noise over a sprite, with about `cells` bumps along each side."""
    return noise(g.rng, (g.u.shape[0], g.u.shape[1]), (cells, cells))
