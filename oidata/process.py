"""The end of the process: an exit code for whatever happened, all output written, and nothing after that."""

from __future__ import annotations

import atexit
import os
import sys
from typing import TYPE_CHECKING, NoReturn

if TYPE_CHECKING:
    from collections.abc import Callable

EXIT_ERROR = 1
EXIT_USAGE = 2
EXIT_GATE = 3
EXIT_INTERRUPTED = 130


def leave(run: Callable[[], object]) -> NoReturn:
    """Run `run`, and end the process with the exit code that it comes to.

    The HTTP client's threads outlive the requests that failed. One that comes back while the interpreter is being taken
    down aborts the process (SIGABRT, exit code 134), so what the interpreter does at its end is done here, up to that.
    """
    code = _code_of(run)
    atexit._run_exitfuncs()  # noqa: SLF001 - as multiprocessing does before it leaves a child
    os._exit(_flushed(code))


def complain(*lines: str) -> None:
    """Write the lines that are not empty to stderr."""
    if sys.stderr is not None:  # as it is where it was closed from the start
        sys.stderr.write("".join(f"{line}\n" for line in lines if line))


def interrupted() -> int:
    """Say what Ctrl-C leaves; the exit code."""
    complain("Interrupted. What is there is kept: run the same command again.")
    return EXIT_INTERRUPTED


def _code_of(run: Callable[[], object]) -> int:
    if sys.stdout is None:  # it was closed from the start, and the first file to be opened would take its place
        complain("Error: stdout is closed, and there is nowhere to print to: send it to /dev/null instead.")
        return EXIT_ERROR
    try:
        run()
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else EXIT_ERROR if end.code else 0
    except KeyboardInterrupt:
        return interrupted()
    except OSError as error:
        return _refused(error)
    return 0


def _flushed(code: int) -> int:
    """The exit code, once all output is written; if it cannot be, that of an error, told unless the reader left."""
    try:
        for stream in filter(None, (sys.stdout, sys.stderr)):
            stream.flush()
    except BrokenPipeError:
        return code or EXIT_ERROR
    except OSError as error:
        return code or _refused(error)
    return code


def _refused(error: OSError) -> int:
    where = f"{error.filename}: " if error.filename else ""
    complain(f"Error: {where}{error.strerror or error}.", "Mend that and run the same command again.")
    return EXIT_ERROR
