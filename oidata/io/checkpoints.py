"""What a long prediction has found so far: a file after every few photos, whole or not there at all."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import pyarrow as pa
from pyarrow import parquet

from oidata.core.tables import DETECTIONS, check
from oidata.errors import StorageError, TableError
from oidata.io import files

if TYPE_CHECKING:
    from pathlib import Path

    import pandas as pd

_FACTS_KEY: Final = b"oidata_checkpoint"
_PREFIX: Final = ".predict-"


@dataclass(frozen=True, eq=False)
class Checkpoint:
    """What was found on some photos: DETECTIONS, the photos that were looked at, what was left out, by reason."""

    detections: pd.DataFrame
    processed: tuple[str, ...]
    left_out: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Checkpoints:
    """The checkpoints of one model and its settings, whose hash their directory is called by, so that none mix."""

    directory: Path

    @classmethod
    def of(cls, run: Path, identity: str) -> Checkpoints:
        """Those below the directory `run` for that identity, a hash. Those for any other are removed."""
        found = cls(run / f"{_PREFIX}{identity}{files.PARTIAL_SUFFIX}")
        for other in run.glob(f"{_PREFIX}*{files.PARTIAL_SUFFIX}"):
            if other != found.directory:
                cls(other).discard()
        return found

    def read(self) -> list[Checkpoint]:
        """All there are, in the order in which they were added; one that cannot be read is as good as none."""
        found = map(_read, sorted(self.directory.glob("*.parquet")))
        return [checkpoint for checkpoint in found if checkpoint is not None]

    def add(self, checkpoint: Checkpoint) -> None:
        """Put one by. Raises StorageError."""
        files.make_directory(self.directory)
        numbers = [int(path.stem) for path in self.directory.glob("*.parquet")]
        facts = json.dumps({"processed": checkpoint.processed, "left_out": checkpoint.left_out})
        table = pa.Table.from_pandas(check(checkpoint.detections, DETECTIONS), preserve_index=False)
        table = table.replace_schema_metadata({**(table.schema.metadata or {}), _FACTS_KEY: facts.encode()})
        with files.whole(self.directory / f"{max(numbers, default=-1) + 1:08}.parquet") as partial:
            parquet.write_table(table, partial, compression="zstd")

    def discard(self) -> None:
        """Remove them all. Raises StorageError."""
        try:
            shutil.rmtree(self.directory)
        except FileNotFoundError:
            return
        except OSError as error:
            raise StorageError.of(error, self.directory) from error


def _read(path: Path) -> Checkpoint | None:
    try:
        table = parquet.read_table(path)
        facts = json.loads(table.schema.metadata[_FACTS_KEY])
        detections = check(table.to_pandas(), DETECTIONS)
        return Checkpoint(detections, tuple(facts["processed"]), dict(facts["left_out"]))
    except (pa.ArrowInvalid, OSError, ValueError, KeyError, TypeError, TableError):
        return None
