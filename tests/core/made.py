"""Small tables made by hand or drawn by Hypothesis, for the tests of what is computed from a dataset's tables."""

from collections.abc import Mapping

import pandas as pd
from hypothesis import strategies as st

from oidata.core.labels import Label, LabelMap
from oidata.core.statistics import Cells
from oidata.core.tables import BOXES, COORDINATES, FLAGS, IMAGES, LABELS, SPLITS

CLASSES = LabelMap((Label("/m/1", "One"), Label("/m/2", "Two")))
CELLS = Cells(CLASSES, ("train", "test"))
PHOTO = {"split": "train", "status": "ok", "dropped": None, "width_px": 640, "height_px": 480}
BOX = {
    "mid": "/m/1",
    "mid_original": "/m/1",
    "source": "xclick",
    **dict(zip(COORDINATES, (0.25, 0.25, 0.5, 0.5), strict=True)),
    **dict.fromkeys(FLAGS, 0),
    "stripped": None,
}
PHOTOS = st.lists(
    st.fixed_dictionaries(
        {
            "split": st.sampled_from(SPLITS),
            "status": st.sampled_from(["ok", "ok", "missing"]),
            "dropped": st.sampled_from([None, None, "user:blurred"]),
            "width_px": st.sampled_from([None, 640]),
        }
    ),
    max_size=5,
)
DRAWN = st.lists(
    st.fixed_dictionaries(
        {
            "photo": st.integers(0, 5),
            "mid": st.sampled_from(["/m/1", "/m/2", "/m/3"]),
            "stripped": st.sampled_from([None, None, "group"]),
        }
    ),
    max_size=8,
)


def image_id(number: int) -> str:
    return f"{number:016x}"


def images(*photos: Mapping[str, object]) -> pd.DataFrame:
    """IMAGES with a row for each of `photos`, which say how it differs from PHOTO."""
    rows = [{"image_id": image_id(number), **PHOTO, **photo} for number, photo in enumerate(photos)]
    return IMAGES.conform(pd.DataFrame(rows, columns=[column.name for column in IMAGES.columns]))


def boxes(*changes: Mapping[str, object]) -> pd.DataFrame:
    """BOXES with a row for each of `changes` to BOX, each on the photo of the number `photo`."""
    rows = [
        {"box_id": f"{image_id(int(str(change.get('photo', 0))))}-{row}", "image_id": image_id(0), **BOX, **change}
        for row, change in enumerate(changes)
    ]
    frame = pd.DataFrame(rows, columns=[*(column.name for column in BOXES.columns), "photo"])
    frame["image_id"] = [image_id(int(photo)) for photo in frame["photo"].fillna(0)]
    return BOXES.conform(frame)


def labels(*verdicts: tuple[int, str, bool]) -> pd.DataFrame:
    """LABELS with a row for each (photo, class, is present)."""
    rows = [(image_id(photo), mid, is_present) for photo, mid, is_present in verdicts]
    return LABELS.conform(pd.DataFrame(rows, columns=["image_id", "mid", "is_present"]))
