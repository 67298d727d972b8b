"""A release's small files: what is read of them, and what is said of broken ones."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from oidata.core.labels import Label
from oidata.errors import TableError, UsageError
from oidata.io.cache import Cache
from oidata.io.metadata import Metadata, Source
from oidata.io.releases import HIERARCHY, Release, class_list

LEMON, CHEESE = Label("/m/09k_b", "Lemon"), Label("/m/01nkt", "Cheese")
LINES = "/m/09k_b,Lemon\n/m/01nkt,Cheese\n"


@contextmanager
def unwatched(_title: str) -> Iterator[Callable[[int, int], None]]:
    yield lambda _have, _total: None


@pytest.fixture
def metadata(tmp_path: Path) -> Metadata:
    """A release in a directory, still without files."""
    source = tmp_path / "source"
    source.mkdir()
    return Metadata(Release.V5, Source.of(str(source)), Cache(tmp_path / "cache"), unwatched)


def write(tmp_path: Path, name: str, data: bytes | str) -> None:
    path = tmp_path / "source" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data.encode() if isinstance(data, str) else data)


@pytest.mark.parametrize("header", ["", "id,name\n", "LabelName,DisplayName\n"])
@pytest.mark.parametrize("bom", ["", "\ufeff"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_a_class_list_may_have_a_header(metadata: Metadata, tmp_path: Path, header: str, bom: str, end: str) -> None:
    """With or without a header and a BOM, and whatever its line ends, a list has its classes in their order."""
    write(tmp_path, class_list(Release.V5), (bom + header + LINES).replace("\n", end))
    assert metadata.class_list().labels == (LEMON, CHEESE)


@pytest.mark.parametrize(
    "data, fault",
    [
        ("", "no class"),
        ("id,name\n", "no class"),
        ("<!DOCTYPE html>\n<html></html>\n", "line 1: '<!DOCTYPE html>' is no class"),
        (f"id,name\n{LINES}id,name\n", "line 4: 'id,name' is no class"),
        (f"{LINES}m/01,Bread\n", "line 3: 'm/01,Bread' is no class"),
        (f"{LINES}/m/01,\n", "line 3"),
        (f"{LINES}/m/01\n", "line 3"),
        (f"{LINES}/m/01,Crème brûlée\n".encode("latin-1"), "UTF-8|utf-8"),
        (f'{LINES}/m/01,"{"x" * 200_000}\n', "line 3"),
        (f"{LINES}/m/01,{'x' * 200_000}\n", "line 3"),
    ],
    ids=lambda value: str(value)[-25:],
)
def test_a_broken_class_list_is_refused(metadata: Metadata, tmp_path: Path, data: bytes | str, fault: str) -> None:
    """A list that is broken, or has no class, is a TableError with its path, the line if there is one, and a hint."""
    write(tmp_path, class_list(Release.V5), data)
    with pytest.raises(TableError, match=rf"(?s){class_list(Release.V5)}.*(?:{fault})") as caught:
        metadata.class_list()
    assert caught.value.hint


@pytest.mark.parametrize("data", ["", "[]", "{}", '{"LabelName": 3}', "{", b'{"LabelName": "\xe9"}'])
def test_a_broken_hierarchy_is_refused(metadata: Metadata, tmp_path: Path, data: bytes | str) -> None:
    """A hierarchy that is no JSON, or none of classes, is a TableError with its path and a hint."""
    write(tmp_path, HIERARCHY, data)
    with pytest.raises(TableError, match=HIERARCHY) as caught:
        metadata.hierarchy()
    assert caught.value.hint


@pytest.mark.parametrize(
    "name",
    [
        "http://[bad",
        "http://exa mple/",
        "https://u:p@",
        "http://host:99999/",
        "http:///no-host",
        "s3://",
        "gs://",
        "s3:///no-bucket",
        "s3://b ucket/x",
        "file:",
        "file://",
        "ftp://example.org",
        "no/such/directory",
        "sampel:",
        "",
    ],
)
def test_a_source_that_names_no_place_is_a_usage_error(name: str) -> None:
    """What cannot be a source is refused before anything is asked for, with what can be given."""
    with pytest.raises(UsageError) as caught:
        Source.of(name)
    assert "s3://" in caught.value.hint


def test_a_directory_is_a_source(tmp_path: Path) -> None:
    """A directory may be named without a scheme, whatever characters are in its path."""
    directory = tmp_path / "a b#c%20?d"
    directory.mkdir()
    (directory / "v5").mkdir()
    (directory / class_list(Release.V5)).write_text(LINES)
    source = Source.of(str(directory))
    assert source.metadata_url == directory.as_uri()
    assert Metadata(Release.V5, source, Cache(tmp_path), unwatched).class_list().labels == (LEMON, CHEESE)
