"""From the pixels of a photo to the input of a network, as TFOD has it in the graphs that it exports."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from oidata.core.detector import Resizer
from oidata.errors import ConfigError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from oidata.core.pipeline import PipelineConfig
    from oidata.core.pipeline_pb2 import ImageResizer

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
        return pixels * np.float32(self.scale) - np.array(self.means, np.float32)


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

    def prepared(self, pixels: NDArray[np.uint8]) -> tuple[NDArray[np.float32], tuple[float, float]]:
        """The input (H, W, 3) of a photo (h, w, 3), and which share of its width and height the photo fills.

        What pads it is 0 before it is normalised, as resize_to_range in TFOD's core/preprocessor.py has it.
        """
        place = self.resizer.placement(*pixels.shape[:2])
        height_px, width_px = int(place.height_px), int(place.width_px)
        height_share, width_share = float(place.height_share), float(place.width_share)
        resized = resize(pixels, round(height_px * height_share), round(width_px * width_share))
        padding = [(0, height_px - resized.shape[0]), (0, width_px - resized.shape[1]), (0, 0)]
        return self.normaliser.normalised(np.pad(resized, padding)), (width_share, height_share)


def resize(pixels: NDArray[np.uint8], height_px: int, width_px: int) -> NDArray[np.float32]:
    """Pixels (h, w, 3) scaled to (height_px, width_px, 3), bilinearly.

    As tf.compat.v1.image.resize, which TFOD calls: corners are not aligned, pixels have no centres, and nothing is
    averaged where it shrinks (tensorflow/core/kernels/image/resize_bilinear_op.cc).
    """
    top, bottom, down = _neighbours(pixels.shape[0], height_px)
    left, right, across = _neighbours(pixels.shape[1], width_px)
    across, down = across[:, None], down[:, None, None]

    def along(rows: NDArray[np.int64]) -> NDArray[np.float32]:
        lines = pixels[rows]
        first, second = lines[:, left].astype(np.float32), lines[:, right].astype(np.float32)
        return first + (second - first) * across

    upper = along(top)
    return upper + (along(bottom) - upper) * down


def _neighbours(size_px: int, new_px: int) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float32]]:
    """For each new pixel the two old ones that it lies between, and how far it is from the first."""
    places = np.arange(new_px, dtype=np.float32) * (np.float32(size_px) / np.float32(new_px))
    lower = np.floor(places)
    first = np.minimum(lower.astype(np.int64), size_px - 1)
    return first, np.minimum(first + 1, size_px - 1), places - lower


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
