"""TFLite models: with TFLite_Detection_PostProcess inside, or with the raw outputs of an SSD."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from oidata.core.detector import Detector as SsdParts
from oidata.core.detector import Resizer
from oidata.core.postprocessing import PostProcessing, RawDetections
from oidata.core.preprocessing import Normaliser, Preprocessing
from oidata.errors import ConfigError, ModelError, StorageError
from oidata.io.executor import num_cores
from oidata.io.lite_outputs import BOXES, CLASSES, COUNT, ENCODINGS, PREDICTIONS, RAW, SCORES, Tensor, bind
from oidata.io.model_photos import ahead, decode
from oidata.io.quiet import silence, tensorflow

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from oidata.core.pipeline import PipelineConfig

    Outputs = Mapping[str, NDArray[np.float32]]
    Window = tuple[float, float]
    Finish = Callable[[Outputs, Window], RawDetections]


@dataclass(frozen=True)
class LiteDetector:
    """A TFLite model that is ready to run; one photo at a time, while the next ones are decoded."""

    interpreter: Any
    input: Tensor
    outputs: Mapping[str, Tensor]
    prepare: Callable[[NDArray[np.uint8]], tuple[NDArray[np.float32], Window]]
    finish: Finish

    @classmethod
    def load(cls, path: Path, config: PipelineConfig | None) -> LiteDetector:
        """Read and try a model; for the errors see `open_model`."""
        tensorflow()
        interpreter = _interpreter(path)
        taken = _input(interpreter, path)
        prepare = _prepare(taken, config, path)
        blank, _ = prepare(np.full((2, 2, 3), 127, np.uint8))
        outputs, values = _tried(interpreter, taken, blank, path)
        finish = _finish_raw(values, config, path) if outputs.keys() == RAW else _finish
        return cls(interpreter, taken, outputs, prepare, finish)

    def detect(self, photos: Sequence[bytes]) -> list[RawDetections]:
        """What the model finds in each photo; see `Detector`."""
        return [self._detected(*prepared) for prepared in ahead(self._prepared, photos)]

    def _prepared(self, photo: bytes) -> tuple[NDArray[np.float32], Window]:
        return self.prepare(decode(photo))

    def _detected(self, values: NDArray[np.float32], window: Window) -> RawDetections:
        _run(self.interpreter, self.input, values)
        found = {role: _read(self.interpreter, output)[0] for role, output in self.outputs.items()}
        return self.finish(found, window)


def _interpreter(path: Path) -> Any:  # noqa: ANN401 - a module without types
    try:
        content = path.read_bytes()
    except OSError as error:
        raise StorageError(f"Cannot read {path}: {error.strerror}.", "Check its permissions.") from error
    with silence():
        from ai_edge_litert.interpreter import Interpreter

        try:
            interpreter = Interpreter(model_content=content, num_threads=num_cores())
            interpreter.allocate_tensors()
        except (ValueError, RuntimeError) as error:
            reason = str(error).partition("\n")[0].rstrip(".")
            raise ModelError(f"{path} cannot be run: {reason}.", "Convert the model again.") from error
    return interpreter


def _input(interpreter: Any, path: Path) -> Tensor:  # noqa: ANN401 - a module without types
    tensors = [Tensor.of(details) for details in interpreter.get_input_details()]
    match [tensor.shape for tensor in tensors]:
        case [(1, height, width, 3)] if height > 1 and width > 1:
            return tensors[0]
    fault = f"{path} takes {', '.join(map(str, tensors)) or 'nothing'}, and not one photo of three channels."
    raise ModelError(fault, "Export a detector with an input of 1 × height × width × 3.")


def _prepare(
    taken: Tensor, config: PipelineConfig | None, path: Path
) -> Callable[[NDArray[np.uint8]], tuple[NDArray[np.float32], Window]]:
    """How a photo becomes the input `taken`: as the config says, else squashed, in [-1, 1] as TFOD's MobileNets."""
    height, width = taken.shape[1:3]
    preprocessing = Preprocessing.of(config) if config else Preprocessing(Resizer(height, width), Normaliser())
    resizer = preprocessing.resizer
    size = (resizer.height or resizer.max_dimension, resizer.width or resizer.max_dimension)
    if config and (not resizer.is_fixed or size != (height, width)):
        made = f"{size[0]} × {size[1]} px" if resizer.is_fixed else "many sizes"
        fault = f"{path} takes photos of {height} × {width} px, and {config.name} makes them of {made}."
        raise ConfigError(fault, "Give the config that the model was trained with.")
    if not (taken.is_float or taken.scale):  # pixels, which the model itself normalises
        return Preprocessing(resizer, Normaliser(1.0, (0.0, 0.0, 0.0))).prepared
    return preprocessing.prepared


def _run(interpreter: Any, taken: Tensor, values: NDArray[np.float32]) -> None:  # noqa: ANN401 - without types
    interpreter.set_tensor(taken.index, taken.stored(values)[None])
    interpreter.invoke()


def _read(interpreter: Any, output: Tensor) -> NDArray[np.float32]:  # noqa: ANN401 - a module without types
    return output.real(interpreter.get_tensor(output.index))


def _tried(
    interpreter: Any,  # noqa: ANN401 - a module without types
    taken: Tensor,
    values: NDArray[np.float32],
    path: Path,
) -> tuple[dict[str, Tensor], Outputs]:
    """The outputs by what they are, and what they are for the input `values`, without the batch's dimension."""
    _run(interpreter, taken, values)
    tensors = [Tensor.of(details) for details in interpreter.get_output_details()]
    outputs = bind(tensors, [_read(interpreter, each) for each in tensors])
    if not outputs:
        fault = f"{path} is no detector that can be read: its outputs are {', '.join(map(str, tensors)) or 'none'}."
        hint = "Read are the four of TFLite_Detection_PostProcess, or box encodings and class predictions."
        raise ModelError(fault, hint)
    return outputs, {role: _read(interpreter, each)[0] for role, each in outputs.items()}


def _finish(outputs: Outputs, window: Window) -> RawDetections:
    """Detections of TFLite_Detection_PostProcess: ymin first, classes from 0, without background.

    As tensorflow/lite/kernels/detection_postprocess.cc, which clips nothing.
    """
    limits: NDArray[np.float32] = np.array(window * 2, np.float32)
    boxes = outputs[BOXES][:, [1, 0, 3, 2]] / limits
    # Whole numbers, unless they are quantised like all else.
    class_ids, count = np.round(outputs[CLASSES]).astype(np.int64) + 1, round(float(outputs[COUNT]))
    return RawDetections(boxes, outputs[SCORES], class_ids)[:count]


def _finish_raw(tried: Outputs, config: PipelineConfig | None, path: Path) -> Finish:
    """How the raw outputs of a model become detections. Raises ConfigError for a config that does not fit them."""
    if config is None:
        fault = f"{path} has raw outputs: its anchors, box coder and suppression are in its pipeline config."
        raise ConfigError(fault, "Give the config that the model was trained with: --config.")
    post = PostProcessing.of(config)
    predictions = tried[PREDICTIONS]
    anchors = _anchors(config)
    for name, ours, theirs in (
        ("anchors", len(anchors), predictions.shape[0]),
        ("classes with background", post.num_columns, predictions.shape[1]),
    ):
        if ours != theirs:
            fault = f"{path} has {theirs} {name}, and {config.name} has {ours}."
            raise ConfigError(fault, "Give the config that the model was trained with.")
    # TFOD's exporters convert the scores, others leave that to the reader: no logits of a whole photo lie in [0, 1].
    is_converted = bool(((predictions >= 0) & (predictions <= 1)).all())

    def finish(outputs: Outputs, window: Window) -> RawDetections:
        scores = outputs[PREDICTIONS] if is_converted else post.scores(outputs[PREDICTIONS])
        return post.detections(outputs[ENCODINGS], scores, anchors, window)

    return finish


def _anchors(config: PipelineConfig) -> NDArray[np.float32]:
    """The anchors (A, 4) of a config whose inputs are all of one size."""
    parts = SsdParts.of(config)
    place = parts.resizer.placement(1, 1)
    return parts.grid_for(int(place.height_px), int(place.width_px)).boxes()
