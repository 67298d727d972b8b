"""What anchors make of a dataset, photo by photo, whatever the inputs' sizes."""

from dataclasses import fields

import numpy as np
import pandas as pd
import pytest
from google.protobuf import text_format

from oidata.core.auditing.anchor_facts import SeenTruth, anchor_facts, crop_operations, match_inputs
from oidata.core.config.pipeline import PipelineConfig
from oidata.core.config.pipeline_pb2 import TrainConfig
from oidata.core.matcher.crop import SSD_RANDOM_CROP, CropOperation
from oidata.core.matcher.detector import Detector
from oidata.core.matcher.targets import match
from oidata.core.statistics import ground_truth
from tests.core import made

SSD = """
model {{ ssd {{
  num_classes: 2
  image_resizer {{ {resizer} }}
  feature_extractor {{ type: "ssd_mobilenet_v2" }}
  anchor_generator {{ ssd_anchor_generator {{ aspect_ratios: [1.0, 2.0, 0.5, 3.0, 0.3333] }} }}
  similarity_calculator {{ iou_similarity {{ }} }}
  matcher {{ argmax_matcher {{ force_match_for_each_row: true }} }}
  {miner}
}} }}
train_config {{ {train} }}
"""
FIXED = "fixed_shape_resizer { height: 300 width: 300 }"
KEEPS = "keep_aspect_ratio_resizer { min_dimension: 300 max_dimension: 500 }"
MINER = (
    "loss { hard_example_miner { num_hard_examples: 3000 max_negatives_per_positive: 3 min_negatives_per_image: 5 } }"
)
SIZES = [(640, 480), (480, 640), (640, 480), (1024, 300), (500, 500)]


def config(resizer: str = FIXED, miner: str = MINER, train: str = "") -> PipelineConfig:
    return PipelineConfig.parse(SSD.format(resizer=resizer, miner=miner, train=train), "test")


def tables() -> tuple[pd.DataFrame, pd.DataFrame]:
    """Six photos of several sizes, the last without a box, and twenty random boxes."""
    rng = np.random.default_rng(5)
    photos = made.images(*[{"width_px": width, "height_px": height} for width, height in SIZES], {})
    corner = rng.random((4 * len(SIZES), 2)) * 0.7
    sides = rng.random(corner.shape) * 0.28 + 0.02
    rows = zip(corner.tolist(), (corner + sides).tolist(), strict=True)
    boxes = [
        {"photo": row // 4, "xmin": low[0], "ymin": low[1], "xmax": high[0], "ymax": high[1]}
        for row, (low, high) in enumerate(rows)
    ]
    return photos, made.boxes(*boxes)


@pytest.mark.parametrize("resizer", [FIXED, KEEPS])
def test_each_photo_is_matched_on_the_grid_of_its_input(resizer: str) -> None:
    """With inputs of several sizes, the targets of all photos at once are those of each photo by itself."""
    photos, boxes = tables()
    detector = Detector.of(config(resizer))
    seen = SeenTruth.of(ground_truth(photos, boxes), detector.resizer)
    whole = match_inputs(detector, seen.boxes, seen.image_index, seen.placement)
    for photo in range(len(SIZES)):
        rows = seen.image_index == photo
        size = (int(seen.placement.height_px[rows][0]), int(seen.placement.width_px[rows][0]))
        alone = match(seen.boxes[rows], seen.image_index[rows], detector.grid_for(*size), detector.matcher)
        for field in fields(alone):
            part = np.array([photo]) if field.name == "num_ignored_anchors" else rows
            np.testing.assert_array_equal(getattr(whole, field.name)[part], getattr(alone, field.name))


def test_boxes_of_a_photo_are_brought_together() -> None:
    """Boxes need not stand photo by photo: the ground truth is sorted so, and keeps the order within a photo."""
    photos = made.images({}, {})
    rows = [{"photo": row % 2, "xmin": 0.1 * row, "xmax": 0.1 * row + 0.2} for row in range(4)]
    seen = SeenTruth.of(ground_truth(photos, made.boxes(*rows)), Detector.of(config()).resizer)
    assert seen.image_index.tolist() == [0, 0, 1, 1]
    assert seen.truth["xmin"].tolist() == pytest.approx([0.0, 0.2, 0.1, 0.3])


def test_photos_without_ground_truth_bring_negatives() -> None:
    """A photo without a box gives the miner min_negatives_per_image; without a miner, all its anchors."""
    photos, boxes = tables()
    for miner, taken in ((MINER, 5), ("", 1917)):
        chosen = config(miner=miner)
        detector = Detector.of(chosen)
        truth = ground_truth(photos, boxes)
        seen = SeenTruth.of(truth, detector.resizer)
        facts, targets = anchor_facts(detector, chosen.message, photos, seen, made.CELLS)
        train = facts.mined[0]
        assert train.num_photos == len(SIZES) + 1
        assert train.num_positives == targets.num_positive_anchors.sum()
        assert train.num_available == 1917 * 6 - train.num_positives
        of_empty = train.num_negatives - sum(
            min(max(5, 3 * positives), 1917 - positives) if miner else 1917 - positives
            for positives in np.bincount(seen.image_index, targets.num_positive_anchors).astype(int)
        )
        assert of_empty == taken


@pytest.mark.parametrize("limit", [0, -3])
def test_a_miner_without_limits_takes_all_negatives(limit: int) -> None:
    """A limit of 0 or less is none, as TFOD's builder reads it."""
    photos, boxes = tables()
    miner = f"num_hard_examples: {limit} max_negatives_per_positive: {limit}"
    chosen = config(miner=f"loss {{ hard_example_miner {{ {miner} }} }}")
    detector = Detector.of(chosen)
    seen = SeenTruth.of(ground_truth(photos, boxes), detector.resizer)
    (train, *_) = anchor_facts(detector, chosen.message, photos, seen, made.CELLS)[0].mined
    assert train.num_negatives == train.num_available


def test_crops_count_each_box_as_often_as_it_stays() -> None:
    """After random crops the boxes are of train alone, more than without since each photo is cropped often."""
    photos, boxes = tables()
    cropping = config(train="data_augmentation_options { ssd_random_crop { } }")
    detector = Detector.of(cropping)
    seen = SeenTruth.of(ground_truth(photos, boxes), detector.resizer)
    facts, _ = anchor_facts(detector, cropping.message, photos, seen, made.CELLS)
    whole = [row for row in facts.after_crop if row.size == "all" and row.num_boxes]
    assert {row.split for row in whole} == {"train"}
    assert sum(row.num_boxes for row in whole) > 10 * len(seen.boxes)
    assert facts.crop_zoom is not None
    assert facts.crop_zoom > 1
    plain, _ = anchor_facts(detector, config().message, photos, seen, made.CELLS)
    assert (plain.after_crop, plain.crop_zoom) == ((), None)


CROP_IMAGE = """
data_augmentation_options { random_horizontal_flip { } }
data_augmentation_options { random_crop_image {
  min_object_covered: 0.0 min_aspect_ratio: 0.75 max_aspect_ratio: 3.0 min_area: 0.75 max_area: 1.0 overlap_thresh: 0.0
} }"""


@pytest.mark.parametrize(
    "text, expected",
    [
        ("", ()),
        ("data_augmentation_options { random_horizontal_flip { } }", ()),
        ("data_augmentation_options { ssd_random_crop { } }", SSD_RANDOM_CROP),
        (CROP_IMAGE, (CropOperation(0.0, 0.75, 3.0, 0.75, 1.0, 0.0, random_coef=0.0),)),
    ],
)
def test_the_crop_of_a_config_is_read(text: str, expected: tuple[CropOperation, ...]) -> None:
    """ssd_random_crop without operations has TFOD's seven, random_crop_image its own one; others are no crops."""
    steps = text_format.Parse(text, TrainConfig()).data_augmentation_options
    assert crop_operations(steps) == expected
