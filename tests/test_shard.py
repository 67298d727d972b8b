"""`oidata shard` on the sample: what the shards hold, and what becomes of them when things go wrong."""

import hashlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from oidata.core.sharding.evenness import Evenness
from oidata.core.words import counted
from oidata.dataset import Dataset
from oidata.errors import DatasetError, PhotoError, RecordError, UsageError
from oidata.fetch import Request as FetchRequest
from oidata.fetch import fetch
from oidata.io.configs import read_config
from oidata.io.outputs import output
from oidata.io.tfrecord import read_records
from oidata.report.shard_report import ShardReport
from oidata.shard import Delivery, Request, shard
from tests.cluster import Cluster
from tests.io.test_shards import contents
from tests.test_cli import oidata

CHEESE = "/m/01nkt"
PREFIX = {"train": "train", "validation": "val", "test": "test"}
ONE = Delivery(num_workers=1)
THREE = Request(num_shards=3)


@pytest.fixture(scope="module")
def sharded(stripped_sample: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, ShardReport]:
    """The sample in three shards of each split, and the report; not to be changed."""
    out = tmp_path_factory.mktemp("sharded")
    return out, shard(Dataset.open(stripped_sample), THREE, Delivery(out, num_workers=1))


@pytest.fixture
def dataset(stripped_sample: Path, tmp_path: Path) -> Dataset:
    """A copy of the sample to be changed."""
    shutil.copytree(stripped_sample, tmp_path / "d")
    return Dataset.open(tmp_path / "d")


def written_photo(dataset: Dataset) -> tuple[str, str, Path]:
    """The split, id and path of a photo that becomes an example."""
    image_id = dataset.boxes().query("stripped.isna()")["image_id"].iloc[0]
    split = dataset.images().set_index("image_id").loc[image_id, "split"]
    return split, image_id, dataset.photo_path(split, image_id)


def examples(directory: Path, prefix: str) -> Iterator[Any]:
    """All examples of a split's shards, parsed by TensorFlow."""
    import tensorflow as tf

    for path in sorted(directory.glob(f"{prefix}.record-*")):
        for record in read_records(path):
            yield tf.train.Example.FromString(record).features.feature


@pytest.mark.parametrize("split, prefix", [("train", "train"), ("validation", "val"), ("test", "test")])
def test_the_shards_hold_the_ground_truth(
    stripped_sample: Path, sharded: tuple[Path, ShardReport], split: str, prefix: str
) -> None:
    """Each usable photo with a box, and each negative, is in one shard, with its own bytes and its boxes that train."""
    dataset = Dataset.open(stripped_sample)
    images = dataset.images().query("split == @split and status == 'ok'").set_index("image_id")
    boxes = dataset.boxes()
    truth = boxes[boxes["stripped"].isna() & boxes["image_id"].isin(images.index)]
    found = {each["image/source_id"].bytes_list.value[0].decode(): each for each in examples(sharded[0], prefix)}
    with_box = {image_id for image_id, each in found.items() if each["image/object/class/label"].int64_list.value}
    assert with_box == set(truth["image_id"])
    assert len(list(examples(sharded[0], prefix))) == len(found)
    mids = Counter(mid.decode() for each in found.values() for mid in each["image/object/class/text"].bytes_list.value)
    assert mids == truth["mid"].value_counts().to_dict()
    for image_id, each in found.items():
        assert each["image/encoded"].bytes_list.value[0] == dataset.photo_path(split, image_id).read_bytes()
    negatives = set(found) - with_box
    assert not negatives & set(boxes["image_id"])
    assert all(found[image_id]["image/neg_category_ids"].int64_list.value for image_id in negatives)


def test_the_report_says_what_the_shards_hold(sharded: tuple[Path, ShardReport]) -> None:
    """Photos, boxes by class, length and SHA-256 of each shard are those of the file."""
    out, report = sharded
    for of_split in report.splits:
        for facts in of_split.shards:
            data = (out / facts.name).read_bytes()
            assert (facts.size_bytes, facts.sha256) == (len(data), hashlib.sha256(data).hexdigest())
        prefix = of_split.shards[0].name.split(".")[0]
        total = Counter(
            label for each in examples(out, prefix) for label in each["image/object/class/label"].int64_list.value
        )
        assert [total[1], total[2]] == np.sum([facts.num_boxes for facts in of_split.shards], axis=0).tolist()


def test_all_photos_are_accounted_for(stripped_sample: Path, sharded: tuple[Path, ShardReport]) -> None:
    """Each photo of a split is in a shard, or left out for a reason that is counted."""
    images = Dataset.open(stripped_sample).images()
    for of_split in sharded[1].splits:
        out = sum(sharded[1].left_out[of_split.split].values())
        assert of_split.num_examples + out == (images["split"] == of_split.split).sum()
        assert out


def test_shards_are_as_even_as_can_be(sharded: tuple[Path, ShardReport]) -> None:
    """Photos differ by one at most, and neither photos nor boxes are less even than by hash or by index."""

    def cost(evenness: Evenness) -> tuple[int, int]:
        return evenness.num_photos.most - evenness.num_photos.least, evenness.box_excess

    for of_split in sharded[1].splits:
        balance = of_split.balance
        assert cost(balance.balanced)[0] <= 1
        assert cost(balance.balanced) <= min(cost(balance.by_hash), cost(balance.by_index))


def test_workers_do_not_change_a_byte(stripped_sample: Path, sharded: tuple[Path, ShardReport], tmp_path: Path) -> None:
    """Two processes write the same files as one."""
    shard(Dataset.open(stripped_sample), THREE, Delivery(tmp_path / "two", num_workers=2))
    assert contents(tmp_path / "two") == contents(sharded[0])


def test_a_cluster_does_not_change_a_byte(
    stripped_sample: Path, sharded: tuple[Path, ShardReport], cluster: Cluster, tmp_path: Path
) -> None:
    """The workers of a Dask cluster write the same files."""
    shard(Dataset.open(stripped_sample), THREE, Delivery(tmp_path / "cluster", scheduler=cluster.address))
    assert contents(tmp_path / "cluster") == contents(sharded[0])


def test_a_bucket_gets_the_same_bytes(stripped_sample: Path, sharded: tuple[Path, ShardReport], bucket: Any) -> None:
    """Uploaded by processes of their own, objects are the same files; run again, all are read back, and kept."""
    arguments = ["shard", "-d", str(stripped_sample), "--splits", "3", "--out", f"s3://{bucket.name}/data", "--json"]
    for kept in (0, 9):
        run = subprocess.run([sys.executable, "-m", "oidata", *arguments], capture_output=True, text=True, check=False)
        assert run.returncode == 0, run.stderr
        assert json.loads(run.stdout)["num_kept"] == kept
        found = {each.key.removeprefix("data/"): each.get()["Body"].read() for each in bucket.objects.all()}
        assert found == contents(sharded[0])


def test_another_seed_makes_other_shards(
    stripped_sample: Path, sharded: tuple[Path, ShardReport], tmp_path: Path
) -> None:
    """The seed decides the order in a shard, and it is written down."""
    shard(Dataset.open(stripped_sample), Request(3, seed=1), Delivery(tmp_path / "out", num_workers=1))
    assert contents(tmp_path / "out") != contents(sharded[0])
    assert json.loads((tmp_path / "out" / "shards.json").read_text())["choices"]["seed"] == 1


def test_what_is_there_is_kept(dataset: Dataset, sharded: tuple[Path, ShardReport]) -> None:
    """Run again, every shard is checked and left as it is; one that is missing is written again, the same."""
    shard(dataset, THREE, ONE)
    out = dataset.path / "shards"
    times = {path: path.stat().st_mtime_ns for path in out.glob("*.record-*")}
    assert shard(dataset, THREE, ONE).now.num_kept == len(times) == 9
    assert {path: path.stat().st_mtime_ns for path in times} == times
    lost, *_ = times
    lost.unlink()
    assert shard(dataset, THREE, ONE).now.num_kept == 8
    assert contents(out) == contents(sharded[0])


def test_a_shard_of_other_content_is_not_replaced_unasked(dataset: Dataset, sharded: tuple[Path, ShardReport]) -> None:
    """A damaged shard, or one of another seed, is refused by name, and replaced with --overwrite alone."""
    shard(dataset, THREE, ONE)
    path = dataset.path / "shards" / "val.record-00001-of-00003"
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    with pytest.raises(DatasetError, match=r"other content: val\.record-00001-of-00003"):
        shard(dataset, THREE, ONE)
    assert path.read_bytes() == data
    assert shard(dataset, THREE, Delivery(num_workers=1, overwrite=True)).now.num_kept == 8
    assert contents(dataset.path / "shards") == contents(sharded[0])
    with pytest.raises(DatasetError, match="other content"):
        shard(dataset, Request(3, seed=1), ONE)


def test_shards_of_another_number_are_not_left_beside(dataset: Dataset, sharded: tuple[Path, ShardReport]) -> None:
    """Shards that are none of these are refused, and removed with --overwrite; other files are left alone."""
    shard(dataset, Request(2), ONE)
    (dataset.path / "shards" / "notes.txt").write_text("mine")
    with pytest.raises(DatasetError, match=r"test\.record-00000-of-00002 and 5 more"):
        shard(dataset, THREE, ONE)
    shard(dataset, THREE, Delivery(num_workers=1, overwrite=True))
    assert contents(dataset.path / "shards") == {**contents(sharded[0]), "notes.txt": b"mine"}


def test_a_text_of_the_users_is_not_replaced_unasked(dataset: Dataset) -> None:
    """A label map that was changed by hand is refused before any shard is written, and replaced if asked for."""
    out = dataset.path / "shards"
    out.mkdir()
    (out / "label_map.pbtxt").write_text("mine")
    with pytest.raises(DatasetError, match=r"other content: label_map\.pbtxt"):
        shard(dataset, THREE, ONE)
    assert contents(out) == {"label_map.pbtxt": b"mine"}
    shard(dataset, THREE, Delivery(num_workers=1, overwrite=True))
    assert (out / "label_map.pbtxt").read_text() != "mine"


@pytest.mark.parametrize("config", [None, "ssd_mobilenet_v2_coco"])
def test_a_config_of_the_users_is_never_replaced(dataset: Dataset, config: str | None) -> None:
    """A pipeline.config with no shards.json beside it may be the user's own: it stays, --overwrite or not."""
    out = dataset.path / "shards"
    out.mkdir()
    (out / "pipeline.config").write_text("mine")
    with pytest.raises(DatasetError, match=r"pipeline\.config may be yours"):
        shard(dataset, Request(3, config=config), Delivery(num_workers=1, overwrite=True))
    assert contents(out) == {"pipeline.config": b"mine"}


def test_two_runs_do_not_mix_their_shards(dataset: Dataset) -> None:
    """While a run is at work in a directory, another one is refused."""
    with output(dataset.path / "shards").locked(), pytest.raises(DatasetError, match="Another oidata is at work"):
        shard(dataset, THREE, ONE)


def test_a_config_is_kept_for_the_next_time_and_never_left_stale(dataset: Dataset, tmp_path: Path) -> None:
    """A config that was given is the dataset's from then on; one that no run fills in is not left beside the shards."""
    own = tmp_path / "own.config"
    own.write_text(read_config("ssd_mobilenet_v2_coco").text)
    shard(dataset, Request(2, config=own), ONE)
    shard(dataset, Request(3), Delivery(num_workers=1, overwrite=True))
    path = dataset.path / "shards" / "pipeline.config"
    assert "train.record-?????-of-00003" in path.read_text()
    dataset.config_path.unlink()
    with pytest.raises(DatasetError, match=r"other content: pipeline\.config"):
        shard(dataset, Request(3), ONE)
    shard(dataset, Request(3), Delivery(num_workers=1, overwrite=True))
    assert not path.exists()


def test_the_config_names_the_shards(dataset: Dataset) -> None:
    """The copy of the config has the shards' patterns, the label map and the number of classes, and matches files."""
    shard(dataset, Request(3, config="ssd_mobilenet_v2_coco"), ONE)
    out = dataset.path.resolve() / "shards"
    text = (out / "pipeline.config").read_text()
    assert f'label_map_path: "{out}/label_map.pbtxt"' in text
    assert re.search(r"num_classes: (\d+)", text)[1] == "2"  # type: ignore[index]
    for prefix in ("train", "val"):
        pattern = f"{prefix}.record-?????-of-00003"
        assert f'"{out}/{pattern}"' in text
        assert len(list(out.glob(pattern))) == 3


def test_the_config_names_the_shards_of_any_directory(dataset: Dataset, tmp_path: Path) -> None:
    """What is special in a pattern matches itself in a directory's name: TensorFlow finds the shards by input_path."""
    import tensorflow as tf

    out = tmp_path / r"a[1]*?\b"
    shard(dataset, Request(3, config="ssd_mobilenet_v2_coco"), Delivery(out, num_workers=1))
    config = read_config(out / "pipeline.config").message
    (pattern,) = config.train_input_reader.tf_record_input_reader.input_path
    assert len(tf.io.gfile.glob(pattern)) == 3
    assert config.train_input_reader.label_map_path == str(out / "label_map.pbtxt")


def test_a_photo_that_is_gone_stops_before_anything_is_written(dataset: Dataset) -> None:
    """A photo that is not there, or of another length, is named, and no shard is begun."""
    _, _, path = written_photo(dataset)
    data = path.read_bytes()
    path.unlink()
    with pytest.raises(PhotoError, match=f"{path.name} is not there any more"):
        shard(dataset, THREE, ONE)
    path.write_bytes(data + b"x")
    with pytest.raises(PhotoError, match=rf"{path.name} has [\d,]+ bytes, and had"):
        shard(dataset, THREE, ONE)
    assert not (dataset.path / "shards").exists()


def test_changed_bytes_are_found(dataset: Dataset) -> None:
    """A photo of the same length and other bytes is named with both hashes; no shard with it gets its name."""
    split, _, path = written_photo(dataset)
    data = bytearray(path.read_bytes())
    data[-3] ^= 1
    path.write_bytes(data)
    with pytest.raises(PhotoError, match=rf"{path.name} is not the photo that was fetched: its SHA-256 is"):
        shard(dataset, Request({split: 1}), ONE)
    assert not list((dataset.path / "shards").glob("[!.]*"))


def test_a_run_that_stops_leaves_no_record_of_other_shards(dataset: Dataset) -> None:
    """When shards are replaced and the run stops in the middle, no shards.json is left that tells of the old ones."""
    shard(dataset, THREE, ONE)
    _, _, path = written_photo(dataset)
    data = path.read_bytes()
    path.write_bytes(data[:-3] + b"x" + data[-2:])
    replacing = Delivery(num_workers=1, overwrite=True)
    with pytest.raises(PhotoError, match="is not the photo that was fetched"):
        shard(dataset, Request(3, seed=1), replacing)
    assert not (dataset.path / "shards" / "shards.json").exists()
    path.write_bytes(data)
    shard(dataset, Request(3, seed=1), replacing)
    assert (dataset.path / "shards" / "shards.json").exists()


def test_a_class_without_boxes_is_refused(dataset: Dataset) -> None:
    """A split in which a class has no box to write is named, with the class; the other splits can be sharded."""
    boxes = dataset.boxes()
    is_test = boxes["image_id"].isin(dataset.images().query("split == 'test'")["image_id"])
    dataset.write_boxes(boxes[~(is_test & (boxes["mid"] == CHEESE))])
    with pytest.raises(DatasetError, match=r"no box to write of Cheese in test\. .*--splits train=3,val=3\."):
        shard(dataset, THREE, ONE)
    splits = shard(dataset, Request({"train": 2, "val": 1}), ONE).splits
    assert [each.split for each in splits] == ["train", "validation"]


@pytest.mark.parametrize(
    "num_shards, message",
    [
        (0, "0 shards cannot hold anything"),
        (100_000, "100,000 shards have no names of five digits"),
        ({"train": -2}, "-2 shards cannot hold anything"),
        ({"training": 2}, "'training' is no split"),
        ({}, "No split is named"),
        ({"val": 1, "validation": 2}, "validation and val are one split"),
    ],
)
def test_numbers_that_cannot_be_meant_are_refused(
    stripped_sample: Path, num_shards: int | dict[str, int], message: str
) -> None:
    """No shard, less than none, and splits that there are not, are a UsageError."""
    with pytest.raises(UsageError, match=message):
        shard(Dataset.open(stripped_sample), Request(num_shards), ONE)


def test_a_split_that_was_not_fetched_is_refused(tmp_path: Path) -> None:
    """A split that the dataset lacks is named, with those that it has."""
    fetch(tmp_path / "d", FetchRequest(("Lemon",), splits=("test",), source="sample:"))
    with pytest.raises(UsageError, match=r"has no split train\. It has test"):
        shard(Dataset.open(tmp_path / "d"), Request({"train": 2}), ONE)


def test_validation_photos_come_out_of_train(dataset: Dataset) -> None:
    """A class without validation photos gets its share of those of train, told and counted; without, it is refused."""
    boxes, images = dataset.boxes(), dataset.images()
    is_validation = boxes["image_id"].isin(images.query("split == 'validation'")["image_id"])
    dataset.write_boxes(boxes[~(is_validation & (boxes["mid"] == CHEESE))])
    request = Request({"train": 2, "val": 2})
    with pytest.raises(DatasetError, match=r"no box to write of Cheese in validation\. .*--val-fraction 0\.1"):
        shard(dataset, request, ONE)
    before = {each["image/source_id"].bytes_list.value[0] for each in _all_examples(dataset, Request({"train": 1}))}
    report = shard(dataset, replace(request, val_fraction=0.2), ONE)
    out = dataset.path / "shards"
    train, val = (
        {each["image/source_id"].bytes_list.value[0] for each in examples(out, prefix)} for prefix in ("train", "val")
    )
    moved = before & val
    assert train == before - moved
    assert report.num_moved == len(moved)
    with_cheese = set(boxes.query("mid == @CHEESE and stripped.isna()")["image_id"])
    num_cheese = len({image_id.decode() for image_id in before} & with_cheese)
    assert len({image_id.decode() for image_id in moved} & with_cheese) == round(num_cheese / 5)
    assert any("became validation" in note for note in report.summary().notes)


def _all_examples(dataset: Dataset, request: Request) -> list[Any]:
    out = dataset.path.with_name("all")
    shard(dataset, request, Delivery(out, num_workers=1))
    return list(examples(out, "train"))


def test_nothing_moves_where_every_class_is_validated(
    stripped_sample: Path, sharded: tuple[Path, ShardReport], tmp_path: Path
) -> None:
    """With validation photos of every class the shards are the same, whatever the fraction."""
    delivery = Delivery(tmp_path / "out", num_workers=1)
    report = shard(Dataset.open(stripped_sample), replace(THREE, val_fraction=0.5), delivery)
    assert report.num_moved == 0
    assert {name: data for name, data in contents(tmp_path / "out").items() if "record-" in name} == {
        name: data for name, data in contents(sharded[0]).items() if "record-" in name
    }


def test_more_shards_than_photos_leave_some_empty(dataset: Dataset) -> None:
    """With fewer photos than shards some shards are empty files, and the summary warns of it."""
    report = shard(dataset, Request({"test": 50}), ONE)
    (of_test,) = report.splits
    empty = [facts for facts in of_test.shards if not facts.num_examples]
    assert len(empty) == 50 - of_test.num_examples
    assert {facts.size_bytes for facts in empty} == {0}
    assert any(f"{counted(len(empty), 'shard is', 'shards are')} empty" in note for note in report.summary().notes)


@pytest.mark.parametrize(
    "request_", [Request(2, stripped="ignore"), Request(2, stripped="keep")], ids=lambda r: r.stripped
)
def test_stripped_boxes_can_be_written(stripped_sample: Path, tmp_path: Path, request_: Request) -> None:
    """Ignored, they are in the shards with weight 0 and do not count as boxes that train; kept, they do."""
    report = shard(Dataset.open(stripped_sample), request_, Delivery(tmp_path / "out", num_workers=1))
    found = list(examples(tmp_path / "out", "train"))
    weights = [weight for each in found for weight in each["image/object/weight"].float_list.value]
    assert report.splits[0].num_boxes == sum(weights)
    assert (0.0 in weights) == (request_.stripped == "ignore")


def test_leftovers_and_negatives_can_be_left_out(stripped_sample: Path, tmp_path: Path) -> None:
    """Without leftovers and negatives each example has boxes, and no class with an object that has none."""
    request = Request(2, drop_leftover=True, with_negatives=False)
    report = shard(Dataset.open(stripped_sample), request, Delivery(tmp_path / "out", num_workers=1))
    assert all(each["image/object/class/label"].int64_list.value for each in examples(tmp_path / "out", "train"))
    assert report.left_out["train"]["leftover"] > 0


def test_tensorflow_reads_every_example(dataset: Dataset) -> None:
    """TensorFlow parses and decodes all examples, and says so; a photo that it cannot decode is named."""
    report = shard(dataset, THREE, Delivery(num_workers=1, with_tensorflow=True))
    assert report.now.read_by is not None
    assert report.now.read_by.startswith("TensorFlow 2.")
    shutil.rmtree(dataset.path / "shards")
    images = dataset.images()
    split, image_id, path = written_photo(dataset)
    data = bytearray(path.read_bytes())
    frame = data.index(b"\xff\xc0") if b"\xff\xc0" in data else data.index(b"\xff\xc2")
    data[frame + 4] = 12  # bits per sample, which libjpeg for 8 does not take
    path.write_bytes(data)
    images.loc[images["image_id"] == image_id, "sha256"] = hashlib.sha256(data).hexdigest()
    dataset.write_images(images)
    refused = f"TensorFlow cannot read the photo {image_id} in {PREFIX[split]}"
    with pytest.raises(RecordError, match=refused):
        shard(dataset, Request({split: 1}), Delivery(num_workers=1, with_tensorflow=True))
    assert not list((dataset.path / "shards").glob("[!.]*"))
    shard(dataset, Request({split: 1}), ONE)
    with pytest.raises(RecordError, match=refused):  # not "other content": to write it again would not help
        shard(dataset, Request({split: 1}), Delivery(num_workers=1, with_tensorflow=True))


def test_killed_and_run_again(stripped_sample: Path, sharded: tuple[Path, ShardReport], tmp_path: Path) -> None:
    """Killed with -9 while it writes, a run leaves whole shards alone; run again, it keeps these and adds the rest."""
    command = [sys.executable, "-m", "oidata", "shard", "-d", str(stripped_sample), "--splits", "3", "--workers", "1"]
    command += ["--out", str(tmp_path / "out")]
    kept = num_killed = 0
    for number in (1, 3, 5):
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, start_new_session=True)
        deadline = time.monotonic() + 60
        while len(list(tmp_path.glob("out/[!.]*.record-*"))) < number and process.poll() is None:
            assert time.monotonic() < deadline
            time.sleep(0.001)
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        num_killed += process.wait() == -signal.SIGKILL
        there = {path.name: path.read_bytes() for path in tmp_path.glob("out/[!.]*.record-*")}
        assert there.items() <= contents(sharded[0]).items()
        kept = len(there)
    assert num_killed
    again = oidata("shard", "-d", str(stripped_sample), "--splits", "3", "--out", "out", cwd=tmp_path)
    assert f"({kept} already there)" in again.stdout
    assert contents(tmp_path / "out") == contents(sharded[0])


def test_tf_data_reads_batches(sharded: tuple[Path, ShardReport]) -> None:
    """A tf.data pipeline reads the shards by their pattern into batches of photos and boxes."""
    import tensorflow as tf

    sides = [f"image/object/bbox/{side}" for side in ("ymin", "xmin", "ymax", "xmax")]
    spec = {"image/encoded": tf.io.FixedLenFeature((), tf.string)}
    spec |= {name: tf.io.RaggedFeature(tf.float32) for name in sides}

    def parse(record: Any) -> Any:
        found = tf.io.parse_single_example(record, spec)
        image = tf.image.resize(tf.io.decode_jpeg(found["image/encoded"], channels=3), (300, 300))
        return image, tf.stack([found[name] for name in sides], axis=-1)

    out, report = sharded
    files = tf.data.Dataset.list_files(str(out / report.splits[0].pattern), shuffle=False)
    batches = list(tf.data.TFRecordDataset(files).map(parse).ragged_batch(8))
    assert sum(len(images) for images, _ in batches) == report.splits[0].num_examples
    assert sum(int(boxes.row_lengths().numpy().sum()) for _, boxes in batches) == report.splits[0].num_boxes
    assert batches[0][0].shape[1:] == (300, 300, 3)


def test_the_command_prints_what_it_did(stripped_sample: Path, tmp_path: Path) -> None:
    """The command line takes numbers by split, prints tables, and with --json what the report has."""
    arguments = ("shard", "-d", str(stripped_sample), "--splits", "train=2,val=1", "--workers", "1", "--out")
    printed = oidata(*arguments, "out", cwd=tmp_path).stdout
    assert "train.record-00001-of-00002" in printed
    assert "by hash" in printed
    said = json.loads(oidata(*arguments, "out", "--json", cwd=tmp_path).stdout)
    assert said["num_kept"] == 3
    record = json.loads((tmp_path / "out" / "shards.json").read_text())
    assert {name: said[name] for name in record} == record


@pytest.mark.parametrize("splits", ["ten", "train=", "train:10", "train=2;val=1", ""])
def test_splits_that_are_no_numbers_are_refused(stripped_sample: Path, tmp_path: Path, splits: str) -> None:
    """What is no number of shards is a usage error that shows how to write one."""
    run = oidata("shard", "-d", str(stripped_sample), "--splits", splits, cwd=tmp_path)
    assert run.returncode == 2
    assert "train=10,val=2" in run.stderr


def test_a_split_that_is_named_twice_is_refused(stripped_sample: Path, tmp_path: Path) -> None:
    """Two numbers for a split are a usage error: neither is silently dropped."""
    run = oidata("shard", "-d", str(stripped_sample), "--splits", "train=2,train=3", cwd=tmp_path)
    assert run.returncode == 2
    assert "names a split twice" in run.stderr
