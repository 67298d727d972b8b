"""The measured jobs, one for each fresh process: `python adapters.py JOB ARGUMENT…` prints the job's result.

Each job imports what it needs by itself, so that no peer pays for another's imports.
"""

import asyncio
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from typing import Any

BLOCK_BYTES = 1 << 20
ROWS_PER_CHUNK = 500_000
BOX_COLUMNS = (
    *("ImageID", "Source", "LabelName", "XMin", "XMax", "YMin", "YMax"),
    *("IsOccluded", "IsTruncated", "IsGroupOf", "IsDepiction", "IsInside"),
)
IMAGE_COLUMNS = (
    "ImageID",
    "OriginalLandingURL",
    "License",
    "AuthorProfileURL",
    "Author",
    "Title",
    "Rotation",
)
LABEL_COLUMNS = ("ImageID", "LabelName", "Confidence")

# What the evaluation is measured on. Open Images has 8.3 boxes on a photo.
NUM_CLASSES = 2
TRUTH_PER_PHOTO = 8
SIZE_PX = (1024, 768)
INPUT_PX = 300
PHOTOS_A_ROUND = 24
SIDES = ("xmin", "ymin", "xmax", "ymax")


def read_bytes(path: str) -> int:
    """Read a file into one buffer again and again: no scan can be faster."""
    buffer = bytearray(BLOCK_BYTES)
    with Path(path).open("rb", buffering=0) as file:
        return sum(iter(lambda: file.readinto(buffer), 0))


def oidata_class_rows(path: str, *mids: str) -> int:
    """Scan a box CSV once, as the first half of a fetch does."""
    from oidata.io.scan import Csv

    return len(Csv(Path(path), BOX_COLUMNS).class_rows(mids))


def oidata_boxes(path: str, *mids: str) -> int:
    """Scan a box CSV twice, as a fetch does: for the classes, then for all rows of the photos found."""
    from oidata.io.scan import Csv

    boxes = Csv(Path(path), BOX_COLUMNS)
    found = set(boxes.class_rows(mids)["ImageID"])
    return sum(map(len, boxes.image_rows(found)))


def oidata_labels(path: str, *mids: str) -> int:
    """Check all rows of the verified image labels, and scan them for some classes, as a fetch does."""
    from oidata.io.scan import Csv

    labels = Csv(Path(path), LABEL_COLUMNS)
    labels.check_rows()
    return len(labels.class_rows(mids))


def oidata_images(path: str, ids: str) -> int:
    """Scan the image metadata for the ids in a file."""
    from oidata.io.scan import Csv

    wanted = Path(ids).read_text(encoding="ascii").split()
    return sum(map(len, Csv(Path(path), IMAGE_COLUMNS).image_rows(wanted)))


def pandas_class_rows(path: str, *mids: str) -> int:
    """Scan a CSV for some classes in chunks of pandas' default parser."""
    import pandas as pd

    chunks = pd.read_csv(path, chunksize=ROWS_PER_CHUNK)
    return len(pd.concat([chunk[chunk["LabelName"].isin(mids)] for chunk in chunks]))


def pandas_images(path: str, ids: str) -> int:
    """Scan the image metadata for the ids in a file in chunks of pandas' default parser."""
    import pandas as pd

    wanted = set(Path(ids).read_text(encoding="ascii").split())
    chunks = pd.read_csv(path, chunksize=ROWS_PER_CHUNK // 5, usecols=list(IMAGE_COLUMNS))
    return len(pd.concat([chunk[chunk["ImageID"].isin(wanted)] for chunk in chunks]))


def duckdb_class_rows(path: str, *mids: str) -> int:
    """Scan a CSV for some classes with DuckDB."""
    import duckdb  # type: ignore[import-not-found, unused-ignore]

    query = "SELECT * FROM read_csv(?, header = true) WHERE LabelName IN (SELECT unnest(?))"
    return len(duckdb.execute(query, [path, list(mids)]).fetchall())


def oidata_photos(url: str, number: str, connections: str, work: str) -> str:
    """Download photos as a fetch does; the result is photos per second."""
    from oidata.io.download import PhotoJob, download_photos
    from oidata.io.store import open_store

    async def download(names: Sequence[str], directory: Path) -> None:
        jobs = [PhotoJob(name, directory / name) for name in names]
        async with open_store(url) as store:
            results = await download_photos(store, jobs, connections=int(connections))
        if any(result.status != "ok" for result in results):
            message = "not all photos are ok"
            raise RuntimeError(message)

    return _rate(download, int(number), Path(work))


def obstore_photos(url: str, number: str, connections: str, work: str) -> str:
    """Download photos with a bare obstore loop that writes the bytes and does nothing else."""
    from obstore.store import from_url

    async def download(names: Sequence[str], directory: Path) -> None:
        store = from_url(url, client_options={"allow_http": True})
        todo = iter(names)

        async def take() -> None:
            for name in todo:
                response = await store.get_async(name)
                (directory / name).write_bytes(await response.bytes_async())

        await asyncio.gather(*(take() for _ in range(int(connections))))

    return _rate(download, int(number), Path(work))


def _rate(download: Callable[[Sequence[str], Path], Awaitable[None]], number: int, work: Path) -> str:
    """Return the photos per second of one download into an empty directory."""
    names = [f"{place:016x}.jpg" for place in range(number)]

    async def timed(directory: Path) -> float:
        start_s = time.perf_counter()
        await download(names, directory)
        return number / (time.perf_counter() - start_s)

    with tempfile.TemporaryDirectory(dir=work) as directory:
        rate = asyncio.run(timed(Path(directory)))
        if {path.name for path in Path(directory).iterdir()} != set(names):
            message = "some photos were not written, or more than the photos"
            raise RuntimeError(message)
    return f"{rate:.1f}"


def draw_photos(work: str, number: str) -> Path:
    """Draw photos that are not there yet, and return their directory."""
    from concurrent.futures import ProcessPoolExecutor

    from photo_server import photo

    directory = Path(work) / f"photos-{number}"
    directory.mkdir(exist_ok=True)
    missing = [seed for seed in range(int(number)) if not (directory / f"{seed:016x}.jpg").exists()]
    with ProcessPoolExecutor() as pool:
        for seed, data in zip(missing, pool.map(photo, missing, chunksize=16), strict=True):
            (directory / f"{seed:016x}.jpg").write_bytes(data)
    return directory


def photos_as_dataset(directory: str) -> Path:
    """Make a dataset of drawn photos, five random boxes in each, beside them, and return its directory."""
    import shutil

    import pandas as pd

    from oidata.core.labels import Label, LabelMap
    from oidata.core.tables import BOXES, COORDINATES, FLAGS, IMAGES, LABELS, Tables
    from oidata.dataset import Dataset, DatasetInfo
    from oidata.io.photos import photo_facts

    photos = sorted(Path(directory).glob("*.jpg"))
    target = Path(f"{directory}-dataset")
    shutil.rmtree(target, ignore_errors=True)
    splits = ["validation" if place % 10 == 0 else "train" for place in range(len(photos))]
    rows = []
    for path, split in zip(photos, splits, strict=True):
        place = target / "images" / split / path.name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.hardlink_to(path)
        facts = photo_facts(path.read_bytes())
        rows.append({"image_id": path.stem, "split": split, "status": "ok", **vars(facts)})
    images = pd.DataFrame(rows, columns=[column.name for column in IMAGES.columns])
    xyxy, photo = _like_open_images(5 * len(photos), 5)
    boxes = pd.DataFrame(xyxy, columns=list(COORDINATES)).assign(image_id=images["image_id"].to_numpy()[photo])
    boxes["box_id"] = boxes["image_id"] + "-" + boxes.groupby("image_id").cumcount().astype("str")
    mids = pd.Series(["/m/09k_b", "/m/01nkt"]).take((boxes.index % 2).to_numpy()).reset_index(drop=True)
    boxes = boxes.assign(mid=mids, mid_original=mids, source="xclick", stripped=None, **dict.fromkeys(FLAGS, 0))
    labels = LabelMap((Label("/m/09k_b", "Lemon"), Label("/m/01nkt", "Cheese")))
    info = DatasetInfo("v5", "drawn", labels, ("train", "validation"))
    Dataset(target, info).begin(Tables(IMAGES.conform(images), BOXES.conform(boxes), LABELS.empty()))
    return target


def oidata_audit(directory: str) -> str:
    """Audit a dataset; the result is where the seconds go: each part with all that it calls."""
    import cProfile
    import pstats

    from oidata.audit import audit
    from oidata.dataset import Dataset

    parts = ("decode_photos", "find", "anchor_audit", "dataset_facts", "size_facts", "galleries", "page", "write_audit")
    with cProfile.Profile() as profile:
        audit(Dataset.open(Path(directory)))
    spent = dict.fromkeys(parts, 0.0)
    for (_, _, name), (_, _, _, total_s, _) in pstats.Stats(profile).stats.items():  # type: ignore[attr-defined]
        if name in spent:
            spent[name] = max(spent[name], total_s)
    return ", ".join(f"{name} {seconds:.1f} s" for name, seconds in spent.items())


def pillow_decode(directory: str, workers: str) -> str:
    """Decode all photos with a bare Pillow loop in some processes; the result is seconds."""
    from concurrent.futures import ProcessPoolExecutor

    start_s = time.perf_counter()
    with ProcessPoolExecutor(int(workers)) as pool:
        sizes = set(pool.map(_pillow_size, sorted(Path(directory).iterdir()), chunksize=16))
    _check(all(sizes))
    return f"{time.perf_counter() - start_s:.3f}"


def _pillow_size(path: Path) -> tuple[int, int]:
    """Decode one photo, all of it, and return its size."""
    from PIL import Image

    with Image.open(path) as image:
        image.load()
        return image.size


def oidata_decode(directory: str, workers: str) -> str:
    """Decode all photos as an audit does, in some processes; the result is seconds."""
    from oidata.io.decode import decode_photos

    start_s = time.perf_counter()
    photos = {path.stem: path for path in sorted(Path(directory).iterdir())}
    decodings = decode_photos(photos, num_workers=int(workers))
    _check(all(decoding.decodes for decoding in decodings))
    return f"{time.perf_counter() - start_s:.3f}"


def oidata_decode_stages(directory: str) -> str:
    """Decode the photos in this process; the result is where the time of one goes, stage by stage."""
    from functools import partial

    import imagehash
    from PIL import Image

    from oidata.io import decode
    from oidata.io.photos import photo_facts

    spent: dict[str, float] = {}

    def timed(stage: str, function: Callable[..., Any], *arguments: object) -> Any:  # noqa: ANN401
        start_s = time.perf_counter()
        result = function(*arguments)
        spent[stage] = spent.get(stage, 0.0) + time.perf_counter() - start_s
        return result

    paths = sorted(Path(directory).iterdir())
    imagehash.phash(Image.new("L", (32, 32)))  # imports what it needs
    for path in paths:
        data = timed("read", path.read_bytes)
        timed("header and SHA-256", photo_facts, data)
        image = timed("decode", decode._pixels, data)  # noqa: SLF001 - the stages are not public
        shrink = partial(image.resize, resample=Image.Resampling.LANCZOS, reducing_gap=2.0)
        small = timed("thumbnail", shrink, (32, 32))
        timed("perceptual hash", imagehash.phash, small)
        timed("pixel hash", decode._pixel_hash, image, small)  # noqa: SLF001
    return ", ".join(f"{stage} {took / len(paths) * 1e3:.2f} ms" for stage, took in spent.items())


def oidata_near_pairs(number: str) -> str:
    """Search random hashes for near pairs; the result is seconds."""
    import numpy as np

    from oidata.core.auditing.duplicates import MAX_DISTANCE, near_pairs

    hashes = np.random.default_rng(0).integers(0, 1 << 64, int(number), dtype=np.uint64)
    hashes[-100:] = hashes[:100] ^ np.uint64(0b1011)
    start_s = time.perf_counter()
    _check(near_pairs(hashes, MAX_DISTANCE).shape[1] >= min(100, int(number) // 2))
    return f"{time.perf_counter() - start_s:.3f}"


def oidata_targets(number: str, per_photo: str) -> str:
    """Match the anchors of SSD 300×300 to random boxes; the result is a digest of all targets."""
    from oidata.core.matcher.targets import Matcher, match

    boxes, photo = _like_open_images(int(number), int(per_photo))
    return _digest(vars(match(boxes, photo, _ssd_anchors(), Matcher())))


def dense_targets(number: str, per_photo: str) -> str:
    """Match the same boxes with the whole matrix of IoU of each photo; the result is a digest of all targets."""
    from oidata.core.matcher.targets import Matcher
    from tests.core import dense

    boxes, photo = _like_open_images(int(number), int(per_photo))
    return _digest(dense.match(boxes, photo, _ssd_anchors(), Matcher()))


def dense_ious(number: str, per_photo: str) -> str:
    """Compute the whole matrix of IoU of each photo and nothing else; the result is the mean of the best IoUs."""
    import numpy as np

    from tests.core import dense

    boxes, _ = _like_open_images(int(number), int(per_photo))
    anchors, step = np.asfortranarray(_ssd_anchors().boxes()), int(per_photo)
    best = [dense.similarity(boxes[at : at + step], anchors).max() for at in range(0, len(boxes), step)]
    return f"{np.mean(best):.3f}"


def copied_targets(number: str, per_photo: str) -> str:
    """Read the boxes once and write arrays as large as all targets; the result is megabytes."""
    import numpy as np

    boxes, photo = _like_open_images(int(number), int(per_photo))
    bytes_per_box = 4 * 4 + 1 + 6 * 4 + 2
    written = np.resize(boxes.copy().view(np.uint8), len(boxes) * bytes_per_box), photo.copy()
    return f"{(boxes.nbytes + sum(array.nbytes for array in written)) / 1e6:.0f}"


def _like_open_images(number: int, per_photo: int) -> tuple[Any, Any]:
    """Return boxes with log-normal sides and aspect ratios, as those of Open Images nearly are, and their photos."""
    import numpy as np

    random = np.random.default_rng(0)
    side, ratio = np.exp(random.normal(np.log(0.2), 0.9, number)), np.exp(random.normal(0, 0.5, number))
    sizes = np.stack([side * np.sqrt(ratio), side / np.sqrt(ratio)], axis=1).clip(0.005, 1)
    start = random.random((number, 2)) * (1 - sizes)
    return np.hstack([start, start + sizes]).astype(np.float32), np.arange(number) // per_photo


def _ssd_anchors() -> Any:  # noqa: ANN401 - its type is imported by the jobs alone
    """Return the 1,917 anchors of ssd_mobilenet_v2_coco."""
    from oidata.core.matcher.anchors import SsdAnchors

    feature_maps = [(cells, cells) for cells in (19, 10, 5, 3, 2, 1)]
    return SsdAnchors(aspect_ratios=(1.0, 2.0, 0.5, 3.0, 0.3333)).grid(feature_maps, 300, 300)


def _digest(targets: Any) -> str:  # noqa: ANN401 - a mapping of names to arrays
    """Return a short hash of arrays by name, of their types and of their bytes."""
    from hashlib import blake2b

    digest = blake2b(digest_size=8)
    for name in sorted(targets):
        digest.update(f"{name} {targets[name].dtype} {targets[name].shape}".encode())
        digest.update(targets[name].tobytes())
    return digest.hexdigest()


def divide_photos(how: str, number: str, classes: str, shards: str) -> str:
    """Divide drawn photos as oidata does, by hash or by index; the result is seconds, and how even the shards are."""
    from oidata.core.sharding.balance import assign
    from oidata.core.sharding.evenness import balance_facts, by_hash, by_index

    photos, num_shards = _photos_to_divide(int(number), int(classes)), int(shards)
    start_s = time.perf_counter()
    if how == "oidata":
        found = assign(photos, num_shards)
    else:
        found = {"hash": by_hash, "index": by_index}[how](photos.image_ids, num_shards)
    took_s = time.perf_counter() - start_s
    facts = balance_facts(photos, found, num_shards)
    even = facts.balanced
    excess = [spread.excess for spread in even.num_boxes]
    above = max(each - least for each, least in zip(excess, facts.unavoidable_excess, strict=True))
    return (
        f"{took_s:.5f} s; photos differ by {even.num_photos.most - even.num_photos.least}; of the worst class "
        f"{above} boxes beyond the mean that are avoidable, and {100 * even.box_share:.2f} % from it; "
        f"bytes {100 * (even.size_bytes.share or 0):.4f} %"
    )


def _photos_to_divide(number: int, num_classes: int) -> Any:  # noqa: ANN401 - its type is imported by the jobs alone
    """Draw photos as Open Images has them: few of many classes, some with many boxes, log-normal sizes."""
    import numpy as np

    from oidata.core.sharding.evenness import Photos

    random = np.random.default_rng(0)
    frequency = 1 / np.arange(1, num_classes + 1) ** 1.1
    num_shown = 1 + random.poisson(2 if num_classes > 10 else 0.2, number)  # noqa: PLR2004 - 2.9 classes a photo, or few
    photo = np.repeat(np.arange(number), num_shown)
    label = random.choice(num_classes, len(photo), p=frequency / frequency.sum())
    num_boxes = random.geometric(1 / 2.8, len(photo))
    heavy = random.random(len(photo)) < 0.01  # noqa: PLR2004 - the tail
    num_boxes[heavy] += random.geometric(1 / 25, heavy.sum())
    ids = [f"{each:016x}" for each in random.integers(0, 1 << 63, number).tolist()]
    sizes = np.exp(random.normal(12.4, 0.45, number)).astype(np.int64)
    return Photos(ids, sizes, np.repeat(photo, num_boxes), np.repeat(label, num_boxes), num_classes)


def pycocotools_bbox(photos: str, detections: str) -> str:
    """Evaluate and accumulate boxes as pycocotools does, its indices made before; the result is seconds, and AP."""
    import numpy as np
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    truth, found = _drawn_detections(int(photos), int(detections))
    dataset = {
        "images": [{"id": photo} for photo in range(int(photos))],
        "categories": [{"id": label} for label in range(NUM_CLASSES)],
        "annotations": [
            {"id": at, "image_id": photo, "category_id": label, "bbox": box, "area": box[2] * box[3], "iscrowd": 0}
            for at, (photo, label, box) in enumerate(_coco_rows(truth), 1)
        ],
    }
    with redirect_stdout(None):
        coco = COCO()
        coco.dataset = dataset
        coco.createIndex()
        results = [
            {"image_id": photo, "category_id": label, "bbox": box, "score": score}
            for (photo, label, box), score in zip(_coco_rows(found), found["score"].tolist(), strict=True)
        ]
        evaluation = COCOeval(coco, coco.loadRes(results), "bbox")
        start_s = time.perf_counter()
        evaluation.evaluate()
        evaluation.accumulate()
        took_s = time.perf_counter() - start_s
    precision = evaluation.eval["precision"][..., 0, -1]
    return f"{took_s:.3f} s; AP {np.mean(precision):.6f}"


def oidata_open_images_ap(photos: str, detections: str) -> str:
    """Score the tables of a dataset by both rules of Open Images; the result is seconds, and the two mean APs."""
    from oidata.core.evaluation.evaluation_set import evaluation_set
    from oidata.core.evaluation.open_images_ap import CHALLENGE, V2, open_images_ap

    tables, found, cells = _detection_tables(int(photos), int(detections))
    start_s = time.perf_counter()
    scored = evaluation_set(tables, found, cells)
    means = [open_images_ap(scored, rules).mean_average_precision for rules in (V2, CHALLENGE)]
    return f"{time.perf_counter() - start_s:.3f} s; mean AP {means[0]:.6f}, {means[1]:.6f}"


def oidata_causes(photos: str, detections: str) -> str:
    """All of an evaluation but COCO's numbers, the anchors' numbers included; the result is seconds, mean AP, causes.

    The Challenge's boxes are not expanded here, since the two classes are not kinds of each other.
    """
    from unittest.mock import patch

    from oidata.core.auditing.anchor_numbers import anchor_numbers
    from oidata.core.evaluation import evaluation
    from oidata.core.evaluation.coco_ap import coco_ap
    from oidata.core.evaluation.evaluation_set import evaluation_set
    from oidata.core.evaluation.truth_facts import TruthFacts
    from oidata.core.statistics import ground_truth
    from oidata.io.configs import read_config

    tables, found, cells = _detection_tables(int(photos), int(detections))
    config = read_config("ssd_mobilenet_v2_coco")
    coco = coco_ap(evaluation_set(tables, found.iloc[:1], cells), groups_are_crowds=True)
    with patch.object(evaluation, "coco_ap", return_value=coco):
        start_s = time.perf_counter()
        scored = evaluation_set(tables, found, cells)
        numbers = anchor_numbers(config, ground_truth(tables.images, tables.boxes))
        facts = TruthFacts.of(scored.truth, tables.boxes, numbers, 0.6)
        result = evaluation.evaluation(scored, scored, tables.boxes, facts)
        took_s = time.perf_counter() - start_s
    num_causes = sum(each.num for each in result.causes)
    return f"{took_s:.3f} s; mean AP {result.v2.mean_average_precision:.6f}; {num_causes:,} failures with a cause"


def oidata_coco_ap(photos: str, detections: str, engine: str) -> str:
    """Score the tables of a dataset by COCO's rules; the result is seconds, and AP."""
    from oidata.core.evaluation.coco_ap import Engine, coco_ap
    from oidata.core.evaluation.evaluation_set import evaluation_set

    tables, found, cells = _detection_tables(int(photos), int(detections))
    start_s = time.perf_counter()
    summary = coco_ap(evaluation_set(tables, found, cells), groups_are_crowds=True, engine=Engine(engine)).summary
    return f"{time.perf_counter() - start_s:.3f} s; AP {summary.ap:.6f}"


def _drawn_detections(num_photos: int, per_photo: int) -> tuple[Any, Any]:
    """Frames of ground truth, about as many boxes as in Open Images, and of detections, a tenth of them near a box."""
    import numpy as np
    import pandas as pd

    random = np.random.default_rng(0)

    def drawn(photo: Any) -> Any:  # noqa: ANN401 - an array, and numpy is imported by the jobs alone
        low = random.random((len(photo), 2)) * 0.7
        corners = np.hstack([low, low + np.exp(random.normal(-2, 0.8, (len(photo), 2)))])
        frame = pd.DataFrame(corners.astype(np.float32), columns=list(SIDES))
        return frame.assign(photo=photo, label=random.integers(0, NUM_CLASSES, len(photo)))

    truth = drawn(np.repeat(np.arange(num_photos), 1 + random.poisson(TRUTH_PER_PHOTO - 1, num_photos)))
    found = drawn(np.repeat(np.arange(num_photos), per_photo))
    # A tenth of the detections move to a box of their photo; what they are off by decides whether they find it.
    some = np.flatnonzero(random.random(len(found)) < 0.1)  # noqa: PLR2004
    of_photo = truth.groupby("photo").indices
    near = truth.iloc[[random.choice(of_photo[photo]) for photo in found["photo"].iloc[some]]]
    off = random.normal(0, 0.01, (len(some), 4)).astype(np.float32)
    found.iloc[some, :4] = np.sort((near[list(SIDES)].to_numpy() + off).reshape(-1, 2, 2), axis=1).reshape(-1, 4)
    found.iloc[some, 5] = near["label"].to_numpy()
    return truth, found.assign(score=random.random(len(found)).astype(np.float32))


def _coco_rows(rows: Any) -> Iterator[tuple[int, int, list[float]]]:  # noqa: ANN401 - a frame
    import numpy as np

    sides = rows[list(SIDES)].to_numpy(np.float64) * [*SIZE_PX, *SIZE_PX]
    xywh = np.hstack([sides[:, :2], sides[:, 2:] - sides[:, :2]])
    return zip(rows["photo"].tolist(), rows["label"].tolist(), xywh.tolist(), strict=True)


def _detection_tables(num_photos: int, per_photo: int) -> tuple[Any, Any, Any]:
    """The drawn boxes as tables of a dataset, and its cells."""
    import pandas as pd

    from oidata.core.labels import Label, LabelMap
    from oidata.core.statistics import Cells
    from oidata.core.tables import BOXES, DETECTIONS, FLAGS, IMAGES, LABELS, Tables

    truth, found = _drawn_detections(num_photos, per_photo)
    classes = LabelMap(tuple(Label(f"/m/{label}", f"Class {label}") for label in range(NUM_CLASSES)))
    ids, mids = pd.Series([f"{photo:016x}" for photo in range(num_photos)]), pd.Series(classes.mids)

    def placed(rows: Any) -> Any:  # noqa: ANN401 - a frame
        return rows.assign(image_id=ids[rows["photo"]].to_numpy(), mid=mids[rows["label"]].to_numpy())

    width_px, height_px = SIZE_PX
    images = pd.DataFrame({"image_id": ids, "split": "test", "status": "ok", "width_px": width_px})
    images = images.assign(height_px=height_px).reindex(columns=[column.name for column in IMAGES.columns])
    boxes = placed(truth).assign(source="xclick", stripped=None, **dict.fromkeys(FLAGS, 0))
    boxes = boxes.assign(box_id=boxes["image_id"] + "-" + boxes.index.astype(str), mid_original=boxes["mid"])
    tables = Tables(IMAGES.conform(images), BOXES.conform(boxes), LABELS.empty())
    return tables, DETECTIONS.conform(placed(found)), Cells(classes, ("test",))


def tensorflow_records(directory: str, work: str) -> int:
    """Write each photo of a dataset as a record, as it is, with TensorFlow's writer; count the photos' bytes."""
    import tensorflow as tf

    with _scratch(work) as scratch, tf.io.TFRecordWriter(str(scratch / "a.record")) as writer:
        return sum(_written(writer.write, path.read_bytes()) for path in _photos(directory))


def tensorflow_script(directory: str, work: str) -> int:
    """Write examples in the manner of TFOD's create_*_tf_record.py: one pass that opens, hashes, parses and writes."""
    import hashlib
    import io

    import tensorflow as tf
    from PIL import Image

    from oidata.dataset import Dataset

    dataset = Dataset.open(Path(directory))
    boxes = dict(iter(dataset.boxes().groupby("image_id")))

    def feature(values: list[Any]) -> Any:  # noqa: ANN401 - a message of a module without types
        if isinstance(values[0], bytes):
            return tf.train.Feature(bytes_list=tf.train.BytesList(value=values))
        if isinstance(values[0], float):
            return tf.train.Feature(float_list=tf.train.FloatList(value=values))
        return tf.train.Feature(int64_list=tf.train.Int64List(value=values))

    def example(path: Path) -> tuple[bytes, int]:
        encoded = path.read_bytes()
        image = Image.open(io.BytesIO(encoded))
        rows = boxes[path.stem]
        features: dict[str, list[Any]] = {
            "image/encoded": [encoded],
            "image/format": [b"jpeg"],
            "image/filename": [path.name.encode()],
            "image/source_id": [path.stem.encode()],
            "image/key/sha256": [hashlib.sha256(encoded).hexdigest().encode()],
            "image/height": [image.height],
            "image/width": [image.width],
            "image/object/class/text": [mid.encode() for mid in rows["mid"]],
            "image/object/class/label": [1 + (mid == "/m/01nkt") for mid in rows["mid"]],
            **{f"image/object/bbox/{side}": rows[side].tolist() for side in ("xmin", "xmax", "ymin", "ymax")},
        }
        named = {name: feature(values) for name, values in features.items()}
        return tf.train.Example(features=tf.train.Features(feature=named)).SerializeToString(), len(encoded)

    with _scratch(work) as scratch, tf.io.TFRecordWriter(str(scratch / "a.record")) as writer:
        return sum(_written(writer.write, *example(path)) for path in _photos(directory))


def copied_photos(directory: str, work: str) -> int:
    """Copy each photo's bytes into one file, and nothing else."""
    with _scratch(work) as scratch, (scratch / "a").open("wb") as file:
        return sum(_written(file.write, path.read_bytes()) for path in _photos(directory))


def oidata_shard(directory: str, work: str, workers: str) -> int:
    """Shard a dataset into ten shards of each split."""
    from oidata.dataset import Dataset
    from oidata.shard import Delivery, shard

    with _scratch(work) as scratch:
        dataset = Dataset.open(Path(directory))
        report = shard(dataset, delivery=Delivery(scratch / "shards", num_workers=int(workers)))
        _check(sum(split.num_examples for split in report.splits) == len(dataset.images()))
        return int(dataset.images()["size_bytes"].sum())


def predict_rates(directory: str, model: str, work: str, rounds: str) -> str:
    """Run a model on photos in turn in each of the ways below; the result is a Markdown table of their rates.

    All in one process, some photos at a time: a round is too short for the machine's other work to change much.
    """
    import os
    from statistics import median

    paths = sorted(Path(directory).glob("**/*.jpg"))
    cores = len(os.sched_getaffinity(0))
    ways = _ways_to_predict(paths, model, work, cores)
    spent: dict[str, list[tuple[float, float]]] = {name: [] for name in ways}
    for number in range(int(rounds) + 1):
        chosen = [(number * PHOTOS_A_ROUND + at) % len(paths) for at in range(PHOTOS_A_ROUND)]
        for name, way in ways.items():
            start = time.perf_counter(), time.process_time()
            way(chosen)
            if number:  # the first round warms up
                spent[name].append((time.perf_counter() - start[0], time.process_time() - start[1]))
    reference = spent[next(iter(ways))]
    lines = ["|  | photos/s | to the first | min-max | CPU ms/photo |", "| --- | ---: | ---: | ---: | ---: |"]
    for name, taken in spent.items():
        rate = PHOTOS_A_ROUND / median(wall for wall, _ in taken)
        ratios = [theirs / ours for (theirs, _), (ours, _) in zip(reference, taken, strict=True)]
        cpu_ms = median(cpu for _, cpu in taken) / PHOTOS_A_ROUND * 1e3
        cells = [name, f"{rate:.1f}", f"{median(ratios):.2f}", f"{min(ratios):.2f}-{max(ratios):.2f}", f"{cpu_ms:.1f}"]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join([f"### {len(paths):,} photos through {Path(model).name}, {cores} cores", "", *lines, ""])


def _ways_to_predict(
    paths: Sequence[Path], model: str, work: str, cores: int
) -> dict[str, Callable[[Sequence[int]], None]]:
    """Ways to detect on the photos of some places; the first is the reference."""
    import tensorflow as tf
    from ai_edge_litert.interpreter import Interpreter

    photos = [path.read_bytes() for path in paths]

    def decoded(at: int) -> Any:  # noqa: ANN401 - a tensor
        return tf.io.decode_jpeg(photos[at], channels=3)

    def ready(at: int) -> Any:  # noqa: ANN401 - an array
        return (tf.image.resize(decoded(at)[None], (INPUT_PX, INPUT_PX)) / 127.5 - 1).numpy()

    tensors = [ready(at) for at in range(len(photos))]

    def bare(threads: int, *, decodes: bool = False, resizes: bool = False) -> Callable[[Sequence[int]], None]:
        interpreter = Interpreter(model, num_threads=threads)
        interpreter.allocate_tensors()
        taken, given = interpreter.get_input_details()[0]["index"], interpreter.get_output_details()

        def way(places: Sequence[int]) -> None:
            for at in places:
                if decodes:
                    decoded(at)
                interpreter.set_tensor(taken, ready(at) if resizes else tensors[at])
                interpreter.invoke()
                _check([interpreter.get_tensor(output["index"]) for output in given])

        return way

    return {
        "decode, and invoke on ready-made tensors": bare(1, decodes=True),
        f"the same, {cores} threads": bare(cores, decodes=True),
        "decode, resize, invoke": bare(1, resizes=True),
        f"the same, {cores} threads ": bare(cores, resizes=True),
        "oidata": _predicting(paths, model, work),
        "invoke alone": bare(1),
        f"invoke alone, {cores} threads": bare(cores),
    }


def _predicting(paths: Sequence[Path], model: str, work: str) -> Callable[[Sequence[int]], None]:
    """Detect on photos and put the rows by, as `oidata predict` does."""
    from oidata.core.config.pipeline import with_values
    from oidata.core.prediction.sieve import Sieve
    from oidata.io.checkpoints import Checkpoints
    from oidata.io.configs import CONFIG_NAME, read_config
    from oidata.io.models import open_model
    from oidata.predict import BATCH, SCORE_THRESHOLD, _detect, _Model
    from oidata.report.progress import Silence

    own = Path(model).with_name(CONFIG_NAME)
    real = {"model.ssd.num_classes": 23}  # of the model that the repository's checks have beside them
    config = read_config(own) if own.exists() else with_values(read_config("oid_v4"), real, "23 classes")
    detector = open_model(model, config, score_threshold=SCORE_THRESHOLD)
    names = {number: f"/m/{number}" for number in range(1, config.message.model.ssd.num_classes + 1)}
    sieve = Sieve(names, tuple(names.values()), SCORE_THRESHOLD)
    opened = _Model(detector, config, sieve, "given", None)  # type: ignore[arg-type]

    def way(places: Sequence[int]) -> None:
        with _scratch(work) as scratch:
            checkpoints = Checkpoints(scratch / "found")
            chosen = {f"train/{paths[at].stem}": paths[at] for at in places}
            _check(not _detect(chosen, opened, BATCH, checkpoints, Silence()))
            _check(sum(len(each.processed) for each in checkpoints.read()) == len(chosen))

    return way


def tiny_dataset(work: str, number: str) -> Path:
    """Make a dataset of small photos, five random boxes in each, and a COCO export of it beside them."""
    import json

    from PIL import Image

    from oidata.dataset import Dataset

    directory = Path(work) / f"tiny-{number}"
    directory.mkdir(exist_ok=True)
    for seed in range(int(number)):
        if not (path := directory / f"{seed:016x}.jpg").exists():
            Image.new("RGB", (64, 48), (seed % 256, seed // 256 % 256, 128)).save(path)
    target = photos_as_dataset(str(directory))
    dataset = Dataset.open(target)
    images, boxes = dataset.images(), dataset.boxes()
    ids = {image_id: place for place, image_id in enumerate(images["image_id"], start=1)}
    columns = boxes[["image_id", "mid", *SIDES]].itertuples(index=False)
    coco = {
        "categories": [
            {"id": place, "name": label.display_name}
            for place, label in enumerate(dataset.info.classes.labels, start=1)
        ],
        "images": [
            {"id": place, "file_name": f"{split}/{image_id}.jpg", "width": 64, "height": 48}
            for (image_id, place), split in zip(ids.items(), images["split"], strict=True)
        ],
        "annotations": [
            {
                "id": place,
                "image_id": ids[image_id],
                "category_id": dataset.info.classes.mids.index(mid) + 1,
                "bbox": [64 * xmin, 48 * ymin, 64 * (xmax - xmin), 48 * (ymax - ymin)],
                "iscrowd": 0,
            }
            for place, (image_id, mid, xmin, ymin, xmax, ymax) in enumerate(columns, start=1)
        ],
    }
    (target / "coco.json").write_text(json.dumps(coco), encoding="utf-8")
    return target


def fiftyone_coco_import(directory: str) -> str:
    """Let FiftyOne import a COCO export; the result is seconds per 1,000 photos, its start left out, and boxes."""
    fo = _fiftyone()
    start_s = time.perf_counter()
    dataset = fo.Dataset.from_dir(
        dataset_type=fo.types.COCODetectionDataset,
        data_path=f"{directory}/images",
        labels_path=f"{directory}/coco.json",
        label_types="detections",
        label_field="ground_truth",
    )
    took_s = time.perf_counter() - start_s
    return f"{1000 * took_s / len(dataset):.3f} s; {dataset.count('ground_truth.detections')} boxes"


def oidata_inspect(directory: str) -> str:
    """Make the dataset that the App shows; the result is as that of the import."""
    from oidata.dataset import Dataset
    from oidata.inspect import inspect

    opened = Dataset.open(Path(directory))
    _fiftyone()
    start_s = time.perf_counter()
    report = inspect(opened)
    took_s = time.perf_counter() - start_s
    return f"{1000 * took_s / report.num_photos:.3f} s; {report.num_boxes} boxes"


def _fiftyone() -> Any:  # noqa: ANN401 - a module without types
    """FiftyOne, on an empty database of its own."""
    import atexit
    import os
    import shutil
    import socket
    import subprocess
    from importlib.util import find_spec

    home = Path(tempfile.mkdtemp())
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
    spec = find_spec("fiftyone")
    executable = Path(((spec and spec.submodule_search_locations) or [""])[0]) / "db/bin/mongod"
    options = ("--dbpath", str(home), "--bind_ip", "127.0.0.1", "--port", port, "--nounixsocket")
    database = subprocess.Popen((str(executable), *options), stdout=subprocess.DEVNULL)
    atexit.register(shutil.rmtree, home, ignore_errors=True)  # registered first, done last
    atexit.register(database.wait)
    atexit.register(database.terminate)
    time.sleep(3)
    os.environ |= {"HOME": str(home), "FIFTYONE_DATABASE_URI": f"mongodb://127.0.0.1:{port}"}
    from oidata.app.database import fiftyone

    fo = fiftyone()
    fo.Dataset("warm-up").delete()
    return fo


@contextmanager
def _scratch(work: str) -> Iterator[Path]:
    with tempfile.TemporaryDirectory(dir=work) as directory:
        yield Path(directory)


def _photos(directory: str) -> list[Path]:
    return sorted(Path(directory).glob("images/*/*.jpg"))


def _written(write: Callable[[bytes], object], data: bytes, num_bytes: int | None = None) -> int:
    write(data)
    return len(data) if num_bytes is None else num_bytes


def _check(done: object) -> None:
    """Raise if a job did not do what it is measured by."""
    if not done:
        message = "the job was not done"
        raise RuntimeError(message)


JOBS: dict[str, Callable[..., object]] = {
    job.__name__: job
    for job in (
        read_bytes,
        oidata_class_rows,
        oidata_boxes,
        oidata_labels,
        oidata_images,
        pandas_class_rows,
        pandas_images,
        duckdb_class_rows,
        oidata_photos,
        obstore_photos,
        draw_photos,
        photos_as_dataset,
        oidata_audit,
        pillow_decode,
        oidata_decode,
        oidata_decode_stages,
        oidata_near_pairs,
        oidata_targets,
        dense_targets,
        dense_ious,
        copied_targets,
        divide_photos,
        pycocotools_bbox,
        oidata_open_images_ap,
        oidata_causes,
        oidata_coco_ap,
        tensorflow_records,
        tensorflow_script,
        copied_photos,
        oidata_shard,
        predict_rates,
        tiny_dataset,
        fiftyone_coco_import,
        oidata_inspect,
    )
}

if __name__ == "__main__":
    job_name, *job_arguments = sys.argv[1:]
    print(JOBS[job_name](*job_arguments))
