"""Metadata files: resumed, checked, used again while the source has the same."""

import asyncio
import hashlib
import os
import random
from dataclasses import dataclass, field
from itertools import cycle, islice
from pathlib import Path
from typing import Any

import pytest

from oidata.errors import NotFoundError, SourceError
from oidata.io.cache import Cache, default_directory
from oidata.io.releases import Published
from oidata.io.retry import Retry
from oidata.io.store import open_store
from tests.io.script import Answer, Script, answer, answering
from tests.mirror import Fault, Faults, Mirror, serve

NAME = "v5/boxes.csv"
DATA = random.Random(1).randbytes(5_000_000)
PAGE = b"<html><body>Please log in to the WiFi.</body></html>"
SMALL = random.Random(2).randbytes(400_000)  # more than a client reads ahead
HEAD = answer(200, Content_Length=str(len(SMALL)), ETag='"1"')
WHOLE = answer(200, SMALL, ETag='"1"')


@pytest.fixture
def root(tmp_path: Path) -> Path:
    path = tmp_path / "mirror" / NAME
    path.parent.mkdir(parents=True)
    path.write_bytes(DATA)
    return tmp_path / "mirror"


def get(
    server: Mirror | Script, directory: Path, published: Published | None = None, retry: Retry | None = None
) -> Path:
    cache = Cache(directory, retry=retry or patient(8))

    async def fetch() -> Path:
        async with open_store(server.url, stall_timeout_s=0.3) as store:
            return await cache.fetch(store, NAME, published)

    return asyncio.run(fetch())


def patient(attempts: int) -> Retry:
    return Retry(attempts=attempts, base_s=0.01, asked_max_s=0.01)


def cut(num_bytes: int) -> bytes:
    return answer(200, SMALL[:num_bytes], Content_Length=str(len(SMALL)), ETag='"1"')


def part(first: int, num_bytes: int = len(SMALL)) -> bytes:
    body = SMALL[first : first + num_bytes]
    content_range = f"bytes {first}-{first + len(body) - 1}/{len(SMALL)}"
    return answer(206, body, ETag='"1"', Content_Range=content_range)


def leftovers(directory: Path) -> list[Path]:
    """What has the file's own name in a cache."""
    return list(directory.rglob(Path(NAME).name))


def gets(mirror: Mirror) -> list[int | None]:
    return [request.range_start for request in mirror.requests if request.method == "GET"]


def test_a_broken_download_goes_on_where_it_broke(root: Path, tmp_path: Path) -> None:
    """After resets, stalls and short bodies the rest is asked for by Range, and the whole is right."""
    faults = Faults(2, reset=0.1, stall=0.1, short=0.4)
    with serve(root, faults=faults) as mirror:
        path = get(mirror, tmp_path / "cache")
    assert path.read_bytes() == DATA
    assert any(start for start in gets(mirror))


@pytest.mark.parametrize("fault", [fault for fault in Fault if fault is not Fault.NOT_FOUND])
def test_metadata_outlasts_every_fault(root: Path, tmp_path: Path, fault: Fault) -> None:
    """Whatever goes wrong with half of the first requests, HEAD or GET, the file arrives whole."""
    share: dict[str, Any] = {fault: 0.5}
    met = set()
    for seed in range(3):
        with serve(root, faults=Faults(seed, **share, attempts=8)) as mirror:
            assert get(mirror, tmp_path / str(seed), retry=patient(12)).read_bytes() == DATA
        met |= {request.method for request in mirror.requests if request.answer == fault}
    assert met == {"HEAD", "GET"}


def test_a_login_page_is_no_beginning_of_a_file(tmp_path: Path) -> None:
    """A page of another length than was announced is thrown away, not continued by Range."""
    with answering(HEAD, answer(200, PAGE), part(len(PAGE)), WHOLE) as script:
        assert get(script, tmp_path / "cache").read_bytes() == SMALL


@pytest.mark.parametrize("head", [answer(200, Content_Length="52", Content_Type="text/html"), HEAD])
def test_a_web_page_is_no_metadata(tmp_path: Path, head: bytes) -> None:
    """What says that it is HTML is not taken, even where its length is that announced, and asked for again."""
    page = answer(200, PAGE.ljust(len(SMALL)), Content_Type="text/html; charset=utf-8")
    with answering(head, page, HEAD, WHOLE) as script:
        assert get(script, tmp_path / "cache").read_bytes() == SMALL


@pytest.mark.parametrize(
    "content_range, tag",
    [
        (None, '"1"'),
        ("bytes 0-{last}/{size}", '"1"'),
        ("bytes {after}-{last}/{size}", '"1"'),
        ("bytes {first}-{size}/{after}", '"1"'),
        ("bytes {first}-{last}/*", '"1"'),
        ("bytes {first}-{last}/{size}", '"2"'),
    ],
)
def test_a_part_must_be_the_one_asked_for(tmp_path: Path, content_range: str | None, tag: str) -> None:
    """A 206 of another place, of a file of another length, or of another version is not put behind what is there."""
    asked = []

    def foreign(first: int) -> bytes:
        asked.append(first)
        size = len(SMALL)
        told = (content_range or "").format(first=first, after=first + 1, last=size - 1, size=size)
        return answer(206, bytes(size - first), ETag=tag, **({"Content_Range": told} if told else {}))

    with answering(HEAD, cut(300_000), foreign, part) as script:
        assert get(script, tmp_path / "cache").read_bytes() == SMALL
    assert asked[0] > 0
    assert len(script.requests) == 4


def test_a_part_may_end_early(tmp_path: Path) -> None:
    """A server may send less than the rest (RFC 9110, 14.2): what is lacking then is asked for again."""
    with answering(HEAD, cut(300_000), lambda first: part(first, 1000), part) as script:
        assert get(script, tmp_path / "cache").read_bytes() == SMALL
    assert len(script.requests) == 4


@pytest.mark.parametrize(
    "answers",
    [
        [cut(300_000), cut(200_000)],
        [cut(300_000), *[lambda first: part(first, 0)] * 39],
        [answer(200, SMALL + b"more", ETag='"1"')],
    ],
    ids=["without range", "parts of nothing", "too long"],
)
def test_what_never_gets_further_is_given_up(tmp_path: Path, answers: list[Answer]) -> None:
    """Only a try that gets further than every one before it begins the count of failures anew."""
    with answering(HEAD, *islice(cycle(answers), 40), WHOLE) as script, pytest.raises(SourceError) as caught:
        get(script, tmp_path / "cache", retry=patient(4))
    assert caught.value.hint
    assert len(script.requests) < 10
    assert not leftovers(tmp_path / "cache")


@dataclass(frozen=True)
class Noting(Retry):
    """Waits for nothing, and notes how long it would have been."""

    waits: list[float] = field(default_factory=list)

    def wait_s(self, attempt: int, asked_s: float = 0.0) -> float:
        """No time."""
        self.waits.append(super().wait_s(attempt, asked_s))
        return 0.0


@pytest.mark.parametrize("attempts", [1, 3])
@pytest.mark.parametrize("before", [(), (HEAD,)], ids=["HEAD", "GET"])
def test_nobody_waits_after_the_last_try(tmp_path: Path, before: tuple[bytes, ...], attempts: int) -> None:
    """Between the tries it is waited as long as the server asks; behind the last one it is told at once."""
    retry = Noting(attempts=attempts, base_s=0.01)
    with answering(*before, answer(429, Retry_After="3")) as script, pytest.raises(SourceError, match="answers 429"):
        get(script, tmp_path / "cache", retry=retry)
    assert retry.waits == [3.0] * (attempts - 1)


def test_an_empty_file_is_one(tmp_path: Path) -> None:
    """A file of no bytes is fetched like any other, for its reader to judge."""
    with answering(answer(200)) as script:
        assert get(script, tmp_path / "cache").read_bytes() == b""


def test_a_cached_file_that_was_cut_is_downloaded_again(root: Path, tmp_path: Path) -> None:
    """A cached file of another length than the source announces is not used."""
    with serve(root) as mirror:
        path = get(mirror, tmp_path / "cache")
        path.write_bytes(DATA[:-1])
        assert get(mirror, tmp_path / "cache").read_bytes() == DATA


def test_a_file_is_downloaded_once(root: Path, tmp_path: Path) -> None:
    """A cached file is used again without a GET."""
    with serve(root) as mirror:
        assert get(mirror, tmp_path / "cache") == get(mirror, tmp_path / "cache")
        assert len(gets(mirror)) == 1


def test_a_changed_source_is_downloaded_anew(root: Path, tmp_path: Path) -> None:
    """When the source has another version of the same length, the cached one is not used."""
    with serve(root) as mirror:
        get(mirror, tmp_path / "cache")
        (root / NAME).write_bytes(DATA[::-1])
        os.utime(root / NAME, ns=(1, 1))
        assert get(mirror, tmp_path / "cache").read_bytes() == DATA[::-1]


def test_a_partial_file_of_another_version_is_not_continued(root: Path, tmp_path: Path) -> None:
    """What an interrupted download left is thrown away if the source has changed since."""
    with serve(root, faults=Faults(1, short=1.0)) as mirror:
        with pytest.raises(SourceError):
            get(mirror, tmp_path / "cache", retry=patient(1))
        mirror.faults = Faults()
        (root / NAME).write_bytes(DATA[::-1])
        os.utime(root / NAME, ns=(1, 1))
        assert get(mirror, tmp_path / "cache").read_bytes() == DATA[::-1]


def test_the_published_hash_is_checked(root: Path, tmp_path: Path) -> None:
    """A file of the right length and the wrong SHA-256 never gets its name."""
    right = Published(len(DATA), hashlib.sha256(DATA).hexdigest())
    wrong = Published(len(DATA), "0" * 64)
    with serve(root) as mirror:
        with pytest.raises(SourceError, match="SHA-256 is not the published one"):
            get(mirror, tmp_path / "cache", wrong)
        assert not leftovers(tmp_path / "cache")
        assert get(mirror, tmp_path / "cache", right).read_bytes() == DATA


def test_the_published_length_is_checked_before_the_download(root: Path, tmp_path: Path) -> None:
    """A file of another length than the published one is not downloaded at all."""
    with serve(root) as mirror:
        with pytest.raises(SourceError, match="were published"):
            get(mirror, tmp_path / "cache", Published(12))
        assert not gets(mirror)


def test_a_page_in_place_of_a_file_is_never_kept(root: Path, tmp_path: Path) -> None:
    """While a portal answers every request with its page, what is in the cache stays as it is, and nothing is new."""
    with serve(root) as mirror:
        path = get(mirror, tmp_path / "cache")
        mirror.faults = Faults(html=1.0)
        with pytest.raises(SourceError, match="web page"):
            get(mirror, tmp_path / "cache", retry=patient(2))
        with pytest.raises(SourceError, match="web page"):
            get(mirror, tmp_path / "other", retry=patient(2))
    assert path.read_bytes() == DATA
    assert not list((tmp_path / "other").rglob("*boxes.csv"))


def test_another_version_replaces_the_first_when_it_is_whole(root: Path, tmp_path: Path) -> None:
    """A cached file stays, and can be used offline, until the whole of the next version is there."""
    with serve(root) as mirror:
        path = get(mirror, tmp_path / "cache")
        (root / NAME).write_bytes(DATA[::-1])
        os.utime(root / NAME, ns=(1, 1))
        mirror.faults = Faults(1, short=1.0)
        with pytest.raises(SourceError):
            get(mirror, tmp_path / "cache", retry=patient(1))
        assert path.read_bytes() == DATA
        mirror.faults = Faults()
        assert get(mirror, tmp_path / "cache").read_bytes() == DATA[::-1]


def test_an_absent_file_is_named(root: Path, tmp_path: Path) -> None:
    """A 404 is no passing fault: it is told at once, with the URL."""
    (root / NAME).unlink()
    with serve(root) as mirror, pytest.raises(NotFoundError, match=NAME):
        get(mirror, tmp_path / "cache")
    assert len(mirror.requests) == 1


def test_sources_do_not_share_files(root: Path, tmp_path: Path) -> None:
    """Two sources have each their own copy of a file."""
    with serve(root) as one, serve(root) as other:
        assert get(one, tmp_path / "cache") != get(other, tmp_path / "cache")


def test_where_the_cache_is(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """OIDATA_CACHE names the cache, else XDG_CACHE_HOME, else ~/.cache."""
    monkeypatch.setenv("OIDATA_CACHE", str(tmp_path / "own"))
    assert default_directory() == tmp_path / "own"
    monkeypatch.delenv("OIDATA_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert default_directory() == tmp_path / "xdg" / "oidata"
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert default_directory() == Path.home() / ".cache" / "oidata"
