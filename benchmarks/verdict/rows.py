"""The rows that trainings leave: one JSON object per line, appended when a training has been evaluated."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING, Final, Self

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

SEEDS: Final = (1, 2)


class RowsError(Exception):
    """Rows that cannot be read, or that cannot stand in one table."""


@dataclass(frozen=True)
class Setting:
    """What all rows of a table have in common: only rows of one setting are compared.

    photos: how many were drawn, for all splits and classes. steps: of training. config: a hash of what the base's
    config says, whatever its comments and line ends.
    """

    photos: int
    steps: int
    config: str


@dataclass(frozen=True)
class Statement:
    """What the product says of a training before it: a finding by name.

    severity: the finding's; None where there is none. number: the share that it is about, in [0, 1], where it is about
    one, found or not.
    """

    name: str
    severity: str | None = None
    number: float | None = None


@dataclass(frozen=True)
class Row:
    """A training that is done and evaluated.

    truth, checkpoint: hashes of the validation photos and boxes that it was evaluated on, and of the weights that it
    began with. num_photos, num_boxes: in its train shards. ap50: by display name, average precision at IoU 0.5 by Open
    Images V2 on the validation photos of the base; ap50_mean is their mean, and ap50_boxed that on those photos on
    which nothing stands unboxed. lost: by area (metric, data, anchors, training), what evaluate says that it costs of
    mAP. train_s: seconds of training.
    """

    variant: str
    seed: int
    setting: Setting
    truth: str
    checkpoint: str
    num_photos: int
    num_boxes: int
    ap50: dict[str, float]
    ap50_mean: float
    ap50_boxed: float
    lost: dict[str, float]
    statements: tuple[Statement, ...]
    train_s: float

    @property
    def key(self) -> tuple[str, int, Setting]:
        """What there is one row of."""
        return self.variant, self.seed, self.setting

    def to_json(self) -> str:
        """A line of the file."""
        return json.dumps(asdict(self), ensure_ascii=False) + "\n"

    @classmethod
    def from_json(cls, text: str) -> Self:
        """The inverse of `to_json`. Raises ValueError, KeyError or TypeError for anything else."""
        values = json.loads(text)
        if values.keys() != {each.name for each in fields(cls)}:
            message = "other fields"
            raise ValueError(message)
        values["setting"] = Setting(**values["setting"])
        values["statements"] = tuple(Statement(**each) for each in values["statements"])
        return cls(**values)


def read_rows(path: Path) -> tuple[Row, ...]:
    """All rows of a file, of any setting; none where there is no file yet.

    Raises RowsError for a line that is no row, and for two rows of one training.
    """
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    rows = tuple(_row(line, f"{path}, line {number}") for number, line in enumerate(lines, start=1))
    for (variant, seed, _), count in Counter(row.key for row in rows).items():
        if count > 1:
            raise RowsError(f"{path} has {count} rows of {variant} with the seed {seed}. Take out all but one.")
    return rows


def _row(line: str, where: str) -> Row:
    try:
        return Row.from_json(line)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise RowsError(f"{where} is no row: {error}. Take it out, and run what is missing again.") from error


def append_row(path: Path, row: Row) -> None:
    """Put a row behind the others. Raises RowsError where there is one of this training."""
    if row.key in {each.key for each in read_rows(path)}:
        raise RowsError(f"{path} has a row of {row.variant} with the seed {row.seed} already.")
    with path.open("a", encoding="utf-8") as file:
        file.write(row.to_json())


def of_setting(rows: Iterable[Row], setting: Setting) -> tuple[Row, ...]:
    """The rows that can stand in one table. Raises RowsError where two began or were evaluated on different ground."""
    chosen = tuple(row for row in rows if row.setting == setting)
    for what, hashes in (
        ("were evaluated on different ground truth", Counter(row.truth for row in chosen)),
        ("began with different checkpoints", Counter(row.checkpoint for row in chosen)),
    ):
        if len(hashes) > 1:
            counts = ", ".join(f"{name}: {count}" for name, count in sorted(hashes.items()))
            raise RowsError(f"Rows of one setting {what} ({counts}).")
    return chosen


def missing(rows: Sequence[Row], names: Sequence[str], seeds: Sequence[int] = SEEDS) -> list[tuple[str, int]]:
    """The trainings without a row, by name and seed: the first seed of all comes first."""
    there = {(row.variant, row.seed) for row in rows}
    return [(name, seed) for seed in seeds for name in names if (name, seed) not in there]
