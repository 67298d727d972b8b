"""A page holds everything that it shows, and nothing of what comes from data is markup in it."""

import base64
import re
import xml.etree.ElementTree as ET
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from oidata.core.auditing.findings import Area, Finding, Severity, Verdict
from oidata.report import plots
from oidata.report.gallery import Outline, thumbnail
from oidata.report.page import Figure, Gallery, Page, Picture, Section, render
from oidata.report.summary import Share, Table, cell

EVIL = "<script>alert(1)</script>\"'&"


def page() -> Page:
    finding = Finding(EVIL, Area.DATA, Severity.ERROR, EVIL, EVIL, EVIL, EVIL, EVIL)
    picture = Picture("data:image/png;base64,AAAA", EVIL, EVIL)
    section = Section(
        EVIL,
        EVIL,
        figures=(Figure(plots.bars([EVIL], {EVIL: [1.0], "other": [2.0]}, EVIL, EVIL), EVIL),),
        tables=(Table(EVIL, (EVIL, "share"), ((EVIL, Share(1, 3)),)),),
        galleries=(Gallery(EVIL, EVIL, 3, (picture,)),),
        notes=(EVIL,),
    )
    return Page(EVIL, EVIL, Verdict("both", EVIL), (finding,), (section,))


def test_nothing_from_data_is_markup() -> None:
    """A script in any text of a page, plots too, comes out as text."""
    html = render(page())
    assert "<script" not in html
    assert html.count("&lt;script&gt;") > 15


def test_a_page_asks_nobody() -> None:
    """A page has no address to load anything from but itself and its data URIs."""
    html = render(page())
    for target in re.findall(r'(?:src|href)="([^"]*)"', html):
        assert target.startswith(("#", "data:"))
    assert not re.search(r"url\((?!#)|@import", html)


@pytest.mark.parametrize(
    "svg",
    [
        plots.histogram(plots.SIDE, {"Lemon": [0, 2, 1], EVIL: [1, 1, 1]}, [8, 16, 32, 64], [plots.Mark(30, EVIL)]),
        plots.histogram(plots.RATIO, {}, [0.5, 2]),
        plots.coverage([8, 16, 300], {"Lemon": [0, 0.5, 1]}, [(8, 15)], 0.5),
        plots.bars([], {}, "layer", "boxes"),
        plots.heat_map(np.zeros((4, 4)).tolist(), EVIL),
    ],
)
def test_plots_are_one_svg_element(svg: str) -> None:
    """What a plot returns is a whole SVG element, with or without data in it."""
    assert ET.fromstring(svg).tag == "{http://www.w3.org/2000/svg}svg"  # noqa: S314 - made here
    assert "script" not in {element.tag.rpartition("}")[2] for element in ET.fromstring(svg).iter()}  # noqa: S314


def test_equal_plots_are_equal_texts() -> None:
    """The same values give the same bytes, so that reports can be compared."""
    first, second = (plots.bars(["1", "2"], {"Lemon": [1, 2]}, "x", "y") for _ in range(2))
    assert first == second


def test_a_thumbnail_shows_the_photo_as_stored(tmp_path: Path) -> None:
    """Boxes fit the pixels as stored, so an EXIF orientation is not applied, and the box is where it belongs."""
    photo = Image.new("RGB", (400, 200), "white")
    exif = Image.Exif()
    exif[0x0112] = 6
    photo.save(tmp_path / "a.jpg", exif=exif)
    uri = thumbnail(tmp_path / "a.jpg", [Outline((0.25, 0.5, 0.5, 1.0), "#ff0000")])
    (tmp_path / "t.jpg").write_bytes(base64.b64decode(uri.partition(",")[2]))
    with Image.open(tmp_path / "t.jpg") as small:
        assert small.size == (320, 160)
        red, green, _ = np.asarray(small.convert("RGB")).astype(int).transpose(2, 0, 1)
    at = np.argwhere(red - green > 120)
    assert np.allclose(at.min(axis=0), (80, 80), atol=2)
    assert np.allclose(at.max(axis=0), (159, 160), atol=2)


def test_cells_read_well() -> None:
    """Thousands are separated, shares are percentages, and other numbers have three digits."""
    assert [cell(value) for value in (12345, 0.123456, Share(1, 8), Share(1, 0), "x", True)] == [
        "12,345",
        "0.123",
        "12.5 %",
        "-",
        "x",
        "True",
    ]
