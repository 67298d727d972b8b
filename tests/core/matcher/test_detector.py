"""Laws of what a config says of the matching, and the sizes that TFOD's own tests expect."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from oidata.core.config.pipeline import PipelineConfig
from oidata.core.matcher.anchors import MultiscaleAnchors, SsdAnchors
from oidata.core.matcher.detector import Detector, FeatureExtractor, Resizer
from oidata.core.matcher.targets import Matcher
from oidata.errors import ConfigError
from oidata.io.configs import read_config

SIZES = st.integers(1, 2000)
DIMENSIONS = st.integers(1, 1500)
BOXES = st.lists(st.tuples(*[st.floats(0, 1, width=32)] * 4), max_size=5)

PARTS = {
    "image_resizer": "image_resizer { fixed_shape_resizer { height: 320 width: 640 } }",
    "feature_extractor": "feature_extractor { type: 'ssd_mobilenet_v2' }",
    "anchor_generator": "anchor_generator { ssd_anchor_generator { aspect_ratios: 1.0 } }",
    "matcher": "matcher { argmax_matcher { } }",
    "similarity_calculator": "similarity_calculator { iou_similarity { } }",
}


def ssd(**parts: str) -> PipelineConfig:
    """An SSD config of the parts above, but for those given."""
    return PipelineConfig.parse(f"model {{ ssd {{ {' '.join((PARTS | parts).values())} }} }}", "my.config")


# models/ssd_mobilenet_v2_feature_extractor_test.py and ssd_mobilenet_v1_fpn_feature_extractor_tf1_test.py of TFOD.
@pytest.mark.parametrize(
    "extractor, size, expected",
    [
        (FeatureExtractor("ssd_mobilenet_v2"), 128, (8, 4, 2, 1, 1, 1)),
        (FeatureExtractor("ssd_mobilenet_v2"), 299, (19, 10, 5, 3, 2, 1)),
        (FeatureExtractor("ssd_mobilenet_v2_keras"), 299, (19, 10, 5, 3, 2, 1)),
        (FeatureExtractor("ssd_mobilenet_v2", pad_to_multiple=32), 299, (20, 10, 5, 3, 2, 1)),
        (FeatureExtractor("ssd_mobilenet_v1_fpn"), 256, (32, 16, 8, 4, 2)),
        (FeatureExtractor("ssd_mobilenet_v1_fpn"), 320, (40, 20, 10, 5, 3)),
        (FeatureExtractor("ssd_mobilenet_v1_fpn", pad_to_multiple=32), 299, (40, 20, 10, 5, 3)),
    ],
)
def test_feature_maps_have_the_published_sizes(extractor: FeatureExtractor, size: int, expected: tuple[int]) -> None:
    """The feature maps have as many cells as TFOD's tests of its feature extractors expect."""
    assert extractor.feature_maps(size, size) == tuple((cells, cells) for cells in expected)


@given(st.integers(33, 2000), st.integers(33, 2000), st.integers(1, 8), st.integers(1, 64))
def test_a_feature_map_halves_the_one_before(height: int, width: int, num_layers: int, multiple: int) -> None:
    """Each map has half the rows and columns of the one before, rounded up, as convolutions of stride 2 give."""
    extractor = FeatureExtractor("ssd_mobilenet_v1", num_layers=num_layers, pad_to_multiple=multiple)
    maps = extractor.feature_maps(height, width)
    assert len(maps) == num_layers
    for (rows, columns), following in pairwise(maps):
        assert following == (-(-rows // 2), -(-columns // 2))
    assert all((cells - 1) * 16 < size + multiple for cells, size in zip(maps[0], (height, width), strict=True))


def test_an_unknown_extractor_asks_for_its_feature_maps() -> None:
    """What the extractor does not say can be given, and then decides."""
    config = ssd(feature_extractor="feature_extractor { type: 'ssd_unheard_of' }")
    with pytest.raises(ConfigError, match="--feature-maps 19,10,5,3,2,1"):
        Detector.of(config).grid_for(320, 640)
    given_maps = [(20, 40), (10, 20), (5, 10), (3, 5), (2, 3), (1, 2)]
    detector = Detector.of(config, given_maps)
    assert detector.grid_for(320, 640).boxes() == pytest.approx(Detector.of(ssd()).grid_for(320, 640).boxes())


@pytest.mark.parametrize("kind, least", [("ssd_mobilenet_v2", 33), ("ssd_resnet50_v1_fpn_keras", 129)])
def test_an_input_has_the_least_size(kind: str, least: int) -> None:
    """An input that TFOD refuses as too small is refused, and one px more is not."""
    assert FeatureExtractor(kind).feature_maps(least, least)
    with pytest.raises(ConfigError, match=f"{least} px or more, not {least - 1} px"):
        FeatureExtractor(kind).feature_maps(least, least - 1)


@pytest.mark.parametrize("name, num_anchors", [("coco", 1917), ("oid_v4", 1917), ("fpnlite_320x320", 12804)])
def test_the_references_have_as_many_anchors_as_known(name: str, num_anchors: int) -> None:
    """SSD at 300 px has 1917 anchors, FPN-Lite at 320 px 12,804 (the output shapes of the zoo's models)."""
    detector = Detector.of(read_config(name))
    placement = detector.resizer.placement(768, 1024)
    assert detector.grid_for(int(placement.height_px), int(placement.width_px)).num_anchors == num_anchors


def test_every_field_reaches_the_ssd_anchors() -> None:
    """What ssd_anchor_generator sets is what the anchors are made of, in single precision."""
    fields = (
        "num_layers: 2 min_scale: 0.25 max_scale: 0.75 scales: [0.5, 0.75] aspect_ratios: [1, 2]"
        " interpolated_scale_aspect_ratio: 0 reduce_boxes_in_lowest_layer: false base_anchor_height: 0.5"
        " base_anchor_width: 2 height_stride: [16, 32] width_stride: [8, 64] height_offset: [1, 2] width_offset: [3, 4]"
    )
    detector = Detector.of(ssd(anchor_generator=f"anchor_generator {{ ssd_anchor_generator {{ {fields} }} }}"))
    assert detector.anchors == SsdAnchors(
        num_layers=2,
        min_scale=0.25,
        max_scale=0.75,
        scales=(0.5, 0.75),
        aspect_ratios=(1.0, 2.0),
        interpolated_scale_aspect_ratio=0.0,
        reduce_boxes_in_lowest_layer=False,
        base_anchor_height=0.5,
        base_anchor_width=2.0,
        height_stride=(16, 32),
        width_stride=(8, 64),
        height_offset=(1, 2),
        width_offset=(3, 4),
    )


def test_every_field_reaches_the_multiscale_anchors() -> None:
    """What multiscale_anchor_generator and fpn set is what anchors and feature maps are made of."""
    fields = "min_level: 4 max_level: 6 anchor_scale: 3 aspect_ratios: 0.5 scales_per_octave: 1"
    fields += " normalize_coordinates: false"
    config = ssd(
        feature_extractor="feature_extractor { type: 'ssd_mobilenet_v2_fpn_keras' fpn { min_level: 4 max_level: 6 } }",
        anchor_generator=f"anchor_generator {{ multiscale_anchor_generator {{ {fields} }} }}",
    )
    detector = Detector.of(config)
    assert detector.anchors == MultiscaleAnchors(4, 6, 3.0, (0.5,), 1, normalize_coordinates=False)
    assert detector.feature_maps(320, 640) == ((20, 40), (10, 20), (5, 10))


def test_every_field_reaches_the_matcher() -> None:
    """What argmax_matcher sets decides, and what it leaves out has the proto's defaults: no forced match."""
    fields = "matched_threshold: 0.75 unmatched_threshold: 0.25 force_match_for_each_row: true"
    assert Detector.of(ssd()).matcher == Matcher(0.5, 0.5, force_match=False)
    detector = Detector.of(ssd(matcher=f"matcher {{ argmax_matcher {{ {fields} ignore_thresholds: true }} }}"))
    assert detector.matcher == Matcher(0.75, 0.25, force_match=True, ignore_thresholds=True)
    detector = Detector.of(
        ssd(matcher=f"matcher {{ argmax_matcher {{ {fields} negatives_lower_than_unmatched: 0 }} }}")
    )
    assert detector.matcher == Matcher(0.75, 0.25, force_match=True, negatives_lower_than_unmatched=False)


@pytest.mark.parametrize(
    "part, text, fault",
    [
        ("image_resizer", "", "no image_resizer"),
        ("image_resizer", "image_resizer { identity_resizer { } }", "resizer identity_resizer"),
        ("image_resizer", "image_resizer { conditional_shape_resizer { } }", "resizer conditional_shape_resizer"),
        ("image_resizer", "image_resizer { fixed_shape_resizer { width: 0 } }", "size of 0 px"),
        ("image_resizer", "image_resizer { keep_aspect_ratio_resizer { min_dimension: 2000 } }", "2000 exceeds"),
        ("anchor_generator", "", "no anchor_generator"),
        ("anchor_generator", "anchor_generator { grid_anchor_generator { } }", "generator grid_anchor_generator"),
        ("matcher", "", "no matcher"),
        ("matcher", "matcher { bipartite_matcher { } }", "matcher bipartite_matcher"),
        ("matcher", "matcher { argmax_matcher { matched_threshold: 2 } }", "matched_threshold 2"),
        ("similarity_calculator", "", "no similarity_calculator"),
        ("similarity_calculator", "similarity_calculator { ioa_similarity { } }", "by ioa_similarity"),
    ],
)
def test_a_part_that_cannot_be_followed_is_named(part: str, text: str, fault: str) -> None:
    """A part that is absent, or that is not simulated, is refused by name, with a hint."""
    with pytest.raises(ConfigError, match=fault) as caught:
        Detector.of(ssd(**{part: text}))
    assert caught.value.hint


@pytest.mark.parametrize("text, says", [("faster_rcnn { }", "faster_rcnn"), ("detr { }", "detr"), ("", "no model")])
def test_another_model_says_what_can_still_be_audited(text: str, says: str) -> None:
    """The config of another model is refused with what an audit can do without anchors."""
    with pytest.raises(ConfigError, match=f"config of {says}") as caught:
        Detector.of(PipelineConfig.parse(f"model {{ {text} }}", "my.config"))
    assert "box sizes" in caught.value.hint


def test_feature_maps_are_given_for_one_shape_of_input() -> None:
    """Where inputs have many shapes, feature maps for one are refused."""
    config = ssd(image_resizer="image_resizer { keep_aspect_ratio_resizer { } }")
    with pytest.raises(ConfigError, match="inputs of many shapes"):
        Detector.of(config, [(19, 19)])
    padding = ssd(image_resizer="image_resizer { keep_aspect_ratio_resizer { pad_to_max_dimension: true } }")
    assert Detector.of(padding, [(19, 19)]).fixed_feature_maps == ((19, 19),)


def test_a_grid_is_made_once_for_each_size() -> None:
    """Asking again for a size gives the same grid, also of an equal detector."""
    first, second = Detector.of(ssd()), Detector.of(ssd())
    assert first == second
    assert first.grid_for(320, 640) is second.grid_for(320, 640)
    assert first.grid_for(320, 640) is not first.grid_for(640, 320)


@given(SIZES, SIZES, BOXES)
def test_a_fixed_shape_leaves_boxes_as_they_are(height: int, width: int, boxes: list[tuple[float, ...]]) -> None:
    """An input of a fixed shape is filled by the photo, so that normalised boxes stay, to the last bit."""
    placement = Detector.of(ssd()).resizer.placement(height, width)
    assert (int(placement.height_px), int(placement.width_px)) == (320, 640)
    array = np.array(boxes, np.float32).reshape(-1, 4)
    assert np.array_equal(placement.to_input(array), array)


# Sizes are height, width. The first five are those of core/preprocessor_test.py of TFOD
# (testResizeToRangeWithDynamicSpatialShape, testResizeToRangeSameMinMax); then halves that round to even.
@pytest.mark.parametrize(
    "photo, dimensions, expected",
    [
        ((60, 40), (50, 100), (75, 50)),
        ((15, 30), (50, 100), (50, 100)),
        ((15, 50), (50, 100), (30, 100)),
        ((312, 312), (320, 320), (320, 320)),
        ((299, 299), (320, 320), (320, 320)),
        ((1, 1280), (320, 640), (1, 640)),
        ((2, 5), (1, 9), (1, 2)),
        ((2, 7), (1, 9), (1, 4)),
    ],
)
def test_a_photo_keeps_its_aspect_ratio(
    photo: tuple[int, int], dimensions: tuple[int, int], expected: tuple[int, int]
) -> None:
    """The shorter side becomes min_dimension, or, where that is too much, the longer side max_dimension."""
    resizer = Resizer(min_dimension=dimensions[0], max_dimension=dimensions[1])
    placement = resizer.placement(*photo)
    assert (int(placement.height_px), int(placement.width_px)) == expected
    assert (float(placement.height_share), float(placement.width_share)) == (1, 1)


@given(SIZES, SIZES, DIMENSIONS, DIMENSIONS)
def test_padding_shrinks_boxes_into_a_part_of_the_input(height: int, width: int, one: int, two: int) -> None:
    """With padding the input is a square; the photo fills the part of it that it would be without."""
    least, most = sorted((one, two))
    bare = Resizer(min_dimension=least, max_dimension=most).placement(height, width)
    padded = Resizer(min_dimension=least, max_dimension=most, pads=True).placement(height, width)
    assert (int(padded.height_px), int(padded.width_px)) == (most, most)
    assert padded.to_input(np.array([[0, 0, 1, 1]], np.float32))[0] * most == pytest.approx(
        [0, 0, int(bare.width_px), int(bare.height_px)], rel=1e-6
    )


@pytest.mark.parametrize("pads", [False, True])
@given(photos=st.lists(st.tuples(SIZES, SIZES), min_size=1, max_size=9))
def test_many_photos_are_placed_as_one_by_one(pads: bool, photos: list[tuple[int, int]]) -> None:  # noqa: FBT001
    """Arrays of sizes give what each photo gives alone, to the last bit."""
    resizer = Resizer(min_dimension=320, max_dimension=640, pads=pads)
    together = resizer.placement(*np.array(photos).T)
    alone = [resizer.placement(*photo) for photo in photos]
    for name in ("height_px", "width_px", "height_share", "width_share"):
        assert np.array_equal(getattr(together, name), [getattr(each, name) for each in alone])


def test_a_box_goes_with_its_photo() -> None:
    """A placement of one photo to each box maps each box by its own."""
    resizer = Resizer(min_dimension=320, max_dimension=320, pads=True)
    boxes = np.array([[0, 0, 1, 1], [0.5, 0.5, 1, 1]], np.float32)
    moved = resizer.placement([100, 200], [200, 100]).to_input(boxes)
    assert moved == pytest.approx(np.array([[0, 0, 1, 0.5], [0.25, 0.5, 0.5, 1]]))
    assert moved.dtype == np.float32


def test_scaling_needs_the_size_of_the_photo() -> None:
    """A photo of unknown size cannot be scaled to keep its aspect ratio, and need not where the shape is fixed."""
    with pytest.raises(ConfigError, match="photo has none"):
        Resizer(min_dimension=320, max_dimension=640).placement([480, 0], [640, 640])
    assert Resizer(height=300, width=300).placement([480, 0], [640, 640]).height_px.tolist() == [300, 300]
