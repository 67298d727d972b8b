"""The wanted rows of a large CSV, at disk speed and in bounded memory.

The file is read in blocks that end where a record ends; rows are found in their bytes, and only those are parsed.
Quoted commas and newlines are honoured. Frames hold strings; their index is each row's byte offset in the file.
"""

from __future__ import annotations

import csv
import io
import os.path
import re
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from itertools import chain
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pyarrow as pa
from pyarrow import csv as arrow_csv

from oidata.core.release.rows import BadRowError
from oidata.errors import StorageError, TableError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Sequence
    from pathlib import Path

TAKE_ANEW = "Take the file from the release again (for a cached one: delete it and run the same command)."

# Blocks that fit the second-level cache scan about 1.5 times as fast as blocks of 16 MiB.
_BLOCK_BYTES = 1 << 20
_RECORD_BYTES_MAX = 1 << 20
_PARSE_BYTES = 1 << 26
_ID_LENGTH = 16
_NEWLINE, _RETURN, _QUOTE, _COMMA = b'\n\r",'
_BIT_6 = np.uint64(0x4040404040404040)


@dataclass(frozen=True)
class _Block:
    """Whole records: their bytes, where those stand in the file, where each record begins and ends, and their ids."""

    data: bytes
    offset: int
    starts: np.ndarray
    ends: np.ndarray
    words: np.ndarray


@dataclass(frozen=True)
class Csv:
    """A CSV with a header, of which `columns` are read.

    `is_whole` says that its length was checked when it came. Of any other file a last line without its end is taken
    for one that was cut short: by what is left of a number, nobody could tell.
    """

    path: Path
    columns: tuple[str, ...]
    is_whole: bool = False

    @property
    def header(self) -> tuple[str, ...]:
        """All column names. Raises TableError where a wanted one is absent, or the first wanted is not the first."""
        return self._header[0]

    @cached_property
    def _header(self) -> tuple[tuple[str, ...], int]:
        """The column names, and the byte at which the first record begins."""
        first = self._first_line()
        names = tuple(name.strip() for name in first.decode("utf-8-sig", "replace").split(","))
        missing = [name for name in self.columns if name not in names]
        if not missing and names[0] != self.columns[0]:
            missing = [f"{self.columns[0]} in the first place"]
        if missing:
            text = first[:100].decode("utf-8", "replace")
            raise self.error(1, f"no column {', '.join(missing)} in the header {text!r}")
        return names, len(first) + 1

    def class_rows(self, mids: Collection[str], columns: Sequence[str] | None = None) -> pd.DataFrame:
        """The rows whose LabelName is one of `mids`, with `columns` (LabelName among them) or else all that are read.

        Other rows are passed over unchecked: see `check_rows`.
        """
        wanted = tuple(columns or self.columns)
        parsed = self._parsed(self._class_records(mids), wanted)
        parts = (rows[rows["LabelName"].isin(list(mids))] for rows in parsed)
        return pd.concat([self.empty()[list(wanted)], *parts])

    def check_rows(self) -> None:
        """Go through all rows, as `image_rows` does on its way, and raise TableError for one without an image id."""
        for _ in self._records():
            pass

    def image_rows(self, image_ids: Collection[str]) -> Iterator[pd.DataFrame]:
        """All rows whose first field is one of `image_ids`, in parts of bounded size that keep a photo's rows whole."""
        return self._parsed(self._image_records(image_ids), self.columns)

    def empty(self) -> pd.DataFrame:
        """A frame without rows."""
        return pd.DataFrame({name: pd.Series(dtype="str") for name in self.columns})

    @contextmanager
    def located(self) -> Iterator[None]:
        """Turn a BadRowError about a row of this file into a TableError that names the line."""
        try:
            yield
        except BadRowError as error:
            raise self.error(self.line_of(error.offset), error.fault) from None

    def line_of(self, offset: int) -> int:
        """The number, from 1, of the line that begins at byte `offset`."""
        with self.path.open("rb") as file:
            before = iter(lambda: file.read(min(_BLOCK_BYTES, offset - file.tell())), b"")
            return 1 + sum(block.count(b"\n") for block in before)

    def error(self, line: int, fault: str) -> TableError:
        """A TableError about a line of this file."""
        return TableError(
            f"{self.path}, line {line}: {fault}.",
            TAKE_ANEW,
        )

    def _first_line(self) -> bytes:
        try:
            with self.path.open("rb") as file:
                line = file.readline(_RECORD_BYTES_MAX)
        except OSError as error:
            raise StorageError.unread(error, self.path, "Check the source or the cache directory.") from error
        if b"\r" in line[:-2] or (b"\r" in line and b"\n" not in line):
            raise self.error(1, r"line ends are CR only; convert the file (tr '\r' '\n')")
        if not line.endswith(b"\n"):
            raise self.error(1, "the file ends within its header")
        return line[:-1]

    def _blocks(self) -> Iterator[tuple[int, bytes]]:
        """Byte strings that end at record ends, each with its offset."""
        _, start = self._header
        with self.path.open("rb", buffering=0) as file:
            offset = file.seek(start)
            rest = b""
            while data := file.read(_BLOCK_BYTES):
                data = rest + data
                cut = self._cut(offset, data)
                if cut:
                    yield offset, data[:cut]
                elif len(data) > _RECORD_BYTES_MAX:
                    raise self.error(self.line_of(offset), "a quoted field never ends")
                offset, rest = offset + cut, data[cut:]
        if rest:
            yield offset, self._ended(offset, rest)

    def _cut(self, offset: int, data: bytes) -> int:
        """The position behind the last newline that ends a record, 0 if there is none."""
        if b'"' not in data:
            return data.rfind(b"\n") + 1
        try:
            ends = _record_ends(data, np.frombuffer(data, np.uint8))
        except csv.Error as error:
            raise self.error(self.line_of(offset), f"rows from here on cannot be read: {error}") from None
        return int(ends[-1]) + 1 if ends.size else 0

    def _ended(self, offset: int, rest: bytes) -> bytes:
        """What stands behind the last line end, with an end of its own; TableError where it is no whole record."""
        if b'"' not in rest and b"\r" in rest[:-1]:
            raise self.error(self.line_of(offset), "line ends are CR only; convert the file (tr '\\r' '\\n')")
        ended = rest + b"\n"
        is_record = ended.count(b",") >= len(self.header) - 1 and self._cut(offset, ended) == len(ended)
        if not self.is_whole or not is_record:
            fault = "the file ends within a row: it was cut short (or, if it is whole, its last line lacks its end)"
            raise self.error(self.line_of(offset), fault)
        return ended

    def _records(self) -> Iterator[_Block]:
        for offset, data in self._blocks():
            array = np.frombuffer(data, np.uint8)
            ends = _record_ends(data, array)
            starts = np.concatenate((np.zeros(1, np.int64), ends[:-1] + 1))
            words = _words(data, starts)
            are_ids = array[np.minimum(starts + _ID_LENGTH, len(array) - 1)] == _COMMA
            if not (are_ids.all() and _are_alphanumeric(words.ravel())):
                are_ids &= [_are_alphanumeric(row) for row in words]
                start = int(starts[are_ids.argmin()])
                first = data[start : start + 2 * _ID_LENGTH].split(b",")[0].decode("utf-8", "replace")
                raise self.error(self.line_of(offset + start), f"ImageID {first!r} is no image id of 16 hex digits")
            yield _Block(data, offset, starts, ends, words)

    def _class_records(self, mids: Collection[str]) -> Iterator[tuple[np.ndarray, bytes]]:
        pattern = _any_of(mids)
        for offset, data in self._blocks():
            starts, rows = [], []
            begin, end = 0, 0
            for match in pattern.finditer(data):
                if match.start() < end:
                    continue  # another match in the row that was just taken
                begin, end = _record_around(data, match.start())
                starts.append(offset + begin)
                rows.append(data[begin:end])
            if rows:
                yield np.array(starts), b"".join(rows)

    def _image_records(self, image_ids: Collection[str]) -> Iterator[tuple[np.ndarray, bytes]]:
        wanted = {image_id.encode() for image_id in image_ids}
        keys = np.sort(_keys(_words(b"".join(wanted), np.arange(len(wanted)) * _ID_LENGTH)))
        for block in self._records():
            row_keys = _keys(block.words)
            firsts = np.flatnonzero(np.concatenate(([True], row_keys[1:] != row_keys[:-1])))
            lasts = np.append(firsts[1:], len(row_keys)) - 1
            hits = _is_in(row_keys[firsts], keys)
            for first, last in zip(firsts[hits], lasts[hits], strict=True):
                start, end = int(block.starts[first]), int(block.ends[last]) + 1
                if block.data[start : start + _ID_LENGTH] in wanted:
                    yield block.offset + block.starts[first : last + 1], block.data[start:end]

    def _parsed(self, records: Iterable[tuple[np.ndarray, bytes]], columns: Sequence[str]) -> Iterator[pd.DataFrame]:
        """Frames of at most about `_PARSE_BYTES` of text each; a photo's rows are not divided between two."""
        starts: list[np.ndarray] = []
        texts: list[bytes] = []
        size, last_id = 0, b""
        for where, text in records:
            if size > _PARSE_BYTES and text[:_ID_LENGTH] != last_id:
                yield self._frame(starts, texts, columns)
                starts, texts, size = [], [], 0
            starts.append(where)
            texts.append(text)
            size, last_id = size + len(text), text[:_ID_LENGTH]
        if texts:
            yield self._frame(starts, texts, columns)

    def _frame(self, starts: Sequence[np.ndarray], texts: Sequence[bytes], columns: Sequence[str]) -> pd.DataFrame:
        offsets = np.concatenate(starts)
        bad: list[arrow_csv.InvalidRow] = []

        def note(row: arrow_csv.InvalidRow) -> str:
            bad.append(row)
            return "error"

        try:
            table = arrow_csv.read_csv(
                io.BytesIO(b"".join(texts)),
                arrow_csv.ReadOptions(column_names=self.header, use_threads=False),
                arrow_csv.ParseOptions(newlines_in_values=True, invalid_row_handler=note),
                arrow_csv.ConvertOptions(
                    include_columns=list(columns), column_types=dict.fromkeys(columns, pa.string())
                ),
            )
        except pa.ArrowInvalid as error:
            raise self._row_error(offsets, bad, error) from None
        if table.num_rows != len(offsets):
            raise self.error(self.line_of(int(offsets[0])), "rows from here on have quotes in unquoted fields")
        frame: pd.DataFrame = table.to_pandas().astype("str")
        return frame.set_index(pd.Index(offsets))

    def _row_error(
        self, offsets: np.ndarray, bad: Sequence[arrow_csv.InvalidRow], error: pa.ArrowInvalid
    ) -> TableError:
        if bad and bad[0].number is not None and bad[0].number <= len(offsets):
            fault = f"{bad[0].actual_columns} fields, not {bad[0].expected_columns}: {bad[0].text[:80]!r}"
            return self.error(self.line_of(int(offsets[bad[0].number - 1])), fault)
        return self.error(self.line_of(int(offsets[0])), f"rows from here on cannot be read: {error}")


def _record_ends(data: bytes, array: np.ndarray) -> np.ndarray:
    """The newlines that end a record: those outside quotes."""
    newlines = np.flatnonzero(array == _NEWLINE)
    if b'"' not in data or not newlines.size:
        return newlines
    quotes = np.flatnonzero(array[: newlines[-1]] == _QUOTE)
    if not _are_proper(quotes, array):
        return _record_ends_by_reader(data, newlines)
    num_before = np.searchsorted(quotes, newlines)
    return np.asarray(newlines[num_before % 2 == 0])


def _are_proper(quotes: np.ndarray, array: np.ndarray) -> bool:
    """Whether quotes open and close fields as in RFC 4180; then a newline is quoted if an odd number precedes it."""
    before = np.where(quotes > 0, array[quotes - 1], _NEWLINE)
    opening, closing = before[::2], array[quotes + 1][1::2]
    return bool(
        np.isin(opening, (_COMMA, _NEWLINE, _QUOTE)).all()
        and np.isin(closing, (_COMMA, _NEWLINE, _RETURN, _QUOTE)).all()
    )


def _record_ends_by_reader(data: bytes, newlines: np.ndarray) -> np.ndarray:
    """The same where stray quotes stand in unquoted fields: as csv.reader has it, and as slow."""
    lines = (line.decode("latin-1") for line in io.BytesIO(data[: newlines[-1] + 1]))
    # The last record holds the sentinel, and with it what a quote that is still open has swallowed.
    reader = csv.reader(chain(lines, ("sentinel",)))
    last_lines = np.array([reader.line_num for _ in reader], dtype=np.int64)[:-1]
    return np.asarray(newlines[last_lines - 1])


def _record_around(data: bytes, position: int) -> tuple[int, int]:
    """Where the record that `position` lies in begins, and the position behind its newline."""
    if b'"' not in data:
        return data.rfind(b"\n", 0, position) + 1, data.find(b"\n", position) + 1
    ends = _record_ends(data, np.frombuffer(data, np.uint8))
    after = int(np.searchsorted(ends, position))
    return int(ends[after - 1]) + 1 if after else 0, int(ends[after]) + 1


def _any_of(mids: Collection[str]) -> re.Pattern[bytes]:
    """Find any of `mids` as a whole field. Their common prefix stands first: a literal is found fastest."""
    prefix = os.path.commonprefix(list(mids))  # noqa: RUF071 - of strings, not of paths
    tails = "|".join(re.escape(mid[len(prefix) :]) for mid in sorted(mids))
    return re.compile(f'{re.escape(prefix)}(?:{tails})[",\r\n]'.encode())


def _is_in(values: np.ndarray, ordered: np.ndarray) -> np.ndarray:
    """Which of `values` are in `ordered`. numpy.isin would sort the latter again for every block."""
    if not len(ordered):
        return np.zeros(len(values), bool)
    places = np.searchsorted(ordered, values)
    return np.asarray(ordered[np.minimum(places, len(ordered) - 1)] == values)


def _words(data: bytes, starts: np.ndarray) -> np.ndarray:
    """The 16 bytes at each of `starts` as numbers: (N, 2) uint64. Zeros where there are not so many in all."""
    if len(data) < _ID_LENGTH:
        return np.zeros((len(starts), 2), np.uint64)
    # As void items they are gathered twice as fast as from an array of unaligned numbers.
    items = np.ndarray((len(data) - _ID_LENGTH + 1,), f"V{_ID_LENGTH}", data, strides=(1,))
    return np.asarray(items[np.minimum(starts, len(items) - 1)].view(np.uint64).reshape(-1, 2))


def _are_alphanumeric(words: np.ndarray) -> bool:
    """Whether no byte is a comma, a quote, a line end, a space or another of `!` to `/`: at the speed of a scan.

    Those lack bits 4 and 6; digits have the one and letters the other. Rows that are taken are checked in full.
    """
    return bool(np.bitwise_and.reduce(words << np.uint64(2) | words, initial=_BIT_6) == _BIT_6)


def _keys(words: np.ndarray) -> np.ndarray:
    """A 64-bit hash of 16 bytes: equal for equal ids, and nearly never else."""
    return np.asarray(words[:, 0] * np.uint64(0x9E3779B97F4A7C15) ^ words[:, 1])
