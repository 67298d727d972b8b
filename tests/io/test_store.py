"""Sources of every scheme behave alike: bytes, lengths, absent files, resumed reads."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

import boto3
import pytest
from moto.server import ThreadedMotoServer

from oidata.dataset import Dataset
from oidata.errors import NotFoundError, SourceError, TransientError, UsageError
from oidata.fetch import Network, Request, fetch
from oidata.io.store import Stat, Store, _wait_s, open_store
from oidata.sample import ROOT
from tests.io.script import answer, answering
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
    """A store opens a file at a position: from there, or, where it is told of another version, not at all."""

    async def read() -> tuple[int, bytes]:
        async with opened(source) as store:
            stat = await store.stat(NAME)
            with pytest.raises(TransientError):
                async with store.open(NAME, start, Stat(stat.size_bytes, '"another version"')):
                    pass
            with pytest.raises(TransientError):
                async with store.open(NAME, start, Stat(stat.size_bytes + 1, stat.tag)):
                    pass
            async with store.open(NAME, start, stat) as body:
                return body.start, b"".join([chunk async for chunk in body.chunks])

    assert asyncio.run(read()) == (start, DATA[start:])


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


@pytest.mark.parametrize(
    "url",
    [
        "",
        "nowhere",
        "nonsense:",
        "/plain/path",
        "ftp://h/x",
        "http://",
        "http://exa mple/",
        "https://u:p@",
        "http://[bad",
        "http://a^b/",
        "http://999.1.1.1/",
        "http://host:99999/",
        "s3://",
        "gs://",
        "file:",
    ],
)
def test_what_names_no_place_is_a_usage_error(url: str) -> None:
    """A source that no store can be made of is refused at once, with what can be given."""
    with pytest.raises(UsageError, match="no URL that oidata can read") as caught:
        open_store(url)
    assert "s3://" in caught.value.hint


@pytest.mark.parametrize("url", ["file:///no/such/directory", "file://host/tmp"])
def test_a_directory_that_is_not_there_is_a_source_error(url: str) -> None:
    """A local mirror that is not there is an error that names it."""

    async def enter() -> None:
        async with open_store(url):
            pass

    with pytest.raises(SourceError, match="is no directory"):
        asyncio.run(enter())


@pytest.mark.parametrize(
    "header, expected",
    [
        ("", 0),
        ("3", 3),
        (" 12 ", 12),
        ("\u00b2", 0),
        ("soon", 0),
        ("-3", 0),
        ("Wed, 21 Oct 99999999999 07:28:00 GMT", 0),
        ("Wed, 21 Oct 2020 07:28:00 GMT", 0),
        ("Wed, 21 Oct 2020 07:28:00 -0000", 0),
        ("Wed, 21 Oct 2020 07:28:00", 0),
    ],
)
def test_what_a_server_asks_to_wait(header: str, expected: float) -> None:
    """Retry-After is seconds or a date, with or without a zone; a date gone by and anything else is no wait."""
    assert _wait_s(header) == expected


def test_a_server_may_ask_to_wait_until_a_date() -> None:
    """A date to come is as many seconds as there are until then."""
    soon = format_datetime(datetime.now(UTC) + timedelta(seconds=100), usegmt=True)
    assert 90 < _wait_s(soon) <= 100


@pytest.mark.parametrize("url", ["s3://a^b", "s3:///no-bucket"])
def test_a_bucket_that_cannot_be_one_is_an_error(url: str) -> None:
    """A bucket's name that the client does not take is an error with its URL, before anything is asked for."""

    async def enter() -> None:
        async with open_store(url):
            pass

    with pytest.raises((SourceError, UsageError), match="s3:/"):
        asyncio.run(enter())


@pytest.mark.parametrize("length", ["abc", "-3", "+3", "5_0", "\u00b2", ""])
def test_a_length_that_is_none_is_a_source_error(length: str) -> None:
    """A server that tells no number of bytes is named."""

    async def read(url: str) -> None:
        async with opened(url) as store:
            await store.stat(NAME)

    head = answer(200, Content_Length=length)
    with answering(head) as script, pytest.raises(SourceError, match=script.url):
        asyncio.run(read(script.url))


@pytest.mark.parametrize("header", ["\u00b2", "Wed, 21 Oct 2020 07:28:00 -0000", "x" * 1000])
def test_no_header_ends_a_fetch(header: str) -> None:
    """Whatever stands in Retry-After, the answer is the TransientError that its status makes it."""

    async def read(url: str) -> None:
        async with opened(url) as store:
            await store.get(NAME)

    with answering(answer(503, Retry_After=header)) as script, pytest.raises(TransientError) as caught:
        asyncio.run(read(script.url))
    assert caught.value.retry_after_s == 0
