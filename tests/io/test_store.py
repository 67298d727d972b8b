"""Sources of every scheme behave alike: bytes, lengths, absent files, resumed reads."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import boto3
import pytest
from moto.server import ThreadedMotoServer

from oidata.dataset import Dataset
from oidata.errors import NotFoundError, SourceError, TransientError, UsageError
from oidata.fetch import Network, Request, fetch
from oidata.io.store import Store, open_store
from oidata.sample import ROOT
from tests.mirror import Faults, serve

NAME = "v5/class-descriptions-boxable.csv"
DATA = (ROOT / NAME).read_bytes()


@pytest.fixture(scope="module")
def s3() -> Iterator[str]:
    """A real S3 server on loopback; its public bucket `openimages` has the sample below `mirror/`."""
    server = ThreadedMotoServer("127.0.0.1", 0)
    server.start()
    host, port = server.get_host_and_port()
    keys = {"aws_access_key_id": "tester", "aws_secret_access_key": "tester"}
    client = boto3.client("s3", endpoint_url=f"http://{host}:{port}", region_name="us-east-1", **keys)
    client.create_bucket(Bucket="openimages", ACL="public-read")
    for path in ROOT.rglob("*.*"):
        key = f"mirror/{path.relative_to(ROOT)}"
        client.put_object(Bucket="openimages", Key=key, Body=path.read_bytes(), ACL="public-read")
    yield f"http://{host}:{port}"
    client.close()
    server.stop()


@pytest.fixture(params=["http", "file", "s3"])
def source(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The same files over each scheme."""
    if request.param == "file":
        yield ROOT.as_uri()
    elif request.param == "http":
        with serve(ROOT) as mirror:
            yield mirror.url
    else:
        endpoint = request.getfixturevalue("s3")
        monkeypatch.setenv("AWS_ENDPOINT_URL", endpoint)
        monkeypatch.setenv("AWS_REGION", "us-east-1")
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
            monkeypatch.delenv(name, raising=False)
        yield "s3://openimages/mirror"


@asynccontextmanager
async def opened(url: str) -> AsyncIterator[Store]:
    async with open_store(url, stall_timeout_s=0.5) as store:
        yield store


def test_the_whole_file(source: str) -> None:
    """What get brings has the length that stat tells."""

    async def read() -> tuple[bytes, int]:
        async with opened(source) as store:
            return bytes(await store.get(NAME)), (await store.stat(NAME)).size_bytes

    assert asyncio.run(read()) == (DATA, len(DATA))


def test_a_file_that_is_not_there(source: str) -> None:
    """An absent file is a NotFoundError from get and from stat."""

    async def read() -> None:
        async with opened(source) as store:
            with pytest.raises(NotFoundError, match=r"nothing\.csv"):
                await store.get("v5/nothing.csv")
            with pytest.raises(NotFoundError, match=r"nothing\.csv"):
                await store.stat("v5/nothing.csv")

    asyncio.run(read())


@pytest.mark.parametrize("start", [0, 1, len(DATA) - 1])
def test_the_rest_of_a_file(source: str, start: int) -> None:
    """A store opens a file at a position: from there while the tag is the same, else from the start."""

    async def read(tag: str) -> tuple[int, bytes]:
        async with opened(source) as store, store.open(NAME, start, tag or (await store.stat(NAME)).tag) as body:
            return body.start, b"".join([chunk async for chunk in body.chunks])

    assert asyncio.run(read("")) == (start, DATA[start:])
    assert asyncio.run(read('"another version"')) == (0, DATA)


def test_a_fetch_from_a_bucket(s3: str, tmp_path: Path, network: Network, monkeypatch: pytest.MonkeyPatch) -> None:
    """A fetch over S3, unsigned, brings the boxes and photos that a fetch of the same files from disk brings."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", s3)
    request = Request(("Lemon", "Cheese"), source="s3://openimages/mirror", splits=("validation",))
    fetch(tmp_path / "d", request, network)
    fetch(tmp_path / "e", Request(("Lemon", "Cheese"), source="sample:", splits=("validation",)), network)
    bucket, disk = Dataset.open(tmp_path / "d"), Dataset.open(tmp_path / "e")
    assert bucket.images().equals(disk.images())
    assert bucket.boxes().equals(disk.boxes())


@pytest.mark.parametrize(
    "faults, error, text",
    [
        (Faults(reset=1.0), TransientError, "reset by peer"),
        (Faults(stall=1.0), TransientError, "timed out"),
        (Faults(short=1.0), TransientError, "before message length"),
        (Faults(unavailable=1.0), TransientError, "answers 503"),
        (Faults(too_many=1.0, retry_after_s=7), TransientError, "answers 429"),
        (Faults(not_found=1.0), NotFoundError, "answers 404"),
    ],
)
def test_what_a_server_does_wrong(faults: Faults, error: type[SourceError], text: str) -> None:
    """What may pass is a TransientError, with the wait that the server asks for."""

    async def read(url: str) -> None:
        async with opened(url) as store:
            await store.get(NAME)

    with serve(ROOT, faults=faults) as mirror, pytest.raises(error, match=text) as caught:
        asyncio.run(read(mirror.url))
    assert getattr(caught.value, "retry_after_s", 0) == (7 if faults.too_many else 0)


@pytest.mark.parametrize("url", ["ftp://example.org/x", "/plain/path", "nonsense:", ""])
def test_other_schemes_are_refused(url: str) -> None:
    """What is no URL of a known scheme is a UsageError that names those that are."""
    with pytest.raises(UsageError) as caught:
        open_store(url)
    assert "s3://" in caught.value.hint
