"""The plots of an evaluation, as SVG text like those of `oidata.report.plots`."""

from __future__ import annotations

import textwrap
from dataclasses import dataclass
from typing import TYPE_CHECKING

from oidata.report.plots import COLOURS, MARK, SIDE, colours, drawing, log_axis

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from matplotlib.axes import Axes

TRUE, FALSE, NEUTRAL = COLOURS[0], COLOURS[1], "#9aa4b1"
_HOLE = "#b3261e"
_ROW_HEIGHT, _LABEL_WIDTH = 0.33, 42
_LETTERS_PER_INCH, _LETTERS_OF_A_KEY = 13.5, 7
WIDE = 13.0
_EQUAL_F1 = (0.2, 0.4, 0.6, 0.8)


@dataclass(frozen=True)
class Line:
    """A precision-recall curve: recall and precision of its points, and those of the operating point, if it has one."""

    recall: Sequence[float]
    precision: Sequence[float]
    point: tuple[float, float] | None = None


@dataclass(frozen=True)
class Row:
    """A horizontal bar: its label, where it starts and ends, what stands at its end, its colour, and what that means.

    Rows of one meaning share an entry of the legend; those without have none.
    """

    label: str
    start: float
    end: float
    text: str
    colour: str
    meaning: str = ""


def curves(lines: Mapping[str, Line]) -> str:
    """Precision over recall, one line for each name, with operating points, over the lines of equal F1."""
    import numpy as np

    recall = np.linspace(0.01, 1, 200)
    with drawing(height=4.2) as (axes, svg):
        for f1 in _EQUAL_F1:
            along = recall[recall > f1 / (2 - f1)]
            axes.plot(along, f1 * along / (2 * along - f1), color="#dfe4ea", linewidth=0.8, zorder=0)
            axes.annotate(f"F1 {f1:g}", (1, f1 / (2 - f1)), ha="right", va="bottom", fontsize=8, color=NEUTRAL)
        for colour, (name, line) in zip(colours(), lines.items(), strict=False):
            axes.plot(line.recall, line.precision, drawstyle="steps-pre", label=name, color=colour, linewidth=1.6)
            if line.point:
                axes.plot(*line.point, marker="o", color=colour, markeredgecolor="white", markersize=8)
        axes.set_xlim(0, 1.01)
        axes.set_ylim(0, 1.03)
        axes.set_xlabel("recall")
        axes.set_ylabel("precision")
        _legend_above(axes)
    return svg[0]


def scores(edges: Sequence[float], true: Sequence[int], false: Sequence[int], threshold: float) -> str:
    """How many true and false positives have which score, on a logarithmic scale, with the operating point."""
    with drawing(height=3.0) as (axes, svg):
        for name, counts, colour in (("false", false, FALSE), ("true", true, TRUE)):
            axes.stairs(counts, edges, color=colour, fill=True, alpha=0.3)
            axes.stairs(counts, edges, color=colour, linewidth=1.4, label=f"{name} positives")
        axes.axvline(threshold, color="#1c2430", linewidth=1, linestyle="--", label=f"counts from {threshold:.3f}")
        axes.set_yscale("log")
        axes.yaxis.set_major_formatter("{x:,.0f}")
        axes.minorticks_off()
        axes.set_ylim(0.7, 2 * max(*true, *false, 1))
        axes.set_xlim(0, 1)
        axes.set_xlabel("score")
        axes.set_ylabel("detections (log)")
        _legend_above(axes)
    return svg[0]


def horizontal(rows: Sequence[Row], label: str, reach: tuple[float, float] | None = None, width: float = 6.4) -> str:
    """Horizontal bars, the first above, with a text at the end of each; a waterfall where they start at each other.

    Without a `reach` of the axis they are counts.
    """
    from matplotlib.ticker import MaxNLocator

    with drawing(width, height=0.9 + _ROW_HEIGHT * max(len(rows), 3)) as (axes, svg):
        _draw_rows(axes, rows)
        axes.set_yticks(range(len(rows)), [textwrap.fill(row.label, _LABEL_WIDTH) for row in rows])
        axes.tick_params(axis="y", length=0, labelcolor="#1c2430", labelsize=9)
        axes.set_ylim(max(len(rows), 1) - 0.5, -0.5)
        axes.set_xlabel(label)
        if reach is None:  # counts
            axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        low, high = reach or _reach(rows)
        axes.set_xlim(low, high)
        if low < 0:
            axes.axvline(0, color=NEUTRAL, linewidth=0.8)
    return svg[0]


def _draw_rows(axes: Axes, rows: Sequence[Row]) -> None:
    meanings = [row.meaning for row in rows]
    for place, row in enumerate(rows):
        name = row.meaning if row.meaning and row.meaning not in meanings[:place] else None
        axes.barh(place, row.end - row.start, 0.72, left=row.start, color=row.colour, label=name)
        is_left = row.end < row.start
        axes.annotate(
            row.text,
            (row.end, place),
            xytext=(-4 if is_left else 4, 0),
            textcoords="offset points",
            ha="right" if is_left else "left",
            va="center",
            fontsize=9,
            color="#1c2430",
        )
        if place and row.start == rows[place - 1].end != 0:
            axes.plot((row.start, row.start), (place - 0.64, place - 0.36), color=NEUTRAL, linewidth=0.8)
    _legend_above(axes)


def _reach(rows: Iterable[Row]) -> tuple[float, float]:
    """From the lowest to the highest value, with room for the texts."""
    values = [0.0, *(value for row in rows for value in (row.start, row.end))]
    low, high = min(values), max(values)
    room = 0.16 * ((high - low) or 1)
    return (low - room if low < 0 else 0), high + room


def pairs(labels: Sequence[str], values: Mapping[str, Sequence[float | None]], label: str) -> str:
    """Horizontal bars in groups, one for each label, one bar in it for each name, of numbers from 0 to 1."""
    height = 0.8 / max(len(values), 1)
    with drawing(height=0.9 + (0.1 + 0.17 * len(values)) * max(len(labels), 2)) as (axes, svg):
        for place, (colour, (name, shares)) in enumerate(zip(colours(), values.items(), strict=False)):
            known = [(index, share) for index, share in enumerate(shares) if share is not None]
            at = [index - 0.4 + height * (place + 0.5) for index, _ in known]
            axes.barh(at, [share for _, share in known], height * 0.9, label=name, color=colour, alpha=0.9)
            for y, (_, share) in zip(at, known, strict=True):
                axes.text(share + 0.008, y, f"{share:.2f}", va="center", fontsize=8, color=MARK)
        axes.set_yticks(range(len(labels)), labels)
        axes.tick_params(axis="y", length=0, labelcolor="#1c2430", labelsize=9)
        axes.set_ylim(max(len(labels), 1) - 0.5, -0.5)
        axes.set_xlim(0, 1.08)
        axes.set_xlabel(label)
        _legend_above(axes)
    return svg[0]


def found_by_size(
    edges: Sequence[float], found: Sequence[int], total: Sequence[int], holes: Sequence[tuple[float, float]]
) -> str:
    """The share of the boxes of each size that is found, `edges` being one more than sizes, with the holes shaded."""
    with drawing(height=3.2) as (axes, svg):
        for number, (low, high) in enumerate(holes):
            name = "sizes that anchors mostly miss" if not number else None
            axes.axvspan(max(low, edges[0]), min(high, edges[-1]), color=_HOLE, alpha=0.12, linewidth=0, label=name)
        for low, high, hit, number in zip(edges, edges[1:], found, total, strict=False):
            share = 100 * hit / number if number else 0.0
            axes.bar(low, share, (high - low) * 0.97, align="edge", color=TRUE, alpha=0.85)
            axes.annotate(
                f"{hit}/{number}" if number else "",
                ((low * high) ** 0.5, share),
                xytext=(0, 3),
                textcoords="offset points",
                ha="center",
                fontsize=8,
                color="#1c2430",
            )
        log_axis(axes, SIDE, edges[0], edges[-1])
        axes.set_ylim(0, 112)
        axes.set_yticks(range(0, 101, 25))
        axes.set_ylabel("% found")
        _legend_above(axes)
    return svg[0]


def _legend_above(axes: Axes) -> None:
    """A legend over the whole width of the drawing, in as many columns as have room, if anything has a label."""
    labels = axes.get_legend_handles_labels()[1]
    if labels:
        room = int(
            axes.figure.bbox.width / axes.figure.dpi * _LETTERS_PER_INCH / (max(map(len, labels)) + _LETTERS_OF_A_KEY)
        )
        axes.figure.legend(loc="outside upper left", ncols=min(max(room, 1), len(labels)), fontsize=9)
