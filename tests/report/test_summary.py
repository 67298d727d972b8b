"""Laws of how numbers are said."""

import pytest

from oidata.core.words import counted
from oidata.report.summary import Fixed


@pytest.mark.parametrize(
    "number, words", [(0, "0 photos"), (1, "1 photo"), (2, "2 photos"), (1234, "1,234 photos"), (1001, "1,001 photos")]
)
def test_one_is_singular(number: int, words: str) -> None:
    """A single one is said so, all other numbers are plural, with thousands separated."""
    assert counted(number, "photo") == words


def test_a_plural_of_its_own() -> None:
    """A word whose plural is not made with an s brings it along."""
    assert (counted(1, "box", "boxes"), counted(2, "box", "boxes")) == ("1 box", "2 boxes")


@pytest.mark.parametrize(
    "number, words", [(Fixed(0.0533), "0.053"), (Fixed(4.0, 2), "4.00"), (Fixed(0.0533, 2), "0.05")]
)
def test_a_fixed_number_has_all_its_decimals(number: Fixed, words: str) -> None:
    """So that the points of a column are below each other."""
    assert str(number) == words
