"""TFLite models: with TFLite_Detection_PostProcess inside, or with the raw outputs of an SSD."""

from __future__ import annotations

from collections import deque
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from oidata.core.matcher.detector import Detector as SsdParts
from oidata.core.matcher.detector import Resizer
from oidata.core.prediction.postprocessing import PostProcessing, RawDetections
from oidata.core.prediction.preprocessing import Normaliser, Preprocessing
from oidata.errors import ConfigError, ModelError, StorageError
from oidata.io.lite_outputs import BOXES, CLASSES, COUNT, ENCODINGS, PREDICTIONS, RAW, SCORES, Tensor, bind
from oidata.io.model_photos import decoded, resize
from oidata.io.quiet import silence, tensorflow

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from numpy.typing import NDArray

    from oidata.core.config.pipeline import PipelineConfig

    Outputs = Mapping[str, NDArray[np.float32]]
    Window = tuple[float, float]
    Finish = Callable[[Outputs, Window], RawDetections]


@dataclass(frozen=True)
class LiteDetector:
    """A TFLite model that is ready to run, by an interpreter for each photo that is under way.

    Interpreters of one thread each, several at once, take less time than one that shares every layer among cores.
    """

    config: PipelineConfig | None
    num_classes: int | None
    interpreters: _Interpreters
    input: Tensor
    outputs: Mapping[str, Tensor]
    prepare: Callable[[NDArray[np.uint8]], tuple[NDArray[np.float32], Window]]
    finish: Finish

    @classmethod
    def load(
        cls,
        path: Path,
        config: PipelineConfig | None,
        fallback: Callable[[], PipelineConfig | None],
        score_threshold: float,
    ) -> LiteDetector:
        """Read and try a model; for arguments and errors see `open_model`."""
        tensorflow()
        interpreters = _Interpreters.of(path)
        with silence(), interpreters.one() as interpreter:  # the first of a process logs that it was made
            taken = _input(interpreter, path)
            blank, _ = _prepare(taken, config, path)(np.full((2, 2, 3), 127, np.uint8))
            outputs, tried = _tried(interpreter, taken, blank, path)
        num_classes: int | None = None
        finish: Finish = _finish
        if outputs.keys() == RAW:
            config = config or fallback()
            num_classes, finish = _finish_raw(tried, config, path, score_threshold)
        return cls(config, num_classes, interpreters, taken, outputs, _prepare(taken, config, path), finish)

    def detect(self, photo: bytes) -> RawDetections:
        """What the model finds in a photo; see `oidata.io.models.Detector`."""
        values, window = self.prepare(decoded(photo))
        with self.interpreters.one() as interpreter:
            found = _found(interpreter, self.input, self.outputs, values)
        return self.finish(found, window)


@dataclass(frozen=True)
class _Interpreters:
    """Interpreters of one model, made when they are asked for: as many as are used at once."""

    path: Path
    content: bytes
    idle: deque[Any] = field(default_factory=deque)

    @classmethod
    def of(cls, path: Path) -> _Interpreters:
        """Those of the model at `path`. Raises StorageError."""
        try:
            return cls(path, path.read_bytes())
        except OSError as error:
            raise StorageError.unread(error, path) from error

    @contextmanager
    def one(self) -> Iterator[Any]:
        """An interpreter that nobody else uses in the block. Raises ModelError."""
        try:
            interpreter = self.idle.pop()
        except IndexError:
            interpreter = self._another()
        try:
            yield interpreter
        finally:
            self.idle.append(interpreter)

    def _another(self) -> Any:  # noqa: ANN401 - a module without types
        from ai_edge_litert.interpreter import Interpreter

        try:
            interpreter = Interpreter(model_content=self.content, num_threads=1)
            interpreter.allocate_tensors()
        except (ValueError, RuntimeError) as error:
            reason = str(error).partition("\n")[0].rstrip(".")
            raise ModelError(f"{self.path} cannot be run: {reason}.", "Convert the model again.") from error
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
        preprocessing = Preprocessing(resizer, Normaliser(1.0, (0.0, 0.0, 0.0)))
    return partial(preprocessing.prepared, resize=resize)


def _run(interpreter: Any, taken: Tensor, values: NDArray[np.float32]) -> None:  # noqa: ANN401 - without types
    interpreter.set_tensor(taken.index, taken.stored(values)[None])
    interpreter.invoke()


def _read(interpreter: Any, output: Tensor) -> NDArray[np.float32]:  # noqa: ANN401 - a module without types
    return output.real(interpreter.get_tensor(output.index))


def _found(
    interpreter: Any,  # noqa: ANN401 - a module without types
    taken: Tensor,
    outputs: Mapping[str, Tensor],
    values: NDArray[np.float32],
) -> Outputs:
    """What the outputs are for the input `values`, without the batch's dimension."""
    _run(interpreter, taken, values)
    return {role: _read(interpreter, output)[0] for role, output in outputs.items()}


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


def _finish_raw(
    tried: Outputs, config: PipelineConfig | None, path: Path, score_threshold: float
) -> tuple[int, Finish]:
    """How many classes a model with raw outputs has, and how these become detections.

    Raises ConfigError for a config that does not fit them.
    """
    if config is None:
        fault = f"{path} has raw outputs: its anchors, box coder and suppression are in its pipeline config."
        raise ConfigError(fault, "Give the config that the model was trained with: --config.")
    post = PostProcessing.of(config).above(score_threshold)
    predictions = tried[PREDICTIONS]
    anchors = _anchors(config)
    for name, ours, theirs in (
        ("anchors", len(anchors), predictions.shape[0]),
        ("classes with background", post.num_columns, predictions.shape[1]),
    ):
        if ours != theirs:
            fault = f"{path} has {theirs} {name}, and {config.name} has {ours}."
            raise ConfigError(fault, "Give the config that the model was trained with: --config.")
    # TFOD's exporters convert the scores, others leave that to the reader: no logits of a whole photo lie in [0, 1].
    is_converted = bool(((predictions >= 0) & (predictions <= 1)).all())

    def finish(outputs: Outputs, window: Window) -> RawDetections:
        scores = outputs[PREDICTIONS] if is_converted else post.scores(outputs[PREDICTIONS])
        return post.detections(outputs[ENCODINGS], scores, anchors, window)

    return post.num_classes, finish


def _anchors(config: PipelineConfig) -> NDArray[np.float32]:
    """The anchors (A, 4) of a config whose inputs are all of one size."""
    parts = SsdParts.of(config)
    place = parts.resizer.placement(1, 1)
    return parts.grid_for(int(place.height_px), int(place.width_px)).boxes()
