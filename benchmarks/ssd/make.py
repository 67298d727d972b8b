"""The sample's SSD, from drawing its photos to its metrics: about an hour on two cores, of which 45 minutes train.

    cd benchmarks && python -m ssd.make --work ../build/ssd

Every step that is done is kept, and a training that was stopped goes on: the same command completes it.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from oidata import sample

if TYPE_CHECKING:
    from collections.abc import Sequence

HERE: Final = Path(__file__).parent
PHOTOS: Final = 5000
SEED: Final = 2
"""Of the photos that are drawn; the sample's own are of seed 1."""
QUIET: Final = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
"""One thread for each process that draws: they are as many as there are cores."""
HOARDING: Final = {"MALLOC_MMAP_MAX_": "0", "MALLOC_TRIM_THRESHOLD_": "100000000000", "MALLOC_TOP_PAD_": "1000000000"}
"""Memory that is freed is kept: else TensorFlow's tensors cost a fifth of the time in page faults."""


@dataclass(frozen=True)
class Maker:
    """Runs the commands, the same as anyone would type, in `work`."""

    work: Path

    @property
    def data(self) -> Path:
        """The dataset of the drawn photos."""
        return self.work / "data"

    def draw(self) -> None:
        """Draw the photos."""
        mirror = self.work / "mirror"
        if mirror.exists():
            return
        unfinished = self.work / "mirror.part"
        shutil.rmtree(unfinished, ignore_errors=True)
        count = ("--photos", PHOTOS, "--seed", SEED, "--processes", os.cpu_count() or 1)
        self._python("oidata.sample.draw", unfinished, *count, environment=QUIET)
        unfinished.rename(mirror)

    def prepare(self) -> None:
        """Fetch, strip groups and depictions, and shard what shows no object without its box."""
        source = (self.work / "mirror").resolve().as_uri()
        self._oidata("fetch", "Lemon", "Cheese", "--source", source)
        self._oidata("strip", "--no-truncated")
        self._oidata("shard", "--splits", "10", "--leftover", "drop-image")

    def train(self, name: str, config: Path, *arguments: object) -> Path:
        """Train by a config and return the weights."""
        out = self.work / name
        places = ("--shards", self.data / "shards", "--out", out)
        self._python("ssd.train", config, *places, *arguments, environment=HOARDING)
        return out / "weights.npz"

    def export(self, weights: Path) -> None:
        """Put the model and its label map beside the sample's config."""
        self._python("ssd.export", sample.CONFIG, weights, sample.MODEL)
        shutil.copyfile(self.data / "shards/label_map.pbtxt", sample.MODEL.parent / "label_map.pbtxt")

    def measure(self) -> None:
        """Say how the model fares on the drawn photos of validation, and on the sample's."""
        self._oidata("predict", sample.NAME, "--split", "validation")
        self._oidata("evaluate")

    def _oidata(self, *arguments: str) -> None:
        self._python("oidata", *arguments, "--dataset", self.data)

    def _python(self, module: str, *arguments: object, environment: dict[str, str] | None = None) -> None:
        argv: Sequence[str] = (sys.executable, "-m", module, *map(str, arguments))
        print("$", *argv[1:], flush=True)
        subprocess.run(argv, check=True, cwd=HERE.parent, env=os.environ | {"PYTHONPATH": ".."} | (environment or {}))


def main() -> None:
    """Make the model as the command line says."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, required=True, help="where photos, dataset and trainings are kept")
    maker = Maker(parser.parse_args().work.resolve())
    maker.work.mkdir(parents=True, exist_ok=True)
    maker.draw()
    maker.prepare()
    small = maker.train("ssd_160", HERE / "ssd_160.config")
    maker.export(maker.train("ssd_300", sample.CONFIG, "--checkpoint", small))
    maker.measure()


if __name__ == "__main__":
    main()
