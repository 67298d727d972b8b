"""The config that a run is judged by, and what its anchors make of the ground truth."""

from __future__ import annotations

from typing import TYPE_CHECKING

from oidata.core.auditing.anchor_numbers import anchor_numbers
from oidata.core.statistics import placed
from oidata.errors import ConfigError
from oidata.io.configs import CONFIG_NAME, DEFAULT_NAME, REFERENCE_NAMES, read_config
from oidata.io.photos import sha256_of

if TYPE_CHECKING:
    from pathlib import Path

    from oidata.core.auditing.anchor_numbers import AnchorNumbers
    from oidata.core.config.pipeline import PipelineConfig
    from oidata.core.statistics import Cells
    from oidata.core.tables import Tables
    from oidata.dataset import Dataset
    from oidata.runs import Run

ORIGINS = {
    "given": "",
    "run": " (of the run)",
    "dataset": " (of the dataset)",
    "reference": " (a reference config, since none was given: name yours with --config)",
}
"""Where a config comes from, and how to say so behind its name."""


def config_of(dataset: Dataset, run: Run | None, given: str | Path | None = None) -> tuple[PipelineConfig, str]:
    """The config `given`, else that of the run, else that of the dataset, else the default; and which of ORIGINS."""
    if given is not None:
        return read_config(given), "given"
    paths = {"run": run.config_path if run else None, "dataset": dataset.config_path}
    for origin, path in paths.items():
        if path and path.is_file():
            return read_config(path), origin
    return read_config(DEFAULT_NAME), "reference"


def hash_of(config: PipelineConfig) -> dict[str, str]:
    """The SHA-256 of a config that something is made from, by its name if it is a reference, else by CONFIG_NAME."""
    name = config.name if config.name in REFERENCE_NAMES else CONFIG_NAME
    return {name: sha256_of(config.text.encode())}


def anchors_of(
    dataset: Dataset, tables: Tables, cells: Cells, config: PipelineConfig, *, count_stripped: bool = False
) -> tuple[AnchorNumbers | None, tuple[str, ...]]:
    """What a config's anchors make of the boxes that train, the audit's numbers where they are fresh; else why not.

    With `count_stripped` stripped boxes are taken for some that train.
    """
    if config.architecture != "ssd":
        return None, (f"Anchors: {config.name} is a config of {config.architecture or 'no model'}, not of an SSD.",)
    truth = placed(tables.images, tables.boxes)
    trains = truth["is_usable"] & (truth["stripped"].isna() | count_stripped)
    truth = truth[trains & (cells.codes(truth) >= 0)].reset_index(drop=True)
    audited = None if count_stripped else dataset.audited_boxes(config)
    is_fresh = audited is not None and truth["box_id"].isin(audited["box_id"]).all()
    try:
        return anchor_numbers(config, truth, audited if is_fresh else None), ()
    except ConfigError as error:
        return None, (f"Anchors: not looked at. {error.message}",)
