"""Train an SSD MobileNet V2 on shards of oidata, as a pipeline.config says. Stopped at any moment, it goes on.

    cd benchmarks && python -m ssd.train ssd/ssd_160.config --shards ../data/shards --out ../build/ssd

OUT gets `weights.npz` when the last step is done, and `log.csv` with the losses along the way.
"""

from __future__ import annotations

import argparse
import csv
import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Self

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import keras
import numpy as np
import tensorflow as tf

from oidata.core.config.schedule import rate_at
from oidata.errors import ConfigError
from oidata.io.configs import read_config
from ssd import loss
from ssd.examples import Batch, Pipeline
from ssd.network import OWN, build

if TYPE_CHECKING:
    from collections.abc import Iterable

    from oidata.core.config.pipeline import PipelineConfig
    from oidata.core.config.pipeline_pb2 import LearningRate, Optimizer

SEED: Final = 1
LOG_EVERY: Final = 20
SAVE_EVERY: Final = 100
COLUMNS: Final = ("step", "photos", "learning_rate", "classification_loss", "localization_loss", "seconds")
WEIGHTS, STATE, LOG = "weights.npz", "state.npz", "log.csv"


def train(config: PipelineConfig, shards: Path, out: Path, *, checkpoint: Path | None = None, seed: int = SEED) -> Path:
    """Train, or go on, and return the weights; nothing is done where these are there already.

    shards: a directory with train.record-*; checkpoint: weights of another training to begin with, at whatever size of
    the input. By the config's fine_tune_checkpoint_type these are all weights, or the backbone's ("classification").
    """
    weights = out / WEIGHTS
    if weights.exists():
        return weights
    out.mkdir(parents=True, exist_ok=True)
    keras.utils.set_random_seed(seed)
    trainer = Trainer.of(config)
    if checkpoint is not None:
        kind = config.message.train_config.fine_tune_checkpoint_type
        restore(trainer.model.variables, checkpoint, without=OWN if kind == "classification" else ())
    first = restore(trainer.variables, out / STATE) if (out / STATE).exists() else 0
    batches = trainer.pipeline.batches(sorted(shards.glob("train.record-*")), seed, first)
    with Log(out / LOG, first) as log:
        for step in range(first, trainer.num_steps):
            rate = rate_at(trainer.rate, step)
            log.add(step, trainer.pipeline.batch_size, rate, trainer.step(next(batches), rate))
            if (step + 1) % SAVE_EVERY == 0:
                save(trainer.variables, out / STATE, step + 1)
    save(trainer.model.variables, weights, trainer.num_steps)
    (out / STATE).unlink(missing_ok=True)
    return weights


@dataclass(frozen=True)
class Trainer:
    """The network, its optimizer, and what a config says of both."""

    pipeline: Pipeline
    model: keras.Model
    optimizer: keras.optimizers.Optimizer
    rate: LearningRate
    num_steps: int
    run: Any

    @classmethod
    def of(cls, config: PipelineConfig) -> Trainer:
        """Read a config. Raises ConfigError for what is not followed."""
        ssd, asked = config.message.model.ssd, config.message.train_config
        loss.check(ssd.loss, config.name)
        pipeline = Pipeline.of(config)
        model = build(ssd, pipeline.grid)
        optimizer, rate = _optimizer(asked.optimizer, asked.gradient_clipping_by_norm)
        optimizer.build(model.trainable_variables)

        @tf.function  # type: ignore[untyped-decorator]
        def run(batch: Batch) -> Any:
            with tf.GradientTape() as tape:
                encodings, logits = model(batch.photos, training=True)
                by_class, by_place = loss.losses(encodings, logits, batch.assigned, ssd.loss)
                total = by_class + by_place + tf.add_n(model.losses)
            gradients = tape.gradient(total, model.trainable_variables)
            optimizer.apply_gradients(zip(gradients, model.trainable_variables, strict=True))
            return by_class, by_place

        return cls(pipeline, model, optimizer, rate, asked.num_steps, run)

    def step(self, batch: Batch, rate: float) -> tuple[float, float]:
        """Take one step, and return the classification and the localisation loss of the batch before it."""
        self.optimizer.learning_rate = rate
        by_class, by_place = self.run(batch)
        return float(by_class), float(by_place)

    @property
    def variables(self) -> list[Any]:
        """All that a training that goes on has to know."""
        return [*self.model.variables, *self.optimizer.variables]


class Log:
    """`log.csv`: the mean losses of every LOG_EVERY steps, cut back to where the training goes on."""

    def __init__(self, path: Path, first: int) -> None:
        rows = list(csv.reader(path.read_text().splitlines()))[1:] if path.exists() else []
        kept = [row for row in rows if int(row[0]) <= first]
        self._file = path.open("w", encoding="utf-8", newline="")
        self._rows = csv.writer(self._file, lineterminator="\n")
        self._rows.writerows((COLUMNS, *kept))
        self._seconds = float(kept[-1][-1]) if kept else 0.0
        self._start_s = time.perf_counter()
        self._losses: list[tuple[float, float]] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def add(self, step: int, batch_size: int, rate: float, losses: tuple[float, float]) -> None:
        """Take the losses of a step."""
        self._losses.append(losses)
        if (step + 1) % LOG_EVERY:
            return
        means = np.mean(self._losses, axis=0)
        seconds = self._seconds + time.perf_counter() - self._start_s
        row = (step + 1, (step + 1) * batch_size, f"{rate:.6f}", *(f"{mean:.4f}" for mean in means), f"{seconds:.0f}")
        self._rows.writerow(row)
        self._file.flush()
        self._losses = []


def _optimizer(asked: Optimizer, clipping: float) -> tuple[keras.optimizers.Optimizer, LearningRate]:
    clip = {"global_clipnorm": clipping} if clipping else {}
    match asked.WhichOneof("optimizer"):
        case "adam_optimizer":
            adam = asked.adam_optimizer
            return keras.optimizers.Adam(epsilon=adam.epsilon, **clip), adam.learning_rate
        case "momentum_optimizer":
            plain = asked.momentum_optimizer
            return keras.optimizers.SGD(momentum=plain.momentum_optimizer_value, **clip), plain.learning_rate
        case other:
            fault = f"The optimizer {other} is not built here."
            raise ConfigError(fault, "Take adam_optimizer or momentum_optimizer.")


def save(variables: Iterable[Any], path: Path, step: int) -> None:
    """Keep the values of variables, and the number of steps that they had."""
    values: dict[str, Any] = {f"{at:04d} {each.path}": np.asarray(each) for at, each in enumerate(variables)}
    unfinished = path.with_suffix(".part.npz")
    np.savez(unfinished, step=step, **values)
    unfinished.rename(path)


def restore(variables: Iterable[Any], path: Path, without: tuple[str, ...] = ()) -> int:
    """Take over what was saved, and return the number of steps that it had.

    without: what the names of variables begin with that are left as they are.
    """
    with np.load(path) as saved:
        names = [name for name in saved.files if name != "step"]
        for variable, name in zip(variables, names, strict=True):
            if not variable.path.startswith(without):
                variable.assign(saved[name])
        return int(saved["step"])


def main() -> None:
    """Train as the command line says."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("config", type=Path, help="the pipeline.config to train by")
    parser.add_argument("--shards", type=Path, required=True, help="the directory of train.record-*")
    parser.add_argument("--out", type=Path, required=True, help="the directory for weights and log")
    parser.add_argument("--checkpoint", type=Path, help="weights to begin with")
    parser.add_argument("--seed", type=int, default=SEED, help="decides weights, order and flips (%(default)s)")
    asked = parser.parse_args()
    config = read_config(asked.config)
    print(train(config, asked.shards, asked.out, checkpoint=asked.checkpoint, seed=asked.seed))


if __name__ == "__main__":
    main()
