"""Draw a mirror of invented photos and write it under the official Open Images paths.

    python -m oidata.sample.draw OUT --photos 120 --seed 1
    python -m oidata.sample.draw OUT --photos 5000 --seed 2 --processes 4

The same arguments give the same bytes, and photo i of a seed is the same whatever the count.
"""

import argparse
import csv
import hashlib
import io
import json
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from random import Random
from typing import Final

from PIL import Image

from oidata.sample.classes import ENTITY, MID, Node
from oidata.sample.compositions import compose
from oidata.sample.credits import LICENCE, Credit, credit
from oidata.sample.oddities import ODDITIES, PLAIN, Oddity, retake, soiled
from oidata.sample.photograph import photograph
from oidata.sample.scenes import Scene
from oidata.sample.verdicts import Box, Verdict, judge

PHOTOS: Final = 120
SEED: Final = 1
SPLITS: Final = ("train", "validation", "test")
JPEG_QUALITY: Final = 88
CUT_AT: Final = 0.6
"""Share of its bytes that a photo cut short keeps."""
EXIF_ORIENTATION: Final = 0x0112
ORIENTATION: Final = {1: 6, 3: 8}
"""Quarter turns counterclockwise of the stored pixels, and the EXIF orientation that undoes them."""

BOX_FILES: Final = {
    "train": "2018_04/train/train-annotations-bbox.csv",
    "validation": "v5/validation-annotations-bbox.csv",
    "test": "v5/test-annotations-bbox.csv",
}
IMAGE_FILES: Final = {
    "train": "2018_04/train/train-images-boxable-with-rotation.csv",
    "validation": "2018_04/validation/validation-images-with-rotation.csv",
    "test": "2018_04/test/test-images-with-rotation.csv",
}
BOX_COLUMNS: Final = (
    "ImageID,Source,LabelName,Confidence,XMin,XMax,YMin,YMax,IsOccluded,IsTruncated,IsGroupOf,IsDepiction,IsInside"
)
IMAGE_COLUMNS: Final = (
    "ImageID,Subset,OriginalURL,OriginalLandingURL,License,AuthorProfileURL,Author,Title,OriginalSize,OriginalMD5,"
    "Thumbnail300KURL,Rotation"
)
LABEL_COLUMNS: Final = "ImageID,Source,LabelName,Confidence"


@dataclass(frozen=True)
class Record:
    """One finished photo: where it belongs, its file (None if the server has none), what the tables say."""

    identifier: str
    split: str
    jpeg: bytes | None
    verdict: Verdict
    credit: Credit
    rotation: str


def split_of(index: int) -> str:
    """The split of photo `index`: 14, 3 and 3 of each 20."""
    place = index % 20
    return SPLITS[(place >= 14) + (place >= 17)]


def identify(seed: int, index: int) -> str:
    """The 16 hex digits of photo `index`."""
    return hashlib.sha256(f"oidata sample {seed} {index}".encode()).hexdigest()[:16]


def draw(out: Path, *, photos: int = PHOTOS, seed: int = SEED, processes: int = 1) -> None:
    """Write `photos` photos and their tables below `out`, which becomes the root of a mirror.

    Several processes share the work; what comes out is the same.
    """
    if out.exists() and any(out.iterdir()):
        message = f"{out} is not empty; draw into a new directory, or files of another seed stay among the new ones"
        raise FileExistsError(message)
    for split in SPLITS:
        (out / split).mkdir(parents=True)
    records = sorted(_all_written(out, seed, photos, processes), key=lambda record: record.identifier)
    _write_classes(out)
    for split in SPLITS:
        _write_tables(out, split, [record for record in records if record.split == split])


def _all_written(out: Path, seed: int, photos: int, processes: int) -> list[Record]:
    written = partial(_written, out, seed)
    if processes == 1:
        return [written(index) for index in range(photos)]
    with get_context("spawn").Pool(processes) as pool:
        return pool.map(written, range(photos), chunksize=8)


def _written(out: Path, seed: int, index: int) -> Record:
    """The record of a photo without its bytes, which are on disk: those of thousands would fill the memory."""
    record = draw_photo(seed, index)
    if record.jpeg is not None:
        (out / record.split / f"{record.identifier}.jpg").write_bytes(record.jpeg)
    return replace(record, jpeg=None)


def draw_photo(seed: int, index: int) -> Record:
    """Photo `index` of a seed; nothing but these two numbers goes into it."""
    oddity, identifier, split = ODDITIES.get(index, PLAIN), identify(seed, index), split_of(index)
    scene = scene_of(seed, index)
    photo = photograph(scene).turned(oddity.turned)
    verdict = judge(scene, photo, _chance(seed, _origin(index), "verdict"), split=split)
    return Record(
        identifier,
        split,
        jpeg=_file(_jpeg(Image.fromarray(photo.pixels), oddity), oddity),
        verdict=Verdict(soiled(verdict.boxes, oddity), verdict.verified),
        credit=credit(_chance(seed, index, "credit"), identifier, index),
        rotation=oddity.rotation,
    )


def scene_of(seed: int, index: int) -> Scene:
    """What photo `index` shows, upright; a twin or a retake shows an earlier photo's scene."""
    oddity = ODDITIES.get(index, PLAIN)
    scene = compose(_chance(seed, _origin(index), "scene"), plan=oddity.plan, cast=oddity.cast)
    return retake(scene) if oddity.retaken else scene


def _origin(index: int) -> int:
    """The photo whose scene photo `index` shows: mostly itself."""
    source = ODDITIES.get(index, PLAIN).source
    return index if source is None else source


def _chance(seed: int, index: int, purpose: str) -> Random:
    return Random(f"{seed} {index} {purpose}")  # noqa: S311 - pictures, not secrets


def _jpeg(image: Image.Image, oddity: Oddity) -> bytes:
    exif, buffer = Image.Exif(), io.BytesIO()
    if oddity.turned:
        exif[EXIF_ORIENTATION] = ORIENTATION[oddity.turned]
    image.save(buffer, "JPEG", quality=JPEG_QUALITY, exif=exif)
    return buffer.getvalue()


def _file(jpeg: bytes, oddity: Oddity) -> bytes | None:
    """The bytes as the server has them: none, cut short, or all."""
    if oddity.missing:
        return None
    return jpeg[: int(len(jpeg) * CUT_AT)] if oddity.cut else jpeg


def _write_classes(out: Path) -> None:
    (out / "v5").mkdir(exist_ok=True)
    (out / "2018_04").mkdir(exist_ok=True)
    named = sorted((node.mid, node.name) for node in ENTITY.walk() if node is not ENTITY)
    _write_csv(out / "v5/class-descriptions-boxable.csv", None, named)
    tree = json.dumps(_nested(ENTITY), indent=4) + "\n"
    (out / "2018_04/bbox_labels_600_hierarchy.json").write_text(tree, encoding="utf-8", newline="\n")


def _nested(node: Node) -> dict[str, object]:
    below = {"Subcategory": [_nested(child) for child in node.children]} if node.children else {}
    return {"LabelName": node.mid, **below}


def _write_tables(out: Path, split: str, records: list[Record]) -> None:
    boxes = [_box_row(record.identifier, box) for record in records for box in record.verdict.boxes]
    labels = [_label_row(record.identifier, *label) for record in records for label in record.verdict.verified]
    _write_csv(out / BOX_FILES[split], BOX_COLUMNS, sorted(boxes, key=lambda row: row[:3]))
    _write_csv(out / IMAGE_FILES[split], IMAGE_COLUMNS, [_image_row(record) for record in records])
    _write_csv(out / f"v5/{split}-annotations-human-imagelabels-boxable.csv", LABEL_COLUMNS, labels)


def _box_row(identifier: str, box: Box) -> tuple[str, ...]:
    places = (f"{place:.6f}" for place in (box.xmin, box.xmax, box.ymin, box.ymax))
    flags = (str(flag) for flag in (box.occluded, box.truncated, box.group, box.depiction, box.inside))
    return (identifier, box.source, MID[box.label], "1", *places, *flags)


def _label_row(identifier: str, label: str, present: bool) -> tuple[str, ...]:  # noqa: FBT001 - a table's cell
    return identifier, "verification", MID[label], str(int(present))


def _image_row(record: Record) -> tuple[str, ...]:
    made = record.credit
    origin = (
        made.url,
        made.landing,
        LICENCE,
        made.profile,
        made.author,
        made.title,
        str(made.size),
        made.md5,
    )
    return (record.identifier, record.split, *origin, made.thumbnail, record.rotation)


def _write_csv(path: Path, columns: str | None, rows: Iterable[tuple[str, ...]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8", newline="") as file:
        if columns is not None:
            file.write(columns + "\n")
        csv.writer(file, lineterminator="\n").writerows(rows)


def main() -> None:
    """Draw as the command line says."""
    parser = argparse.ArgumentParser(description="Draw a mirror of invented photos under the official paths.")
    parser.add_argument("out", type=Path, help="directory that becomes the root of the mirror")
    parser.add_argument("--photos", type=int, default=PHOTOS, help="how many (default %(default)s)")
    parser.add_argument("--seed", type=int, default=SEED, help="another seed, other photos (default %(default)s)")
    parser.add_argument("--processes", type=int, default=1, help="that draw side by side (default %(default)s)")
    asked = parser.parse_args()
    try:
        draw(asked.out, photos=asked.photos, seed=asked.seed, processes=asked.processes)
    except OSError as error:
        parser.error(str(error))
    print(f"drew {asked.photos} photos of seed {asked.seed} under {asked.out}")  # noqa: T201 - the result


if __name__ == "__main__":
    main()
