"""Laws of passing boxes and verdicts on along the hierarchy."""

import pandas as pd
from hypothesis import given
from hypothesis import strategies as st

from oidata.core.labels import Hierarchy, Label, LabelMap
from oidata.core.release.expansion import expanded
from oidata.core.tables import LABELS, Tables, check
from tests.core.made import boxes, image_id, images, labels

# Two ways up from lemon to food, one of them through a class that was not chosen.
HIERARCHY = Hierarchy(
    {
        "lemon": frozenset({"citrus", "fruit"}),
        "citrus": frozenset({"food"}),
        "fruit": frozenset({"food"}),
        "cheese": frozenset({"food"}),
        "food": frozenset({"root"}),
        "root": frozenset(),
    }
)
CLASSES = LabelMap(tuple(Label(mid, mid) for mid in ("lemon", "cheese", "fruit", "food")))
FOLLOWS = {
    "lemon": {"lemon", "fruit", "food"},
    "cheese": {"cheese", "food"},
    "fruit": {"fruit", "food"},
    "food": {"food"},
}
MIDS = st.sampled_from(CLASSES.mids)


def test_a_box_is_one_of_each_class_above() -> None:
    """A box is repeated for each chosen class above its own, once, and is else as it was."""
    table = boxes({"mid": "lemon"}, {"mid": "food"}, {"mid": "cheese", "photo": 1, "stripped": "group"})
    after = expanded(Tables(images({}), table, labels()), CLASSES, HIERARCHY).boxes
    assert after["mid"].tolist() == ["lemon", "food", "cheese", "fruit", "food", "food"]
    assert after["box_id"].tolist() == [table["box_id"][row] for row in (0, 1, 2, 0, 0, 2)]
    pd.testing.assert_frame_equal(after.iloc[:3], table)
    assert (after.dtypes == table.dtypes).all()


@given(st.dictionaries(st.tuples(st.integers(0, 1), MIDS), st.booleans()))
def test_presence_passes_up_and_absence_down(verdicts: dict[tuple[int, str], bool]) -> None:
    """Every class above one that is present is present, every class below one that is absent absent, and no other."""
    table = labels(*((*place, is_present) for place, is_present in verdicts.items()))
    after = check(expanded(Tables(images({}), boxes(), table), CLASSES, HIERARCHY).labels, LABELS)
    present = {(photo, up) for (photo, mid), is_present in verdicts.items() if is_present for up in FOLLOWS[mid]}
    absent = {
        (photo, down)
        for (photo, mid), is_present in verdicts.items()
        if not is_present
        for down in CLASSES.mids
        if mid in FOLLOWS[down]
    }
    known = {(row.image_id, row.mid): row.is_present for row in after.itertuples()}
    assert known == {(image_id(photo), mid): (photo, mid) in present for photo, mid in present | absent}


def test_classes_side_by_side_stay_as_they_are() -> None:
    """Where no chosen class is above another, nothing is added."""
    some = LabelMap(CLASSES.labels[:2])
    before = Tables(
        images({}), boxes({"mid": "lemon"}, {"mid": "cheese"}), labels((0, "lemon", True), (0, "cheese", False))
    )
    after = expanded(before, some, HIERARCHY)
    pd.testing.assert_frame_equal(after.boxes, before.boxes)
    pd.testing.assert_frame_equal(after.labels, before.labels)
    assert after.images is before.images
