"""Laws of where the fields of a text stand."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oidata.core.config.prototext import outline
from oidata.errors import ConfigError

TEXT = "a { # b: 1\r\n b : 'c {' \"d\" ; e: [ < f: 1 >, {} ],\r} [x.y]: -2"


@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_the_outline_has_every_field_and_message(mark: str) -> None:
    """Name, value and separator of each field, and the brackets of each message, are where the outline says."""
    text = mark + TEXT
    found = outline(text, "a text")
    assert [
        (each.path, text[each.start : each.end], text[each.value_start : each.value_end]) for each in found.fields
    ] == [
        ("a.b", "b : 'c {' \"d\" ;", "'c {' \"d\""),
        ("a.e.f", "f: 1", "1"),
        ("a.e", "e: [ < f: 1 >, {} ],", "[ < f: 1 >, {} ]"),
        ("a", TEXT[: TEXT.index(" [x")], TEXT[2 : TEXT.index(" [x")]),
        ("[x.y]", "[x.y]: -2", "-2"),
    ]
    assert [(each.path, text[each.start : each.end]) for each in found.blocks] == [
        ("a.e", "< f: 1 >"),
        ("a.e", "{}"),
        ("a", TEXT[2 : TEXT.index(" [x")]),
    ]


@given(st.lists(st.sampled_from(["a", ":", "1", "{", "}", "[", "]", "'b'", '"', "#", ",", " ", "\r", "\n"])))
def test_places_do_not_reach_beyond_the_text(parts: list[str]) -> None:
    """A text is outlined or refused, and what stands at a place begins and ends as it should."""
    text = "".join(parts)
    try:
        found = outline(text, "a text")
    except ConfigError:
        return
    for field in found.fields:
        assert 0 <= field.start < field.value_start < field.value_end <= field.end <= len(text)
        assert text[field.start :].startswith(field.path.rpartition(".")[2])
    for block in found.blocks:
        assert text[block.start] + text[block.end - 1] == "{}"


def test_an_outline_is_refused_with_its_place() -> None:
    """A text that is not in the format is refused where it is wrong, lines counted as they end."""
    with pytest.raises(ConfigError, match=r"a text, line 3, column 5: expected ':' or '{', found '1'"):
        outline("a: 1\r\nb {\r  c 1 }", "a text")
