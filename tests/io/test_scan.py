"""Laws of scanning CSVs; Python's csv module is the oracle."""

import csv
import io
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from oidata.core.release.rows import BadRowError
from oidata.errors import StorageError, TableError
from oidata.io import scan
from oidata.io.scan import Csv

A, B, C = "000000000000000a", "000000000000000b", "000000000000000c"
NEAR_A = "00000000000000a0"
MIDS = ("/m/01", "/m/012", "/m/0")  # one is a prefix of another
HEADER = ("ImageID", "Source", "LabelName", "Confidence")
COLUMNS = ("ImageID", "LabelName", "Confidence")
LABELS = "ImageID,Source,LabelName,Confidence\n"
Row = tuple[str, ...]

PLAIN = st.text("ab01.-é", max_size=6) | st.sampled_from(MIDS)
QUOTED = st.text('ab,"\n\r é', max_size=12) | PLAIN
FILES = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=50)


@dataclass(frozen=True)
class Made:
    """A CSV: its text, its rows, and at which byte each begins."""

    text: bytes
    rows: tuple[Row, ...]
    offsets: tuple[int, ...]


def made(
    header: Sequence[str], rows: Iterable[Row], end: str = "\n", *, bom: bool = False, ends_well: bool = True
) -> Made:
    """The rows as RFC 4180 writes them."""
    rows = tuple(rows)
    lines = [(",".join(map(quoted, row)) + end).encode() for row in (header, *rows)]
    lines[0] = b"\xef\xbb\xbf" * bom + lines[0]
    text = b"".join(lines)
    offsets = accumulate(map(len, lines[:-1]))
    return Made(text if ends_well or not rows else text.removesuffix(end.encode()), rows, tuple(offsets))


def quoted(field: str) -> str:
    """A field, in quotes where it needs them."""
    return '"' + field.replace('"', '""') + '"' if set(field) & set(',"\r\n') else field


def rows_of(source: st.SearchStrategy[str], min_size: int = 0, max_size: int = 8) -> st.SearchStrategy[list[Row]]:
    """Rows of HEADER for a few photos and classes."""
    image_ids, mids = st.sampled_from([A, B, C, NEAR_A]), st.sampled_from(MIDS)
    return st.lists(
        st.tuples(image_ids, source, mids, st.sampled_from(["0", "1"])), min_size=min_size, max_size=max_size
    )


def made_of(source: st.SearchStrategy[str]) -> st.SearchStrategy[Made]:
    """Files of such rows, with either kind of line end, with and without a BOM and a last line end."""
    return st.builds(
        lambda rows, end, bom, ends_well: made(HEADER, rows, end, bom=bom, ends_well=ends_well),
        rows_of(source),
        st.sampled_from(["\n", "\r\n"]),
        st.booleans(),
        st.booleans(),
    )


@pytest.fixture
def csv_of(tmp_path: Path) -> Callable[..., Csv]:
    """Write a CSV and open it."""

    def write(text: bytes | str, columns: tuple[str, ...] = COLUMNS, *, is_whole: bool = True) -> Csv:
        path = tmp_path / "rows.csv"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return Csv(path, columns, is_whole=is_whole)

    return write


@pytest.fixture(params=[5, 64, 1 << 20], ids="block={}".format)
def blocks(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Blocks so small that records straddle them, and the usual ones."""
    monkeypatch.setattr(scan, "_BLOCK_BYTES", request.param)


def read(frames: Iterable[pd.DataFrame]) -> list[tuple[int, Row]]:
    """The rows of frames, each with its index."""
    return [(int(row[0]), tuple(row[1:])) for frame in frames for row in frame.itertuples(name=None)]


def wanted(file: Made, column: int, values: Iterable[str], columns: Sequence[str] = HEADER) -> list[tuple[int, Row]]:
    """The rows that have one of `values` in a column, as the csv module reads them, and where they begin."""
    text = file.text.decode("utf-8-sig")
    rows = [tuple(row) for row in csv.reader(io.StringIO(text, newline=""), strict=True)][1:]
    assert rows == list(file.rows)
    where = [HEADER.index(name) for name in columns]
    return [
        (offset, tuple(row[index] for index in where))
        for offset, row in zip(file.offsets, rows, strict=True)
        if row[column] in set(values)
    ]


@pytest.mark.usefixtures("blocks")
@FILES
@given(file=made_of(QUOTED), image_ids=st.sets(st.sampled_from([A, B, C])))
def test_image_rows_are_all_rows_of_those_photos(csv_of: Callable[..., Csv], file: Made, image_ids: set[str]) -> None:
    """All rows of the wanted ids come, in file order, field by field as csv.reader reads them, at their offsets."""
    assert read(csv_of(file.text, HEADER).image_rows(image_ids)) == wanted(file, 0, image_ids)


@pytest.mark.usefixtures("blocks")
@FILES
@given(file=made_of(PLAIN), mids=st.sets(st.sampled_from(MIDS), min_size=1))
def test_class_rows_are_all_rows_of_those_classes(csv_of: Callable[..., Csv], file: Made, mids: set[str]) -> None:
    """All rows whose LabelName is wanted come, each once: none of a longer MID, or with the MID in another column."""
    assert read([csv_of(file.text, HEADER).class_rows(mids)]) == wanted(file, 2, mids)


@pytest.mark.usefixtures("blocks")
@FILES
@given(file=made_of(QUOTED), mids=st.sets(st.sampled_from(MIDS), min_size=1))
def test_class_rows_honour_quotes(csv_of: Callable[..., Csv], file: Made, mids: set[str]) -> None:
    """Quoted commas and newlines before the LabelName do not divide a row."""
    assert read([csv_of(file.text, HEADER).class_rows(mids)]) == wanted(file, 2, mids)


@FILES
@given(rows=rows_of(PLAIN, min_size=1), order=st.permutations([*HEADER[1:], "XClick1X", "XClick2X"]))
def test_columns_are_found_by_name(csv_of: Callable[..., Csv], rows: list[Row], order: list[str]) -> None:
    """Behind the ImageID the columns may stand in any order, with others among them."""
    header = ("ImageID", *order)
    moved = [tuple(dict(zip(HEADER, row, strict=True)).get(name, "0.5") for name in header) for row in rows]
    opened = csv_of(made(header, moved).text)
    image_rows = [tuple(row[HEADER.index(name)] for name in COLUMNS) for row in rows if row[0] == A]
    class_rows = [tuple(row[HEADER.index(name)] for name in COLUMNS) for row in rows if row[2] == "/m/01"]
    assert [row for _, row in read(opened.image_rows([A]))] == image_rows
    assert [row for _, row in read([opened.class_rows(["/m/01"])])] == class_rows


def test_an_image_id_that_does_not_stand_first_is_refused(csv_of: Callable[..., Csv]) -> None:
    """Photos are found by the first field, so a file that begins with another is a TableError, not one of no rows."""
    with pytest.raises(TableError, match=r"rows\.csv, line 1"):
        list(csv_of(f"LabelName,ImageID,Confidence\n/m/01,{A},1\n").image_rows([A]))


@pytest.mark.parametrize("parse_bytes", [1, 50, 1 << 26])
def test_parts_keep_neighbouring_rows_of_a_photo_whole(
    csv_of: Callable[..., Csv], monkeypatch: pytest.MonkeyPatch, parse_bytes: int
) -> None:
    """However small the parts, rows of a photo that stand together come in one part, and none is lost."""
    monkeypatch.setattr(scan, "_PARSE_BYTES", parse_bytes)
    monkeypatch.setattr(scan, "_BLOCK_BYTES", 40)  # a row and a bit: a photo's rows come from several blocks
    file = made(HEADER, [(image_id, "s", "/m/01", "1") for image_id in (A, A, A, B, C, C, A)])
    parts = list(csv_of(file.text, HEADER).image_rows([A, B, C]))
    assert read(parts) == wanted(file, 0, [A, B, C])
    ids = [image_id for part in parts for image_id, _ in part.groupby("ImageID")]
    assert len(ids) <= len("ABCA")
    if parse_bytes == 1:
        assert [part["ImageID"].tolist() for part in parts] == [[A, A, A], [B], [C, C], [A]]


def test_frames_hold_strings_alone(csv_of: Callable[..., Csv]) -> None:
    """Nothing is taken for a null or a number: NA, an empty field and 007 stay as they are written."""
    file = made(HEADER, [(A, "NA", "/m/01", "007"), (A, "", "/m/01", "null")])
    opened = csv_of(file.text, HEADER)
    assert [row for _, row in read(opened.image_rows([A]))] == list(file.rows)
    assert {str(dtype) for part in opened.image_rows([A]) for dtype in part.dtypes} == {"str"}


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_a_file_of_a_header_has_no_rows(csv_of: Callable[..., Csv], end: str) -> None:
    """A header alone is a file without rows, and what is read of it has the columns."""
    opened = csv_of(LABELS.replace("\n", end))
    assert opened.class_rows(["/m/01"]).columns.tolist() == list(COLUMNS)
    assert read([opened.class_rows(["/m/01"])]) == read(opened.image_rows([A])) == []


def test_nothing_wanted_is_nothing_read(csv_of: Callable[..., Csv]) -> None:
    """No ids give no rows."""
    assert read(csv_of(f"{LABELS}{A},s,/m/01,1\n").image_rows([])) == []


def good(number: int) -> str:
    """A few rows, as a file has them before a fault."""
    return "".join(f"{index:016x},s,/m/01,1\n" for index in range(number))


def read_by_image(opened: Csv) -> object:
    """Read the rows of two photos."""
    return read(opened.image_rows([A, B]))


def read_by_class(opened: Csv) -> object:
    """Read the rows of a class."""
    opened.check_rows()
    return read([opened.class_rows(["/m/01"])])


READERS = pytest.mark.parametrize("reader", [read_by_image, read_by_class])


BROKEN = {
    "empty": ("", 1, "ends within its header"),
    "cut in the header": ("ImageID,Sour", 1, "ends within its header"),
    "wrong columns": (f"ImageID,Source,Confidence\n{A},s,1\n", 1, "no column LabelName"),
    "a web page": ("<!DOCTYPE html>\n<html>\n", 1, "no column ImageID, LabelName, Confidence"),
    "commas only": (",,,\n,,,\n", 1, "no column"),
    "CR only": (f"{LABELS}{good(2)}".replace("\n", "\r"), 1, "CR only"),
    "rows of commas": (f"{LABELS}{good(2)},,,\n,,,\n", 4, "ImageID '' is no image id"),
    "a path for an id": (f"{LABELS}{good(2)}../../x,s,/m/0,1\n{good(1)}", 4, "ImageID '../../x' is no image id"),
    "a path, and a comma where one is due": (f"{LABELS}{good(2)}../../x,freeform,/m/0,1\n", 4, "ImageID '../../x' is"),
    "a long id": (f"{LABELS}{good(2)}{A}0,s,/m/0,1\n", 4, "is no image id of 16 hex digits"),
    "an id in quotes": (f'{LABELS}{good(2)}"{A}",s,/m/0,1\n', 4, "is no image id of 16 hex digits"),
    "a stray quote in the last line": (f'{LABELS}{good(2)}{B},x"y,"/m/01,1', 4, "cut short"),
    "a return in the last line": (f'{LABELS}{good(2)}{B},"s\ra"b\r,/m/01,1', 4, "cannot be read|cut short"),
    "cut in a row": (f"{LABELS}{good(2)}{B},s,/m/0", 4, "cut short"),
    "cut in an id": (f"{LABELS}{good(2)}{B[:-1]}", 4, "cut short"),
    "last field gone": (f"{LABELS}{good(2)}{B},s,/m/01\n{A},s,/m/01,1\n", 4, "3 fields, not 4"),
    "a field gone": (f"{LABELS}{good(2)}{B},/m/01,1\n", 4, "3 fields, not 4"),
    "a field too many": (f"{LABELS}{good(2)}{B},s,/m/01,1,0\n", 4, "5 fields, not 4"),
    "a quote too many": (f'{LABELS}{good(2)}{B},"s,/m/01,1\n{good(3)}', 4, "cut short"),
}


@READERS
@pytest.mark.parametrize("is_whole", [True, False])
@pytest.mark.parametrize("kind", BROKEN)
def test_a_broken_file_is_refused(
    csv_of: Callable[..., Csv], reader: Callable[[Csv], object], kind: str, *, is_whole: bool
) -> None:
    """A file that is broken is a TableError with its name, the line and the fault, whole as it may be."""
    text, line, fault = BROKEN[kind]
    with pytest.raises(TableError, match=rf"rows\.csv, line {line}: .*(?:{fault})"):
        reader(csv_of(text, is_whole=is_whole))


@READERS
@pytest.mark.parametrize("last", ["1", "", "0.0"])
def test_a_file_cut_within_its_last_field_is_refused(
    csv_of: Callable[..., Csv], reader: Callable[[Csv], object], last: str
) -> None:
    """Of a file whose length nobody checked, a last line without its end is refused, whatever is left of it."""
    with pytest.raises(TableError, match=r"rows\.csv, line 4: .*its last line lacks its end"):
        reader(csv_of(f"{LABELS}{good(2)}{B},s,/m/01,{last}", is_whole=False))


def test_a_class_in_quotes_is_that_class(csv_of: Callable[..., Csv]) -> None:
    """A LabelName in quotes is read as csv.reader reads it, and not passed over."""
    opened = csv_of(f'{LABELS}{A},s,"/m/01",1\n{B},s,/m/01,1\n{C},s,"/m/012",1\n')
    assert [row for _, row in read([opened.class_rows(["/m/01"])])] == [(A, "/m/01", "1"), (B, "/m/01", "1")]


def test_class_rows_bring_the_columns_that_are_asked_for(csv_of: Callable[..., Csv]) -> None:
    """Of large classes only the columns that are needed are kept."""
    opened = csv_of(f"{LABELS}{good(2)}")
    assert opened.class_rows(["/m/01"], ("ImageID", "LabelName")).columns.tolist() == ["ImageID", "LabelName"]


@READERS
def test_rows_whose_line_ends_are_cr_only_are_refused(
    csv_of: Callable[..., Csv], reader: Callable[[Csv], object]
) -> None:
    """A file in which only the header ends in a newline is a TableError, not one of a single row or of none."""
    with pytest.raises(TableError, match=r"rows\.csv, line 2"):
        reader(csv_of(LABELS + f"{B},s,/m/01,1\r{A},s,/m/01,1\r"))


@READERS
def test_a_file_that_is_no_utf8_is_refused(csv_of: Callable[..., Csv], reader: Callable[[Csv], object]) -> None:
    """Bytes that are no UTF-8 are a TableError that names the file."""
    with pytest.raises(TableError, match=r"rows\.csv, line 2: .*UTF8"):
        reader(csv_of(f"{LABELS}{A},é,/m/01,1\n".encode("latin-1"), HEADER))


@READERS
def test_a_quote_that_never_ends_is_found_in_bounded_memory(
    csv_of: Callable[..., Csv], monkeypatch: pytest.MonkeyPatch, reader: Callable[[Csv], object]
) -> None:
    """A quote without its partner is a TableError with its line once a record grows beyond what one can be."""
    monkeypatch.setattr(scan, "_BLOCK_BYTES", 64)
    monkeypatch.setattr(scan, "_RECORD_BYTES_MAX", 256)
    with pytest.raises(TableError, match=r"rows\.csv, line 4: a quoted field never ends"):
        reader(csv_of(f'{LABELS}{good(2)}{B},"s,/m/01,1\n' + good(1000)))


@pytest.mark.parametrize("image_ids", [{A}, {B}, {A, B}], ids=["first", "second", "both"])
@FILES
@given(text=st.text('a",\n\r', max_size=8), end=st.sampled_from(["\n", ""]))
def test_damage_is_never_passed_over_in_silence(
    csv_of: Callable[..., Csv], image_ids: set[str], text: str, end: str
) -> None:
    """Whatever stands in a field without being quoted, rows are read as csv.reader does, or the file is refused."""
    damaged = f"{LABELS}{A},{text},/m/01,1\n{B},{text},/m/01,1{end}"
    expected = [tuple(row) for row in csv.reader(io.StringIO(damaged, newline="")) if row and row[0] in image_ids]
    try:
        found = read(csv_of(damaged, HEADER).image_rows(image_ids))
    except TableError:
        return
    assert [row for _, row in found] == expected


@pytest.mark.parametrize("name", ["nowhere.csv", ".", "file/below.csv"])
def test_a_file_that_cannot_be_opened_is_a_storage_error(tmp_path: Path, name: str) -> None:
    """A file that is not there, or is a directory, is a StorageError with its path."""
    (tmp_path / "file").write_text("x")
    for reader in (read_by_image, read_by_class):
        with pytest.raises(StorageError, match=str(tmp_path)):
            reader(Csv(tmp_path / name, COLUMNS))


@pytest.mark.usefixtures("blocks")
@FILES
@given(text=st.text("ab\n\r", max_size=200), data=st.data())
def test_a_line_is_named_by_its_number(csv_of: Callable[..., Csv], text: str, data: st.DataObject) -> None:
    """The line of an offset is one more than the newlines before it."""
    offset = data.draw(st.integers(0, len(text)))
    assert csv_of(text).line_of(offset) == 1 + text[:offset].count("\n")


def test_a_bad_row_is_located(csv_of: Callable[..., Csv]) -> None:
    """A BadRowError about an offset becomes a TableError with the file, the line and the fault."""
    opened = csv_of(f"{LABELS}{good(3)}")
    where = read(opened.image_rows(["0" * 15 + "2"]))[0][0]
    with pytest.raises(TableError, match=r"rows\.csv, line 4: XMin 'x' is no number"), opened.located():
        raise BadRowError(where, "XMin 'x' is no number")
