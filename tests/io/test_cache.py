"""Metadata files: resumed, checked, used again while the source has the same."""

import asyncio
import hashlib
import os
import random
from pathlib import Path

import pytest

from oidata.errors import NotFoundError, SourceError
from oidata.io.cache import Cache, default_directory
from oidata.io.releases import Published
from oidata.io.retry import Retry
from oidata.io.store import open_store
from tests.mirror import Faults, Mirror, serve

NAME = "v5/boxes.csv"
DATA = random.Random(1).randbytes(5_000_000)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    path = tmp_path / "mirror" / NAME
    path.parent.mkdir(parents=True)
    path.write_bytes(DATA)
    return tmp_path / "mirror"


def get(mirror: Mirror, directory: Path, published: Published | None = None, *, attempts: int = 8) -> Path:
    cache = Cache(directory, retry=Retry(attempts=attempts, base_s=0.01))

    async def fetch() -> Path:
        async with open_store(mirror.url, stall_timeout_s=0.3) as store:
            return await cache.fetch(store, NAME, published)

    return asyncio.run(fetch())


def gets(mirror: Mirror) -> list[int | None]:
    return [request.range_start for request in mirror.requests if request.method == "GET"]


def test_a_broken_download_goes_on_where_it_broke(root: Path, tmp_path: Path) -> None:
    """After resets, stalls and short bodies the rest is asked for by Range, and the whole is right."""
    faults = Faults(2, reset=0.1, stall=0.1, short=0.4)
    with serve(root, faults=faults) as mirror:
        path = get(mirror, tmp_path / "cache")
    assert path.read_bytes() == DATA
    assert any(start for start in gets(mirror))


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
            get(mirror, tmp_path / "cache", attempts=1)
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
        assert not [path for path in (tmp_path / "cache").rglob("*boxes.csv") if not path.name.startswith(".")]
        assert get(mirror, tmp_path / "cache", right).read_bytes() == DATA


def test_the_published_length_is_checked_before_the_download(root: Path, tmp_path: Path) -> None:
    """A file of another length than the published one is not downloaded at all."""
    with serve(root) as mirror:
        with pytest.raises(SourceError, match="were published"):
            get(mirror, tmp_path / "cache", Published(12))
        assert not gets(mirror)


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
