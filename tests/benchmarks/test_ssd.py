"""Laws of the small SSD's training: it assigns as oidata's matcher counts, and codes as oidata decodes."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from oidata import sample
from oidata.core.matcher.detector import Detector
from oidata.core.matcher.targets import Matcher, match
from oidata.core.prediction.postprocessing import BoxCoder
from oidata.errors import ConfigError
from oidata.io.configs import read_config

CONFIG = read_config(sample.CONFIG)
GRID = Detector.of(CONFIG).grid_for(300, 300)


def boxes(rng: np.random.Generator, count: int) -> np.ndarray:
    centers, sizes = rng.uniform(0.1, 0.9, (count, 2)), np.exp(rng.normal(-1.7, 0.7, (count, 2)))
    return np.clip(np.hstack([centers - sizes / 2, centers + sizes / 2]), 0, 1).astype(np.float32)


def assigned(truth: np.ndarray, weights: np.ndarray, matcher: Matcher) -> Any:
    from ssd.assignment import Assigner

    class_ids = np.arange(len(truth), dtype=np.int64) + 1
    found = Assigner(GRID.boxes(), matcher, BoxCoder(), len(truth)).assign(truth, class_ids, weights)
    return type(found)(*(each.numpy() for each in found))


@pytest.mark.parametrize("matcher", [Matcher(), Matcher(0.6, 0.4), Matcher(force_match=False)])
@pytest.mark.parametrize("count", [0, 1, 12])
def test_anchors_are_assigned_as_the_matcher_counts_them(matcher: Matcher, count: int) -> None:
    """Per box as many positive anchors, and per photo as many ignored ones, box 0 having no weight."""
    for seed in range(5):
        truth = boxes(np.random.default_rng(seed), count)
        weights = np.ones(count, np.float32)
        weights[:1] = 0
        found = assigned(truth, weights, matcher)
        targets = match(truth, np.zeros(count, np.int64), GRID, matcher, weights)
        owners = found.one_hot[:, 1:].sum(axis=0)
        assert owners.tolist() == targets.num_positive_anchors.tolist()
        is_ignored = ~found.is_positive & (found.weights == 0)
        assert is_ignored.sum() == targets.num_ignored_anchors.sum()
        assert (found.one_hot.sum(axis=1) == 1).all()
        assert set(found.weights[found.one_hot[:, 1:2].sum(axis=1) > 0]) <= {0.0}


def test_what_is_encoded_is_decoded() -> None:
    """Each positive anchor tells the box that owns it."""
    truth = boxes(np.random.default_rng(7), 9)
    found = assigned(truth, np.ones(9, np.float32), Matcher())
    decoded = BoxCoder().decode(found.encodings, GRID.boxes())[found.is_positive]
    owner = found.one_hot[found.is_positive, 1:].argmax(axis=1)
    np.testing.assert_allclose(decoded, truth[owner], atol=1e-5)


def test_the_miner_keeps_positives_and_the_hardest_negatives() -> None:
    """Of one positive and six negatives three count beside it; of a photo without a box, the three at least."""
    import tensorflow as tf

    from ssd.assignment import Assignment
    from ssd.loss import losses

    positive = np.array([[1, 0, 0, 0, 0, 0, 0], [0] * 7], bool)
    one_hot = np.stack([~positive, positive], axis=-1).astype(np.float32)
    logits = np.zeros((2, 7, 2), np.float32)
    logits[:, :, 1] = [[0, -9, 2, -9, 1, 3, -9], [5, 4, 3, -9, -9, -9, -9]]
    weights = np.ones((2, 7), np.float32)
    truth = Assignment(np.zeros((2, 7, 4), np.float32), one_hot, positive, weights)
    encodings = np.full((2, 7, 4), 2, np.float32)
    loss = CONFIG.message.model.ssd.loss
    by_class, by_place = losses(tf.constant(encodings), tf.constant(logits), truth, loss)
    # Of a background anchor softplus(0) for background, which is not told, and softplus(logit) for the class.
    counted = [0, 2, 1, 3, 5, 4, 3]
    assert float(by_class) == pytest.approx(sum(np.log(2) + np.logaddexp(0, logit) for logit in counted), rel=1e-5)
    assert float(by_place) == pytest.approx(4 * 1.5)


def test_another_loss_is_refused() -> None:
    """A config that asks for what is not done is not trained as if it did not."""
    from ssd.loss import check

    with pytest.raises(ConfigError, match="another loss"):
        check(read_config("ssd_mobilenet_v2_coco").message.model.ssd.loss, "coco")


def test_a_checkpoint_can_be_taken_over_in_part(tmp_path: Path) -> None:
    """All that was saved, or all but the parts that are named."""
    import keras

    from ssd.train import restore, save

    def variables(value: float) -> list[Any]:
        return [keras.Variable(np.full(2, value), name=name) for name in ("block_1", "extra_0_narrow", "logits_0")]

    save(variables(1), tmp_path / "weights.npz", step=7)
    for without, kept in (((), [1, 1, 1]), (("extra_", "logits_"), [1, 0, 0])):
        fresh = variables(0)
        assert restore(fresh, tmp_path / "weights.npz", without) == 7
        assert [float(np.asarray(each)[0]) for each in fresh] == kept
