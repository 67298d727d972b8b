"""A shard is written by a task that may run anywhere, and that may be lost in the middle."""

import os
import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from oidata.core.sharding.shards import SplitPlan
from oidata.core.tables import Tables
from oidata.errors import PhotoError, RecordError
from oidata.io.executor import workers
from oidata.io.outputs import Directory
from oidata.io.photos import photo_facts
from oidata.io.shards import ShardJob, find_shard, write_shard
from tests.cluster import Cluster
from tests.core.made import CLASSES, boxes, images, labels
from tests.io.tasks import PATIENCE_S, wait_until


@dataclass(frozen=True)
class Held(Directory):
    """A directory of which one file is held up when it is written and has no name yet, the first time alone.

    `at-PID` in `signals` says which process is there; it goes on when `go` is there.
    """

    held: str
    signals: Path

    @contextmanager
    def whole(self, name: str) -> Iterator[Path]:
        """As any directory's, but for the wait."""
        with super().whole(name) as path:
            yield path
            if name == self.held and not list(self.signals.glob("at-*")):
                (self.signals / f"at-{os.getpid()}").touch()
                wait_until((self.signals / "go").exists)


def contents(directory: Path) -> dict[str, bytes]:
    """The files of a directory by name, but for its lock."""
    return {path.name: path.read_bytes() for path in sorted(directory.iterdir()) if path.name != ".lock"}


@pytest.fixture(scope="module")
def plan(tmp_path_factory: pytest.TempPathFactory) -> SplitPlan:
    """Twelve photos with a box each, in four shards."""
    directory = tmp_path_factory.mktemp("photos")
    rows = []
    for number in range(12):
        pixels = np.random.default_rng(number).integers(0, 255, (40 + number, 60, 3), dtype=np.uint8)
        path = directory / f"{number}.jpg"
        Image.fromarray(pixels).save(path)
        rows.append({**vars(photo_facts(path.read_bytes())), "path": str(path)})
    photos = images(*({name: value for name, value in row.items() if name != "path"} for row in rows))
    tables = Tables(
        photos.assign(path=[row["path"] for row in rows]),
        boxes(*({"photo": number, "mid": f"/m/{1 + number % 2}"} for number in range(12))),
        labels(),
    )
    return SplitPlan.of("train", tables, CLASSES, num_shards=4)


def jobs(plan: SplitPlan, output: Directory) -> list[ShardJob]:
    """The jobs of all shards."""
    output.prepare({})
    return [ShardJob(name, output, tables, CLASSES, "drop", with_tensorflow=False) for name, tables in plan.contents()]


def test_a_worker_that_dies_over_a_shard_changes_nothing(plan: SplitPlan, cluster: Cluster, tmp_path: Path) -> None:
    """The worker that has written a shard, and not yet named it, is killed: the shards are those of one process."""
    alone, held, signals = Directory(tmp_path / "alone"), tmp_path / "held", tmp_path
    expected = sorted(map(write_shard, jobs(plan, alone)), key=lambda facts: facts.name)
    output = Held(held, plan.names[1], signals)
    with workers(cluster.address) as pool, ThreadPoolExecutor(1) as thread:
        running = thread.submit(lambda: list(pool.run(write_shard, jobs(plan, output))))
        wait_until(lambda: bool(list(signals.glob("at-*"))))
        (at,) = signals.glob("at-*")
        assert not (held / plan.names[1]).exists()
        os.kill(int(at.name.removeprefix("at-")), signal.SIGKILL)
        found = running.result(PATIENCE_S)
    assert sorted(found, key=lambda facts: facts.name) == expected
    output.discard_partial(plan.names)
    assert contents(held) == contents(tmp_path / "alone")


def test_a_shard_is_found_only_if_it_is_the_same(plan: SplitPlan, tmp_path: Path) -> None:
    """A shard that is there is found; one with a photo less, a photo more, or in another order, is not."""
    first, second, *_ = jobs(plan, Directory(tmp_path / "out"))
    facts = write_shard(first)
    assert find_shard(first) == facts
    rows = first.tables.images
    others = [rows.iloc[:-1], rows.iloc[::-1], pd.concat([rows, second.tables.images])]
    for other in others:
        tables = Tables(
            other,
            pd.concat([first.tables.boxes, second.tables.boxes]),
            pd.concat([first.tables.labels, second.tables.labels]),
        )
        assert find_shard(replace(first, tables=tables)) is None


@pytest.mark.parametrize("place", [0, 100, -1])
def test_a_damaged_shard_is_not_found(plan: SplitPlan, tmp_path: Path, place: int) -> None:
    """Whichever byte of a shard is changed, it is another; so is one that is cut short."""
    job, *_ = jobs(plan, Directory(tmp_path / "out"))
    write_shard(job)
    path = tmp_path / "out" / job.name
    data = bytearray(path.read_bytes())
    data[place] ^= 1
    path.write_bytes(data)
    assert find_shard(job) is None
    data[place] ^= 1
    path.write_bytes(data[:-1])
    assert find_shard(job) is None


def test_what_the_disk_garbles_gets_no_name(plan: SplitPlan, tmp_path: Path) -> None:
    """A shard that does not read back as it was written is an error, and is not there."""

    class Garbling(Directory):
        @contextmanager
        def whole(self, name: str) -> Iterator[Path]:
            with super().whole(name) as path:
                path.symlink_to("/dev/null")
                yield path

    job, *_ = jobs(plan, Directory(tmp_path / "out"))
    with pytest.raises(RecordError, match=f"{job.name} does not hold what it should"):
        write_shard(replace(job, output=Garbling(tmp_path / "out")))
    assert not list((tmp_path / "out").iterdir())


def test_a_photo_that_goes_meanwhile_is_named(plan: SplitPlan, tmp_path: Path) -> None:
    """A photo that is gone when its turn comes ends the shard, which is not there then."""
    job, *_ = jobs(plan, Directory(tmp_path / "out"))
    gone = job.tables.images.assign(path=str(tmp_path / "gone.jpg"))
    with pytest.raises(PhotoError, match=r"gone\.jpg is not there any more"):
        write_shard(replace(job, tables=replace(job.tables, images=gone)))
    assert not list((tmp_path / "out").iterdir())
