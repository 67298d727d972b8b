"""Laws of label maps; protobuf is the oracle."""

import re
from typing import Any

import pytest
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory, text_format
from hypothesis import given
from hypothesis import strategies as st

from oidata.core.config.label_map import label_map_text, mids_of_lines, mids_of_pbtxt
from oidata.core.labels import Label, LabelMap
from oidata.errors import ConfigError


@pytest.fixture(scope="module")
def label_map_message() -> Any:
    """TFOD's StringIntLabelMap, from what protos/string_int_label_map.proto says of the three fields written here."""
    file = descriptor_pb2.FileDescriptorProto(name="label_map.proto", package="test", syntax="proto2")
    item, whole = file.message_type.add(name="Item"), file.message_type.add(name="Map")
    kinds = descriptor_pb2.FieldDescriptorProto
    for number, (name, kind) in enumerate(
        [("name", kinds.TYPE_STRING), ("id", kinds.TYPE_INT32), ("display_name", kinds.TYPE_STRING)], start=1
    ):
        item.field.add(name=name, number=number, type=kind, label=kinds.LABEL_OPTIONAL)
    whole.field.add(name="item", number=1, type=kinds.TYPE_MESSAGE, type_name=".test.Item", label=kinds.LABEL_REPEATED)
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("test.Map"))


def test_the_label_map_is_as_protobuf_writes_it(label_map_message: Any) -> None:
    """Whatever the names, the text is protobuf's own for the same message, and reads back."""

    @given(st.lists(st.tuples(*[st.text(st.characters(exclude_categories=["Cs"]), max_size=8)] * 2), max_size=4))
    def check(names: list[tuple[str, str]]) -> None:
        items = [{"name": mid, "id": number, "display_name": name} for number, (mid, name) in enumerate(names, 1)]
        text = label_map_text(LabelMap(tuple(Label(*pair) for pair in names)))
        assert text == text_format.MessageToString(label_map_message(item=items), as_utf8=False)
        assert text_format.Parse(text, label_map_message()) == label_map_message(item=items)

    check()


def test_the_label_map_by_example() -> None:
    """Ids count from 1, since 0 is background; a class is named by its MID."""
    classes = LabelMap((Label("/m/09k_b", "Lemon"), Label("/m/01nkt", "Cheese")))
    assert label_map_text(classes) == (
        'item {\n  name: "/m/09k_b"\n  id: 1\n  display_name: "Lemon"\n}\n'
        'item {\n  name: "/m/01nkt"\n  id: 2\n  display_name: "Cheese"\n}\n'
    )


RELEASE = LabelMap((Label("/m/09k_b", "Lemon"), Label("/m/01nkt", "Cheese"), Label("/m/01", "Coffee cup")))


def test_a_label_map_reads_back() -> None:
    """What is written for a dataset names the same classes by the same ids."""
    read = mids_of_pbtxt(label_map_text(RELEASE), "label_map.pbtxt", RELEASE)
    assert read == dict(enumerate(RELEASE.mids, start=1))


@pytest.mark.parametrize(
    "item",
    [
        'name: "/m/01nkt"',
        'name: "Cheese"',
        'name: "cheese" display_name: "Brie"',
        'name: "cls_7" display_name: "Cheese"',
        'display_name: "/m/01nkt"',
    ],
)
def test_a_class_is_named_by_its_mid_or_its_display_name(item: str) -> None:
    """Either may stand in either field; a name that is of the release comes before a display name."""
    assert mids_of_pbtxt(f"item {{ id: 7 {item} }}", "map", RELEASE) == {7: "/m/01nkt"}


def test_the_background_may_be_named() -> None:
    """An item with the id 0 and the name that TFOD gives the background is no class."""
    text = 'item { id: 0 name: "background" } item { id: 1 name: "Lemon" }'
    assert mids_of_pbtxt(text, "map", RELEASE) == {1: "/m/09k_b"}


@pytest.mark.parametrize("background", ["???", "background", "Background", ""])
def test_lines_count_from_0_which_is_background(background: str) -> None:
    """The class in the second line has the id 1; gaps are no classes, and keep their numbers."""
    text = f"{background}\r\nLemon\r\n???\r\nCoffee cup\r\n\r\n"
    assert mids_of_lines(text, "labelmap.txt", RELEASE) == {1: "/m/09k_b", 3: "/m/01"}


def test_a_class_that_is_none_of_ours_keeps_its_name() -> None:
    """What another data set calls its classes stands in place of a MID, for people: display names first."""
    lines = mids_of_lines("???\nLemon\nChese\n", "map", RELEASE)
    assert lines == {1: "/m/09k_b", 2: "Chese"}
    items = 'item { id: 1 name: "x1" display_name: "Lemons" } item { id: 2 name: "/m/0k4j" }'
    assert mids_of_pbtxt(items, "map", RELEASE) == {1: "Lemons", 2: "/m/0k4j"}


@pytest.mark.parametrize(
    "text, fault",
    [
        ("Lemon\nCheese\n", "map begins with 'Lemon'"),
        ("???\n", "map names no class"),
        ("", "map names no class"),
    ],
)
def test_lines_that_do_not_fit_are_refused(text: str, fault: str) -> None:
    """No background and no class at all raise ConfigError that says so."""
    with pytest.raises(ConfigError, match=re.escape(fault)):
        mids_of_lines(text, "map", RELEASE)


@pytest.mark.parametrize(
    "text, fault",
    [
        ('item { id: 1 name: "Lemon" } item { id: 1 name: "Cheese" }', "map has the id 1 twice"),
        ('item { id: 0 name: "Lemon" }', "map has the id 0"),
        ("item { id: 1 }", "map does not name the class 1"),
        ("", "map names no class"),
        ("classes: 3", "map"),
    ],
)
def test_a_label_map_that_does_not_fit_is_refused(text: str, fault: str) -> None:
    """Ids that are no ids, and classes without a name raise ConfigError that says so."""
    with pytest.raises(ConfigError, match=re.escape(fault)):
        mids_of_pbtxt(text, "map", RELEASE)
