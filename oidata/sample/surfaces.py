"""What the objects stand on and before: wood, marble, cloth, slate and painted walls."""

import math
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

import numpy as np

from oidata.sample.scenes import Scene
from oidata.sample.shading import Colour, Picture, Plane, mix, noise, unit

Surface = Callable[[np.random.Generator, int, int, int], Picture]
"""(chance, height, width, tone) to a picture; the tone picks among the material's colours."""

_WOODS: Final[tuple[Colour, ...]] = (
    (0.62, 0.44, 0.28),
    (0.46, 0.31, 0.20),
    (0.76, 0.62, 0.46),
    (0.52, 0.46, 0.41),
    (0.86, 0.83, 0.77),
)
_CLOTHS: Final[tuple[Colour, ...]] = (
    (0.74, 0.20, 0.20),
    (0.22, 0.38, 0.60),
    (0.35, 0.52, 0.40),
    (0.80, 0.62, 0.24),
    (0.45, 0.45, 0.50),
)
_STONES: Final[tuple[Colour, ...]] = (
    (0.90, 0.89, 0.87),
    (0.83, 0.80, 0.77),
    (0.30, 0.33, 0.36),
    (0.72, 0.76, 0.76),
)
_PAINTS: Final[tuple[Colour, ...]] = (
    (0.60, 0.68, 0.70),
    (0.85, 0.80, 0.72),
    (0.42, 0.50, 0.47),
    (0.78, 0.62, 0.55),
    (0.33, 0.37, 0.46),
    (0.88, 0.87, 0.84),
    (0.80, 0.74, 0.48),
)


def _axes(height: int, width: int) -> tuple[Plane, Plane]:
    return (
        np.arange(height, dtype=np.float32)[:, None] / height,
        np.arange(width, dtype=np.float32)[None, :] / width,
    )


def _scaled(colour: Colour, factor: Plane) -> Picture:
    return np.asarray(np.asarray(colour, np.float32) * factor[..., None], np.float32)


def wood(rng: np.random.Generator, height: int, width: int, tone: int) -> Picture:
    """Planks with grain, each of its own shade, parted by dark joints."""
    y, _ = _axes(height, width)
    planks = 3 + tone % 4
    place = y * planks + rng.random()
    number = np.floor(place).astype(np.intp)[:, 0]
    shade = (0.86 + 0.28 * rng.random(planks + 2, dtype=np.float32))[number][:, None]
    wave = noise(rng, (height, width), (planks * 2, 4)) * 3
    rings = np.sin(place * 22 + wave).astype(np.float32)
    fibre = noise(rng, (height, width), (height // 2, 8))
    joint = unit(np.abs(place - np.round(place)) * (height / planks / 1.6))
    light = shade * (1 + 0.05 * rings + 0.07 * fibre) * (0.45 + 0.55 * joint)
    return _scaled(_WOODS[tone % len(_WOODS)], light)


def marble(rng: np.random.Generator, height: int, width: int, tone: int) -> Picture:
    """Polished stone with cloudy patches and thin veins."""
    y, x = _axes(height, width)
    warp = noise(rng, (height, width), (5, 5)) + 0.5 * noise(rng, (height, width), (12, 12))
    slope = float(rng.random()) * 2 - 1
    vein = np.abs(np.sin((x + y * slope) * 9 + warp * 0.9))
    strength = unit(noise(rng, (height, width), (6, 6)) + 0.3) * 0.24
    line = unit(1 - vein * 7) ** 2 * strength
    cloud = 0.04 * warp
    return _scaled(_STONES[tone % len(_STONES)], 1 + cloud - line)


def check(rng: np.random.Generator, height: int, width: int, tone: int) -> Picture:
    """A woven cloth in checks of one colour and cream, with soft folds."""
    y, x = _axes(height, width)
    pitch = max(height, width) / (12 + tone % 9)
    bend = noise(rng, (height, width), (3, 3)) * 0.35
    down, across = y * (height / pitch) + bend, x * (width / pitch) + bend
    share = (_band(down) + _band(across)) / 2
    threads = np.sin(np.arange(width, dtype=np.float32) * (math.pi / 1.5))[None, :]
    fold = 1 + 0.10 * noise(rng, (height, width), (3, 4)) + 0.02 * threads
    cloth = mix((0.93, 0.91, 0.86), _CLOTHS[tone % len(_CLOTHS)], share)
    return np.asarray(cloth * fold[..., None], np.float32)


def _band(place: Plane) -> Plane:
    return unit((np.abs(place % 2 - 1) - 0.5) * 12 + 0.5)


def linen(rng: np.random.Generator, height: int, width: int, tone: int) -> Picture:
    """Coarse plain cloth: crossing threads of uneven strength."""
    warp = noise(rng, (height, width), (12, width // 2))
    weft = noise(rng, (height, width), (height // 2, 12))
    fold = noise(rng, (height, width), (2, 3))
    light = 1 + 0.06 * (warp + weft) + 0.08 * fold
    return _scaled(_PAINTS[tone % len(_PAINTS)], light)


def slate(rng: np.random.Generator, height: int, width: int, tone: int) -> Picture:
    """Dark split stone with fine layers."""
    coarse = noise(rng, (height, width), (9, 6)) + 0.6 * noise(rng, (height, width), (40, 18))
    return _scaled(((0.25, 0.27, 0.30), (0.20, 0.20, 0.22), (0.34, 0.31, 0.28))[tone % 3], 1 + 0.12 * coarse)


def paint(rng: np.random.Generator, height: int, width: int, tone: int) -> Picture:
    """A painted wall: even, a little blotched."""
    blotch = noise(rng, (height, width), (4, 5)) + 0.4 * noise(rng, (height, width), (height // 3, width // 3))
    return _scaled(_PAINTS[tone % len(_PAINTS)], 1 + 0.035 * blotch)


def tiles(rng: np.random.Generator, height: int, width: int, tone: int) -> Picture:
    """Glazed kitchen tiles, every second row shifted by half a tile."""
    y, x = _axes(height, width)
    rows = 5 + tone % 4
    row = np.floor(y * rows)
    across = x * (rows * width / height / 2) + row * 0.5
    gap_down, gap_across = np.abs(y * rows - np.round(y * rows)), np.abs(across - np.round(across)) * 2
    joint = unit(np.minimum(gap_down, gap_across) * (height / rows / 2))
    shade = noise(rng, (height, width), (rows, rows)) * 0.04
    return _scaled(_PAINTS[(tone + 5) % len(_PAINTS)], (0.8 + 0.2 * joint) * (1 + shade))


TABLES: Final[Mapping[str, Surface]] = MappingProxyType(
    {"wood": wood, "marble": marble, "check": check, "linen": linen, "slate": slate}
)
WALLS: Final[Mapping[str, Surface]] = MappingProxyType({"paint": paint, "tiles": tiles, "planks": wood})


def backdrop(scene: Scene, rng: np.random.Generator) -> Picture:
    """The empty scene, whole: a table, and above the horizon, if there is one, a wall."""
    ground = TABLES[scene.table](rng, scene.height, scene.width, scene.tone)
    if not scene.horizon:
        return ground
    behind = WALLS[scene.wall](rng, scene.height, scene.width, scene.tone // 7)
    below = np.arange(scene.height, dtype=np.float32)[:, None] - scene.horizon
    near = 1 - 0.35 * np.exp(-np.abs(below) / (scene.height * 0.06))
    return mix(behind, ground, unit(below / 2 + 0.5)) * near[..., None]
