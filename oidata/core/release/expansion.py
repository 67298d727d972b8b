"""What boxes and verified labels of a class say of the classes above and below it, as the Challenge expands them.

As TFOD's dataset_tools/oid_hierarchical_labels_expansion.py: a box of Lemon is a box of Fruit too, presence passes
upward, and absence downward.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from oidata.core.tables import LABELS, Tables

if TYPE_CHECKING:
    from oidata.core.labels import Hierarchy, LabelMap


def expanded(tables: Tables, classes: LabelMap, hierarchy: Hierarchy) -> Tables:
    """The tables with boxes and verified labels passed on among `classes`; images stay as they are.

    Of `boxes`, a row is repeated for each class above its own, so that a box_id stands there more than once; a box that
    the release has for the class above as well is one more, as in TFOD. Of `labels`, one row is kept for each photo
    and class, and present wins over absent.
    """
    above = pd.DataFrame(
        [(mid, other) for mid in classes.mids for other in classes.mids if other in hierarchy.ancestors(mid)],
        columns=["mid", "other"],
        dtype="str",
    )
    below = above.rename(columns={"mid": "other", "other": "mid"})
    is_present = tables.labels["is_present"]
    labels = pd.concat([_passed(tables.labels[is_present], above), _passed(tables.labels[~is_present], below)])
    labels = labels.sort_values("is_present", ascending=False, kind="stable").drop_duplicates(list(LABELS.key))
    return Tables(tables.images, _passed(tables.boxes, above), labels.reset_index(drop=True))


def _passed(rows: pd.DataFrame, pairs: pd.DataFrame) -> pd.DataFrame:
    """The rows, and after them, for each of `pairs` with a row's `mid`, that row with `other` for it."""
    more = rows.reset_index(names="at").merge(pairs, on="mid").assign(mid=lambda frame: frame["other"])
    return pd.concat([rows, more[rows.columns]], ignore_index=True)
