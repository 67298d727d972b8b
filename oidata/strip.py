"""`oidata strip`: marks the boxes that should not train a detector, and says what that leaves behind."""

from __future__ import annotations

from typing import TYPE_CHECKING

from oidata.core.release import defects
from oidata.core.release.defects import DEFAULT
from oidata.io import files
from oidata.report.strip_report import Aftermath, Stripped, StripReport

if TYPE_CHECKING:
    from collections.abc import Collection

    import pandas as pd

    from oidata.dataset import Dataset


def strip(dataset: Dataset, flags: Collection[str] = DEFAULT, *, with_unknown: bool = False) -> StripReport:
    """Mark every box with all reasons that apply: the rules in `flags`, and those that always do.

    Nothing is deleted, reasons of the user's (`user:…`) are kept, and doing it twice changes nothing.
    """
    with files.locked(dataset.path):
        boxes = dataset.boxes()
        stripped = boxes.assign(stripped=defects.reasons(boxes, flags, with_unknown=with_unknown))
        dataset.write_boxes(stripped)
    return _report(dataset, stripped, () if with_unknown else flags)


def unstrip(dataset: Dataset) -> StripReport:
    """Take all marks back but the user's."""
    with files.locked(dataset.path):
        boxes = dataset.boxes()
        restored = boxes.assign(stripped=defects.user_reasons(boxes))
        dataset.write_boxes(restored)
    return _report(dataset, restored, ())


def _report(dataset: Dataset, boxes: pd.DataFrame, flags: Collection[str]) -> StripReport:
    """What is marked; of `flags` it counts the boxes that are kept since one of them is unknown."""
    images = dataset.images()
    split_of = images.loc[images["status"] == "ok"].set_index("image_id")["split"]
    boxes = boxes.assign(split=boxes["image_id"].map(split_of))
    absent = boxes[boxes["split"].isna()]
    boxes = boxes[boxes["split"].notna()]
    return StripReport(
        directory=str(dataset.path),
        classes=tuple(
            _stripped(boxes[(boxes["split"] == split) & (boxes["mid"] == mid)], split, name)
            for split in dataset.info.splits
            for mid, name in dataset.info.classes.names.items()
        ),
        photos=tuple(_aftermath(boxes[boxes["split"] == split], split) for split in dataset.info.splits),
        unknown_flags=defects.num_unknown(boxes[boxes["stripped"].isna()], flags),
        num_absent=len(absent),
        num_absent_stripped=int(absent["stripped"].notna().sum()),
    )


def _stripped(boxes: pd.DataFrame, split: str, display_name: str) -> Stripped:
    reasons = defects.split_reasons(boxes["stripped"])["reason"].value_counts(sort=False)
    counts = {str(reason): int(n) for reason, n in reasons.items()}
    return Stripped(split, display_name, len(boxes), int(boxes["stripped"].notna().sum()), counts)


def _aftermath(boxes: pd.DataFrame, split: str) -> Aftermath:
    emptied, collateral = defects.emptied(boxes), defects.collateral(boxes)
    return Aftermath(split, boxes["image_id"].nunique(), len(emptied), len(collateral))
