"""Laws of COCO's numbers: those of pycocotools on the same data, with stripped boxes ignored."""

import json
from contextlib import redirect_stdout
from dataclasses import astuple, replace
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from oidata.core.evaluation.coco_ap import CocoSummary, Engine, coco_ap
from oidata.core.evaluation.evaluation_set import EvaluationSet, evaluation_set
from oidata.core.tables import COORDINATES, Tables
from oidata.errors import TableError
from tests.core.made import CELLS, boxes, images, labels
from tests.core.scenes import Row, detections, scored

NUM_PHOTOS = 20
WIDTH_PX, HEIGHT_PX = 640, 480


class IgnoringEval(COCOeval):  # type: ignore[misc] # pycocotools has no types
    """pycocotools, if it heeded what a ground-truth box has as `ignore`."""

    def _prepare(self) -> None:
        super()._prepare()
        for rows in self._gts.values():
            for row in rows:
                row["ignore"] = bool(row["ignore"] or row["to_ignore"])


def drawn(random: np.random.Generator, number: int) -> list[dict[str, Any]]:
    """Boxes of two classes on all photos, with sides from a few pixels to half the photo."""
    low = random.random((number, 2)) * 0.5
    high = low + np.exp(random.uniform(-5, -0.7, (number, 2)))
    photo, mid = random.integers(0, NUM_PHOTOS, number).tolist(), random.choice(["/m/1", "/m/2"], number).tolist()
    sides = np.hstack([low, high]).astype(np.float32).tolist()
    return [
        {"photo": photo[at], "mid": mid[at], **dict(zip(COORDINATES, sides[at], strict=True))} for at in range(number)
    ]


def near(random: np.random.Generator, truth: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Most of `truth` found, some well, some badly, some twice, and other things besides."""
    rows = [row for row in (*truth, *truth[::3]) if random.random() < 0.8]
    off = random.normal(0, 0.05, (len(rows), 4))
    moved = [
        {**row, **{side: row[side] + off[at, place] * _side(row) for place, side in enumerate(COORDINATES)}}
        for at, row in enumerate(rows)
    ]
    found = [row for row in (*moved, *drawn(random, 60)) if row["xmin"] < row["xmax"] and row["ymin"] < row["ymax"]]
    scores = random.integers(0, 40, len(found)) / 40
    return [{**row, "score": score} for row, score in zip(found, scores.tolist(), strict=True)]


def _side(row: dict[str, Any]) -> float:
    return float(min(row["xmax"] - row["xmin"], row["ymax"] - row["ymin"]))


def scene(random: np.random.Generator) -> tuple[Tables, pd.DataFrame]:
    """Photos with single boxes, groups and stripped ones, and detections."""
    truth = drawn(random, 120)
    for row in truth:
        row["is_group_of"] = int(random.random() < 0.1)
        row["stripped"] = "truncated" if random.random() < 0.2 else None
    tables = Tables(images(*[{}] * NUM_PHOTOS), boxes(*truth), labels())
    return tables, detections(*near(random, truth))


def by_pycocotools(tables: Tables, found: pd.DataFrame, directory: Path, *, crowds: bool) -> list[float]:
    """The twelve numbers as pycocotools itself has them, from files in COCO's formats, -1 for none."""
    ids = {image_id: place for place, image_id in enumerate(tables.images["image_id"], 1)}
    categories = {mid: place for place, mid in enumerate(CELLS.classes.mids, 1)}

    def annotations(rows: pd.DataFrame) -> list[dict[Any, Any]]:
        px = rows[list(COORDINATES)].astype("float64") * [WIDTH_PX, HEIGHT_PX, WIDTH_PX, HEIGHT_PX]
        width, height = px["xmax"] - px["xmin"], px["ymax"] - px["ymin"]
        frame = pd.DataFrame({"image_id": rows["image_id"].map(ids), "category_id": rows["mid"].map(categories)})
        frame["bbox"] = np.column_stack([px["xmin"], px["ymin"], width, height]).tolist()
        return frame.assign(area=width * height, id=range(1, len(frame) + 1)).to_dict("records")

    truth = annotations(tables.boxes)
    is_group = tables.boxes["is_group_of"] == 1
    for row, group, stripped in zip(truth, is_group, tables.boxes["stripped"].notna(), strict=True):
        row |= {"iscrowd": int(group and crowds), "to_ignore": bool(stripped and not group)}
    results = [row | {"score": score} for row, score in zip(annotations(found), found["score"].tolist(), strict=True)]
    dataset = {
        "images": [{"id": place, "width": WIDTH_PX, "height": HEIGHT_PX} for place in ids.values()],
        "categories": [{"id": place, "name": mid} for mid, place in categories.items()],
        "annotations": truth,
    }
    (directory / "truth.json").write_text(json.dumps(dataset), encoding="utf-8")
    (directory / "results.json").write_text(json.dumps(results), encoding="utf-8")
    with redirect_stdout(StringIO()):
        coco = COCO(directory / "truth.json")
        evaluation = IgnoringEval(coco, coco.loadRes(str(directory / "results.json")), "bbox")
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    numbers: list[float] = evaluation.stats.tolist()
    return numbers


def numbers(summary: CocoSummary) -> list[float]:
    """The twelve numbers in COCO's order, -1 for none."""
    return [-1 if number is None else number for number in astuple(summary)]


@pytest.mark.parametrize("crowds", ["crowds", "ordinary"])
@pytest.mark.parametrize("seed", range(3))
def test_the_numbers_are_those_of_pycocotools(tmp_path: Path, seed: int, crowds: str) -> None:
    """Overall and for each class alone, all twelve are what pycocotools makes of the same data in COCO's files."""
    tables, found = scene(np.random.default_rng(seed))
    groups_are_crowds = crowds == "crowds"
    result = coco_ap(evaluation_set(tables, found, CELLS), groups_are_crowds=groups_are_crowds)
    expected = by_pycocotools(tables, found, tmp_path, crowds=groups_are_crowds)
    assert 0.1 < expected[0] < expected[1] < 0.9  # neither trivial nor hopeless
    assert numbers(result.summary) == pytest.approx(expected, abs=1e-12)
    for each in result.classes:
        truth = Tables(tables.images, tables.boxes[tables.boxes["mid"] == each.mid], tables.labels)
        alone = by_pycocotools(truth, found[found["mid"] == each.mid], tmp_path, crowds=groups_are_crowds)
        assert numbers(each.summary) == pytest.approx(alone, abs=1e-12)


@pytest.mark.parametrize("crowds", ["crowds", "ordinary"])
@pytest.mark.parametrize("seed", range(3))
def test_both_engines_give_the_same(seed: int, crowds: str) -> None:
    """Overall and by class, the twelve numbers of faster-coco-eval are those of pycocotools to twelve digits."""
    tables, found = scene(np.random.default_rng(seed))
    scored_set = evaluation_set(tables, found, CELLS)
    one, other = (coco_ap(scored_set, groups_are_crowds=crowds == "crowds", engine=engine) for engine in Engine)
    assert (one.engine, other.engine) == ("pycocotools", "faster-coco-eval")
    assert numbers(other.summary) == pytest.approx(numbers(one.summary), rel=1e-12, abs=1e-12)
    for mine, theirs in zip(one.classes, other.classes, strict=True):
        assert numbers(theirs.summary) == pytest.approx(numbers(mine.summary), rel=1e-12, abs=1e-12)


@pytest.mark.parametrize("engine", Engine)
def test_either_engine_can_do_without_detections(engine: Engine) -> None:
    """Nothing found has an AP of 0 with either."""
    assert coco_ap(scored([{}], []), groups_are_crowds=True, engine=engine).summary.ap == 0


def test_nothing_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    """Pycocotools tells what it does; here it does not."""
    coco_ap(scored([{}], [{}]), groups_are_crowds=True)
    assert capsys.readouterr() == ("", "")


def ap(scene: EvaluationSet, *, groups_are_crowds: bool = True) -> float | None:
    """COCO's AP."""
    return coco_ap(scene, groups_are_crowds=groups_are_crowds).summary.ap


GROUP: Row = {"xmin": 0.0, "ymin": 0.0, "xmax": 1.0, "ymax": 1.0, "is_group_of": 1, "stripped": "group"}
STRIPPED: Row = {"photo": 1, "stripped": "truncated"}


def test_a_group_is_a_crowd_or_a_box() -> None:
    """As a crowd a group is not missed and excuses what lies in it; as an ordinary box it is missed, and no excuse."""
    truth: list[Row] = [{"photo": 1}, GROUP]
    found: list[Row] = [{"photo": 1}, {"score": 0.9}, {"score": 0.8}]
    assert ap(scored(truth, found)) == pytest.approx(1)
    # Two false positives first, and one of two boxes: a precision of 1/3 up to a recall of 0.5.
    assert ap(scored(truth, found), groups_are_crowds=False) == pytest.approx(51 / 101 / 3)


def test_without_groups_it_is_the_same() -> None:
    """Whether they were crowds, had there been any."""
    scene = scored([{}, STRIPPED, {"photo": 1, "xmin": 0.5}], [{}, {"photo": 1, "score": 0.3}])
    assert replace(coco_ap(scene, groups_are_crowds=True), groups_are_crowds=False) == coco_ap(
        scene, groups_are_crowds=False
    )


def test_a_stripped_box_is_ignored() -> None:
    """Missing a stripped box is no miss, finding it is no false positive, and counted it is a box like any."""
    assert ap(scored([{}, STRIPPED], [{}])) == pytest.approx(1)
    assert ap(scored([{}, STRIPPED], [{}, {"photo": 1, "score": 0.9}])) == pytest.approx(1)
    assert ap(scored([{}, STRIPPED], [{}], count_stripped=True)) == pytest.approx(51 / 101)


@pytest.mark.parametrize("side", [np.nan, np.inf, 0.125])
def test_a_box_that_is_none_is_counted_and_never_found(side: float) -> None:
    """Among stripped boxes that count, one that is none is a miss."""
    none: Row = {"photo": 1, "xmax": side, "stripped": "not_a_number"}
    assert ap(scored([{}, none], [{}, {"photo": 1, "score": 0.1}], count_stripped=True)) == pytest.approx(51 / 101)


def test_nothing_found_has_0_and_nothing_to_find_none() -> None:
    """AP is 0 where nothing is found, and None for a class or a size without any box."""
    result = coco_ap(scored([{}], []), groups_are_crowds=True)
    assert (result.summary.ap, result.summary.ap_small, result.summary.ap_large) == (0, None, 0)
    assert set(astuple(result.classes[1].summary)) == {None}
    assert (result.classes[0].display_name, result.classes[1].mid) == ("One", "/m/2")


def test_a_photo_of_unknown_size_is_an_error() -> None:
    """Sizes count in pixels, so that a photo of unknown size gives no number, but an error that names it."""
    photos = images({}, {"width_px": None, "height_px": None})
    with pytest.raises(TableError, match=r"size of 1 photo is unknown, 0{15}1 among them.*fetch"):
        ap(evaluation_set(Tables(photos, boxes({}), labels()), detections({}), CELLS))
