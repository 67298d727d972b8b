"""The measured jobs, one for each fresh process: `python adapters.py JOB ARGUMENT…` prints the job's result.

Each job imports what it needs by itself, so that no peer pays for another's imports.
"""

import asyncio
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

BLOCK_BYTES = 1 << 20
ROWS_PER_CHUNK = 500_000
BOX_COLUMNS = (
    *("ImageID", "Source", "LabelName", "XMin", "XMax", "YMin", "YMax"),
    *("IsOccluded", "IsTruncated", "IsGroupOf", "IsDepiction", "IsInside"),
)
IMAGE_COLUMNS = (
    "ImageID",
    "OriginalLandingURL",
    "License",
    "AuthorProfileURL",
    "Author",
    "Title",
    "Rotation",
)
LABEL_COLUMNS = ("ImageID", "LabelName", "Confidence")


def read_bytes(path: str) -> int:
    """Read a file into one buffer again and again: no scan can be faster."""
    buffer = bytearray(BLOCK_BYTES)
    with Path(path).open("rb", buffering=0) as file:
        return sum(iter(lambda: file.readinto(buffer), 0))


def oidata_class_rows(path: str, *mids: str) -> int:
    """Scan a box CSV once, as the first half of a fetch does."""
    from oidata.io.scan import Csv

    return len(Csv(Path(path), BOX_COLUMNS).class_rows(mids))


def oidata_boxes(path: str, *mids: str) -> int:
    """Scan a box CSV twice, as a fetch does: for the classes, then for all rows of the photos found."""
    from oidata.io.scan import Csv

    boxes = Csv(Path(path), BOX_COLUMNS)
    found = set(boxes.class_rows(mids)["ImageID"])
    return sum(map(len, boxes.image_rows(found)))


def oidata_labels(path: str, *mids: str) -> int:
    """Check all rows of the verified image labels, and scan them for some classes, as a fetch does."""
    from oidata.io.scan import Csv

    labels = Csv(Path(path), LABEL_COLUMNS)
    labels.check_rows()
    return len(labels.class_rows(mids))


def oidata_images(path: str, ids: str) -> int:
    """Scan the image metadata for the ids in a file."""
    from oidata.io.scan import Csv

    wanted = Path(ids).read_text(encoding="ascii").split()
    return sum(map(len, Csv(Path(path), IMAGE_COLUMNS).image_rows(wanted)))


def pandas_class_rows(path: str, *mids: str) -> int:
    """Scan a CSV for some classes in chunks of pandas' default parser."""
    import pandas as pd

    chunks = pd.read_csv(path, chunksize=ROWS_PER_CHUNK)
    return len(pd.concat([chunk[chunk["LabelName"].isin(mids)] for chunk in chunks]))


def pandas_images(path: str, ids: str) -> int:
    """Scan the image metadata for the ids in a file in chunks of pandas' default parser."""
    import pandas as pd

    wanted = set(Path(ids).read_text(encoding="ascii").split())
    chunks = pd.read_csv(path, chunksize=ROWS_PER_CHUNK // 5, usecols=list(IMAGE_COLUMNS))
    return len(pd.concat([chunk[chunk["ImageID"].isin(wanted)] for chunk in chunks]))


def duckdb_class_rows(path: str, *mids: str) -> int:
    """Scan a CSV for some classes with DuckDB."""
    import duckdb  # type: ignore[import-not-found, unused-ignore]

    query = "SELECT * FROM read_csv(?, header = true) WHERE LabelName IN (SELECT unnest(?))"
    return len(duckdb.execute(query, [path, list(mids)]).fetchall())


def oidata_photos(url: str, number: str, connections: str, work: str) -> str:
    """Download photos as a fetch does; the result is photos per second."""
    from oidata.io.download import PhotoJob, download_photos
    from oidata.io.store import open_store

    async def download(names: Sequence[str], directory: Path) -> None:
        jobs = [PhotoJob(name, directory / name) for name in names]
        async with open_store(url) as store:
            results = await download_photos(store, jobs, connections=int(connections))
        if any(result.status != "ok" for result in results):
            message = "not all photos are ok"
            raise RuntimeError(message)

    return _rate(download, int(number), Path(work))


def obstore_photos(url: str, number: str, connections: str, work: str) -> str:
    """Download photos with a bare obstore loop that writes the bytes and does nothing else."""
    from obstore.store import from_url

    async def download(names: Sequence[str], directory: Path) -> None:
        store = from_url(url, client_options={"allow_http": True})
        todo = iter(names)

        async def take() -> None:
            for name in todo:
                response = await store.get_async(name)
                (directory / name).write_bytes(await response.bytes_async())

        await asyncio.gather(*(take() for _ in range(int(connections))))

    return _rate(download, int(number), Path(work))


def _rate(download: Callable[[Sequence[str], Path], Awaitable[None]], number: int, work: Path) -> str:
    """Return the photos per second of one download into an empty directory."""
    names = [f"{place:016x}.jpg" for place in range(number)]

    async def timed(directory: Path) -> float:
        start_s = time.perf_counter()
        await download(names, directory)
        return number / (time.perf_counter() - start_s)

    with tempfile.TemporaryDirectory(dir=work) as directory:
        rate = asyncio.run(timed(Path(directory)))
        if {path.name for path in Path(directory).iterdir()} != set(names):
            message = "some photos were not written, or more than the photos"
            raise RuntimeError(message)
    return f"{rate:.1f}"


JOBS: dict[str, Callable[..., object]] = {
    job.__name__: job
    for job in (
        read_bytes,
        oidata_class_rows,
        oidata_boxes,
        oidata_labels,
        oidata_images,
        pandas_class_rows,
        pandas_images,
        duckdb_class_rows,
        oidata_photos,
        obstore_photos,
    )
}

if __name__ == "__main__":
    job_name, *job_arguments = sys.argv[1:]
    print(JOBS[job_name](*job_arguments))
