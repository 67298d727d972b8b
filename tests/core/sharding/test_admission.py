"""Laws of which photos become examples."""

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from oidata.core.sharding.admission import REASONS, left_out
from oidata.core.sharding.features import DROP, IGNORE, KEEP, STRIPPED, photo_features
from oidata.core.tables import Tables
from tests.core.made import CLASSES, DRAWN, PHOTOS, boxes, image_id, images, labels

VERDICTS = st.dictionaries(st.tuples(st.integers(0, 4), st.sampled_from(["/m/1", "/m/2"])), st.booleans())
GROUP = {"stripped": "group"}


def reasons(*given_tables: pd.DataFrame, **choices: object) -> list[str | None]:
    """Why each photo is left out, None where it is not."""
    found = left_out(Tables(*given_tables), **choices)  # type: ignore[arg-type]
    return [None if pd.isna(reason) else reason for reason in found]


@settings(max_examples=50)
@given(PHOTOS, DRAWN, VERDICTS, st.sampled_from(STRIPPED))
def test_an_example_has_a_box_or_lacks_a_class(
    photos: list[dict[str, object]],
    drawn: list[dict[str, object]],
    verdicts: dict[tuple[int, str], bool],
    way: str,
) -> None:
    """Each photo is an example or has a known reason; an example without boxes is verified to lack a class."""
    photos = [{**photo, "width_px": 640} for photo in photos]
    made = boxes(*(box for box in drawn if box["mid"] != "/m/3"))
    said = labels(*((photo, mid, is_present) for (photo, mid), is_present in verdicts.items()))
    out = left_out(Tables(images(*photos), made, said), stripped=way)
    assert set(out.dropna()) <= set(REASONS)
    chosen = images(*photos)[out.isna()]
    assert (chosen["status"] == "ok").all()
    for image, features in photo_features(chosen, made, said, CLASSES, way):
        if not len(features["image/object/class/label"]):
            assert len(features["image/neg_category_ids"])
            assert image not in set(made["image_id"])


@pytest.mark.parametrize(
    "way, drop_leftover, expected",
    [(DROP, False, None), (DROP, True, "leftover"), (IGNORE, True, None), (KEEP, True, None)],
)
def test_a_leftover_is_left_out_if_asked(way: str, expected: str | None, *, drop_leftover: bool) -> None:
    """A photo with another box is kept while a stripped object stays to see, unless that is asked otherwise."""
    made = boxes({}, {**GROUP, "xmax": 0.75})
    assert reasons(images({}), made, labels(), stripped=way, drop_leftover=drop_leftover) == [expected]


@pytest.mark.parametrize("drop_leftover", [False, True])
def test_a_photo_that_the_strip_emptied_is_no_negative(*, drop_leftover: bool) -> None:
    """A photo whose only box is not written shows its object: it never trains as background."""
    said = labels((0, "/m/2", False))
    assert reasons(images({}), boxes(GROUP), said, drop_leftover=drop_leftover) == ["no_box"]


@pytest.mark.parametrize("with_negatives, expected", [(True, [None, "no_box"]), (False, ["negative", "no_box"])])
def test_negatives_are_left_out_if_asked(expected: list[str | None], *, with_negatives: bool) -> None:
    """A photo verified to lack a class, and to show none, is an example without boxes, if those are wanted."""
    said = labels((0, "/m/1", False), (1, "/m/1", False), (1, "/m/2", True))
    assert reasons(images({}, {}), boxes(), said, with_negatives=with_negatives) == expected


def test_what_is_not_there_or_dropped_is_left_out() -> None:
    """A photo that is not whole, or dropped by the user, is left out for that, whatever its boxes."""
    photos = images({"status": "corrupt"}, {"status": "missing"}, {"dropped": "user:blurred"}, {})
    made = boxes(*({"photo": photo} for photo in range(4)))
    assert reasons(photos, made, labels()) == ["not_ok", "not_ok", "dropped", None]
    assert image_id(3) == photos["image_id"].iloc[3]
