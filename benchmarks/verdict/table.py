"""Print what the audit said of each change, and what training showed, as Markdown.

cd benchmarks && python -m verdict.table
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from oidata.io.photos import sha256_of
from verdict.agreement import Agreement, Range, agreement, differs, predicted
from verdict.rows import Row, Setting, Statement, missing, of_setting, read_rows
from verdict.variants import TABLES, Variant, base_config

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from oidata.core.config.pipeline import PipelineConfig

PHOTOS: Final = 5000
STEPS: Final = 1000

_TITLES: Final = {"changes": "Does the verdict hold?", "anchors": "Which anchors?"}
_WORDS: Final = {
    "group_boxes": "groups among the boxes",
    "collateral": "photos with a stripped object in view",
    "unmatched_boxes": "boxes without an anchor",
    "size_holes": "boxes in size holes",
    "low_min_scale": "min_scale opens a gap",
    "ambiguous_layers": "places where another layer is nearer",
    "starved_boxes": "starved boxes",
    "better_anchors": "other anchors match more",
    "constant_learning_rate": "last rate, of the highest",
    "present_unboxed": "photos verified to show a class without a box of it",
    "unverified_pairs": "photos of one class on which nobody looked for the other",
}
_COLUMNS: Final = (
    "change",
    "what the audit says: base → change",
    "so it should be",
    "AP50: mean (range)",
    "of the base",
    "where all is boxed",
    "of the base",
    "",
)


def setting_of(photos: int, steps: int, config: PipelineConfig) -> Setting:
    """The setting of trainings by that config."""
    values = "\n".join(f"{path} {value}" for path, value in config.fields().items())
    return Setting(photos, steps, sha256_of(values.encode())[:12])


def table(rows: Sequence[Row], setting: Setting, name: str = "changes") -> str:
    """What is known of a setting. `rows` may be of others too, which are counted. Raises RowsError."""
    variants = TABLES[name]
    chosen = of_setting(rows, setting)
    comparisons = [_Comparison.of(variant, chosen) for variant in variants[1:]]
    absent = [f"{variant} (seed {seed})" for variant, seed in missing(chosen, [variant.name for variant in variants])]
    lines = [
        f"### {_TITLES[name]} {setting.photos:,} photos drawn, {setting.steps:,} steps",
        "",
        *_table(_COLUMNS, [comparison.cells() for comparison in comparisons]),
        "",
        *_table(
            ("training", "seed", "train photos", "boxes", *_classes(chosen), "mean", "lost to", "train s"),
            _runs(chosen, variants),
        ),
        "",
        f"Not run: {', '.join(absent) or 'none'}.",
    ]
    if others := len(rows) - len(chosen):
        lines.append(f"Rows of other settings, left out: {others}.")
    return "\n".join([*lines, ""])


@dataclass(frozen=True)
class _Comparison:
    """A variant's rows beside those of the variant that it is compared with."""

    variant: Variant
    base: tuple[Row, ...]
    rows: tuple[Row, ...]

    @classmethod
    def of(cls, variant: Variant, rows: Sequence[Row]) -> _Comparison:
        base, own = (tuple(row for row in rows if row.variant == name) for name in (variant.base, variant.name))
        return cls(variant, base, own)

    def cells(self) -> list[str]:
        """The line of the table."""
        ours, theirs = (Range.of([row.ap50_mean for row in rows]) for rows in (self.rows, self.base))
        boxed = [Range.of([row.ap50_boxed for row in rows]) for rows in (self.rows, self.base)]
        shown = [*map(_told, (ours, theirs, *boxed))]
        if not (self.base and self.rows):
            return [self.variant.change, "-", "-", *shown, Agreement.NOT_RUN]
        before, now = self._statements(self.base), self._statements(self.rows)
        direction = predicted(before, now)
        said = "; ".join(_said(*pair) for pair in zip(before, now, strict=True) if _is_telling(*pair)) or "nothing"
        return [self.variant.change, said, direction, *shown, agreement(direction, theirs, ours)]

    def _statements(self, rows: Sequence[Row]) -> tuple[Statement, ...]:
        by_name = {each.name: each for each in rows[0].statements}
        return tuple(by_name.get(name, Statement(name)) for name in self.variant.concerns)


def _is_telling(before: Statement, now: Statement) -> bool:
    """Whether a side has the finding, or its share differs: what `predicted` goes by."""
    return bool(before.severity or now.severity) or differs(before, now)


def _said(before: Statement, now: Statement) -> str:
    """One finding on the two sides: its share, and how severe the audit calls it."""
    return f"{_WORDS[now.name]} {_stated(before)} → {_stated(now)}"


def _stated(statement: Statement) -> str:
    number = "" if statement.number is None else f"{statement.number:.1%} "
    return f"{number}({statement.severity or 'no finding'})"


def _told(values: Range | None) -> str:
    if values is None:
        return "not run"
    of = f"{values.least:.3f}-{values.most:.3f}" if values.num > 1 else "one seed"
    return f"{values.mean:.3f} ({of})"


def _classes(rows: Sequence[Row]) -> list[str]:
    return [f"AP50 {name}" for name in (rows[0].ap50 if rows else ())]


def _runs(rows: Sequence[Row], variants: Sequence[Variant]) -> Iterator[list[str]]:
    order = [variant.name for variant in variants]
    for row in sorted(
        (row for row in rows if row.variant in order), key=lambda row: (order.index(row.variant), row.seed)
    ):
        counts = (str(row.seed), f"{row.num_photos:,}", f"{row.num_boxes:,}")
        lost = ", ".join(f"{area} {gain:.3f}" for area, gain in row.lost.items())
        scores = [f"{value:.3f}" for value in (*row.ap50.values(), row.ap50_mean)]
        yield [row.variant, *counts, *scores, lost, f"{row.train_s:.0f}"]


def _table(columns: Sequence[str], rows: Sequence[Sequence[str]] | Iterator[list[str]]) -> Iterator[str]:
    yield _line(columns)
    yield _line(["---"] * len(columns))
    yield from map(_line, rows)


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def arguments(description: str | None) -> argparse.ArgumentParser:
    """The options that decide on the table, its setting, and where its rows are."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photos", type=int, default=PHOTOS, help="drawn, for all splits (%(default)s)")
    parser.add_argument("--steps", type=int, default=STEPS, help="of training (%(default)s)")
    parser.add_argument("--table", choices=TABLES, default="changes", help="which trainings (%(default)s)")
    parser.add_argument("--rows", type=Path, help="the file of rows (verdict/TABLE.jsonl)")
    return parser


def rows_path(asked: argparse.Namespace) -> Path:
    """The file of rows that the command line asks for."""
    return asked.rows or Path(__file__).parent / f"{asked.table}.jsonl"


def main() -> None:
    """Print the table as the command line says."""
    asked = arguments(__doc__).parse_args()
    setting = setting_of(asked.photos, asked.steps, base_config())
    print(table(read_rows(rows_path(asked)), setting, asked.table))


if __name__ == "__main__":
    main()
