"""From the pixels of a photo to the input of a network, as TFOD has it in the graphs that it exports."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from oidata.core.matcher.detector import Resizer
from oidata.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from oidata.core.config.pipeline import PipelineConfig
    from oidata.core.config.pipeline_pb2 import ImageResizer

    Resize = Callable[[NDArray[np.uint8], int, int], NDArray[np.float32]]

# preprocess of models/ssd_mobilenet_v*_feature_extractor.py, and of models/ssd_resnet_v1_fpn_feature_extractor.py,
# whose means are those of VGG.
_UNIT_RANGE: Final = re.compile(r"ssd_mobilenet_v[12](_fpn)?(_keras)?")
_CENTERED: Final = re.compile(r"ssd_resnet(50|101|152)_v1_fpn(_keras)?")
_CHANNEL_MEANS: Final = (123.68, 116.779, 103.939)


@dataclass(frozen=True)
class Normaliser:
    """The pixels p of a network's input as `scale` · p - `means`, per channel: by default in [-1, 1]."""

    scale: float = 2.0 / 255.0
    means: tuple[float, float, float] = (1.0, 1.0, 1.0)

    @classmethod
    def of(cls, extractor: str) -> Normaliser:
        """What the feature extractor of that type asks for. Raises ConfigError for one that is not known."""
        if _UNIT_RANGE.fullmatch(extractor):
            return cls()
        if _CENTERED.fullmatch(extractor):
            return cls(1.0, _CHANNEL_MEANS)
        fault = f"What input the extractor {extractor!r} expects is not known."
        raise ConfigError(fault, "Export the model with its preprocessing, as a SavedModel.")

    def normalised(self, pixels: NDArray[np.float32]) -> NDArray[np.float32]:
        """Pixels (H, W, 3) in [0, 255] as the network takes them."""
        values = pixels * np.float32(self.scale)
        values -= np.array(self.means, np.float32)
        return values


@dataclass(frozen=True)
class Preprocessing:
    """How a photo becomes the input of a network: resizer and normaliser of a config."""

    resizer: Resizer
    normaliser: Normaliser

    @classmethod
    def of(cls, config: PipelineConfig) -> Preprocessing:
        """Read an SSD config. Raises ConfigError for a resizer or an extractor that is not followed."""
        ssd = config.message.model.ssd
        _check_method(ssd.image_resizer, config.name)
        return cls(Resizer.of(ssd.image_resizer, config.name), Normaliser.of(ssd.feature_extractor.type))

    def prepared(self, pixels: NDArray[np.uint8], resize: Resize) -> tuple[NDArray[np.float32], tuple[float, float]]:
        """The input (H, W, 3) of a photo (h, w, 3), and which share of its width and height the photo fills.

        `resize` is to do as tf.compat.v1.image.resize, which TFOD calls. What pads the photo is 0 before it is
        normalised, as resize_to_range in TFOD's core/preprocessor.py has it.
        """
        place = self.resizer.placement(*pixels.shape[:2])
        height_px, width_px = int(place.height_px), int(place.width_px)
        height_share, width_share = float(place.height_share), float(place.width_share)
        resized = resize(pixels, round(height_px * height_share), round(width_px * width_share))
        if resized.shape[:2] != (height_px, width_px):
            padding = [(0, height_px - resized.shape[0]), (0, width_px - resized.shape[1]), (0, 0)]
            resized = np.pad(resized, padding)
        return self.normaliser.normalised(resized), (width_share, height_share)


def _check_method(message: ImageResizer, name: str) -> None:
    """Raise ConfigError for a resizer that does more than to resize bilinearly."""
    kind = message.WhichOneof("image_resizer_oneof")
    if kind is None:
        return
    resizer = getattr(message, kind)
    for field in ("resize_method", "convert_to_grayscale", "per_channel_pad_value"):
        if getattr(resizer, field, None):
            fault = f"{name} sets {field} in {kind}, which is not followed."
            raise ConfigError(fault, "Export the model with its preprocessing, as a SavedModel.")
