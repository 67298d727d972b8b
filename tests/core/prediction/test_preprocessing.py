"""Laws of the input of a network; TensorFlow is the oracle."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from oidata.core.config.pipeline import with_values
from oidata.core.prediction.preprocessing import Normaliser, Preprocessing
from oidata.errors import ConfigError
from oidata.io.configs import read_config
from oidata.io.model_photos import resize

PADDED = {
    "model.ssd.image_resizer.keep_aspect_ratio_resizer.min_dimension": 20,
    "model.ssd.image_resizer.keep_aspect_ratio_resizer.max_dimension": 40,
    "model.ssd.image_resizer.keep_aspect_ratio_resizer.pad_to_max_dimension": True,
}


def photo(height_px: int, width_px: int) -> np.ndarray:
    return np.random.default_rng(height_px).integers(0, 256, (height_px, width_px, 3), dtype=np.uint8)


def test_photos_are_resized_as_tensorflow_resizes_them() -> None:
    """Whether they grow or shrink, every pixel is that of the function which TFOD's resizer calls."""
    import tensorflow as tf

    sizes = st.integers(1, 70)

    @settings(max_examples=25)
    @given(sizes, sizes, sizes, sizes)
    def check(height_px: int, width_px: int, new_height_px: int, new_width_px: int) -> None:
        pixels = photo(height_px, width_px)
        expected = tf.compat.v1.image.resize(tf.cast(pixels, tf.float32)[None], (new_height_px, new_width_px))[0]
        found = resize(pixels, new_height_px, new_width_px)
        assert found.dtype == np.float32
        np.testing.assert_array_equal(found, expected)

    check()


def test_mobilenets_take_pixels_in_a_unit_range() -> None:
    """Black is -1 and white 1; the photo is squashed to the input and fills it."""
    pixels = np.zeros((2, 4, 3), np.uint8)
    pixels[:, 2:] = 255
    prepared, window = Preprocessing.of(read_config("oid_v4")).prepared(pixels, resize)
    assert prepared.shape == (300, 300, 3)
    assert (prepared.min(), prepared.max(), window) == (-1, 1, (1.0, 1.0))


def test_a_photo_that_keeps_its_shape_is_padded_below_and_at_the_right() -> None:
    """Padding is black before it is normalised; the window says which share of the input the photo fills."""
    config = with_values(read_config("oid_v4"), PADDED, "padded")
    prepared, window = Preprocessing.of(config).prepared(np.full((10, 40, 3), 255, np.uint8), resize)
    assert prepared.shape == (40, 40, 3)
    assert window == (1.0, 0.25)
    assert (prepared[:10] == 1).all()
    assert (prepared[10:] == -1).all()


def test_resnets_take_pixels_about_the_mean_of_imagenet() -> None:
    """The channels' means are subtracted, and nothing is scaled."""
    normalised = Normaliser.of("ssd_resnet50_v1_fpn_keras").normalised(np.full((1, 1, 3), 255, np.float32))
    np.testing.assert_allclose(normalised[0, 0], [255 - 123.68, 255 - 116.779, 255 - 103.939], rtol=1e-6)


@pytest.mark.parametrize(
    "path, value, fault",
    [
        ("model.ssd.feature_extractor.type", "ssd_inception_v2", "ssd_inception_v2"),
        ("model.ssd.image_resizer.fixed_shape_resizer.resize_method", "AREA", "resize_method"),
        ("model.ssd.image_resizer.fixed_shape_resizer.convert_to_grayscale", True, "convert_to_grayscale"),
        ("model.ssd.image_resizer", None, "no image_resizer"),
    ],
)
def test_an_input_that_cannot_be_made_is_refused(path: str, value: str | None, fault: str) -> None:
    """ConfigError names the extractor, or what of the resizer is not followed."""
    with pytest.raises(ConfigError, match=fault):
        Preprocessing.of(with_values(read_config("oid_v4"), {path: value}, "other"))
