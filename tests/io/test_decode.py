"""Laws of decoding photos; Pillow makes them, a sample and a mirror hold others."""

import io
import os
import struct
import warnings
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from hashlib import sha256
from pathlib import Path, PosixPath

import imagehash
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageDraw, ImageOps

from oidata import sample
from oidata.core.auditing.duplicates import FINGERPRINTS, MAX_DISTANCE, MIN_CONTRAST, find
from oidata.core.tables import check
from oidata.io.decode import Decoding, decode, decode_photos, fingerprints

ORIENTATION = 0x0112
TURNS = {
    1: None,
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}


def scene(seed: int = 0, size: tuple[int, int] = (360, 240)) -> Image.Image:
    """Some discs on a gradient: no two seeds alike, no symmetry."""
    image = Image.linear_gradient("L").resize(size).convert("RGB")
    draw = ImageDraw.Draw(image)
    for place in range(6):
        x, y, radius, red = ((seed + 3) * (place + 5) * step % 97 / 97 for step in (31, 57, 71, 43))
        at, r = (x * size[0], y * size[1]), 20 + 50 * radius
        draw.ellipse((at[0] - r, at[1] - r, at[0] + r, at[1] + r), fill=(round(255 * red), 200 - 30 * place, 40))
    return image


def encoded(image: Image.Image, kind: str = "JPEG", **options: object) -> bytes:
    """The image in a format of Pillow's."""
    file = io.BytesIO()
    image.save(file, kind, **({"quality": 90} | options))
    return file.getvalue()


def exif(orientation: int) -> bytes:
    """EXIF data with an orientation."""
    tags = Image.Exif()
    tags[ORIENTATION] = orientation
    return tags.tobytes()


def with_size(data: bytes, width_px: int, height_px: int) -> bytes:
    """The baseline JPEG with another size in its frame header."""
    at = data.index(b"\xff\xc0") + 5
    return data[:at] + struct.pack(">HH", height_px, width_px) + data[at + 4 :]


def of(directory: Path, data: bytes, image_id: str = "0" * 16) -> Decoding:
    """The bytes, written and decoded."""
    path = directory / f"{image_id}.jpg"
    path.write_bytes(data)
    return decode(image_id, path)


def distance(one: Decoding, other: Decoding) -> int:
    """The bits in which two photos' perceptual hashes differ."""
    assert one.phash is not None
    assert other.phash is not None
    return (one.phash ^ other.phash).bit_count()


@pytest.fixture(scope="module", params=range(4))
def photo(request: pytest.FixtureRequest) -> Image.Image:
    """One of several drawn scenes."""
    return scene(request.param)


def test_a_decoding_says_what_is_stored(tmp_path: Path) -> None:
    """Mode, size and orientation are those of the pixels as stored, the SHA-256 is that of the file."""
    data = encoded(scene(), exif=exif(6))
    decoding = of(tmp_path, data)
    assert decoding.decodes
    assert (decoding.mode, decoding.width_px, decoding.height_px, decoding.exif_orientation) == ("RGB", 360, 240, 6)
    assert decoding.sha256 == sha256(data).hexdigest()
    assert decoding.contrast is not None
    assert decoding.contrast > MIN_CONTRAST


def test_an_exact_copy_has_the_same_fingerprints(tmp_path: Path) -> None:
    """The same bytes give the same value, but for the id."""
    data = encoded(scene())
    one, other = (of(tmp_path, data, image_id * 16) for image_id in "ab")
    assert replace(one, image_id=other.image_id) == other


def test_other_metadata_leave_the_pixels_equal(tmp_path: Path) -> None:
    """A copy with a comment or an orientation differs by its bytes alone, and its pixel hash says so."""
    plain = of(tmp_path, encoded(scene()))
    for data in (encoded(scene(), comment=b"hello"), encoded(scene(), exif=exif(3))):
        other = of(tmp_path, data)
        assert other.sha256 != plain.sha256
        assert other.pixel_hash == plain.pixel_hash


@pytest.mark.parametrize("size", [(64, 48), (2304, 2304)], ids=["one block", "several blocks"])
@pytest.mark.parametrize("mode", ["RGB", "L", "CMYK"])
def test_one_other_block_changes_the_pixel_hash(tmp_path: Path, mode: str, size: tuple[int, int]) -> None:
    """A difference in one corner of a photo is seen, however Pillow keeps its pixels."""
    image = Image.new(mode, size, 100 if mode == "L" else (100,) * len(mode))
    spotted = image.copy()
    spotted.paste(140 if mode == "L" else (140,) * len(mode), (size[0] - 8, size[1] - 8, *size))
    same, again, other = (of(tmp_path, encoded(each)).pixel_hash for each in (image, image.copy(), spotted))
    assert same == again != other


def test_size_and_mode_are_part_of_the_pixel_hash(tmp_path: Path) -> None:
    """Photos of the same bytes of pixels, but another shape or mode, are not the same."""
    images = [Image.new("L", (64, 32), 128), Image.new("L", (32, 64), 128), Image.new("CMYK", (16, 32), (128,) * 4)]
    hashes = {of(tmp_path, encoded(image)).pixel_hash for image in images}
    assert len(hashes) == len(images)


@pytest.mark.parametrize("quality", [20, 60])
def test_a_copy_of_other_quality_looks_alike(tmp_path: Path, photo: Image.Image, quality: int) -> None:
    """Compressed again the photo has other pixels and nearly the same look."""
    one, other = of(tmp_path, encoded(photo)), of(tmp_path, encoded(photo, quality=quality))
    assert one.pixel_hash != other.pixel_hash
    assert distance(one, other) <= MAX_DISTANCE


@pytest.mark.parametrize("size", [(180, 120), (120, 80), (720, 480), (300, 300)])
def test_a_copy_of_other_size_looks_alike(tmp_path: Path, photo: Image.Image, size: tuple[int, int]) -> None:
    """Smaller, larger or squashed the photo looks nearly the same."""
    assert distance(of(tmp_path, encoded(photo)), of(tmp_path, encoded(photo.resize(size)))) <= MAX_DISTANCE


@pytest.mark.parametrize("orientation", TURNS)
def test_a_turned_copy_looks_like_its_upright_twin(tmp_path: Path, photo: Image.Image, orientation: int) -> None:
    """Pixels turned, and an orientation that turns them back, look as the upright photo does."""
    turn = TURNS[orientation]
    stored = photo.transpose(turn) if turn is not None else photo
    data = encoded(stored, exif=exif(orientation))
    with Image.open(io.BytesIO(data)) as image:
        assert ImageOps.exif_transpose(image).size == photo.size
    assert distance(of(tmp_path, encoded(photo)), of(tmp_path, data)) <= MAX_DISTANCE


def test_a_mirrored_copy_and_another_scene_do_not_look_alike(tmp_path: Path, photo: Image.Image) -> None:
    """What is mirrored, turned with no word of it, or another scene, is no duplicate."""
    one = of(tmp_path, encoded(photo))
    others = [photo.transpose(turn) for turn in TURNS.values() if turn is not None] + [scene(9)]
    assert min(distance(one, of(tmp_path, encoded(other))) for other in others) > MAX_DISTANCE


def test_grayscale_and_cmyk_copies_look_alike(tmp_path: Path, photo: Image.Image) -> None:
    """Modes are told as stored, and do not change the look."""
    decodings = {mode: of(tmp_path, encoded(photo.convert(mode))) for mode in ("RGB", "L", "CMYK")}
    assert all(decoding.mode == mode for mode, decoding in decodings.items())
    assert max(distance(decodings["RGB"], decodings[mode]) for mode in ("L", "CMYK")) <= MAX_DISTANCE


def test_the_hash_is_that_of_the_whole_photo(tmp_path: Path, photo: Image.Image) -> None:
    """The hash of the thumbnail is within 4 bits of imagehash's own of all pixels."""
    data = encoded(photo)
    with Image.open(io.BytesIO(data)) as image:
        whole = int(str(imagehash.phash(image)), 16)
    phash = of(tmp_path, data).phash
    assert phash is not None
    assert (phash ^ whole).bit_count() <= 4


def test_blank_photos_are_no_duplicates(tmp_path: Path) -> None:
    """Photos of one colour each are told by their lack of contrast and make no group."""
    colours = ("white", "black", "gray", "navy", "olive")
    blanks = [of(tmp_path, encoded(Image.new("RGB", (90, 60), each)), f"{n:016x}") for n, each in enumerate(colours)]
    assert max(blank.contrast or 0.0 for blank in blanks) < MIN_CONTRAST
    assert find(fingerprints(blanks)).empty


WHOLE = encoded(scene())
PROGRESSIVE = encoded(scene(), progressive=True)
BROKEN = {
    "empty": (b"", "an empty file"),
    "PNG": (encoded(scene(), "PNG"), "no JPEG"),
    "GIF": (encoded(scene(), "GIF"), "no JPEG"),
    "web page": (b"<html>not found</html>", "no JPEG"),
    "zeros": (bytes(5_000), "no JPEG"),
    "cut": (WHOLE[: len(WHOLE) // 2], "cut short"),
    "cut progressive": (PROGRESSIVE[: len(PROGRESSIVE) // 2], "cut short"),
    "without its end": (WHOLE[:-2], "cut short"),
    "header alone": (WHOLE[:300], "cut short"),
    "bomb": (with_size(WHOLE, 65_500, 65_500), "exceeds limit"),
    "too large for TensorFlow": (with_size(encoded(scene().convert("CMYK")), 16_384, 8_192), "too large to decode"),
}


@pytest.mark.parametrize("kind", BROKEN)
def test_what_does_not_decode_has_a_reason(tmp_path: Path, kind: str) -> None:
    """Bytes that are no whole JPEG, or too many pixels, are recorded with the reason and nothing else."""
    data, reason = BROKEN[kind]
    decoding = of(tmp_path, data)
    assert not decoding.decodes
    assert reason in decoding.reason
    assert decoding == Decoding(decoding.image_id, decoding.reason)


def test_a_photo_that_cannot_be_read_has_a_reason(tmp_path: Path) -> None:
    """A photo that is absent, or a directory, is recorded, not raised."""
    assert decode("a", tmp_path / "absent.jpg") == Decoding("a", "no such file")
    assert not decode("a", tmp_path).decodes


@given(st.lists(st.tuples(st.integers(0, len(WHOLE) - 1), st.binary(min_size=1, max_size=4)), min_size=1, max_size=6))
def test_whatever_the_bytes_nothing_is_raised(
    tmp_path_factory: pytest.TempPathFactory, changes: list[tuple[int, bytes]]
) -> None:
    """Bytes damaged anywhere are a photo or a reason; warnings, which are errors here, do not come through."""
    data = bytearray(WHOLE)
    for at, new in changes:
        data[at : at + len(new)] = new
    decoding = of(tmp_path_factory.getbasetemp(), bytes(data))
    assert decoding.decodes == (decoding.phash is not None)


def test_a_warning_of_pillow_does_not_leak(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A photo that Pillow warns of, as of a possible bomb, decodes in silence; opened directly it does warn."""
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 360 * 240 - 1)
    with pytest.warns(Image.DecompressionBombWarning), Image.open(io.BytesIO(WHOLE)):
        pass
    with warnings.catch_warnings(record=True) as caught:
        assert of(tmp_path, WHOLE).decodes
    assert caught == []


def mixed(directory: Path, num: int = 40) -> Iterator[tuple[str, Path]]:
    """Photos of all sorts: whole, broken and absent."""
    kinds = [*(data for data, _ in BROKEN.values()), WHOLE, PROGRESSIVE, encoded(scene(2).convert("CMYK"))]
    for number in range(num):
        path = directory / f"{number:016x}.jpg"
        if number % 9:
            path.write_bytes(kinds[number % len(kinds)])
        yield path.stem, path


def test_workers_do_not_matter(tmp_path: Path) -> None:
    """One result for each photo in the order given, the same of one, two and three processes, each told once."""
    photos = dict(reversed(list(mixed(tmp_path))))
    told: list[int] = []
    alone = decode_photos(photos, num_workers=1, advance=lambda: told.append(1))
    assert [decoding.image_id for decoding in alone] == list(photos)
    assert alone == [decode(image_id, path) for image_id, path in photos.items()]
    assert len(told) == len(photos)
    for num_workers in (2, 3):
        assert decode_photos(photos, num_workers=num_workers) == alone
    assert decode_photos(photos) == alone


def test_the_order_of_the_photos_does_not_matter(tmp_path: Path) -> None:
    """A photo's result does not depend on those before it."""
    photos = dict(mixed(tmp_path))
    backwards = decode_photos(dict(reversed(photos.items())), num_workers=1)
    assert decode_photos(photos, num_workers=1) == backwards[::-1]


def test_no_photos_are_no_results() -> None:
    """Nothing to decode gives nothing, in this process and in others."""
    assert decode_photos({}) == decode_photos({}, num_workers=2) == []


class Deadly(PosixPath):
    """A photo that ends the process that reads it, as one does for which memory does not suffice."""

    def read_bytes(self) -> bytes:
        """End the process, without a word."""
        os._exit(9)


def test_a_process_that_ends_takes_one_photo_with_it(tmp_path: Path) -> None:
    """A photo that ends its process is recorded; all others, of its batch and of the rest, are decoded."""
    photos = dict(mixed(tmp_path))
    expected = decode_photos(photos, num_workers=1)
    fatal = f"{7:016x}"
    found = decode_photos(photos | {fatal: Deadly(photos[fatal])}, num_workers=2)
    assert found[7] == Decoding(fatal, "decoding it ends the process")
    assert found[:7] + found[8:] == expected[:7] + expected[8:]


def test_what_interrupts_the_caller_stops_the_processes(tmp_path: Path) -> None:
    """An error of `advance` comes through."""

    def stop() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        decode_photos(dict(mixed(tmp_path)), num_workers=2, advance=stop)


def test_fingerprints_hold_what_decodes(tmp_path: Path) -> None:
    """The table has a row for each photo that decodes, as declared, with all 64 bits of its hash."""
    decodings = decode_photos(dict(mixed(tmp_path)), num_workers=1)
    table = check(fingerprints(decodings), FINGERPRINTS)
    whole = [decoding for decoding in decodings if decoding.decodes]
    assert table["image_id"].tolist() == [decoding.image_id for decoding in whole]
    assert [int(phash) for phash in table["phash"]] == [decoding.phash for decoding in whole]
    assert check(fingerprints([]), FINGERPRINTS).empty


def photos_of(root: Path) -> dict[str, Path]:
    """The photos of a mirror, by id."""
    return {path.stem: path for path in sorted(root.glob("*/*.jpg"))}


def test_the_doubles_of_the_sample_are_found() -> None:
    """The sample's one copy is found by its bytes, two of its three retakes by their look, and nothing else."""
    found = find(fingerprints(decode_photos(photos_of(sample.ROOT), num_workers=1)))
    pairs = {frozenset(rows["image_id"]): set(rows["kind"]) for _, rows in found.groupby("group_id")}
    assert pairs == {
        frozenset({"0c4a2eafdc6e6376", "92094c5d209fa679"}): {"bytes"},
        frozenset({"2039daf6abac2bff", "24c53cb5b65769c8"}): {"near"},
        frozenset({"c55c1dddd2c1153c", "fb577c1dc4124f6c"}): {"near"},
    }


def test_the_real_photos_hold_no_duplicate(shared_mirror: Path) -> None:
    """All 206 photos of the mirror decode, four are turned, none is without contrast, and no two are alike."""
    decodings = decode_photos(photos_of(shared_mirror))
    assert all(decoding.decodes for decoding in decodings)
    assert Counter(decoding.exif_orientation for decoding in decodings) == {1: 202, 6: 3, 8: 1}
    assert min(decoding.contrast or 0.0 for decoding in decodings) > 10 * MIN_CONTRAST
    assert find(fingerprints(decodings)).empty
