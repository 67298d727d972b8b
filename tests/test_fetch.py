"""Fetch end to end: real photos over real HTTP on loopback."""

import hashlib
import json
import shutil
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from http import HTTPStatus
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pandas as pd
import pytest

from oidata.core.labels import Label, LabelMap
from oidata.core.release.selection import Quota
from oidata.dataset import INFO_NAME, Dataset, DatasetInfo
from oidata.errors import DatasetError, SourceError, StorageError, TableError, UnknownClassError, UsageError
from oidata.fetch import Network, Request, fetch
from oidata.io import scan
from oidata.io.retry import Retry
from oidata.report.fetch_report import FetchReport
from oidata.report.progress import Unit
from oidata.sample import ROOT
from oidata.strip import strip
from tests.mirror import NONE, Faults, Mirror, serve

LEMON, CHEESE = "/m/09k_b", "/m/01nkt"


def both(source: str, **options: Any) -> Request:
    return replace(Request(("Lemon", "Cheese"), source=source), **options)


def content(directory: Path) -> dict[str, str]:
    """SHA-256 by name of every file that a dataset consists of."""
    names = (path for path in directory.rglob("*") if path.is_file() and path.name != ".lock")
    return {str(path.relative_to(directory)): hashlib.sha256(path.read_bytes()).hexdigest() for path in names}


def num_photo_requests(mirror: Mirror) -> int:
    return sum(request.path.endswith(".jpg") for request in mirror.requests)


def total(report: FetchReport) -> Counter[str]:
    counts = Counter[str]()
    for of_status in report.photos.values():
        counts.update(of_status)
    return counts


def test_real_photos_by_split(shared_mirror: Path, tmp_path: Path, network: Network) -> None:
    """The mirror's 90 photos and 447 boxes of Lemon and Cheese arrive, and a second fetch downloads nothing."""
    with serve(shared_mirror) as mirror:
        report = fetch(tmp_path / "d", both(mirror.url), network)
        assert {split: of_status["ok"] for split, of_status in report.photos.items()} == {
            "train": 67,
            "validation": 13,
            "test": 10,
        }
        assert report.downloaded == 90
        assert sum(sum(of_class.values()) for of_class in report.boxes.values()) == 447
        before, requests = content(tmp_path / "d"), num_photo_requests(mirror)
        assert fetch(tmp_path / "d", both(mirror.url), network).downloaded == 0
        assert num_photo_requests(mirror) == requests
        assert content(tmp_path / "d") == before


def test_strip_of_real_photos(shared_mirror: Path, tmp_path: Path, network: Network) -> None:
    """Strip marks 77 boxes of the mirror, empties 16 photos, and names 39 with collateral."""
    fetch(tmp_path / "d", both(shared_mirror.as_uri()), network)
    report = strip(Dataset.open(tmp_path / "d"))
    assert [(row.split, row.emptied, row.collateral) for row in report.photos] == [
        ("train", 12, 28),
        ("validation", 2, 5),
        ("test", 2, 6),
    ]
    by_split = Counter[str]()
    for row in report.classes:
        by_split[row.split] += row.stripped
    assert by_split == {"train": 49, "validation": 16, "test": 12}


def test_tables_agree_with_the_release(shared_mirror: Path, tmp_path: Path, network: Network) -> None:
    """Boxes are the release's rows of all chosen classes; box_id counts all rows of the photo."""
    fetch(tmp_path / "d", both(shared_mirror.as_uri()), network)
    rows = pd.concat(
        [
            pd.read_csv(shared_mirror / "2018_04/train/train-annotations-bbox.csv"),
            pd.read_csv(shared_mirror / "v5/validation-annotations-bbox.csv"),
            pd.read_csv(shared_mirror / "v5/test-annotations-bbox.csv"),
        ]
    )
    rows["box_id"] = rows["ImageID"] + "-" + rows.groupby("ImageID").cumcount().astype(str)
    wanted = rows[rows["LabelName"].isin([LEMON, CHEESE])].set_index("box_id")
    boxes = Dataset.open(tmp_path / "d").boxes().set_index("box_id")
    assert list(boxes.index) == list(wanted.index)
    assert (boxes["mid"] == wanted["LabelName"]).all()
    for ours, theirs in {"xmin": "XMin", "xmax": "XMax", "ymin": "YMin", "ymax": "YMax"}.items():
        assert (boxes[ours] == wanted[theirs].astype("float32")).all()
    for ours, theirs in {"is_group_of": "IsGroupOf", "is_truncated": "IsTruncated", "is_inside": "IsInside"}.items():
        assert (boxes[ours] == wanted[theirs]).all()


def test_manifest_and_attribution_name_every_photo(shared_mirror: Path, tmp_path: Path, network: Network) -> None:
    """Every photo that is there stands in manifest.tsv with its own SHA-256 and size, and in ATTRIBUTION.csv."""
    fetch(tmp_path / "d", both(shared_mirror.as_uri()), network)
    lines = [line.split("\t") for line in (tmp_path / "d/manifest.tsv").read_text().splitlines()]
    assert [name for name, _, _ in lines] == sorted(name for name, _, _ in lines)
    for name, digest, size in lines:
        data = (tmp_path / "d/images" / f"{name}.jpg").read_bytes()
        assert (hashlib.sha256(data).hexdigest(), str(len(data))) == (digest, size)
    credits_of = pd.read_csv(tmp_path / "d/ATTRIBUTION.csv")
    assert list(credits_of["photo"]) == [name for name, _, _ in lines]
    assert credits_of["landing_url"].str.startswith("https://www.flickr.com/").sum() == 87  # 3 have none


def test_sample_has_a_missing_and_a_corrupt_photo(tmp_path: Path, network: Network) -> None:
    """A 404 is recorded as missing and a cut JPEG as corrupt; neither is kept, neither is a failure."""
    report = fetch(tmp_path / "d", both("sample:"), network)
    assert total(report) == {"ok": 95, "missing": 1, "corrupt": 1, "failed": 0}
    assert report.num_failed == 0
    images = Dataset.open(tmp_path / "d").images()
    there = {path.stem for path in (tmp_path / "d/images").rglob("*.jpg")}
    assert there == set(images.loc[images["status"] == "ok", "image_id"])


def test_boxes_are_counted_on_photos_that_are_there(tmp_path: Path, network: Network) -> None:
    """Boxes and photos of a class are those of photos that are ok; boxes on the others are counted once, apart."""
    report = fetch(tmp_path / "d", both("sample:"), network)
    dataset = Dataset.open(tmp_path / "d")
    images, boxes = dataset.images(), dataset.boxes()
    there = boxes[boxes["image_id"].isin(images.loc[images["status"] == "ok", "image_id"])]
    assert 0 < report.num_absent == len(boxes) - len(there)
    for counts, kept in ((report.boxes, there), (report.photos_with, there.drop_duplicates(["image_id", "mid"]))):
        of_class = kept["mid"].value_counts()
        assert {mid: sum(by_class[mid] for by_class in counts.values()) for mid in (LEMON, CHEESE)} == dict(of_class)
    assert report.summary().notes[0] == f"Not counted: {report.num_absent} boxes on photos that are not there."


def test_classes_without_a_photo_share_a_line(tmp_path: Path, network: Network) -> None:
    """For each split one note names all the classes that no photo of it shows."""
    request = Request(("Lemon", "Fruit", "Food"), source="sample:", splits=("train", "test"))
    assert fetch(tmp_path / "d", request, network).notes == (
        "No train photo in this dataset shows Fruit or Food.",
        "No test photo in this dataset shows Fruit or Food.",
    )


def test_faulty_server_is_outlasted(shared_mirror: Path, tmp_path: Path, network: Network) -> None:
    """Whatever a server does to its answers, enough runs end with the bytes of an undisturbed fetch."""
    faults = Faults(3, reset=0.12, stall=0.05, unavailable=0.12, too_many=0.04, short=0.12, html=0.08, retry_after_s=1)
    impatient = replace(network, retry=Retry(attempts=3, base_s=0.01))
    with serve(shared_mirror, faults=replace(faults, only="*.jpg")) as mirror:
        reports = [fetch(tmp_path / "d", both(mirror.url), impatient)]
        while total(reports[-1])["ok"] < 90:
            reports.append(fetch(tmp_path / "d", both(mirror.url), impatient))
            assert len(reports) < 20
        undisturbed = both(mirror.url)
    assert len(reports) > 1, "the first run met no fault that it could not mend: the test tests too little"
    assert all(total(report)["missing"] == 0 for report in reports)
    with serve(shared_mirror, port=int(mirror.url.rpartition(":")[2])) as healthy:
        assert healthy.url == mirror.url
        fetch(tmp_path / "e", undisturbed, network)
    assert content(tmp_path / "d") == content(tmp_path / "e")


def test_missing_photos_are_counted_and_asked_for_again(shared_mirror: Path, tmp_path: Path, network: Network) -> None:
    """A photo that answers 404 is missing, is no reason to fail, and is the only one that a new run asks for."""
    with serve(shared_mirror, faults=Faults(1, not_found=0.1, only="*.jpg")) as mirror:
        report = fetch(tmp_path / "d", both(mirror.url), network)
        missing = total(report)["missing"]
        assert missing > 0
        assert (total(report)["ok"], report.num_failed) == (90 - missing, 0)
        before = num_photo_requests(mirror)
        fetch(tmp_path / "d", both(mirror.url), network)
        assert num_photo_requests(mirror) - before == missing


def test_retry_after_is_honoured(shared_mirror: Path, tmp_path: Path, network: Network) -> None:
    """After a 429 nobody asks the server for anything until its Retry-After has passed."""
    one_line = replace(network, connections=1)
    with serve(shared_mirror, faults=Faults(5, too_many=0.3, retry_after_s=1, only="*.jpg")) as mirror:
        fetch(tmp_path / "d", both(mirror.url, splits=("validation",)), one_line)
    requests = [request for request in mirror.requests if request.path.endswith(".jpg")]
    refused = [i for i, request in enumerate(requests[:-1]) if request.answer == "too_many"]
    assert refused
    assert all(requests[i + 1].time_s - requests[i].time_s >= 0.95 for i in refused)


def test_folding_takes_the_boxes_of_subclasses(tmp_path: Path, network: Network) -> None:
    """With --include-subclasses Fruit has the Lemon boxes, and mid_original still says Lemon."""
    fetch(tmp_path / "d", Request(("Fruit",), source="sample:", include_subclasses=True), network)
    boxes = Dataset.open(tmp_path / "d").boxes()
    assert set(boxes["mid"]) == {"/m/02xwb"}
    assert LEMON in set(boxes["mid_original"])


def test_a_seen_lemon_is_a_seen_fruit(tmp_path: Path, network: Network) -> None:
    """With --include-subclasses presence passes upward between two chosen classes: no Lemon without a Fruit."""
    fetch(tmp_path / "d", Request(("Fruit", "Lemon"), source="sample:", include_subclasses=True), network)
    labels = Dataset.open(tmp_path / "d").labels()
    present = labels[labels["is_present"]].groupby("mid")["image_id"].agg(set)
    assert present[LEMON]
    assert present[LEMON] <= present["/m/02xwb"]


def test_a_photo_has_the_boxes_of_all_chosen_classes(tmp_path: Path, network: Network) -> None:
    """A limit on one class does not cost a photo the boxes of another."""
    fetch(tmp_path / "all", both("sample:"), network)
    fetch(tmp_path / "few", both("sample:", quota=Quota(limit_per_class=3)), network)
    every, few = Dataset.open(tmp_path / "all").boxes(), Dataset.open(tmp_path / "few").boxes()
    expected = every[every["image_id"].isin(few["image_id"])]
    assert list(few["box_id"]) == list(expected["box_id"])
    assert few.groupby("image_id")["mid"].nunique().max() == 2


def test_limit_says_when_fewer_exist(tmp_path: Path, network: Network) -> None:
    """A limit above what exists is no silent shortage."""
    report = fetch(tmp_path / "d", both("sample:", splits=("test",), quota=Quota(limit=50, negatives=40)), network)
    assert report.notes == (
        "The release has only 15 of the 50 test photos of these classes asked for.",
        "The release has only 3 of the 40 test negatives asked for.",
    )


def test_numbers_agree_with_their_words(tmp_path: Path, network: Network) -> None:
    """What is one is singular, in the headline too."""
    manifest = tmp_path / "manifest.tsv"
    manifest.write_text(f"train/{next(iter(sorted(ROOT.glob('train/*.jpg')))).stem}\n")
    report = fetch(tmp_path / "d", both("sample:", manifest=manifest), network)
    assert "d: 1 photo (1 downloaded now), " in report.summary().headline


def test_negatives_show_no_chosen_class(tmp_path: Path, network: Network) -> None:
    """Negatives have no box and no verified presence of a chosen class, and at least one verified absence."""
    fetch(tmp_path / "d", both("sample:", quota=Quota(negatives=5)), network)
    dataset = Dataset.open(tmp_path / "d")
    images, boxes, labels = dataset.images(), dataset.boxes(), dataset.labels()
    negatives = images[~images["image_id"].isin(boxes["image_id"])]
    assert negatives["split"].value_counts().to_dict() == {"train": 5, "validation": 3, "test": 3}
    said = labels[labels["image_id"].isin(negatives["image_id"])]
    assert not said["is_present"].any()
    assert set(said["image_id"]) == set(negatives["image_id"])


def test_manifest_reproduces_a_subset(tmp_path: Path, network: Network) -> None:
    """A manifest brings back exactly its photos with the same boxes."""
    fetch(tmp_path / "d", both("sample:", quota=Quota(limit=7)), network)
    pinned = both("sample:", manifest=tmp_path / "d/manifest.tsv")
    fetch(tmp_path / "e", pinned, network)
    assert (tmp_path / "d/manifest.tsv").read_text() == (tmp_path / "e/manifest.tsv").read_text()
    pd.testing.assert_frame_equal(Dataset.open(tmp_path / "e").boxes(), _boxes_of_ok(Dataset.open(tmp_path / "d")))


def _boxes_of_ok(dataset: Dataset) -> pd.DataFrame:
    images = dataset.images()
    there = images.loc[images["status"] == "ok", "image_id"]
    boxes = dataset.boxes()
    return boxes[boxes["image_id"].isin(there)].reset_index(drop=True)


def test_other_bytes_than_the_manifest_are_refused(tmp_path: Path, network: Network) -> None:
    """A photo whose bytes are not those of the manifest is not kept, and the fetch has failed."""
    manifest = tmp_path / "manifest.tsv"
    name = next(path for path in sorted(ROOT.glob("validation/*.jpg")))
    manifest.write_text(f"validation/{name.stem}\t{'0' * 64}\t12\n")
    report = fetch(tmp_path / "d", both("sample:", manifest=manifest), network)
    assert total(report) == {"ok": 0, "missing": 0, "corrupt": 0, "failed": 1}
    assert "not " + "0" * 64 in report.reasons[0]
    assert "other bytes" in report.advice[0]
    assert not list((tmp_path / "d/images").rglob("*.jpg"))


@pytest.mark.parametrize(
    "change, words",
    [
        ({"classes": ("Lemon",)}, "with classes Cheese and Lemon, not Lemon"),
        ({"classes": ("Lemon", "Cheese", "Fruit")}, "with classes Cheese and Lemon, not Cheese and Fruit and Lemon"),
        ({"splits": ("train",)}, "with --split train and validation and test, not train"),
        ({"quota": Quota(limit=5)}, "without --limit 5"),
        ({"quota": Quota(negatives=2, seed=3)}, "without --negatives 2; without --seed 3"),
        ({"include_subclasses": True}, "without --include-subclasses"),
    ],
)
def test_another_request_is_refused(change: dict[str, Any], words: str, tmp_path: Path, network: Network) -> None:
    """A dataset is never mixed with what another request would bring; it stays, and the error names the options."""
    fetch(tmp_path / "d", both("sample:"), network)
    before = content(tmp_path / "d")
    with pytest.raises(DatasetError) as caught:
        fetch(tmp_path / "d", both("sample:", **change), network)
    assert f"another request: {words}." in caught.value.message
    assert content(tmp_path / "d") == before


def test_a_typo_is_no_other_request(tmp_path: Path, network: Network) -> None:
    """A class name that the release does not have names the close matches, also where a dataset is."""
    fetch(tmp_path / "d", both("sample:"), network)
    before = content(tmp_path / "d")
    with pytest.raises(UnknownClassError, match="Did you mean Cheese"):
        fetch(tmp_path / "d", Request(("Lemon", "Chese"), source="sample:"), network)
    assert content(tmp_path / "d") == before


def test_same_request_in_other_words_is_the_same(tmp_path: Path, network: Network) -> None:
    """Case, order and MIDs in place of names do not make another request, nor does the order of the splits."""
    fetch(tmp_path / "d", both("sample:"), network)
    other_words = Request((CHEESE, "lemon"), source="sample:", splits=("test", "val", "train"))
    assert fetch(tmp_path / "d", other_words, network).downloaded == 0


def test_a_manifest_in_another_order_is_the_same(tmp_path: Path, network: Network) -> None:
    """A manifest whose lines were put in another order names the same photos."""
    lines = [f"validation/{path.stem}\n" for path in sorted(ROOT.glob("validation/*.jpg"))[:4]]
    manifest = tmp_path / "manifest.tsv"
    pinned = both("sample:", manifest=manifest)
    manifest.write_text("".join(lines))
    assert fetch(tmp_path / "d", pinned, network).downloaded == 4
    manifest.write_text("".join(reversed(lines)))
    assert fetch(tmp_path / "d", pinned, network).downloaded == 0


def test_another_manifest_is_named(tmp_path: Path, network: Network) -> None:
    """A dataset made from another manifest, or from one at all, is refused in those words, not in hashes."""
    first, second = (f"validation/{path.stem}\n" for path in sorted(ROOT.glob("validation/*.jpg"))[:2])
    manifest = tmp_path / "manifest.tsv"
    pinned = both("sample:", manifest=manifest)
    manifest.write_text(first)
    fetch(tmp_path / "d", pinned, network)
    with pytest.raises(DatasetError, match=r"request: with --manifest\."):
        fetch(tmp_path / "d", both("sample:", splits=("validation",)), network)
    manifest.write_text(second)
    with pytest.raises(DatasetError, match=r"request: with another --manifest\."):
        fetch(tmp_path / "d", pinned, network)


def _rewrite_options(dataset: Path, change: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
    info = json.loads((dataset / INFO_NAME).read_text())
    (dataset / INFO_NAME).write_text(json.dumps(info | {"options": change(info["options"])}))


def test_options_are_compared_by_name(tmp_path: Path, network: Network) -> None:
    """Whatever order dataset.json gives its options, the same request is the same."""
    fetch(tmp_path / "d", both("sample:"), network)
    _rewrite_options(tmp_path / "d", lambda options: dict(sorted(options.items())))
    assert fetch(tmp_path / "d", both("sample:"), network).downloaded == 0


@pytest.mark.parametrize(
    "change, named",
    [
        (lambda options: options | {"tiles": 3}, "tiles"),
        (lambda options: {name: options[name] for name in options if name != "limit_per_class"}, "limit-per-class"),
    ],
    ids=["more", "fewer"],
)
def test_options_of_another_oidata_are_refused(
    change: Callable[[dict[str, Any]], dict[str, Any]], named: str, tmp_path: Path, network: Network
) -> None:
    """A dataset.json with an option more or less is an error that names file and option, and what to do."""
    fetch(tmp_path / "d", both("sample:"), network)
    _rewrite_options(tmp_path / "d", change)
    with pytest.raises(DatasetError, match=rf"dataset\.json.*{named}") as caught:
        fetch(tmp_path / "d", both("sample:"), network)
    assert caught.value.hint


@pytest.mark.parametrize(
    "names, splits",
    [
        (("train", "val"), ("train", "validation")),
        (("test", "validation", "val", "test"), ("validation", "test")),
        (["test"], ("test",)),
    ],
)
def test_splits_are_known_by_both_names(names: Sequence[str], splits: tuple[str, ...]) -> None:
    """`val` is validation, a split that is named twice is one, and they stand in the order of the tables."""
    assert both("sample:", splits=names).splits == splits


@pytest.mark.parametrize("names", [("train", "dev"), ("Train",), ("",), (), "train"])
def test_an_unknown_split_is_a_usage_error(names: Sequence[str]) -> None:
    """A split that is none, or no split at all, is refused before anything is asked for."""
    with pytest.raises(UsageError, match="split") as caught:
        both("sample:", splits=names)
    assert "validation" in caught.value.hint


def test_a_dataset_without_tables_does_not_block(tmp_path: Path, network: Network) -> None:
    """A fetch that stopped before its first table leaves a directory that another request may have."""
    left = DatasetInfo("v5", "sample:", LabelMap((Label(CHEESE, "Cheese"),)), ("test",))
    (tmp_path / "d").mkdir()
    (tmp_path / "d" / INFO_NAME).write_text(left.to_json())
    fetch(tmp_path / "d", both("sample:"), network)
    fetch(tmp_path / "e", both("sample:"), network)
    assert content(tmp_path / "d") == content(tmp_path / "e")


class _Interlude:
    """A progress display that has something happen when a task begins for the first time."""

    def __init__(self, title: str, happen: Callable[[], object]) -> None:
        self._title = title
        self._happen: Callable[[], object] | None = happen

    @contextmanager
    def task(self, title: str, unit: Unit) -> Iterator[Callable[[int, int], None]]:
        """Let it happen, to its end, in a thread: the task's own is in the middle of an event loop."""
        del unit
        if title == self._title and self._happen:
            happen, self._happen = self._happen, None
            with ThreadPoolExecutor(1) as pool:
                pool.submit(happen).result()
        yield lambda _done, _total: None


def test_a_dataset_that_was_made_meanwhile_is_not_mixed(tmp_path: Path, network: Network) -> None:
    """While one fetch scans, another may finish in the same directory: the first then refuses to go on."""
    cheese = Request(("Cheese",), source="sample:", splits=("test",))
    meanwhile = _Interlude(BOXES, lambda: fetch(tmp_path / "d", cheese, network))
    with pytest.raises(DatasetError, match=r"another request: with classes Cheese, not Lemon"):
        fetch(tmp_path / "d", Request(("Lemon",), source="sample:"), network, meanwhile)
    fetch(tmp_path / "e", cheese, network)
    assert content(tmp_path / "d") == content(tmp_path / "e")


def test_the_same_dataset_that_was_made_meanwhile_is_kept(tmp_path: Path, network: Network) -> None:
    """Where the fetch that finished meanwhile was of the same request, there is nothing left to download."""
    meanwhile = _Interlude(BOXES, lambda: fetch(tmp_path / "d", both("sample:"), network))
    assert fetch(tmp_path / "d", both("sample:"), network, meanwhile).downloaded == 0


@pytest.mark.parametrize("is_offline", [False, True], ids=["503", "offline"])
def test_a_failed_try_keeps_the_record(tmp_path: Path, network: Network, *, is_offline: bool) -> None:
    """A photo that is lost and cannot be had again keeps its hash: later, no other bytes are taken for it."""
    source, once = tmp_path / "mirror", replace(network, retry=Retry(attempts=1))
    shutil.copytree(ROOT, source)
    with serve(source) as mirror:
        request = both(mirror.url, splits=("test",))
        fetch(tmp_path / "d", request, network)
        before = content(tmp_path / "d")
        name, other = (line.split("\t")[0] for line in (tmp_path / "d/manifest.tsv").read_text().splitlines()[:2])
        (tmp_path / f"d/images/{name}.jpg").unlink()
        mirror.faults = Faults(unavailable=1, only="*.jpg")
        assert total(fetch(tmp_path / "d", request, replace(once, offline=is_offline)))["failed"] == 1
        assert name not in (tmp_path / "d/manifest.tsv").read_text()
        assert name not in (tmp_path / "d/ATTRIBUTION.csv").read_text()
        mirror.faults = NONE
        right = (source / f"{name}.jpg").read_bytes()
        (source / f"{name}.jpg").write_bytes((source / f"{other}.jpg").read_bytes())
        report = fetch(tmp_path / "d", request, once)
        assert (total(report)["failed"], total(report)["ok"]) == (1, 14)
        assert "as recorded" in report.reasons[0]
        (source / f"{name}.jpg").write_bytes(right)
        fetch(tmp_path / "d", request, once)
    assert content(tmp_path / "d") == before


def test_fetching_again_keeps_what_strip_marked(tmp_path: Path, network: Network) -> None:
    """A later fetch completes the photos and leaves the boxes as strip marked them."""
    fetch(tmp_path / "d", both("sample:"), network)
    strip(Dataset.open(tmp_path / "d"))
    marked = Dataset.open(tmp_path / "d").boxes()
    next((tmp_path / "d/images").rglob("*.jpg")).unlink()
    assert fetch(tmp_path / "d", both("sample:"), network).downloaded == 1
    pd.testing.assert_frame_equal(Dataset.open(tmp_path / "d").boxes(), marked)


class _Refusing(SimpleHTTPRequestHandler):
    """A server that gives its metadata to anybody, and its photos to nobody."""

    def do_GET(self) -> None:
        if self.path.endswith(".jpg"):
            self.send_error(HTTPStatus.FORBIDDEN)
        else:
            super().do_GET()

    def log_message(self, *_: object) -> None:
        """Keep quiet."""


def test_a_refusal_is_no_failure_that_passes(tmp_path: Path, network: Network) -> None:
    """Photos that the source refuses are failed, and the advice says what helps."""
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(_Refusing, directory=str(ROOT))) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        source = f"http://127.0.0.1:{server.server_port}"
        report = fetch(tmp_path / "d", both(source, splits=("test",)), network)
        server.shutdown()
    assert total(report) == {"ok": 0, "missing": 0, "corrupt": 0, "failed": 15}
    assert "answers 403" in report.reasons[0]
    assert "check that it is open to you" in report.advice[0]


def test_a_changed_photo_is_fetched_again(tmp_path: Path, network: Network) -> None:
    """A photo that was cut short after the fetch is replaced by the recorded one."""
    fetch(tmp_path / "d", both("sample:"), network)
    before = content(tmp_path / "d")
    photo = next((tmp_path / "d/images").rglob("*.jpg"))
    photo.write_bytes(photo.read_bytes()[:-100])
    assert fetch(tmp_path / "d", both("sample:"), network).downloaded == 1
    assert content(tmp_path / "d") == before


@pytest.mark.parametrize("name", ["images", "boxes", "labels"])
def test_a_lost_table_is_taken_from_the_release_again(name: str, tmp_path: Path, network: Network) -> None:
    """The same fetch brings a table back that was lost, keeps all else, and downloads nothing."""
    fetch(tmp_path / "d", both("sample:"), network)
    before = content(tmp_path / "d")
    (tmp_path / f"d/{name}.parquet").unlink()
    with pytest.raises(DatasetError, match="another request"):
        fetch(tmp_path / "d", Request(("Cheese",), source="sample:"), network)
    with pytest.raises(DatasetError, match="fetch again"):
        getattr(Dataset.open(tmp_path / "d"), name)()
    assert fetch(tmp_path / "d", both("sample:"), network).downloaded == 0
    assert content(tmp_path / "d") == before


def test_a_lost_table_does_not_cost_what_strip_marked(tmp_path: Path, network: Network) -> None:
    """Where only the labels are lost the boxes stay as strip marked them."""
    fetch(tmp_path / "d", both("sample:"), network)
    strip(Dataset.open(tmp_path / "d"))
    before = content(tmp_path / "d")
    (tmp_path / "d/labels.parquet").unlink()
    fetch(tmp_path / "d", both("sample:"), network)
    assert content(tmp_path / "d") == before


def test_an_unknown_class_names_the_list(tmp_path: Path, network: Network) -> None:
    """Where no name comes close the error says where all names stand."""
    with pytest.raises(UnknownClassError) as caught:
        fetch(tmp_path / "d", Request(("flibbertigibbet",), source="sample:"), network)
    assert caught.value.hint.endswith(f"{ROOT.as_uri()}/v5/class-descriptions-boxable.csv")
    assert (ROOT / "v5/class-descriptions-boxable.csv").is_file()


def test_an_empty_source_is_a_usage_error() -> None:
    """A source without a name is not the official one, nor the working directory."""
    with pytest.raises(UsageError, match="source is empty"):
        both("")


def test_unknown_class_leaves_nothing(tmp_path: Path, network: Network) -> None:
    """A typo names the close matches, and no directory is made."""
    with pytest.raises(UnknownClassError) as caught:
        fetch(tmp_path / "d", Request(("Lemno",), source="sample:"), network)
    assert "Lemon" in caught.value.hint
    assert not (tmp_path / "d").exists()


def test_unreachable_source_leaves_nothing(tmp_path: Path, network: Network) -> None:
    """A server that is not there is named, with what to do, and no directory is made."""
    quick = replace(network, retry=Retry(attempts=2, base_s=0.01))
    with pytest.raises(SourceError, match=r"127\.0\.0\.1:9") as caught:
        fetch(tmp_path / "d", both("http://127.0.0.1:9"), quick)
    assert caught.value.hint
    assert not (tmp_path / "d").exists()


@pytest.mark.parametrize("source", ["ftp://example.org", "no/such/directory", "sampel:"])
def test_a_source_that_is_none_is_a_usage_error(source: str, tmp_path: Path, network: Network) -> None:
    """A source must be a URL of a known scheme or a directory that exists."""
    with pytest.raises(UsageError, match="no URL"):
        fetch(tmp_path / "d", both(source), network)


def test_a_foreign_directory_is_not_touched(tmp_path: Path, network: Network) -> None:
    """A directory with other content is no place for a dataset."""
    (tmp_path / "d").mkdir()
    (tmp_path / "d/thesis.txt").write_text("precious")
    with pytest.raises(DatasetError, match="not empty"):
        fetch(tmp_path / "d", both("sample:"), network)
    assert [path.name for path in (tmp_path / "d").iterdir()] == ["thesis.txt"]


def test_a_path_below_a_file_is_refused_at_once(tmp_path: Path, network: Network) -> None:
    """Where no directory can be made, the fetch says so before it downloads anything."""
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match="Not a directory"):
        fetch(tmp_path / "file/d", both("sample:"), network)


def _broken_copy(tmp_path: Path, name: str, data: bytes) -> str:
    shutil.copytree(ROOT, tmp_path / "mirror", ignore=shutil.ignore_patterns("*.jpg"))
    (tmp_path / "mirror" / name).write_bytes(data)
    return (tmp_path / "mirror").as_uri()


BOXES = "v5/validation-annotations-bbox.csv"
HEADER = (ROOT / BOXES).read_bytes().split(b"\n")[0] + b"\n"


@pytest.mark.parametrize(
    "data, fault",
    [
        (b"a,b,c\n1,2,3\n", "line 1: no column ImageID"),
        (b"," * 12 + b"\n" + b"," * 12 + b"\n", "line 1: no column ImageID"),
        (HEADER + b"," * 12 + b"\n", "line 2: ImageID '' is no image id"),
        ((ROOT / BOXES).read_bytes().replace(b"\n", b"\r"), "line 1: line ends are CR only"),
        ((ROOT / BOXES).read_bytes()[:-20], "the file ends within a row"),
        (HEADER + b"../../x,xclick,/m/09k_b,1,0,1,0,1,0,0,0,0,0\n", "line 2: ImageID '../../x' is no image id"),
        (HEADER + b"0123456789abcdef,xclick,/m/09k_b,1,0,wide,0,1,0,0,0,0,0\n", "line 2: XMax 'wide' is no number"),
        (HEADER + b"0123456789abcdef,xclick,/m/09k_b,1,0,1,0,1,0,0,2,0,0\n", "line 2: IsGroupOf '2' is none of"),
        (HEADER + b"0123456789abcdef,xclick,/m/09k_b,1,0,1\n0" + b"," * 12 + b"\n", "line 2: 6 fields, not 13"),
        (b"", "line 1: the file ends within its header"),
    ],
)
def test_broken_metadata_is_named_by_file_and_line(data: bytes, fault: str, tmp_path: Path, network: Network) -> None:
    """A broken CSV is an error that names the file, the line and what to do; nothing half-written is left."""
    source = _broken_copy(tmp_path, BOXES, data)
    with pytest.raises(TableError) as caught:
        fetch(tmp_path / "d", both(source), network)
    assert fault in caught.value.message
    assert BOXES in caught.value.message
    assert caught.value.hint
    assert not (tmp_path / "d").exists()


@pytest.mark.parametrize("line", ["../../x", "validation/../../x", "validation/0123456789ABCDEG", "val/0123"])
def test_a_manifest_with_a_bad_path_is_refused(line: str, tmp_path: Path, network: Network) -> None:
    """A manifest line that names no photo is an error that names the line."""
    manifest = tmp_path / "manifest.tsv"
    manifest.write_text(f"# pinned\n{line}\n")
    with pytest.raises(TableError, match="line 2"):
        fetch(tmp_path / "d", both("sample:", manifest=manifest), network)


def test_a_manifest_of_unknown_photos_is_refused(tmp_path: Path, network: Network) -> None:
    """Photos that the release does not have are an error, not an empty row."""
    manifest = tmp_path / "manifest.tsv"
    manifest.write_text("validation/0123456789abcdef\n")
    with pytest.raises(TableError, match="first 0123456789abcdef"):
        fetch(tmp_path / "d", both("sample:", manifest=manifest), network)


def test_offline_uses_the_cache_and_asks_nobody(shared_mirror: Path, tmp_path: Path, network: Network) -> None:
    """Offline, cached metadata still makes a dataset; its photos stay to be fetched, and a later run brings them."""
    with serve(shared_mirror) as mirror:
        fetch(tmp_path / "d", both(mirror.url), network)
        asked = len(mirror.requests)
        report = fetch(tmp_path / "e", both(mirror.url), replace(network, offline=True))
        assert len(mirror.requests) == asked
        assert total(report)["failed"] == report.num_failed == 90
        assert report.advice == ("Not asked for: 90 photos. Run the same command without --offline.",)
        fetch(tmp_path / "e", both(mirror.url), network)
    assert content(tmp_path / "d") == content(tmp_path / "e")


def test_offline_without_a_cache_says_so(tmp_path: Path, network: Network) -> None:
    """Offline with an empty cache is an error that says what to do."""
    with pytest.raises(SourceError, match="not in the cache") as caught:
        fetch(tmp_path / "d", both("http://127.0.0.1:9"), replace(network, offline=True))
    assert "--offline" in caught.value.hint


def test_dataset_json_says_what_was_asked(tmp_path: Path, network: Network) -> None:
    """dataset.json holds release, source, classes with ids from 1, splits and options."""
    fetch(tmp_path / "d", both("sample:", splits=("test",), quota=Quota(limit=2, seed=4)), network)
    info = json.loads((tmp_path / "d/dataset.json").read_text())
    assert info["classes"] == [
        {"id": 1, "mid": LEMON, "display_name": "Lemon"},
        {"id": 2, "mid": CHEESE, "display_name": "Cheese"},
    ]
    assert (info["release"], info["source"], info["splits"]) == ("v5", "sample:", ["test"])
    assert (info["options"]["limit"], info["options"]["seed"]) == (2, 4)


def test_rows_of_a_photo_in_several_places_are_counted_on(
    tmp_path: Path, network: Network, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where a photo's rows are parsed in several parts, box_id is the row's ordinal all the same."""
    monkeypatch.setattr(scan, "_PARSE_BYTES", 1)
    lines = (ROOT / BOXES).read_bytes().splitlines(keepends=True)
    source = _broken_copy(tmp_path, BOXES, b"".join([lines[0], *lines[1::2], *lines[2::2]]))
    fetch(tmp_path / "d", both(source, splits=("validation",)), network)
    boxes = Dataset.open(tmp_path / "d").boxes()
    ids = [line.split(b",")[0].decode() for line in (*lines[1::2], *lines[2::2])]
    assert set(boxes["box_id"]) <= {f"{image_id}-{n}" for image_id in ids for n in range(ids.count(image_id))}
    assert boxes["box_id"].is_unique
