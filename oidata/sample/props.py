"""Painters of the rest: bread, tableware, greenery, and the prints with drawn lemons and cheeses."""

from typing import Final

import numpy as np

from oidata.sample.shading import (
    Colour,
    Grid,
    Plane,
    Sprite,
    disc,
    edge,
    flat,
    gloss,
    grain,
    lambert,
    mix,
    polygon,
    ramp,
    rounded,
    sphere,
    unit,
)

_CRUST: Final = ((0.30, 0.14, 0.04), (0.70, 0.42, 0.17), (0.92, 0.74, 0.46))
_CRUMB: Final = ((0.66, 0.52, 0.34), (0.93, 0.85, 0.68), (0.99, 0.95, 0.86))
_INK: Final = (0.20, 0.15, 0.10)
_GLAZES: Final[tuple[Colour, ...]] = (
    (0.93, 0.92, 0.90),
    (0.55, 0.68, 0.74),
    (0.86, 0.80, 0.68),
    (0.38, 0.44, 0.50),
    (0.80, 0.48, 0.38),
)
_PAPERS: Final[tuple[Colour, ...]] = (
    (0.96, 0.94, 0.88),
    (0.74, 0.86, 0.86),
    (0.94, 0.76, 0.70),
    (0.30, 0.42, 0.50),
    (0.99, 0.98, 0.96),
)
_FRAMES: Final[tuple[Colour, ...]] = (
    (0.16, 0.13, 0.12),
    (0.52, 0.36, 0.20),
    (0.90, 0.89, 0.86),
    (0.70, 0.56, 0.26),
)


def loaf(g: Grid, tone: int) -> Sprite:
    """A long loaf with scored crust."""
    half = 0.36 + 0.04 * (tone % 3)
    a, b = g.u / 0.97, g.v / half
    along = a * a
    inside = (1 - np.sqrt(along * along + b * b)) * half
    up = np.sqrt(np.maximum(1 - along * along - b * b, 0))
    score = np.abs((g.u * 3 + g.v * 1.4) % 1 - 0.5)
    cut = unit((0.13 - score) * 16) * unit((up - 0.45) * 4)
    bright = lambert(g, (a * 0.6, b, up)) + 0.07 * grain(g, 50) + 0.07 * grain(g, 8)
    colour = mix(ramp(bright, _CRUST), ramp(bright, _CRUMB), cut * 0.85)
    return Sprite(colour, edge(inside, g.step))


def roll(g: Grid, tone: int) -> Sprite:
    """A round roll with a cut across, dusted with flour."""
    normal = sphere(g, 0.96)
    bright = lambert(g, normal) + 0.06 * grain(g, 40) + 0.05 * grain(g, 7)
    flour = unit(grain(g, 24) + (0.2 + 0.15 * (tone % 3))) * normal[2] ** 2 * 0.45
    cut = unit((0.07 - np.abs(g.v + g.u * g.u * 0.2)) * 18) * 0.7
    colour = mix(mix(ramp(bright, _CRUST), (0.97, 0.94, 0.88), flour), ramp(bright, _CRUMB), cut)
    return Sprite(colour, edge(disc(g, radii=(0.96, 0.94)), g.step))


def toast(g: Grid, tone: int) -> Sprite:
    """A slice of bread: crumb within a brown crust."""
    block = rounded(g, (0.62, 0.66), 0.16)
    crown = disc(g, (0.0, -0.36), (0.72, 0.36))
    inside = np.maximum(block, crown)
    pores = unit(grain(g, 34) - 0.35)
    crumb = ramp(0.56 - 0.25 * pores + 0.06 * grain(g, 6), _CRUMB)
    crust = ramp((0.5 - 0.05 * (tone % 3)) - 0.15 * (g.u + g.v), _CRUST)
    return Sprite(mix(crust, crumb, unit((inside - 0.05) * 25)), edge(inside, g.step))


def _dish(g: Grid, tone: int, squash: float) -> Sprite:
    a, b = g.u / 0.98, g.v / (0.98 * squash)
    radius = np.sqrt(a * a + b * b)
    slope = (a * g.light[0] + b * g.light[1]) / np.maximum(radius, 0.05)
    lip = unit(1 - np.abs(radius - 0.70) * 9)
    bright = 0.60 - 0.16 * slope * lip + 0.06 * slope * radius
    glaze = _GLAZES[tone % len(_GLAZES)]
    dark = (glaze[0] * 0.4, glaze[1] * 0.4, glaze[2] * 0.4)
    line = unit(1 - np.abs(radius - 0.95) * 40) * 0.5
    colour = mix(ramp(bright, (dark, glaze, (1.0, 1.0, 1.0))), _GLAZES[(tone + 3) % len(_GLAZES)], line)
    return Sprite(colour, edge(disc(g, radii=(0.98, 0.98 * squash)), g.step))


def plate(g: Grid, tone: int) -> Sprite:
    """A plate seen from straight above."""
    return _dish(g, tone, 1.0)


def plate_low(g: Grid, tone: int) -> Sprite:
    """A plate seen from the edge of the table."""
    return _dish(g, tone, 0.36)


def _plank(g: Grid, tone: int, height: float) -> Sprite:
    inside = rounded(g, (0.86, height), min(0.1, height / 2))
    rings = np.sin(g.v * (34 / (height + 0.4)) + grain(g, 4) * 2.6)
    bright = 0.54 + 0.05 * rings + 0.05 * grain(g, 60)
    stops = (
        ((0.28, 0.15, 0.06), (0.66, 0.44, 0.24), (0.88, 0.70, 0.48)),
        ((0.20, 0.11, 0.06), (0.42, 0.26, 0.15), (0.66, 0.48, 0.32)),
        ((0.42, 0.30, 0.16), (0.82, 0.66, 0.44), (0.96, 0.86, 0.68)),
    )[tone % 3]
    rim = unit(1 - inside * 24) * 0.45
    return Sprite(mix(ramp(bright, stops), stops[0], rim), edge(inside, g.step))


def board(g: Grid, tone: int) -> Sprite:
    """A wooden cutting board seen from straight above."""
    return _plank(g, tone, 0.48)


def board_low(g: Grid, tone: int) -> Sprite:
    """A wooden cutting board seen from the edge of the table."""
    return _plank(g, tone, 0.20)


def leaf(g: Grid, tone: int) -> Sprite:
    """A leaf with a midrib and side veins."""
    arc = 0.36 * (1 - g.u * g.u)
    inside = (arc - np.abs(g.v)) * 0.8
    rib = unit(1 - np.abs(g.v) * 22)
    veins = unit(np.abs((g.u * 5 - np.abs(g.v) * 6) % 1 - 0.5) * 5 - 1.7) * 0.4
    bright = 0.45 - g.v * 0.5 + 0.08 * grain(g, 12)
    green = ((0.10, 0.26, 0.08), (0.25 + 0.06 * (tone % 3), 0.48, 0.16), (0.58, 0.74, 0.36))
    return Sprite(mix(ramp(bright, green), (0.66, 0.78, 0.46), np.maximum(rib, veins) * 0.7), edge(inside, g.step))


def knife(g: Grid, tone: int) -> Sprite:
    """A kitchen knife lying on its side."""
    blade = polygon(g, ((-0.96, 0.06), (-0.55, -0.10), (0.25, -0.10), (0.25, 0.10)))
    grip = np.minimum(0.08 - np.abs(g.v + 0.03), np.minimum(g.u - 0.25, 0.95 - g.u))
    steel = ramp(0.55 - g.v * 3 + 0.1 * g.u, ((0.32, 0.34, 0.36), (0.70, 0.72, 0.74), (0.97, 0.98, 1.0)))
    handle = ramp(
        0.5 - g.v * 5,
        ((0.06, 0.05, 0.05), ((0.20, 0.13, 0.09), (0.16, 0.16, 0.17))[tone % 2], (0.60, 0.50, 0.42)),
    )
    return Sprite(mix(steel, handle, edge(grip, g.step)), np.maximum(edge(blade, g.step), edge(grip, g.step)))


def mug(g: Grid, tone: int) -> Sprite:
    """A mug with its handle to the right."""
    glaze = _GLAZES[tone % len(_GLAZES)]
    wall = np.minimum(0.56 - np.abs(g.u + 0.16), 0.62 - np.abs(g.v))
    foot, lip = disc(g, (-0.16, 0.62), (0.56, 0.14)), disc(g, (-0.16, -0.62), (0.56, 0.14))
    handle = 0.08 - np.abs(disc(g, (0.44, -0.02), (0.36, 0.38)))
    across = (g.u + 0.16) / 0.58
    up = np.sqrt(np.maximum(1 - across * across, 0))
    normal = (across, np.zeros_like(across), up)
    dark = (glaze[0] * 0.36, glaze[1] * 0.36, glaze[2] * 0.36)
    outside = mix(
        ramp(lambert(g, normal), (dark, glaze, (1.0, 1.0, 1.0))),
        (1.0, 1.0, 1.0),
        gloss(g, normal, 40.0) * 0.4,
    )
    inner = ramp(0.25 + across * 0.25, (dark, glaze, (1.0, 1.0, 1.0)))
    hollow = edge(disc(g, (-0.16, -0.62), (0.50, 0.105)), g.step)
    body = np.maximum(np.maximum(wall, foot), np.maximum(lip, handle))
    return Sprite(mix(outside, inner, hollow), edge(body, g.step))


def poster(g: Grid, tone: int) -> Sprite:
    """A framed sheet of paper, on which something may be printed."""
    inside = rounded(g, (0.62, 0.76), 0.01)
    paper = flat(g, _PAPERS[tone % len(_PAPERS)]) * (1 - 0.04 * (g.u + g.v))[..., None]
    frame = ramp(0.5 - 0.15 * (g.u + g.v), ((0.05, 0.05, 0.05), _FRAMES[tone % len(_FRAMES)], (1.0, 1.0, 1.0)))
    gap = unit(1 - np.abs(inside - 0.07) * 60) * 0.3
    sheet = mix(mix(frame, paper, edge(inside - 0.07, g.step)), (0.1, 0.1, 0.1), gap)
    lines = _print_lines(g)
    return Sprite(mix(sheet, _INK, lines), edge(inside, g.step))


def _print_lines(g: Grid) -> Plane:
    """Two lines of unreadable lettering near the foot of the sheet."""
    word = (grain(g, 30) > -0.25).astype(np.float32)
    rows = np.maximum(*(edge(0.02 - np.abs(g.v - at), g.step) for at in (0.52, 0.60)))
    return np.asarray(rows * word * (np.abs(g.u) < 0.36) * 0.7, np.float32)


def carton(g: Grid, tone: int) -> Sprite:
    """A cardboard pack with a label on its front."""
    front, lid = (
        rounded(g, (0.66, 0.58), 0.01),
        polygon(g, ((-0.52, -0.78), (0.60, -0.78), (0.66, -0.57), (-0.66, -0.57))),
    )
    paper = _PAPERS[(tone + 1) % len(_PAPERS)]
    shade = ramp(0.5 - 0.10 * (g.u + g.v), ((0.1, 0.08, 0.05), (0.72, 0.56, 0.38), (1.0, 0.95, 0.85)))
    label = edge(rounded(g, (0.56, 0.48), 0.06), g.step)
    top = flat(g, (0.84, 0.69, 0.49))
    body = mix(mix(top, shade, edge(front, g.step)), paper, label)
    return Sprite(body, np.maximum(edge(front, g.step), edge(lid, g.step)))


def drawn_lemon(g: Grid, tone: int) -> Sprite:
    """A lemon as a flat drawing: one yellow, a thick outline, a leaf."""
    body = np.maximum(
        disc(g, (0.0, 0.10), (0.74, 0.56)),
        np.maximum(disc(g, (0.78, 0.10), (0.17, 0.12)), disc(g, (-0.78, 0.10), (0.17, 0.12))),
    )
    sprout = disc(g, (0.22, -0.60), (0.40, 0.17))
    fill = (0.99, 0.86, 0.16) if tone % 2 else (0.98, 0.80, 0.10)
    arc = unit(1 - np.abs(disc(g, (0.06, 0.16), (0.56, 0.40))) * 30) * (g.u + g.v < -0.25)
    colour = mix(flat(g, fill), (1.0, 0.97, 0.70), np.asarray(arc, np.float32))
    colour = mix(colour, (0.34, 0.58, 0.26), edge(sprout - np.maximum(body, 0), g.step))
    return _outlined(g, Sprite(colour, flat(g, (0, 0, 0))[..., 0]), np.maximum(body, sprout))


def drawn_cheese(g: Grid, tone: int) -> Sprite:
    """A wedge of cheese as a flat drawing: two yellows, round holes, a thick outline."""
    top = polygon(g, ((-0.90, -0.02), (0.50, -0.62), (0.88, -0.10)))
    side = polygon(g, ((-0.90, -0.02), (0.88, -0.10), (0.88, 0.44), (-0.90, 0.40)))
    colour = mix(flat(g, (0.97, 0.76, 0.22)), (1.0, 0.88, 0.48), edge(top, g.step))
    holes = (
        (-0.40, 0.18, 0.10),
        (0.10, 0.24, 0.13),
        (0.56, 0.10, 0.10),
        (0.35, -0.28, 0.08 + 0.01 * (tone % 4)),
    )
    for u, v, radius in holes:
        colour = mix(colour, (0.80, 0.56, 0.12), edge(disc(g, (u, v), (radius, radius)), g.step))
    return _outlined(g, Sprite(colour, flat(g, (0, 0, 0))[..., 0]), np.maximum(top, side))


def _outlined(g: Grid, sprite: Sprite, inside: Plane) -> Sprite:
    line = unit((0.05 - inside) * 40)
    return Sprite(mix(sprite.colour, _INK, line), edge(inside, g.step))
