"""The dirt of the sample, one line each: which photos are broken, turned, doubled or lost.

It sits at fixed places among the first 120, so that a draw of thousands stays nearly clean.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Final

from oidata.sample.scenes import Frame, Scene
from oidata.sample.verdicts import Box


@dataclass(frozen=True)
class Oddity:
    """What is odd about one photo; `plan` and `cast` make sure that it shows something to box.

    `turned` counts the quarter turns counterclockwise of the stored pixels; `source` names the photo whose
    scene this one shows again, as the same bytes or, if `retaken`, from a step to the side in other light.
    """

    plan: str | None = None
    cast: tuple[str, ...] | None = None
    missing: bool = False
    cut: bool = False
    turned: int = 0
    rotation: str = "0.0"
    source: int | None = None
    retaken: bool = False
    doubled_row: bool = False
    empty_box: bool = False


# Those with a plan alone see to it that each split has groups and depictions.
# Photos 0 to 13 of each 20 are train, 14 to 16 validation, 17 to 19 test (see draw.split_of).
ODDITIES: Final[Mapping[int, Oddity]] = MappingProxyType(
    {
        4: Oddity("few", ("Lemon",), missing=True),
        9: Oddity("few", ("Lemon", "Cheese"), turned=1, rotation="270.0"),
        14: Oddity(source=1, retaken=True),
        22: Oddity("spread", ("Lemon",), cut=True),
        27: Oddity("few", ("Cheese",), turned=3, rotation="90.0"),
        31: Oddity(source=23),
        18: Oddity("heap", ("Lemon",)),
        37: Oddity("drawn", ("Lemon", "Cheese")),
        35: Oddity(source=10, retaken=True),
        44: Oddity("spread", ("Cheese",), doubled_row=True),
        49: Oddity("few", ("Lemon",), empty_box=True),
        55: Oddity("few", ("Cheese",), turned=1, rotation=""),
        63: Oddity("spread", ("Lemon", "Cheese"), doubled_row=True),
        75: Oddity(source=46, retaken=True),
        78: Oddity("few", ("Lemon",), turned=3, rotation="90.0"),
        86: Oddity(rotation=""),
        97: Oddity("heap", ("Cheese",)),
        101: Oddity(rotation=""),
    }
)
PLAIN: Final = Oddity()


def retake(scene: Scene) -> Scene:
    """The same scene from a step to the side: a twentieth cropped away, a little brighter and warmer."""
    left, top = round(scene.width * 0.04), round(scene.height * 0.02)
    frame = Frame(left, top, round(scene.width * 0.94), round(scene.height * 0.95))
    return replace(scene, frame=frame, exposure=scene.exposure * 1.08, warmth=scene.warmth + 0.02)


def soiled(boxes: tuple[Box, ...], oddity: Oddity) -> tuple[Box, ...]:
    """The boxes with the oddity's extra rows: the first one twice, or one more without any area."""
    if boxes and oddity.doubled_row:
        return (boxes[0], *boxes)
    if boxes and oddity.empty_box:
        return (*boxes, replace(boxes[0], xmin=boxes[0].xmax))
    return boxes
