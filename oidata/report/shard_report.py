"""What sharding has to say: the shards, how even they are beside what is usual, and which photos are left out."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from oidata import __version__
from oidata.core.sharding.admission import REASONS
from oidata.core.words import counted, listed
from oidata.report.summary import Share, Summary, Table

if TYPE_CHECKING:
    from collections.abc import Iterator

    from oidata.core.sharding.evenness import BalanceFacts, Evenness, Spread
    from oidata.io.shards import ShardFacts

REPORT_VERSION = 1
_MOST_SHARDS = 40  # more rows nobody reads in a terminal; shards.json has them all
_MOST_CLASSES = 5  # more columns do not fit 100


@dataclass(frozen=True)
class SplitShards:
    """The shards of a split, and how even they are; `pattern` matches their names, for an input_path."""

    split: str
    pattern: str
    shards: tuple[ShardFacts, ...]
    balance: BalanceFacts

    @property
    def num_examples(self) -> int:
        """Those of all shards."""
        return sum(shard.num_examples for shard in self.shards)

    @property
    def num_boxes(self) -> int:
        """The boxes that train, of all classes and shards."""
        return sum(sum(shard.num_boxes) for shard in self.shards)


@dataclass(frozen=True)
class Now:
    """What happened just now. Nothing of it is in shards.json, which is the same wherever the same shards are made.

    out: where the shards are, as it was asked for. num_kept: how many were there already. has_config: whether a
    pipeline.config lies beside them. read_by: with what they were read, besides oidata.
    """

    out: str = ""
    num_kept: int = 0
    has_config: bool = False
    read_by: str | None = None


@dataclass(frozen=True)
class ShardReport:
    """The shards that are there now, each read back and compared with the dataset.

    classes: display name by MID, in the order of the ids. made_from: SHA-256 by name of the tables that decide the
    shards, together with the `choices`. left_out: by split, how many photos have each of admission.REASONS.
    num_leftover: photos in the shards on which an object stays to see without its box. num_moved: photos of train that
    became validation.
    """

    classes: dict[str, str]
    made_from: dict[str, str]
    choices: dict[str, object]
    splits: tuple[SplitShards, ...]
    left_out: dict[str, dict[str, int]]
    num_leftover: int
    num_moved: int
    now: Now = Now()

    def to_dict(self) -> dict[str, object]:
        """For `--json`: what shards.json has, and what happened just now."""
        return {**self.record(), **asdict(self.now)}

    def record(self) -> dict[str, object]:
        """As shards.json has it. A change that breaks readers raises report_version."""
        return {
            "report_version": REPORT_VERSION,
            "oidata_version": __version__,
            "made_from": self.made_from,
            "choices": self.choices,
            "classes": [
                {"id": number, "mid": mid, "display_name": name}
                for number, (mid, name) in enumerate(self.classes.items(), start=1)
            ],
            "splits": {of_split.split: self._split_dict(of_split) for of_split in self.splits},
            "left_out": self.left_out,
            "num_leftover": self.num_leftover,
            "num_moved": self.num_moved,
        }

    def _split_dict(self, of_split: SplitShards) -> dict[str, object]:
        shards = [
            {**asdict(shard), "num_boxes": dict(zip(self.classes, shard.num_boxes, strict=True))}
            for shard in of_split.shards
        ]
        return {"pattern": of_split.pattern, "shards": shards, "balance": asdict(of_split.balance)}

    def summary(self) -> Summary:
        """For a person."""
        num_shards = sum(len(of_split.shards) for of_split in self.splits)
        num_examples = sum(of_split.num_examples for of_split in self.splits)
        num_boxes = sum(of_split.num_boxes for of_split in self.splits)
        headline = (
            f"{self.now.out}: {counted(num_shards, 'shard')} ({self.now.num_kept:,} already there),"
            f" {counted(num_examples, 'photo')},"
            f" {counted(num_boxes, 'box', 'boxes')} of {listed(self.classes.values())}"
        )
        return Summary(headline, tuple(self._tables()), tuple(self._notes()))

    def _tables(self) -> Iterator[Table]:
        if sum(len(of_split.shards) for of_split in self.splits) <= _MOST_SHARDS:
            yield self._shards_table()
        yield self._balance_table()
        if any(sum(reasons.values()) for reasons in self.left_out.values()):
            yield self._left_out_table()

    def _shards_table(self) -> Table:
        is_short = len(self.classes) <= _MOST_CLASSES
        rows = (
            (
                shard.name,
                shard.num_examples,
                *(shard.num_boxes if is_short else (sum(shard.num_boxes),)),
                shard.size_bytes,
            )
            for of_split in self.splits
            for shard in of_split.shards
        )
        columns = ("shard", "photos", *(self.classes.values() if is_short else ("boxes",)), "bytes")
        return Table("Shards", columns, tuple(rows))

    def _balance_table(self) -> Table:
        columns = ("split", "quantity", "mean", "least", "most", "furthest off", "by hash", "by index")
        rows = (row for of_split in self.splits for row in self._balance_rows(of_split))
        return Table(
            "Balance: the furthest shard's distance from the mean, and if hash or index divided", columns, tuple(rows)
        )

    def _balance_rows(self, of_split: SplitShards) -> Iterator[tuple[object, ...]]:
        balance = of_split.balance
        three = (balance.balanced, balance.by_hash, balance.by_index)
        yield (of_split.split, "photos", *_spreads(*(evenness.num_photos for evenness in three)))
        if len(self.classes) <= _MOST_CLASSES:
            for number, name in enumerate(self.classes.values()):
                yield (of_split.split, name, *_spreads(*(evenness.num_boxes[number] for evenness in three)))
        else:
            yield (of_split.split, "boxes, worst class", *_spreads(*map(_worst, three)))
        mean, *others = _spreads(*(evenness.size_bytes for evenness in three))
        yield (of_split.split, "photo bytes", round(mean), *others)

    def _left_out_table(self) -> Table:
        rows = (
            (split, reason, number, REASONS[reason])
            for split, reasons in self.left_out.items()
            for reason, number in reasons.items()
            if number
        )
        return Table("Photos left out", ("split", "reason", "photos", "why"), tuple(rows))

    def _notes(self) -> Iterator[str]:
        for of_split in self.splits:
            if of_split.num_examples < len(of_split.shards):
                empty = sum(not shard.num_examples for shard in of_split.shards)
                are = counted(empty, "shard is", "shards are")
                yield f"Warning: {of_split.split} has fewer photos than shards, so that {are} empty."
            yield from self._unavoidable(of_split)
        if self.choices["val_fraction"] is not None:
            yield self._on_moved()
        if self.num_leftover:
            yield (
                f"{counted(self.num_leftover, 'photo')} of those written show an object whose box is not, and a"
                " detector learns it as background. --leftover drop-image leaves these photos out, --stripped ignore"
                " keeps stripped boxes with weight 0."
            )
        if self.now.has_config:
            yield f"{self.now.out}/pipeline.config is your config with these shards, this label map and num_classes."
        if self.now.read_by:
            yield f"Every example was parsed, and its photo decoded as RGB, by {self.now.read_by}."

    def _on_moved(self) -> str:
        if self.num_moved:
            return f"{counted(self.num_moved, 'train photo')} became validation, near duplicates together."
        return "No train photo became validation: there is a validation photo of every class."

    def _unavoidable(self, of_split: SplitShards) -> Iterator[str]:
        facts = of_split.balance
        of_classes = zip(self.classes.values(), facts.balanced.num_boxes, facts.unavoidable_excess, strict=True)
        names = [name for name, spread, least in of_classes if least and spread.excess <= least]
        if names:
            yield (
                f"{of_split.split}, {listed(names)}: no division is more even, since one photo has many of the boxes,"
                " or fewer photos than shards show the class."
            )


def _spreads(ours: Spread, hashed: Spread, indexed: Spread) -> tuple[Any, ...]:
    shares = (Share(spread.deviation, spread.mean) for spread in (ours, hashed, indexed))
    return (ours.mean, ours.least, ours.most, *shares)


def _worst(evenness: Evenness) -> Spread:
    return max(evenness.num_boxes, key=lambda spread: spread.share or 0.0)
