"""Fixtures that several tests share, and what becomes of a test whose input is absent."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from oidata.fetch import Network
from oidata.io.retry import Retry
from tests.cluster import Cluster, scheduler

# Machines that are busy are no fault of the code.
settings.register_profile("oidata", deadline=None)
settings.load_profile("oidata")

SHARED = Path(__file__).parents[2] / "shared"


@pytest.fixture
def shared_mirror() -> Path:
    """A mirror of real Open Images photos, which only the project's own machines have."""
    mirror = SHARED / "openimages-mirror"
    if not mirror.is_dir():
        absent(f"there is no mirror of real photos at {mirror}")
    return mirror


@pytest.fixture(scope="session")
def scheduled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A Dask scheduler that stays for all tests."""
    with scheduler(tmp_path_factory.mktemp("cluster")) as cluster:
        yield cluster


@pytest.fixture
def cluster(scheduled: Cluster) -> Cluster:
    """A Dask cluster of two workers, which a test may kill."""
    scheduled.complete()
    return scheduled


def absent(reason: str) -> None:
    """Skip the test; where CI says that all inputs must be there, fail it."""
    if os.environ.get("OIDATA_NO_SKIPS"):
        pytest.fail(f"OIDATA_NO_SKIPS is set, and {reason}")
    pytest.skip(reason)


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """No test reads or fills the user's cache."""
    directory = tmp_path / "cache"
    monkeypatch.setenv("OIDATA_CACHE", str(directory))
    return directory


@pytest.fixture
def network(cache: Path) -> Network:
    """Retries that do not keep a test waiting."""
    return Network(connections=8, cache=cache, retry=Retry(attempts=6, base_s=0.01), stall_timeout_s=0.5)
