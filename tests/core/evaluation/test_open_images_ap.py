"""Laws of average precision by the rules of Open Images, and the numbers that TFOD publishes in its tests."""

from dataclasses import replace
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from oidata.core.evaluation.evaluation_set import evaluation_set
from oidata.core.evaluation.open_images_ap import CHALLENGE, V2, OpenImagesAp, Outcome, Rules, open_images_ap
from oidata.core.labels import Label, LabelMap
from oidata.core.statistics import Cells
from tests.core import dense_ap
from tests.core.made import BOX, CELLS
from tests.core.scenes import DETECTION, FOUND, TIED, TRUTH, VERDICTS, Row, detections, scored, sides, tables

HALF = replace(CHALLENGE, group_weight=0.5)
RULES = {"V2": V2, "Challenge": CHALLENGE, "Challenge, groups count half": HALF}
SOME_RULES = st.sampled_from(list(RULES.values()))
each_rules = pytest.mark.parametrize("rules", RULES.values(), ids=RULES)

COUNTED: Row = {"photo": 2, "xmin": 0.0, "xmax": 0.125}
SOME_TRUTH = st.lists(TRUTH.map(sides), max_size=6).map(lambda rows: [COUNTED, *rows])
SOME_TIED = st.lists(TIED.map(sides), max_size=10)
SOME_VERDICTS = VERDICTS.map(lambda drawn: [(*place, is_present) for place, is_present in drawn.items()])

PETS = Cells(LabelMap(tuple(Label(name, name) for name in ("cat", "dog", "elephant"))), ("train",))


def square(photo: int, mid: str, low: int, high: int, **change: object) -> Row:
    """A square of TFOD's tests, whose coordinates go up to 510, in thousandths."""
    ends = {"xmin": low / 1000, "ymin": low / 1000, "xmax": high / 1000, "ymax": high / 1000}
    return {"photo": photo, "mid": mid, **ends, **change}


def average_precisions(result: OpenImagesAp) -> list[float | None]:
    """The average precision of each class."""
    return [each.average_precision for each in result.classes]


def whole(row: Row) -> Row:
    """A row with all that it leaves to the defaults."""
    return {**BOX, **DETECTION, "photo": 0, **row}


def outcomes(truth: list[Row], found: list[Row], rules: Rules, *verdicts: tuple[int, str, bool]) -> list[str]:
    """What becomes of each of `found`, in their order."""
    scene = scored(truth, found, verdicts)
    judged = open_images_ap(scene, rules).judgement.outcome
    names = dict(zip(scene.detected.row.tolist(), (Outcome(each).name for each in judged), strict=True))
    return [names[row] for row in range(len(found))]


def test_v2_is_the_published_one() -> None:
    """AP is that of TFOD's utils/object_detection_evaluation_test.py, OpenImagesV2EvaluationTest."""
    truth = [
        *(square(0, "cat", 0, 1), square(0, "elephant", 0, 2), square(0, "cat", 0, 3)),
        *(square(1, "cat", 10, 11), square(1, "cat", 500, 510, is_group_of=1), square(1, "elephant", 10, 12)),
        square(2, "dog", 0, 1),
    ]
    found = [
        square(1, "cat", 10, 11, score=0.7),
        square(1, "cat", 100, 120, score=0.8),
        square(1, "elephant", 100, 220, score=0.9),
    ]
    result = open_images_ap(evaluation_set(tables(truth), detections(*found), PETS), V2)
    assert average_precisions(result) == pytest.approx([0.16666666, 0, 0])
    assert result.mean_average_precision == pytest.approx(0.05555555)


def test_the_challenge_is_the_published_one() -> None:
    """AP is that of TFOD's utils/object_detection_evaluation_test.py, OpenImagesChallengeEvaluatorTest."""
    truth = [
        *(square(0, "cat", 0, 1), square(0, "elephant", 0, 2), square(0, "cat", 0, 3, is_group_of=1)),
        *(square(1, "cat", 10, 11), square(1, "cat", 500, 510), square(1, "elephant", 10, 12, is_group_of=1)),
        square(2, "dog", 0, 1),
    ]
    found = [
        *(square(0, "dog", 10, 11, score=0.7), square(0, "dog", 100, 120, score=0.8)),
        *(square(1, "cat", 10, 11, score=0.7), square(1, "cat", 100, 120, score=0.8)),
        *(square(1, "dog", 100, 220, score=0.5), square(1, "elephant", 10, 11, score=0.9)),
        square(2, "dog", 0, 1, score=0.5),
    ]
    verdicts = [(0, "cat", True), (0, "dog", False), (0, "elephant", True)]
    result = open_images_ap(evaluation_set(tables(truth, verdicts), detections(*found), PETS), HALF)
    assert average_precisions(result) == pytest.approx([0.142857142857, 0.3333333333, 0.333333333333])
    assert result.mean_average_precision == pytest.approx(0.269841269)


@given(SOME_RULES, SOME_TRUTH, SOME_TIED, SOME_VERDICTS, st.sampled_from(["ignore", "count"]))
def test_all_at_once_is_as_photo_by_photo(
    rules: Rules, truth: list[Row], found: list[Row], verdicts: list[tuple[int, str, bool]], stripped: str
) -> None:
    """AP is what TFOD's rules give when each photo is gone through by itself, ties included, and within 0 and 1."""
    count_stripped = stripped == "count"
    result = average_precisions(open_images_ap(scored(truth, found, verdicts, count_stripped=count_stripped), rules))
    for mid, each in zip(CELLS.classes.mids, result, strict=True):
        of_class, found_of_class = ([row for row in map(whole, rows) if row["mid"] == mid] for rows in (truth, found))
        looked_for = [photo for photo, label, _ in verdicts if label == mid]
        expected = dense_ap.average_precision(
            of_class, found_of_class, looked_for, rules, count_stripped=count_stripped
        )
        assert each == (expected if expected is None else pytest.approx(expected))
        assert each is None or 0 <= each <= 1


@settings(max_examples=30)
@given(SOME_RULES, SOME_TRUTH, st.lists(FOUND.map(sides), max_size=8, unique_by=lambda row: row["score"]), st.randoms())
def test_the_order_of_rows_does_not_matter(rules: Rules, truth: list[Row], found: list[Row], random: Random) -> None:
    """Detections of different scores can stand in any order, and so can those of other photos."""
    result = open_images_ap(scored(truth, found), rules)
    shuffled = random.sample(found, len(found))
    assert open_images_ap(scored(truth, shuffled), rules).classes == result.classes


@settings(max_examples=30)
@given(SOME_RULES, st.lists(TRUTH.map(sides), unique_by=lambda row: (row["photo"], row["mid"], row["x"], row["y"])))
def test_what_is_perfect_has_1(rules: Rules, truth: list[Row]) -> None:
    """Where exactly the boxes are found, each once, AP is 1, whatever their scores."""
    single = [{**row, "is_group_of": 0, "stripped": None} for row in [COUNTED, *truth]]
    found = [{**row, "score": 1 / (1 + place)} for place, row in enumerate(single)]
    result = open_images_ap(scored(single, found), rules)
    known = [each for each in average_precisions(result) if each is not None]
    assert known == pytest.approx([1] * len(known))
    assert result.mean_average_precision == pytest.approx(1)


@settings(max_examples=30)
@given(SOME_RULES, SOME_TRUTH, st.lists(FOUND.map(sides), max_size=8))
def test_a_false_positive_below_all_changes_nothing_above(rules: Rules, truth: list[Row], found: list[Row]) -> None:
    """One more false positive with the lowest score leaves AP and the curve above it as they were."""
    above = [{**row, "score": 0.5 + row["score"] / 2} for row in found]
    beside = {"photo": COUNTED["photo"], "xmin": 1.25, "xmax": 1.5, "score": 0.25}
    before, after = (open_images_ap(scored(truth, each), rules) for each in (above, [*above, beside]))
    assert average_precisions(after) == pytest.approx(average_precisions(before))
    one, other = before.curves[0], after.curves[0]
    assert one
    assert other
    assert other.precision[:-1].tolist() == one.precision.tolist()
    assert other.recall[:-1].tolist() == one.recall.tolist()


@each_rules
def test_nothing_found_has_0_and_a_class_without_truth_none(rules: Rules) -> None:
    """AP is 0 where nothing is found, None where there is nothing to find, and the mean is over the former."""
    result = open_images_ap(scored([{}], []), rules)
    assert average_precisions(result) == [0, None]
    assert result.mean_average_precision == 0
    assert result.curves[1] is None


def test_groups_alone_are_no_truth_for_v2() -> None:
    """V2 excuses what lies in a group, and counts no group; the Challenge does."""
    scene = scored([{"is_group_of": 1}], [])
    assert open_images_ap(scene, V2).mean_average_precision is None
    assert open_images_ap(scene, CHALLENGE).mean_average_precision == 0


WHOLE: Row = {"xmin": 0.0, "ymin": 0.0, "xmax": 1.0, "ymax": 1.0}
GROUP: Row = {**WHOLE, "is_group_of": 1}


@pytest.mark.parametrize(
    "truth, found, rules, expected",
    [
        pytest.param([{}], [{}, {}], V2, ["FALSE_POSITIVE", "TRUE_POSITIVE"], id="of equals the later is first"),
        pytest.param([{}], [{"score": 0.9}, {}], V2, ["TRUE_POSITIVE", "FALSE_POSITIVE"], id="twice"),
        pytest.param([{}], [{"xmax": 0.375}], V2, ["TRUE_POSITIVE"], id="an IoU of just 0.5"),
        pytest.param([{}], [{"mid": "/m/2"}], V2, ["FALSE_POSITIVE"], id="another class"),
        pytest.param([{}], [{"photo": 1}], V2, ["FALSE_POSITIVE"], id="another photo"),
        pytest.param([GROUP, COUNTED], [{}, {}], V2, ["IN_GROUP", "IN_GROUP"], id="V2 ignores all in a group"),
        pytest.param(
            [GROUP], [{}, {"score": 0.9}], CHALLENGE, ["IN_GROUP", "GROUP_FOUND"], id="the best in a group counts"
        ),
        pytest.param([GROUP], [{"score": 0.0}], CHALLENGE, ["IN_GROUP"], id="a score of 0 finds no group"),
        pytest.param([GROUP, {}], [{}, {}], V2, ["IN_GROUP", "TRUE_POSITIVE"], id="a box goes before the group"),
        pytest.param([{**GROUP, "stripped": "group"}, COUNTED], [{}], V2, ["IN_GROUP"], id="a stripped group is one"),
        pytest.param([GROUP, COUNTED], [{**WHOLE, "xmin": -1.5}], V2, ["FALSE_POSITIVE"], id="less than half in it"),
        pytest.param(
            [{"stripped": "truncated"}, COUNTED], [{}, {}], V2, ["ON_IGNORED", "ON_IGNORED"], id="on a stripped box"
        ),
        pytest.param(
            [{"stripped": "truncated"}, {}], [{}, {}], V2, ["FALSE_POSITIVE", "TRUE_POSITIVE"], id="its double counts"
        ),
        pytest.param([COUNTED], [{"photo": 1}], CHALLENGE, ["UNVERIFIED"], id="nobody looked"),
    ],
)
def test_what_becomes_of_a_detection(truth: list[Row], found: list[Row], rules: Rules, expected: list[str]) -> None:
    """Each rule by an example."""
    assert outcomes(truth, found, rules) == expected


def test_a_verdict_either_way_is_a_look() -> None:
    """The Challenge counts a detection where its class was verified present or absent, or has any box, if stripped."""
    found: list[Row] = [{"photo": 1}]
    for is_present in (True, False):
        assert outcomes([COUNTED], found, CHALLENGE, (1, "/m/1", is_present)) == ["FALSE_POSITIVE"]
        assert outcomes([COUNTED], found, CHALLENGE, (1, "/m/2", is_present)) == ["UNVERIFIED"]
    stripped = {**COUNTED, "photo": 1, "stripped": "depiction"}
    assert outcomes([COUNTED, stripped], found, CHALLENGE) == ["FALSE_POSITIVE"]


def test_a_judgement_tells_the_box() -> None:
    """Each detection that is of a box, a group or an ignored box says of which; a false positive is of none."""
    truth: list[Row] = [{}, {**GROUP, "photo": 1}, {"photo": 2, "stripped": "truncated"}]
    found: list[Row] = [{}, {"photo": 1}, {"photo": 2}, {"photo": 2, "mid": "/m/2"}]
    scene = scored(truth, found)
    judged = open_images_ap(scene, CHALLENGE).judgement
    of = {row: scene.truth.row[at] for row, at in zip(scene.detected.row, judged.truth, strict=True) if at >= 0}
    assert of == {0: 0, 1: 1, 2: 2}


def test_the_counts_add_up() -> None:
    """Of each class the counts say what became of its detections."""
    truth: list[Row] = [{}, GROUP, {"photo": 1, "stripped": "truncated"}]
    found: list[Row] = [{}, {}, {"score": 0.9}, {"photo": 1}, {"photo": 2}, {"photo": 1, "mid": "/m/2"}]
    first, second = open_images_ap(scored(truth, found, [(2, "/m/1", False)]), HALF).classes
    assert (first.num_truth, first.num_true_positives, first.num_groups_found) == (1.5, 1, 1)
    assert (first.num_false_positives, first.num_ignored, first.num_unverified) == (1, 2, 0)
    assert (second.average_precision, second.num_truth, second.num_unverified) == (None, 0, 1)
    assert (first.display_name, second.mid) == ("One", "/m/2")
