"""A report as one self-contained HTML file: no outside request, and everything that comes from data is escaped."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING

from oidata import __version__
from oidata.core.auditing.findings import by_area
from oidata.report.summary import Table, cell

if TYPE_CHECKING:
    from jinja2 import Template

    from oidata.core.auditing.findings import Area, Finding, Verdict


@dataclass(frozen=True)
class Figure:
    """A plot: an SVG element as text, made by `oidata.report.plots`, and what it shows.

    Small ones stand in a row, wide ones alone.
    """

    svg: str
    caption: str
    is_small: bool = False
    is_wide: bool = False


@dataclass(frozen=True)
class Picture:
    """A photo with its boxes drawn: a data URI, what it is, and a line on what to see in it."""

    uri: str
    title: str
    text: str


@dataclass(frozen=True)
class Key:
    """What a colour means."""

    colour: str
    text: str


@dataclass(frozen=True)
class HeatCell:
    """A cell of a heat table: its text, a smaller one, how strong its colour is (0 to 1), and whether it is good."""

    text: str
    more: str = ""
    shade: float = 0.0
    is_good: bool = False


@dataclass(frozen=True)
class HeatTable:
    """A table whose cells are coloured: what the first column holds, the others' names, and rows with theirs."""

    title: str
    text: str
    corner: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, tuple[HeatCell, ...]], ...]


@dataclass(frozen=True)
class Gallery:
    """Pictures of one kind. `total` is how many there are in the dataset, of which the gallery shows the first."""

    title: str
    text: str
    total: int
    pictures: tuple[Picture, ...]


@dataclass(frozen=True)
class Section:
    """A part of a page: what it answers, then figures, notes, tables and galleries, and what the colours of these mean.

    `patch` is text to be copied.
    """

    title: str
    text: str = ""
    figures: tuple[Figure, ...] = ()
    heats: tuple[HeatTable, ...] = ()
    tables: tuple[Table, ...] = ()
    keys: tuple[Key, ...] = ()
    galleries: tuple[Gallery, ...] = ()
    notes: tuple[str, ...] = ()
    patch: str = ""


@dataclass(frozen=True)
class Page:
    """A report: its title, a line on what it is about, the verdict, the findings, and the sections."""

    title: str
    about: str
    verdict: Verdict | None = None
    findings: tuple[Finding, ...] = ()
    sections: tuple[Section, ...] = field(default=())

    @property
    def findings_by_area(self) -> dict[Area, list[Finding]]:
        """For the template: the area of the worst finding first."""
        return by_area(self.findings)


def render(page: Page) -> str:
    """The page as HTML."""
    return _template().render(page=page, version=__version__)


@cache
def _template() -> Template:
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("oidata.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["cell"] = cell
    environment.tests["numeric"] = lambda value: isinstance(value, int | float)
    return environment.get_template("page.html.j2")
