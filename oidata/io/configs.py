"""Pipeline configs: files of the user's, and the reference configs that the package carries."""

from __future__ import annotations

import glob
import re
from functools import cache
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING

from oidata import sample
from oidata.core.config.pipeline import PipelineConfig
from oidata.core.config.pipeline_pb2 import StringIntLabelMap
from oidata.core.config.prototext import merge
from oidata.errors import ConfigError

if TYPE_CHECKING:
    from oidata.core.config.pipeline_pb2 import InputReader

# Configs of tensorflow/models that a user of SSD MobileNet V2 may have begun with; each file names its own.
REFERENCE_NAMES = (
    "ssd_mobilenet_v2_coco",
    "ssd_mobilenet_v2_coco_2018",
    "ssd_mobilenet_v2_quantized_300x300_coco",
    "ssd_mobilenet_v2_oid_v4",
    "ssd_mobilenet_v2_320x320",
    "ssd_mobilenet_v2_fpnlite_320x320",
)
DEFAULT_NAME = "ssd_mobilenet_v2_coco"

CONFIG_NAME = "pipeline.config"
"""What TFOD calls the config beside a model or shards, and oidata that of a dataset or run."""

SUFFIX = ".config"
COMMON_PREFIX = "ssd_mobilenet_v2_"

# Configs have 3 to 10 kB. More than this is another file, and would take long to be refused.
MAX_BYTES = 1 << 20


def read_config(name_or_path: str | Path) -> PipelineConfig:
    """A reference config by name, else the config in a file.

    A name may lack what they all begin with: `oid_v4`; `sample:` is the config of the sample's SSD. A name comes before
    a file of the same name, unless it is given as a Path. Raises ConfigError where there is neither, or the file is no
    pipeline config.
    """
    if name_or_path == sample.NAME:
        return PipelineConfig.parse(read_text(sample.CONFIG, "pipeline config"), sample.NAME)
    if isinstance(name_or_path, str) and (name := _reference_name(name_or_path)):
        return _reference(name)
    return _of_file(Path(name_or_path))


def references() -> tuple[PipelineConfig, ...]:
    """All reference configs, in the order of REFERENCE_NAMES."""
    return tuple(_reference(name) for name in REFERENCE_NAMES)


def unread_paths(config: PipelineConfig) -> tuple[str, ...]:
    """The local input paths of a config, shards and label maps, that no file is at; URLs are not looked up."""
    readers = _readers(config)
    is_there = {path: _is_any(path) for reader in readers for path in reader.tf_record_input_reader.input_path}
    is_there |= {reader.label_map_path: Path(reader.label_map_path).is_file() for reader in readers}
    return tuple(path for path, is_read in is_there.items() if path.startswith("/") and not is_read)


def label_maps(config: PipelineConfig) -> dict[str, dict[int, str]]:
    """By path, what the config's label maps call each id (name, else display_name), of those that are local and there.

    Raises ConfigError for one that is no label map.
    """
    paths = dict.fromkeys(reader.label_map_path for reader in _readers(config))
    return {path: _label_map(path) for path in paths if path.startswith("/") and Path(path).is_file()}


def _label_map(path: str) -> dict[int, str]:
    message = StringIntLabelMap()
    merge(read_text(Path(path), "label map"), message, path)
    return {item.id: item.name or item.display_name for item in message.item}


def _readers(config: PipelineConfig) -> tuple[InputReader, ...]:
    return (config.message.train_input_reader, *config.message.eval_input_reader)


def _is_any(pattern: str) -> bool:
    """Whether a file is there by a pattern of tf.io.gfile.glob, where a backslash takes a character literally."""
    return any(glob.iglob(re.sub(r"\\(.)", lambda escaped: glob.escape(escaped[1]), pattern)))  # noqa: PTH207 - of strings


def _reference_name(name: str) -> str:
    candidates = (name, f"{COMMON_PREFIX}{name}")
    return next((candidate for candidate in candidates if candidate in REFERENCE_NAMES), "")


@cache
def _reference(name: str) -> PipelineConfig:
    text = resources.files("oidata.configs").joinpath(name + SUFFIX).read_text(encoding="utf-8")
    return PipelineConfig.parse(text, name)


def _of_file(path: Path) -> PipelineConfig:
    try:
        text = read_text(path, "pipeline.config")
    except FileNotFoundError:
        hint = f"Give a file, or one of the references {', '.join(REFERENCE_NAMES)}."
        raise ConfigError(f"{path} is neither a file nor a reference config.", hint) from None
    return PipelineConfig.parse(text, str(path))


def read_text(path: Path, kind: str) -> str:
    """The text of a small file, which is to be a `kind`. FileNotFoundError is for the caller to tell.

    Raises ConfigError for one that is too large, no text, or that cannot be read.
    """
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise ConfigError(f"Cannot read {path}: {error.strerror}.", f"Give the path of a {kind}.") from error
    if len(data) > MAX_BYTES:
        raise ConfigError(f"{path} has more than {MAX_BYTES:,} bytes.", f"Give the path of a {kind}.")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        fault = f"{path} is not text in UTF-8: byte {error.start} is {data[error.start]:#04x}."
        raise ConfigError(fault, f"Save the {kind} as UTF-8.") from None
