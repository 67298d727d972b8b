"""Laws of manifests."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oidata.core.release import manifest
from oidata.core.release.manifest import Pin
from oidata.errors import TableError

A, B = "000000000000000a", "000000000000000b"
HASH = "5" * 64

PINS = st.lists(
    st.builds(
        Pin,
        st.sampled_from(["train", "validation", "test"]),
        st.from_regex(r"[0-9a-f]{16}", fullmatch=True),
        st.just("") | st.from_regex(r"[0-9a-f]{64}", fullmatch=True),
    ),
    min_size=1,
    unique_by=lambda pin: pin.image_id,
)


def line_of(pin: Pin, size_bytes: int | None) -> str:
    """A line as a dataset's manifest.tsv has it, or as Google's downloader takes it."""
    fields = [f"{pin.split}/{pin.image_id}", pin.sha256, "" if size_bytes is None else str(size_bytes)]
    return "\t".join(fields).rstrip("\t") if pin.sha256 else fields[0]


@given(
    pins=PINS,
    size_bytes=st.none() | st.integers(0, 1 << 40),
    end=st.sampled_from(["\n", "\r\n"]),
    ends_well=st.booleans(),
)
def test_what_is_written_is_read(pins: list[Pin], size_bytes: int | None, end: str, *, ends_well: bool) -> None:
    """Parsing gives the pins in their order, whichever the line ends, with or without hashes and sizes."""
    text = end.join(line_of(pin, size_bytes) for pin in pins) + end * ends_well
    assert manifest.parse(text, "m.tsv") == tuple(pins)


def test_comments_and_empty_lines_are_passed_over() -> None:
    """Lines that are empty or begin with # name no photo, and count in the numbering."""
    text = f"# mine\n\ntrain/{A}\n   \ntest/{B}\n"
    assert manifest.parse(text, "m.tsv") == (Pin("train", A, ""), Pin("test", B, ""))
    with pytest.raises(TableError, match=r"m\.tsv, line 6"):
        manifest.parse(f"{text}nonsense", "m.tsv")


@pytest.mark.parametrize(
    "line",
    [
        "../../x",
        "train/../../x",
        f"../train/{A}",
        f"/train/{A}",
        f"train/{A}.jpg",
        f"Train/{A}",
        f"dev/{A}",
        f"train/{A}f",
        f"train/{A[1:]}",
        f"train/{A}\t{HASH[1:]}",
        f"train/{A}\t{HASH[1:]}G",
        f"train/{A}\t{HASH}\t-1",
        f"train/{A}\t\t5",
        f"train/{A},{HASH}",
        f" train/{A}",
        A,
    ],
)
def test_a_line_that_names_no_photo_is_refused(line: str) -> None:
    """Anything but split/image_id, hash and size is a TableError with the file and the line."""
    with pytest.raises(TableError, match=r"m\.tsv, line 2"):
        manifest.parse(f"train/{B}\n{line}\n", "m.tsv")


@pytest.mark.parametrize(
    "text",
    [
        f"\ufeffvalidation/{A}\t{HASH[:-1]}f\n",
        f"val/{A}\t{HASH[:-1]}f\n",
        f"validation/{A.upper()}\t{HASH[:-1]}F\t12\n",
        f"\ufeffval/{A.upper()}\t{HASH[:-1]}F",
    ],
)
def test_what_an_editor_made_of_a_line_is_read(text: str) -> None:
    """A byte order mark, `val` for validation and hex digits in upper case make no other photo of it."""
    assert manifest.parse(text, "m.tsv") == (Pin("validation", A, f"{HASH[:-1]}f"),)


@pytest.mark.parametrize("again", [f"test/{A}", f"train/{A}\t{HASH}"])
def test_a_photo_that_is_pinned_in_two_ways_is_refused(again: str) -> None:
    """A photo in two splits, or with two hashes, is a TableError with the second line."""
    with pytest.raises(TableError, match=r"m\.tsv, line 3.*twice"):
        manifest.parse(f"train/{A}\ntrain/{B}\n{again}\n", "m.tsv")


def test_the_same_line_twice_names_a_photo_once() -> None:
    """A repeated line adds nothing."""
    assert manifest.parse(f"train/{A}\ntrain/{A}\n", "m.tsv") == (Pin("train", A, ""),)


@given(PINS, st.data())
def test_a_digest_does_not_depend_on_the_order(pins: list[Pin], data: st.DataObject) -> None:
    """The same photos in another order are the same subset."""
    assert manifest.digest(data.draw(st.permutations(pins))) == manifest.digest(pins)


@given(PINS, st.data())
def test_a_digest_tells_subsets_apart(pins: list[Pin], data: st.DataObject) -> None:
    """A photo more, in another split or with other bytes, is another subset."""
    place = data.draw(st.integers(0, len(pins) - 1))
    pin = pins[place]
    others = [
        [*pins, Pin("train", "f" * 16, HASH)],
        [*pins[:place], *pins[place + 1 :]],
        [*pins[:place], replace(pin, split="test" if pin.split == "train" else "train"), *pins[place + 1 :]],
        [*pins[:place], replace(pin, sha256="" if pin.sha256 else HASH), *pins[place + 1 :]],
    ]
    assert manifest.digest(pins) not in {manifest.digest(other) for other in others}


@pytest.mark.parametrize("text", ["", "\n\n", "# nothing\n"])
def test_a_manifest_of_nothing_is_refused(text: str) -> None:
    """A manifest without a photo is a TableError that names the file."""
    with pytest.raises(TableError, match=r"m\.tsv names no photo"):
        manifest.parse(text, "m.tsv")
