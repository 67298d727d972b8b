"""`oidata shard`: balanced TFRecord shards, each read back before it gets its name, and what belongs beside them."""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

from oidata.core.auditing.duplicates import find
from oidata.core.config.filling import filled
from oidata.core.config.label_map import label_map_text
from oidata.core.sharding.evenness import balance_facts
from oidata.core.sharding.shard_plan import Choices, plan
from oidata.core.sharding.shards import NAME, PREFIXES, without_boxes
from oidata.core.statistics import usable
from oidata.core.tables import VALIDATION, Tables
from oidata.dataset import INFO_NAME, SHARDS_NAME
from oidata.errors import DatasetError, PhotoError, UsageError
from oidata.io import files
from oidata.io.configs import CONFIG_NAME, REFERENCE_NAMES, read_config
from oidata.io.decode import decode_photos, fingerprints
from oidata.io.executor import workers
from oidata.io.label_maps import LABEL_MAP_NAME
from oidata.io.outputs import output
from oidata.io.shards import ShardJob, find_shard, write_shard
from oidata.io.tensorflow_records import tensorflow_version
from oidata.report.progress import Progress, Silence, photo_by_photo
from oidata.report.shard_report import Now, ShardReport, SplitShards

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping, Sequence

    import pandas as pd

    from oidata.core.config.pipeline import PipelineConfig
    from oidata.core.sharding.shard_plan import Plan
    from oidata.dataset import Dataset
    from oidata.io.executor import Workers
    from oidata.io.outputs import Output
    from oidata.io.shards import ShardFacts

RECORD_NAME: Final = "shards.json"


@dataclass(frozen=True)
class Request(Choices):
    """Which shards to make, and what to lay beside them.

    config: a pipeline.config, of which a copy that reads these shards lies beside them; by default the one given last
    for the dataset, if any.
    """

    config: str | Path | None = None


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

    def __post_init__(self) -> None:
        """Raise UsageError for no workers at all."""
        if self.out == "":
            raise UsageError("--out names no place.", "Name a directory or a bucket, or leave it out.")
        if self.num_workers is not None and self.num_workers < 1:
            raise UsageError(f"{self.num_workers} processes write nothing.", "Ask for one or more.")


def shard(
    dataset: Dataset, request: Request | None = None, delivery: Delivery | None = None, progress: Progress | None = None
) -> ShardReport:
    """Make the shards of a dataset, or complete them: those that are there and the same are kept.

    Raises UsageError, DatasetError where a class has no box in a split or the output holds something else, PhotoError
    for a photo that is not there or has changed, ConfigError, ClusterError, SourceError and StorageError.
    """
    request, delivery, progress = request or Request(), delivery or Delivery(), progress or Silence()
    out = delivery.out or dataset.path / SHARDS_NAME
    target, config, made_from = output(out), _config(dataset, request), dataset.hashes()
    plan = _plan(dataset, request, progress)
    with target.locked():
        beside = _beside(plan, config, target)
        others = _others(plan, target, beside, delivery)
        with workers(delivery.scheduler or "", delivery.num_workers, preload=["oidata.io.shards"]) as pool:
            found, written = _Run(plan, request, target, delivery, pool, progress).shards()
        report = _report(made_from, plan, request, found | written)
        for name, text in {**beside, RECORD_NAME: files.json_text(report.record())}.items():
            target.write_text(name, text)
        for name in others:
            target.remove(name)
        target.discard_partial(plan.size_bytes)
    read_by = f"TensorFlow {tensorflow_version()}" if delivery.with_tensorflow else None
    return replace(report, now=Now(str(out), len(found), CONFIG_NAME in beside, read_by))


def _plan(dataset: Dataset, request: Request, progress: Progress) -> Plan:
    """Decide which photos go where. Raises DatasetError if a class has no box, PhotoError if a photo is gone."""
    num_shards = request.by_split(dataset.info.splits)
    tables = Tables(_with_paths(dataset), dataset.boxes(), dataset.labels())
    duplicates = partial(_duplicates, dataset, tables.images, progress)
    planned = plan(tables, dataset.info.classes, num_shards, request, duplicates)
    _check_classes(planned, request)
    for split in planned.splits:
        _check_photos(split.tables.images)
    return planned


def _duplicates(dataset: Dataset, images: pd.DataFrame, progress: Progress) -> pd.DataFrame:
    """The near duplicates that the last audit found; if there was none of these photos, all are decoded for it."""
    found = dataset.duplicates()
    if found is not None:
        return found
    there = images[usable(images)]
    paths = dict(zip(there["image_id"], map(Path, there["path"]), strict=True))
    with photo_by_photo(progress, "photos decoded", len(paths)) as advance:
        return find(fingerprints(decode_photos(paths, advance=advance)))


def _with_paths(dataset: Dataset) -> pd.DataFrame:
    """IMAGES with a column `path`, which a worker elsewhere understands too."""
    there = replace(dataset, path=dataset.path.resolve())
    images = dataset.images()
    return images.assign(path=[str(path) for path in map(there.photo_path, images["split"], images["image_id"])])


def _check_classes(planned: Plan, request: Request) -> None:
    """Raise DatasetError if there is a split of which a class has nothing to learn, or to measure."""
    without = {split: names for split in planned.splits if (names := without_boxes(split, planned.classes))}
    if not without:
        return
    others = ",".join(f"{PREFIXES[each.split]}={each.num_shards}" for each in planned.splits if each not in without)
    hints = ["Fetch more photos, or strip less."]
    if request.val_fraction is None and any(split.split == VALIDATION for split in without):
        hints = ["Take some of train: --val-fraction 0.1.", *hints]
    if others:
        hints.append(f"Or make the others alone: --splits {others}.")
    faults = "; ".join(f"{', '.join(names)} in {split.split}" for split, names in without.items())
    raise DatasetError(f"There is no box to write of {faults}.", " ".join(hints))


def _check_photos(images: pd.DataFrame) -> None:
    """Raise PhotoError if a photo is not there as recorded, before anything is written."""
    for path, size_bytes in zip(images["path"], images["size_bytes"], strict=True):
        found = Path(path).stat().st_size if Path(path).is_file() else None
        if found != size_bytes:
            wrong = "is not there any more" if found is None else f"has {found:,} bytes, and had {size_bytes:,}"
            raise PhotoError(f"{path} {wrong}.", "Run the same oidata fetch again.")


def _beside(plan: Plan, config: PipelineConfig | None, target: Output) -> dict[str, str]:
    """The texts that lie beside the shards, by name: the label map, and the config filled in, if there is one."""
    label_map = {LABEL_MAP_NAME: label_map_text(plan.classes)}
    if config is None:
        return label_map
    text = filled(
        config,
        num_classes=len(plan.classes.labels),
        label_map_path=f"{target.url}/{LABEL_MAP_NAME}",
        input_paths={PREFIXES[split.split]: f"{_literal(target.url)}/{split.pattern}" for split in plan.splits},
    )
    return {**label_map, CONFIG_NAME: text}


def _literal(path: str) -> str:
    """A pattern that matches `path` alone: an input_path is one (tf.io.gfile.glob), a label_map_path is not."""
    return re.sub(r"([*?\[\\])", r"\\\1", path)


def _config(dataset: Dataset, request: Request) -> PipelineConfig | None:
    """The config to fill in; a file that is given becomes the dataset's own."""
    if request.config is None:
        return read_config(dataset.config_path) if dataset.config_path.is_file() else None
    config = read_config(request.config)
    if config.name not in REFERENCE_NAMES:
        dataset.write_config(config.text)
    return config


def _others(plan: Plan, target: Output, beside: Mapping[str, str], delivery: Delivery) -> list[str]:
    """Shards of other names, and a config that is none of this run's: to be removed in the end.

    Raises DatasetError if there are any, or a text that differs, unless they may be overwritten; UsageError for a
    dataset's own directory, where the copy of a config would replace the dataset's.
    """
    there, ours = sorted(target.sizes()), plan.size_bytes
    if INFO_NAME in there:
        hint = "Name a directory of their own with --out: a dataset keeps its shards in shards/, and its own config."
        raise UsageError(f"{target.url} is a dataset, and no place for shards.", hint)
    others = [name for name in there if NAME.fullmatch(name) and name not in ours]
    if CONFIG_NAME in there and CONFIG_NAME not in beside:
        others.append(CONFIG_NAME)  # which may read shards that are no more
    differ = [name for name in there if name in beside and _bytes(target, name) != beside[name].encode()]
    if CONFIG_NAME in (*others, *differ) and RECORD_NAME not in there:
        message = f"{target.url}/{CONFIG_NAME} may be yours: there is no {RECORD_NAME} that it came with."
        raise DatasetError(message, "Move it away, or name another place with --out.")
    if (others or differ) and not delivery.overwrite:
        raise _other_content(target, [*others, *differ])
    return others


def _bytes(target: Output, name: str) -> bytes:
    with target.local(name) as path:
        return path.read_bytes()


def _other_content(target: Output, names: Sequence[str]) -> DatasetError:
    more = f" and {len(names) - 1:,} more" if names[1:] else ""
    message = f"{target.url} has other content: {names[0]}{more}."
    hint = "Ask for the same shards again, name another place with --out, or replace these with --overwrite."
    return DatasetError(message, hint)


@dataclass(frozen=True, eq=False)
class _Run:
    """The work on a plan's shards."""

    plan: Plan
    request: Request
    target: Output
    delivery: Delivery
    pool: Workers
    progress: Progress

    def shards(self) -> tuple[dict[str, ShardFacts], dict[str, ShardFacts]]:
        """The shards that were there already, by name, and those that are written now."""
        sizes = self.plan.size_bytes
        there = {name for name in self.target.sizes() if name in sizes}
        found = self._done(find_shard, "shards checked", there)
        if (others := sorted(there - set(found))) and not self.delivery.overwrite:
            raise _other_content(self.target, others)
        missing = sizes.keys() - found
        self.target.prepare({name: sizes[name] for name in missing})
        if missing:
            self.target.remove(RECORD_NAME)  # which must not speak for other shards, if this run is stopped
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
                    name, self.target, tables, self.plan.classes, self.request.stripped, self.delivery.with_tensorflow
                )


def _report(made_from: Mapping[str, str], plan: Plan, request: Request, facts: Mapping[str, ShardFacts]) -> ShardReport:
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
        made_from=dict(made_from),
        choices={name: value for name, value in asdict(request).items() if name not in ("num_shards", "config")},
        splits=tuple(splits),
        left_out=plan.left_out,
        num_leftover=plan.num_leftover,
        num_moved=plan.num_moved,
    )
