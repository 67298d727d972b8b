"""The runs of a dataset: what a trained model detected on its photos, and how that was judged.

runs/NAME/
  run.json            where the detections come from, and which photos were looked at (RunInfo)
  detections.parquet  one row per detection                         (oidata.core.tables.DETECTIONS)
  pipeline.config     the config of the model, where one was given
  evaluation.json     what `oidata evaluate` found
  failures.parquet    one row per failure                           (oidata.core.evaluation.failures.FAILURES)
  report.html         the same for a person
"""

from __future__ import annotations

import json
import re
from dataclasses import asdict, dataclass, field, fields
from typing import TYPE_CHECKING, Any, Self

from oidata import __version__
from oidata.core.evaluation.failures import FAILURES
from oidata.core.tables import DETECTIONS, SCHEMA_VERSION
from oidata.errors import DatasetError, OidataError, StorageError, UsageError
from oidata.io import files
from oidata.io.configs import CONFIG_NAME
from oidata.io.photos import sha256_of
from oidata.io.tables import check_version, read_table, table_path, write_table

if TYPE_CHECKING:
    from pathlib import Path

    import pandas as pd

    from oidata.core.tables import Schema
    from oidata.dataset import Dataset

RUNS_NAME = "runs"
INFO_NAME = "run.json"
EVALUATION_NAME = "evaluation.json"
REPORT_NAME = "report.html"
_NAME = r"[\w][\w.+-]*"


@dataclass(frozen=True)
class RunInfo:
    """Where the detections of a run come from.

    source: the model, or the file of detections that was read. sha256: of its bytes. is_model: which of the two.
    config, label_map: what was given with it, if anything. score_threshold: detections below it were not kept.
    splits: whose photos. processed: the photos that were looked at, by image_id, sorted: one without detections is one
    on which nothing was found. left_out: how many detections were left out, by reason. made_from: SHA-256 by name of
    what else than the source decides the detections: the config, and what the label map comes to for the dataset.
    """

    source: str
    sha256: str
    is_model: bool
    config: str | None
    label_map: str | None
    score_threshold: float
    splits: tuple[str, ...]
    processed: tuple[str, ...]
    left_out: dict[str, int]
    made_from: dict[str, str] = field(default_factory=dict)
    schema_version: int = SCHEMA_VERSION
    oidata_version: str = __version__

    @property
    def identity(self) -> str:
        """A hash of all that decides what is detected on a photo: runs of the same identity can be put together."""
        decisive = (self.sha256, self.made_from, self.score_threshold, self.schema_version, self.oidata_version)
        return sha256_of(json.dumps(decisive, sort_keys=True).encode())

    @classmethod
    def from_json(cls, text: str | bytes) -> Self:
        """The inverse of json.dumps(asdict(info)). Raises ValueError, KeyError or TypeError for anything else."""
        values = json.loads(text)
        lists = {name: tuple(values[name]) for name in ("splits", "processed")}
        return cls(**{each.name: values[each.name] for each in fields(cls)} | lists)


@dataclass(frozen=True)
class Run:
    """A run of a dataset."""

    path: Path
    info: RunInfo

    @property
    def name(self) -> str:
        """What it is called."""
        return self.path.name

    @classmethod
    def open(cls, dataset: Dataset, name: str | None = None) -> Self:
        """The run of that name, or else the newest. Raises DatasetError where there is none."""
        names = run_names(dataset)
        if name is None and not names:
            hint = "Run oidata predict MODEL, or give a file of detections: oidata evaluate FILE."
            raise DatasetError(f"{dataset.path} has no run: nothing was detected on its photos yet.", hint)
        if name is not None and name not in names:
            known = f"It has {', '.join(names)}." if names else "It has none: run oidata predict MODEL."
            raise DatasetError(f"{dataset.path} has no run {name}.", known)
        path = dataset.path / RUNS_NAME / (name or names[-1])
        try:
            text = (path / INFO_NAME).read_bytes()
            check_version(json.loads(text)["schema_version"], path / INFO_NAME)
            return cls(path, RunInfo.from_json(text))
        except OSError as error:
            raise StorageError.unread(error, path / INFO_NAME) from error
        except (ValueError, KeyError, TypeError):
            raise DatasetError(f"{path / INFO_NAME} cannot be read.", "Make the run again.") from None

    @classmethod
    def there(cls, dataset: Dataset, name: str) -> Self | None:
        """The run of that name; None where there is none that can be read, so that it can be made again."""
        try:
            return cls.open(dataset, name) if name in run_names(dataset) else None
        except OidataError:
            return None

    @classmethod
    def create(cls, dataset: Dataset, name: str, info: RunInfo, detections: pd.DataFrame, config: str | None) -> Self:
        """Write a run anew; `config` is the text of its pipeline config. What was judged of an old one is removed."""
        path = run_path(dataset, name)
        files.make_directory(path)
        for old in (INFO_NAME, EVALUATION_NAME, REPORT_NAME, CONFIG_NAME, table_path(path, FAILURES).name):
            files.remove(path / old)
        if config is not None:
            files.write_text(path / CONFIG_NAME, config)
        write_table(path, DETECTIONS, detections)
        files.write_text(path / INFO_NAME, files.json_text(asdict(info)))
        return cls(path, info)

    @property
    def config_path(self) -> Path:
        """Where the config of the model is, if one was given."""
        return self.path / CONFIG_NAME

    @property
    def page_path(self) -> Path:
        """Where the page of the last evaluation is, if there was one."""
        return self.path / REPORT_NAME

    def detections(self) -> pd.DataFrame:
        """DETECTIONS."""
        return self._read(DETECTIONS, "predict")

    def failures(self) -> pd.DataFrame:
        """FAILURES, as the last evaluation found them."""
        return self._read(FAILURES, "evaluate")

    def evaluation(self) -> dict[str, Any] | None:
        """evaluation.json; None where the run was not evaluated yet, or the file cannot be read."""
        try:
            found: dict[str, Any] = json.loads((self.path / EVALUATION_NAME).read_bytes())
        except (OSError, ValueError):
            return None
        return found

    def hashes(self) -> dict[str, str]:
        """The SHA-256 of the detections, by file name: what an evaluation was made from."""
        path = table_path(self.path, DETECTIONS)
        return {path.name: sha256_of(path.read_bytes())}

    def write_evaluation(self, report: object, failures: pd.DataFrame, html: str) -> None:
        """Replace what `oidata evaluate` derives: failures.parquet, evaluation.json, and report.html last.

        Raises DatasetError where another process writes into the run, since files of two must not be mixed.
        """
        with files.locked(self.path):
            files.remove(self.path / EVALUATION_NAME)  # it says what the table was made from
            write_table(self.path, FAILURES, failures)
            files.write_text(self.path / EVALUATION_NAME, files.json_text(report))
            files.write_text(self.page_path, html)

    def _read(self, schema: Schema, verb: str) -> pd.DataFrame:
        try:
            return read_table(self.path, schema)
        except FileNotFoundError:
            message = f"{self.path} has no {schema.name}.parquet."
            raise DatasetError(message, f"Run oidata {verb} again.") from None


def run_name(stem: str) -> str:
    """What a run is called after a file of that name: what a name of a run cannot hold becomes _."""
    return re.sub(r"^\W+|[^\w.+-]+", "_", stem)


def run_path(dataset: Dataset, name: str) -> Path:
    """Where a run of that name is, or would be. Raises UsageError for what is no name of a directory."""
    if not re.fullmatch(_NAME, name):
        raise UsageError(f"--run {name!r} is no name for a run.", "Take letters, digits, and . _ + - between them.")
    return dataset.path / RUNS_NAME / name


def run_names(dataset: Dataset) -> list[str]:
    """The names of all runs that are whole, the newest last."""
    found = [path.parent for path in (dataset.path / RUNS_NAME).glob(f"*/{INFO_NAME}")]
    return [path.name for path in sorted(found, key=lambda path: ((path / INFO_NAME).stat().st_mtime_ns, path.name))]
