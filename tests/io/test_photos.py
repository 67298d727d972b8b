"""Laws of telling a whole JPEG by its bytes; Pillow makes them and is the oracle for sizes."""

import hashlib
import io
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from oidata.errors import PhotoError
from oidata.io.photos import photo_facts

ORIENTATION = 0x0112
SOI, EOI = b"\xff\xd8", b"\xff\xd9"


def jpeg(mode: str = "RGB", size: tuple[int, int] = (40, 24), **options: object) -> bytes:
    """A JPEG of a gradient."""
    return encoded("JPEG", mode, size, **options)


def encoded(kind: str, mode: str = "RGB", size: tuple[int, int] = (40, 24), **options: object) -> bytes:
    """A gradient in any of Pillow's formats."""
    file = io.BytesIO()
    Image.linear_gradient("L").resize(size).convert(mode).save(file, kind, **options)
    return file.getvalue()


def exif(orientation: int) -> bytes:
    """EXIF data with an orientation, as a camera writes them."""
    tags = Image.Exif()
    tags[ORIENTATION] = orientation
    return tags.tobytes()


def with_segment(data: bytes, payload: bytes, marker: int = 0xE1) -> bytes:
    """The JPEG with a segment put in behind SOI."""
    return SOI + bytes([0xFF, marker]) + struct.pack(">H", len(payload) + 2) + payload + data[2:]


KINDS = {
    "baseline": jpeg(),
    "progressive": jpeg(progressive=True),
    "restart markers": jpeg(restart_marker_rows=1),
    "grayscale": jpeg("L"),
    "CMYK": jpeg("CMYK"),
    "turned": jpeg(exif=exif(6)),
    "one pixel": jpeg(size=(1, 1)),
    "tall": jpeg(size=(3, 700)),
    "thumbnail": with_segment(jpeg(), b"Exif\0\0II*\0\x08\0\0\0\0\0\0\0\0\0" + jpeg(size=(8, 6))),
    "markers in a comment": with_segment(jpeg(), SOI + EOI + b"\xff\xda", marker=0xFE),
    "fill bytes": SOI + b"\xff\xff\xff" + jpeg()[2:],
}


@pytest.mark.parametrize("kind", KINDS)
def test_facts_are_those_that_pillow_finds(kind: str) -> None:
    """Width and height are Pillow's, of the pixels as stored; length and hash are those of the bytes."""
    data = KINDS[kind]
    facts = photo_facts(data)
    with Image.open(io.BytesIO(data)) as image:
        assert (facts.width_px, facts.height_px) == image.size
    assert facts.size_bytes == len(data)
    assert facts.sha256 == hashlib.sha256(data).hexdigest()


@pytest.mark.parametrize("orientation", range(1, 9))
def test_the_orientation_is_read_and_not_applied(orientation: int) -> None:
    """Each of the eight orientations is reported, and the size is that of the pixels as stored."""
    facts = photo_facts(jpeg(exif=exif(orientation)))
    assert (facts.exif_orientation, facts.width_px, facts.height_px) == (orientation, 40, 24)


@pytest.mark.parametrize("data", [jpeg(), jpeg(exif=exif(0)), jpeg(exif=exif(9)), jpeg(exif=Image.Exif().tobytes())])
def test_without_a_valid_orientation_a_photo_is_upright(data: bytes) -> None:
    """No EXIF data, none of the tag, or a value that is none, count as upright."""
    assert photo_facts(data).exif_orientation == 1


@given(st.binary(max_size=40) | st.binary(max_size=40).map(lambda tags: b"II*\0\x08\0\0\0" + tags))
def test_damaged_exif_data_do_not_spoil_a_photo(tags: bytes) -> None:
    """Whatever stands in the EXIF data, the photo is whole and its orientation is one of the eight."""
    facts = photo_facts(with_segment(jpeg(), b"Exif\0\0" + tags))
    assert facts.exif_orientation in range(1, 9)
    assert (facts.width_px, facts.height_px) == (40, 24)


@pytest.mark.parametrize("kind", KINDS)
@given(data=st.data())
def test_a_photo_that_is_cut_short_is_refused(kind: str, data: st.DataObject) -> None:
    """No strict prefix of a JPEG is a whole one, wherever it is cut."""
    whole = KINDS[kind]
    cut = data.draw(st.integers(0, len(whole) - 1) | st.integers(len(whole) - 4, len(whole) - 1))
    with pytest.raises(PhotoError):
        photo_facts(whole[:cut])


@pytest.mark.parametrize("trailing", [b"\0", b"\n", b"\xff", b"junk" * 100, jpeg(size=(8, 6))])
def test_bytes_behind_the_end_do_not_matter(trailing: bytes) -> None:
    """A JPEG with something behind its EOI is whole; its length and hash count every byte."""
    data = jpeg() + trailing
    facts = photo_facts(data)
    assert (facts.width_px, facts.height_px, facts.size_bytes) == (40, 24, len(data))


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xff",
        encoded("PNG"),
        encoded("GIF", "L"),
        encoded("WEBP"),
        b"<!DOCTYPE html><html><body>Please log in.</body></html>",
        b"\n" + jpeg(),
        bytes(1000),
    ],
    ids=["empty", "one byte", "PNG", "GIF", "WebP", "web page", "shifted", "zeros"],
)
def test_what_is_no_jpeg_is_refused(data: bytes) -> None:
    """Anything that does not begin as a JPEG is a PhotoError that says so."""
    with pytest.raises(PhotoError, match="no JPEG"):
        photo_facts(data)


@pytest.mark.parametrize(
    "data, fault",
    [
        (SOI + EOI, "cut short"),
        (SOI + b"\xff\xda\0\x02" + EOI, "without a frame header"),
        (SOI + b"\xff\xe0\0\0" + jpeg()[2:], "cut short"),
        (SOI + b"junk" + jpeg()[2:], "damaged"),
        (jpeg().replace(EOI, b""), "no EOI"),
    ],
)
def test_a_damaged_header_is_refused(data: bytes, fault: str) -> None:
    """A JPEG without frame, with a segment of no length, junk between segments, or no end, is a PhotoError."""
    with pytest.raises(PhotoError, match=fault):
        photo_facts(data)


@given(st.lists(st.tuples(st.integers(2, len(KINDS["turned"]) - 1), st.binary(min_size=1, max_size=1)), max_size=5))
def test_whatever_the_bytes_only_a_photo_error_comes(changes: list[tuple[int, bytes]]) -> None:
    """Bytes damaged anywhere give facts or a PhotoError, and nothing else."""
    data = bytearray(KINDS["turned"])
    for position, byte in changes:
        data[position : position + 1] = byte
    try:
        facts = photo_facts(bytes(data))
    except PhotoError:
        return
    assert facts.size_bytes == len(data)
    assert facts.width_px > 0 < facts.height_px
