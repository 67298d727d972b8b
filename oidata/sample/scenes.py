"""What stands where in a photo: the values of a scene, and the catalogue of the kinds of things in it."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final


@dataclass(frozen=True)
class Thing:
    """One object: its painter's name, its centre and diameter in scene pixels, what a box says of it.

    `item` numbers what is boxed as one: each object has its own, the pieces of a group share one.
    `row` is where its foot stands; on a table, far things are painted before near ones.
    """

    kind: str
    x: float
    y: float
    size: float
    row: float
    item: int
    seed: int
    label: str | None = None
    angle: float = 0.0
    flip: bool = False
    tone: int = 0
    group: bool = False
    depiction: bool = False
    shadow: bool = True


@dataclass(frozen=True)
class Frame:
    """A rectangle of the scene, in scene pixels: what the photo shows of it."""

    left: int
    top: int
    width: int
    height: int


@dataclass(frozen=True)
class Scene:
    """A whole photo before it is painted: things in painting order, surfaces, light and camera.

    `horizon` is the row where the table ends, 0 where the camera looks straight down. Classes in `unboxed`
    are in view but were never verified, so that no table mentions them.
    """

    frame: Frame
    width: int
    height: int
    seed: int
    table: str
    wall: str
    tone: int
    horizon: int
    things: tuple[Thing, ...]
    exposure: float = 1.0
    warmth: float = 0.0
    slope: tuple[float, float] = (0.0, 0.0)
    blur: float = 0.0
    noise: float = 0.01
    unboxed: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Kind:
    """How a kind of object behaves: its class, its size in lemons, whether it may be turned.

    `foot` is how far below its middle it touches the table, in half diameters.
    """

    label: str | None
    size: float
    turns: bool = True
    foot: float = 0.6


KINDS: Final[Mapping[str, Kind]] = MappingProxyType(
    {
        "lemon": Kind("Lemon", 1.0),
        "lemon_half": Kind("Lemon", 0.85),
        "lemon_wedge": Kind("Lemon", 0.8),
        "wedge": Kind("Cheese", 1.5, turns=False),
        "wheel": Kind("Cheese", 1.6, turns=False),
        "cube": Kind("Cheese", 0.85, turns=False, foot=0.8),
        "slice": Kind("Cheese", 1.2),
        "lime": Kind(None, 0.85),
        "lime_half": Kind(None, 0.75),
        "tennis_ball": Kind("Tennis ball", 0.95, foot=0.9),
        "loaf": Kind("Bread", 2.4),
        "toast": Kind("Bread", 1.4),
        "roll": Kind("Baked goods", 1.3, foot=0.9),
        "grape": Kind(None, 0.35, foot=0.9),
        "leaf": Kind(None, 0.8, foot=0.3),
        "knife": Kind(None, 2.6, foot=0.1),
        "plate": Kind("Plate", 3.4, turns=False),
        "plate_low": Kind("Plate", 3.8, turns=False, foot=0.0),
        "board": Kind(None, 4.0, turns=False),
        "board_low": Kind(None, 4.0, turns=False, foot=0.0),
        "mug": Kind("Mug", 1.7, turns=False, foot=0.8),
        "poster": Kind(None, 3.0, turns=False),
        "carton": Kind(None, 2.0, turns=False, foot=0.8),
    }
)
