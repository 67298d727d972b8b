"""Laws of reading a release's rows into the tables of a dataset."""

from collections import Counter

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from oidata.core.labels import Hierarchy
from oidata.core.release import rows
from oidata.core.release.rows import BOX_COLUMNS, IMAGE_COLUMNS, LABEL_COLUMNS, BadRowError
from oidata.core.tables import BOXES, FLAGS, LABELS, check

A, B, C = "000000000000000a", "000000000000000b", "000000000000000c"
LEMON, CHEESE, FRUIT, FOOD = "/m/lemon", "/m/cheese", "/m/fruit", "/m/food"
OFFSET = 1000
FOLD = {LEMON: LEMON, CHEESE: CHEESE}
FOOD_TREE = {
    "LabelName": FOOD,
    "Subcategory": [{"LabelName": FRUIT, "Subcategory": [{"LabelName": LEMON}]}, {"LabelName": CHEESE}],
}

BOX = dict.fromkeys(BOX_COLUMNS, "0") | {"ImageID": A, "Source": "xclick", "LabelName": LEMON}
PHOTO = dict.fromkeys(IMAGE_COLUMNS, "x") | {"ImageID": A, "Rotation": "0.0"}
IDS = st.sampled_from([A, B, C])
FLAG_COLUMNS = dict(zip(FLAGS, ("IsOccluded", "IsTruncated", "IsGroupOf", "IsDepiction", "IsInside"), strict=True))


def frame(columns: tuple[str, ...], *records: dict[str, str]) -> pd.DataFrame:
    """Rows as a scan gives them: strings, indexed by byte offset: here 1000 and on."""
    return pd.DataFrame(records, columns=list(columns), index=pd.RangeIndex(OFFSET, OFFSET + len(records)), dtype="str")


def box_rows(*records: dict[str, str]) -> pd.DataFrame:
    """Box rows that differ from one lemon's in the given fields."""
    return frame(BOX_COLUMNS, *({**BOX, **record} for record in records))


def label_rows(*records: tuple[str, str, str]) -> pd.DataFrame:
    """Image-label rows of ImageID, LabelName and Confidence."""
    return frame(LABEL_COLUMNS, *(dict(zip(LABEL_COLUMNS, record, strict=True)) for record in records))


@pytest.mark.parametrize("flag", FLAGS)
def test_flags_are_tri_state(flag: str) -> None:
    """1, 0 and -1 stay yes, no and unknown, each in the column of its name, and never become a bool."""
    read = rows.boxes(box_rows(*({FLAG_COLUMNS[flag]: text} for text in ("1", "0", "-1"))), FOLD)
    assert read[flag].dtype == np.int8
    assert read[flag].tolist() == [1, 0, -1]
    assert (read[[other for other in FLAGS if other != flag]] == 0).all(axis=None)


@given(st.lists(st.floats(-1, 2) | st.decimals(0, 1, places=6), min_size=4, max_size=4))
def test_coordinates_are_those_of_the_text(values: list[float]) -> None:
    """Each coordinate is the float32 nearest to its text, in the column of its name."""
    xmin, xmax, ymin, ymax = texts = [str(value) for value in values]
    read = rows.boxes(box_rows(dict(zip(("XMin", "XMax", "YMin", "YMax"), texts, strict=True))), FOLD)
    expected = [np.float32(text) for text in (xmin, ymin, xmax, ymax)]
    assert read[["xmin", "ymin", "xmax", "ymax"]].to_numpy().tolist() == [expected]
    assert read["xmin"].dtype == np.float32


def test_a_coordinate_that_is_nan_stays() -> None:
    """A coordinate written as NaN is read as such: to strip it is a rule's business."""
    assert rows.boxes(box_rows({"XMin": "NaN"}), FOLD)["xmin"].isna().all()


@given(st.lists(st.tuples(IDS, st.sampled_from([LEMON, CHEESE, FRUIT]))))
def test_box_id_counts_all_rows_of_the_photo(records: list[tuple[str, str]]) -> None:
    """A box is named by its place among all rows of its photo, those of other classes counted."""
    read = rows.boxes(box_rows(*({"ImageID": photo, "LabelName": mid} for photo, mid in records)), FOLD)
    seen: Counter[str] = Counter()
    expected = []
    for photo, mid in records:
        if mid in FOLD:
            expected.append((f"{photo}-{seen[photo]}", photo, mid))
        seen[photo] += 1
    assert list(read[["box_id", "image_id", "mid"]].itertuples(index=False, name=None)) == expected
    check(read, BOXES)


def test_a_folded_class_keeps_its_own_mid() -> None:
    """A box of a subclass takes the chosen class, and its own stays in mid_original."""
    read = rows.boxes(box_rows({"LabelName": LEMON}), {FRUIT: FRUIT, LEMON: FRUIT})
    assert read[["mid", "mid_original", "source"]].to_numpy().tolist() == [[FRUIT, LEMON, "xclick"]]


@pytest.mark.parametrize(
    "bad, fault",
    [
        ({"ImageID": "../../x"}, "ImageID '../../x'"),
        ({"ImageID": A.upper()}, "ImageID"),
        ({"ImageID": f"{A}0"}, "ImageID"),
        ({"ImageID": ""}, "ImageID ''"),
        ({"XMin": ""}, "XMin ''"),
        ({"YMax": "0,5"}, "YMax '0,5'"),
        ({"XMax": "True"}, "XMax 'True'"),
        ({"IsGroupOf": "2"}, "IsGroupOf '2'"),
        ({"IsInside": ""}, "IsInside ''"),
        ({"IsDepiction": "True"}, "IsDepiction 'True'"),
    ],
)
def test_a_bad_box_row_is_located(bad: dict[str, str], fault: str) -> None:
    """An id, number or flag that is none raises BadRowError with the first such row's offset and the field."""
    with pytest.raises(BadRowError, match=fault) as caught:
        rows.boxes(box_rows({}, {}, bad, bad), FOLD)
    assert caught.value.offset == OFFSET + 2


def test_a_bad_id_of_another_class_is_refused_too() -> None:
    """Every row of the photos is checked for its id, since every row counts."""
    with pytest.raises(BadRowError):
        rows.boxes(box_rows({"ImageID": "x", "LabelName": FRUIT}), FOLD)


@given(st.lists(st.tuples(IDS, st.sampled_from([LEMON, CHEESE]))))
def test_classes_of_names_what_is_boxed(records: list[tuple[str, str]]) -> None:
    """A photo has the chosen classes that its boxes fold into."""
    read = rows.classes_of(
        box_rows(*({"ImageID": photo, "LabelName": mid} for photo, mid in records)), {LEMON: FOOD, CHEESE: CHEESE}
    )
    folded = [(photo, FOOD if mid == LEMON else CHEESE) for photo, mid in records]
    assert read == {photo: {mid for other, mid in folded if other == photo} for photo, _ in folded}


@given(st.lists(st.tuples(IDS, st.sampled_from([LEMON, CHEESE, FRUIT]), st.sampled_from(["0", "1"]))))
def test_a_label_speaks_for_its_class_and_presence_wins(records: list[tuple[str, str, str]]) -> None:
    """Without a hierarchy each label speaks for its own class; one row that says present outweighs all others."""
    read = rows.labels(label_rows(*records), rows.evidence([LEMON, CHEESE], FOLD, None))
    said = {(photo, mid) for photo, mid, _ in records if mid != FRUIT}
    expected = [(photo, mid, (photo, mid, "1") in records) for photo, mid in sorted(said)]
    assert list(read.itertuples(index=False, name=None)) == expected
    check(read, LABELS)


@pytest.mark.parametrize(
    "label, confidence, expected",
    [
        (LEMON, "1", {FRUIT: True}),
        (LEMON, "0", {}),
        (FRUIT, "1", {FRUIT: True}),
        (FRUIT, "0", {FRUIT: False}),
        (FOOD, "1", {}),
        (FOOD, "0", {FRUIT: False, CHEESE: False}),
        (CHEESE, "1.0", {CHEESE: True}),
        (CHEESE, "0.0", {CHEESE: False}),
    ],
)
def test_presence_passes_upward_and_absence_downward(label: str, confidence: str, expected: dict[str, bool]) -> None:
    """With a hierarchy a Lemon is a Fruit, no Food is no Fruit, and neither says anything the other way round."""
    hierarchy = Hierarchy.from_json(FOOD_TREE)
    chosen = [FRUIT, CHEESE]
    spoken = rows.evidence(chosen, hierarchy.fold(chosen), hierarchy)
    read = rows.labels(label_rows((A, label, confidence)), spoken)
    assert dict(zip(read["mid"], read["is_present"], strict=True)) == expected


@given(st.lists(st.tuples(IDS, st.sampled_from([FOOD, FRUIT, LEMON, CHEESE]), st.sampled_from(["0", "1"]))))
def test_presence_passes_upward_between_chosen_classes_too(records: list[tuple[str, str, str]]) -> None:
    """A chosen class is present where it or any class below is, chosen or not, and absent where it or one above is."""
    hierarchy = Hierarchy.from_json(FOOD_TREE)
    chosen = [FOOD, FRUIT, LEMON]
    read = rows.labels(label_rows(*records), rows.evidence(chosen, hierarchy.fold(chosen), hierarchy))
    expected = {}
    for photo, mid in ((photo, mid) for photo in (A, B, C) for mid in chosen):
        present = {label for each, label, said in records if (each, said) == (photo, "1")}
        absent = {label for each, label, said in records if (each, said) == (photo, "0")}
        if any(mid in {label, *hierarchy.ancestors(label)} for label in present):
            expected[photo, mid] = True
        elif absent & {mid, *hierarchy.ancestors(mid)}:
            expected[photo, mid] = False
    assert {(photo, mid): said for photo, mid, said in read.itertuples(index=False, name=None)} == expected


def test_presence_passes_to_all_parents() -> None:
    """A class with two chosen parents speaks for both, though its boxes fold into one of them."""
    parents = [{"LabelName": parent, "Subcategory": [{"LabelName": LEMON}]} for parent in (FOOD, FRUIT)]
    hierarchy = Hierarchy.from_json({"LabelName": "entity", "Subcategory": parents})
    chosen = [FOOD, FRUIT]
    fold = hierarchy.fold(chosen)
    read = rows.labels(label_rows((A, LEMON, "1")), rows.evidence(chosen, fold, hierarchy))
    assert list(read.itertuples(index=False, name=None)) == [(A, FOOD, True), (A, FRUIT, True)]
    assert fold[LEMON] == FOOD


def test_a_seen_lemon_outweighs_an_absent_food() -> None:
    """Where a subclass is verified present and a class above absent, the chosen class between them is present."""
    hierarchy = Hierarchy.from_json(FOOD_TREE)
    spoken = rows.evidence([FRUIT], hierarchy.fold([FRUIT]), hierarchy)
    read = rows.labels(label_rows((A, FOOD, "0"), (A, LEMON, "1"), (B, FOOD, "0")), spoken)
    assert list(read.itertuples(index=False, name=None)) == [(A, FRUIT, True), (B, FRUIT, False)]


@pytest.mark.parametrize("bad", [("x", LEMON, "1"), (B, LEMON, "0.5"), (B, LEMON, "")])
def test_a_bad_label_row_is_located(bad: tuple[str, str, str]) -> None:
    """A label row with a bad id or confidence raises BadRowError with its offset."""
    with pytest.raises(BadRowError) as caught:
        rows.labels(label_rows((A, LEMON, "1"), bad), rows.evidence([LEMON], FOLD, None))
    assert caught.value.offset == OFFSET + 1


@pytest.mark.parametrize(
    "text, degrees", [("0.0", 0), ("90.0", 90), ("270", 270), ("-90.0", -90), ("360", 360), ("", None)]
)
def test_rotation_is_whole_degrees_or_unknown(text: str, degrees: int | None) -> None:
    """A rotation is read as degrees, and an empty one as null."""
    read = rows.image_facts(frame(IMAGE_COLUMNS, {**PHOTO, "Rotation": text}))["rotation"]
    assert read.dtype == "Int16"
    assert [None if pd.isna(value) else value for value in read] == [degrees]


@pytest.mark.parametrize("text", ["upright", "nan", "inf", "1e10", "1e400", "9", "45.0", "90.4", "-180.5", "450"])
def test_a_rotation_that_is_none_is_located(text: str) -> None:
    """A rotation that is no number of quarter turns within a full one raises BadRowError with its offset."""
    with pytest.raises(BadRowError, match="Rotation") as caught:
        rows.image_facts(frame(IMAGE_COLUMNS, PHOTO, {**PHOTO, "Rotation": text}))
    assert caught.value.offset == OFFSET + 1


def test_image_facts_are_those_of_the_first_row() -> None:
    """Each field goes to the column of its name, as it is written, and a photo's second row is passed over."""
    first = {
        "ImageID": A,
        "OriginalLandingURL": "https://a/land",
        "License": "https://cc",
        "AuthorProfileURL": "https://a/who",
        "Author": 'Ann, "the cook"',
        "Title": "",
        "Rotation": "90.0",
    }
    read = rows.image_facts(frame(IMAGE_COLUMNS, first, {**first, "Title": "again"}, {**first, "ImageID": B}))
    assert read.to_dict("records")[0] == {
        "image_id": A,
        "rotation": 90,
        "license": "https://cc",
        "author": 'Ann, "the cook"',
        "author_url": "https://a/who",
        "title": "",
        "landing_url": "https://a/land",
    }
    assert read["image_id"].tolist() == [A, B]


def test_no_rows_give_empty_tables() -> None:
    """From no rows come tables without rows, as declared."""
    check(rows.boxes(box_rows(), FOLD), BOXES)
    check(rows.labels(label_rows(), rows.evidence([LEMON], FOLD, None)), LABELS)
    assert rows.image_facts(frame(IMAGE_COLUMNS)).empty


def test_the_count_goes_on_in_another_part() -> None:
    """Where a photo's rows come in two parts, box_id counts on."""
    part = box_rows({}, {})
    read = [rows.boxes(part, FOLD), rows.boxes(part, FOLD, {A: 2})]
    assert [box_id for boxes in read for box_id in boxes["box_id"]] == [f"{A}-{n}" for n in range(4)]
