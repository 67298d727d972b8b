"""Laws of which detections are kept."""

from collections.abc import Mapping

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from oidata.core.prediction.postprocessing import RawDetections
from oidata.core.prediction.sieve import Sieve
from oidata.core.tables import DETECTIONS, check
from oidata.errors import ConfigError, ModelError

NAMES = {1: "/m/lemon", 2: "Bicycle", 5: "/m/cheese"}
MIDS = ("/m/cheese", "/m/lemon", "/m/lime")
SCORES = st.floats(0, 1, width=32) | st.just(float("nan"))


def found(scores: list[float], class_ids: list[int], boxes: np.ndarray | None = None) -> RawDetections:
    sides = np.zeros((len(scores), 4), np.float32) if boxes is None else boxes
    return RawDetections(sides, np.array(scores, np.float32), np.array(class_ids, np.int64))


def total(left_out: Mapping[str, int]) -> int:
    return sum(left_out.values())


@given(st.data(), st.integers(0, 12), st.floats(0, 1, width=32))
def test_every_detection_above_the_threshold_is_kept_or_counted(data: st.DataObject, number: int, least: float) -> None:
    """What is kept scores above it and is of the dataset, the best first; what does not is no matter."""
    scores = data.draw(st.lists(SCORES, min_size=number, max_size=number))
    ids = data.draw(st.lists(st.integers(1, 6), min_size=number, max_size=number))
    sides = data.draw(arrays(np.float32, (number, 4), elements=st.sampled_from([0, 0.5, np.inf, np.nan])))
    kept, left_out = Sieve(NAMES, MIDS, least).sift(found(scores, ids, sides))
    assert (kept.scores > np.float32(least)).all()
    assert set(kept.class_ids.tolist()) <= {1, 5}
    assert np.isfinite(kept.boxes).all()
    assert (np.diff(kept.scores) <= 0).all()
    is_low = np.isfinite(scores) & np.isfinite(sides).all(axis=1) & (np.array(scores, np.float32) <= np.float32(least))
    assert len(kept) + total(left_out) + np.count_nonzero(is_low) == number


def test_the_reason_is_said() -> None:
    """A detection is left out for the first reason that applies."""
    _, left_out = Sieve(NAMES, MIDS, 0.1).sift(found([0.9, 0.9, 0.9, float("nan"), 0.05], [1, 2, 3, 3, 3]))
    assert left_out == {
        "with a score or a coordinate that is no number": 1,
        "of class ids that the label map does not have": 1,
        "of classes that the dataset does not have": 1,
    }


def test_a_class_id_without_a_name_may_be_an_error() -> None:
    """Where the label map is only assumed, an id that it lacks shows that it is another model's."""
    strict = Sieve(NAMES, MIDS, 0.1, is_strict=True)
    assert len(strict.sift(found([0.9, 0.05], [1, 7]))[0]) == 1
    with pytest.raises(ConfigError, match="finds the class 7"):
        strict.sift(found([0.9, 0.2], [1, 7]))


@pytest.mark.parametrize("score", [3.2, -0.5, float("inf")])
def test_what_is_no_score_is_an_error(score: float) -> None:
    """Logits are no scores: ModelError says what makes scores of them."""
    with pytest.raises(ModelError, match="which is not in"):
        Sieve(NAMES, MIDS, 0.1).sift(found([score], [1]))


def test_rows_are_as_declared() -> None:
    """Each photo's detections have its id and the MIDs of their classes; a score that rounding puts above 1 is 1."""
    sieve = Sieve(NAMES, MIDS, 0.1)
    kept = {name: sieve.sift(raw)[0] for name, raw in {"a": found([0.5, 1.0001], [1, 5]), "b": found([], [])}.items()}
    rows = check(sieve.rows(kept), DETECTIONS)
    assert rows[["image_id", "mid", "score"]].to_numpy().tolist() == [["a", "/m/cheese", 1.0], ["a", "/m/lemon", 0.5]]
    assert len(check(sieve.rows({"b": kept["b"]}), DETECTIONS)) == 0
