"""Thumbnails with boxes drawn, as data URIs for a page."""

from __future__ import annotations

import base64
import io
from dataclasses import dataclass
from typing import TYPE_CHECKING

from PIL import Image, ImageDraw

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

_SIDE_PX = 320
_QUALITY = 78
_LINE_PX = 2
_HALO = "#000000"


@dataclass(frozen=True)
class Outline:
    """A box to draw: normalised xyxy in the photo as stored, and a colour."""

    xyxy: tuple[float, float, float, float]
    colour: str


def thumbnail(path: Path, outlines: Sequence[Outline]) -> str:
    """The photo as stored (no EXIF orientation applied, so that boxes fit), small, with boxes, as a data URI.

    Raises OSError where it cannot be decoded.
    """
    with Image.open(path) as photo:
        photo.draft("RGB", (_SIDE_PX, _SIDE_PX))
        small = photo.convert("RGB")
    small.thumbnail((_SIDE_PX, _SIDE_PX))
    draw = ImageDraw.Draw(small)
    for outline in outlines:
        _draw(draw, outline, small.size)
    data = io.BytesIO()
    small.save(data, "JPEG", quality=_QUALITY)
    return f"data:image/jpeg;base64,{base64.b64encode(data.getvalue()).decode('ascii')}"


def _draw(draw: ImageDraw.ImageDraw, outline: Outline, size: tuple[int, int]) -> None:
    xmin, ymin, xmax, ymax = outline.xyxy
    corners = [(round(xmin * size[0]), round(ymin * size[1])), (round(xmax * size[0]), round(ymax * size[1]))]
    if corners[0][0] > corners[1][0] or corners[0][1] > corners[1][1]:
        return  # an inverted box has no outline
    grown = [(corners[0][0] - 1, corners[0][1] - 1), (corners[1][0] + 1, corners[1][1] + 1)]
    draw.rectangle(grown, outline=_HALO, width=1)
    draw.rectangle(corners, outline=outline.colour, width=_LINE_PX)
