"""Datasets, shards and audits of the variants, from one mirror of drawn photos. What is there is made once."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cached_property
from shutil import rmtree
from typing import TYPE_CHECKING, Any, Final

from oidata import audit, fetch, shard
from oidata.core.tables import TRAIN, VALIDATION
from oidata.dataset import Dataset
from oidata.io import files
from oidata.io.configs import CONFIG_NAME
from oidata.io.photos import sha256_of
from oidata.sample.draw import draw, identify, scene_of
from oidata.strip import strip
from verdict.statements import statements
from verdict.variants import ANCHORS, BASE_DATA, GROUPS, RATE, UNBOXED, VARIANTS, base_config

if TYPE_CHECKING:
    from pathlib import Path

    from oidata.core.config.pipeline import PipelineConfig
    from oidata.report.shard_report import ShardReport
    from verdict.rows import Statement
    from verdict.variants import Data, Variant

CLASSES: Final = ("Lemon", "Cheese")
DRAW_SEED: Final = 2
"""Not the sample's: what is evaluated on the sample must not have been trained on it."""
NUM_SHARDS: Final = 10
_UNBOXED = "user:unboxed"


class NoSuggestionError(Exception):
    """The audit of what it is compared with suggests no other anchors."""


def directory_name(name: str, config: PipelineConfig) -> str:
    """Where what was made by a config is kept: another config finds nothing there."""
    return f"{name}-{sha256_of(config.text.encode())[:8]}"


@dataclass(frozen=True)
class Prepared:
    """All that a training of a variant needs, and what was said of it before."""

    config: PipelineConfig
    shards: Path
    report: ShardReport
    statements: tuple[Statement, ...]


@dataclass(frozen=True)
class Datasets:
    """Below `work`, for `photos` drawn photos and trainings of `steps`. mirror: where these are drawn already."""

    work: Path
    photos: int
    steps: int
    processes: int = 1
    given_mirror: Path | None = None

    def prepared(self, variant: Variant) -> Prepared:
        """The shards of a variant and what the audit says. Raises NoSuggestionError."""
        config = self._config(variant)
        shards = self.work / "shards" / variant.shards_name
        report = self._sharded(variant, shards)
        names = (*GROUPS, *ANCHORS, *RATE, *UNBOXED)
        return Prepared(config, shards, report, statements(names, self._audited(variant, config), report, config))

    def truth(self) -> str:
        """A hash of the photos and boxes of validation, by the base."""
        dataset = self.dataset(BASE_DATA)
        images = dataset.images()
        images = images[images["split"] == VALIDATION]
        boxes = dataset.boxes()
        boxes = boxes[boxes["image_id"].isin(images["image_id"])]
        text = images[["image_id", "sha256"]].to_csv(index=False) + boxes.to_csv(index=False)
        return sha256_of(text.encode())[:12]

    def dataset(self, data: Data) -> Dataset:
        """Fetched, stripped, and without the photos that it drops."""
        path = self.work / "datasets" / data.name
        ready = path.with_suffix(".ready")
        if not ready.exists():
            asked = fetch.Request(CLASSES, source=str(self._mirror.absolute()))
            fetch.fetch(path, asked, fetch.Network(cache=self.work / "cache"))
            dataset = Dataset.open(path)
            strip(dataset, data.flags)
            if data.drops_unboxed:
                images = dataset.images()
                drops = images["image_id"].isin(self._unboxed)
                dataset.write_images(images.assign(dropped=images["dropped"].mask(drops, _UNBOXED)))
            files.write_text(ready, "")
        return Dataset.open(path)

    @cached_property
    def _mirror(self) -> Path:
        if self.given_mirror is not None:
            return self.given_mirror
        mirror = self.work / "mirror"
        if not mirror.exists():
            unfinished = self.work / "mirror.part"
            rmtree(unfinished, ignore_errors=True)
            draw(unfinished, photos=self.photos, seed=DRAW_SEED, processes=self.processes)
            unfinished.rename(mirror)
        return mirror

    @cached_property
    def _unboxed(self) -> frozenset[str]:
        """The photos on which an object stands that no table mentions, by image_id: the generator knows."""
        indices = (index for index in range(self.photos) if scene_of(DRAW_SEED, index).unboxed)
        return frozenset(identify(DRAW_SEED, index) for index in indices)

    def _config(self, variant: Variant) -> PipelineConfig:
        base = base_config()
        if not variant.takes_suggestion:
            return variant.config(base, self.steps)
        compared = VARIANTS[variant.base]
        patch = self._audited(compared, self._config(compared))["suggested_patch"]
        if not patch:
            raise NoSuggestionError
        return variant.config(base, self.steps, patch)

    def _sharded(self, variant: Variant, out: Path) -> ShardReport:
        """The train shards; those that are there are checked, and kept."""
        asked = shard.Request({TRAIN: NUM_SHARDS}, stripped=variant.stripped, drop_leftover=variant.drops_leftover)
        delivery = shard.Delivery(out=out, overwrite=True, num_workers=self.processes)
        return shard.shard(self.dataset(variant.data), asked, delivery)

    def _audited(self, variant: Variant, config: PipelineConfig) -> dict[str, Any]:
        """The audit's report.json of a variant, kept beside its config, by which it is known."""
        place = self.work / "audits" / directory_name(variant.name, config)
        path, text = place / "report.json", place / CONFIG_NAME
        if not path.exists():
            files.make_directory(place)
            files.write_text(text, config.text)
            report = audit.audit(self.dataset(variant.data), audit.Request(config=text)).to_dict()
            files.write_text(path, json.dumps(report))
        found: dict[str, Any] = json.loads(path.read_bytes())
        return found
