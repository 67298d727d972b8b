"""Photos and parts of them with boxes drawn, as data URIs for a page."""

from __future__ import annotations

import base64
import io
import math
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from PIL import Image, ImageDraw

from oidata.errors import PhotoError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

_SIDE_PX = 320
_QUALITY = 78
_LINE_PX = 2
_HALO = "#000000"

# A crop: its largest size, how many times the subject it shows, and its least share of the photo's longer side.
_CROP_PX = (420, 290)
_CONTEXT, _LEAST_SHARE = 2.0, 0.15

_Box = tuple[float, float, float, float]


@dataclass(frozen=True)
class Outline:
    """A box to draw: normalised xyxy in the photo as stored, a colour, and how thick its line is.

    A line of more than one pixel gets a dark rim.
    """

    xyxy: _Box
    colour: str
    line_px: int = _LINE_PX


def thumbnail(path: Path, outlines: Sequence[Outline]) -> str:
    """The photo as stored (no EXIF orientation applied, so that boxes fit), small, with boxes, as a data URI.

    Raises PhotoError where it cannot be decoded.
    """
    with _opened(path) as photo:
        photo.draft("RGB", (_SIDE_PX, _SIDE_PX))
        small = photo.convert("RGB")
    small.thumbnail((_SIDE_PX, _SIDE_PX))
    return _drawn(small, outlines, (0, 0, 1, 1))


def crop(path: Path, outlines: Sequence[Outline], subject: _Box) -> str:
    """The part of the photo around `subject`, normalised xyxy, with what stands beside it; else as `thumbnail`.

    A small object is enlarged.
    """
    with _opened(path) as photo:
        region = around(subject, photo.size)
        width, height = ((region[at + 2] - region[at]) * photo.size[at] for at in (0, 1))
        scale = min(_CROP_PX[0] / width, _CROP_PX[1] / height)
        photo.draft("RGB", (math.ceil(photo.width * scale), math.ceil(photo.height * scale)))
        whole = photo.convert("RGB")
    size = (max(round(width * scale), 1), max(round(height * scale), 1))
    part = (
        region[0] * whole.width,
        region[1] * whole.height,
        min(region[2] * whole.width, whole.width),
        min(region[3] * whole.height, whole.height),
    )
    return _drawn(whole.resize(size, Image.Resampling.BICUBIC, part), outlines, region)


@contextmanager
def _opened(path: Path) -> Iterator[Image.Image]:
    try:
        with Image.open(path) as photo:
            yield photo
    except Exception as error:  # a decoder fed with any bytes raises anything
        raise PhotoError(f"{path} cannot be shown: {error}.") from error


def around(subject: _Box, size: tuple[int, int]) -> _Box:
    """The region to crop, normalised, of a photo of that width and height in pixels: the subject in the middle.

    It has the shape of a picture of a gallery where the photo allows that.
    """
    length = [_CONTEXT * (_within(subject[at + 2]) - _within(subject[at])) * size[at] for at in (0, 1)]
    unit = max(length[0] / _CROP_PX[0], length[1] / _CROP_PX[1], _LEAST_SHARE * max(size) / max(_CROP_PX))
    sides = [min(unit * _CROP_PX[at] / size[at], 1.0) for at in (0, 1)]
    middle = [(_within(subject[at]) + _within(subject[at + 2])) / 2 for at in (0, 1)]
    low = [min(max(middle[at] - sides[at] / 2, 0.0), 1 - sides[at]) for at in (0, 1)]
    return (low[0], low[1], low[0] + sides[0], low[1] + sides[1])


def _within(coordinate: float) -> float:
    return min(max(coordinate, 0.0), 1.0)


def _drawn(picture: Image.Image, outlines: Sequence[Outline], region: _Box) -> str:
    """The picture, which shows a region of a photo, with outlines, as a data URI."""
    draw = ImageDraw.Draw(picture)
    for outline in outlines:
        _draw(draw, outline, picture.size, region)
    data = io.BytesIO()
    picture.save(data, "JPEG", quality=_QUALITY, subsampling=0)  # else thin lines lose their colour
    return f"data:image/jpeg;base64,{base64.b64encode(data.getvalue()).decode('ascii')}"


def _draw(draw: ImageDraw.ImageDraw, outline: Outline, size: tuple[int, int], region: _Box) -> None:
    scale = [size[at] / (region[at + 2] - region[at]) for at in (0, 1)]
    xmin, ymin, xmax, ymax = (
        round((coordinate - region[at % 2]) * scale[at % 2]) for at, coordinate in enumerate(outline.xyxy)
    )
    if xmin > xmax or ymin > ymax:
        return  # an inverted box has no outline
    if outline.line_px > 1:
        draw.rectangle([(xmin - 1, ymin - 1), (xmax + 1, ymax + 1)], outline=_HALO, width=1)
    draw.rectangle([(xmin, ymin), (xmax, ymax)], outline=outline.colour, width=outline.line_px)
