"""Laws of what an error says."""

import errno
import os
import pickle
from pathlib import Path

import pytest

from oidata.errors import OidataError, StorageError, TransientError, UnknownClassError


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EACCES, errno.ENOTDIR, errno.EIO])
@pytest.mark.parametrize("text", ["Error writing bytes to file. Detail: [errno 28] No space left on device", "x"])
def test_a_refusal_is_told_in_the_words_of_the_system(number: int, text: str) -> None:
    """Whatever a library made of the system's error, the message is the system's own, with the file and a hint."""
    error = StorageError.of(OSError(number, text), Path("data/boxes.parquet"))
    assert error.message == f"Cannot write data/boxes.parquet: {os.strerror(number)}."
    assert error.hint


@pytest.mark.parametrize("text", ["the disk is gone", "the disk is gone."])
def test_a_refusal_without_a_number_keeps_its_words(text: str) -> None:
    """An error that has no number of the system is told as it is, with one full stop."""
    assert StorageError.of(OSError(text), Path("x")).message == "Cannot write x: the disk is gone."


def test_an_unknown_class_has_a_hint_that_helps() -> None:
    """Close names come first; where there are none, the place of the list."""
    assert UnknownClassError("Lemno", ["Lemon", "Melon"], "file:///x.csv").hint == "Did you mean Lemon or Melon?"
    assert UnknownClassError("xyz", [], "file:///x.csv").hint == "Its classes are listed in file:///x.csv"


@pytest.mark.parametrize(
    "error",
    [
        OidataError("What went wrong.", "What to do."),
        UnknownClassError("Lemno", ["Lemon"], "file:///x.csv"),
        TransientError("busy", 2.5),
        StorageError.of(OSError(errno.ENOSPC, ""), Path("x")),
    ],
)
def test_an_error_comes_whole_from_another_process(error: OidataError) -> None:
    """Pickled and read again an error is what it was, whatever its class was given."""
    again = pickle.loads(pickle.dumps(error))  # noqa: S301 - our own bytes
    assert type(again) is type(error)
    assert vars(again) == vars(error)
    assert (str(again), again.args) == (str(error), error.args)
