"""Photos on their way into a model: decoded and resized by TensorFlow, as in training, several at once."""

from __future__ import annotations

from collections import deque
from concurrent.futures import ThreadPoolExecutor, wait
from itertools import islice
from typing import TYPE_CHECKING, Any, Final, TypeVar

from oidata.errors import PhotoError
from oidata.io.executor import num_cores
from oidata.io.quiet import tensorflow

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from concurrent.futures import Future

    import numpy as np
    from numpy.typing import NDArray

Job = TypeVar("Job")
Result = TypeVar("Result")

_AHEAD: Final = 4  # photos per core that are under way or done before they are asked for


def decode(photo: bytes) -> NDArray[np.uint8]:
    """The pixels of a JPEG as stored, (H, W, 3) RGB: to the bit those that TFOD trains on.

    Not Pillow's: TensorFlow's default is libjpeg's fast transform, whose pixels differ by up to 28 levels from those of
    the accurate one. Raises PhotoError for bytes that TensorFlow does not decode.
    """
    pixels: NDArray[np.uint8] = decoded(photo).numpy()
    return pixels


def decoded(photo: bytes) -> Any:  # noqa: ANN401 - a module without types
    """The same as a tensor, which saves copying it."""
    tf = tensorflow()
    try:
        return tf.io.decode_jpeg(photo, channels=3)
    except tf.errors.OpError as error:
        reason = str(error.message).partition("\n")[0].partition(" [Op:")[0]
        raise PhotoError(f"TensorFlow does not decode the photo: {reason}") from error


def resize(pixels: NDArray[np.uint8], height_px: int, width_px: int) -> NDArray[np.float32]:
    """Pixels (h, w, 3), an array or a tensor, scaled to (height_px, width_px, 3), bilinearly.

    This is the operation behind tf.compat.v1.image.resize: corners are not aligned, pixels have no centres, and nothing
    is averaged where it shrinks.
    """
    tf = tensorflow()
    scaled = tf.raw_ops.ResizeBilinear(images=tf.expand_dims(pixels, 0), size=(height_px, width_px))
    result: NDArray[np.float32] = scaled.numpy()[0]
    return result


def ahead(task: Callable[[Job], Result], jobs: Iterable[Job]) -> Iterator[Future[Result]]:
    """What becomes of `task` for each job, in order and finished: a thread for each core is some jobs ahead.

    Of the jobs that are not asked for in the end, those that have not begun are given up.
    """
    left = iter(jobs)
    with ThreadPoolExecutor(num_cores(), "oidata-photos") as pool:
        waiting = deque(pool.submit(task, job) for job in islice(left, _AHEAD * num_cores()))
        try:
            while waiting:
                future = waiting.popleft()
                wait([future])
                waiting.extend(pool.submit(task, job) for job in islice(left, 1))
                yield future
        finally:
            pool.shutdown(wait=False, cancel_futures=True)
