"""Detections that fail in every way, made of ground truth: a run to be evaluated without a model."""

import numpy as np
import pandas as pd

from oidata.core.tables import COORDINATES, DETECTIONS
from oidata.dataset import Dataset
from oidata.runs import Run, RunInfo

SMALL = 0.012
"""Boxes below this area are hardly ever found."""


def jittered(dataset: Dataset, seed: int = 0, skill: float = 0.62) -> pd.DataFrame:
    """DETECTIONS of all photos: of a `skill`-ful share of the boxes, some of them wrong in class, place or score."""
    rng = np.random.default_rng(seed)
    images = dataset.images()
    there = images.loc[images["status"] == "ok", "image_id"]
    boxes = dataset.boxes()
    boxes = boxes[boxes["image_id"].isin(there)]
    mids, rows = dataset.info.classes.mids, []
    for image_id, mid, *corners in boxes[["image_id", "mid", *COORDINATES]].itertuples(index=False):
        xyxy = np.array(corners, float)
        size = xyxy[2:] - xyxy[:2]
        other = mids[(mids.index(mid) + 1) % len(mids)]
        kind = rng.choice(("good", "low", "class", "place", "none"), p=_shares(skill, small=size.prod() < SMALL))
        shift = rng.normal(0, 0.04, 4) + (0.36 * (kind == "place"))
        box = xyxy + np.tile(size, 2) * shift
        score = rng.uniform(0.02, 0.12) if kind == "low" else rng.beta(5, 2)
        if kind != "none" and (size > 0).all():
            rows.append((image_id, other if kind == "class" else mid, score, *box))
        if kind == "good" and rng.random() < 0.12:
            rows.append((image_id, mid, 0.8 * score, *(box + np.tile(size, 2) * 0.05)))
    for image_id in there:
        for score in (*rng.beta(2, 3, rng.poisson(0.4)), *rng.uniform(0.01, 0.15, rng.poisson(6))):
            low, side = rng.uniform(0, 0.7, 2), rng.uniform(0.08, 0.3, 2)
            rows.append((image_id, mids[rng.integers(len(mids))], score, *low, *(low + side)))
    return DETECTIONS.conform(pd.DataFrame(rows, columns=[column.name for column in DETECTIONS.columns]))


def add_run(dataset: Dataset, name: str, detections: pd.DataFrame) -> Run:
    """Write them as a run on all photos."""
    images = dataset.images()
    processed = tuple(sorted(images.loc[images["status"] == "ok", "image_id"]))
    info = RunInfo("made.tflite", "0" * 64, True, None, None, 0.0, dataset.info.splits, processed, {})  # noqa: FBT003
    return Run.create(dataset, name, info, detections, None)


def _shares(skill: float, *, small: bool) -> list[float]:
    good = 0.1 * skill if small else skill
    rest = np.array([0.0, 0.3, 0.2, 0.2, 0.3])
    shares: list[float] = ((1 - good) * rest + np.array([good, 0, 0, 0, 0])).tolist()
    return shares
