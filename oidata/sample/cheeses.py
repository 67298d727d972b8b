"""Painters of cheeses: wedges, wheels, cubes and slices, with holes, rinds and mould."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from oidata.sample.shading import (
    Colour,
    Grid,
    Picture,
    Plane,
    Point,
    Sprite,
    disc,
    edge,
    flat,
    grain,
    mix,
    polygon,
    ramp,
    unit,
)


@dataclass(frozen=True)
class Sort:
    """A sort of cheese: the colours of its paste and its rind, how many holes and how much mould it has."""

    paste: Colour
    rind: Colour
    holes: int = 0
    mould: float = 0.0


SORTS: Final = (
    Sort((0.96, 0.80, 0.38), (0.80, 0.58, 0.26), holes=9),
    Sort((0.94, 0.87, 0.60), (0.86, 0.72, 0.42), holes=7),
    Sort((0.94, 0.66, 0.24), (0.70, 0.13, 0.10), holes=0),
    Sort((0.95, 0.74, 0.34), (0.90, 0.62, 0.16), holes=3),
    Sort((0.97, 0.92, 0.76), (0.95, 0.94, 0.90), holes=0),
    Sort((0.95, 0.93, 0.85), (0.78, 0.70, 0.58), holes=0, mould=0.6),
    Sort((0.96, 0.95, 0.91), (0.94, 0.93, 0.89), holes=2),
)


def _scaled(colour: Colour, factor: float) -> Colour:
    red, green, blue = (min(1.0, part * factor) for part in colour)
    return red, green, blue


def _paste(g: Grid, sort: Sort, light: float) -> Picture:
    """A cut face of the cheese under even light: paste with crumbs and, for some sorts, blue mould."""
    crumbs = (0.5 * light) + 0.035 * grain(g, 40) + 0.03 * grain(g, 6)
    crumbs = crumbs - 0.06 * (g.u * (-g.light[0]) + g.v * (-g.light[1]))
    colour = ramp(crumbs, (_scaled(sort.paste, 0.42), sort.paste, (1.0, 0.98, 0.90)))
    if sort.mould:
        spots = np.clip((grain(g, 16) - (1.0 - sort.mould)) * 4, 0, 0.8)
        colour = mix(colour, (0.36, 0.45, 0.50), spots)
    return colour


def _bore(g: Grid, colour: Picture, sort: Sort, centre: Point, radii: Point) -> None:
    """Sink a hole into `colour`: dark where its wall turns from the light, with a bright lip opposite."""
    rows, columns = g.window(centre, max(radii) * 1.3)
    a = (g.u[rows, columns] - centre[0]) / radii[0]
    b = (g.v[rows, columns] - centre[1]) / radii[1]
    if not a.size:
        return
    radius = np.sqrt(a * a + b * b)
    toward = a * g.light[0] + b * g.light[1]
    depth = ramp(
        unit(0.42 - toward * 0.40),
        (_scaled(sort.paste, 0.36), _scaled(sort.paste, 0.66), sort.paste),
    )
    soft = max(g.step / min(radii), 0.05)
    lip = unit(1 - np.abs(radius - 1.08) * 9) * unit(-toward) * 0.5
    lit = mix(colour[rows, columns], (1.0, 0.98, 0.88), lip)
    colour[rows, columns] = mix(lit, depth, unit((1 - radius) / soft + 0.5))


def _holed(g: Grid, sort: Sort, light: float, face: Sequence[Point], squash: float) -> Picture:
    """A cut face with holes strewn over the polygon `face`, flattened by `squash`."""
    colour = _paste(g, sort, light)
    for _ in range(sort.holes):
        weights = g.rng.random(len(face)) ** 1.5
        weights = weights / weights.sum()
        u, v = (float(np.dot(weights, [corner[axis] for corner in face])) for axis in (0, 1))
        radius = 0.04 + 0.10 * float(g.rng.random()) ** 1.5
        _bore(g, colour, sort, (u, v), (radius, radius * squash))
    return colour


def wedge(g: Grid, tone: int) -> Sprite:
    """A wedge cut from a wheel: its top, one cut side, and the rind at its back."""
    sort = SORTS[tone % len(SORTS)]
    height, lean = 0.34 + 0.24 * float(g.rng.random()), 0.12 * float(g.rng.random())
    tip, back, front = (
        (-0.88, 0.16 - height / 2),
        (0.42 + lean, -0.46 - height / 2),
        (0.88, 0.06 - height / 2),
    )
    low_front, low_tip = (0.88, 0.06 + height / 2), (-0.88, 0.16 + height / 2)
    top, side = polygon(g, (tip, back, front)), polygon(g, (tip, front, low_front, low_tip))
    colour = _holed(g, sort, 1.18, (tip, back, front), 0.55)
    body = _holed(g, sort, 0.86, (tip, front, low_front, low_tip), 1.0)
    band = _beyond(g, back, front)
    colour = mix(colour, _scaled(sort.rind, 1.08), unit((band + 0.075) * 40))
    body = mix(body, _scaled(sort.rind, 0.8), unit((g.u - 0.82) * 40))
    body = body * (1 - 0.22 * unit((g.v - front[1]) / height))[..., None]
    return _joined(g, (body, side), (colour, top))


def _beyond(g: Grid, start: Point, end: Point) -> Plane:
    """Signed distance to the line through two points, growing to the right of it (the rind's side)."""
    length = ((end[0] - start[0]) ** 2 + (end[1] - start[1]) ** 2) ** 0.5
    a, b = (end[1] - start[1]) / length, -(end[0] - start[0]) / length
    return np.asarray((g.u - start[0]) * a + (g.v - start[1]) * b, np.float32)


def _joined(g: Grid, *faces: tuple[Picture, Plane]) -> Sprite:
    """Several faces as one sprite, later over earlier."""
    colour, cover = faces[0][0], edge(faces[0][1], g.step)
    for picture, inside in faces[1:]:
        share = edge(inside + g.step, g.step)
        colour, cover = mix(colour, picture, share), np.maximum(cover, edge(inside, g.step))
    return Sprite(colour, cover)


def wheel(g: Grid, tone: int) -> Sprite:
    """A whole wheel or a small round cheese in its rind, seen from above its rim."""
    sort = SORTS[tone % len(SORTS)]
    squash, height = 0.46 + 0.18 * float(g.rng.random()), 0.24 + 0.16 * float(g.rng.random())
    radii = (0.92, 0.92 * squash)
    lid, foot = disc(g, (0.0, -height / 2), radii), disc(g, (0.0, height / 2), radii)
    wall = np.minimum(0.92 - np.abs(g.u), (height / 2) - np.abs(g.v))
    bump = 0.05 * grain(g, 9) + 0.04 * grain(g, 40)
    turned = 0.42 - 0.34 * g.u * (-math.copysign(1.0, g.light[0])) + bump
    dark, own = _scaled(sort.rind, 0.40), _scaled(sort.rind, 0.95)
    side = ramp(turned - 0.3 * g.u * g.u, (dark, own, (1.0, 0.97, 0.92)))
    top = ramp(0.56 + bump - 0.10 * (g.u + g.v), (dark, own, (1.0, 0.97, 0.92)))
    rim = unit(1 - np.abs(lid - 0.03) * 30) * 0.30
    return _joined(g, (side, np.maximum(wall, foot)), (mix(top, (1.0, 0.98, 0.94), rim), lid))


def cube(g: Grid, tone: int) -> Sprite:
    """A small block of cheese with three faces in view."""
    sort = SORTS[tone % len(SORTS)]
    skew = 0.12 * (float(g.rng.random()) - 0.5)
    north, east, west, mid = (skew, -0.92), (0.80, -0.50), (-0.80, -0.48), (skew, -0.06)
    south, low_east, low_west = (skew, 0.95), (0.80, 0.46), (-0.80, 0.48)
    few = Sort(sort.paste, sort.rind, sort.holes // 3, sort.mould)
    top = _holed(g, few, 1.22, (north, east, mid, west), 0.55), polygon(g, (north, east, mid, west))
    left = _holed(g, few, 0.92, (west, mid, south, low_west), 1.0), polygon(g, (west, mid, south, low_west))
    right = _holed(g, few, 0.70, (mid, east, low_east, south), 1.0), polygon(g, (mid, east, low_east, south))
    return _joined(g, left, right, top)


def slice_(g: Grid, tone: int) -> Sprite:
    """A thin square slice, lying flat."""
    sort = SORTS[(0, 1, 3, 0)[tone % 4]]
    slant = 0.14 * float(g.rng.random())
    corners = ((-0.68 + slant, -0.66), (0.72, -0.62), (0.68, 0.68), (-0.70, 0.64))
    inside = polygon(g, corners)
    colour = _holed(g, sort, 1.10, corners, 1.0)
    rim = unit(1 - inside * 28) * 0.30
    return Sprite(mix(colour, flat(g, _scaled(sort.paste, 0.62)), rim), edge(inside, g.step))
