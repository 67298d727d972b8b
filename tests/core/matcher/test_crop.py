"""Laws of the simulated crops, and what TensorFlow itself draws."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from oidata.core.matcher.anchors import AnchorGrid, MultiscaleAnchors, SsdAnchors
from oidata.core.matcher.crop import SSD_RANDOM_CROP, CropOperation, CroppedBoxes, ssd_random_crop
from oidata.errors import ConfigError

ALWAYS = replace(SSD_RANDOM_CROP[0], random_coef=0.0)
OPERATIONS = st.builds(
    CropOperation,
    min_object_covered=st.sampled_from([0.0, 0.3, 0.7, 1.0]),
    min_aspect_ratio=st.sampled_from([0.5, 0.75]),
    max_aspect_ratio=st.sampled_from([1.0, 2.0]),
    min_area=st.sampled_from([0.1, 0.5]),
    max_area=st.sampled_from([0.7, 1.0]),
    overlap_thresh=st.sampled_from([0.0, 0.3, 1.0]),
    clip_boxes=st.booleans(),
    random_coef=st.sampled_from([0.0, 0.5]),
)


def photos(seed: int, num_images: int = 6, num_boxes: int = 12) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Boxes in [0, 1] with an area, their photos (some have none), and the photos' sizes in pixels."""
    rng = np.random.default_rng(seed)
    ends = np.sort(rng.random((num_boxes, 2, 2)), axis=1)
    boxes = np.concatenate((ends[:, 0], np.minimum(ends[:, 1] + 0.02, 1)), axis=1).astype(np.float32)
    return boxes, np.sort(rng.integers(num_images, size=num_boxes)), rng.integers(200, 1024, (num_images, 2))


def share_inside(boxes: np.ndarray, windows: np.ndarray) -> np.ndarray:
    """Of each box's area, the share in its window, in double precision."""
    boxes, windows = boxes.astype(np.float64), windows.astype(np.float64)
    sides = np.minimum(boxes[:, 2:], windows[:, 2:]) - np.maximum(boxes[:, :2], windows[:, :2])
    return np.asarray(np.maximum(sides, 0).prod(axis=1) / (boxes[:, 2:] - boxes[:, :2]).prod(axis=1))


def one_box(box: tuple[float, ...], size_px: tuple[int, int], operation: CropOperation, num: int) -> CroppedBoxes:
    """A photo with one box, or none, cropped `num` times."""
    boxes = np.array(box, np.float32).reshape(-1, 4)
    index = np.zeros(len(boxes), np.int64)
    rng = np.random.default_rng(0)
    return ssd_random_crop(boxes, index, np.array([size_px]), rng, operations=(operation,), num_rounds=num)


@settings(max_examples=40)
@given(st.integers(0, 999), OPERATIONS)
def test_a_window_is_as_the_operation_wants_it(seed: int, operation: CropOperation) -> None:
    """A window lies in its photo, has the area and the shape asked for, and is the whole photo unless it is a crop."""
    boxes, image_index, sizes_px = photos(seed)
    found = ssd_random_crop(
        boxes, image_index, sizes_px, np.random.default_rng(seed), operations=(operation,), num_rounds=3
    )
    assert found.windows.shape == (18, 4)
    assert (found.windows[~found.is_cropped] == [0, 0, 1, 1]).all()
    assert (found.zoom[~found.is_cropped] == 1).all()
    windows_px = found.windows[found.is_cropped] * np.tile(np.tile(sizes_px, 2), (3, 1))[found.is_cropped]
    assert windows_px == pytest.approx(windows_px.round(), abs=1e-3)
    assert ((found.windows >= 0) & (found.windows <= 1)).all()
    widths_px, heights_px = (windows_px[:, 2:] - windows_px[:, :2]).T
    areas = widths_px * heights_px / np.tile(sizes_px.prod(axis=1), 3)[found.is_cropped]
    assert (areas > operation.min_area - 1e-6).all()
    assert (areas < operation.max_area + 1e-6).all()
    assert (widths_px + 0.51 > operation.min_aspect_ratio * heights_px).all()
    assert (widths_px - 0.51 < operation.max_aspect_ratio * heights_px).all()
    assert found.zoom[found.is_cropped] == pytest.approx(areas**-0.5, rel=1e-4)


@settings(max_examples=40)
@given(st.integers(0, 999), OPERATIONS)
def test_a_crop_covers_enough_of_one_box(seed: int, operation: CropOperation) -> None:
    """Where a photo has boxes, a crop of it holds at least min_object_covered of one of them, to within a pixel."""
    boxes, image_index, sizes_px = photos(seed)
    found = ssd_random_crop(boxes, image_index, sizes_px, np.random.default_rng(seed), operations=(operation,))
    for image in np.flatnonzero(found.is_cropped):
        of_image = boxes[image_index == image]
        if len(of_image):
            pixels = np.tile(sizes_px[image], 2)
            whole_px = np.floor(of_image * pixels)
            share = share_inside(whole_px, np.tile(np.rint(found.windows[image] * pixels), (len(of_image), 1)))
            assert share.max() >= operation.min_object_covered - 1e-6


@settings(max_examples=40)
@given(st.integers(0, 999), OPERATIONS)
def test_exactly_the_boxes_with_enough_inside_stay(seed: int, operation: CropOperation) -> None:
    """After a crop those boxes are left of which at least overlap_thresh is inside; a photo left whole keeps all."""
    boxes, image_index, sizes_px = photos(seed)
    found = ssd_random_crop(
        boxes, image_index, sizes_px, np.random.default_rng(seed), operations=(operation,), num_rounds=2
    )
    kept = set(zip(found.source.tolist(), found.image_index.tolist(), strict=True))
    assert len(kept) == len(found.source)
    for row, image in enumerate(image_index):
        for crop in (image, image + len(sizes_px)):
            share = share_inside(boxes[[row]], found.windows[[crop]])[0]
            if abs(share - operation.overlap_thresh) > 1e-5 or share == 0:
                assert ((row, crop) in kept) == (share > 0 and share >= operation.overlap_thresh)


@settings(max_examples=40)
@given(st.integers(0, 999), OPERATIONS)
def test_boxes_are_in_the_coordinates_of_their_crop(seed: int, operation: CropOperation) -> None:
    """Put back into the photo, a box is the part of its original in the window, or all of it if it is not clipped."""
    boxes, image_index, sizes_px = photos(seed)
    found = ssd_random_crop(boxes, image_index, sizes_px, np.random.default_rng(seed), operations=(operation,))
    windows = found.windows[found.image_index]
    back = found.boxes * np.tile(windows[:, 2:] - windows[:, :2], 2) + np.tile(windows[:, :2], 2)
    expected = boxes[found.source]
    if operation.clip_boxes:
        assert ((found.boxes >= 0) & (found.boxes <= 1)).all()
        expected = np.clip(expected, np.tile(windows[:, :2], 2), np.tile(windows[:, 2:], 2))
    assert back == pytest.approx(expected, abs=1e-5)
    assert found.boxes.dtype == np.float32


@settings(max_examples=40)
@given(st.integers(0, 999), st.integers(1, 4))
def test_crops_are_numbered_as_the_matcher_wants_photos(seed: int, num_rounds: int) -> None:
    """The boxes of a crop stand together in ground-truth order, and belong to the photo whose number the crop has."""
    boxes, image_index, sizes_px = photos(seed)
    found = ssd_random_crop(boxes, image_index, sizes_px, np.random.default_rng(seed), num_rounds=num_rounds)
    assert (np.diff(found.image_index * len(boxes) + found.source) > 0).all()
    assert (found.image_index % len(sizes_px) == image_index[found.source]).all()
    assert len(found.windows) == num_rounds * len(sizes_px)


def test_the_seed_decides_the_crops() -> None:
    """The same generator gives the same crops, and each round draws anew."""
    boxes, image_index, sizes_px = photos(0)
    one, same = (
        ssd_random_crop(boxes, image_index, sizes_px, np.random.default_rng(7), num_rounds=2) for _ in range(2)
    )
    assert (one.windows == same.windows).all()
    assert (one.boxes == same.boxes).all()
    assert (one.windows[: len(sizes_px)] != one.windows[len(sizes_px) :]).any()


def test_a_photo_that_is_not_tried_keeps_its_boxes_to_the_bit() -> None:
    """With random_coef 1 no photo is cropped, and even boxes beyond its edge or without an area stay as they are."""
    boxes = np.array([[-0.1, 0.3, 1.2, 0.7], [0.1, 0.1, 0.1, 0.9]], np.float32)
    never = replace(SSD_RANDOM_CROP[-1], random_coef=1.0)
    found = ssd_random_crop(
        boxes, np.zeros(2, np.int64), np.array([[640, 480]]), np.random.default_rng(0), operations=(never,)
    )
    assert not found.is_cropped.any()
    assert (found.boxes == boxes).all()


def test_a_window_that_cannot_be_found_is_the_whole_photo() -> None:
    """After the last attempt the photo is taken whole; its boxes are clipped, and those without an area are lost."""
    boxes = np.array([[-0.1, 0.3, 1.2, 0.7], [0.1, 0.1, 0.1, 0.9]], np.float32)
    never = replace(ALWAYS, min_object_covered=1.5)
    found = ssd_random_crop(
        boxes, np.zeros(2, np.int64), np.array([[640, 480]]), np.random.default_rng(0), operations=(never,)
    )
    assert not found.is_cropped.any()
    assert found.source.tolist() == [0]
    assert found.boxes == pytest.approx(np.array([[0, 0.3, 1, 0.7]], np.float32))


def test_a_crop_may_lose_every_box() -> None:
    """With min_object_covered 0 any window will do, and a small box is not in all of them: nothing falls back."""
    found = one_box((0.1, 0.1, 0.2, 0.2), (640, 480), ALWAYS, 2000)
    assert 0 < len(found.source) < 1500
    assert found.is_cropped.all()


@pytest.mark.parametrize("share, cropped", [(0.5, 0.99), (1.0, 0.0)])
def test_without_boxes_the_photo_is_what_a_crop_must_cover(share: float, cropped: float) -> None:
    """In a photo without boxes a crop holds min_object_covered of the photo itself, so none where that is all of it."""
    found = one_box((), (640, 480), replace(ALWAYS, min_object_covered=share), 500)
    areas = found.zoom**-2.0
    assert (areas >= share - 1e-5).all()
    assert found.is_cropped.mean() == pytest.approx(cropped, abs=0.011)
    assert found.boxes.shape == (0, 4)


def test_a_photo_of_four_pixels_can_be_counted_through() -> None:
    """Squares of 1 to 4 px are drawn alike, those of 1 px are too small and grow, and only the whole has a far edge.

    So half of the windows have sides of 2 px and begin at 0 or 1, a quarter has 3 px and begins at 0, and a quarter is
    the photo.
    """
    operation = replace(ALWAYS, min_aspect_ratio=1.0, max_aspect_ratio=1.0)
    windows_px = one_box((0.0, 0.0, 1.0, 1.0), (4, 4), operation, 20_000).windows * 4
    places, numbers = np.unique(windows_px, axis=0, return_counts=True)
    counts = dict(zip(map(tuple, places.tolist()), numbers / 20_000, strict=True))
    twos = {(x, y, x + 2, y + 2): 1 / 8 for x in (0, 1) for y in (0, 1)}
    assert counts == pytest.approx({**twos, (0, 0, 3, 3): 1 / 4, (0, 0, 4, 4): 1 / 4}, abs=0.02)


def test_a_box_that_is_just_inside_enough_stays() -> None:
    """The threshold is a lower bound that may be met: a box wholly inside has a share of 1, and stays at 1."""
    found = one_box(
        (0.25, 0.25, 0.5, 0.5), (640, 640), replace(ALWAYS, min_object_covered=1.0, overlap_thresh=1.0), 500
    )
    assert found.is_cropped.all()
    assert len(found.source) == 500


@pytest.mark.parametrize("side_px, is_cropped", [(0.9, False), (1.0, True)])
def test_a_box_of_less_than_a_pixel_covers_nothing(side_px: float, is_cropped: bool) -> None:  # noqa: FBT001 - a column
    """No window covers a share of a box without a pixel, not even the share 0; one pixel is enough."""
    found = one_box((0.0, 0.0, side_px / 640, side_px / 640), (640, 640), ALWAYS, 20)
    assert (found.is_cropped == is_cropped).all()


# Of 20,000 windows each, drawn with tf.image.sample_distorted_bounding_box of TensorFlow 2.21 (aspect ratios 0.5 to 2,
# areas 0.1 to 1, 100 attempts): the mean window, the 10, 50 and 90 % quantiles of its area, and how often it is the
# whole photo.
TENSORFLOW = [
    (0.5, (0.02, 0.05, 0.98, 0.9), (640, 1024), (0.0679, 0.1547, 0.9293, 0.8295, 0.4352, 0.5444, 0.7780, 0.0)),
    (0.9, (0.02, 0.05, 0.98, 0.9), (640, 1024), (0.0218, 0.0327, 0.9770, 0.9550, 0.7829, 0.8694, 1.0, 0.1978)),
    (1.0, (0.3, 0.3, 0.6, 0.7), (1024, 300), (0.2269, 0.0589, 0.6734, 0.9378, 0.2779, 0.3954, 0.5110, 0.0028)),
]


@pytest.mark.parametrize("share, box, size_px, expected", TENSORFLOW)
def test_windows_are_distributed_as_tensorflow_draws_them(
    share: float, box: tuple[float, ...], size_px: tuple[int, int], expected: tuple[float, ...]
) -> None:
    """Mean windows, quantiles of the area and the share of whole photos agree within the error of 20,000 draws."""
    found = one_box(box, size_px, replace(ALWAYS, min_object_covered=share), 20_000)
    areas = np.quantile(found.zoom**-2.0, [0.1, 0.5, 0.9])
    assert [*found.windows.mean(axis=0), *areas, 1 - found.is_cropped.mean()] == pytest.approx(expected, abs=0.01)


def test_the_default_crops_most_photos_and_zooms_in() -> None:
    """About 85 % of photos are cropped; a side grows by 1.3 times in the median, and by 2.1 in every tenth.

    Simulations elsewhere give 1.26 and 2.2; the figures depend on the boxes, here one square of 0.1 to 0.9 each.
    """
    rng = np.random.default_rng(0)
    sides = rng.uniform(0.1, 0.9, (10_000, 1))
    places = rng.random((10_000, 2)) * (1 - sides)
    boxes = np.concatenate((places, places + sides), axis=1).astype(np.float32)
    found = ssd_random_crop(boxes, np.arange(10_000), np.tile([1024, 768], (10_000, 1)), rng)
    assert found.is_cropped.mean() == pytest.approx(0.85, abs=0.03)
    assert np.quantile(found.zoom, [0.5, 0.9]) == pytest.approx([1.3, 2.1], abs=0.05)
    assert found.zoom.min() >= 1


@pytest.mark.parametrize(
    "field, value",
    [
        ("min_area", 0.0),
        ("max_area", 1.01),
        ("min_aspect_ratio", 0.0),
        ("max_aspect_ratio", -1.0),
        ("min_object_covered", -0.1),
    ],
)
def test_what_tensorflow_refuses_is_refused(field: str, value: float) -> None:
    """A range on which the kernel stops is a ConfigError that names it, and says that an unset field is 0."""
    changes: dict[str, Any] = {field: value}
    with pytest.raises(ConfigError, match=field.split("_")[1]) as error:
        CropOperation(**changes)
    assert "leaves out is 0" in error.value.hint


def mirrors(grid: AnchorGrid) -> list[bool]:
    """For each layer, whether a flip of the photo gives the same columns of anchors."""
    return [np.allclose(1 - layer.xmax[::-1], layer.xmin, atol=1e-6) for layer in grid.layers]


def test_a_flip_changes_no_match_where_the_grid_is_its_mirror_image() -> None:
    """The SSD grid is its own mirror image; of an FPN at 320 px all levels are but the last, of stride 128."""
    maps = [(cells, cells) for cells in (19, 10, 5, 3, 2, 1)]
    assert all(mirrors(SsdAnchors(aspect_ratios=(1.0, 2.0)).grid(maps, 300, 300)))
    maps = [(cells, cells) for cells in (40, 20, 10, 5, 3)]
    assert mirrors(MultiscaleAnchors(aspect_ratios=(1.0,)).grid(maps, 320, 320)) == [True] * 4 + [False]
