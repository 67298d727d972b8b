"""SSD MobileNet V2 in Keras, built as TFOD's ssd_mobilenet_v2 with a convolutional box predictor."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import keras
from keras import layers

from oidata.errors import ConfigError

if TYPE_CHECKING:
    from oidata.core.config.pipeline_pb2 import Hyperparams, Ssd
    from oidata.core.matcher.anchors import AnchorGrid

EXTRA_DEPTHS: Final = (512, 256, 256, 128)
"""Channels of the feature maps behind the backbone's two: models/ssd_mobilenet_v2_feature_extractor.py."""
OWN: Final = ("extra_", "encodings_", "logits_")
"""What the names of all layers begin with that are not the backbone's."""
FINE, COARSE = "block_13_expand_relu", "out_relu"
"""Keras' names of the backbone's two: layer_15/expansion_output and layer_19 of TFOD, strides 16 and 32."""


def build(ssd: Ssd, anchors: AnchorGrid) -> keras.Model:
    """The network: (B, H, W, 3) in [-1, 1] to encodings (B, A, 4) and class logits (B, A, 1 + num_classes).

    The anchors decide how many outputs a cell of each feature map has. The backbone begins with Keras' random weights.
    Raises ConfigError for a config that is of another network.
    """
    extractor, predictor = ssd.feature_extractor, ssd.box_predictor.convolutional_box_predictor
    if (
        extractor.type.removesuffix("_keras") != "ssd_mobilenet_v2"
        or predictor.kernel_size != 3
        or not predictor.use_depthwise
    ):
        fault = "Only ssd_mobilenet_v2 with a depthwise box predictor of kernel_size 3 is built here."
        raise ConfigError(fault, "Begin from oidata/sample/ssd/pipeline.config.")
    size = ssd.image_resizer.fixed_shape_resizer
    backbone = keras.applications.MobileNetV2(
        input_shape=(size.height, size.width, 3), alpha=extractor.depth_multiplier, include_top=False, weights=None
    )
    maps = [backbone.get_layer(FINE).output, backbone.get_layer(COARSE).output]
    parts = _Parts(extractor.conv_hyperparams)
    for number, full_depth in enumerate(EXTRA_DEPTHS[: len(anchors.layers) - len(maps)]):
        depth = max(int(full_depth * extractor.depth_multiplier), extractor.min_depth)
        narrow = parts.pointwise(maps[-1], max(depth // 2, extractor.min_depth), f"extra_{number}_narrow")
        halved = parts.depthwise(narrow, f"extra_{number}_halve", strides=2)
        maps.append(parts.pointwise(halved, depth, f"extra_{number}"))
    parts = _Parts(predictor.conv_hyperparams)
    outputs: dict[str, list[Any]] = {"encodings": [], "logits": []}
    for number, (features, layer) in enumerate(zip(maps, anchors.layers, strict=True)):
        for name, width in (("encodings", 4), ("logits", 1 + ssd.num_classes)):
            seen = parts.depthwise(features, f"{name}_{number}_depthwise")
            told = parts.convolution(len(layer.heights) * width, use_bias=True, name=f"{name}_{number}")(seen)
            outputs[name].append(layers.Reshape((-1, width))(told))
    model = keras.Model(
        backbone.input, [layers.Concatenate(axis=1, name=name)(parts) for name, parts in outputs.items()]
    )
    if extractor.override_base_feature_extractor_hyperparams:
        _hold_to(backbone, extractor.conv_hyperparams)
    return model


class _Parts:
    """Convolutions with the hyperparameters of a config, each with batch normalisation and ReLU6."""

    def __init__(self, hyperparams: Hyperparams) -> None:
        self._hyperparams = hyperparams

    def pointwise(self, features: Any, depth: int, name: str) -> Any:
        return self._normalised(self.convolution(depth, use_bias=False, name=name)(features), name)

    def depthwise(self, features: Any, name: str, strides: int = 1) -> Any:
        convolution = layers.DepthwiseConv2D(
            3,
            strides=strides,
            padding="same",
            use_bias=False,
            depthwise_initializer=self._initializer(),
            depthwise_regularizer=_l2(self._hyperparams),
            name=name,
        )
        return self._normalised(convolution(features), name)

    def convolution(self, depth: int, *, use_bias: bool, name: str) -> layers.Layer:
        return layers.Conv2D(
            depth,
            1,
            use_bias=use_bias,
            kernel_initializer=self._initializer(),
            kernel_regularizer=_l2(self._hyperparams),
            name=name,
        )

    def _normalised(self, features: Any, name: str) -> Any:
        norm = self._hyperparams.batch_norm
        features = layers.BatchNormalization(momentum=norm.decay, epsilon=norm.epsilon, name=f"{name}_norm")(features)
        return layers.ReLU(6.0, name=f"{name}_relu")(features)

    def _initializer(self) -> keras.initializers.Initializer:
        normal = self._hyperparams.initializer.truncated_normal_initializer
        return keras.initializers.TruncatedNormal(normal.mean, normal.stddev)


def _l2(hyperparams: Hyperparams) -> keras.regularizers.Regularizer:
    # TF-Slim's l2_regularizer is half of Keras'.
    return keras.regularizers.L2(hyperparams.regularizer.l2_regularizer.weight / 2)


def _hold_to(backbone: keras.Model, hyperparams: Hyperparams) -> None:
    """Give the backbone the normalisation and the weight decay of the config."""
    for layer in backbone.layers:
        match layer:
            case layers.BatchNormalization():
                layer.momentum, layer.epsilon = hyperparams.batch_norm.decay, hyperparams.batch_norm.epsilon
            case layers.DepthwiseConv2D():
                layer.depthwise_regularizer = _l2(hyperparams)
            case layers.Conv2D():
                layer.kernel_regularizer = _l2(hyperparams)
