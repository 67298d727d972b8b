"""Laws of writing files whole and of the lock."""

import errno
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from oidata.errors import DatasetError, StorageError
from oidata.io.files import LOCK_NAME, check_writable, locked, make_directory, whole, write_bytes, write_text

HOLD = """
import sys, time
from pathlib import Path
from oidata.io.files import locked
with locked(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(600)
"""


@pytest.fixture
def target(tmp_path: Path) -> Path:
    """A file that is there already."""
    target = tmp_path / "table.csv"
    target.write_bytes(b"old")
    return target


def names(directory: Path) -> list[str]:
    """Everything in a directory."""
    return sorted(path.name for path in directory.iterdir())


def write_half(target: Path, error: BaseException) -> None:
    """Begin to write a file, and come to grief."""
    with whole(target) as partial:
        partial.write_bytes(b"half")
        raise error


def test_the_final_name_comes_last(target: Path) -> None:
    """Until the block has ended the final name holds what it held, then the new content, and nothing else is left."""
    with whole(target) as partial:
        partial.write_bytes(b"new")
        assert target.read_bytes() == b"old"
        assert partial.parent == target.parent
        assert partial.name.startswith(".")
    assert target.read_bytes() == b"new"
    assert names(target.parent) == ["table.csv"]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, SystemExit])
def test_an_exception_leaves_nothing_behind(target: Path, error: type[BaseException]) -> None:
    """Whatever ends the block early passes on unchanged; the old file stays and no partial one does."""
    with pytest.raises(error):
        write_half(target, error())
    assert target.read_bytes() == b"old"
    assert names(target.parent) == ["table.csv"]


def test_a_refusal_of_the_file_system_is_a_storage_error(target: Path) -> None:
    """An OSError in the block becomes a StorageError with the final name and what to do; nothing partial is left."""
    with pytest.raises(StorageError, match=r"table\.csv: No space left.*Free some space"):
        write_half(target, OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)))
    assert names(target.parent) == ["table.csv"]


def test_a_block_that_writes_nothing_is_an_error(target: Path) -> None:
    """Without a partial file there is nothing to name: a StorageError, and the old file stays."""
    with pytest.raises(StorageError), whole(target):
        pass
    assert target.read_bytes() == b"old"


def test_a_target_that_is_a_directory_is_an_error(tmp_path: Path) -> None:
    """A directory is not replaced by a file, and no partial file is left beside it."""
    (tmp_path / "taken").mkdir()
    with pytest.raises(StorageError, match="taken"):
        write_text(tmp_path / "taken", "x")
    assert names(tmp_path) == ["taken"]


def test_text_and_bytes_are_written_as_they_are(tmp_path: Path) -> None:
    """Text is written as UTF-8 with its line ends, bytes as they are."""
    write_text(tmp_path / "a", "é\r\n\n")
    write_bytes(tmp_path / "b", memoryview(b"\0\xff"))
    assert (tmp_path / "a").read_bytes() == b"\xc3\xa9\r\n\n"
    assert (tmp_path / "b").read_bytes() == b"\0\xff"


@pytest.mark.parametrize(
    "write",
    [
        lambda path: write_text(path / "x", ""),
        lambda path: write_bytes(path / "x", b""),
        lambda path: make_directory(path / "x" / "y"),
        lambda path: check_writable(path / "x" / "y"),
        check_writable,
        lambda path: locked(path / "x").__enter__(),
    ],
    ids=["text", "bytes", "directory", "check below", "check", "lock"],
)
def test_a_path_below_a_file_is_a_storage_error(target: Path, write: Callable[[Path], object]) -> None:
    """Where a part of the path is a file, a StorageError names the path and says to choose another."""
    with pytest.raises(StorageError, match=r"table\.csv.*choose another"):
        write(target)
    assert names(target.parent) == ["table.csv"]


def test_a_lock_that_cannot_be_had_is_a_storage_error(tmp_path: Path) -> None:
    """Where the file system refuses the lock file itself, a StorageError names the directory."""
    (tmp_path / LOCK_NAME).mkdir()
    with pytest.raises(StorageError, match=str(tmp_path)), locked(tmp_path):
        pass


def test_directories_are_made_once(tmp_path: Path) -> None:
    """A directory is made with those above it, again or for the first time; to ask whether it may be makes none."""
    check_writable(tmp_path / "a" / "b")
    assert names(tmp_path) == []
    make_directory(tmp_path / "a" / "b")
    make_directory(tmp_path / "a" / "b")
    assert names(tmp_path / "a") == ["b"]


def hold(directory: Path) -> subprocess.Popen[str]:
    """Another process that holds the lock of a directory."""
    process = subprocess.Popen([sys.executable, "-c", HOLD, str(directory)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    return process


@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGINT])
def test_a_lock_excludes_another_process_until_that_ends(tmp_path: Path, end: signal.Signals) -> None:
    """While a process holds a directory another gets a DatasetError; however the first one ends, it is free."""
    with hold(tmp_path) as process:
        with pytest.raises(DatasetError, match=f"at work in {tmp_path}"), locked(tmp_path):
            pass
        process.send_signal(end)
        process.wait()
        with locked(tmp_path):
            assert process.returncode != 0


def test_a_lock_makes_its_directory_and_is_freed(tmp_path: Path) -> None:
    """A directory is made to be locked, and is free again when the block has ended, well or not."""
    for _ in range(2):
        with pytest.raises(ValueError, match="mine"), locked(tmp_path / "new"):
            raise ValueError("mine")
    with locked(tmp_path / "new"), pytest.raises(DatasetError), locked(tmp_path / "new"):
        pass
