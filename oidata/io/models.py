"""Trained detectors, in the formats that TFOD exports them to."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol

from oidata.errors import ModelError

if TYPE_CHECKING:
    from collections.abc import Callable

    from oidata.core.config.pipeline import PipelineConfig
    from oidata.core.prediction.postprocessing import RawDetections

_SAVED_MODEL: Final = "saved_model.pb"


class Detector(Protocol):
    """A trained model that is ready to run."""

    @property
    def config(self) -> PipelineConfig | None:
        """The pipeline config that it runs by; None where all is in the model."""

    @property
    def num_classes(self) -> int | None:
        """How many classes it tells apart, without background; None where that is not known beforehand."""

    def detect(self, photo: bytes) -> RawDetections:
        """What it finds in a JPEG, whose pixels are taken as stored, whatever its EXIF orientation.

        Threads may call this at once. Raises PhotoError for bytes that TensorFlow does not decode.
        """


def open_model(
    path: str | Path,
    config: PipelineConfig | None = None,
    fallback: Callable[[], PipelineConfig | None] = lambda: None,
    score_threshold: float = 0.0,
) -> Detector:
    """The detector at `path`.

    That is a .tflite file, a frozen graph (.pb), a SavedModel directory, or a directory of TFOD's that has one as
    `saved_model`. `config` is the pipeline config that the model was trained with: TFLite needs it for a model without
    TFLite_Detection_PostProcess (anchors, box coder, suppression), and where the photos are not simply squashed to an
    input in [-1, 1]; the other formats have all of that in their graphs. `fallback` is asked for one where it is needed
    and not given. Detections that do not score above `score_threshold` may be left out, which saves time.

    Raises ModelError for a file that is no model of these, and for a model that is no detector, with its outputs;
    ConfigError for a config that does not fit, or for none where one is needed.
    """
    path = Path(path)
    if path.suffix == ".tflite" and path.is_file():
        from oidata.io.lite_models import LiteDetector

        return LiteDetector.load(path, config, fallback, score_threshold)
    if path.suffix == ".pb" and path.is_file() and path.name != _SAVED_MODEL:
        from oidata.io.graph_models import GraphDetector

        return GraphDetector.of_frozen_graph(path)
    if (directory := saved_model_directory(path)) is not None:
        from oidata.io.graph_models import GraphDetector

        return GraphDetector.of_saved_model(directory)
    fault = "is no SavedModel, frozen graph (.pb) or TFLite model" if path.exists() else "does not exist"
    hint = "Give the directory that TFOD exported to, frozen_inference_graph.pb, or a .tflite file."
    raise ModelError(f"The model {path} {fault}.", hint)


def saved_model_directory(path: Path) -> Path | None:
    """The SavedModel that `path` means: it, `saved_model` in it, or the directory of a saved_model.pb."""
    directories = (path.parent,) if path.name == _SAVED_MODEL else (path, path / "saved_model")
    return next((directory for directory in directories if (directory / _SAVED_MODEL).is_file()), None)


def file_near(model: Path, name: str) -> Path | None:
    """The file of that name that came with a model: in its directory, beside it, or one directory above."""
    place = (saved_model_directory(model) or model).resolve()
    directories = (place, *place.parents[:2])
    return next((path for each in directories if (path := each / name).is_file()), None)


def model_files(path: Path) -> list[Path]:
    """The files that make up the model at `path`, sorted: one, or all of a SavedModel."""
    directory = saved_model_directory(path)
    return [path] if directory is None else sorted(file for file in directory.rglob("*") if file.is_file())
