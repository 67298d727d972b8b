"""Train what is missing of the table, evaluate it, and append its rows. Stopped at any moment, it goes on.

    cd benchmarks && python -m verdict.run --work ../build/verdict --checkpoint ../build/ssd/ssd_160/weights.npz

`--only base --only constant-rate` runs these alone, `--limit 1` the first that is missing.

The first seed of every variant comes first, the base before all. A training that has its row is passed over.
"""

from __future__ import annotations

import csv
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from harness import HERE, ROOT
from oidata import evaluate, predict
from oidata.core.tables import VALIDATION
from oidata.io import files
from oidata.io.configs import CONFIG_NAME
from oidata.io.label_maps import LABEL_MAP_NAME
from oidata.io.photos import sha256_of
from ssd.make import HOARDING
from verdict.datasets import Datasets, NoSuggestionError, directory_name
from verdict.rows import SEEDS, Row, Setting, append_row, missing, of_setting, read_rows
from verdict.table import arguments, rows_path, setting_of
from verdict.variants import BASE_DATA, BOXED_DATA, TABLES, VARIANTS, base_config

if TYPE_CHECKING:
    from collections.abc import Sequence

    from oidata.core.evaluation.evaluation import Evaluation
    from verdict.datasets import Prepared
    from verdict.variants import Data, Variant

AREAS: Final = ("metric", "data", "anchors", "training")


@dataclass(frozen=True)
class Bench:
    """Trainings of a setting, which begin with the backbone of a checkpoint."""

    datasets: Datasets
    setting: Setting
    checkpoint: Path

    def run(self, variant: Variant, seed: int) -> Row:
        """Train a variant, or go on, and evaluate it. Raises NoSuggestionError."""
        prepared = self.datasets.prepared(variant)
        place = self.datasets.work / "runs" / directory_name(f"{variant.name}-{seed}", prepared.config)
        files.make_directory(place)
        config, weights, model = place / CONFIG_NAME, place / "weights.npz", place / "model.tflite"
        files.write_text(config, prepared.config.text)
        begin = ("--checkpoint", self.checkpoint)
        _module("ssd.train", config, "--shards", prepared.shards, "--out", place, *begin, "--seed", seed)
        _module("ssd.export", config, weights, model)
        found, boxed = (self._evaluated(data, prepared, model) for data in (BASE_DATA, BOXED_DATA))
        (train,) = prepared.report.splits
        return Row(
            variant=variant.name,
            seed=seed,
            setting=self.setting,
            truth=self.datasets.truth(),
            checkpoint=sha256_of(self.checkpoint.read_bytes())[:12],
            num_photos=train.num_examples,
            num_boxes=train.num_boxes,
            ap50={each.display_name: each.average_precision or 0.0 for each in found.v2.classes},
            ap50_mean=found.v2.mean_average_precision or 0.0,
            ap50_boxed=boxed.v2.mean_average_precision or 0.0,
            lost={area: getattr(found.lost, area) for area in AREAS},
            statements=prepared.statements,
            train_s=_seconds(place / "log.csv"),
        )

    def _evaluated(self, data: Data, prepared: Prepared, model: Path) -> Evaluation:
        dataset, run = self.datasets.dataset(data), model.parent.name
        predict.predict(
            dataset,
            predict.Request(
                model,
                run=run,
                splits=(VALIDATION,),
                label_map=prepared.shards / LABEL_MAP_NAME,
                config=model.parent / CONFIG_NAME,
            ),
        )
        return evaluate.evaluate(dataset, evaluate.Request(run=run, splits=(VALIDATION,))).evaluation


def _module(name: str, *arguments: object) -> None:
    """Run a command of the small SSD's training in a process of its own, which gives its memory back.

    TensorFlow tells on stdout how it exports; errors come on stderr.
    """
    argv = [sys.executable, "-m", name, *map(str, arguments)]
    subprocess.run(
        argv, cwd=HERE, env=os.environ | HOARDING | {"PYTHONPATH": str(ROOT)}, stdout=subprocess.DEVNULL, check=True
    )


def _seconds(log: Path) -> float:
    """What training took, by its log; 0 where it was too short to write any."""
    rows = list(csv.DictReader(log.read_text().splitlines()))
    return float(rows[-1]["seconds"]) if rows else 0.0


def run_missing(bench: Bench, path: Path, variants: Sequence[Variant], seeds: Sequence[int], limit: int | None) -> int:
    """Run what has no row in the file at `path`, at most `limit`, and return how many rows are new."""
    by_name, done = {variant.name: variant for variant in variants}, 0
    for name, seed in missing(of_setting(read_rows(path), bench.setting), list(by_name), seeds):
        if done == limit:
            break
        print(f"{name}, seed {seed}", file=sys.stderr, flush=True)
        try:
            row = bench.run(by_name[name], seed)
        except NoSuggestionError:
            print(f"{name}: not run, since the audit suggests none", file=sys.stderr)
            continue
        append_row(path, row)
        done += 1
        print(f"{name}, seed {seed}: AP50 {row.ap50_mean:.3f}", flush=True)
    return done


def main() -> None:
    """Run as the command line says."""
    parser = arguments(__doc__)
    parser.add_argument("--work", type=Path, required=True, help="where photos, datasets and trainings are kept")
    parser.add_argument("--checkpoint", type=Path, required=True, help="the weights.npz whose backbone all begin with")
    parser.add_argument("--mirror", type=Path, help="where the photos are drawn already, with seed 2")
    parser.add_argument("--only", action="append", choices=VARIANTS, help="this variant; may be given again")
    parser.add_argument("--seed", type=int, action="append", help=f"this seed; may be given again (default {SEEDS})")
    parser.add_argument("--limit", type=int, help="at most so many trainings")
    parser.add_argument("--processes", type=int, default=2, help="that draw and write shards (%(default)s)")
    asked = parser.parse_args()
    work = asked.work.absolute() / str(asked.photos)
    setting = setting_of(asked.photos, asked.steps, base_config())
    datasets = Datasets(work, asked.photos, asked.steps, asked.processes, asked.mirror)
    bench = Bench(datasets, setting, asked.checkpoint.absolute())
    names = [variant.name for variant in TABLES[asked.table]]
    if others := set(asked.only or ()).difference(names):
        parser.error(f"not in the table {asked.table}: {', '.join(sorted(others))}")
    chosen = [VARIANTS[name] for name in names if name in (asked.only or names)]
    num_done = run_missing(bench, rows_path(asked), chosen, asked.seed or SEEDS, asked.limit)
    print(f"{num_done} trainings done")


if __name__ == "__main__":
    main()
