"""Every photo decoded once, to its last pixel: whether it is whole, and the fingerprints that tell duplicates.

Pixels are those that TensorFlow sees: of JPEGs alone, EXIF orientation not applied. What libjpeg only warns of, bytes
damaged between intact markers, decodes here as it does there.
"""

from __future__ import annotations

import warnings
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from hashlib import blake2b
from io import BytesIO
from itertools import chain
from typing import TYPE_CHECKING, Final
from zlib import crc32

import imagehash
import numpy as np
import pyarrow as pa
from PIL import Image

from oidata.errors import PhotoError
from oidata.io.executor import num_cores, process_pool
from oidata.io.photos import UPRIGHT, photo_facts

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from concurrent.futures import Future, ProcessPoolExecutor
    from contextlib import AbstractContextManager
    from pathlib import Path

    import pandas as pd

    from oidata.io.photos import Bytes

    Photos = Sequence[tuple[str, Path]]

# Width x height x channels that TensorFlow refuses to decode (core/lib/jpeg/jpeg_mem.cc).
_TOO_MANY_BYTES: Final = 1 << 29
_THUMBNAIL_PX: Final = (32, 32)  # what imagehash.phash looks at
_REDUCING_GAP: Final = 2.0
_BATCH: Final = 16
_WORTH_A_PROCESS: Final = 100  # about a second of work; to start takes about half of that

# What shows the stored pixels upright, by EXIF orientation (Exif 2.32, tag 274).
_UPRIGHT_BY: Final = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


@dataclass(frozen=True)
class Decoding:
    """What became of a photo; one that does not decode has a `reason` and nothing else.

    mode (Pillow's: RGB, L, CMYK), width_px and height_px are those of the pixels as stored, and so is pixel_hash, which
    photos share if mode, size and every pixel are the same. phash is 64 bits of the photo as people see it, with the
    EXIF orientation applied: a turned copy and its upright twin look alike. contrast is the standard deviation, in gray
    levels, of the 32 x 32 pixels that phash is taken from. sha256 is that of the file as it is now.
    """

    image_id: str
    reason: str = ""
    mode: str = ""
    width_px: int = 0
    height_px: int = 0
    exif_orientation: int = UPRIGHT
    sha256: str | None = None
    pixel_hash: str | None = None
    phash: int | None = None
    contrast: float | None = None

    @property
    def decodes(self) -> bool:
        """Whether all of the photo can be read."""
        return not self.reason


def decode_photos(
    photos: Mapping[str, Path], *, num_workers: int | None = None, advance: Callable[[], None] | None = None
) -> list[Decoding]:
    """Decode each photo of image_id → path: one result for each, in order, whatever the number of workers.

    By `num_workers` processes; by default one per core if the photos are worth it, else in this one. No photo raises:
    that it is absent, damaged, no JPEG, or ends the process that decodes it, is its reason. `advance` is called once
    for each photo.
    """
    jobs = list(photos.items())
    batches = [jobs[start : start + _BATCH] for start in range(0, len(jobs), _BATCH)]
    workers = num_workers or min(num_cores(), len(jobs) // _WORTH_A_PROCESS)
    done = _decode_in_processes(batches, workers) if workers > 1 else map(_decode_batch, batches)
    results = []
    for result in chain.from_iterable(done):
        results.append(result)
        if advance:
            advance()
    return results


def decode(image_id: str, path: Path) -> Decoding:
    """Decode one photo, in this process."""
    try:
        data = path.read_bytes()
        if not data:
            return Decoding(image_id, "an empty file")
        return _decoded(image_id, data)
    except FileNotFoundError:
        return Decoding(image_id, "no such file")
    except PhotoError as error:
        return Decoding(image_id, error.message)
    except Exception as error:  # noqa: BLE001 - a decoder fed with any bytes raises anything
        return Decoding(image_id, str(error) or type(error).__name__)


def fingerprints(decodings: Sequence[Decoding]) -> pd.DataFrame:
    """FINGERPRINTS of the photos that decode."""
    import pandas as pd

    from oidata.core.auditing.duplicates import FINGERPRINTS

    columns = [column.name for column in FINGERPRINTS.columns]
    rows = [[getattr(each, name) for name in columns] for each in decodings if each.decodes]
    # The hashes need all 64 bits; a column of numbers and nulls would be floats.
    return FINGERPRINTS.conform(pd.DataFrame(rows, columns=columns, dtype=object))


def _decoded(image_id: str, data: Bytes) -> Decoding:
    facts = photo_facts(data)
    image = _pixels(data)
    small = image.resize(_THUMBNAIL_PX, Image.Resampling.LANCZOS, reducing_gap=_REDUCING_GAP)
    seen = small.convert("L")
    if facts.exif_orientation in _UPRIGHT_BY:
        seen = seen.transpose(_UPRIGHT_BY[facts.exif_orientation])
    return Decoding(
        image_id,
        mode=image.mode,
        width_px=image.width,
        height_px=image.height,
        exif_orientation=facts.exif_orientation,
        sha256=facts.sha256,
        pixel_hash=_pixel_hash(image, small),
        phash=int(str(imagehash.phash(seen)), 16),
        contrast=float(np.asarray(seen).std()),
    )


def _pixels(data: Bytes) -> Image.Image:
    """All pixels as stored. Raises PhotoError for more than TensorFlow takes, and whatever Pillow raises."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        image = Image.open(BytesIO(data), formats=("JPEG",))
        if image.width * image.height * len(image.getbands()) >= _TOO_MANY_BYTES:
            raise PhotoError(f"too large to decode: {image.width} x {image.height} pixels")
        image.load()
        return image


def _pixel_hash(image: Image.Image, small: Image.Image) -> str:
    """Equal for equal mode, size and pixels, and nearly never else.

    CRC-32 costs half of SHA-256. The one difference in 2^32 that it does not see would have to leave the thumbnail as
    it is, and then the photos look alike anyway.
    """
    checksum = crc32(_memory(image))
    head = f"{image.mode} {image.width} {image.height} {checksum} "
    return blake2b(head.encode() + small.tobytes(), digest_size=16).hexdigest()


def _memory(image: Image.Image) -> Bytes:
    """The pixels where Pillow keeps them, which spares a copy; a copy of those that lie in several blocks."""
    try:
        return memoryview(pa.array(image).buffers()[-1])
    except ValueError:
        return image.tobytes()


def _decode_batch(photos: Photos) -> list[Decoding]:
    return [decode(image_id, path) for image_id, path in photos]


def _decode_in_processes(batches: Sequence[Photos], workers: int) -> Iterator[list[Decoding]]:
    with _pool(workers) as pool:
        futures = [_submitted(pool, batch) for batch in batches]
        try:
            for batch, future in zip(batches, futures, strict=True):
                yield _outcome(batch, future)
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _pool(workers: int) -> AbstractContextManager[ProcessPoolExecutor]:
    return process_pool(workers, [__name__, "scipy.fftpack"])  # imagehash imports the latter when it is first used


def _submitted(pool: ProcessPoolExecutor, batch: Photos) -> Future[list[Decoding]] | None:
    try:
        return pool.submit(_decode_batch, batch)
    except BrokenProcessPool:
        return None


def _outcome(batch: Photos, future: Future[list[Decoding]] | None) -> list[Decoding]:
    try:
        return future.result() if future else _decode_alone(batch)
    except BrokenProcessPool:
        return _decode_alone(batch)


def _decode_alone(batch: Photos) -> list[Decoding]:
    """Do again what was lost with its process, in a fresh one; by halves, if that ends too, to the photo at fault."""
    try:
        with _pool(1) as pool:
            return pool.submit(_decode_batch, batch).result()
    except BrokenProcessPool:
        if len(batch) == 1:
            return [Decoding(batch[0][0], "decoding it ends the process")]
    half = len(batch) // 2
    return _decode_alone(batch[:half]) + _decode_alone(batch[half:])
