"""Tables as Parquet files of a declared schema, checked when read and when written."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa
from pyarrow import parquet

from oidata.core.tables import SCHEMA_VERSION, Schema, check
from oidata.errors import TableError
from oidata.io import files

if TYPE_CHECKING:
    from pathlib import Path

    import pandas as pd

_VERSION_KEY = b"oidata_schema_version"


def table_path(directory: Path, schema: Schema) -> Path:
    """Where the table of a schema is in a directory, or would be."""
    return directory / f"{schema.name}.parquet"


def read_table(directory: Path, schema: Schema) -> pd.DataFrame:
    """The table of a schema.

    Raises FileNotFoundError where it is not there, TableError for one that is not as declared.
    """
    path = table_path(directory, schema)
    try:
        table = parquet.read_table(path)
    except FileNotFoundError:
        raise
    except (pa.ArrowInvalid, OSError) as error:
        message = f"{path} cannot be read: {str(error).rstrip('.')}."
        raise TableError(message, "Restore it, or fetch into a new directory.") from None
    check_version((table.schema.metadata or {}).get(_VERSION_KEY, b"none").decode(), path)
    return check(table.to_pandas(), schema)


def write_table(directory: Path, schema: Schema, frame: pd.DataFrame) -> None:
    """Write or replace the table of a schema. Raises TableError if `frame` is not as declared, StorageError."""
    table = pa.Table.from_pandas(check(frame, schema), preserve_index=False)
    metadata = {**(table.schema.metadata or {}), _VERSION_KEY: str(SCHEMA_VERSION).encode()}
    with files.whole(table_path(directory, schema)) as partial:
        parquet.write_table(table.replace_schema_metadata(metadata), partial, compression="zstd")


def check_version(version: object, path: Path) -> None:
    """Raise TableError where a file is of another schema version than this oidata reads."""
    if str(version) != str(SCHEMA_VERSION):
        message = f"{path} has schema version {version}; this oidata reads version {SCHEMA_VERSION}."
        raise TableError(message, "Use the oidata that wrote it, or fetch into a new directory.")
