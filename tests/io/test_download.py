"""Laws of downloading many photos, over real HTTP on loopback."""

import asyncio
from collections.abc import Iterable, Sequence
from pathlib import Path

import pytest

from oidata.errors import StorageError
from oidata.io.download import PhotoJob, PhotoResult, download_photos
from oidata.io.photos import sha256_of
from oidata.io.retry import Retry
from oidata.io.store import open_store
from oidata.sample import ROOT
from tests.io.script import answer, answering
from tests.mirror import Faults, serve

NAMES = [f"{path.parent.name}/{path.name}" for path in sorted(ROOT.glob("test/*.jpg"))[:8]]
PHOTO = (ROOT / NAMES[0]).read_bytes()
OTHER_SHA256 = "0" * 64


def jobs_of(directory: Path, names: Iterable[str], sha256: str = "") -> list[PhotoJob]:
    return [PhotoJob(name, directory / name, sha256) for name in names]


def download(
    url: str, jobs: Sequence[PhotoJob], *, attempts: int = 1, connections: int = 1, offline: bool = False
) -> list[PhotoResult]:
    retry = Retry(attempts=attempts, base_s=0.01, asked_max_s=0.01)

    async def have() -> list[PhotoResult]:
        async with open_store(url, offline=offline, stall_timeout_s=0.3) as store:
            return await download_photos(store, jobs, connections=connections, retry=retry)

    return asyncio.run(have())


def there(directory: Path) -> list[str]:
    """Everything that stands under a name of its own."""
    return sorted(str(path.relative_to(directory)) for path in directory.rglob("*") if path.is_file())


def test_refusals_do_not_stop_a_run(tmp_path: Path) -> None:
    """However many photos are not those that were recorded, the others are fetched: the source does answer."""
    jobs = jobs_of(tmp_path / "bad", NAMES, OTHER_SHA256) + jobs_of(tmp_path / "good", NAMES)
    with serve(ROOT) as mirror:
        results = download(mirror.url, jobs)
    assert [result.status for result in results] == ["failed"] * len(NAMES) + ["ok"] * len(NAMES)


def test_a_source_that_is_silent_is_not_asked_for_long(tmp_path: Path) -> None:
    """Where nothing is answered a run ends early, and says so of the photos that it did not try."""
    with serve(ROOT, faults=Faults(unavailable=1.0)) as mirror:
        results = download(mirror.url, jobs_of(tmp_path, NAMES))
        assert len(mirror.requests) < len(NAMES)
    assert {result.status for result in results} == {"failed"}
    assert sum("not tried" in result.reason for result in results) == len(NAMES) - len(mirror.requests)


def test_every_photo_is_tried_by_some_run(tmp_path: Path) -> None:
    """Though enough photos to end a run are never answered, of runs that follow each other some reach the others."""
    silent = [f"validation/{path.name}" for path in sorted(ROOT.glob("validation/*.jpg"))[:7]]
    with serve(ROOT, faults=Faults(unavailable=1.0, only="/validation/*")) as mirror:
        runs = [download(mirror.url, jobs_of(tmp_path, [*silent, NAMES[0]])) for _ in range(100)]
    assert runs[-1][-1].status == "ok"


@pytest.mark.parametrize("status", [401, 403])
def test_a_refusal_is_asked_for_once(tmp_path: Path, status: int) -> None:
    """What the source refuses is failed, with a reason that says so, and is not asked for again."""
    with answering(answer(status)) as script:
        (result,) = download(script.url, jobs_of(tmp_path, NAMES[:1]), attempts=4)
    assert (result.status, len(script.requests)) == ("failed", 1)
    assert f"answers {status}" in result.reason


def test_offline_nobody_is_asked(tmp_path: Path) -> None:
    """Offline, every photo that is not there is failed, with a reason that says what to do; one that is there is ok."""
    jobs = jobs_of(tmp_path, NAMES[:2])
    jobs[0].target.parent.mkdir()
    jobs[0].target.write_bytes(PHOTO)
    with serve(ROOT) as mirror:
        is_there, is_not = download(mirror.url, jobs, offline=True)
        assert not mirror.requests
    assert (is_there.status, is_there.was_there) == ("ok", True)
    assert is_not.status == "failed"
    assert "run without --offline" in is_not.reason


@pytest.mark.parametrize(
    "faults, status",
    [(Faults(not_found=1.0), "missing"), (Faults(unavailable=1.0), "failed"), (Faults(html=1.0), "corrupt")],
    ids=["404", "503", "html"],
)
@pytest.mark.parametrize("left", [PHOTO[:-100], b"", b"<html>"], ids=["cut", "empty", "page"])
def test_what_is_no_whole_photo_does_not_stay(tmp_path: Path, left: bytes, faults: Faults, status: str) -> None:
    """A file that was damaged after its fetch is gone if no other can be had: under a final name all is whole."""
    (job,) = jobs_of(tmp_path, NAMES[:1])
    job.target.parent.mkdir()
    job.target.write_bytes(left)
    with serve(ROOT, faults=faults) as mirror:
        (result,) = download(mirror.url, [job], attempts=2)
    assert result.status == status
    assert there(tmp_path) == []


def test_a_damaged_photo_is_replaced(tmp_path: Path) -> None:
    """A file that was damaged after its fetch is fetched again, whatever it held."""
    (job,) = jobs_of(tmp_path, NAMES[:1], sha256_of(PHOTO))
    job.target.parent.mkdir()
    job.target.write_bytes(PHOTO[:-100])
    with serve(ROOT) as mirror:
        (result,) = download(mirror.url, [job])
    assert (result.status, result.was_there) == ("ok", False)
    assert job.target.read_bytes() == PHOTO


@pytest.mark.parametrize("num_bytes", [0, 1, len(PHOTO) // 2, len(PHOTO) - 1])
def test_a_part_is_no_photo(tmp_path: Path, num_bytes: int) -> None:
    """A body that ends before its declared length is asked for again, and so is one that declares to be a part."""
    cut = answer(200, PHOTO[:num_bytes], Content_Length=str(len(PHOTO)))
    part = answer(206, PHOTO, Content_Range=f"bytes 0-{len(PHOTO) - 1}/{2 * len(PHOTO)}")
    with answering(cut, part, answer(200, PHOTO)) as script:
        (result,) = download(script.url, jobs_of(tmp_path, NAMES[:1]), attempts=3)
    assert (result.status, len(script.requests)) == ("ok", 3)


def test_a_directory_in_the_place_of_a_photo_is_a_storage_error(tmp_path: Path) -> None:
    """What the file system does not let be read is named, with what to do."""
    (job,) = jobs_of(tmp_path, NAMES[:1])
    job.target.mkdir(parents=True)
    with serve(ROOT) as mirror, pytest.raises(StorageError, match=job.target.name) as caught:
        download(mirror.url, [job])
    assert caught.value.hint
