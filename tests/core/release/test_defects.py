"""Laws of the strip rules."""

import math
from collections.abc import Collection

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from oidata.core.release import defects
from oidata.core.release.defects import DEFAULT, DUPLICATE, FLAG_RULES, OUTSIDE_TOLERANCE, REASONS
from oidata.core.tables import BOXES, COORDINATES, FLAGS, check
from oidata.errors import UsageError

A, B = "000000000000000a", "000000000000000b"
NAN, INF = float("nan"), float("inf")
ALL_FLAGS = tuple(rule.reason for rule in FLAG_RULES)
FLAG_OF = {
    "group": "is_group_of",
    "depiction": "is_depiction",
    "truncated": "is_truncated",
    "occluded": "is_occluded",
    "inside": "is_inside",
}
ALIKE = ["image_id", "mid", *COORDINATES]

GOOD: dict[str, object] = {
    "image_id": A,
    "mid": "/m/1",
    "mid_original": "/m/1",
    "source": "xclick",
    **dict(zip(COORDINATES, (0.25, 0.25, 0.5, 0.5), strict=True)),
    **dict.fromkeys(FLAGS, 0),
    "stripped": None,
}
STRIPPED = st.sampled_from([None, "group", "user:blurred", "duplicate|user:blurred|user:wrong"])
CHANGES = st.fixed_dictionaries(
    {
        "image_id": st.sampled_from([A, B]),
        "mid": st.sampled_from(["/m/1", "/m/2"]),
        "xmin": st.sampled_from([-0.25, -0.001, 0.0, 0.25, 1.001, NAN]),
        "ymin": st.sampled_from([-0.5, 0.25, 0.5]),
        "xmax": st.sampled_from([0.25, 0.5]),
        "ymax": st.sampled_from([-0.25, 0.5, 1.0, 1.001, 1.25]),
        **{flag: st.sampled_from([0, 1, -1]) for flag in FLAGS},
        "stripped": STRIPPED,
    }
)


def boxes(*changes: dict[str, object]) -> pd.DataFrame:
    """BOXES with a row for each of `changes` to a box that no rule strips."""
    rows = [{"box_id": f"{A}-{index}", **GOOD, **change} for index, change in enumerate(changes)]
    return BOXES.conform(pd.DataFrame(rows, columns=[column.name for column in BOXES.columns]))


FRAMES = st.lists(CHANGES, max_size=8).map(lambda changes: boxes(*changes))
CHOICES = st.sets(st.sampled_from(ALL_FLAGS))


def as_sets(stripped: pd.Series) -> list[set[str]]:
    """The reasons of each box."""
    return [set(text.split("|")) if isinstance(text, str) else set() for text in stripped]


def expected(box: pd.Series, flags: Collection[str], *, with_unknown: bool) -> set[str]:
    """The reasons of one box by itself, in plain words: all but that of a duplicate."""
    xmin, ymin, xmax, ymax = corners = [float(str(box[name])) for name in COORDINATES]
    sides = [pair for pair in ((xmin, xmax), (ymin, ymax)) if not any(math.isnan(value) for value in pair)]
    found = {
        "not_a_number": any(math.isnan(value) for value in corners),
        "outside": any(
            min(side) < -0.01 or max(side) > 1.01 or max(side) <= 0 or min(side) >= 1  # far out, or not in at all
            for side in sides
        ),
        "inverted": xmax < xmin or ymax < ymin,
        "no_area": xmax == xmin or ymax == ymin,
    }
    found |= {reason: box[FLAG_OF[reason]] == 1 for reason in flags}
    found |= {f"{reason}_unknown": with_unknown and box[FLAG_OF[reason]] == -1 for reason in flags}
    user = {part for part in str(box["stripped"]).split("|") if part.startswith("user:")}
    return user | {reason for reason, applies in found.items() if applies}


@given(frame=FRAMES, flags=CHOICES, with_unknown=st.booleans())
def test_every_rule_that_applies_is_named(frame: pd.DataFrame, flags: set[str], *, with_unknown: bool) -> None:
    """A box has exactly the reasons that hold of it, and a duplicate that one besides."""
    found = as_sets(defects.reasons(frame, flags, with_unknown=with_unknown))
    plain = [expected(box, flags, with_unknown=with_unknown) for _, box in frame.iterrows()]
    assert [each - {DUPLICATE} for each in found] == plain


@given(FRAMES, CHOICES)
def test_of_equal_boxes_exactly_one_is_no_duplicate(frame: pd.DataFrame, flags: set[str]) -> None:
    """In each set of equal boxes one is no duplicate, and if any has no other reason, that one has none at all."""
    found = as_sets(defects.reasons(frame, flags))
    for _, alike in frame.groupby(ALIKE, dropna=False):
        of_alike = [found[int(str(index))] for index in alike.index]
        assert sum(DUPLICATE not in each for each in of_alike) == 1
        assert sum(not each for each in of_alike) == any(not each - {DUPLICATE} for each in of_alike)


@given(frame=FRAMES, before=CHOICES, flags=CHOICES, with_unknown=st.booleans())
def test_what_was_stripped_before_does_not_matter(
    frame: pd.DataFrame,
    before: set[str],
    flags: set[str],
    *,
    with_unknown: bool,
) -> None:
    """Stripping after another strip is as stripping at once; so stripping twice changes nothing."""
    stripped = frame.assign(stripped=defects.reasons(frame, before, with_unknown=not with_unknown))
    once, then = (defects.reasons(each, flags, with_unknown=with_unknown) for each in (frame, stripped))
    pd.testing.assert_series_equal(then, once)


@given(FRAMES, CHOICES)
def test_taking_back_leaves_what_the_user_said(frame: pd.DataFrame, flags: set[str]) -> None:
    """The user's reasons survive a strip and its undoing, and nothing else does."""
    stripped = frame.assign(stripped=defects.reasons(frame, flags, with_unknown=True))
    left = as_sets(defects.user_reasons(stripped))
    assert left == [{reason for reason in each if reason.startswith("user:")} for each in as_sets(frame["stripped"])]


@given(FRAMES, CHOICES, st.data())
def test_the_order_of_the_rows_decides_only_which_equal_box_stays(
    frame: pd.DataFrame, flags: set[str], data: st.DataObject
) -> None:
    """In another order of the rows each box has the same reasons but for duplicates, and as many boxes stay."""
    shuffled = frame.loc[data.draw(st.permutations(list(frame.index)))]
    one, other = (as_sets(defects.reasons(each, flags).sort_index()) for each in (frame, shuffled))
    assert [each - {DUPLICATE} for each in one] == [each - {DUPLICATE} for each in other]
    assert one.count(set()) == other.count(set())


@given(FRAMES)
def test_the_marks_are_sorted_and_fit_the_schema(frame: pd.DataFrame) -> None:
    """Reasons are joined by a bar, sorted, each once; no reason is null; the index is that of the boxes."""
    moved = frame.set_index(frame.index + 100)
    stripped = defects.reasons(moved, ALL_FLAGS, with_unknown=True)
    assert stripped.index.equals(moved.index)
    for text in stripped.dropna():
        assert text.split("|") == sorted(set(text.split("|")))
        assert all(reason in REASONS or reason.startswith("user:") for reason in text.split("|"))
    check(moved.assign(stripped=stripped), BOXES)


@pytest.mark.parametrize(
    "change, reason",
    [
        ({}, None),
        ({"xmin": 0.0, "ymin": 0.0, "xmax": 1.0, "ymax": 1.0}, None),
        ({"xmin": NAN}, "not_a_number"),
        ({"ymax": NAN}, "not_a_number"),
        ({"xmin": -1e-6}, None),
        ({"ymax": 1.0000002}, None),
        ({"ymax": 1.0099}, None),
        ({"ymax": 1.02}, "outside"),
        ({"xmin": -0.02}, "outside"),
        ({"xmin": 1.0, "xmax": 1.005}, "outside"),
        ({"ymin": -0.005, "ymax": 0.0}, "outside"),
        ({"xmax": INF}, "outside"),
        ({"xmin": 0.5, "xmax": 0.25}, "inverted"),
        ({"ymin": 0.5, "ymax": 0.25}, "inverted"),
        ({"xmin": 0.5}, "no_area"),
        ({"ymax": 0.25}, "no_area"),
        ({"xmin": 0.75, "ymin": 0.5}, "inverted|no_area"),
        ({"is_group_of": 1}, "group"),
        ({"is_depiction": 1}, "depiction"),
        ({"is_truncated": 1}, "truncated"),
        ({"is_occluded": 1, "is_inside": 1}, None),
        (dict.fromkeys(FLAGS, -1), None),
    ],
)
def test_each_rule_by_example(change: dict[str, object], reason: str | None) -> None:
    """By default groups, depictions, truncated and degenerate boxes are stripped, each for its own reason."""
    assert as_sets(defects.reasons(boxes(change))) == [set(reason.split("|")) if reason else set()]


@pytest.mark.parametrize("reason", ALL_FLAGS)
def test_unknown_has_a_reason_of_its_own(reason: str) -> None:
    """A flag that is unknown strips only where that is asked for, and not for the reason of one that says yes."""
    frame = boxes({FLAG_OF[reason]: -1})
    assert defects.reasons(frame, [reason]).isna().all()
    assert defects.reasons(frame, [reason], with_unknown=True).tolist() == [f"{reason}_unknown"]
    assert defects.num_unknown(frame, ALL_FLAGS) == {other: int(other == reason) for other in ALL_FLAGS}


def test_the_duplicate_without_another_reason_stays() -> None:
    """Of equal boxes the first without another reason stays, were it the last of all."""
    frame = boxes({"is_group_of": 1}, {"stripped": "user:blurred"}, {}, {})
    assert as_sets(defects.reasons(frame)) == [
        {"duplicate", "group"},
        {"duplicate", "user:blurred"},
        set(),
        {"duplicate"},
    ]


@pytest.mark.parametrize("change", [{"image_id": B}, {"mid": "/m/2"}, {"xmax": 0.5000001}])
def test_boxes_that_differ_are_no_duplicates(change: dict[str, object]) -> None:
    """The same box in another photo, of another class, or one float away, is no duplicate."""
    assert defects.reasons(boxes({}, change)).isna().all()


def test_reasons_are_split_with_the_box_they_belong_to() -> None:
    """Each pair of box and reason is a row under the box's index."""
    stripped = pd.Series(["group|user:x", None, "no_area"], index=[4, 5, 6], dtype="str")
    split = defects.split_reasons(stripped)
    assert list(zip(split.index, split["reason"], strict=True)) == [(4, "group"), (4, "user:x"), (6, "no_area")]


@given(FRAMES, CHOICES)
def test_a_degenerate_box_and_a_double_are_no_objects(frame: pd.DataFrame, flags: set[str]) -> None:
    """Of equal boxes that are not degenerate one is an object, whatever is stripped, and one that is not, if any."""
    is_object = defects.is_object(frame)
    marked = frame.assign(stripped=defects.reasons(frame, flags))
    degenerate = as_sets(defects.reasons(frame.assign(stripped=None), ()))
    for _, alike in frame.groupby(ALIKE, dropna=False):
        places = [int(str(index)) for index in alike.index]
        is_none = bool(degenerate[places[0]] - {DUPLICATE})
        for given_marks in (frame, marked):
            found = defects.is_object(given_marks)[places]
            assert found.sum() == (0 if is_none else 1)
            unmarked = given_marks["stripped"].isna().to_numpy()[places]
            assert is_none or not unmarked.any() or unmarked[found].all()
    assert is_object.shape == (len(frame),)


def test_the_default_is_what_the_manual_says() -> None:
    """Group, depiction and truncated are stripped unless told otherwise, occluded and inside are not."""
    assert set(DEFAULT) == {"group", "depiction", "truncated"}


def test_a_rule_that_does_not_exist_is_refused() -> None:
    """A flag rule with a typo is a UsageError that lists the rules, not a rule that strips nothing."""
    with pytest.raises(UsageError, match=r"grup is no strip rule.*group, depiction"):
        defects.reasons(boxes(), ["grup"])


def in_photo(box: pd.Series) -> bool:
    """Whether a box has a part with area in the photo, in plain words."""
    xmin, ymin, xmax, ymax = (float(str(box[name])) for name in COORDINATES)
    sides = [sorted(side) for side in ((xmin, xmax), (ymin, ymax)) if not any(math.isnan(value) for value in side)]
    return len(sides) == 2 and all(min(high, 1) - max(low, 0) > 0 for low, high in sides)


@given(FRAMES, CHOICES)
def test_what_a_strip_leaves_behind(frame: pd.DataFrame, flags: set[str]) -> None:
    """Emptied photos kept no box; collateral ones lost a box to see, and kept none at its place for its class."""
    frame = frame.assign(stripped=defects.reasons(frame, flags))
    kept = frame[frame["stripped"].isna()]
    assert defects.emptied(frame) == sorted(set(frame["image_id"]) - set(kept["image_id"]))
    places = {tuple(place) for place in kept[ALIKE].to_numpy().tolist()}
    left = [
        str(box["image_id"])
        for _, box in frame[frame["stripped"].notna()].iterrows()
        if in_photo(box) and tuple(box[ALIKE].tolist()) not in places
    ]
    assert defects.collateral(frame) == sorted(set(left))


@pytest.mark.parametrize(
    "change, is_seen",
    [
        ({"is_group_of": 1}, True),
        ({"stripped": "user:blurred"}, True),
        ({"xmin": 0.75}, True),  # swapped corners
        ({"ymax": 1.25}, True),  # the greater part is in the photo
        ({"xmin": -0.5, "xmax": -0.25}, False),
        ({"xmin": 1.0, "xmax": 1.005, "is_truncated": 1}, False),
        ({"xmin": 0.5, "is_group_of": 1}, False),
        ({"ymin": NAN}, False),
        ({}, False),  # not stripped
    ],
)
def test_collateral_by_example(change: dict[str, object], *, is_seen: bool) -> None:
    """Whatever a box is stripped for, its object stays to see if a part with area is in the photo."""
    frame = boxes(change)
    assert defects.collateral(frame.assign(stripped=defects.reasons(frame))) == [A] * is_seen


@pytest.mark.parametrize("double, is_seen", [({}, False), ({"mid": "/m/2"}, True), ({"xmax": 0.75}, True)])
def test_an_object_that_is_still_boxed_is_no_collateral(double: dict[str, object], *, is_seen: bool) -> None:
    """A box that stays at the same place for the same class stands for the object that its stripped double had."""
    frame = boxes({"is_group_of": 1}, double)
    stripped = frame.assign(stripped=defects.reasons(frame))
    assert stripped["stripped"].isna().tolist() == [False, True]
    assert defects.collateral(stripped) == [A] * is_seen


def test_the_tolerance_is_what_tfod_calls_rounding() -> None:
    """TFOD's box_list_ops.to_normalized_coordinates takes up to 1.01 for normalised."""
    assert 1 + OUTSIDE_TOLERANCE == 1.01
