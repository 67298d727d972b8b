"""A scene under construction: things find their places one by one, from one source of chance."""

import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from random import Random
from typing import Final

from oidata.sample.scenes import KINDS, Thing

CUT_CHANCE: Final = 0.12
CROWD_CHANCE: Final = 0.40
SERVED_CHANCE: Final = 0.6
"""How often a thing is cut by the border, leans on another one, gathers on the plate or board."""
_FLAT: Final = frozenset({"plate", "plate_low", "board", "board_low"})


@dataclass
class Stage:
    """The format and the camera are chosen; `put` and `scatter` add the things."""

    rng: Random
    width: int
    height: int
    horizon: int
    lemon: float
    """Diameter of a lemon in the middle of the scene, in pixels."""
    things: list[Thing] = field(default_factory=list)
    items: int = 0
    serving: Thing | None = None
    """The plate or board that most things gather on."""

    def new_item(self) -> int:
        """The number of one more item."""
        self.items += 1
        return self.items

    def diameter(self, kind: str, base: float) -> float:
        """The diameter of a thing whose foot stands at row `base`: the lower on the table, the nearer."""
        depth = 1.0
        if self.horizon:
            depth = 0.6 + 0.75 * (base - self.horizon) / max(1, self.height - self.horizon)
        return max(9.0, self.lemon * KINDS[kind].size * depth * math.exp(self.rng.gauss(0, 0.14)))

    def put(self, kind: str, x: float, base: float) -> Thing:
        """Place a thing whose middle (straight down) or foot (on a table) is at (x, base)."""
        size = self.diameter(kind, base)
        y = base - size / 2 * KINDS[kind].foot if self.horizon else base
        angle = self._angle(kind)
        thing = Thing(
            kind,
            x,
            y,
            size,
            row=base,
            item=self.new_item(),
            seed=self.rng.getrandbits(32),
            label=KINDS[kind].label,
            angle=angle,
            flip=self.rng.random() < 0.5,
            tone=self.rng.randrange(1000),
        )
        self.things.append(thing)
        return thing

    def _angle(self, kind: str) -> float:
        if not KINDS[kind].turns:
            return self.rng.uniform(-0.16, 0.16) if not self.horizon else self.rng.uniform(-0.03, 0.03)
        if self.horizon and kind not in {"tennis_ball", "grape"}:
            return self.rng.uniform(-0.35, 0.35)
        return self.rng.uniform(-math.pi, math.pi)

    def spot(self, kind: str) -> tuple[float, float]:
        """A place for a thing: mostly free, sometimes touching another or cut by the border."""
        size = self.lemon * KINDS[kind].size
        if self.rng.random() < CUT_CHANCE:
            return self._at_border(size)
        if self.rng.random() < CROWD_CHANCE:
            return self._beside(size)
        return max((self._anywhere(size) for _ in range(5)), key=lambda place: self._gap(place, size))

    def _gap(self, place: tuple[float, float], size: float) -> float:
        """How far a thing at this place would be from the nearest other: 1 where their rims about touch."""
        gaps = (math.dist(place, (other.x, other.row)) / (0.42 * (size + other.size)) for other in self._solid())
        return min(gaps, default=math.inf)

    def _solid(self) -> list[Thing]:
        """The things so far that hide what is behind them: no tableware, nothing on the wall."""
        return [thing for thing in self.things if thing.kind not in _FLAT and thing.row >= 0]

    def _beside(self, size: float) -> tuple[float, float]:
        """A place within reach of a thing already there, so that one hides a part of the other."""
        others = self._solid()
        if not others:
            return self._anywhere(size)
        other, turn = self.rng.choice(others), self.rng.uniform(0, math.tau)
        reach = self.rng.uniform(0.5, 0.9) * 0.42 * (size + other.size)
        low, high = self._rows(size)
        return other.x + reach * math.cos(turn), min(max(other.row + reach * math.sin(turn), low), high)

    def _rows(self, size: float) -> tuple[float, float]:
        """The first and last row where a thing may stand (its foot on a table, else its middle)."""
        if self.horizon:
            return self.horizon + 0.06 * (self.height - self.horizon), self.height - 0.08 * size
        return 0.52 * size, self.height - 0.52 * size

    def _anywhere(self, size: float) -> tuple[float, float]:
        if self.serving and self.rng.random() < SERVED_CHANCE:
            return self._on(self.serving)
        x = between(self.rng, 0.52 * size, self.width - 0.52 * size)
        return x, between(self.rng, *self._rows(size))

    def _at_border(self, size: float) -> tuple[float, float]:
        """A place where the photo's left, right or lower border cuts a fifth to a half of the thing."""
        out = self.rng.uniform(-0.05, 0.3) * size
        side = self.rng.randrange(3)
        if side == 0:
            return self._anywhere(size)[0], self.height - out + (size * 0.3 if self.horizon else 0.0)
        return out if side == 1 else self.width - out, between(self.rng, *self._rows(size))

    def _on(self, serving: Thing) -> tuple[float, float]:
        """A place on the plate or board."""
        turn, reach = self.rng.uniform(0, math.tau), 0.36 * serving.size * math.sqrt(self.rng.random())
        flat = 0.36 if self.horizon else 0.8
        across, down = reach * math.cos(turn), reach * math.sin(turn) * flat
        cos, sin = math.cos(serving.angle), math.sin(serving.angle)
        return serving.x + across * cos - down * sin, serving.y + across * sin + down * cos

    def scatter(self, kinds: Iterable[str]) -> None:
        """Place each of the kinds on a spot of its own."""
        for kind in kinds:
            self.put(kind, *self.spot(kind))


def between(rng: Random, low: float, high: float) -> float:
    """A number from low to high, or their middle where the room is too small."""
    return rng.uniform(low, high) if low < high else (low + high) / 2
