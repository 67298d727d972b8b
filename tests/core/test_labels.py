"""Laws of class labels, the label map and the hierarchy."""

from collections.abc import Mapping, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oidata.core.labels import Hierarchy, Label, LabelMap
from oidata.errors import TableError, UnknownClassError

FRIES = Label("/m/02y6n", "French fries")
BALL = Label("/m/02ctlc", "Cricket ball")
LEMON = Label("/m/09k_b", "Lemon")
CLASSES = LabelMap((FRIES, BALL, LEMON))

Node = dict[str, object]
Parents = Mapping[str, Sequence[str]]


def node(mid: str, *children: Node, parts: Sequence[Node] = ()) -> Node:
    """A node as the hierarchy file writes it, without the lists that would be empty."""
    return {"LabelName": mid} | {
        name: list(nodes) for name, nodes in {"Subcategory": children, "Part": parts}.items() if nodes
    }


@pytest.mark.parametrize(
    "name, expected",
    [
        ("French fries", FRIES),
        ("french FRIES", FRIES),
        ("FrenchFries", FRIES),
        ("  french   fries ", FRIES),
        ("CricketBall", BALL),
        ("/m/09k_b", LEMON),
    ],
)
def test_a_class_is_found_by_name_or_mid(name: str, expected: Label) -> None:
    """A name is found without regard to case and spaces, and a machine id as it is."""
    assert CLASSES.find(name) is expected


@pytest.mark.parametrize(
    "name, close",
    [
        ("Lemmon", ("Lemon",)),
        ("frensh fries", ("French fries",)),
        ("ball", ("Cricket ball",)),
        ("xyz", ()),
        ("en", ()),
        ("", ()),
    ],
)
def test_an_unknown_class_names_those_that_come_close(name: str, close: tuple[str, ...]) -> None:
    """A name that no class has is an error that says which names come close, or contain it."""
    with pytest.raises(UnknownClassError) as caught:
        CLASSES.find(name)
    assert caught.value.close == close
    assert all(each in caught.value.hint for each in close)
    assert repr(name) in caught.value.message


@given(st.lists(st.sampled_from(["lemon", "LEMON", "/m/09k_b", "cricketball", "French fries"])))
def test_select_keeps_the_order_of_first_naming(names: list[str]) -> None:
    """Selected classes stand in the order of their first naming, each once."""
    chosen = CLASSES.select(names).labels
    found = [CLASSES.find(name) for name in names]
    assert set(chosen) == set(found)
    firsts = [found.index(label) for label in chosen]
    assert firsts == sorted(set(firsts))


def test_mids_and_names_stand_in_id_order() -> None:
    """The views of a label map keep its order, which gives the ids."""
    assert CLASSES.mids == ("/m/02y6n", "/m/02ctlc", "/m/09k_b")
    assert list(CLASSES.names.items()) == [(label.mid, label.display_name) for label in CLASSES.labels]


TREE = node(
    "entity",
    node("food", node("fruit", node("lemon"), parts=[node("peel")]), node("dairy", node("cheese"))),
    node("plant", node("fruit", node("lime"))),
)


def test_a_class_may_have_several_parents() -> None:
    """A class that stands in several places has all its parents, and all children that any place gives it."""
    hierarchy = Hierarchy.from_json(TREE)
    assert hierarchy.parents["fruit"] == {"food", "plant"}
    assert hierarchy.parents["entity"] == frozenset()
    assert hierarchy.ancestors("lime") == hierarchy.ancestors("lemon") == {"fruit", "food", "plant", "entity"}


def test_a_part_is_no_kind() -> None:
    """A class that is only ever a part of another is not in the "is a" relation."""
    hierarchy = Hierarchy.from_json(TREE)
    assert "peel" not in hierarchy.parents
    assert hierarchy.fold(["fruit"]) == {"fruit": "fruit", "lemon": "fruit", "lime": "fruit"}


@pytest.mark.parametrize(
    "broken",
    [
        None,
        [],
        {},
        {"LabelName": 7},
        {"LabelName": "a", "Subcategory": ["b"]},
        {"LabelName": "a", "Subcategory": [{"Subcategory": []}]},
        {"LabelName": "a", "Subcategory": {"LabelName": "b"}},
        {"LabelName": "a", "Subcategory": None},
        {"LabelName": "a", "Subcategory": 5},
    ],
)
def test_a_broken_hierarchy_is_refused(broken: object) -> None:
    """JSON that is no tree of named classes is a TableError."""
    with pytest.raises(TableError, match="hierarchy"):
        Hierarchy.from_json(broken)


@st.composite
def directed_graphs(draw: st.DrawFn) -> dict[str, list[str]]:
    """Parents by class: the first is the root, and each other has one or two of those before it."""
    names = [f"/m/{index}" for index in range(draw(st.integers(1, 8)))]
    above = {
        name: draw(st.lists(st.sampled_from(names[:index]), min_size=1, max_size=2, unique=True))
        for index, name in enumerate(names)
        if index
    }
    return {names[0]: [], **above}


def tree_of(parents: Parents, mid: str) -> Node:
    """The nested form, in which a class with two parents stands twice."""
    return node(mid, *(tree_of(parents, child) for child, above in parents.items() if mid in above))


def distances(parents: Parents, mid: str) -> dict[str, int]:
    """By each class at or above `mid`, the fewest steps up to it."""
    found, level, steps = {mid: 0}, [mid], 0
    while level:
        steps += 1
        level = [above for each in level for above in parents[each] if above not in found]
        found |= dict.fromkeys(level, steps)
    return found


@given(directed_graphs())
def test_the_nested_form_keeps_the_relation(parents: Parents) -> None:
    """Reading the nested form gives each class the parents that it was written with, and their ancestors."""
    hierarchy = Hierarchy.from_json(tree_of(parents, "/m/0"))
    assert hierarchy.parents == {mid: frozenset(above) for mid, above in parents.items()}
    for mid in parents:
        assert hierarchy.ancestors(mid) == distances(parents, mid).keys() - {mid}


@given(directed_graphs(), st.data())
def test_fold_gives_the_nearest_chosen_class(parents: Parents, data: st.DataObject) -> None:
    """Each class at or below a chosen one folds into the nearest, the one chosen first where two are as near."""
    chosen = data.draw(st.lists(st.sampled_from(sorted(parents)), unique=True))
    expected = {}
    for mid in parents:
        ranked = [(steps, chosen.index(above)) for above, steps in distances(parents, mid).items() if above in chosen]
        if ranked:
            expected[mid] = chosen[min(ranked)[1]]
    assert Hierarchy.from_json(tree_of(parents, "/m/0")).fold(chosen) == expected


def test_fold_of_nothing_is_nothing() -> None:
    """Where no class is chosen, none is folded."""
    assert Hierarchy.from_json(TREE).fold([]) == {}


def test_a_chosen_class_below_another_stays_itself() -> None:
    """A chosen class is not folded into a chosen one above it, and takes those below it."""
    assert Hierarchy.from_json(TREE).fold(["food", "fruit"]) == {
        "food": "food",
        "fruit": "fruit",
        "lemon": "fruit",
        "lime": "fruit",
        "dairy": "food",
        "cheese": "food",
    }
