"""Laws of choosing photos."""

from collections import Counter

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from oidata.core.release.selection import Quota, negatives, positives, seeded_order
from oidata.core.tables import LABELS

IMAGE_IDS = st.integers(0, 40).map("{:016x}".format)
CLASSES = st.sampled_from(["/m/1", "/m/2", "/m/3"])
CLASSES_OF = st.dictionaries(IMAGE_IDS, st.sets(CLASSES, min_size=1))
SEEDS = st.integers(0, 99)
VERIFIED = st.dictionaries(st.tuples(IMAGE_IDS, CLASSES), st.booleans())


def labels(verified: dict[tuple[str, str], bool]) -> pd.DataFrame:
    """LABELS of the given verdicts by photo and class."""
    rows = [(image_id, mid, is_present) for (image_id, mid), is_present in verified.items()]
    return LABELS.conform(pd.DataFrame(rows, columns=["image_id", "mid", "is_present"]))


@given(CLASSES_OF)
def test_without_limits_all_are_taken(classes_of: dict[str, set[str]]) -> None:
    """With no limit every photo of a chosen class is taken, sorted by id."""
    assert positives(classes_of, Quota()) == sorted(classes_of)


@given(CLASSES_OF, st.integers(1, 20), SEEDS)
def test_a_limit_takes_that_many_or_all(classes_of: dict[str, set[str]], limit: int, seed: int) -> None:
    """A limit gives that many different photos, or all there are."""
    taken = positives(classes_of, Quota(limit=limit, seed=seed))
    assert taken == sorted(set(taken) & classes_of.keys())
    assert len(taken) == min(limit, len(classes_of))


@pytest.mark.parametrize("kind", ["limit", "limit_per_class"])
@given(classes_of=CLASSES_OF, small=st.integers(1, 9), more=st.integers(0, 9), seed=SEEDS)
def test_a_smaller_limit_gives_a_subset(
    kind: str, classes_of: dict[str, set[str]], small: int, more: int, seed: int
) -> None:
    """All photos of a smaller limit are among those of a larger one."""
    few, many = (positives(classes_of, Quota(**{kind: limit}, seed=seed)) for limit in (small, small + more))
    assert set(few) <= set(many)


@given(CLASSES_OF, st.integers(1, 9), SEEDS)
def test_each_class_reaches_its_limit(classes_of: dict[str, set[str]], per_class: int, seed: int) -> None:
    """With a limit per class each class has at least that many photos, or all there are."""
    taken = positives(classes_of, Quota(limit_per_class=per_class, seed=seed))
    there = Counter(mid for mids in classes_of.values() for mid in mids)
    have = Counter(mid for image_id in taken for mid in classes_of[image_id])
    assert all(have[mid] >= min(per_class, num) for mid, num in there.items())


@given(st.dictionaries(IMAGE_IDS, CLASSES.map(lambda mid: {mid})), st.integers(1, 9), SEEDS)
def test_a_limit_per_class_takes_no_more_than_it_needs(
    classes_of: dict[str, set[str]], per_class: int, seed: int
) -> None:
    """Where each photo shows one class alone, no class has more than its limit."""
    taken = positives(classes_of, Quota(limit_per_class=per_class, seed=seed))
    assert all(num <= per_class for num in Counter(mid for each in taken for mid in classes_of[each]).values())


@given(CLASSES_OF, VERIFIED, SEEDS, st.data())
def test_the_order_of_the_input_does_not_matter(
    classes_of: dict[str, set[str]], verified: dict[tuple[str, str], bool], seed: int, data: st.DataObject
) -> None:
    """The same photos are chosen whatever order they come in."""
    shuffled = dict(data.draw(st.permutations(list(classes_of.items()))))
    relabelled = labels(dict(data.draw(st.permutations(list(verified.items())))))
    for quota in (Quota(limit=3, seed=seed), Quota(limit_per_class=2, seed=seed)):
        assert positives(shuffled, quota) == positives(classes_of, quota)
    quota = Quota(negatives=3, seed=seed)
    assert negatives(shuffled, relabelled, quota) == negatives(classes_of, labels(verified), quota)


def test_the_order_is_that_of_every_machine() -> None:
    """The seeded order is that of the BLAKE2b digests of "seed/id", here as `b2sum -l 64` gives them."""
    image_ids = [f"{number:016x}" for number in range(6)]
    assert [int(image_id, 16) for image_id in seeded_order(image_ids, 0)] == [3, 1, 0, 2, 5, 4]
    assert seeded_order(image_ids, 1) != seeded_order(image_ids, 0)


@given(st.sets(IMAGE_IDS), VERIFIED, st.integers(0, 20), SEEDS)
def test_negatives_show_no_chosen_class(
    boxed: set[str], verified: dict[tuple[str, str], bool], num: int, seed: int
) -> None:
    """A negative has no box, nothing verified present and something verified absent; as many are taken as there are."""
    taken = negatives(boxed, labels(verified), Quota(negatives=num, seed=seed))
    present = {image_id for (image_id, _), is_present in verified.items() if is_present}
    fit = {image_id for image_id, _ in verified} - present - boxed
    assert set(taken) <= fit
    assert taken == sorted(set(taken))
    assert len(taken) == min(num, len(fit))


@given(VERIFIED, st.integers(1, 20), SEEDS)
def test_negatives_with_more_absents_come_first(verified: dict[tuple[str, str], bool], num: int, seed: int) -> None:
    """No photo is left that is verified to lack more classes than one that is taken."""
    taken = negatives(set(), labels(verified), Quota(negatives=num, seed=seed))
    absents = Counter(image_id for image_id, _ in verified)
    present = {image_id for (image_id, _), is_present in verified.items() if is_present}
    left = absents.keys() - present - set(taken)
    assert max((absents[each] for each in left), default=0) <= min((absents[each] for each in taken), default=3)


@given(VERIFIED, st.integers(0, 9), st.integers(0, 9), SEEDS)
def test_fewer_negatives_are_a_subset(verified: dict[tuple[str, str], bool], small: int, more: int, seed: int) -> None:
    """All negatives of a smaller number are among those of a larger one."""
    few, many = (negatives(set(), labels(verified), Quota(negatives=num, seed=seed)) for num in (small, small + more))
    assert set(few) <= set(many)
