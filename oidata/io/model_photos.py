"""Photos on their way into a model: decoded by TensorFlow, as in training, some of them ahead of the model."""

from __future__ import annotations

from collections import deque
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from typing import TYPE_CHECKING, Final, TypeVar

from oidata.errors import PhotoError
from oidata.io.executor import num_cores
from oidata.io.quiet import tensorflow

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    import numpy as np
    from numpy.typing import NDArray

Prepared = TypeVar("Prepared")

_AHEAD: Final = 2  # photos per core that are ready before the model asks for them


def decode(photo: bytes) -> NDArray[np.uint8]:
    """The pixels of a JPEG as stored, (H, W, 3) RGB: to the bit those that TFOD trains on.

    Not Pillow's: TensorFlow's default is libjpeg's fast transform, whose pixels differ by up to 28 levels from those of
    the accurate one. Raises PhotoError for bytes that TensorFlow does not decode.
    """
    tf = tensorflow()
    try:
        pixels: NDArray[np.uint8] = tf.io.decode_jpeg(photo, channels=3).numpy()
    except tf.errors.OpError as error:
        reason = str(error.message).partition("\n")[0].partition(" [Op:")[0]
        raise PhotoError(f"TensorFlow does not decode the photo: {reason}") from error
    return pixels


def ahead(prepare: Callable[[bytes], Prepared], photos: Sequence[bytes]) -> Iterator[Prepared]:
    """What `prepare` makes of each photo, in order: threads are a few photos ahead of who asks for them."""
    left = iter(photos)
    with ThreadPoolExecutor(num_cores(), "oidata-photos") as pool:
        waiting = deque(pool.submit(prepare, photo) for photo in islice(left, _AHEAD * num_cores()))
        while waiting:
            yield waiting.popleft().result()
            waiting.extend(pool.submit(prepare, photo) for photo in islice(left, 1))
