"""Laws of filling a pipeline config in."""

import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from oidata.core.config.filling import filled
from oidata.core.config.pipeline import PipelineConfig, Value
from oidata.core.config.pipeline_pb2 import TrainEvalPipelineConfig
from oidata.errors import ConfigError
from oidata.io.configs import references
from tests.conftest import SHARED, absent

TRAIN, VAL, MAP = "/data/train.record-?????-of-00010", "/data/val.record-?????-of-00002", "/data/label_map.pbtxt"
BOTH = {"train": TRAIN, "val": VAL}

TEXT = """\
# num_classes: 9 { "
model { # ssd { num_classes: 8 }
  ssd {
    box_coder { future: "num_classes: 7 }" num_classes: 6 }
    num_classes : 90, # Zähler: 5 }
  }
}
train_input_reader: {
  name: 'label_map_path: "a" {'
  label_map_path: 'PATH/' # to be filled in
    "map \\"{\\".pbtxt";
  tf_record_input_reader <
    input_path: "PATH/a" # the first
    input_path: [ "PATH/b", 'PATH/c' ],
    input_path: "PATH/d"; input_path: "PATH/e" # the last
  >
}
eval_config { num_examples: 870 label_map_path: "unknown" }
eval_input_reader { label_map_path: "m" tf_record_input_reader { input_path: ["v", "w"] } shuffle: false }
eval_input_reader { label_map_path: "o" tf_record_input_reader { input_path: "other" } name: "other" }
# the end"""

FILLED = """\
# num_classes: 9 { "
model { # ssd { num_classes: 8 }
  ssd {
    box_coder { future: "num_classes: 7 }" num_classes: 6 }
    num_classes : 2, # Zähler: 5 }
  }
}
train_input_reader: {
  name: 'label_map_path: "a" {'
  label_map_path: "/data/label_map.pbtxt";
  tf_record_input_reader <
    input_path: "/data/train.record-?????-of-00010" # the first
    # the last
  >
}
eval_config { num_examples: 870 label_map_path: "unknown" }
eval_input_reader { label_map_path: "/data/label_map.pbtxt" tf_record_input_reader { \
input_path: ["/data/val.record-?????-of-00002"] } shuffle: false }
eval_input_reader { label_map_path: "o" tf_record_input_reader { input_path: "other" } name: "other" }
# the end"""

MODEL = "model { ssd { num_classes: 3 } }"
RECORDS = f'tf_record_input_reader {{ input_path: "{TRAIN}" }}'
READER = f'train_input_reader {{ label_map_path: "{MAP}" {RECORDS} }}'

# Parts of configs, each in several ways of writing it.
READERS = st.sampled_from(
    [
        "",
        "train_input_reader {}",
        "train_input_reader: <label_map_path:'a'>",
        "train_input_reader { name: 'a' } train_input_reader { tf_record_input_reader { input_path: 'b' } }",
        "train_input_reader {\n  tf_record_input_reader { }\n  label_map_path: 'a'\n  label_map_path: 'b'\n}",
        "train_input_reader { # {\n  tf_record_input_reader {input_path:[]}, num_readers: 1 }",
        "train_input_reader { tf_record_input_reader {input_path:'a'input_path:'b'} future {} }",
        'eval_input_reader { tf_record_input_reader { input_path: "a"\n"b" input_path: "c"\n\n} num_readers: 1 }',
        "eval_input_reader: [{ shuffle: true }, < name: 'b' >]",
        "eval_input_reader: []",
        "train_config { num_steps: 5 } # num_steps: 6\n",
    ]
)
MODELS = st.sampled_from(
    [
        MODEL,
        "model{ssd{}}",
        "model { ssd {\n} }",
        "model { faster_rcnn { number_of_stages: 2 num_classes: 1 num_classes: 9 } }",
        "model { center_net { }; }",
        "model { detr { num_classes: 91 } }",
        "model < ssd { num_classes: 3 } > model { ssd { freeze_batchnorm: true } }",
    ]
)
LINE_ENDS = st.sampled_from(["\n", "\r\n", "\r"])
PATHS = st.text(min_size=1) | st.sampled_from([TRAIN, "gs://a/b*", "C:\\new\\'x'", '"}\n#'])
SPLITS = st.dictionaries(st.sampled_from(["train", "val"]), PATHS)


@st.composite
def texts(draw: st.DrawFn) -> str:
    """Configs of all shapes."""
    parts = [*draw(st.lists(READERS, max_size=4)), draw(MODELS)]
    return draw(st.sampled_from([" ", "\n", "\n\n# é {\n"])).join(draw(st.permutations(parts)))


def config(text: str) -> PipelineConfig:
    """A config with a name that errors can show."""
    return PipelineConfig.parse(text, "my.config")


def fill(text: str, input_paths: dict[str, str]) -> str:
    """`text` filled in for two classes."""
    return filled(config(text), num_classes=2, label_map_path=MAP, input_paths=input_paths)


def seed(name: str) -> str:
    """A config of the question that the project answers, which only its own machines have."""
    path = SHARED / "seed" / name
    if not path.is_file():
        absent(f"there is no {path}")
    return path.read_text(encoding="utf-8")


def asked(architecture: str, input_paths: dict[str, str]) -> dict[str, Value]:
    """The fields that filling in is to set."""
    fields: dict[str, Value] = {f"model.{architecture}.num_classes": 2}
    for split, reader in (("train", "train_input_reader"), ("val", "eval_input_reader[0]")):
        if split in input_paths:
            fields[f"{reader}.label_map_path"] = MAP
            fields[f"{reader}.tf_record_input_reader.input_path"] = (input_paths[split],)
    return fields


def without(config: PipelineConfig, input_paths: dict[str, str]) -> TrainEvalPipelineConfig:
    """What a config says but for the fields that filling in sets, and the messages that it needs for them."""
    message = TrainEvalPipelineConfig()
    message.CopyFrom(config.message)
    for model in (message.model.ssd, message.model.faster_rcnn, message.model.center_net):
        model.ClearField("num_classes")
    if "train" in input_paths:
        message.train_input_reader.tf_record_input_reader.ClearField("input_path")
        message.train_input_reader.ClearField("label_map_path")
    if "val" in input_paths:
        reader = (message.eval_input_reader or [message.eval_input_reader.add()])[0]
        reader.tf_record_input_reader.ClearField("input_path")
        reader.ClearField("label_map_path")
    return message


def test_only_the_values_are_exchanged() -> None:
    """Comments, spaces, unknown fields and texts that look like fields stay; what is filled in is said once."""
    assert fill(TEXT, BOTH) == FILLED


@pytest.mark.parametrize("line_end", ["\r\n", "\r"])
def test_line_ends_stay(line_end: str) -> None:
    """A text with other line ends is filled in as one with line feeds is."""
    changed = TEXT.replace("\n", line_end)
    assert fill(changed, BOTH) == FILLED.replace("\n", line_end)
    assert fill(f"\ufeff{changed}", BOTH) == "\ufeff" + FILLED.replace("\n", line_end)


@given(texts(), SPLITS)
@example(TEXT, BOTH)
def test_the_result_says_what_was_asked_and_all_else_as_before(text: str, input_paths: dict[str, str]) -> None:
    """The fields are those that were asked for; every other field, every unknown one, and every comment is there."""
    before, after = config(text), config(fill(text, input_paths))
    comments = [comment for comment in ("# {\n", "# num_steps: 6\n", "# é {\n") if comment in text]
    assert all(after.text.count(comment) >= text.count(comment) for comment in comments)
    expected = asked(after.architecture, input_paths)
    if after.message.model.WhichOneof("model"):
        assert after.fields().items() >= expected.items()
    assert without(after, input_paths) == without(before, input_paths)
    assert [each.path for each in after.unknown_fields] == [each.path for each in before.unknown_fields]


@given(texts(), SPLITS, LINE_ENDS)
@example(TEXT, BOTH, "\n")
def test_filling_in_twice_is_filling_in_once(text: str, input_paths: dict[str, str], line_end: str) -> None:
    """What is filled in already stays as it is, to the character."""
    once = fill(text.replace("\n", line_end), input_paths)
    assert fill(once, input_paths) == once


@given(texts(), SPLITS)
def test_other_line_ends_are_no_other_config(text: str, input_paths: dict[str, str]) -> None:
    """Where lines end in CRLF, all lines of the result do, and it is the same but for that."""
    assert fill(text.replace("\n", "\r\n"), input_paths) == fill(text, input_paths).replace("\n", "\r\n")


@pytest.mark.parametrize("reference", references(), ids=lambda reference: reference.name)
def test_a_reference_differs_in_its_values_alone(reference: PipelineConfig) -> None:
    """With its five values cut out, a reference filled in is the reference, and it has the values asked for."""
    text = fill(reference.text, BOTH)
    assert cut(text) == cut(reference.text)
    assert config(text).fields() == reference.fields() | asked("ssd", BOTH)


@pytest.mark.parametrize("name", ["pipeline.config", "pipeline.one-line.config"])
def test_the_users_config_differs_in_its_values_alone(name: str) -> None:
    """With its five values cut out, the user's config filled in is the user's config, on many lines and on one."""
    text = fill(seed(name), BOTH)
    assert cut(text) == cut(seed(name))
    assert config(text).fields() == config(seed(name)).fields() | asked("ssd", BOTH)


def cut(text: str) -> str:
    """A config of one value each, without these values."""
    return re.sub(r'((?:num_classes|label_map_path|input_path):) *(?:\d+|"[^"]*"|\["[^"]*"\])', r"\1", text)


def test_a_split_without_shards_leaves_its_reader() -> None:
    """Without validation shards eval_input_reader stays to the character, its label map too; so does train's."""
    assert fill(TEXT, {"train": TRAIN}).endswith(TEXT[TEXT.index("eval_config") :])
    readers = slice(TEXT.index("train_input_reader"), TEXT.index("eval_config"))
    assert TEXT[readers] in fill(TEXT, {"val": VAL})
    assert fill(TEXT, {}) == TEXT.replace("90", "2")


@pytest.mark.parametrize(
    "text, expected",
    [
        (MODEL, f"{MODEL} {READER}"),
        (f"{MODEL}\ntrain_config {{ }}\n", f"{MODEL}\ntrain_config {{ }}\n{READER}\n"),
        (f"{MODEL} # the end", f"{MODEL} {READER} # the end"),
        ("train_input_reader {}", f'train_input_reader {{ label_map_path: "{MAP}"  {RECORDS} }}'),
        (
            "train_input_reader {\r\n  name: 'a'\r\n}",
            f"train_input_reader {{\r\n  label_map_path: \"{MAP}\"\r\n  {RECORDS}\r\n  name: 'a'\r\n}}",
        ),
        (
            "train_input_reader { tf_record_input_reader {} label_map_path: 'a' }",
            f'train_input_reader {{ {RECORDS} label_map_path: "{MAP}" }}',
        ),
        (
            "train_input_reader { tf_record_input_reader { input_path: 'a' 'b' } label_map_path: 'a' }",
            f'train_input_reader {{ {RECORDS} label_map_path: "{MAP}" }}',
        ),
        (
            "train_input_reader {\n  tf_record_input_reader {\n    input_path: 'a'\n    input_path: 'b'\n  }\n}",
            f'train_input_reader {{\n  label_map_path: "{MAP}"\n  {RECORDS}\n}}'.replace(
                " input", "\n    input"
            ).replace('" }', '"\n  }'),
        ),
    ],
)
def test_what_is_missing_is_added_in_the_layout_that_is_there(text: str, expected: str) -> None:
    """A reader, its records, its label map: each is added where it belongs, spaced as its neighbour."""
    model = "" if text.startswith("model") else f"{MODEL}\n"
    assert fill(model + text, {"train": TRAIN}) == (model + expected).replace("num_classes: 3", "num_classes: 2")


def test_a_path_is_written_as_it_reads() -> None:
    """Quotes and backslashes are escaped; letters of any language are not."""
    text = fill(f"{MODEL} {READER}", {"train": 'C:\\Käse\\"a"'})
    assert r'input_path: "C:\\Käse\\\"a\""' in text


@pytest.mark.parametrize("model", ["ssd {}", "faster_rcnn {}", "center_net {}"])
def test_num_classes_is_added(model: str) -> None:
    """A model that takes num_classes and lacks it gets it."""
    assert fill(f"model {{ {model} }}", {}) == f"model {{ {model[:-1]} num_classes: 2 }} }}".replace("  ", " ")


@pytest.mark.parametrize("model", ["", "experimental_model { name: 'a' }", "detr { num_queries: 9 }", "future: 1"])
def test_a_model_without_classes_is_refused(model: str) -> None:
    """Where no num_classes could stand, the error names the config and says what would do."""
    with pytest.raises(ConfigError, match=r"my\.config has no num_classes in its model") as caught:
        fill(f"model {{ {model} }}", BOTH)
    assert caught.value.hint


@pytest.mark.parametrize("reader, split", [("train_input_reader", "train"), ("eval_input_reader", "val")])
def test_a_reader_of_something_else_is_refused(reader: str, split: str) -> None:
    """A reader of other files than TFRecords is not made to read both, and only one that would be filled in counts."""
    text = f"{MODEL} {reader} {{ external_input_reader {{ }} }}"
    with pytest.raises(ConfigError, match=f"{reader} of my.config has an external_input_reader"):
        fill(text, {split: TRAIN})
    assert fill(text, {}) == text.replace("num_classes: 3", "num_classes: 2")
