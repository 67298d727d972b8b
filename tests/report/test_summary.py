"""Laws of how numbers are said."""

import pytest

from oidata.core.words import counted


@pytest.mark.parametrize(
    "number, words", [(0, "0 photos"), (1, "1 photo"), (2, "2 photos"), (1234, "1,234 photos"), (1001, "1,001 photos")]
)
def test_one_is_singular(number: int, words: str) -> None:
    """A single one is said so, all other numbers are plural, with thousands separated."""
    assert counted(number, "photo") == words


def test_a_plural_of_its_own() -> None:
    """A word whose plural is not made with an s brings it along."""
    assert (counted(1, "box", "boxes"), counted(2, "box", "boxes")) == ("1 box", "2 boxes")
