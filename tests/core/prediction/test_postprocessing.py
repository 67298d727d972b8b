"""Laws of what turns the raw outputs of an SSD into detections; TFOD's published vectors and TensorFlow are oracles."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from oidata.core.config.pipeline import PipelineConfig, with_values
from oidata.core.prediction.postprocessing import BoxCoder, PostProcessing, RawDetections, Suppression, _in_order
from oidata.errors import ConfigError
from oidata.io.configs import read_config

# TFOD's box_coders/faster_rcnn_box_coder_test.py, here in xyxy; the codes of the second test have scales 2, 3, 4, 5.
BOXES = np.array([[10, 10, 15, 20], [0.1, 0.2, 0.4, 0.5]], np.float32)
ANCHORS = np.array([[12, 15, 18, 30], [0, 0.1, 0.9, 0.7]], np.float32)
CODES = np.array([[-0.5, -0.416666, -0.405465, -0.182321], [-0.083333, -0.222222, -0.693147, -1.098612]], np.float32)
SCALED = np.array([[-1.0, -1.25, -1.62186, -0.911608], [-0.166667, -0.666667, -2.772588, -5.493062]], np.float32)

# TFOD's core/multiclass_nms_test.py, here in xyxy.
PILE = np.array(
    [
        [0, 0, 1, 1],
        [0.1, 0, 1.1, 1],
        [-0.1, 0, 0.9, 1],
        [10, 0, 11, 1],
        [10.1, 0, 11.1, 1],
        [100, 0, 101, 1],
        [1000, 0, 1002, 1],
        [1000, 0, 1002.1, 1],
    ],
    np.float32,
)
PILE_SCORES = np.array(
    [[0.9, 0.01], [0.75, 0.05], [0.6, 0.01], [0.95, 0], [0.5, 0.01], [0.3, 0.01], [0.01, 0.85], [0.01, 0.5]], np.float32
)
EVERYWHERE = (2000.0, 2000.0)

SIDES = st.integers(-2, 10).map(lambda eighths: eighths / 8)


def test_decoding_gives_the_published_boxes() -> None:
    """Without scales and with scales 2, 3, 4, 5 the boxes are those of TFOD's test of its box coder."""
    np.testing.assert_allclose(BoxCoder(1, 1, 1, 1).decode(CODES, ANCHORS), BOXES, rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(BoxCoder(2, 3, 4, 5).decode(SCALED, ANCHORS), BOXES, rtol=1e-4, atol=1e-4)


def test_no_encoding_overflows() -> None:
    """A box of any size that a network may ask for is finite."""
    decoded = BoxCoder().decode(np.full((1, 4), 1e4, np.float32), ANCHORS[1:])
    assert np.isfinite(decoded).all()


@pytest.mark.parametrize(
    "per_class, total, kept",
    [(4, 100, [3, 0, 6, 5]), (2, 100, [3, 0, 6]), (4, 2, [3, 0])],
)
def test_suppression_gives_the_published_detections(per_class: int, total: int, kept: list[int]) -> None:
    """Caps per class and in all leave what TFOD's tests of multiclass_non_max_suppression say."""
    found = Suppression(0.1, 0.5, per_class, total).detections(PILE, PILE_SCORES, EVERYWHERE)
    scores, classes = PILE_SCORES[kept].max(axis=1), PILE_SCORES[kept].argmax(axis=1)
    np.testing.assert_allclose(found.boxes * 2000, PILE[kept], rtol=1e-5, atol=1e-4)
    assert found.scores.tolist() == scores.tolist()
    assert found.class_ids.tolist() == (classes + 1).tolist()


def test_boxes_are_clipped_after_suppression() -> None:
    """A box of which nothing lies in the photo is dropped at the end; before, it counts and suppresses like others."""
    outside = np.array([[-1, 0, -0.25, 1], [-0.75, 0, 0.0625, 1], [0.5, 0, 1, 1]], np.float32)
    scores = np.array([[0.9], [0.8], [0.7]], np.float32)
    found = Suppression(0.0, 0.4, 1, 100).detections(outside, scores)
    assert len(found) == 0
    found = Suppression(0.0, 0.4, 2, 100).detections(outside, scores)
    assert found.boxes.tolist() == [[0.5, 0, 1, 1]]


def test_boxes_are_relative_to_the_photo_not_to_its_padding() -> None:
    """In an input that the photo fills to half its height, the photo's lower edge is 1."""
    found = Suppression().detections(np.array([[0, 0.25, 1, 0.9]], np.float32), np.ones((1, 1), np.float32), (1.0, 0.5))
    assert found.boxes.tolist() == [[0, 0.5, 1, 1]]


def test_at_equal_scores_the_lowest_class_then_the_lowest_index_is_first() -> None:
    """Ties are broken as TensorFlow's kernel and its top_k break them."""
    apart = np.array([[0, 0, 0.25, 1], [0.5, 0, 0.75, 1]], np.float32)
    found = Suppression().detections(apart, np.full((2, 2), 0.5, np.float32))
    assert found.class_ids.tolist() == [1, 1, 2, 2]
    assert found.boxes[:, 0].tolist() == [0, 0.5, 0, 0.5]


@pytest.mark.parametrize("is_class_agnostic", [False, True])
def test_detections_are_those_of_tensorflow(
    is_class_agnostic: bool,  # noqa: FBT001 - parametrised
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """For any boxes and scores, ties included, nothing differs from TensorFlow's kernel run class by class."""
    monkeypatch.setattr("oidata.core.prediction.postprocessing._BLOCK", 4)  # so that there are several

    @settings(max_examples=60)
    @given(drawn_boxes(6), arrays(np.float32, (6, 3), elements=st.sampled_from([0, 0.125, 0.25, 0.5, 0.75])))
    def check(boxes: np.ndarray, scores: np.ndarray) -> None:
        suppression = Suppression(0.125, 0.25, 2, 4, is_class_agnostic)
        found, expected = suppression.detections(boxes, scores), dense(suppression, boxes, scores)
        for name in ("boxes", "scores", "class_ids"):
            np.testing.assert_array_equal(getattr(found, name), getattr(expected, name))

    check()


def test_many_candidates_are_gone_through_in_order(monkeypatch: pytest.MonkeyPatch) -> None:
    """Scores are in order whether the best of them, with all their equals, are sorted apart or not."""
    scores = np.random.default_rng(0).integers(0, 9, 200).astype(np.float32)
    expected = sorted(np.flatnonzero(scores > 2).tolist(), key=lambda index: -scores[index])
    for many, block in ((1000, 1000), (7, 1000), (1000, 10), (50, 3)):
        monkeypatch.setattr("oidata.core.prediction.postprocessing._MANY", many)
        monkeypatch.setattr("oidata.core.prediction.postprocessing._BLOCK", block)
        assert np.concatenate(list(_in_order(scores, 2))).tolist() == expected


def drawn_boxes(number: int) -> st.SearchStrategy[np.ndarray]:
    """Boxes with an area, some of them outside of [0, 1], with sides that are often shared."""
    ends = st.lists(SIDES, min_size=2, max_size=2, unique=True).map(sorted)
    box = st.tuples(ends, ends).map(lambda pair: [pair[0][0], pair[1][0], pair[0][1], pair[1][1]])
    return st.lists(box, min_size=number, max_size=number).map(lambda rows: np.array(rows, np.float32))


def dense(suppression: Suppression, boxes: np.ndarray, scores: np.ndarray) -> RawDetections:
    """The same by TensorFlow, step by step as in TFOD's core/post_processing.py."""
    import tensorflow as tf

    columns = [scores.max(axis=1)] if suppression.is_class_agnostic else list(scores.T)
    cap = suppression.max_total_detections if suppression.is_class_agnostic else suppression.max_detections_per_class
    rows: list[tuple[float, int, int]] = []
    for label, column in enumerate(columns):
        chosen = tf.image.non_max_suppression(
            boxes[:, [1, 0, 3, 2]], column, cap, suppression.iou_threshold, suppression.score_threshold
        ).numpy()
        classes = scores.argmax(axis=1)[chosen] if suppression.is_class_agnostic else np.full(len(chosen), label)
        rows += zip(column[chosen].tolist(), classes.tolist(), chosen.tolist(), strict=True)
    rows.sort(key=lambda row: -row[0])  # stable, as top_k is
    clipped = np.clip(boxes, 0, 1)
    seen = (clipped[:, 2] > clipped[:, 0]) & (clipped[:, 3] > clipped[:, 1])
    left = [row for row in rows if seen[row[2]]][: suppression.max_total_detections]
    return RawDetections(
        clipped[[box for _, _, box in left]].reshape(-1, 4),
        np.array([score for score, _, _ in left], np.float32),
        np.array([label + 1 for _, label, _ in left], np.int64),
    )


@pytest.fixture
def oid() -> PipelineConfig:
    return read_config("oid_v4")


def test_a_config_says_how_scores_are_made(oid: PipelineConfig) -> None:
    """Sigmoid and softmax are of logits divided by logit_scale; the softmax is over the background too."""
    logits = np.array([[0, 2, -800], [1, 1, 1]], np.float32)
    path = "model.ssd.post_processing"
    sigmoid = PostProcessing.of(oid).scores(logits)
    np.testing.assert_allclose(sigmoid, [[0.5, 0.8807971, 0], [0.7310586] * 3], rtol=1e-6, atol=1e-30)
    softmax = with_values(oid, {f"{path}.score_converter": "SOFTMAX", f"{path}.logit_scale": 2.0}, "soft")
    np.testing.assert_allclose(PostProcessing.of(softmax).scores(logits)[1], [1 / 3] * 3, rtol=1e-6)
    np.testing.assert_allclose(PostProcessing.of(softmax).scores(logits)[0, 1], 0.7310586, rtol=1e-6)
    same = with_values(oid, {f"{path}.score_converter": "IDENTITY"}, "same")
    assert PostProcessing.of(same).scores(logits).tolist() == logits.tolist()


def test_the_background_is_no_class(oid: PipelineConfig) -> None:
    """The first column of scores is the background's, and is left out; the id of the second is 1."""
    post = PostProcessing.of(with_values(oid, {"model.ssd.num_classes": 2}, "two"))
    assert post.num_columns == 3
    found = post.detections(np.zeros((1, 4), np.float32), np.array([[0.9, 0.1, 0.6]], np.float32), ANCHORS[1:])
    assert found.class_ids.tolist() == [2, 1]
    np.testing.assert_allclose(found.boxes[0], ANCHORS[1], rtol=1e-6)


@pytest.mark.parametrize(
    "path, value, fault",
    [
        ("model.ssd.post_processing.batch_non_max_suppression.soft_nms_sigma", 0.5, "soft_nms_sigma"),
        ("model.ssd.post_processing.batch_non_max_suppression.use_combined_nms", True, "use_combined_nms"),
        ("model.ssd.box_coder.mean_stddev_box_coder", "{}", "mean_stddev_box_coder"),
        ("model.ssd.box_coder", None, "no box_coder"),
        ("model.faster_rcnn", "{}", "faster_rcnn"),
    ],
)
def test_what_is_not_followed_is_refused(oid: PipelineConfig, path: str, value: str | float, fault: str) -> None:
    """Soft and combined suppression, other box coders and other models raise ConfigError that names them."""
    with pytest.raises(ConfigError, match=fault):
        PostProcessing.of(with_values(oid, {path: value}, "other"))
