"""The ways a photo is composed, how often each comes, and its light: one source of chance to one scene."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from random import Random
from types import MappingProxyType
from typing import Final

from oidata.sample.classes import SUBJECTS
from oidata.sample.scenes import KINDS, Frame, Scene, Thing
from oidata.sample.stage import Stage, between

FORMS: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {
        "Lemon": ("lemon", "lemon", "lemon", "lemon", "lemon_half", "lemon_half", "lemon_wedge"),
        "Cheese": ("wedge", "wedge", "wedge", "wheel", "cube", "cube", "slice"),
    }
)
DISTRACTORS: Final = ("lime", "lime", "lime_half", "tennis_ball", "tennis_ball", "toast", "loaf", "roll")
GARNISH: Final = ("leaf", "leaf", "grape", "grape", "knife")
DRAWINGS: Final = MappingProxyType({"Lemon": "drawn_lemon", "Cheese": "drawn_cheese"})
PRINTS: Final = MappingProxyType({"poster": (0.0, -0.06, 0.50), "mug": (-0.08, 0.02, 0.40), "carton": (0.0, 0.0, 0.46)})
"""What carries drawings: the drawing's place (across, down) and its size, in diameters of the carrier."""
TABLES: Final = ("wood", "wood", "wood", "marble", "check", "linen", "linen", "slate")
WALLS: Final = ("paint", "paint", "tiles", "planks")
SIDES: Final = (
    (448, 336),
    (448, 336),
    (448, 298),
    (336, 448),
    (400, 300),
    (300, 400),
    (384, 384),
    (416, 234),
    (320, 240),
)


@dataclass(frozen=True)
class Composition:
    """A way to fill a stage: its share of all photos, its lemons' median size in sides and log-sigma."""

    share: float
    lemon: float
    sigma: float
    fill: Callable[[Stage, tuple[str, ...]], None]


def _few(stage: Stage, classes: tuple[str, ...]) -> None:
    _serving(stage, 0.45)
    stage.scatter(_garnish(stage.rng, 0.8))
    stage.scatter(_mixed(stage.rng, classes, stage.rng.randint(1, 3)))
    stage.scatter(_distractors(stage.rng, 0.7))


def _spread(stage: Stage, classes: tuple[str, ...]) -> None:
    _serving(stage, 0.5)
    stage.scatter(_garnish(stage.rng, 2.0))
    stage.scatter(_mixed(stage.rng, classes, stage.rng.randint(2, 10)))
    stage.scatter(_distractors(stage.rng, 1.6))


def _distant(stage: Stage, classes: tuple[str, ...]) -> None:
    _serving(stage, 0.3)
    stage.scatter(_mixed(stage.rng, classes, stage.rng.randint(1, 5)))
    stage.scatter(_distractors(stage.rng, 2.0))


def _close(stage: Stage, classes: tuple[str, ...]) -> None:
    stage.scatter(_garnish(stage.rng, 1.0))
    stage.scatter(_mixed(stage.rng, classes, stage.rng.randint(1, 2)))


def _heap(stage: Stage, classes: tuple[str, ...]) -> None:
    _serving(stage, 0.4)
    subject = stage.rng.choice(classes)
    stage.scatter(_distractors(stage.rng, 0.6))
    _pile(stage, "lemon" if subject == "Lemon" else "cube", as_group=stage.rng.random() < 0.85)
    if stage.rng.random() < 0.5:
        stage.scatter(_mixed(stage.rng, classes, stage.rng.randint(1, 2)))


def _pile(stage: Stage, kind: str, *, as_group: bool) -> None:
    """More than five touching pieces; Open Images boxes such a heap once, as a group."""
    rng, item, tone = stage.rng, stage.new_item(), stage.rng.randrange(1000)
    pitch = stage.lemon * KINDS[kind].size * 0.62
    x, row = between(rng, 3 * pitch, stage.width - 3 * pitch), _pile_row(stage, pitch)
    for across, down in _pyramid(rng) if stage.horizon else _clump(rng):
        thing = stage.put(kind, x + across * pitch, row)
        angle = rng.uniform(-math.pi, math.pi) if KINDS[kind].turns else thing.angle
        piece = replace(thing, y=thing.y + down * pitch * 0.85, angle=angle, tone=tone)
        stage.things[-1] = replace(piece, item=item, group=True) if as_group else piece


def _pile_row(stage: Stage, pitch: float) -> float:
    if stage.horizon:
        return between(stage.rng, stage.horizon + 0.35 * (stage.height - stage.horizon), stage.height - 0.6 * pitch)
    return between(stage.rng, 2.2 * pitch, stage.height - 2.2 * pitch)


def _pyramid(rng: Random) -> list[tuple[float, float]]:
    wide = rng.randint(3, 5)
    rows = [(wide - row, -row) for row in range(rng.randint(3, 3 + (wide > 3)))]
    return [
        (place - (count - 1) / 2 + rng.gauss(0, 0.10), height + rng.gauss(0, 0.05))
        for count, height in rows
        for place in range(count)
    ]


def _clump(rng: Random) -> list[tuple[float, float]]:
    count, golden = rng.randint(7, 16), math.pi * (3 - math.sqrt(5))
    spiral = [(0.62 * math.sqrt(number), number * golden) for number in range(count)]
    rng.shuffle(spiral)
    return [(radius * math.cos(turn), radius * math.sin(turn)) for radius, turn in spiral]


def _drawn(stage: Stage, classes: tuple[str, ...]) -> None:
    if stage.rng.random() < 0.55:
        stage.scatter(_mixed(stage.rng, classes, stage.rng.randint(1, 3)))
    stage.scatter(_distractors(stage.rng, 0.6))
    for _ in range(stage.rng.choice((1, 1, 2))):
        _print(stage, stage.rng.choice(classes))


def _print(stage: Stage, subject: str) -> None:
    """A poster, mug or carton with a drawing of the subject on it."""
    kind = stage.rng.choice(("poster", "poster", "mug", "carton"))
    carrier = stage.put(kind, *stage.spot(kind))
    if kind == "poster" and stage.horizon:
        size = min(carrier.size, stage.horizon * 1.1)
        carrier = stage.things[-1] = replace(carrier, y=stage.horizon * 0.46, size=size, row=-1.0)
    across, down, share = PRINTS[kind]
    drawing = replace(
        carrier,
        kind=DRAWINGS[subject],
        label=subject,
        x=carrier.x + across * carrier.size * (-1 if carrier.flip else 1),
        y=carrier.y + down * carrier.size,
        size=carrier.size * share,
        item=stage.new_item(),
        flip=False,
        depiction=True,
        shadow=False,
    )
    stage.things.append(drawing)


def _none(stage: Stage, _classes: tuple[str, ...]) -> None:
    _serving(stage, 0.5)
    stage.scatter(_garnish(stage.rng, 1.5))
    stage.scatter(_distractors(stage.rng, 2.0) or ["lime"])


def _serving(stage: Stage, chance: float) -> None:
    """Perhaps a plate or a board under everything."""
    if stage.rng.random() >= chance:
        return
    kind = stage.rng.choice(("plate", "board")) + ("_low" if stage.horizon else "")
    x = stage.width * stage.rng.uniform(0.3, 0.7)
    low = stage.horizon + 0.35 * (stage.height - stage.horizon) if stage.horizon else 0.3 * stage.height
    thing = stage.put(kind, x, between(stage.rng, low, stage.height * 0.75))
    size = min(max(thing.size, 0.45 * stage.height), 0.95 * max(stage.width, stage.height))
    stage.serving = replace(thing, size=size, row=-1.0 if stage.horizon else thing.row)
    stage.things[-1] = stage.serving


def _mixed(rng: Random, classes: tuple[str, ...], count: int) -> list[str]:
    """`count` forms of the classes; each class once at least, where there is room."""
    chosen = [*classes, *(rng.choice(classes) for _ in range(count))][: max(count, len(classes))]
    return [rng.choice(FORMS[name]) for name in chosen]


def _distractors(rng: Random, mean: float) -> list[str]:
    return [rng.choice(DISTRACTORS) for _ in range(_poisson(rng, mean))]


def _garnish(rng: Random, mean: float) -> list[str]:
    return [rng.choice(GARNISH) for _ in range(_poisson(rng, mean))]


def _poisson(rng: Random, mean: float) -> int:
    left, count = rng.random() - math.exp(-mean), 0
    weight = math.exp(-mean)
    while left > 0 and count < 12:
        count += 1
        weight *= mean / count
        left -= weight
    return count


COMPOSITIONS: Final[Mapping[str, Composition]] = MappingProxyType(
    {
        "few": Composition(0.23, 0.31, 0.36, _few),
        "spread": Composition(0.23, 0.18, 0.32, _spread),
        "distant": Composition(0.07, 0.070, 0.30, _distant),
        "close": Composition(0.10, 0.56, 0.22, _close),
        "heap": Composition(0.15, 0.175, 0.28, _heap),
        "drawn": Composition(0.10, 0.22, 0.25, _drawn),
        "none": Composition(0.12, 0.20, 0.40, _none),
    }
)
CASTS: Final = (("Lemon",), ("Lemon",), ("Lemon",), ("Cheese",), ("Cheese",), ("Cheese",), SUBJECTS, SUBJECTS)
UNBOXED_SHARE: Final = 0.12
"""Share of the photos on which one class in view was never verified, hence never boxed."""


def compose(rng: Random, *, plan: str | None = None, cast: tuple[str, ...] | None = None) -> Scene:
    """The scene of one photo; `plan` and `cast` fix its composition and its classes instead of the dice."""
    names, shares = list(COMPOSITIONS), [each.share for each in COMPOSITIONS.values()]
    chosen = COMPOSITIONS[plan or rng.choices(names, shares)[0]]
    width, height = rng.choice(SIDES)
    horizon = round(height * rng.uniform(0.22, 0.45)) if rng.random() < 0.55 else 0
    median = chosen.lemon * math.sqrt(width * height)
    stage = Stage(rng, width, height, horizon, median * math.exp(rng.gauss(0, chosen.sigma)))
    classes = cast or rng.choice(CASTS)
    chosen.fill(stage, classes)
    hidden = frozenset({rng.choice(classes)} if plan is None and rng.random() < UNBOXED_SHARE else ())
    return _lit(rng, stage, hidden)


def _lit(rng: Random, stage: Stage, unboxed: frozenset[str]) -> Scene:
    return Scene(
        frame=Frame(0, 0, stage.width, stage.height),
        width=stage.width,
        height=stage.height,
        seed=rng.getrandbits(32),
        table=rng.choice(TABLES),
        wall=rng.choice(WALLS),
        tone=rng.randrange(1000),
        horizon=stage.horizon,
        things=_in_depth(stage),
        exposure=math.exp(rng.gauss(-0.06, 0.12)),
        warmth=rng.gauss(0.01, 0.05),
        slope=(rng.uniform(-0.22, 0.22), rng.uniform(-0.22, 0.10)),
        blur=max(0.0, rng.gauss(0.15, 0.4)),
        noise=rng.uniform(0.004, 0.028),
        unboxed=unboxed,
    )


def _in_depth(stage: Stage) -> tuple[Thing, ...]:
    """Things in painting order: as placed under a camera looking down, far before near on a table."""
    return tuple(sorted(stage.things, key=lambda thing: thing.row)) if stage.horizon else tuple(stage.things)
