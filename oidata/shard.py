"""`oidata shard`: balanced TFRecord shards, each read back before it gets its name, and what belongs beside them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from oidata.core.admission import REASONS, left_out, leftover
from oidata.core.evenness import balance_facts
from oidata.core.features import DROP, STRIPPED
from oidata.core.filling import filled
from oidata.core.label_map import label_map_text
from oidata.core.selection import splits_of
from oidata.core.shards import NAME, PREFIXES, SplitPlan, without_boxes
from oidata.core.tables import Tables
from oidata.dataset import CONFIG_NAME, SHARDS_NAME
from oidata.errors import DatasetError, PhotoError, UsageError
from oidata.io import files
from oidata.io.configs import read_config
from oidata.io.executor import workers
from oidata.io.outputs import output
from oidata.io.shards import ShardJob, find_shard, write_shard
from oidata.report.progress import Progress, Silence
from oidata.report.shard_report import Now, ShardReport, SplitShards

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Sequence

    import pandas as pd

    from oidata.core.labels import LabelMap
    from oidata.core.pipeline import PipelineConfig
    from oidata.dataset import Dataset
    from oidata.io.executor import Workers
    from oidata.io.outputs import Output
    from oidata.io.shards import ShardFacts

LABEL_MAP_NAME: Final = "label_map.pbtxt"
RECORD_NAME: Final = "shards.json"
DEFAULT_NUM_SHARDS: Final = 10


@dataclass(frozen=True)
class Request:
    """Which shards to make: everything here decides their bytes, or those of the config beside them.

    num_shards: of every split, or by split, and then of those alone. stripped: what becomes of stripped boxes, one of
    core.features.STRIPPED. drop_leftover: leave out photos on which an object stays to see without its box.
    with_negatives: photos verified to lack a class become examples without boxes. config: of which a copy with these
    shards filled in lies beside them; by default the one given last for the dataset, if any.
    """

    num_shards: int | Mapping[str, int] = DEFAULT_NUM_SHARDS
    seed: int = 0
    stripped: str = DROP
    drop_leftover: bool = False
    with_negatives: bool = True
    config: str | Path | None = None

    def __post_init__(self) -> None:
        """Raise UsageError for a way with stripped boxes that there is not."""
        if self.stripped not in STRIPPED:
            message = f"{self.stripped!r} is no way to treat stripped boxes."
            raise UsageError(message, f"Choose one of {', '.join(STRIPPED)}.")


@dataclass(frozen=True)
class Delivery:
    """Where the shards go, and who makes them: nothing here changes them.

    out: a directory, or s3://…, gs://…; by default in the dataset. overwrite: replace what else is there. scheduler:
    that of a Dask cluster; by default processes here, `num_workers` of them. with_tensorflow: have TensorFlow read
    every example, too.
    """

    out: str | Path | None = None
    overwrite: bool = False
    scheduler: str | None = None
    num_workers: int | None = None
    with_tensorflow: bool = False


def shard(
    dataset: Dataset, request: Request | None = None, delivery: Delivery | None = None, progress: Progress | None = None
) -> ShardReport:
    """Make the shards of a dataset, or complete them: those that are there and the same are kept.

    Raises UsageError, DatasetError where a class has no box in a split or the output holds something else, PhotoError
    for a photo that is not there or has changed, ConfigError, ClusterError, SourceError and StorageError.
    """
    request, delivery, progress = request or Request(), delivery or Delivery(), progress or Silence()
    with files.locked(dataset.path):
        plan = _plan(dataset, request)
        out = delivery.out or dataset.path / SHARDS_NAME
        target = output(out)
        beside = _beside(dataset, plan, request, target)
        others = _others(plan, target, beside, delivery)
        with workers(delivery.scheduler or "", delivery.num_workers, preload=["oidata.io.shards"]) as pool:
            found, written = _Run(plan, target, delivery, pool, progress).shards()
        report = _report(dataset, plan, request, found | written)
        for name, text in {**beside, RECORD_NAME: _json(report.record())}.items():
            target.write_text(name, text)
        for name in others:
            target.remove(name)
        target.discard_partial(plan.size_bytes)
    now = Now(str(out), len(found), CONFIG_NAME in beside, _read_by(delivery))
    return replace(report, now=now)


@dataclass(frozen=True, eq=False)
class _Plan:
    """All shards that are to be.

    left_out: by split, how many photos are so for which reason. num_leftover: photos in the shards on which an object
    stays to see without its box.
    """

    classes: LabelMap
    stripped: str
    splits: tuple[SplitPlan, ...]
    left_out: dict[str, dict[str, int]]
    num_leftover: int

    @property
    def size_bytes(self) -> dict[str, int]:
        """By name of a shard, the bytes of its photos."""
        return {name: size for split in self.splits for name, size in split.size_bytes.items()}


def _plan(dataset: Dataset, request: Request) -> _Plan:
    """Decide which photos go where. Raises DatasetError if a class has no box, PhotoError if a photo is gone."""
    num_shards = _num_shards(dataset, request.num_shards)
    tables = Tables(dataset.images(), dataset.boxes(), dataset.labels())
    reasons = left_out(
        tables,
        stripped=request.stripped,
        drop_leftover=request.drop_leftover,
        with_negatives=request.with_negatives,
    )
    counts = {split: reasons[tables.images["split"] == split].value_counts() for split in num_shards}
    chosen = replace(tables, images=_with_paths(dataset, tables.images[reasons.isna()]))
    classes = dataset.info.classes
    splits = tuple(
        SplitPlan.of(split, chosen, classes, num_shards=number, stripped=request.stripped, seed=request.seed)
        for split, number in num_shards.items()
    )
    for split in splits:
        _check(split, classes)
    by_reason = {split: {reason: int(count.get(reason, 0)) for reason in REASONS} for split, count in counts.items()}
    num_leftover = sum(len(leftover(split.tables.boxes, request.stripped)) for split in splits)
    return _Plan(classes, request.stripped, splits, by_reason, num_leftover)


def _num_shards(dataset: Dataset, asked: int | Mapping[str, int]) -> dict[str, int]:
    """The number of shards of each split that is to have any, in the order of the splits."""
    if not isinstance(asked, Mapping):
        asked = dict.fromkeys(dataset.info.splits, asked)
    by_split = {split: number for name, number in asked.items() for split in splits_of([name])}
    for split, number in by_split.items():
        if split not in dataset.info.splits:
            raise UsageError(f"{dataset.path} has no split {split}.", f"It has {', '.join(dataset.info.splits)}.")
        if number < 1:
            raise UsageError(f"{number} shards of {split} cannot hold anything.", "Ask for one or more.")
    return {split: by_split[split] for split in splits_of(by_split)}


def _with_paths(dataset: Dataset, images: pd.DataFrame) -> pd.DataFrame:
    """The images with a column `path`, which a worker elsewhere understands too."""
    there = replace(dataset, path=dataset.path.resolve())
    paths = map(there.photo_path, images["split"], images["image_id"])
    return images.assign(path=[str(path) for path in paths])


def _check(plan: SplitPlan, classes: LabelMap) -> None:
    """Raise, before anything is written, if a class has no box to learn, or a photo is not there as recorded."""
    if without := without_boxes(plan, classes):
        hint = "Fetch more photos, strip less, or name only other splits: --splits train=10."
        raise DatasetError(f"The {plan.split} split has no box of {', '.join(without)} to write.", hint)
    images = plan.tables.images
    for path, size_bytes in zip(images["path"], images["size_bytes"], strict=True):
        found = Path(path).stat().st_size if Path(path).is_file() else None
        if found != size_bytes:
            wrong = "is not there any more" if found is None else f"has {found:,} bytes, and had {size_bytes:,}"
            raise PhotoError(f"{path} {wrong}.", "Run the same oidata fetch again.")


def _beside(dataset: Dataset, plan: _Plan, request: Request, target: Output) -> dict[str, str]:
    """The texts that lie beside the shards, by name: the label map, and the config filled in, if there is one."""
    label_map = {LABEL_MAP_NAME: label_map_text(plan.classes)}
    config = _config(dataset, request)
    if config is None:
        return label_map
    text = filled(
        config,
        num_classes=len(plan.classes.labels),
        label_map_path=f"{target.url}/{LABEL_MAP_NAME}",
        input_paths={PREFIXES[split.split]: f"{target.url}/{split.pattern}" for split in plan.splits},
    )
    return {**label_map, CONFIG_NAME: text}


def _config(dataset: Dataset, request: Request) -> PipelineConfig | None:
    if request.config is not None:
        return read_config(request.config)
    return read_config(dataset.config_path) if dataset.config_path.is_file() else None


def _others(plan: _Plan, target: Output, beside: Mapping[str, str], delivery: Delivery) -> list[str]:
    """Shards of other names, which a reader might take for some of these: to be removed in the end.

    Raises DatasetError if there are any, or a text that differs, unless they may be overwritten.
    """
    there = sorted(target.sizes())
    others = [name for name in there if NAME.fullmatch(name) and name not in plan.size_bytes]
    differ = [name for name in there if name in beside and _bytes(target, name) != beside[name].encode()]
    if (others or differ) and not delivery.overwrite:
        raise _other_content(target, [*others, *differ])
    return others


def _bytes(target: Output, name: str) -> bytes:
    with target.local(name) as path:
        return path.read_bytes()


def _other_content(target: Output, names: Sequence[str]) -> DatasetError:
    more = f" and {len(names) - 1:,} more" if names[1:] else ""
    message = f"{target.url} has other content: {names[0]}{more}."
    return DatasetError(message, "Name another place with --out, or replace it with --overwrite.")


@dataclass(frozen=True, eq=False)
class _Run:
    """The work on a plan's shards."""

    plan: _Plan
    target: Output
    delivery: Delivery
    pool: Workers
    progress: Progress

    def shards(self) -> tuple[dict[str, ShardFacts], dict[str, ShardFacts]]:
        """The shards that were there already, by name, and those that are written now."""
        sizes = self.plan.size_bytes
        there = [name for name in self.target.sizes() if name in sizes]
        found = self._done(find_shard, "shards checked", there)
        if (others := [name for name in there if name not in found]) and not self.delivery.overwrite:
            raise _other_content(self.target, others)
        missing = [name for name in sizes if name not in found]
        self.target.prepare({name: sizes[name] for name in missing})
        return found, self._done(write_shard, "shards written", missing)

    def _done(
        self, task: Callable[[ShardJob], ShardFacts | None], title: str, names: Collection[str]
    ) -> dict[str, ShardFacts]:
        """What `task` makes of the shards of those names, told in bytes while it goes on."""
        sizes = {name: size for name, size in self.plan.size_bytes.items() if name in names}
        done: dict[str, ShardFacts] = {}
        with self.progress.task(title, unit="bytes") as tell:

            def tick() -> None:
                so_far = sum(sizes[name] for name in done) + self.target.partial_bytes(names)
                tell(min(so_far, sum(sizes.values())), sum(sizes.values()))

            for facts in self.pool.run(task, self._jobs(names), tick):
                if facts:
                    done[facts.name] = facts
                tick()
        return done

    def _jobs(self, names: Collection[str]) -> Iterator[ShardJob]:
        contents = (content for split in self.plan.splits for content in split.contents())
        for name, tables in contents:
            if name in names:
                yield ShardJob(
                    name, self.target, tables, self.plan.classes, self.plan.stripped, self.delivery.with_tensorflow
                )


def _report(dataset: Dataset, plan: _Plan, request: Request, facts: Mapping[str, ShardFacts]) -> ShardReport:
    splits = (
        SplitShards(
            split.split,
            split.pattern,
            tuple(facts[name] for name in split.names),
            balance_facts(split.photos, split.shards, split.num_shards),
        )
        for split in plan.splits
    )
    return ShardReport(
        classes=plan.classes.names,
        made_from={name: sha256 for name, sha256 in dataset.hashes().items() if name != CONFIG_NAME},
        choices={
            "seed": request.seed,
            "stripped": request.stripped,
            "drop_leftover": request.drop_leftover,
            "with_negatives": request.with_negatives,
        },
        splits=tuple(splits),
        left_out=plan.left_out,
        num_leftover=plan.num_leftover,
    )


def _read_by(delivery: Delivery) -> str | None:
    if not delivery.with_tensorflow:
        return None
    from oidata.io.tensorflow_records import tensorflow_version

    return f"TensorFlow {tensorflow_version()}"


def _json(record: object) -> str:
    return json.dumps(record, indent=1, ensure_ascii=False) + "\n"
