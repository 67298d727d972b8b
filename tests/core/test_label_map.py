"""Laws of label maps; protobuf is the oracle."""

from typing import Any

import pytest
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory, text_format
from hypothesis import given
from hypothesis import strategies as st

from oidata.core.label_map import label_map_text
from oidata.core.labels import Label, LabelMap


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
