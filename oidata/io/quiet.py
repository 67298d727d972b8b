"""TensorFlow, imported without what it would write to the terminal."""

from __future__ import annotations

import os
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator


@cache
def tensorflow() -> Any:  # noqa: ANN401 - a module without types
    """The module, which takes seconds to import and is left to the processor: graphics cards are for training.

    First called before threads start: while it is imported, nobody's stderr is written.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    with silence():
        import tensorflow as tf

        tf.config.set_visible_devices([], "GPU")
    return tf


@contextmanager
def silence() -> Iterator[None]:
    """Drop what is written to stderr: TensorFlow looks for a graphics card, and logs that before levels apply."""
    stderr = os.dup(2)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        yield
    finally:
        os.dup2(stderr, 2)
        os.close(nowhere)
        os.close(stderr)
