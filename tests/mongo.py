"""A database for FiftyOne's sake: a mongod of its own on loopback, and a home directory that is nobody's."""

import os
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from importlib.util import find_spec
from pathlib import Path

import pytest


def mongod() -> Path | None:
    """The mongod that came as a package, if one did."""
    spec = find_spec("fiftyone")  # which imports nothing
    places = spec.submodule_search_locations if spec else None
    found = Path(places[0]) / "db/bin/mongod" if places else None
    return found if found and found.is_file() else None


def free_port() -> int:
    """A port on loopback that nobody listens on."""
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def database(executable: Path, directory: Path) -> Iterator[str]:
    """Its URI, while it runs."""
    port = free_port()
    files = directory / "db"
    files.mkdir()
    command = [str(executable), "--dbpath", str(files), "--bind_ip", "127.0.0.1", "--port", str(port), "--nounixsocket"]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as process:
        try:
            _wait(port)
            yield f"mongodb://127.0.0.1:{port}"
        finally:
            process.terminate()


@contextmanager
def environment(uri: str, home: Path) -> Iterator[None]:
    """FiftyOne is led to that database, and writes nothing into the user's home."""
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith("FIFTYONE_")]:
            patch.delenv(name)
        patch.setenv("FIFTYONE_DATABASE_URI", uri)
        patch.setenv("FIFTYONE_DATABASE_VALIDATION", "false")
        patch.setenv("FIFTYONE_DO_NOT_TRACK", "true")
        patch.setenv("HOME", str(home))
        yield


def _wait(port: int) -> None:
    for _ in range(600):
        with closing(socket.socket()) as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    pytest.fail("mongod did not start")
