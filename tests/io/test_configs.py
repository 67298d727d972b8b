"""Laws of reading pipeline configs, and the values of those that the package carries."""

from pathlib import Path

import pytest

from oidata.core.config.pipeline import PipelineConfig, differences
from oidata.core.matcher.detector import Detector
from oidata.errors import ConfigError
from oidata.io.configs import DEFAULT_NAME, MAX_BYTES, REFERENCE_NAMES, read_config, references, unread_paths
from tests.conftest import SHARED, absent

TEXT = "model { ssd { num_classes: 2 } }"


@pytest.mark.parametrize("name", REFERENCE_NAMES)
def test_a_reference_has_the_values_of_its_origin(name: str) -> None:
    """The package's layout of a reference says what TFOD's config says, in as many fields."""
    path = SHARED / "facts" / "reference-configs" / f"{name}.config"
    if not path.is_file():
        absent(f"there is no {path}")
    origin = PipelineConfig.parse(path.read_text(encoding="utf-8"), name)
    assert read_config(name).fields() == origin.fields()


@pytest.mark.parametrize("reference", references(), ids=lambda reference: reference.name)
def test_a_reference_is_known_to_the_last_field_and_names_its_origin(reference: PipelineConfig) -> None:
    """Every field of a reference is known, its anchors can be made, and its first lines name origin and licence."""
    assert reference.unknown_fields == ()
    assert Detector.of(reference).matcher.force_match
    heading = reference.text.split("model {")[0]
    assert "tensorflow/models (Apache-2.0" in heading
    assert "research/object_detection/" in heading


@pytest.mark.parametrize("reference, name", list(zip(references(), REFERENCE_NAMES, strict=True)))
def test_a_reference_is_found_by_either_name(reference: PipelineConfig, name: str) -> None:
    """A reference has its full name, and one without what they all begin with."""
    assert read_config(name) == read_config(name.removeprefix("ssd_mobilenet_v2_")) == reference
    assert reference.name == name


def test_the_default_is_a_reference() -> None:
    """The config that is taken where none is given is among those that the package carries."""
    assert DEFAULT_NAME in REFERENCE_NAMES


def test_no_two_references_say_the_same() -> None:
    """Each reference differs from each other in more than paths."""
    configs = references()
    pairs = [(one, two) for one in configs for two in configs if one.name < two.name]
    assert all(any("path" not in each.path for each in differences(one, two)) for one, two in pairs)


@pytest.mark.parametrize("data", [TEXT.encode(), b"\xef\xbb\xbf" + TEXT.encode(), TEXT.replace(" ", "\r\n").encode()])
def test_a_file_is_read(tmp_path: Path, data: bytes) -> None:
    """A file is read with every kind of line end and with a byte order mark; its path names the config."""
    path = tmp_path / "pipeline.config"
    path.write_bytes(data)
    for given in (path, str(path)):
        assert read_config(given).fields() == {"model.ssd.num_classes": 2}
        assert read_config(given).name == str(path)


def test_a_name_comes_before_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A text that is a reference's name means the reference; as a Path it means the file."""
    monkeypatch.chdir(tmp_path)
    Path("oid_v4").write_text(TEXT, encoding="utf-8")
    assert read_config("oid_v4").name == "ssd_mobilenet_v2_oid_v4"
    assert read_config(Path("oid_v4")).fields() == {"model.ssd.num_classes": 2}
    assert read_config("./oid_v4").fields() == {"model.ssd.num_classes": 2}


@pytest.mark.parametrize("name", ["ssd_mobilenet_v9", "no/such.config", "", "gs://bucket/pipeline.config"])
def test_what_is_neither_names_the_references(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """What is no file and no reference is refused, and the references are listed where a name may have been meant."""
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError) as caught:
        read_config(name)
    assert caught.value.hint
    if name:
        assert all(reference in caught.value.hint for reference in REFERENCE_NAMES)


@pytest.mark.parametrize(
    "data, fault",
    [
        (b"model { ssd { \xff } }", "not text in UTF-8: byte 14 is 0xff"),
        (b" " * (MAX_BYTES + 1), "more than 1,048,576 bytes"),
        (b"", "is empty"),
        (b"model { ssd {", "line 1, column 14: expected '}'"),
    ],
)
def test_a_file_that_is_no_config_is_refused(tmp_path: Path, data: bytes, fault: str) -> None:
    """The error about a file names it, and says what is wrong with it."""
    path = tmp_path / "pipeline.config"
    path.write_bytes(data)
    with pytest.raises(ConfigError, match=fault) as caught:
        read_config(path)
    assert str(path) in caught.value.message


def test_a_directory_is_no_config(tmp_path: Path) -> None:
    """What the file system refuses is said with the path."""
    with pytest.raises(ConfigError, match="Is a directory") as caught:
        read_config(tmp_path)
    assert str(tmp_path) in caught.value.message


def test_input_paths_are_looked_up_as_tensorflow_does(tmp_path: Path) -> None:
    """A pattern has wildcards in directories too, a backslash takes one literally; a label map's path is no pattern."""
    place = tmp_path / "a[1]"
    place.mkdir()
    (place / "train.record-00000-of-00001").touch()
    (place / "label_map.pbtxt").touch()
    literal = str(place).replace("[", "\\[")
    found = (f"{literal}/train.record-?????-of-00001", f"{tmp_path}/a*/train.record-*")
    absent = (f"{place}/train.record-*", f"{literal}/val.record-*")
    config = PipelineConfig.parse(TEXT, "c")
    reader = config.message.train_input_reader
    reader.label_map_path = str(place / "label_map.pbtxt")
    reader.tf_record_input_reader.input_path.extend([*found, *absent])
    assert unread_paths(config) == absent
