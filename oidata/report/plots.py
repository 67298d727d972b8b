"""Plots as SVG text, for a page. Each takes plain values and returns one `<svg>` element."""

from __future__ import annotations

import io
from contextlib import contextmanager
from dataclasses import dataclass
from math import log
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

    from matplotlib.axes import Axes

# Okabe and Ito's palette, which colour-blind people can tell apart: https://jfly.uni-koeln.de/color/
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
MARK = "#5b6675"
_LABEL_PT = 8  # labels of marks; the next two are what this comes to
_LINE_PT = 10
_CHARACTER = 0.0135  # as a share of the axis
_STYLE: dict[Any, Any] = {
    "svg.fonttype": "none",  # the page's own font
    "svg.hashsalt": "oidata",  # the same plot is the same text
    "font.family": "sans-serif",
    "font.size": 10,
    "text.parse_math": False,  # a dollar in a class name is a dollar
    "axes.edgecolor": "#9aa4b1",
    "axes.labelcolor": "#1c2430",
    "axes.unicode_minus": False,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "xtick.color": "#5b6675",
    "ytick.color": "#5b6675",
    "legend.frameon": False,
}


@dataclass(frozen=True)
class Axis:
    """A logarithmic axis: its label, and its ticks with theirs."""

    label: str
    ticks: dict[float, str]


SIDE = Axis("side of the box at the network's input, px", {2**power: str(2**power) for power in range(2, 11)})
RATIO = Axis(
    "width / height at the network's input",
    {1 / 8: "1/8", 1 / 4: "1/4", 1 / 3: "1/3", 1 / 2: "1/2", 1: "1", 2: "2", 3: "3", 4: "4", 8: "8"},
)


@dataclass(frozen=True)
class Mark:
    """A vertical line, with its label."""

    at: float
    label: str


def histogram(
    axis: Axis, counts: Mapping[str, Sequence[float]], edges: Sequence[float], marks: Sequence[Mark] = ()
) -> str:
    """Histograms of boxes over sizes or shapes, one outline for each name, with those of the anchors marked above.

    `counts` holds for each name one number fewer than there are `edges`.
    """
    from matplotlib.ticker import MaxNLocator

    with drawing(height=3.0) as (axes, svg):
        for colour, (name, values) in zip(colours(), counts.items(), strict=False):
            axes.stairs(values, edges, label=name, color=colour, fill=True, alpha=0.25)
            axes.stairs(values, edges, color=colour, linewidth=1.2)
        log_axis(axes, axis, edges[0], edges[-1])
        axes.set_ylabel("boxes")
        axes.yaxis.set_major_locator(MaxNLocator(integer=True))
        _draw_marks(axes, marks)
        legend(axes, counts, "upper left")
    return svg[0]


def coverage(
    sides: Sequence[float], shares: Mapping[str, Sequence[float]], holes: Sequence[tuple[float, float]], even: float
) -> str:
    """The share of randomly placed boxes that reach an anchor, by size in pixels, with the holes shaded."""
    with drawing(height=3.0) as (axes, svg):
        for low, high in holes:
            axes.axvspan(low, high, color="#b3261e", alpha=0.12, linewidth=0)
        for colour, (name, values) in zip(colours(), shares.items(), strict=False):
            axes.plot(sides, [100 * value for value in values], label=name, color=colour)
        axes.axhline(100 * even, color=MARK, linewidth=0.8, linestyle="--")
        log_axis(axes, SIDE, sides[0], sides[-1])
        axes.set_ylim(0, 103)
        axes.set_ylabel("% with an anchor at the threshold")
        legend(axes, shares, "lower left", above=True)
    return svg[0]


def bars(labels: Sequence[str], values: Mapping[str, Sequence[float]], x_label: str, y_label: str) -> str:
    """Grouped bars: one group for each label, one bar in it for each name."""
    with drawing(height=2.8) as (axes, svg):
        width = 0.8 / max(len(values), 1)
        for place, (colour, (name, heights)) in enumerate(zip(colours(), values.items(), strict=False)):
            at = [index - 0.4 + width * (place + 0.5) for index in range(len(labels))]
            axes.bar(at, heights, width, label=name, color=colour, alpha=0.85)
        axes.set_xticks(range(len(labels)), labels)
        axes.set_xlabel(x_label)
        axes.set_ylabel(y_label)
        legend(axes, values if len(values) > 1 else (), "best")
    return svg[0]


def heat_map(coverage_grid: Sequence[Sequence[float]], title: str) -> str:
    """Where boxes lie: a grid of numbers, rows from the top of the photo."""
    with drawing(width=3.4, height=3.4) as (axes, svg):
        axes.imshow(coverage_grid, extent=(0, 1, 1, 0), cmap="viridis", vmin=0, interpolation="nearest")
        axes.set_xticks((0, 0.5, 1))
        axes.set_yticks((0, 0.5, 1))
        axes.set_title(title, fontsize=10)
    return svg[0]


def colours() -> Iterator[str]:
    """The palette, again and again."""
    while True:
        yield from COLOURS


@contextmanager
def drawing(width: float = 6.4, height: float = 3.0) -> Iterator[tuple[Axes, list[str]]]:
    """Axes to draw on; when the block ends, the list holds the drawing's SVG."""
    import matplotlib as mpl
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    svg: list[str] = []
    with mpl.rc_context(_STYLE):
        figure = Figure(figsize=(width, height))
        FigureCanvasSVG(figure)
        yield figure.add_subplot(), svg
        ConstrainedLayoutEngine().execute(figure)  # as savefig would, which then draws all a second time
        text = io.StringIO()
        figure.savefig(text, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    whole = text.getvalue()
    svg.append(whole[whole.index("<svg") :])


def legend(
    axes: Axes, names: Collection[str], place: Literal["upper left", "lower left", "best"], *, above: bool = False
) -> None:
    """A legend, if there are names."""
    if names:
        axes.legend(loc=place, bbox_to_anchor=(0, 1) if above else None)


def log_axis(axes: Axes, axis: Axis, low: float, high: float) -> None:
    """Make the x axis of a drawing a logarithmic one."""
    axes.set_xscale("log", base=2)
    axes.set_xlim(low, high)
    ticks = {at: label for at, label in axis.ticks.items() if low <= at <= high}
    axes.set_xticks(list(ticks), list(ticks.values()))
    axes.minorticks_off()
    axes.set_xlabel(axis.label)


def _draw_marks(axes: Axes, marks: Sequence[Mark]) -> None:
    """Draw the marks within the axis; a label that would lie on another's stands a line higher."""
    low, high = axes.get_xlim()
    ends: list[float] = []
    for mark in sorted(marks, key=lambda mark: mark.at):
        if not low <= mark.at <= high:
            continue
        axes.axvline(mark.at, color=MARK, linewidth=0.8, linestyle=":")
        place, half = log(mark.at / low) / log(high / low), _CHARACTER * (len(mark.label) + 1) / 2
        line = next((line for line, end in enumerate(ends) if end <= place - half), len(ends))
        ends[line : line + 1] = [place + half]
        axes.annotate(
            mark.label,
            (mark.at, 1),
            xycoords=("data", "axes fraction"),
            xytext=(0, _LINE_PT * line),
            textcoords="offset points",
            ha="center",
            va="bottom",
            fontsize=_LABEL_PT,
            color=MARK,
        )
