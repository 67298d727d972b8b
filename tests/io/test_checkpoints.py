"""Laws of what a prediction has put by."""

from pathlib import Path

import pandas as pd

from oidata.core.tables import DETECTIONS
from oidata.io.checkpoints import Checkpoint, Checkpoints

ROW = {"image_id": "a", "mid": "/m/01nkt", "score": 0.1, "xmin": 0.1, "ymin": 0.2, "xmax": 0.3, "ymax": 0.4}
FOUND = DETECTIONS.conform(pd.DataFrame([ROW]))


def test_what_is_put_by_reads_back_in_order(tmp_path: Path) -> None:
    """Photos with and without detections, and what was left out, are as they were, even after eleven of them."""
    put_by = Checkpoints.of(tmp_path, "1")
    assert put_by.read() == []
    put_by.add(Checkpoint(FOUND, ("a", "b"), {"of no class": 3}))
    for number in range(10):
        put_by.add(Checkpoint(DETECTIONS.empty(), (str(number),)))
    first, *others = put_by.read()
    pd.testing.assert_frame_equal(first.detections, FOUND)
    assert (first.processed, first.left_out) == (("a", "b"), {"of no class": 3})
    assert [each.processed for each in others] == [(str(number),) for number in range(10)]


def test_a_file_that_is_torn_is_as_good_as_none(tmp_path: Path) -> None:
    """The others are read, and what is added next does not take the place of any."""
    put_by = Checkpoints.of(tmp_path, "1")
    for name in ("a", "b", "c"):
        put_by.add(Checkpoint(DETECTIONS.empty(), (name,)))
    sorted(put_by.directory.iterdir())[1].write_bytes(b"torn")
    put_by.add(Checkpoint(DETECTIONS.empty(), ("d",)))
    assert [each.processed for each in put_by.read()] == [("a",), ("c",), ("d",)]


def test_only_one_identity_has_checkpoints(tmp_path: Path) -> None:
    """Those of another are removed when one begins, and what else is in the directory is not."""
    (tmp_path / "run.json").touch()
    Checkpoints.of(tmp_path, "1").add(Checkpoint(FOUND, ("a",)))
    assert len(Checkpoints.of(tmp_path, "1").read()) == 1
    assert Checkpoints.of(tmp_path, "2").read() == []
    assert [path.name for path in tmp_path.iterdir()] == ["run.json"]
    Checkpoints.of(tmp_path, "2").discard()
