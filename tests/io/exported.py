"""Small models with the names and signatures of TFOD's exporters, which find what the colour of a photo says.

Red, as a share of full red, is the score of class 1 in the photo's upper left quarter, green that of class 2 in the
lower right one. Blue is never found.
"""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

LITE_PX = 8
NUM_ANCHORS = 2
_POST_PROCESS = {"max_detections": 3, "max_classes_per_detection": 1, "num_classes": 2}
_THRESHOLDS = {"nms_score_threshold": 0.1, "nms_iou_threshold": 0.6}
_SCALES = {"y_scale": 10.0, "x_scale": 10.0, "h_scale": 5.0, "w_scale": 5.0}


def lite_post_processed(directory: Path, *, is_quantised: bool = False) -> bytes:
    """As export_tflite_graph_lib_tf2.py: a function that the converter takes for TFLite_Detection_PostProcess."""
    import tensorflow as tf

    attributes = ['name: "TFLite_Detection_PostProcess"', 'attr { key: "use_regular_nms" value { b: true } }']
    attributes += [f'attr {{ key: "{key}" value {{ i: {value} }} }}' for key, value in _POST_PROCESS.items()]
    attributes += [f'attr {{ key: "{key}" value {{ f: {value} }} }}' for key, value in (_THRESHOLDS | _SCALES).items()]

    @tf.function(experimental_implements=" ".join(attributes))  # type: ignore[untyped-decorator]
    def post_process(encodings: Any, predictions: Any, anchors: Any) -> Any:  # noqa: ARG001 - the op's inputs
        return tuple(tf.constant(0.0, name=name) for name in ("boxes", "scores", "classes", "num_detections"))

    def infer(image: Any) -> Any:
        color = (tf.reduce_mean(image, axis=[1, 2]) + 1) / 2
        red, green = color[:, :1], color[:, 1:2]
        nothing = tf.zeros_like(red)
        first, second = tf.concat([nothing, red, nothing], 1), tf.concat([nothing, nothing, green], 1)
        scores = tf.stack([first, second], 1)
        anchors = tf.constant([[0.25, 0.25, 0.5, 0.5], [0.75, 0.75, 0.5, 0.5]])
        encodings = tf.zeros((1, NUM_ANCHORS, 4)) + 0 * scores[:, :, :1]
        return post_process(encodings, scores, anchors)[::-1]

    return _converted(directory, infer, (1, LITE_PX, LITE_PX, 3), is_quantised=is_quantised)


def lite_raw(directory: Path, size_px: int, predictions: np.ndarray, *, is_quantised: bool = False) -> bytes:
    """Box encodings of 0 and `predictions` (A, C), whatever the photo."""
    import tensorflow as tf

    def infer(image: Any) -> Any:
        nothing = 0 * tf.reduce_mean(image)
        encodings = tf.zeros((1, len(predictions), 4)) + nothing
        return {"raw_outputs/box_encodings": encodings, "predictions": tf.constant(predictions)[None] + nothing}

    return _converted(directory, infer, (1, size_px, size_px, 3), is_quantised=is_quantised)


def lite_classifier(directory: Path) -> bytes:
    """Not a detector."""
    import tensorflow as tf

    return _converted(directory, lambda image: tf.reduce_mean(image, axis=[1, 2]), (1, LITE_PX, LITE_PX, 3))


def saved_model(directory: Path, input_type: str = "image_tensor") -> None:
    """As exporter_lib_v2.py: one photo, as uint8 or float pixels, or encoded."""
    import tensorflow as tf

    specs = {
        "image_tensor": tf.TensorSpec((1, None, None, 3), tf.uint8),
        "float_image_tensor": tf.TensorSpec((1, None, None, 3), tf.float32),
        "encoded_image_string_tensor": tf.TensorSpec((1,), tf.string),
    }

    class Exported(tf.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            self.weight = tf.Variable(1.0)

        @tf.function(input_signature=[specs[input_type]])  # type: ignore[untyped-decorator]
        def __call__(self, input_tensor: Any) -> Any:
            if input_type == "encoded_image_string_tensor":
                input_tensor = tf.map_fn(lambda data: tf.image.decode_image(data, 3), input_tensor, tf.uint8)
            return {name: value * self.weight for name, value in _found(tf, input_tensor).items()}

    module = Exported()
    tf.saved_model.save(module, str(directory), signatures=module.__call__.get_concrete_function())


def tf1_graph(input_type: str = "image_tensor") -> Any:
    """As exporter.py: a placeholder, and detections under their names, in the graph of TF1."""
    import tensorflow as tf

    with tf.Graph().as_default() as graph:
        if input_type == "image_tensor":
            pixels = tf.compat.v1.placeholder(tf.uint8, (None, None, None, 3), name=input_type)
        else:
            encoded = tf.compat.v1.placeholder(tf.string, (None,), name=input_type)
            pixels = tf.map_fn(lambda data: tf.image.decode_image(data, 3), encoded, tf.uint8)
            pixels.set_shape((None, None, None, 3))
        for name, value in _found(tf, pixels).items():
            tf.identity(value, name=name)
    return graph


def tf1_saved_model(directory: Path, input_type: str = "image_tensor") -> None:
    """As write_saved_model of exporter.py: the input is called `inputs`."""
    import tensorflow as tf

    graph = tf1_graph(input_type)
    info, tensor = tf.compat.v1.saved_model.build_tensor_info, graph.get_tensor_by_name
    builder = tf.compat.v1.saved_model.Builder(str(directory))
    with graph.as_default(), tf.compat.v1.Session(graph=graph) as session:
        signature = tf.compat.v1.saved_model.build_signature_def(
            {"inputs": info(tensor(f"{input_type}:0"))},
            {name: info(tensor(f"{name}:0")) for name in _NAMES},
            "tensorflow/serving/predict",
        )
        builder.add_meta_graph_and_variables(session, ["serve"], {"serving_default": signature})
    builder.save()


_NAMES = ("detection_boxes", "detection_scores", "detection_classes", "num_detections")


def _found(tf: Any, pixels: Any) -> dict[str, Any]:
    """Boxes are ymin first; what is behind num_detections is padding. The raw outputs are not for the reader."""
    color = tf.reduce_mean(tf.cast(pixels, tf.float32), axis=[1, 2]) / 255
    nothing = tf.zeros_like(color[:, :1])
    boxes = tf.constant([[[0, 0, 0.5, 0.5], [0.5, 0.5, 1, 1], [0, 0, 0, 0]]], tf.float32)
    return {
        "detection_boxes": boxes + 0 * nothing[:, :, None],
        "detection_scores": tf.concat([color[:, :2], nothing], 1),
        "detection_classes": tf.constant([[1.0, 2.0, 1.0]]) + nothing,
        "num_detections": tf.constant([2.0]) + nothing[:, 0],
        "raw_detection_boxes": boxes + nothing[:, :, None],
    }


def _converted(
    directory: Path, infer: Callable[[Any], Any], shape: tuple[int, ...], *, is_quantised: bool = False
) -> bytes:
    import tensorflow as tf

    class Exported(tf.Module):  # type: ignore[misc]
        @tf.function(input_signature=[tf.TensorSpec(shape, tf.float32, name="input")])  # type: ignore[untyped-decorator]
        def infer(self, image: Any) -> Any:
            return infer(image)

    def samples() -> Iterator[list[np.ndarray]]:
        for value in np.linspace(-1, 1, 9, dtype=np.float32):
            yield [np.full(shape, value)]

    module = Exported()
    tf.saved_model.save(module, str(directory), signatures=module.infer.get_concrete_function())
    converter = tf.lite.TFLiteConverter.from_saved_model(str(directory))
    converter.allow_custom_ops = True
    if is_quantised:
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.representative_dataset = samples
        converter.inference_input_type = converter.inference_output_type = tf.uint8
    content: bytes = converter.convert()
    return content
