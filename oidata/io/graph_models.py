"""SavedModels and frozen graphs, as TFOD exports them from TF1 and TF2: photos in, detections out."""

from __future__ import annotations

from dataclasses import dataclass, field
from threading import Lock
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from oidata.core.prediction.postprocessing import RawDetections
from oidata.errors import ModelError, PhotoError
from oidata.io.model_photos import decoded
from oidata.io.quiet import silence, tensorflow

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

# DetectionResultFields of TFOD's core/standard_fields.py. Classes are from 1 (label_id_offset of exporter.py).
_BOXES, _SCORES, _CLASSES, _COUNT = OUTPUTS = (
    *("detection_boxes", "detection_scores", "detection_classes", "num_detections"),
)
_SIGNATURE: Final = "serving_default"
# Of the inputs in exporter.py the one that is no photo. TF2 exports do not tell it from a JPEG.
_EXAMPLE: Final = "tf_example"


@dataclass(frozen=True)
class GraphDetector:
    """A model that TensorFlow runs, by all cores for one photo at a time.

    `run` takes a batch of one, pixels of the type `dtype` (uint8 or float32) or, if that is string, JPEGs.
    """

    run: Callable[[Any], Mapping[str, Any]]
    dtype: Any
    path: Path
    lock: Lock = field(default_factory=Lock)

    @classmethod
    def of_saved_model(cls, path: Path) -> GraphDetector:
        """Read a SavedModel of TF1 or TF2; for the errors see `open_model`."""
        tf = tensorflow()
        try:
            with silence():
                model = tf.saved_model.load(str(path))
        except (OSError, ValueError, tf.errors.OpError) as error:
            raise _unreadable(path, error) from error
        if _SIGNATURE not in model.signatures:
            listed = ", ".join(model.signatures) or "none"
            fault = f"{path} has no signature {_SIGNATURE}: its signatures are {listed}."
            raise ModelError(fault, "Export it with TFOD's exporter.")
        function = model.signatures[_SIGNATURE]
        _check_outputs(list(function.structured_outputs), path)
        inputs = function.structured_input_signature[1]
        _check_input([tensor.op.name for tensor in function.inputs[: len(inputs)]], path)
        ((name, spec),) = inputs.items()
        return cls(lambda batch: function(**{name: batch}), spec.dtype, path)

    @classmethod
    def of_frozen_graph(cls, path: Path) -> GraphDetector:
        """Read a frozen_inference_graph.pb of TF1; for the errors see `open_model`."""
        tf = tensorflow()
        graph = tf.compat.v1.GraphDef()
        try:
            graph.ParseFromString(path.read_bytes())
            with silence():
                wrapped = tf.compat.v1.wrap_function(lambda: tf.import_graph_def(graph, name=""), [])
        except Exception as error:  # protobuf's and the importer's errors have no common base
            raise _unreadable(path, error) from error
        names = {node.name for node in graph.node}
        _check_outputs([name for name in OUTPUTS if name in names] or _ends(graph), path)
        inputs = [node.name for node in graph.node if node.op == "Placeholder"]
        _check_input(inputs, path)
        feed = wrapped.graph.get_tensor_by_name(f"{inputs[0]}:0")
        fetches = {name: wrapped.graph.get_tensor_by_name(f"{name}:0") for name in OUTPUTS}
        return cls(wrapped.prune(feed, fetches), feed.dtype, path)

    @property
    def config(self) -> None:
        """All is in the graph."""

    @property
    def num_classes(self) -> None:
        """Exports do not say."""

    def detect(self, photo: bytes) -> RawDetections:
        """What the model finds in a photo; see `oidata.io.models.Detector`."""
        batch = self._batch(photo)
        with self.lock:
            return self._detected(batch)

    def _batch(self, photo: bytes) -> Any:  # noqa: ANN401 - a module without types
        tf = tensorflow()
        if self.dtype == tf.string:
            return tf.constant([photo])
        return tf.cast(tf.expand_dims(decoded(photo), 0), self.dtype)

    def _detected(self, batch: Any) -> RawDetections:  # noqa: ANN401 - a module without types
        tf = tensorflow()
        try:
            outputs = self.run(batch)
            found = {name: outputs[name].numpy()[0] for name in OUTPUTS}
        except tf.errors.OpError as error:
            raise PhotoError(f"{self.path} does not take the photo: {_reason(error)}") from error
        boxes, class_ids = found[_BOXES][:, [1, 0, 3, 2]], np.round(found[_CLASSES]).astype(np.int64)
        return RawDetections(boxes, found[_SCORES], class_ids)[: round(float(found[_COUNT]))]


def _check_outputs(names: Sequence[str], path: Path) -> None:
    if not set(OUTPUTS) <= set(names):
        fault = f"{path} is no detector that can be read: its outputs are {', '.join(names) or 'none'}."
        raise ModelError(fault, f"Read are {', '.join(OUTPUTS)}, as TFOD exports them.")


def _check_input(names: Sequence[str], path: Path) -> None:
    """Raise ModelError unless there is one input, a photo."""
    if len(names) != 1 or names[0] == _EXAMPLE:
        fault = f"{path} takes {', '.join(names) or 'nothing'}, and not one photo."
        raise ModelError(fault, "Export it with --input_type image_tensor.")


def _ends(graph: Any) -> list[str]:  # noqa: ANN401 - a module without types
    """The nodes of a graph that no other takes: its outputs."""
    taken = {name.lstrip("^").partition(":")[0] for node in graph.node for name in node.input}
    return [node.name for node in graph.node if node.name not in taken]


def _unreadable(path: Path, error: Exception) -> ModelError:
    return ModelError(f"{path} cannot be read: {_reason(error)}.", "Export the model again.")


def _reason(error: Exception) -> str:
    return str(error).partition("\n")[0].rstrip(".") or type(error).__name__
