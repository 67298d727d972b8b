"""Laws of the label maps of trained models, as files."""

from pathlib import Path

import pytest

from oidata.core.labels import Label, LabelMap
from oidata.errors import ConfigError
from oidata.io.label_maps import read_label_map

RELEASE = LabelMap((Label("/m/09k_b", "Lemon"), Label("/m/01nkt", "Cheese")))


@pytest.mark.parametrize(
    "name, text",
    [
        ("labelmap.txt", "???\nLemon\nCheese\n"),
        ("label_map.pbtxt", 'item { id: 1 name: "Lemon" } item { id: 2 name: "Cheese" }'),
    ],
)
def test_the_name_of_the_file_says_what_it_is(name: str, text: str, tmp_path: Path) -> None:
    """A .txt is one class a line, and anything else TFOD's own format."""
    path = tmp_path / name
    path.write_text(text)
    assert read_label_map(path, RELEASE) == {1: "/m/09k_b", 2: "/m/01nkt"}


def test_a_label_map_that_is_not_there_is_named(tmp_path: Path) -> None:
    """ConfigError says where none is."""
    with pytest.raises(ConfigError, match=r"no label map at .*absent\.pbtxt"):
        read_label_map(tmp_path / "absent.pbtxt", RELEASE)
