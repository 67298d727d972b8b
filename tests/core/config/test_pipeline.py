"""Laws of reading, comparing, and changing pipeline configs."""

import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from google.protobuf.descriptor_pb2 import (
    DescriptorProto,
    FieldDescriptorProto,
    FileDescriptorProto,
    FileDescriptorSet,
)
from google.protobuf.descriptor_pool import DescriptorPool
from hypothesis import given
from hypothesis import strategies as st

from oidata.core.config import pipeline_pb2
from oidata.core.config.pipeline import EMPTY, PipelineConfig, UnknownField, Value, differences, nearest, with_values
from oidata.errors import ConfigError
from oidata.io.configs import DEFAULT_NAME, read_config, references
from tests.conftest import SHARED, absent

ROOT = Path(__file__).parents[3]

TEXT = """\
model {
  ssd {
    num_classes: 2
    anchor_generator { ssd_anchor_generator { min_scale: 0.05 aspect_ratios: 1.0 aspect_ratios: 0.3333 } }
    image_resizer { fixed_shape_resizer { height: 300 width: 300 } }
    loss { hard_example_miner { loss_type: CLASSIFICATION } }
  }
}
train_config: {
  num_steps: 200000
  data_augmentation_options { random_horizontal_flip { } }
  data_augmentation_options { ssd_random_crop { } }
}
train_input_reader: { label_map_path: "gs:// /data/#1; {label}_map.pbtxt" }
"""
FIELDS = {
    "model.ssd.num_classes": 2,
    "model.ssd.image_resizer.fixed_shape_resizer.height": 300,
    "model.ssd.image_resizer.fixed_shape_resizer.width": 300,
    "model.ssd.anchor_generator.ssd_anchor_generator.min_scale": 0.05,
    "model.ssd.anchor_generator.ssd_anchor_generator.aspect_ratios": (1.0, 0.3333),
    "model.ssd.loss.hard_example_miner.loss_type": "CLASSIFICATION",
    "train_config.data_augmentation_options[0].random_horizontal_flip": EMPTY,
    "train_config.data_augmentation_options[1].ssd_random_crop": EMPTY,
    "train_config.num_steps": 200000,
    "train_input_reader.label_map_path": "gs:// /data/#1; {label}_map.pbtxt",
}
# A field of single precision has the value of its shortest decimals.
FLOATS = st.floats(0, 1, width=32).map(lambda value: float(str(np.float32(value))))
VALUES: dict[str, st.SearchStrategy[Value]] = {
    "model.ssd.num_classes": st.integers(1, 600),
    "model.ssd.anchor_generator.ssd_anchor_generator.scales": st.lists(FLOATS, min_size=1).map(tuple),
    "model.ssd.matcher.argmax_matcher.matched_threshold": FLOATS,
    "model.ssd.loss.hard_example_miner.loss_type": st.sampled_from(["BOTH", "CLASSIFICATION", "LOCALIZATION"]),
    "model.ssd.similarity_calculator.iou_similarity": st.just(EMPTY),
    "train_config.sync_replicas": st.booleans(),
    "train_config.fine_tune_checkpoint": st.text(),
    "train_input_reader.tf_record_input_reader.input_path": st.lists(st.text(), min_size=1).map(tuple),
    "eval_input_reader[0].label_map_path": st.text(),
}
CHOSEN = st.fixed_dictionaries({}, optional=VALUES)


def config(text: str = TEXT) -> PipelineConfig:
    """A config with a name that errors can show."""
    return PipelineConfig.parse(text, "my.config")


def seed(name: str) -> PipelineConfig:
    """A config of the question that the project answers, which only its own machines have."""
    path = SHARED / "seed" / name
    if not path.is_file():
        absent(f"there is no {path}")
    return PipelineConfig.parse(path.read_text(encoding="utf-8"), name)


def test_the_schema_is_that_of_the_proto_file(tmp_path: Path) -> None:
    """Compiling pipeline.proto again gives the schema that the generated module holds."""
    found = tmp_path / "schema"
    command = [sys.executable, "-m", "grpc_tools.protoc", f"-I{ROOT}", f"--descriptor_set_out={found}"]
    subprocess.run([*command, "oidata/core/config/pipeline.proto"], check=True, cwd=ROOT)
    compiled = FileDescriptorSet.FromString(found.read_bytes()).file[0]
    pool = DescriptorPool()
    pool.AddSerializedFile(compiled.SerializeToString())
    again, held = FileDescriptorProto(), FileDescriptorProto()
    pool.FindFileByName(compiled.name).CopyToProto(again)
    pipeline_pb2.DESCRIPTOR.CopyToProto(held)
    for field in (field for message in again.message_type for field in _fields_within(message)):
        field.ClearField("json_name")
    assert again == held


def _fields_within(message: DescriptorProto) -> Iterator[FieldDescriptorProto]:
    yield from message.field
    for each in message.nested_type:
        yield from _fields_within(each)


def test_the_fields_are_those_of_the_text() -> None:
    """All that a text sets is there by path, floats as they were written, and nothing else."""
    assert config().fields() == FIELDS
    assert config().unknown_fields == ()


@pytest.mark.parametrize(
    "pattern, replacement",
    [
        pytest.param(r"\n", "\r\n", id="CRLF"),
        pytest.param(r"\n", "\r", id="CR"),
        pytest.param(r"\n\s*", " ", id="one line"),
        pytest.param(r"\A", "\ufeff", id="byte order mark"),
        pytest.param(r"fixed_shape_resizer \{ (.*?) \}", r"fixed_shape_resizer < \1 >", id="angle brackets"),
        pytest.param(r"\n", ' # "a comment {\n', id="comments"),
        pytest.param(r"(?<=[0-9])\n", ",\n", id="commas"),
        pytest.param(r"(?<=[0-9])\n", ";\n", id="semicolons"),
        pytest.param(r"aspect_ratios: 1.0 aspect_ratios: 0.3333", "aspect_ratios: [1.0, 0.3333]", id="list"),
        pytest.param(r"anchor_generator \{", "anchor_generator: {", id="colon before a message"),
        pytest.param(
            r"\Z", "future_config { a: [1, -2.5f], b { c: 'd' \"e\" } <>; }".replace("<>", "f <>"), id="unknown"
        ),
        pytest.param(r"num_classes: 2", "num_classes: 90 num_classes: 2", id="twice"),
    ],
)
def test_the_layout_does_not_matter(pattern: str, replacement: str) -> None:
    """The same fields come from every layout that protobuf's text format allows."""
    changed = re.sub(pattern, replacement, TEXT)
    assert changed != TEXT
    assert config(changed).fields() == FIELDS


def test_a_config_pasted_on_one_line_is_the_same() -> None:
    """The user's config says the same on many lines and on one, and every field of it is known."""
    pasted, whole = seed("pipeline.one-line.config"), seed("pipeline.config")
    assert pasted.fields() == whole.fields()
    assert pasted.unknown_fields == whole.unknown_fields == ()


@pytest.mark.parametrize(
    "old, new, expected",
    [
        ("    num_classes", "    num_clases", UnknownField("model.ssd.num_clases", 3, 5)),
        ("model {", "model { v: 1,", UnknownField("model.v", 1, 9)),
        ("CLASSIFICATION", "MOSTLY", UnknownField("model.ssd.loss.hard_example_miner.loss_type: MOSTLY", 6, 33)),
        ("train_config: {", "train_config: {\n\n a { b: 1 }", UnknownField("train_config.a", 11, 2)),
        ("train_config: {", "[my.ext] < a: 1 >\ntrain_config: {", UnknownField("[my.ext]", 9, 1)),
    ],
)
def test_an_unknown_field_is_listed_with_its_place(old: str, new: str, expected: UnknownField) -> None:
    """What the schema lacks is named with path, line and column, and all other fields are read."""
    found = config(TEXT.replace(old, new, 1))
    assert found.unknown_fields == (expected,)
    lost = {path for path in FIELDS if path.endswith(("num_classes", "loss_type"))}
    assert found.fields().items() >= {path: value for path, value in FIELDS.items() if path not in lost}.items()


def test_unknown_fields_stand_in_the_order_of_the_text() -> None:
    """Each unknown field is listed where it first stands; those within an unknown field are not listed."""
    found = config("a: 1\nmodel { b { c: 1 } ssd { d: 1 } }\ne: 1")
    assert [each.path for each in found.unknown_fields] == ["a", "model.b", "model.ssd.d", "e"]


@pytest.mark.parametrize(
    "text, place, fault",
    [
        ("model {\n ssd {\n", "line 3, column 1", "expected '}' for the '{' of line 2, column 6, found the end"),
        ("model { ssd { } } }", "line 1, column 19", "expected the name of a field, found '}'"),
        ("model { ssd { ] }", "line 1, column 15", "expected the name of a field or '}', found ']'"),
        ("model < ssd { } }", "line 1, column 17", "expected the name of a field or '>', found '}'"),
        ("model {\r\n ssd {\r\n num_classes 2 } }", "line 3, column 14", "expected ':', found '2'"),
        ("model { ssd { num_classes: } }", "line 1, column 28", "expected a value, found '}'"),
        ("model ssd { }", "line 1, column 7", "expected '{', found 'ssd'"),
        ("model { x y }", "line 1, column 11", "expected ':' or '{', found 'y'"),
        ("model { ssd { x: [1 2] } }", "line 1, column 21", "expected ',' or ']', found '2'"),
        ("model { ssd { num_classes: two } }", "line 1, column 28", "num_classes takes a whole number, found 'two'"),
        ("model { ssd { num_classes: 2.5 } }", "line 1, column 28", "num_classes takes a whole number, found '2.5'"),
        ("model { ssd { num_classes: 9999999999 } }", "line 1, column 28", "takes a whole number, found '9999999999'"),
        ("train_config { num_steps: -1 }", "line 1, column 27", "a whole number that is not negative, found '-1'"),
        ("train_config { sync_replicas: 2 }", "line 1, column 31", "sync_replicas takes true or false, found '2'"),
        ("train_config { startup_delay_steps: 'a' }", "line 1, column 37", "takes a number, found \"'a'\""),
        ("train_config { fine_tune_checkpoint: a }", "line 1, column 38", "takes a text in quotes, found 'a'"),
        ("train_config { fine_tune_checkpoint: 'a }", "line 1, column 42", "expected '}' for the '{' of line 1"),
        (
            "train_config { fine_tune_checkpoint_version: 7 }",
            "line 1, column 46",
            "takes one of UNKNOWN, V1, V2, found",
        ),
        ("train_config: 3", "line 1, column 15", "train_config takes fields in braces, found '3'"),
        ("model { ssd { num_classes: {} } }", "line 1, column 28", "num_classes takes a whole number, found '{'"),
        ("a {" * 200 + "}" * 200, "line 1, column 304", "more than 100 messages within each other"),
        ("\x00", "line 1, column 1", r"expected the name of a field, found '\x00'"),
    ],
)
def test_a_syntax_error_names_its_place(text: str, place: str, fault: str) -> None:
    """What cannot be read is refused with the file, line and column, what was expected, and what stands there."""
    with pytest.raises(ConfigError) as caught:
        config(text)
    assert caught.value.message.startswith(f"my.config, {place}: ")
    assert fault in caught.value.message
    assert caught.value.hint


@given(st.text() | st.text(alphabet="am{}<>[]:;,#'\"1.-\\ \n"))
def test_any_text_is_read_or_refused(text: str) -> None:
    """No text brings about another error than ConfigError."""
    with suppress(ConfigError):
        assert config(f"model {{ ssd {{ }} }} {text}").text.endswith(text)


@pytest.mark.parametrize(
    "text, fault", [("", "is empty"), (" \n", "is empty"), ("# a", "`model`"), ("a: 1", "`model`")]
)
def test_a_config_has_a_model(text: str, fault: str) -> None:
    """A text without a model is no config."""
    with pytest.raises(ConfigError, match=fault):
        config(text)


@pytest.mark.parametrize(
    "text, architecture",
    [
        ("model { ssd { } }", "ssd"),
        ("model { faster_rcnn { num_classes: 2 second_stage_batch_size: 8 any: 1 } }", "faster_rcnn"),
        ("model { center_net { object_center_params { a: 1 } } }", "center_net"),
        ("model { experimental_model { name: 'a' } }", "experimental_model"),
        ("model { detr { num_queries: 100 } }", "detr"),
        ("model { }", ""),
    ],
)
def test_the_architecture_is_that_of_the_model(text: str, architecture: str) -> None:
    """A config of any model is read, and says which."""
    assert config(text).architecture == architecture


@given(CHOSEN, CHOSEN)
def test_differences_are_symmetric(some: dict[str, Value], others: dict[str, Value]) -> None:
    """Two configs differ in the same fields from either side, and a config in none from itself."""
    one, two = with_values(config(), some, "one"), with_values(config(), others, "two")
    there = {(each.path, each.value, each.other) for each in differences(one, two)}
    back = {(each.path, each.other, each.value) for each in differences(two, one)}
    assert there == back
    assert differences(one, one) == ()


@pytest.mark.parametrize(
    "one, two, expected",
    [
        ("num_steps: 5", "num_steps: 6", {"train_config.num_steps": (5, 6)}),
        ("num_steps: 5", "", {"train_config.num_steps": (5, None)}),
        ("num_steps: 0", "", {}),
        ("optimizer { adam_optimizer { } }", "", {"train_config.optimizer.adam_optimizer": ("{}", None)}),
        ("optimizer { adam_optimizer { } }", "optimizer { adam_optimizer { epsilon: 1e-8 } }", {}),
        (
            "optimizer { adam_optimizer { } }",
            "optimizer { adam_optimizer { epsilon: 0.1 } }",
            {"train_config.optimizer.adam_optimizer.epsilon": (None, 0.1)},
        ),
        ("freeze_variables: 'a'", "", {"train_config.freeze_variables": (("a",), None)}),
    ],
)
def test_what_is_not_set_is_its_default(one: str, two: str, expected: dict[str, tuple[Value, Value]]) -> None:
    """A field that is absent equals its default where its message is there; a message's absence is a difference."""
    texts = (f"model {{ ssd {{ }} }} train_config {{ {fields} }}" for fields in (one, two))
    found = differences(*(config(text) for text in texts))
    assert {each.path: (each.value, each.other) for each in found} == expected


def test_the_users_config_was_made_from_the_quantized_reference() -> None:
    """The nearest reference of the user's config, and where the two differ, are those of the facts' table.

    The table is in facts/ssd-and-tfrecord.md; left out are the paths, and the quantization that the name speaks of.
    """
    user = seed("pipeline.config")
    reference = nearest(user, references())
    assert reference is not None
    assert reference.name == "ssd_mobilenet_v2_quantized_300x300_coco"
    paths = re.compile("input_path|label_map_path|graph_rewriter")
    found = {
        each.path: (each.value, each.other) for each in differences(user, reference) if not paths.search(each.path)
    }
    hyperparams = "conv_hyperparams.regularizer.l2_regularizer.weight"
    assert found == {
        "model.ssd.num_classes": (2, 90),
        "model.ssd.anchor_generator.ssd_anchor_generator.min_scale": (0.05, 0.2),
        f"model.ssd.feature_extractor.{hyperparams}": (7e-05, 4e-05),
        f"model.ssd.box_predictor.convolutional_box_predictor.{hyperparams}": (7e-05, 4e-05),
        "train_config.fine_tune_checkpoint": (None, "PATH/model.ckpt"),
        "train_config.fine_tune_checkpoint_type": (None, "detection"),
        "eval_config.num_examples": (870, 8000),
        "eval_config.max_evals": (None, 10),
        "eval_input_reader[0].shuffle": (True, False),
    }


@pytest.mark.parametrize("reference", references(), ids=lambda reference: reference.name)
def test_the_nearest_reference_does_not_depend_on_the_data(reference: PipelineConfig) -> None:
    """A reference filled in for other data is nearest to itself."""
    values: dict[str, Value | None] = {"model.ssd.num_classes": 2, "train_config.fine_tune_checkpoint": None}
    values |= {"train_input_reader.label_map_path": "my/map", "eval_config.num_examples": 870}
    assert nearest(with_values(reference, values, "mine"), references()) is reference


def test_a_reference_of_the_same_architecture_is_nearest() -> None:
    """However much differs, a reference of the config's own architecture comes before others."""
    other = config("model { faster_rcnn { num_classes: 2 } }")
    assert nearest(config("model { faster_rcnn { } }"), [*references(), other]) is other


@given(CHOSEN)
def test_a_changed_config_has_the_values_given(values: dict[str, Value]) -> None:
    """The copy holds what was set and all else of the original, and its text says the same."""
    changed = with_values(config(), values, "copy")
    assert changed.fields().items() >= values.items()
    assert {path: value for path, value in changed.fields().items() if path not in values} == {
        path: value for path, value in FIELDS.items() if path not in values
    }
    assert PipelineConfig.parse(changed.text, "copy").fields() == changed.fields()
    assert config().fields() == FIELDS


def test_a_changed_config_says_what_it_lacks() -> None:
    """Unknown fields and comments are not in the copy, and its first lines say so."""
    original = config(f"future: 1 {TEXT}")
    changed = with_values(original, {"train_config.num_steps": None}, "copy")
    assert changed.text.splitlines()[:2] == [
        "# Made from my.config; its comments are left out.",
        "# Left out, since oidata does not know it: future",
    ]
    assert changed.unknown_fields == ()
    assert [each.path for each in differences(original, changed)] == ["train_config.num_steps"]


@pytest.mark.parametrize(
    "path, value",
    [
        ("model.ssd.num_clases", 2),
        ("model.ssd.num_classes.x", 2),
        ("model..ssd", 2),
        ("", 2),
        ("model.ssd.num_classes", "two"),
        ("model.ssd.num_classes", 2**40),
        ("model.ssd.loss.hard_example_miner.loss_type", "MOSTLY"),
        ("model.ssd", 2),
        ("eval_input_reader[4].shuffle", True),
        ("train_input_reader.tf_record_input_reader.input_path", (1, 2)),
    ],
)
def test_a_value_that_cannot_be_is_refused(path: str, value: Value) -> None:
    """A path that does not exist, and a value that its field cannot hold, are named in the error."""
    with pytest.raises(ConfigError, match=re.escape(f"{path} of my.config")):
        with_values(config(), {path: value}, "copy")


def test_a_config_can_be_told_apart_by_its_text() -> None:
    """Configs are values: equal where name and text are, and fit for sets."""
    assert len({config(), config(), read_config(DEFAULT_NAME)}) == 2
