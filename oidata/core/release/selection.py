"""Which photos make up a subset: limits and negatives, chosen by a seeded order.

Every photo has a place in one order that depends on the seed and its id alone. A limit takes from the front,
so a smaller limit gives a subset of a larger one, on every machine and for every order of the input.
"""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import blake2b
from typing import TYPE_CHECKING

from oidata.core.tables import SPLITS
from oidata.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    import pandas as pd


@dataclass(frozen=True)
class Quota:
    """How many photos to take of each split; None takes all that show a chosen class."""

    limit: int | None = None
    limit_per_class: int | None = None
    negatives: int = 0
    seed: int = 0


def splits_of(names: Iterable[str]) -> tuple[str, ...]:
    """The named splits, each once, in the order of SPLITS; `val` is validation. Raises UsageError for another name."""
    named = {"validation" if name == "val" else str(name) for name in names}
    unknown = sorted(named.difference(SPLITS))
    if unknown or not named:
        message = f"{unknown[0]!r} is no split." if unknown else "No split is named."
        raise UsageError(message, f"Splits are {', '.join(SPLITS)}; val is short for validation.")
    return tuple(split for split in SPLITS if split in named)


def seeded_order(image_ids: Iterable[str], seed: int) -> list[str]:
    """The ids in the order that `seed` gives them."""
    return sorted(image_ids, key=lambda image_id: blake2b(f"{seed}/{image_id}".encode(), digest_size=8).digest())


def positives(classes_of: Mapping[str, Collection[str]], quota: Quota) -> list[str]:
    """The photos to take among those that show a chosen class, sorted by id.

    `classes_of` maps image_id to the chosen classes boxed in it. `limit_per_class` goes through the seeded
    order and takes a photo while one of its classes still lacks some: every class then has that many photos,
    or all there are (a class that keeps company with another may have more).
    """
    order = seeded_order(classes_of, quota.seed)
    if quota.limit_per_class is not None:
        order = _fill(order, classes_of, quota.limit_per_class)
    return sorted(order[: quota.limit])


def _fill(order: list[str], classes_of: Mapping[str, Collection[str]], per_class: int) -> list[str]:
    count: dict[str, int] = {}
    taken = []
    for image_id in order:
        classes = classes_of[image_id]
        if any(count.get(mid, 0) < per_class for mid in classes):
            taken.append(image_id)
            for mid in classes:
                count[mid] = count.get(mid, 0) + 1
    return taken


def negatives(boxed: Collection[str], labels: pd.DataFrame, quota: Quota) -> list[str]:
    """The photos to take that are verified to lack a chosen class and show none, sorted by id.

    `boxed` are the ids with a box of any chosen class, `labels` the LABELS of the split. Photos verified to lack
    the most chosen classes come first.
    """
    present = set(labels.loc[labels["is_present"], "image_id"])
    absent = labels.loc[~labels["is_present"], "image_id"].value_counts()
    candidates = [str(image_id) for image_id in absent.index if image_id not in present and image_id not in boxed]
    order = sorted(seeded_order(candidates, quota.seed), key=lambda image_id: -absent[image_id])
    return sorted(order[: quota.negatives])
