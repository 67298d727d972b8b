"""Laws of the suggestion: what it is measured by, and when there is none."""

import json
from dataclasses import asdict, fields, replace

import numpy as np
import pytest
from google.protobuf import text_format
from hypothesis import given
from hypothesis import strategies as st

from oidata.core.auditing.suggestion import (
    MIN_GAIN,
    MIN_PHOTOS,
    NUM_STANDARD_ERRORS,
    Comparison,
    Score,
    Suggestion,
    _Compared,
    _judged,
    _mean_less_error,
    suggest,
)
from oidata.core.config.pipeline_pb2 import AnchorGenerator
from oidata.core.matcher.anchors import AnchorGrid, MultiscaleAnchors, SsdAnchors
from oidata.core.matcher.search import Anchors, GroundTruth
from oidata.core.matcher.targets import Matcher, match

SSD = SsdAnchors(num_layers=4, aspect_ratios=(1.0, 2.0, 0.5))


def grid_of(anchors: Anchors) -> AnchorGrid:
    """The anchors on the four finest feature maps of SSD MobileNet V2 at 300 px."""
    return anchors.grid([(19, 19), (10, 10), (5, 5), (3, 3)], 300, 300)


def lognormal(side: float, num_photos: int, seed: int) -> GroundTruth:
    """Two boxes in each photo, of two classes: sides about `side` and many shapes, as photos have them."""
    rng = np.random.default_rng(seed)
    sides = np.clip(side * np.exp(rng.normal(0, 0.3, (2 * num_photos, 1))), 0.02, 0.9)
    sizes = np.minimum(sides * np.exp([0.5, -0.5] * rng.normal(0, 0.3, sides.shape)), 0.95)
    corners = rng.random(sizes.shape) * (1 - sizes)
    boxes = np.concatenate((corners, corners + sizes), axis=1).astype(np.float32)
    return GroundTruth(boxes, np.repeat(np.arange(num_photos), 2), np.array(["/m/1", "/m/2"] * num_photos))


def of_anchors(num_photos: int, seed: int) -> GroundTruth:
    """A box in each photo that is one of SSD's anchors."""
    anchors = grid_of(SSD).boxes()
    inside = anchors[((anchors >= 0) & (anchors <= 1)).all(axis=1)]
    boxes = np.random.default_rng(seed).choice(inside, num_photos)
    return GroundTruth(boxes, np.arange(num_photos), np.array(["/m/1"] * num_photos))


def compared(gain: float, min_gain: float, *class_gains: float) -> _Compared:
    """A split of 100 boxes in each class, half of which match now."""
    rows = [
        Comparison(mid, 100, Score(0.5, 2.0, 0.0), Score(0.5 + each, 2.0, 0.0))
        for mid, each in zip(("", "/m/1", "/m/2"), (gain, *class_gains), strict=False)
    ]
    return _Compared(tuple(rows), min_gain)


def test_small_boxes_lead_to_a_suggestion() -> None:
    """Where boxes are smaller than the anchors, a suggestion matches more of validation, of each class, and says so."""
    train, validation = lognormal(0.1, 250, seed=0), lognormal(0.1, 100, seed=1)
    outcome = suggest(SSD, grid_of, Matcher(), train, validation)
    assert outcome.suggestion is not None
    found = outcome.suggestion
    assert [row.mid for row in found.validation] == ["", "/m/1", "/m/2"]
    assert [row.num_boxes for row in found.validation] == [200, 100, 100]
    targets = match(validation.boxes, validation.image_index, grid_of(found.anchors), Matcher())
    assert found.validation[0].suggested == Score.of(targets, np.ones(200, bool))
    assert found.validation[0].gain >= MIN_GAIN
    assert 0 < found.min_gain < found.validation[0].gain
    assert not any(row.is_loss for row in (*found.train, *found.validation))
    assert f"{100 * found.validation[0].gain:+.1f} %" in outcome.reason
    json.dumps(asdict(found))


def test_boxes_of_the_anchors_own_sizes_lead_to_none() -> None:
    """Where every box is an anchor nothing is better, and the outcome says so instead."""
    outcome = suggest(SSD, grid_of, Matcher(), of_anchors(300, seed=0), of_anchors(100, seed=1))
    assert outcome.suggestion is None
    assert outcome.reason.startswith("No")


def test_what_holds_on_train_alone_is_not_suggested() -> None:
    """Anchors that are better for small boxes are not suggested where validation has large ones."""
    outcome = suggest(SSD, grid_of, Matcher(), lognormal(0.1, 150, seed=0), lognormal(0.5, 100, seed=1))
    assert outcome.suggestion is None
    assert "validation" in outcome.reason


@pytest.mark.parametrize("num_train, num_validation, name", [(0, 40, "train"), (40, MIN_PHOTOS - 1, "validation")])
def test_too_few_photos_say_nothing(num_train: int, num_validation: int, name: str) -> None:
    """Without enough photos in a split there is no search, and the reason names the split."""
    outcome = suggest(SSD, grid_of, Matcher(), lognormal(0.1, num_train, 0), lognormal(0.1, num_validation, 1))
    assert outcome.suggestion is None
    assert outcome.reason.startswith(name)


@pytest.mark.parametrize(
    "train, validation, reason",
    [
        (compared(0.2, 0.1), compared(MIN_GAIN / 2, 0.001), "No gain"),
        (compared(0.2, 0.1), compared(-0.1, -0.2), "No gain"),
        (compared(0.2, 0.1), compared(0.1, -0.01), "No sure gain"),
        (compared(0.2, 0.1, 0.5, -0.03), compared(0.1, 0.05, 0.1, 0.1), "A class loses"),
        (compared(0.2, 0.1, 0.1, 0.1), compared(0.1, 0.05, -0.03, 0.2), "A class loses"),
        (compared(0.2, 0.1, 0.1, 0.1), compared(0.1, 0.05, -0.02, 0.2), "A gain"),
    ],
)
def test_when_there_is_a_suggestion(train: _Compared, validation: _Compared, reason: str) -> None:
    """There is one where validation gains enough, surely, and no class of either split loses more than 2 %."""
    outcome = _judged(SSD, train, validation, {})
    assert outcome.reason.startswith(reason)
    assert (outcome.suggestion is not None) == (reason == "A gain")


def test_a_class_that_loses_is_named() -> None:
    """The reason gives the name of a class, and its MID where the name is not known."""
    train, validation = compared(0.2, 0.1, 0.5, -0.03), compared(0.1, 0.05, 0.1, 0.1)
    mid = next(row.mid for row in train.rows if row.is_loss)
    assert _judged(SSD, train, validation, {mid: "Lemon"}).reason.endswith(" of those of Lemon.")
    assert _judged(SSD, train, validation, {}).reason.endswith(f" of those of {mid}.")


def test_a_single_box_is_no_loss() -> None:
    """A class of ten boxes may lose one of them, not two."""
    now = Score(1.0, 1.0, 0.0)
    losses = [Comparison("/m/1", 10, now, Score(share, 1.0, 0.0)).is_loss for share in (0.9, 0.8)]
    assert losses == [False, True]


@given(st.lists(st.sampled_from([-1.0, 0.0, 1.0]), min_size=2, max_size=40))
def test_with_one_box_in_a_photo_the_error_is_the_usual_one(values: list[float]) -> None:
    """Then the standard error is the standard deviation over the root of the number."""
    mean, error = np.mean(values), np.std(values, ddof=1) / len(values) ** 0.5
    found = _mean_less_error(np.array(values), np.arange(len(values)))
    assert found == pytest.approx(mean - NUM_STANDARD_ERRORS * error)


@given(st.lists(st.sampled_from([-1.0, 0.0, 1.0]), min_size=2, max_size=20), st.integers(2, 5))
def test_boxes_that_only_repeat_others_of_their_photo_add_nothing(values: list[float], times: int) -> None:
    """Boxes of a photo that change together count as one: they make the gain no surer."""
    index = np.arange(len(values))
    once = _mean_less_error(np.array(values), index)
    repeated = _mean_less_error(np.repeat(values, times), np.repeat(index, times))
    assert repeated == pytest.approx(once)


@pytest.mark.parametrize(
    "anchors",
    [
        SSD,
        replace(SSD, min_scale=float(np.float32(0.07)), max_scale=0.6, reduce_boxes_in_lowest_layer=False),
        replace(SSD, scales=(0.1, 0.2, 0.3, 0.4), interpolated_scale_aspect_ratio=0.0, base_anchor_height=0.5),
        replace(SSD, height_stride=(16.0,) * 4, width_stride=(16.0,) * 4),
        MultiscaleAnchors(anchor_scale=2.5, aspect_ratios=(1.0, 0.333), scales_per_octave=3),
        MultiscaleAnchors(min_level=2, aspect_ratios=(1.0,), normalize_coordinates=False),
    ],
)
def test_the_patch_is_the_generator(anchors: Anchors) -> None:
    """Parsed as a pipeline.config's anchor_generator, the patch has every field as suggested."""
    text = Suggestion(anchors, (), (), 0.0).patch()
    assert text.startswith("anchor_generator {\n")
    message = text_format.Parse(text.split("{", 1)[1].rsplit("}", 1)[0], AnchorGenerator())
    parsed = getattr(message, str(message.WhichOneof("anchor_generator_oneof")))
    for field in fields(anchors):
        value, found = getattr(anchors, field.name), getattr(parsed, field.name)
        if field.name not in {"min_scale", "max_scale"} or not getattr(anchors, "scales", ()):
            assert (list(found) if isinstance(value, tuple) else found) == pytest.approx(
                list(value) if isinstance(value, tuple) else value
            )


def test_the_patch_is_as_a_person_writes_it() -> None:
    """Fields in the proto's order, repeated ones once for each value, floats with no more digits than they hold."""
    anchors = SsdAnchors(num_layers=2, min_scale=float(np.float32(0.07)), aspect_ratios=(1.0, float(np.float32(0.333))))
    assert Suggestion(anchors, (), (), 0.0).patch() == (
        "anchor_generator {\n"
        "  ssd_anchor_generator {\n"
        "    num_layers: 2\n"
        "    min_scale: 0.07\n"
        "    max_scale: 0.95\n"
        "    aspect_ratios: 1.0\n"
        "    aspect_ratios: 0.333\n"
        "  }\n"
        "}\n"
    )
