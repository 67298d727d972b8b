"""What of a pipeline config decides which anchors match: resizer, feature maps, anchor generator, matcher."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from oidata.core.matcher.anchors import AnchorGrid, MultiscaleAnchors, SsdAnchors
from oidata.core.matcher.targets import Matcher
from oidata.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike, NDArray

    from oidata.core.config.pipeline import PipelineConfig
    from oidata.core.config.pipeline_pb2 import AnchorGenerator, ImageResizer, Ssd, SsdFeatureExtractor

# Grids of as many input shapes are kept; with a resizer that does not pad, photos come in many shapes.
NUM_CACHED_GRIDS = 64

_ONE = np.float32(1)

# From models/ssd_*_feature_extractor.py: the pattern of the types, the shortest side that check_min_image_dim allows.
_HALVING = (re.compile(r"ssd_mobilenet_v[12](_keras)?"), 33)
_PYRAMIDS = (
    (re.compile(r"ssd_mobilenet_v[12]_fpn(_keras)?"), 33),
    (re.compile(r"ssd_resnet(50|101|152)_v1_fpn(_keras)?"), 129),
)
_FIRST_LEVEL = 4


@dataclass(frozen=True, eq=False)
class Placement:
    """Where a photo comes to lie in the network's input, which is `height_px` × `width_px` with its padding.

    The photo fills the input from its upper left corner, to the share `height_share` of its height and `width_share`
    of its width (float32). All four are of one shape: () for a photo, (N,) for one photo to each box.
    """

    height_px: NDArray[np.int64]
    width_px: NDArray[np.int64]
    height_share: NDArray[np.float32]
    width_share: NDArray[np.float32]

    def to_input(self, boxes: NDArray[np.float32]) -> NDArray[np.float32]:
        """Boxes (N, 4) xyxy float32, normalised to the photo, normalised to the network's input.

        As change_coordinate_frame in TFOD's core/box_list_ops.py, called by transform_input_data of inputs.py.
        """
        shares = (self.width_share, self.height_share, self.width_share, self.height_share)
        return boxes * np.stack(shares, axis=-1)


@dataclass(frozen=True)
class Resizer:
    """How photos become inputs of the network: each to `height` × `width` px, or, these being 0, in their own shape.

    In their own shape they are scaled so that the shorter side is `min_dimension`, or, where the longer one would then
    exceed it, so that the longer side is `max_dimension`. With `pads` the input is a square of `max_dimension`.
    """

    height: int = 0
    width: int = 0
    min_dimension: int = 0
    max_dimension: int = 0
    pads: bool = False

    @classmethod
    def of(cls, message: ImageResizer, name: str) -> Resizer:
        """Read a config's image_resizer; ConfigError for one that TFOD refuses, or that this cannot follow."""
        kind = message.WhichOneof("image_resizer_oneof")
        if kind == "fixed_shape_resizer":
            fixed = message.fixed_shape_resizer
            return cls(height=_size(fixed.height, kind, name), width=_size(fixed.width, kind, name))
        if kind == "keep_aspect_ratio_resizer":
            keep = message.keep_aspect_ratio_resizer
            least, most = _size(keep.min_dimension, kind, name), _size(keep.max_dimension, kind, name)
            if least > most:
                fault = f"{name}: min_dimension {least} exceeds max_dimension {most} in keep_aspect_ratio_resizer."
                raise ConfigError(fault, "Set min_dimension to max_dimension or less.")
            return cls(min_dimension=least, max_dimension=most, pads=keep.pad_to_max_dimension)
        hint = "Use fixed_shape_resizer or keep_aspect_ratio_resizer to see which anchors match."
        if kind is None:
            raise ConfigError(f"{name} has no image_resizer.", hint)
        raise ConfigError(f"{name} has the resizer {kind}, whose inputs are not simulated.", hint)

    @property
    def is_fixed(self) -> bool:
        """Whether every photo becomes an input of the same size."""
        return self.height > 0 or self.pads

    def placement(self, height_px: ArrayLike, width_px: ArrayLike) -> Placement:
        """Where photos of this size come to lie in the input; both may be arrays of one shape.

        The rounding is that of resize_to_range in TFOD's core/preprocessor.py: float32, and halves to even. For
        `fixed_shape_resizer` the size of the photo does not matter. Raises ConfigError where it does, and is below 1.
        """
        height, width = np.asarray(height_px), np.asarray(width_px)
        if self.height:
            full = np.ones(height.shape, np.float32)
            return Placement(np.full(height.shape, self.height), np.full(width.shape, self.width), full, full)
        if (height < 1).any() or (width < 1).any():
            raise ConfigError(
                "keep_aspect_ratio_resizer scales by the photo's size, and a photo has none.",
                "Fetch the photos, or audit with fixed_shape_resizer.",
            )
        rows, columns = self._scaled(height.astype(np.float32), width.astype(np.float32))
        if not self.pads:
            full = np.ones(height.shape, np.float32)
            return Placement(rows.astype(np.int64), columns.astype(np.int64), full, full)
        side = np.full(height.shape, self.max_dimension)
        most = np.float32(self.max_dimension)
        return Placement(side, side, _ONE / (most / rows), _ONE / (most / columns))

    def _scaled(
        self, height: NDArray[np.float32], width: NDArray[np.float32]
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        large = np.float32(self.min_dimension) / np.minimum(height, width)
        small = np.float32(self.max_dimension) / np.maximum(height, width)
        exceeds = np.round(np.maximum(height * large, width * large)) > self.max_dimension
        factor = np.where(exceeds, small, large)
        # TFOD would fail on a photo so narrow that a side becomes 0.
        return np.maximum(np.round(height * factor), _ONE), np.maximum(np.round(width * factor), _ONE)


@dataclass(frozen=True)
class FeatureExtractor:
    """What decides the shapes of the feature maps: the fields of TFOD's SsdFeatureExtractor, with its defaults."""

    type: str
    num_layers: int = 6
    min_level: int = 3
    max_level: int = 7
    pad_to_multiple: int = 1

    @classmethod
    def of(cls, message: SsdFeatureExtractor) -> FeatureExtractor:
        """Read a config's feature_extractor."""
        levels = message.fpn.min_level, message.fpn.max_level
        return cls(message.type, message.num_layers, *levels, max(message.pad_to_multiple, 1))

    @property
    def is_known(self) -> bool:
        """Whether its type says which feature maps it has."""
        return any(pattern.fullmatch(self.type) for pattern, _ in (_HALVING, *_PYRAMIDS))

    def feature_maps(self, height_px: int, width_px: int) -> tuple[tuple[int, int], ...]:
        """The (rows, columns) of each feature map, finest first, of an input of `height_px` × `width_px`.

        Each is the input, padded to `pad_to_multiple`, divided by 2^level and rounded up: convolutions of stride 2
        pad SAME, or by hand to the same size. From TFOD's models/ssd_mobilenet_v*_feature_extractor.py (levels 4 and
        up, for `num_layers`) and their _fpn forms (`min_level` to `max_level`). Raises ConfigError for another
        extractor, and for an input that TFOD refuses.
        """
        levels = self._levels(min(height_px, width_px))
        padded = [-(-size // self.pad_to_multiple) * self.pad_to_multiple for size in (height_px, width_px)]
        return tuple((-(-padded[0] // 2**level), -(-padded[1] // 2**level)) for level in levels)

    def _levels(self, shorter_px: int) -> range:
        pattern, least = _HALVING
        levels = range(_FIRST_LEVEL, _FIRST_LEVEL + self.num_layers)
        if not pattern.fullmatch(self.type):
            found = next((minimum for pyramid, minimum in _PYRAMIDS if pyramid.fullmatch(self.type)), None)
            if found is None:
                raise ConfigError(
                    f"The feature maps of the extractor {self.type!r} are not known.",
                    "Say how many cells they have, finest first: --feature-maps 19,10,5,3,2,1.",
                )
            least, levels = found, range(self.min_level, self.max_level + 1)
        if shorter_px < least:
            fault = f"The extractor {self.type} takes inputs of {least} px or more, not {shorter_px} px."
            raise ConfigError(fault, "Set a larger image_resizer.")
        return levels


@dataclass(frozen=True)
class Detector:
    """The parts of an SSD config that decide which anchors match which box.

    `fixed_feature_maps`, (rows, columns) each, finest first, are taken for what the extractor would give; None where
    the extractor's type says it.
    """

    resizer: Resizer
    extractor: FeatureExtractor
    anchors: SsdAnchors | MultiscaleAnchors
    matcher: Matcher
    fixed_feature_maps: tuple[tuple[int, int], ...] | None = None

    @classmethod
    def of(cls, config: PipelineConfig, feature_maps: Sequence[tuple[int, int]] | None = None) -> Detector:
        """Read a config; `feature_maps` overrides those of its feature extractor.

        Raises ConfigError for another model than SSD, and where a part is absent, or is one that cannot be followed.
        """
        if config.architecture != "ssd":
            fault = f"{config.name} is a config of {config.architecture or 'no model'}: its anchors are not audited."
            raise ConfigError(fault, "Photos, box sizes, per-image numbers, and most config findings still can be.")
        ssd = config.message.model.ssd
        resizer = Resizer.of(ssd.image_resizer, config.name)
        if feature_maps is not None and not resizer.is_fixed:
            fault = f"{config.name} has inputs of many shapes, and feature maps were given for one."
            raise ConfigError(fault, "Leave the feature maps to the extractor, or set pad_to_max_dimension.")
        return cls(
            resizer,
            FeatureExtractor.of(ssd.feature_extractor),
            _anchors(ssd.anchor_generator, config.name),
            _matcher(ssd, config.name),
            None if feature_maps is None else tuple(feature_maps),
        )

    def feature_maps(self, height_px: int, width_px: int) -> tuple[tuple[int, int], ...]:
        """The (rows, columns) of each feature map of an input of this size, without `pad_to_multiple`."""
        return self.fixed_feature_maps or self.extractor.feature_maps(height_px, width_px)

    def grid_for(self, height_px: int, width_px: int) -> AnchorGrid:
        """The anchors of an input of this size, as `Placement` has it; made once for each size."""
        return _grid(self, int(height_px), int(width_px))


@lru_cache(maxsize=NUM_CACHED_GRIDS)
def _grid(detector: Detector, height_px: int, width_px: int) -> AnchorGrid:
    return detector.anchors.grid(detector.feature_maps(height_px, width_px), height_px, width_px)


def _anchors(message: AnchorGenerator, name: str) -> SsdAnchors | MultiscaleAnchors:
    kind = message.WhichOneof("anchor_generator_oneof")
    if kind == "ssd_anchor_generator":
        ssd = message.ssd_anchor_generator
        return SsdAnchors(
            num_layers=ssd.num_layers,
            min_scale=ssd.min_scale,
            max_scale=ssd.max_scale,
            scales=tuple(ssd.scales),
            aspect_ratios=tuple(ssd.aspect_ratios),
            interpolated_scale_aspect_ratio=ssd.interpolated_scale_aspect_ratio,
            reduce_boxes_in_lowest_layer=ssd.reduce_boxes_in_lowest_layer,
            base_anchor_height=ssd.base_anchor_height,
            base_anchor_width=ssd.base_anchor_width,
            height_stride=tuple(ssd.height_stride),
            width_stride=tuple(ssd.width_stride),
            height_offset=tuple(ssd.height_offset),
            width_offset=tuple(ssd.width_offset),
        )
    if kind == "multiscale_anchor_generator":
        multiscale = message.multiscale_anchor_generator
        return MultiscaleAnchors(
            min_level=multiscale.min_level,
            max_level=multiscale.max_level,
            anchor_scale=multiscale.anchor_scale,
            aspect_ratios=tuple(multiscale.aspect_ratios),
            scales_per_octave=multiscale.scales_per_octave,
            normalize_coordinates=multiscale.normalize_coordinates,
        )
    fault = f"{name} has {f'the anchor generator {kind}' if kind else 'no anchor_generator'}."
    raise ConfigError(fault, "Audited are ssd_anchor_generator and multiscale_anchor_generator.")


def _matcher(ssd: Ssd, name: str) -> Matcher:
    similarity = ssd.similarity_calculator.WhichOneof("region_similarity")
    if similarity != "iou_similarity":
        fault = f"{name} compares boxes by {similarity}." if similarity else f"{name} has no similarity_calculator."
        raise ConfigError(fault, "Audited is similarity_calculator { iou_similarity { } }.")
    kind = ssd.matcher.WhichOneof("matcher_oneof")
    if kind != "argmax_matcher":
        fault = f"{name} has {f'the matcher {kind}' if kind else 'no matcher'}."
        raise ConfigError(fault, "Audited is argmax_matcher.")
    argmax = ssd.matcher.argmax_matcher
    try:
        return Matcher(
            matched_threshold=argmax.matched_threshold,
            unmatched_threshold=argmax.unmatched_threshold,
            force_match=argmax.force_match_for_each_row,
            ignore_thresholds=argmax.ignore_thresholds,
            negatives_lower_than_unmatched=argmax.negatives_lower_than_unmatched,
        )
    except ConfigError as error:
        raise ConfigError(f"{name}: {error.message}", error.hint) from None


def _size(value: int, kind: str, name: str) -> int:
    if value < 1:
        raise ConfigError(f"{name} has a size of {value} px in {kind}.", "Set it to 1 or more.")
    return value
