"""Detections made by hand, and small scenes drawn by Hypothesis: photos, their ground truth, and what was detected."""

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

import pandas as pd
from hypothesis import strategies as st

from oidata.core.evaluation.evaluation_set import EvaluationSet, evaluation_set
from oidata.core.tables import COORDINATES, DETECTIONS, Tables
from tests.core.made import CELLS, boxes, image_id, images, labels

DETECTION = {"mid": "/m/1", "score": 0.5, **dict(zip(COORDINATES, (0.25, 0.25, 0.5, 0.5), strict=True))}
NUM_PHOTOS = 3

Row: TypeAlias = Mapping[str, Any]

# Few sides, so that boxes are often the same, or in each other, or have an IoU of exactly 0.5.
ENDS = st.sampled_from([(0.0, 0.25), (0.0, 0.5), (0.0, 1.0), (0.25, 0.5), (0.25, 1.0), (0.5, 1.0)])
PLACE = {"photo": st.integers(0, NUM_PHOTOS - 1), "mid": st.sampled_from(["/m/1", "/m/2"]), "x": ENDS, "y": ENDS}
TRUTH = st.fixed_dictionaries(
    PLACE | {"is_group_of": st.sampled_from([-1, 0, 0, 1]), "stripped": st.sampled_from([None, None, "truncated"])}
)
VERDICTS = st.dictionaries(st.tuples(PLACE["photo"], PLACE["mid"]), st.booleans())


def found(scores: st.SearchStrategy[float]) -> st.SearchStrategy[Row]:
    """A detection with one of `scores`."""
    return st.fixed_dictionaries(PLACE | {"score": scores})


TIED = found(st.sampled_from([0.0, 0.25, 0.5, 0.75, 1.0]))
FOUND = found(st.floats(0, 1, width=32))


def sides(change: Mapping[str, Any]) -> Row:
    """A drawn row with coordinates in place of its ends in `x` and `y`."""
    (xmin, xmax), (ymin, ymax) = change["x"], change["y"]
    return {**change, **dict(zip(COORDINATES, (xmin, ymin, xmax, ymax), strict=True))}


def detections(*changes: Row) -> pd.DataFrame:
    """DETECTIONS with a row for each of `changes` to DETECTION, each on the photo of the number `photo`."""
    rows = [{**DETECTION, **change, "image_id": image_id(int(str(change.get("photo", 0))))} for change in changes]
    return DETECTIONS.conform(pd.DataFrame(rows, columns=[column.name for column in DETECTIONS.columns]))


def tables(truth: Sequence[Row], verdicts: Sequence[tuple[int, str, bool]] = ()) -> Tables:
    """NUM_PHOTOS photos with `truth` and `verdicts` on them."""
    return Tables(images(*[{}] * NUM_PHOTOS), boxes(*truth), labels(*verdicts))


def scored(
    truth: Sequence[Row],
    found: Sequence[Row],
    verdicts: Sequence[tuple[int, str, bool]] = (),
    *,
    count_stripped: bool = False,
) -> EvaluationSet:
    """What is to be scored of such photos."""
    return evaluation_set(tables(truth, verdicts), detections(*found), CELLS, count_stripped=count_stripped)
