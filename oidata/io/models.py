"""Trained detectors, in the formats that TFOD exports them to."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from oidata.errors import ModelError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from oidata.core.pipeline import PipelineConfig
    from oidata.core.postprocessing import RawDetections


class Detector(Protocol):
    """A trained model that is ready to run."""

    def detect(self, photos: Sequence[bytes]) -> list[RawDetections]:
        """What it finds in each of `photos`, JPEGs, whose pixels are taken as stored, whatever their EXIF orientation.

        Raises PhotoError for bytes that TensorFlow does not decode.
        """


def open_model(path: str | Path, config: PipelineConfig | None = None) -> Detector:
    """The detector at `path`.

    That is a .tflite file, a frozen graph (.pb), a SavedModel directory, or a directory of TFOD's that has one as
    `saved_model`. `config` is the pipeline config that the model was trained with: TFLite needs it for a model without
    TFLite_Detection_PostProcess (anchors, box coder, suppression), and where the photos are not simply squashed to an
    input in [-1, 1]; the other formats have all of that in their graphs. Raises ModelError for a file that is no model
    of these, and for a model that is no detector, with its outputs; ConfigError for a config that does not fit.
    """
    path = Path(path)
    if path.suffix == ".tflite" and path.is_file():
        from oidata.io.lite_models import LiteDetector

        return LiteDetector.load(path, config)
    if path.suffix == ".pb" and path.is_file() and path.stem != "saved_model":
        from oidata.io.graph_models import GraphDetector

        return GraphDetector.of_frozen_graph(path)
    for directory in (path, path / "saved_model", path.parent):
        if (directory / "saved_model.pb").is_file():
            from oidata.io.graph_models import GraphDetector

            return GraphDetector.of_saved_model(directory)
    fault = "is no SavedModel, frozen graph (.pb) or TFLite model" if path.exists() else "does not exist"
    hint = "Give the directory that TFOD exported to, frozen_inference_graph.pb, or a .tflite file."
    raise ModelError(f"The model {path} {fault}.", hint)
