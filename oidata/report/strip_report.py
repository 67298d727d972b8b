"""The report of `oidata strip`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from oidata.core.release import defects
from oidata.core.words import counted
from oidata.report.summary import Summary, Table

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping


@dataclass(frozen=True)
class Stripped:
    """What strip did to the boxes of one class in one split; reasons count boxes, which may have several."""

    split: str
    display_name: str
    boxes: int
    stripped: int
    reasons: dict[str, int]


@dataclass(frozen=True)
class Aftermath:
    """Photos of a split: those with a box, left without one, and with a stripped object to see (the collateral)."""

    split: str
    photos: int
    emptied: int
    collateral: int


@dataclass(frozen=True)
class StripReport:
    """What is marked now, on the photos that are there.

    unknown_flags: boxes left as they are, by rule, since the flag is unknown (-1). num_absent, num_absent_stripped:
    boxes on photos that are not there, and how many of them are marked. They count nowhere else.
    """

    directory: str
    classes: tuple[Stripped, ...]
    photos: tuple[Aftermath, ...]
    unknown_flags: dict[str, int]
    num_absent: int
    num_absent_stripped: int

    def summary(self) -> Summary:
        """For a person."""
        num_boxes, num_stripped = (sum(getattr(row, name) for row in self.classes) for name in ("boxes", "stripped"))
        by_split = ", ".join(f"{split} {n}" for split, n in self._by_split().items())
        headline = f"{self.directory}: {num_stripped:,} of {num_boxes:,} boxes stripped ({by_split})"
        return Summary(headline, (self._classes_table(), self._photos_table()), tuple(self._notes()))

    def _by_split(self) -> dict[str, int]:
        splits = dict.fromkeys(row.split for row in self.classes)
        return {split: sum(row.stripped for row in self.classes if row.split == split) for split in splits}

    def _classes_table(self) -> Table:
        rows = ((row.split, row.display_name, row.boxes, row.stripped, _why(row.reasons)) for row in self.classes)
        columns = ("split", "class", "boxes", "stripped", "why")
        return Table("Boxes (one can have several reasons)", columns, tuple(rows))

    def _photos_table(self) -> Table:
        rows = [(row.split, row.photos, row.emptied, row.collateral) for row in self.photos]
        rows.append(("total", *(sum(column) for column in list(zip(*rows, strict=True))[1:])))
        return Table("Photos", ("split", "with a box", "left without one", "collateral"), tuple(rows))

    def _notes(self) -> Iterator[str]:
        collateral = sum(row.collateral for row in self.photos)
        if collateral:
            yield (
                f"Collateral: on {counted(collateral, 'photo')} a stripped object stays visible without a box, and a"
                " detector learns it as background. oidata audit says what that is worth."
            )
        unknown = ", ".join(f"{n:,} {reason}" for reason, n in self.unknown_flags.items() if n)
        if unknown:
            yield f"Left alone since the flag is unknown (-1): {unknown}. --unknown strips these too."
        if self.num_absent:
            boxes = counted(self.num_absent, "box", "boxes")
            yield f"Not counted: {boxes} ({self.num_absent_stripped:,} stripped) on photos that are not there."


def _why(num_boxes: Mapping[str, int]) -> str:
    """How many boxes each reason has, in the order of the rules, then the user's."""
    names = [*(name for name in defects.REASONS if name in num_boxes), *sorted(num_boxes.keys() - defects.REASONS)]
    return " ".join(f"{name}={num_boxes[name]:,}" for name in names)
