"""What the anchors of a detector make of the ground truth: the exact matcher on every box, crops, sweep and miner."""

from __future__ import annotations

from dataclasses import dataclass, fields
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from oidata.core.auditing.matching import AnchorFacts, MinedFacts, hole_facts, layer_facts, match_facts
from oidata.core.auditing.per_image import mined_negatives
from oidata.core.auditing.sizes import InputBoxes
from oidata.core.matcher.coverage import sweep
from oidata.core.matcher.crop import SSD_RANDOM_CROP, CropOperation, ssd_random_crop
from oidata.core.matcher.layers import layer_ambiguity, placed
from oidata.core.matcher.targets import Targets, match
from oidata.core.statistics import usable_photos
from oidata.core.tables import COORDINATES, TRAIN

if TYPE_CHECKING:
    from collections.abc import Sequence

    from oidata.core.auditing.matching import MatchFacts
    from oidata.core.config.pipeline_pb2 import HardExampleMiner, PreprocessingStep, TrainEvalPipelineConfig
    from oidata.core.matcher.anchors import AnchorGrid
    from oidata.core.matcher.coverage import Sweep
    from oidata.core.matcher.crop import CroppedBoxes
    from oidata.core.matcher.detector import Detector, Placement, Resizer
    from oidata.core.matcher.targets import Matcher
    from oidata.core.statistics import Cells

SEED = 0
NUM_SIDES = 60
MIN_SIDE_PX = 6.0
# So many crops are simulated at least, each photo as often; small splits would else say little.
NUM_CROPS = 20_000
MAX_CROP_ROUNDS = 20


@dataclass(frozen=True, eq=False)
class SeenTruth:
    """The ground truth as a network sees it.

    truth: its rows, sorted so that the boxes of a photo stand together, in their order; image_index (N,) numbers the
    photos; placement says what becomes of each box's photo, boxes (N, 4) float32 xyxy are normalised to the input.
    """

    truth: pd.DataFrame
    image_index: np.ndarray
    placement: Placement
    boxes: np.ndarray

    @classmethod
    def of(cls, truth: pd.DataFrame, resizer: Resizer) -> SeenTruth:
        """Put the ground truth through the resizer; of a photo of unknown size only a fixed one is known to do."""
        order = np.argsort(pd.factorize(truth["image_id"])[0], kind="stable")
        truth = truth.iloc[order].reset_index(drop=True)
        height, width = (truth[name].fillna(1).to_numpy(np.int64) for name in ("height_px", "width_px"))
        placement = resizer.placement(height, width)
        xyxy = truth[list(COORDINATES)].to_numpy(np.float32)
        return cls(truth, pd.factorize(truth["image_id"])[0], placement, placement.to_input(xyxy))

    @property
    def input_boxes(self) -> InputBoxes:
        """The boxes with the size of their inputs."""
        return InputBoxes(self.boxes, self.placement.width_px, self.placement.height_px)

    def targets(self, detector: Detector) -> Targets:
        """What the matcher makes of the boxes, each photo on the grid of its own input."""
        return match_inputs(detector, self.boxes, self.image_index, self.placement)


def match_inputs(detector: Detector, boxes: np.ndarray, image_index: np.ndarray, placement: Placement) -> Targets:
    """`match` where photos may have inputs of different sizes; boxes of a photo contiguous, with one placement each."""
    shapes, group = _inputs(placement)
    if len(shapes) <= 1:
        height_px, width_px = shapes[0] if len(shapes) else _any_input(detector)
        return match(boxes, image_index, detector.grid_for(height_px, width_px), detector.matcher)
    parts, rows, photos = [], [], []
    for number, (height_px, width_px) in enumerate(shapes):
        chosen = np.flatnonzero(group == number)
        parts.append(
            match(boxes[chosen], image_index[chosen], detector.grid_for(height_px, width_px), detector.matcher)
        )
        rows.append(chosen)
        photos.append(np.unique(image_index[chosen]))
    return _joined(parts, np.argsort(np.concatenate(rows)), np.argsort(np.concatenate(photos)))


def _joined(parts: Sequence[Targets], box_order: np.ndarray, photo_order: np.ndarray) -> Targets:
    columns = {field.name: np.concatenate([getattr(part, field.name) for part in parts]) for field in fields(Targets)}
    return Targets(
        **{
            name: column[photo_order if name == "num_ignored_anchors" else box_order]
            for name, column in columns.items()
        }
    )


def _inputs(placement: Placement) -> tuple[np.ndarray, np.ndarray]:
    """The sizes of inputs that there are, (S, 2) height and width in px, and for each row which it has, (N,)."""
    shape = np.stack([placement.height_px, placement.width_px], axis=1)
    shapes, group = np.unique(shape, axis=0, return_inverse=True)
    return shapes, group


def _any_input(detector: Detector) -> tuple[int, int]:
    placement = detector.resizer.placement(np.array([768]), np.array([1024]))
    return int(placement.height_px[0]), int(placement.width_px[0])


def anchor_facts(  # noqa: PLR0913, PLR0917 - a detector, its config, and the dataset as it sees it
    detector: Detector,
    config: TrainEvalPipelineConfig,
    images: pd.DataFrame,
    seen: SeenTruth,
    cells: Cells,
    sides_px: np.ndarray | None = None,
) -> tuple[AnchorFacts, Targets]:
    """The AnchorFacts of a detector on a dataset, and the targets of each box of `seen`.

    `config` gives the miner and the random crops, `images` are IMAGES: photos without ground truth count too.
    `sides_px` (N,) are the sides to count the boxes by, where they are not to be those at this detector's input.
    """
    targets, side_px = seen.targets(detector), seen.input_boxes.side_px
    height_px, width_px = _usual_input(detector, seen.placement)
    grid, swept = detector.grid_for(height_px, width_px), size_sweep(detector, seen.placement)
    after_crop, zoom = _after_crop(detector, config, seen, cells)
    facts = AnchorFacts(
        input_px=(height_px, width_px),
        num_anchors=grid.num_anchors,
        matched_threshold=detector.matcher.matched_threshold,
        layers=layer_facts(grid, height_px, width_px),
        boxes=match_facts(seen.truth, side_px if sides_px is None else sides_px, targets, cells),
        after_crop=after_crop,
        crop_zoom=zoom,
        sweep=swept,
        holes=hole_facts(swept, seen.truth, side_px, cells.splits),
        layer_ambiguity=_ambiguity(seen, grid, detector.matcher),
        mined=_mined(detector, config, images, seen, targets, cells),
    )
    return facts, targets


def size_sweep(detector: Detector, placement: Placement) -> Sweep:
    """Which sizes of square boxes, in px of the input that most photos come to, the anchors reach."""
    return _swept(detector, *_usual_input(detector, placement))


@lru_cache(maxsize=8)
def _swept(detector: Detector, height_px: int, width_px: int) -> Sweep:
    """The sweep depends on the detector alone, and takes longer than most of what else is asked of it."""
    sides = np.geomspace(MIN_SIDE_PX, min(height_px, width_px), NUM_SIDES).tolist()
    grid = detector.grid_for(height_px, width_px)
    return sweep(grid, detector.matcher, sides, height=height_px, width=width_px, seed=SEED)


def _usual_input(detector: Detector, placement: Placement) -> tuple[int, int]:
    shapes, group = _inputs(placement)
    if not len(shapes):
        return _any_input(detector)
    height_px, width_px = shapes[np.bincount(group).argmax()]
    return int(height_px), int(width_px)


def _ambiguity(seen: SeenTruth, grid: AnchorGrid, matcher: Matcher) -> float | None:
    boxes = seen.boxes[(seen.truth["split"] == TRAIN) & np.isfinite(seen.boxes).all(axis=1)]
    return layer_ambiguity(grid, matcher, placed(boxes)) if len(boxes) else None


def _after_crop(
    detector: Detector, config: TrainEvalPipelineConfig, seen: SeenTruth, cells: Cells
) -> tuple[tuple[MatchFacts, ...], float | None]:
    """What the matcher makes of the train boxes that are left after the config's random crop, if it has one.

    Boxes that are not finite are left out: nothing can be cropped of them.
    """
    operations = crop_operations(config.train_config.data_augmentation_options)
    is_finite = np.isfinite(seen.boxes).all(axis=1)
    truth = seen.truth[(seen.truth["split"] == TRAIN) & is_finite].reset_index(drop=True)
    if not operations or truth.empty:
        return (), None
    index = pd.factorize(truth["image_id"])[0]
    first = np.unique(index, return_index=True)[1]
    sizes_px = truth[["width_px", "height_px"]].iloc[first].fillna(1).to_numpy(np.int64)
    rounds = int(np.clip(-(-NUM_CROPS // len(first)), 1, MAX_CROP_ROUNDS))
    xyxy = truth[list(COORDINATES)].to_numpy(np.float32)
    cropped = ssd_random_crop(
        xyxy, index, sizes_px, np.random.default_rng(SEED), operations=operations, num_rounds=rounds
    )
    return _matched_crops(detector, truth, sizes_px, cropped, cells), float(np.median(cropped.zoom))


def _matched_crops(
    detector: Detector, truth: pd.DataFrame, sizes_px: np.ndarray, cropped: CroppedBoxes, cells: Cells
) -> tuple[MatchFacts, ...]:
    windows = cropped.windows[cropped.image_index]
    photo_px = sizes_px[cropped.image_index % len(sizes_px)]
    crop_px = np.maximum(np.round((windows[:, 2:] - windows[:, :2]) * photo_px), 1).astype(np.int64)
    placement = detector.resizer.placement(crop_px[:, 1], crop_px[:, 0])
    boxes = placement.to_input(cropped.boxes)
    targets = match_inputs(detector, boxes, cropped.image_index, placement)
    side_px = InputBoxes(boxes, placement.width_px, placement.height_px).side_px
    return match_facts(truth.iloc[cropped.source].reset_index(drop=True), side_px, targets, cells)


def crop_operations(steps: Sequence[PreprocessingStep]) -> tuple[CropOperation, ...]:
    """The operations of the first random crop among the augmentation steps; none where there is no such step.

    Of the crops that TFOD has, ssd_random_crop and random_crop_image are simulated.
    """
    for step in steps:
        kind = step.WhichOneof("preprocessing_step")
        if kind == "ssd_random_crop":
            return tuple(map(_operation, step.ssd_random_crop.operations)) or SSD_RANDOM_CROP
        if kind == "random_crop_image":
            return (_operation(step.random_crop_image),)
    return ()


def _operation(message: object) -> CropOperation:
    return CropOperation(**{field.name: getattr(message, field.name) for field in fields(CropOperation)})


def _mined(  # noqa: PLR0913, PLR0917 - all that a pass over the data depends on
    detector: Detector,
    config: TrainEvalPipelineConfig,
    images: pd.DataFrame,
    seen: SeenTruth,
    targets: Targets,
    cells: Cells,
) -> tuple[MinedFacts, ...]:
    photos = usable_photos(images, cells)
    place = pd.Index(photos["image_id"]).get_indexer(pd.Index(seen.truth["image_id"].unique()))
    positives, ignored = np.zeros(len(photos), np.int64), np.zeros(len(photos), np.int64)
    positives[place] = np.bincount(seen.image_index, targets.num_positive_anchors, minlength=len(place))
    ignored[place] = targets.num_ignored_anchors
    height, width = (photos[name].fillna(1).to_numpy(np.int64) for name in ("height_px", "width_px"))
    placement = detector.resizer.placement(height, width)
    available = _num_anchors(detector, placement) - positives - ignored
    taken = _taken(config, positives, available)
    rows = [(photos["split"] == split).to_numpy() for split in cells.splits]
    return tuple(
        MinedFacts(split, int(own.sum()), *(int(values[own].sum()) for values in (positives, taken, available)))
        for split, own in zip(cells.splits, rows, strict=True)
    )


def _num_anchors(detector: Detector, placement: Placement) -> np.ndarray:
    shapes, group = _inputs(placement)
    num_anchors = np.array([detector.grid_for(*each).num_anchors for each in shapes], np.int64)
    return np.asarray(num_anchors[group])


def _taken(config: TrainEvalPipelineConfig, positives: np.ndarray, available: np.ndarray) -> np.ndarray:
    loss = config.model.ssd.loss
    if not loss.HasField("hard_example_miner"):
        return available
    miner: HardExampleMiner = loss.hard_example_miner
    return mined_negatives(
        positives,
        available,
        max_negatives_per_positive=max(miner.max_negatives_per_positive, 0) or None,
        min_negatives_per_image=miner.min_negatives_per_image,
        num_hard_examples=max(miner.num_hard_examples, 0) or None,
    )
