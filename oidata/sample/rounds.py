"""Painters of what is round: lemons and limes, whole and cut, tennis balls and grapes."""

from collections.abc import Callable
from typing import Final

import numpy as np

from oidata.sample.shading import (
    Colour,
    Grid,
    Picture,
    Plane,
    Sprite,
    disc,
    edge,
    flat,
    gloss,
    grain,
    lambert,
    mix,
    ramp,
    sphere,
    unit,
)

Painter = Callable[[Grid, int], Sprite]
"""(grid, tone) to a sprite; the tone picks among the object's colours, so that a pile can share one."""
Stops = tuple[Colour, Colour, Colour]

LEMONS: Final[tuple[Stops, ...]] = (
    ((0.62, 0.38, 0.02), (0.96, 0.78, 0.10), (1.00, 0.93, 0.42)),
    ((0.58, 0.40, 0.04), (0.93, 0.80, 0.18), (0.99, 0.94, 0.52)),
    ((0.64, 0.34, 0.02), (0.97, 0.72, 0.08), (1.00, 0.90, 0.36)),
    ((0.50, 0.42, 0.05), (0.87, 0.81, 0.20), (0.97, 0.95, 0.55)),
)
LIMES: Final[tuple[Stops, ...]] = (
    ((0.10, 0.24, 0.04), (0.33, 0.56, 0.12), (0.66, 0.82, 0.32)),
    ((0.16, 0.30, 0.05), (0.45, 0.63, 0.15), (0.74, 0.86, 0.38)),
    ((0.12, 0.27, 0.06), (0.36, 0.60, 0.20), (0.70, 0.85, 0.42)),
    ((0.28, 0.36, 0.04), (0.62, 0.72, 0.17), (0.86, 0.91, 0.44)),
    ((0.18, 0.30, 0.04), (0.48, 0.64, 0.12), (0.78, 0.87, 0.36)),
    ((0.36, 0.39, 0.04), (0.74, 0.77, 0.19), (0.92, 0.93, 0.48)),
)
_FELT: Final[Stops] = ((0.38, 0.44, 0.06), (0.78, 0.86, 0.20), (0.92, 0.97, 0.48))


def citrus(g: Grid, stops: Stops, *, slim: float, tip: float) -> Sprite:
    """A whole citrus fruit lying along u: half-width `slim`, with tips of half-width `tip`."""
    width = _citrus_width(g, slim, tip)
    across = np.clip(g.v / np.maximum(width, 1e-3), -1, 1)
    along = g.u * np.abs(g.u) * 0.95
    up = np.sqrt(np.maximum(1 - across * across, 0)) + 0.05
    length = np.sqrt(along * along + across * across + up * up)
    normal = (along / length, across / length, up / length)
    pores = grain(g, 46)
    bright = lambert(g, normal) * (1 + 0.10 * pores + 0.06 * grain(g, 5))
    colour = mix(ramp(bright, stops), _green(stops), unit(np.abs(g.u) - 0.74))
    shine = gloss(g, normal, 26.0) * (0.55 + 0.35 * pores)
    return Sprite(mix(colour, (1.0, 0.99, 0.90), unit(shine)), edge((width - np.abs(g.v)) * 0.8, g.step))


def _citrus_width(g: Grid, slim: float, tip: float) -> Plane:
    """Half-width of the fruit at each u: an ellipse, joined near its ends by two small ones."""
    far = np.abs(g.u)
    body = slim * slim * np.maximum(1 - (far / 0.90) ** 2, 0)
    reach, fade = np.maximum(far - 0.80, 0) / 0.19, unit((far - 0.5) / 0.3)
    tips = tip * tip * np.maximum(1 - reach * reach, 0) * fade * fade
    # Below zero beyond the tips, or |v| = 0 would lie on the outline there.
    return np.asarray(np.sqrt(body + tips) - np.maximum(far - 0.99, 0) * 5)


def _green(stops: Stops) -> Colour:
    red, green, blue = stops[1]
    return red * 0.55, green * 0.85, blue


def lemon(g: Grid, tone: int) -> Sprite:
    """A whole lemon, slim or plump, its tips turning green."""
    slim, tip = (float(x) for x in g.rng.random(2))
    return citrus(g, LEMONS[tone % len(LEMONS)], slim=0.62 + 0.12 * slim, tip=0.13 + 0.07 * tip)


def lime(g: Grid, tone: int) -> Sprite:
    """A whole lime: rounder and greener than a lemon, though the ripest are nearly yellow."""
    slim, tip = (float(x) for x in g.rng.random(2))
    return citrus(g, LIMES[tone % len(LIMES)], slim=0.70 + 0.10 * slim, tip=0.08 + 0.05 * tip)


def _face(g: Grid, stops: Stops, a: Plane, b: Plane) -> Picture:
    """The cut face of a citrus fruit, in coordinates where its rind is the unit circle."""
    count = 8 + int(g.rng.random() * 4)
    radius, angle = np.sqrt(a * a + b * b), np.arctan2(b, a)
    phase = angle * (count / 2 / np.pi) + g.rng.random()
    wall = np.minimum(phase % 1, 1 - phase % 1) * radius * (2 * np.pi / count)
    end = np.minimum(0.80 - radius, radius - 0.10)
    # The smaller of both distances, rounded off: that makes the segments' corners soft.
    depth = wall * end / (wall + np.maximum(end, 1e-3))
    streak = np.sin(angle * 46 + grain(g, 14) * 3) * 0.5 + grain(g, 30) * 0.5
    lit = 0.62 + 0.16 * streak - 0.10 * (a + b) + 0.1 * radius
    pulp = ramp(lit, (stops[1], _pale(stops[1], 0.30), _pale(stops[2], 0.65)))
    pith = mix((0.97, 0.95, 0.84), pulp, unit((depth - 0.012) * 50))
    rind = unit((radius - 0.90) * 30)
    return mix(pith, stops[1], rind)


def _pale(colour: Colour, share: float) -> Colour:
    red, green, blue = (part + (1.0 - part) * share for part in colour)
    return red, green, blue


def _half(g: Grid, stops: Stops) -> Sprite:
    squash = 0.72 + 0.26 * float(g.rng.random())
    drop = (1.0 - squash) * 0.95
    dome = disc(g, (0.0, drop * 0.45), (0.88, 0.88 * (squash + drop * 0.5)))
    shade = ramp(unit(0.55 - g.v * 0.5 - g.u * 0.25), stops)
    a, b = g.u / 0.88, (g.v + (drop * 0.15)) / (0.88 * squash)
    cut = edge(disc(g, (0.0, -drop * 0.15), (0.88, 0.88 * squash)), g.step)
    return Sprite(mix(shade, _face(g, stops, a, b), cut), np.maximum(edge(dome, g.step), cut))


def _wedge(g: Grid, stops: Stops) -> Sprite:
    a, b = g.u / 0.92, (g.v + 0.42) / 0.92
    inside = np.minimum(disc(g, (0.0, -0.42), (0.92, 0.92)), g.v + 0.36)
    face = _face(g, stops, a, b)
    rim = unit(1 - (g.v + 0.36) * 14) * 0.35
    return Sprite(mix(face, (1.0, 1.0, 0.94), rim), edge(inside, g.step))


def lemon_half(g: Grid, tone: int) -> Sprite:
    """Half a lemon with its cut face up."""
    return _half(g, LEMONS[tone % len(LEMONS)])


def lemon_wedge(g: Grid, tone: int) -> Sprite:
    """A slice of lemon cut in two."""
    return _wedge(g, LEMONS[tone % len(LEMONS)])


def lime_half(g: Grid, tone: int) -> Sprite:
    """Half a lime with its cut face up."""
    return _half(g, LIMES[tone % len(LIMES)])


def tennis_ball(g: Grid, tone: int) -> Sprite:
    """A felt ball with its white seam, new or worn."""
    normal = sphere(g, 0.97)
    fuzz = grain(g, 60)
    bright = lambert(g, normal) * ((0.94 - 0.05 * (tone % 3)) + 0.10 * fuzz)
    seam = np.minimum(*(np.abs(disc(g, (side * 1.02, side * 0.2), (0.74, 0.74))) for side in (-1, 1)))
    line = unit((0.05 - seam) * 40) * (0.75 + 0.2 * normal[2])
    outline = disc(g, radii=(0.97, 0.97)) + 0.012 * fuzz
    white = ramp(bright, ((0.42, 0.44, 0.34), (0.90, 0.91, 0.82), (1.0, 1.0, 0.96)))
    return Sprite(mix(ramp(bright, _FELT), white, line), edge(outline, g.step))


def grape(g: Grid, tone: int) -> Sprite:
    """One grape, dark or green."""
    stops = (
        ((0.10, 0.03, 0.12), (0.32, 0.12, 0.34), (0.62, 0.40, 0.66)),
        ((0.22, 0.30, 0.08), (0.56, 0.66, 0.28), (0.84, 0.90, 0.60)),
    )[tone % 2]
    normal = sphere(g, 0.96)
    colour = ramp(lambert(g, normal) * (1 + 0.08 * grain(g, 5)), stops)
    return Sprite(
        mix(colour, flat(g, (1.0, 1.0, 1.0)), gloss(g, normal, 60.0) * 0.8),
        edge(disc(g, radii=(0.96, 0.96)), g.step),
    )
