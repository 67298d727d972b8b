"""The dataset directory: the one thing that passes state from a verb to the next.

dataset.json        what was asked for, of which release and source; marks the directory as a dataset
images.parquet      one row per photo          (oidata.core.tables.IMAGES)
boxes.parquet       one row per ground-truth box                 (BOXES)
labels.parquet      one row per verified image label             (LABELS)
manifest.tsv        split/image_id, SHA-256 and size of every photo that is there
ATTRIBUTION.csv     author, licence and landing page of every photo that is there
images/SPLIT/ID.jpg the photos, byte for byte as served
pipeline.config     the config last given with --config
corrections.parquet what `oidata inspect --pull` corrected      (CORRECTIONS)
audit/              report.html, report.json, boxes.parquet (AUDIT_BOXES), duplicates.parquet (DUPLICATES)
shards/             train.record-00000-of-00010 …, label_map.pbtxt, shards.json, pipeline.config filled in
runs/NAME/          what a trained model detects                 (oidata.runs)
"""

from __future__ import annotations

import csv
import io
import json
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, Self

from oidata import __version__
from oidata.core.auditing.duplicates import DUPLICATES
from oidata.core.labels import Label, LabelMap
from oidata.core.release.selection import splits_of
from oidata.core.tables import AUDIT_BOXES, BOXES, IMAGES, LABELS, SCHEMA_VERSION, check
from oidata.core.viewing.corrections import CORRECTIONS
from oidata.errors import DatasetError, StorageError, TableError, UsageError
from oidata.io import files
from oidata.io.configs import CONFIG_NAME
from oidata.io.label_maps import LABEL_MAP_NAME
from oidata.io.photos import sha256_of
from oidata.io.releases import photo
from oidata.io.tables import check_version, read_table, table_path, write_table

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    import pandas as pd

    from oidata.core.config.pipeline import PipelineConfig
    from oidata.core.tables import Schema, Tables

INFO_NAME = "dataset.json"
MANIFEST_NAME = "manifest.tsv"
ATTRIBUTION_NAME = "ATTRIBUTION.csv"
AUDIT_NAME = "audit"
AUDIT_REPORT_NAME = "report.json"
AUDIT_PAGE_NAME = "report.html"
SHARDS_NAME = "shards"
_ATTRIBUTION_COLUMNS = ("author", "author_url", "license", "title", "landing_url")


@dataclass(frozen=True)
class DatasetInfo:
    """What a dataset is made of: everything that decides its rows. Classes stand in the order of their ids.

    `ancestors` are, for each class that has any, those of the classes that it is a kind of (a Lemon is a Fruit); None
    where the release's hierarchy was not at hand.
    """

    release: str
    source: str
    classes: LabelMap
    splits: tuple[str, ...]
    options: dict[str, Any] = field(default_factory=dict)
    ancestors: dict[str, list[str]] | None = None
    schema_version: int = SCHEMA_VERSION
    oidata_version: str = __version__

    def to_json(self) -> str:
        """As dataset.json holds it."""
        classes = [{"id": i, **asdict(label)} for i, label in enumerate(self.classes.labels, start=1)]
        return json.dumps({**vars(self), "classes": classes}, indent=2, ensure_ascii=False) + "\n"

    @classmethod
    def from_json(cls, text: str | bytes) -> DatasetInfo:
        """The inverse of `to_json`. Raises ValueError, KeyError or TypeError for anything else."""
        values = json.loads(text)
        labels = tuple(Label(item["mid"], item["display_name"]) for item in values.pop("classes"))
        splits, options = tuple(values.pop("splits")), dict(values.pop("options"))
        return cls(classes=LabelMap(labels), splits=splits, options=options, **values)


@dataclass(frozen=True)
class Dataset:
    """A dataset directory; its tables are DataFrames of a declared schema, checked when read and when written."""

    path: Path
    info: DatasetInfo

    @classmethod
    def open(cls, path: Path) -> Self:
        """Open an existing dataset.

        Raises DatasetError where there is none, TableError where it has another schema version.
        """
        try:
            text = (path / INFO_NAME).read_bytes()
        except (FileNotFoundError, NotADirectoryError):
            message = f"{path} is no dataset: it has no {INFO_NAME}."
            raise DatasetError(message, "Name one with -d DIR, or make one with: oidata fetch CLASS…") from None
        except OSError as error:
            raise StorageError.unread(error, path / INFO_NAME) from error
        try:
            check_version(json.loads(text)["schema_version"], path / INFO_NAME)
            return cls(path, DatasetInfo.from_json(text))
        except (ValueError, KeyError, TypeError, AttributeError):
            message = f"{path / INFO_NAME} cannot be read."
            raise DatasetError(message, "Restore it, or fetch into a new directory.") from None

    @classmethod
    def exists(cls, path: Path) -> bool:
        """Whether `path` is a dataset, of any version."""
        return (path / INFO_NAME).is_file()

    @classmethod
    def check_free(cls, path: Path) -> None:
        """Raise DatasetError if `path` holds something that is not of a dataset."""
        if path.is_dir() and any(not entry.name.startswith(".") for entry in path.iterdir()):
            raise DatasetError(f"{path} is not empty and no dataset.", "Name a new directory with -d DIR.")

    def splits(self, asked: Sequence[str]) -> tuple[str, ...]:
        """The splits that are asked for, in their order, or else all there are. Raises UsageError for others."""
        chosen = splits_of(asked) if asked else self.info.splits
        if absent := [split for split in chosen if split not in self.info.splits]:
            hint = f"It has {', '.join(self.info.splits)}."
            raise UsageError(f"{self.path} has no split {', '.join(absent)}.", hint)
        return chosen

    def is_begun(self) -> bool:
        """Whether a fetch has got as far as the tables."""
        return any(self._table_path(schema).is_file() for schema in (IMAGES, BOXES, LABELS))

    def has_tables(self) -> bool:
        """Whether all tables are there; one that was lost is taken from the release again."""
        return all(self._table_path(schema).is_file() for schema in (IMAGES, BOXES, LABELS))

    def images(self) -> pd.DataFrame:
        """IMAGES, sorted by split and image_id."""
        return self._read(IMAGES)

    def boxes(self) -> pd.DataFrame:
        """BOXES, in the order of the release."""
        return self._read(BOXES)

    def labels(self) -> pd.DataFrame:
        """LABELS, sorted by split and image_id."""
        return self._read(LABELS)

    def begin(self, tables: Tables) -> None:
        """Write a new dataset's tables. What is missing where this is stopped is mended."""
        files.write_text(self.path / INFO_NAME, self.info.to_json())
        self.write_boxes(tables.boxes)
        self.write_labels(tables.labels)
        self.write_images(tables.images)

    def mend(self, tables: Tables) -> None:
        """Write the tables that are missing; one that is there stays, with what it records."""
        for schema, write, table in (
            (BOXES, self.write_boxes, tables.boxes),
            (LABELS, self.write_labels, tables.labels),
            (IMAGES, self.write_images, tables.images),
        ):
            if not self._table_path(schema).is_file():
                write(table)

    def write_images(self, images: pd.DataFrame) -> None:
        """Replace IMAGES, and with it the manifest and the attribution."""
        check(images, IMAGES)
        there = images[images["status"] == "ok"].sort_values(["split", "image_id"])
        names = there["split"] + "/" + there["image_id"]
        pins = zip(names, there["sha256"], there["size_bytes"], strict=True)
        files.write_text(self.path / MANIFEST_NAME, "".join(f"{name}\t{sha}\t{size}\n" for name, sha, size in pins))
        files.write_text(self.path / ATTRIBUTION_NAME, _attribution(names, there))
        self._write(images, IMAGES)

    def write_boxes(self, boxes: pd.DataFrame) -> None:
        """Replace BOXES."""
        self._write(boxes, BOXES)

    def write_labels(self, labels: pd.DataFrame) -> None:
        """Replace LABELS."""
        self._write(labels, LABELS)

    @property
    def config_path(self) -> Path:
        """Where the pipeline config is that was last given for this dataset, if any."""
        return self.path / CONFIG_NAME

    @property
    def label_map_path(self) -> Path:
        """Where the label map is of the shards in this dataset, if any: that of the models trained on them."""
        return self.path / SHARDS_NAME / LABEL_MAP_NAME

    def write_config(self, text: str) -> None:
        """Replace the dataset's pipeline config."""
        files.write_text(self.config_path, text)

    def hashes(self) -> dict[str, str]:
        """The SHA-256 of the tables by file name: what is derived notes them down before it reads the tables."""
        paths = [self._table_path(schema) for schema in (IMAGES, BOXES, LABELS)]
        return {path.name: sha256_of(path.read_bytes()) for path in paths if path.is_file()}

    def write_audit(self, frames: Mapping[Schema, pd.DataFrame], report: object, html: str) -> None:
        """Replace what `oidata audit` derives: a table for each schema, report.json, and report.html last.

        Raises DatasetError where another audit is doing so, since files of two must not be mixed.
        """
        directory = self.path / AUDIT_NAME
        with files.locked(directory):
            # The report says what the tables were made from: the last one must not speak for new ones.
            files.remove(directory / AUDIT_REPORT_NAME)
            for schema, frame in frames.items():
                self._write(frame, schema, directory)
            files.write_text(directory / AUDIT_REPORT_NAME, files.json_text(report))
            files.write_text(directory / AUDIT_PAGE_NAME, html)

    def duplicates(self) -> pd.DataFrame | None:
        """DUPLICATES, as the last audit found them; None where it cannot be relied on, and a new audit is the remedy.

        It can if it is whole, looked at the photos of all splits (twins of twins are one group, whichever splits they
        are in), and was made from IMAGES as they are now.
        """
        report = self._audit_of(IMAGES)
        if not report.get("photos") or not set(self.info.splits) <= set(report.get("splits", ())):
            return None
        return self._audited(DUPLICATES)

    def audited_boxes(self, config: PipelineConfig) -> pd.DataFrame | None:
        """AUDIT_BOXES, as the last audit found them; None where it was of other tables, or of another config."""
        made_from = self._audit_of(IMAGES, BOXES).get("made_from", {})
        if sha256_of(config.text.encode()) not in {made_from.get(CONFIG_NAME), made_from.get(config.name)}:
            return None
        return self._audited(AUDIT_BOXES)

    def _audit_of(self, *schemas: Schema) -> dict[str, Any]:
        """The report of the last audit, if it was made from these tables as they are now; else nothing."""
        try:
            report: dict[str, Any] = json.loads((self.path / AUDIT_NAME / AUDIT_REPORT_NAME).read_bytes())
            paths = [self._table_path(schema) for schema in schemas]
            is_fresh = all(sha256_of(path.read_bytes()) == report["made_from"][path.name] for path in paths)
        except (OSError, ValueError, KeyError, TypeError):
            return {}
        return report if is_fresh else {}

    def _audited(self, schema: Schema) -> pd.DataFrame | None:
        try:
            return self._read(schema, self.path / AUDIT_NAME)
        except (OSError, DatasetError, TableError):
            return None

    def corrections(self) -> pd.DataFrame:
        """CORRECTIONS; none where nothing was corrected."""
        return self._read(CORRECTIONS) if self._table_path(CORRECTIONS).is_file() else CORRECTIONS.empty()

    def write_corrections(self, corrections: pd.DataFrame) -> None:
        """Replace CORRECTIONS; where there are none, there is no file."""
        if corrections.empty:
            files.remove(self._table_path(CORRECTIONS))
        else:
            self._write(corrections, CORRECTIONS)

    def photo_path(self, split: str, image_id: str) -> Path:
        """Where a photo is, or would be."""
        return self.path / "images" / photo(split, image_id)

    def _read(self, schema: Schema, directory: Path | None = None) -> pd.DataFrame:
        try:
            return read_table(directory or self.path, schema)
        except FileNotFoundError:
            message = f"{self.path} has no {schema.name}.parquet: its fetch did not finish, or the file was lost."
            raise DatasetError(message, "Run the same oidata fetch again.") from None

    def _table_path(self, schema: Schema) -> Path:
        return table_path(self.path, schema)

    def _write(self, frame: pd.DataFrame, schema: Schema, directory: Path | None = None) -> None:
        write_table(directory or self.path, schema, frame)


def _attribution(names: pd.Series, images: pd.DataFrame) -> str:
    text = io.StringIO(newline="")
    # All fields are quoted: titles hold line ends that the csv module would leave bare.
    writer = csv.writer(text, lineterminator="\n", quoting=csv.QUOTE_ALL)
    writer.writerow(("photo", *_ATTRIBUTION_COLUMNS))
    rows = images[list(_ATTRIBUTION_COLUMNS)].fillna("").itertuples(index=False)
    writer.writerows((name, *row) for name, row in zip(names, rows, strict=True))
    return text.getvalue()
