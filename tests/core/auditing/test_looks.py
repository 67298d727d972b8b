"""What was seen of photos is counted."""

import pandas as pd

from oidata.core.auditing.duplicates import Overlap
from oidata.core.auditing.looks import NUM_NAMED, look_facts
from tests.core import made


def seen(number: int, **changes: object) -> dict[str, object]:
    photo = {"reason": "", "mode": "RGB", "width_px": 640, "height_px": 480, "exif_orientation": 1}
    return {"image_id": made.image_id(number), **photo, **changes}


def test_photos_are_counted_by_what_is_odd_about_them() -> None:
    """A photo that does not decode counts as that alone; others by mode, orientation, rotation and shape."""
    decoded = pd.DataFrame(
        [
            seen(0),
            seen(1, mode="L", exif_orientation=6),
            seen(2, width_px=1000, height_px=333),
            seen(3, width_px=333, height_px=1000),
            seen(4, width_px=999, height_px=333),
            seen(5, reason="cut short", mode="", width_px=0, height_px=0),
        ]
    )
    images = made.images(*[{"rotation": rotation} for rotation in (None, 0, 90, 360, 0, 270)])
    facts = look_facts(decoded, images, (Overlap("train", "train", 1, 2, 2), Overlap("train", "test", 1, 1, 1)))
    assert (facts.num_photos, facts.num_undecodable) == (6, 1)
    assert facts.undecodable == {made.image_id(5): "cut short"}
    assert facts.modes == {"L": 1, "RGB": 4}
    assert (facts.num_turned, facts.turned) == (1, (made.image_id(1),))
    assert facts.num_rotated == 2
    assert facts.num_extreme == 2
    assert [leak.other for leak in facts.leaks] == ["test"]


def test_only_the_first_are_named() -> None:
    """Of many broken or turned photos all are counted, and NUM_NAMED are named."""
    many = range(NUM_NAMED + 5)
    broken = look_facts(pd.DataFrame([seen(number, reason="x") for number in many]), made.images(), ())
    turned = look_facts(pd.DataFrame([seen(number, exif_orientation=3) for number in many]), made.images(), ())
    assert (broken.num_undecodable, len(broken.undecodable)) == (NUM_NAMED + 5, NUM_NAMED)
    assert (turned.num_turned, len(turned.turned)) == (NUM_NAMED + 5, NUM_NAMED)
