"""Failures as rows of FAILURES."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from oidata.core.evaluation.candidates import NONE, iou
from oidata.core.evaluation.causes import first_cause
from oidata.core.evaluation.error_types import ERRORS, NO_ERROR
from oidata.core.evaluation.failures import FAILURES, Cause, Error, Kind

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from oidata.core.evaluation.causes import Applies, FalsePositives, MissedBoxes
    from oidata.core.evaluation.error_types import Errors
    from oidata.core.evaluation.evaluation_set import EvaluationSet


def failure_table(
    scored: EvaluationSet, found: Errors, missed: MissedBoxes, false: FalsePositives, box_ids: pd.Series
) -> pd.DataFrame:
    """FAILURES: the missed boxes, then the detections, each by photo. `box_ids` are those of BOXES."""
    boxes = scored.truth
    is_error = ~(found.is_covered | boxes.is_group)[missed.truth]
    of_missed = {
        "kind": [str(Kind.MISSED)] * len(missed.truth),
        **_pairs(scored, boxes.key[missed.truth], missed.truth, missed.detection),
        "error": _named([str(Error.MISSED)], np.where(is_error, 0, NONE)),
        **_causes(missed.applies),
    }
    error = found.error[false.detection]
    of_false = {
        "kind": _named([str(Kind.FALSE_POSITIVE), str(Kind.IGNORED)], (error == NO_ERROR).astype(np.intp)),
        **_pairs(scored, scored.detected.key[false.detection], false.truth, false.detection),
        "error": _named([str(each) for each in ERRORS], error),
        **_causes(false.applies),
    }
    rows = pd.concat([pd.DataFrame(of_missed), pd.DataFrame(of_false)], ignore_index=True)
    box_id = _named(box_ids.tolist(), np.append(boxes.row, NONE)[rows["truth"].to_numpy(np.intp)])
    return FAILURES.conform(rows.assign(box_id=box_id))


def _pairs(
    scored: EvaluationSet, key: NDArray[np.intp], truth: NDArray[np.intp], detection: NDArray[np.intp]
) -> dict[str, object]:
    """What is known of pairs of a box and a detection, either of which may be NONE; `key` is of that which fails."""
    boxes, detected = scored.truth, scored.detected
    both = np.flatnonzero((truth != NONE) & (detection != NONE))
    label = scored.label(key)
    other = np.full(len(key), NONE, np.intp)
    for of_either in (boxes.key[truth[both]], detected.key[detection[both]]):
        differs = scored.label(of_either) != label[both]
        other[both[differs]] = scored.label(of_either)[differs]
    overlap = np.full(len(key), np.nan, np.float32)
    overlap[both] = iou(detected.boxes[detection[both]], boxes.boxes[truth[both]])
    return {
        "image_id": _named(scored.photos["image_id"].tolist(), scored.photo(key)),
        "mid": _named(scored.classes.mids, label),
        "truth": truth,
        "detection": _named(detected.row.tolist(), detection),
        "score": np.append(detected.score, np.float32(np.nan))[detection],
        "iou": overlap,
        "other_mid": _named(scored.classes.mids, other),
    }


def _named(names: Sequence[object], places: NDArray[np.integer]) -> NDArray[np.object_]:
    """The name at each place; None at NONE, which counts from the end."""
    found: NDArray[np.object_] = np.array([*names, None], object)[places]
    return found


def _causes(applies: Applies) -> dict[str, object]:
    """The first cause of each, and all of them."""
    order = [cause for cause in Cause if cause in applies]
    table = np.array([applies[cause] for cause in order])
    sets, which = np.unique(np.left_shift(1, np.arange(len(order))) @ table, return_inverse=True)
    listed = ["|".join(cause for at, cause in enumerate(order) if one >> at & 1) for one in sets.tolist()]
    return {"cause": _named([str(cause) for cause in Cause], first_cause(applies)), "causes": _named(listed, which)}
