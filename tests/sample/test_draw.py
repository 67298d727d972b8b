"""Laws of the drawn sample: the generator, and the tree that is shipped."""

import csv
import hashlib
import io
import json
from collections import Counter
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from oidata.sample import ROOT
from oidata.sample.classes import MID
from oidata.sample.compositions import COMPOSITIONS
from oidata.sample.draw import (
    BOX_COLUMNS,
    BOX_FILES,
    IMAGE_COLUMNS,
    IMAGE_FILES,
    LABEL_COLUMNS,
    PHOTOS,
    SEED,
    SPLITS,
    draw,
    draw_photo,
    identify,
    scene_of,
    split_of,
)
from oidata.sample.oddities import ODDITIES
from oidata.sample.photograph import PAINTERS, photograph
from oidata.sample.scenes import KINDS, Frame, Scene, Thing
from oidata.sample.shading import grid
from oidata.sample.verdicts import sightings

SUBJECTS = (MID["Lemon"], MID["Cheese"])
FLAGS = ("IsOccluded", "IsTruncated", "IsGroupOf", "IsDepiction", "IsInside")
PIXEL_TOLERANCE = 6.0
"""Mean grey levels by which one photo may differ after JPEG, across versions of Pillow and numpy."""


@dataclass(frozen=True)
class Tables:
    """The rows of a mirror's tables, all splits together."""

    boxes: list[dict[str, str]]
    images: list[dict[str, str]]
    labels: list[dict[str, str]]

    def subjects(self) -> list[dict[str, str]]:
        """The boxes of lemons and cheeses."""
        return [row for row in self.boxes if row["LabelName"] in SUBJECTS]


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def shipped() -> Tables:
    return Tables(
        [row for split in SPLITS for row in rows(ROOT / BOX_FILES[split])],
        [row for split in SPLITS for row in rows(ROOT / IMAGE_FILES[split])],
        [row for split in SPLITS for row in rows(ROOT / f"v5/{split}-annotations-human-imagelabels-boxable.csv")],
    )


@pytest.fixture(scope="module")
def redrawn(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("sample") / "openimages"
    draw(root, photos=PHOTOS, seed=SEED)
    return root


def digests(root: Path) -> dict[str, str]:
    files = (path for path in root.rglob("*") if path.is_file())
    return {path.relative_to(root).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def photo_path(index: int) -> Path:
    return ROOT / split_of(index) / f"{identify(SEED, index)}.jpg"


def decoded(jpeg: bytes) -> np.ndarray:
    with Image.open(io.BytesIO(jpeg)) as image:
        return np.asarray(image.convert("RGB"), np.int16)


def test_same_arguments_give_the_same_bytes(tmp_path: Path) -> None:
    """Two draws with the same arguments write the same files, byte for byte."""
    for name in ("one", "two"):
        draw(tmp_path / name, photos=12, seed=5)
    assert digests(tmp_path / "one") == digests(tmp_path / "two")


def test_another_seed_gives_other_photos(tmp_path: Path) -> None:
    """No photo of one seed is a photo of another, by id or by content."""
    for name, seed in (("one", 5), ("two", 6)):
        draw(tmp_path / name, photos=12, seed=seed)
    one, two = (
        {path: digest for path, digest in digests(tmp_path / name).items() if path.endswith(".jpg")}
        for name in ("one", "two")
    )
    assert len(one) == 11  # photo 4 is the one that no server has
    assert not set(one) & set(two)
    assert not set(one.values()) & set(two.values())


def test_a_photo_does_not_depend_on_the_count(tmp_path: Path) -> None:
    """The photos of a short draw, and their rows, are all in a longer draw of the same seed."""
    draw(tmp_path / "short", photos=6, seed=9)
    draw(tmp_path / "long", photos=10, seed=9)
    short, long = (digests(tmp_path / name) for name in ("short", "long"))
    photos = {path for path in short if path.endswith(".jpg")}
    assert photos
    assert all(short[path] == long[path] for path in photos)
    for table in (BOX_FILES["train"], IMAGE_FILES["train"]):
        few, many = (rows(tmp_path / name / table) for name in ("short", "long"))
        assert few
        assert len(few) < len(many)
        assert all(row in many for row in few)


def test_a_directory_in_use_is_refused(tmp_path: Path) -> None:
    """A draw never mixes its files with what is there already."""
    (tmp_path / "old.jpg").write_bytes(b"old")
    with pytest.raises(FileExistsError, match="not empty"):
        draw(tmp_path, photos=1, seed=1)
    assert [path.name for path in tmp_path.iterdir()] == ["old.jpg"]


def test_the_shipped_tables_are_what_the_generator_writes(redrawn: Path) -> None:
    """Every shipped file but the photos equals the generator's, and the photos bear the same names."""
    shipped, drawn = digests(ROOT), digests(redrawn)
    assert set(shipped) == set(drawn)
    tables = {path for path in shipped if not path.endswith(".jpg")}
    assert len(tables) == 11
    assert {path: shipped[path] for path in tables} == {path: drawn[path] for path in tables}


def test_the_shipped_photos_are_what_the_generator_draws(redrawn: Path) -> None:
    """Every whole shipped photo decodes to the generator's pixels, up to the encoder's rounding."""
    broken = {photo_path(index) for index, oddity in ODDITIES.items() if oddity.cut}
    compared = 0
    for path in sorted(set(ROOT.rglob("*.jpg")) - broken):
        ours, theirs = decoded(path.read_bytes()), decoded((redrawn / path.relative_to(ROOT)).read_bytes())
        assert ours.shape == theirs.shape
        assert np.abs(ours - theirs).mean() < PIXEL_TOLERANCE, path.name
        compared += 1
    assert compared == PHOTOS - 2


def test_the_pixel_tolerance_tells_photos_apart() -> None:
    """Two different photos of one size differ by far more than the comparison above forgives."""
    paths = [path for path in sorted(ROOT.rglob("*.jpg")) if path != photo_path(22)]
    same_size: dict[tuple[int, ...], list[np.ndarray]] = {}
    for path in paths[:40]:
        pixels = decoded(path.read_bytes())
        same_size.setdefault(pixels.shape, []).append(pixels)
    gaps = [np.abs(group[0] - other).mean() for group in same_size.values() for other in group[1:]]
    assert len(gaps) > 10
    assert np.median(gaps) > 3 * PIXEL_TOLERANCE


def test_columns_and_line_ends_are_the_official_ones() -> None:
    """The tables carry the official columns in the official order, and their lines end with LF."""
    for split in SPLITS:
        labels = ROOT / f"v5/{split}-annotations-human-imagelabels-boxable.csv"
        heads = {
            ROOT / BOX_FILES[split]: BOX_COLUMNS,
            ROOT / IMAGE_FILES[split]: IMAGE_COLUMNS,
            labels: LABEL_COLUMNS,
        }
        for path, head in heads.items():
            text = path.read_bytes()
            assert text.startswith(head.encode() + b"\n")
            assert text.endswith(b"\n")
            assert b"\r" not in text


def test_rows_are_sorted_by_photo(shipped: Tables) -> None:
    """In each split's tables the ids ascend, and box places have six decimals."""
    for split in SPLITS:
        for table in (BOX_FILES[split], IMAGE_FILES[split]):
            ids = [row["ImageID"] for row in rows(ROOT / table)]
            assert ids == sorted(ids)
    assert {len(row["XMin"].partition(".")[2]) for row in shipped.boxes} == {6}


def test_the_hierarchy_names_every_class_once() -> None:
    """The hierarchy starts at Entity and holds the class list's MIDs, Lemon below Fruit below Food."""
    tree = json.loads((ROOT / "2018_04/bbox_labels_600_hierarchy.json").read_text(encoding="utf-8"))
    with (ROOT / "v5/class-descriptions-boxable.csv").open(encoding="utf-8", newline="") as file:
        named = dict(csv.reader(file))

    def paths(node: dict[str, Any], above: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
        here = (*above, node["LabelName"])
        return [here, *(path for child in node.get("Subcategory", []) for path in paths(child, here))]

    found = paths(tree)
    assert found[0] == ("/m/0bl9f",)
    assert Counter(path[-1] for path in found[1:]) == Counter(list(named))
    assert ("/m/0bl9f", "/m/02wbm", "/m/02xwb", "/m/09k_b") in found
    assert named["/m/01nkt"] == "Cheese"
    assert "Lime" not in named.values()


def test_the_sample_is_small_and_split_seven_to_three(shipped: Tables) -> None:
    """The shipped tree stays within 4 MB and has 120 photos, 70 : 15 : 15."""
    assert sum(path.stat().st_size for path in ROOT.rglob("*") if path.is_file()) <= 4_000_000
    assert Counter(row["Subset"] for row in shipped.images) == {"train": 84, "validation": 18, "test": 18}


def test_boxes_lie_within_their_photos(shipped: Tables) -> None:
    """Every box is within the photo and in order, save for the one that has no area."""
    empty = 0
    for row in shipped.boxes:
        left, right, above, below = (float(row[name]) for name in ("XMin", "XMax", "YMin", "YMax"))
        assert 0 <= left <= right <= 1
        assert 0 <= above < below <= 1
        empty += left == right
    assert empty == 1


def test_boxes_are_exhaustive_where_verified(shipped: Tables) -> None:
    """A lemon or cheese box stands exactly on the photos verified to show one, never where one is absent."""
    boxed = {(row["ImageID"], row["LabelName"]) for row in shipped.subjects()}
    verified = {
        confidence: {
            (row["ImageID"], row["LabelName"])
            for row in shipped.labels
            if row["LabelName"] in SUBJECTS and row["Confidence"] == confidence
        }
        for confidence in ("0", "1")
    }
    assert boxed == verified["1"]
    assert not boxed & verified["0"]


def test_sizes_are_spread_like_those_of_open_images(shipped: Tables) -> None:
    """Some percent of box sides are under a twentieth of the photo, and a tail is over half of it."""
    spans = [
        (float(row["XMax"]) - float(row["XMin"])) * (float(row["YMax"]) - float(row["YMin"]))
        for row in shipped.subjects()
    ]
    sides = np.sqrt(spans)
    assert 0.02 < (sides < 0.05).mean() < 0.10
    assert 0.02 < (sides > 0.5).mean() < 0.10
    assert 0.11 < np.median(sides) < 0.20
    per_photo = Counter(row["ImageID"] for row in shipped.subjects())
    assert 2 <= np.median(list(per_photo.values())) <= 3
    assert 10 <= max(per_photo.values()) <= 18


@pytest.mark.parametrize(
    "flag, low, high",
    [
        ("IsOccluded", 0.2, 0.4),
        ("IsTruncated", 0.1, 0.2),
        ("IsGroupOf", 0.025, 0.08),
        ("IsDepiction", 0.025, 0.08),
    ],
)
def test_flags_have_their_shares(shipped: Tables, flag: str, low: float, high: float) -> None:
    """Of all lemon and cheese boxes, each flag is set on about the promised share, in every split."""
    boxes = shipped.subjects()
    assert low < sum(row[flag] == "1" for row in boxes) / len(boxes) < high
    splits = {row["ImageID"]: row["Subset"] for row in shipped.images}
    assert {splits[row["ImageID"]] for row in boxes if row[flag] == "1"} == set(SPLITS)


def test_machine_made_boxes_know_no_flags(shipped: Tables) -> None:
    """Flags are -1 on all boxes of source activemil, some 4 to 9 percent, and on no others."""
    machine = [row for row in shipped.boxes if row["Source"] == "activemil"]
    assert 0.04 < len(machine) / len(shipped.boxes) < 0.09
    unknown = [row for row in shipped.boxes if "-1" in {row[flag] for flag in FLAGS}]
    assert unknown == machine
    assert {row[flag] for row in machine for flag in FLAGS} == {"-1"}
    assert {row["Source"] for row in shipped.boxes} == {"activemil", "xclick", "freeform"}


def test_some_objects_in_view_are_unboxed(shipped: Tables) -> None:
    """On 6 to 16 photos a class is in view that no table mentions there."""
    mentioned = {(row["ImageID"], row["LabelName"]) for row in (*shipped.boxes, *shipped.labels)}
    silent = set()
    for index in range(PHOTOS):
        identifier = identify(SEED, index)
        for name in in_view(index) & {"Lemon", "Cheese"}:
            if (identifier, MID[name]) not in mentioned:
                silent.add(identifier)
    assert 6 <= len(silent) <= 16


@cache
def in_view(index: int) -> set[str]:
    """The classes that photo `index` of the shipped sample shows, known or not."""
    scene = scene_of(SEED, index)
    return {sighting.box.label for sighting in sightings(scene, photograph(scene))}


def test_negatives_abound(shipped: Tables) -> None:
    """At least 12 photos show neither a lemon nor a cheese, and say so of at least one of them."""
    boxed = {row["ImageID"] for row in shipped.subjects()}
    absent = {row["ImageID"] for row in shipped.labels if row["LabelName"] in SUBJECTS and row["Confidence"] == "0"}
    negatives = [
        index
        for index in range(PHOTOS)
        if identify(SEED, index) in absent - boxed and not in_view(index) & {"Lemon", "Cheese"}
    ]
    assert len(negatives) >= 12


def test_one_photo_is_missing_and_one_is_cut(shipped: Tables) -> None:
    """One id with lemon boxes has no file; one file with boxes lacks the end marker; all others are whole."""
    ids = {row["ImageID"]: row["Subset"] for row in shipped.images}
    paths = {identifier: ROOT / split / f"{identifier}.jpg" for identifier, split in ids.items()}
    missing = [identifier for identifier, path in paths.items() if not path.exists()]
    cut = [
        identifier
        for identifier, path in paths.items()
        if path.exists() and not path.read_bytes().endswith(b"\xff\xd9")
    ]
    assert missing == [identify(SEED, 4)]
    assert cut == [identify(SEED, 22)]
    boxed = {(row["ImageID"], row["LabelName"]) for row in shipped.boxes}
    assert {(missing[0], MID["Lemon"]), (cut[0], MID["Lemon"])} <= boxed
    assert len(list(ROOT.rglob("*.jpg"))) == PHOTOS - 1


def test_turned_files_say_so_in_exif() -> None:
    """Four files carry EXIF orientation 6 or 8, and Rotation undoes the same turn or is empty."""
    orientations = {}
    for path in ROOT.rglob("*.jpg"):
        with Image.open(path) as image:
            orientations[path.stem] = image.getexif().get(0x0112)
    turned = {stem: value for stem, value in orientations.items() if value}
    rotation = {row["ImageID"]: row["Rotation"] for split in SPLITS for row in rows(ROOT / IMAGE_FILES[split])}
    found = Counter((turned[stem], rotation[stem]) for stem in turned)
    assert found == {(6, "270.0"): 1, (6, ""): 1, (8, "90.0"): 2}
    assert set(rotation.values()) == {"0.0", "90.0", "270.0", ""}


def test_boxes_of_a_turned_photo_fit_the_stored_pixels() -> None:
    """Turning the stored pixels by the photo's Rotation gives back the upright box."""
    scene = scene_of(SEED, 27)
    upright = photograph(scene)
    (one, *_), (turned, *_) = sightings(scene, upright), sightings(scene, upright.turned(3))
    stored, wanted = turned.box, one.box
    back = (stored.ymin, stored.ymax, 1 - stored.xmax, 1 - stored.xmin)
    assert back == pytest.approx((wanted.xmin, wanted.xmax, wanted.ymin, wanted.ymax))
    assert (stored.xmin, stored.xmax) != pytest.approx((wanted.xmin, wanted.xmax))


def test_some_photos_come_twice(shipped: Tables) -> None:
    """One train photo has a twin of the same bytes, and three validation photos retake a train photo."""
    twins = Counter(digest for path, digest in digests(ROOT).items() if path.endswith(".jpg"))
    assert sorted(twins.values())[-2:] == [1, 2]
    retakes = [(index, oddity.source) for index, oddity in ODDITIES.items() if oddity.retaken]
    assert len(retakes) == 3
    boxed = {row["ImageID"] for row in shipped.subjects()}
    for index, source in retakes:
        assert source is not None
        assert (split_of(index), split_of(source)) == ("validation", "train")
        assert {identify(SEED, index), identify(SEED, source)} <= boxed
        with Image.open(photo_path(index)) as again, Image.open(photo_path(source)) as first:
            small = [np.asarray(image.convert("L").resize((16, 16)), np.float32) for image in (again, first)]
        assert np.corrcoef(small[0].ravel(), small[1].ravel())[0, 1] > 0.8


def test_doubled_rows_and_an_empty_box_are_there(shipped: Tables) -> None:
    """Two box rows stand twice."""
    counts = Counter(tuple(row.values()) for row in shipped.boxes)
    assert sorted(counts.values())[-3:] == [1, 2, 2]


@pytest.mark.parametrize("needle", [",", '"', "\n", "<script>alert(1)</script>", "🍋", "レ", "ج"])
def test_titles_are_awkward(shipped: Tables, needle: str) -> None:
    """Titles hold separators, quotes, line ends, markup and other scripts, and still parse to one row."""
    assert any(needle in row["Title"] for row in shipped.images)
    assert {None} & {key for row in shipped.images for key in row} == set()
    assert len(shipped.images) == PHOTOS


def test_a_box_is_the_tight_extent_of_what_is_seen() -> None:
    """A box spans exactly the pixels in which its item differs from the same scene without it."""
    without = bare(())
    with_ball = bare((ball(150.0, 110.0, item=1),))
    (seen,) = sightings(with_ball, photograph(with_ball))
    changed = np.abs(photograph(with_ball).pixels.astype(int) - photograph(without).pixels).max(axis=2) > 60
    rows_changed, columns_changed = np.flatnonzero(changed.any(axis=1)), np.flatnonzero(changed.any(axis=0))
    edges = (columns_changed[0], columns_changed[-1] + 1, rows_changed[0], rows_changed[-1] + 1)
    box = (seen.box.xmin * 320, seen.box.xmax * 320, seen.box.ymin * 240, seen.box.ymax * 240)
    assert box == pytest.approx(edges, abs=1.5)
    assert (seen.box.occluded, seen.box.truncated) == (0, 0)


def test_flags_follow_from_what_covers_and_cuts() -> None:
    """A ball behind another is occluded, one over the border truncated, one wholly hidden has no box."""
    scene = bare((ball(100, 100, item=1), ball(140, 100, item=2), ball(315, 100, item=3)))
    flags = [(seen.box.occluded, seen.box.truncated) for seen in sightings(scene, photograph(scene))]
    assert flags == [(1, 0), (0, 0), (0, 1)]
    hidden = bare((ball(100, 100, item=1), ball(100, 100, item=2)))
    assert [seen.thing.item for seen in sightings(hidden, photograph(hidden))] == [2]


def ball(x: float, y: float, *, item: int) -> Thing:
    return Thing("tennis_ball", x, y, 80, y, item, seed=item, label="Tennis ball", shadow=False)


def bare(things: tuple[Thing, ...]) -> Scene:
    frame = Frame(0, 0, 320, 240)
    return Scene(frame, 320, 240, 1, "slate", "paint", 0, 0, things, noise=0.0)


def test_every_kind_fits_its_square() -> None:
    """Whatever is painted stays off the rim of its sprite, however turned, so that no outline is cut."""
    for kind, painter in PAINTERS.items():
        for tone in range(4):
            g = grid(60, 0.5 * tone, flip=bool(tone % 2), rng=np.random.default_rng(tone))
            cover = painter(g, tone).cover
            rim = np.concatenate([cover[0], cover[-1], cover[:, 0], cover[:, -1]])
            assert cover.max() == 1, kind
            assert rim.max() < 0.75, kind


def test_every_kind_that_is_placed_can_be_painted() -> None:
    """The catalogue of kinds and the table of painters agree, drawings apart."""
    assert set(PAINTERS) - set(KINDS) == {"drawn_lemon", "drawn_cheese"}
    assert set(KINDS) <= set(PAINTERS)
    assert sum(each.share for each in COMPOSITIONS.values()) == pytest.approx(1)


@pytest.mark.parametrize("seed", [2, 3, 4])
def test_oddities_hold_for_any_seed(seed: int) -> None:
    """Whatever the seed, photos that are to be missing, cut, doubled or turned have something boxed."""
    for index, oddity in ODDITIES.items():
        if oddity.plan:
            assert draw_photo(seed, index).verdict.boxes
