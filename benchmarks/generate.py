"""Write synthetic CSVs with the shape and size of the Open Images train split, from a seed.

Row counts are those of Open Images V5; values are random. The box CSV is sorted by photo as the original is,
the image metadata is not.
"""

import argparse
from base64 import b64encode
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from harness import DEFAULT_WORK

LEMON = "/m/09k_b"
CHEESE = "/m/01nkt"
BOX_COLUMNS = (
    "ImageID,Source,LabelName,Confidence,XMin,XMax,YMin,YMax,IsOccluded,IsTruncated,IsGroupOf,IsDepiction,IsInside"
)
LABEL_COLUMNS = "ImageID,Source,LabelName,Confidence"
IMAGE_COLUMNS = (
    "ImageID,Subset,OriginalURL,OriginalLandingURL,License,AuthorProfileURL,Author,Title,"
    "OriginalSize,OriginalMD5,Thumbnail300KURL,Rotation"
)
LICENSE = "https://creativecommons.org/licenses/by/2.0/"
TITLES = (
    "IMG_{}",
    "Harvest, day {}",
    'The "big" lemon, no. {}',
    "Market\n{} in the morning",
    "Käse &amp; Brot {}",
)
TITLE_SHARES = (0.8, 0.15, 0.03, 0.01, 0.01)
FLAG_SHARES = (0.6, 0.2, 0.05, 0.05, 0.001)
NUM_CLASSES = 600
NUM_TAILS = 5_000
ROWS_PER_BLOCK = 200_000

Integers = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Size:
    """How many rows each file has."""

    num_images: int
    num_boxes: int
    num_labels: int
    num_lemons: int
    num_cheeses: int
    num_wanted_ids: int

    def scaled(self, scale: float) -> "Size":
        """Return a smaller (or larger) release with the same proportions."""
        return Size(*(max(1, round(number * scale)) for number in vars(self).values()))


TRAIN = Size(1_743_042, 14_610_229, 6_000_000, 2_352, 2_009, 5_000)


def main() -> None:
    """Write the files that are absent, and print the directory that they are in."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--work", type=Path, default=DEFAULT_WORK)
    parser.add_argument("--scale", type=float, default=1.0, help="a share of the real size (%(default)s)")
    asked = parser.parse_args()
    directory = asked.work / f"train-{asked.scale:g}"
    generate(directory, TRAIN.scaled(asked.scale))
    print(directory)


def generate(directory: Path, size: Size) -> None:
    """Write the files that are absent, each under its name only when it is whole."""
    directory.mkdir(parents=True, exist_ok=True)
    ids = image_ids(np.random.default_rng(1), size.num_images)
    contents: dict[str, Callable[[], Iterable[str]]] = {
        "boxes.csv": lambda: boxes(np.random.default_rng(2), ids, size),
        "labels.csv": lambda: labels(np.random.default_rng(3), ids, size),
        "images.csv": lambda: images(np.random.default_rng(4), ids),
        "ids.txt": lambda: wanted_ids(np.random.default_rng(5), ids, size),
    }
    for name, content in contents.items():
        if not (directory / name).exists():
            _write(directory / name, content())


def _write(path: Path, blocks: Iterable[str]) -> None:
    partial = path.with_suffix(".partial")
    with partial.open("w", encoding="utf-8", newline="") as file:
        file.writelines(blocks)
    partial.rename(path)


def image_ids(random: np.random.Generator, number: int) -> list[str]:
    """Return sorted, distinct ids of 16 hexadecimal digits."""
    step = 2**64 // number
    offsets = random.integers(0, step, number, dtype=np.uint64)
    return [f"{place * step + offset:016x}" for place, offset in enumerate(offsets.tolist())]


def wanted_ids(random: np.random.Generator, ids: list[str], size: Size) -> Iterator[str]:
    """Yield the ids whose metadata the benchmark looks for."""
    chosen = random.choice(len(ids), size.num_wanted_ids, replace=False)
    yield from (f"{ids[place]}\n" for place in chosen.tolist())


def boxes(random: np.random.Generator, ids: list[str], size: Size) -> Iterator[str]:
    """Yield the box CSV."""
    corners = np.sort(random.random((NUM_TAILS, 2, 2)), axis=2).reshape(NUM_TAILS, 4)
    flags = (random.random((NUM_TAILS, 5)) < FLAG_SHARES).astype(int)
    tails = [
        f",1,{x0:.6f},{x1:.6f},{y0:.6f},{y1:.6f},{','.join(map(str, bits))}\n"
        for (x0, x1, y0, y1), bits in zip(corners.tolist(), flags.tolist(), strict=True)
    ]
    sources = (*["xclick"] * 9, "activemil")
    yield BOX_COLUMNS + "\n"
    yield from _annotations(random, ids, _classes(random, size.num_boxes, size), sources, tails)


def labels(random: np.random.Generator, ids: list[str], size: Size) -> Iterator[str]:
    """Yield the CSV of the verified image labels."""
    sources = ("verification", "verification", "crowdsource-verification")
    yield LABEL_COLUMNS + "\n"
    yield from _annotations(random, ids, _classes(random, size.num_labels, size), sources, [",0\n", ",1\n"])


def _classes(random: np.random.Generator, num_rows: int, size: Size) -> Integers:
    """Draw the class of every row: a skew over the others, and exactly so many lemons and cheeses."""
    classes: Integers = (random.random(num_rows) ** 3 * (NUM_CLASSES - 2)).astype(np.int64) + 2
    places = random.choice(num_rows, size.num_lemons + size.num_cheeses, replace=False)
    classes[places] = 0
    classes[places[size.num_lemons :]] = 1
    return classes


def _mids(random: np.random.Generator) -> list[str]:
    """Return the two wanted MIDs, then made-up ones."""
    letters = np.array(list("0123456789bcdfghjklmnpqrstvwxyz_"))
    words = random.choice(letters, (NUM_CLASSES - 2, 5)).tolist()
    return [LEMON, CHEESE, *(f"/m/0{''.join(word)}" for word in words)]


def _annotations(
    random: np.random.Generator,
    ids: list[str],
    classes: Integers,
    sources: Sequence[str],
    tails: Sequence[str],
) -> Iterator[str]:
    """Yield rows of photo, source, class and tail: at least one for each photo, in their order."""
    mids = _mids(np.random.default_rng(0))
    middles = [f",{source},{mid}" for source in sources for mid in mids]
    weights = random.exponential(size=len(ids))
    counts = 1 + random.multinomial(len(classes) - len(ids), weights / weights.sum())
    owners = np.repeat(np.arange(len(ids)), counts)
    for start in range(0, len(classes), ROWS_PER_BLOCK):
        block = classes[start : start + ROWS_PER_BLOCK]
        drawn = random.integers(len(sources), size=len(block)) * NUM_CLASSES + block
        ends = random.integers(len(tails), size=len(block))
        rows = zip(owners[start : start + len(block)].tolist(), drawn.tolist(), ends.tolist(), strict=True)
        yield "".join([ids[owner] + middles[middle] + tails[end] for owner, middle, end in rows])


def images(random: np.random.Generator, ids: list[str]) -> Iterator[str]:
    """Yield the CSV of the image metadata, with commas, quotes and line ends in some titles."""
    titles = [_title(random) for _ in range(NUM_TAILS)]
    names = [f"{word:x}" for word in random.integers(2**20, 2**32, NUM_TAILS).tolist()]
    sums = [b64encode(random.bytes(16)).decode() for _ in range(NUM_TAILS)]
    order = random.permutation(len(ids))
    yield IMAGE_COLUMNS + "\n"
    for start in range(0, len(ids), ROWS_PER_BLOCK):
        block = order[start : start + ROWS_PER_BLOCK].tolist()
        flickr = random.integers(10**8, 10**10, len(block)).tolist()
        picks = random.integers(NUM_TAILS, size=(len(block), 3)).tolist()
        yield "".join(
            f"{ids[place]},train,https://farm4.staticflickr.com/{number % 9000}/{number}_{names[a]}_o.jpg,"
            f"https://www.flickr.com/photos/{names[b]}/{number},{LICENSE},"
            f"https://www.flickr.com/people/{names[b]}/,Author {names[b]},{titles[c]},"
            f"{number % 4_000_000},{sums[a]},"
            f"https://c4.staticflickr.com/{number % 9000}/{number}_{names[a]}_z.jpg,0.0\n"
            for place, number, (a, b, c) in zip(block, flickr, picks, strict=True)
        )


def _title(random: np.random.Generator) -> str:
    title = str(random.choice(TITLES, p=TITLE_SHARES)).format(random.integers(10_000))
    escaped = title.replace('"', '""')
    return f'"{escaped}"' if any(mark in title for mark in ',"\n') else title


if __name__ == "__main__":
    main()
