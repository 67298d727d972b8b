"""The page of an evaluation: whole, self-contained, and true to the numbers."""

import base64
import io
import re
import shutil
import xml.etree.ElementTree as ET
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from oidata.core.evaluation.comparison import Comparison, CountChange
from oidata.core.evaluation.failures import Cause, Kind
from oidata.core.tables import DETECTIONS
from oidata.dataset import Dataset
from oidata.evaluate import EvaluationReport, Request, evaluate
from oidata.io.configs import read_config
from oidata.report import evaluation_figures as figures
from oidata.report import evaluation_plots as plots
from oidata.report import evaluation_tables as tables
from oidata.report.evaluation_galleries import NUM_PICTURES
from oidata.report.gallery import Outline, around, crop
from oidata.runs import Run
from tests.report.jittered import add_run, jittered
from tests.report.test_page import EVIL

UNIT = st.floats(0, 1)


@pytest.fixture(scope="module")
def html(evaluated: EvaluationReport) -> str:
    return (evaluated.run.path / "report.html").read_text(encoding="utf-8")


@pytest.fixture
def dataset(stripped_sample: Path, tmp_path: Path) -> Dataset:
    """A copy of the sample to be changed."""
    shutil.copytree(stripped_sample, tmp_path / "d")
    return Dataset.open(tmp_path / "d")


def page_of(dataset: Dataset, request: Request | None = None) -> str:
    report = evaluate(dataset, request)
    return (report.run.path / "report.html").read_text(encoding="utf-8")


def test_the_page_asks_nobody(html: str) -> None:
    """No address leads out of the page, and the titles of the sample, some of which are scripts, are text in it."""
    assert not [link for link in re.findall(r'(?:src|href)="([^"]*)"', html) if not link.startswith(("#", "data:"))]
    assert not re.search(r"url\((?!#)|@import", html)
    assert "<script" not in html
    assert "&lt;script&gt;" in html


def test_the_verdict_stands_first(html: str, evaluated: EvaluationReport) -> None:
    """Before any section the page says what it all comes to."""
    assert evaluated.verdict.text in html[: html.index("<section")].replace("&#39;", "'")


@pytest.mark.parametrize(
    "title", ["Against old", "Where AP is lost", "Causes", "Metrics", "Scores", "Errors", "Pictures"]
)
def test_sections_are_there(html: str, title: str) -> None:
    """Every question has its section, and a link to it from the top."""
    assert re.search(rf'<a href="#section-\d+">{title}</a>', html)


def test_every_cause_that_occurs_has_its_pictures(html: str, evaluated: EvaluationReport) -> None:
    """Each first cause has a gallery with its number, and as many pictures as there may be."""
    causes = [each for each in evaluated.evaluation.causes if each.num]
    assert {Cause.SIZE_HOLE, Cause.BELOW_THRESHOLD, Cause.OTHER_CLASS, Cause.BACKGROUND} <= {
        each.cause for each in causes
    }
    for each in causes:
        assert f">{tables.named(each.kind, each.cause)}</a>&nbsp;{each.num}</li>" in html
    assert html.count("data:image/jpeg;base64,") == sum(min(each.num, NUM_PICTURES) for each in causes)


def test_tables_add_up(evaluated: EvaluationReport) -> None:
    """First causes come to all that is missed and all that is false; what is mended last brings mAP to 1."""
    found = evaluated.evaluation
    missed, false, _ = tables.causes(found)
    assert sum(int(str(row[2])) for row in missed.rows) == found.num_truth - found.num_found
    assert sum(int(str(row[2])) for row in false.rows) == found.num_false
    assert str(tables.lost(found).rows[-1][-1]) == "1.000"


def test_photos_that_are_not_there_are_told(dataset: Dataset, evaluated: EvaluationReport, html: str) -> None:
    """An evaluation reads tables: without some photos, or with broken ones, it says so and shows the others."""
    shutil.copytree(evaluated.run.path, dataset.path / "runs" / "new")
    images = dataset.images().query("status == 'ok'")
    paths = [dataset.photo_path(split, name) for split, name in zip(images["split"], images["image_id"], strict=True)]
    for path in paths[::2]:
        path.unlink()
    for path in paths[1::4]:
        path.write_bytes(b"no photo")
    few = page_of(dataset)
    assert re.search(r"\d+ photos with failures are not there, or do not decode: [0-9a-f]{16}, .* and \d+ more\.", few)
    assert 0 < few.count("data:image/jpeg") < html.count("data:image/jpeg")


def test_a_box_that_is_none_has_no_picture(dataset: Dataset) -> None:
    """A stripped box without a place counts where that is asked for; missed, it is in the counts alone."""
    add_run(dataset, "new", DETECTIONS.empty())
    boxes = dataset.boxes()
    held_out = boxes.index[boxes["image_id"].isin(Run.open(dataset).info.processed)]
    boxes.loc[held_out, "xmin"] = np.nan
    boxes.loc[held_out, "stripped"] = "not_a_number"
    dataset.write_boxes(boxes)
    assert "data:image/jpeg" not in page_of(dataset, Request(count_stripped=True))


def test_groups_are_no_failures_of_either_run() -> None:
    """What Open Images does not ask for one by one is in no chart of failures."""
    more = [CountChange(cause, Kind.MISSED, 1, 5) for cause in (Cause.GROUP, Cause.TINY)]
    _, chart = figures.against(Comparison("a", 3, (), (), tuple(more)))
    assert Cause.TINY.says in chart.svg
    assert Cause.GROUP.says not in chart.svg


def test_a_run_without_detections_has_a_page(dataset: Dataset) -> None:
    """Nothing found is a result as well, and the page says so at its top."""
    add_run(dataset, "none", DETECTIONS.empty())
    html = page_of(dataset)
    assert "every box is missed" in html[: html.index("Where AP is lost</h2>")]


def test_without_anchors_the_rest_is_shown(dataset: Dataset, tmp_path: Path) -> None:
    """Of a model that is no SSD there are neither sizes at the input nor anchors; all else stays."""
    text = read_config("ssd_mobilenet_v2_coco").text
    (tmp_path / "other.config").write_text(
        re.sub(r"^  ssd \{.*?^  \}", "  center_net {\n  }", text, flags=re.MULTILINE | re.DOTALL)
    )
    add_run(dataset, "new", jittered(dataset, seed=1))
    html = page_of(dataset, Request(config=tmp_path / "other.config"))
    assert "Anchors:" in html
    assert "best anchor IoU" not in html
    assert "Found by flag" in html
    assert "Found by size" not in html


@pytest.mark.parametrize(
    "svg",
    [
        plots.curves({EVIL: plots.Line((0, 0.5, 0.5), (1, 0.8, 0), (0.5, 0.8)), "none": plots.Line((0, 1), (0, 0))}),
        plots.scores((0, 0.5, 1), (1, 0), (0, 0), 0.5),
        plots.horizontal([plots.Row(EVIL, 0, -2, EVIL, "#123456", EVIL), plots.Row("x", -2, 3, "", "#123456")], EVIL),
        plots.horizontal([], "nothing"),
        plots.pairs([EVIL, "x"], {EVIL: [0.5, None], "y": [1, 0]}, EVIL),
        plots.found_by_size((8, 16, 32), (1, 0), (2, 0), [(8, 10), (20, 40)]),
    ],
)
def test_plots_are_one_svg_element(svg: str) -> None:
    """What a plot returns is a whole SVG element in which nothing of the data is markup."""
    root = ET.fromstring(svg)  # noqa: S314 - made here
    assert root.tag == "{http://www.w3.org/2000/svg}svg"
    assert "script" not in {element.tag.rpartition("}")[2] for element in root.iter()}


@given(st.tuples(UNIT, UNIT, UNIT, UNIT), st.tuples(st.integers(1, 4000), st.integers(1, 4000)))
def test_a_crop_holds_its_subject(corners: tuple[float, float, float, float], size: tuple[int, int]) -> None:
    """Whatever is to be seen, the region around it lies in the photo and has all of it."""
    (left, right), (top, bottom) = sorted(corners[::2]), sorted(corners[1::2])
    xmin, ymin, xmax, ymax = around((left, top, right, bottom), size)
    assert 0 <= xmin < xmax <= 1 + 1e-9
    assert 0 <= ymin < ymax <= 1 + 1e-9
    assert xmin <= left + 1e-9
    assert ymin <= top + 1e-9
    assert right <= xmax + 1e-9
    assert bottom <= ymax + 1e-9


def test_a_small_object_is_enlarged(tmp_path: Path) -> None:
    """A crop shows a small box larger than a thumbnail would, at its place in the pixels as stored."""
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (1000, 800), "white").save(tmp_path / "a.jpg", exif=exif)
    box = (0.5, 0.5, 0.52, 0.525)
    uri = crop(tmp_path / "a.jpg", [Outline(box, "#ff0000")], box)
    with Image.open(io.BytesIO(base64.b64decode(uri.partition(",")[2]))) as picture:
        assert picture.size == (420, 290)
        red, green, _ = np.asarray(picture.convert("RGB")).astype(int).transpose(2, 0, 1)
    at = np.argwhere(red - green > 120)
    assert np.allclose(at.mean(axis=0), (145, 210), atol=3)
    assert np.allclose(np.ptp(at, axis=0), 56, atol=3)


def test_causes_are_named_with_their_kind() -> None:
    """A cause is read together with what it is a cause of, and no word stands twice."""
    assert tables.named(Kind.MISSED, Cause.OCCLUDED) == "Missed: occluded"
    assert tables.named(Kind.MISSED, Cause.IN_SPITE_OF_ANCHORS) == "Missed in spite of its anchors"
    assert tables.named(Kind.FALSE_POSITIVE, Cause.DUPLICATE) == "False positive: found a second time"
