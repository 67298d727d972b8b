"""Filling a pipeline.config in for a dataset, while all else of its text stays as it is, character for character.

Where the values stand is read off the text (`prototext.outline`), and they alone are exchanged.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from google.protobuf import text_format

from oidata.core.config.pipeline_pb2 import InputReader
from oidata.core.config.prototext import outline
from oidata.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from oidata.core.config.pipeline import PipelineConfig
    from oidata.core.config.prototext import Block, Field, Outline

# By split, what reads it.
READERS = {"train": "train_input_reader", "val": "eval_input_reader"}

_LINE_END = re.compile(r"\r\n|\r|\n")


def filled(config: PipelineConfig, *, num_classes: int, label_map_path: str, input_paths: Mapping[str, str]) -> str:
    """The text of `config` with a dataset's number of classes, label map and shards.

    `input_paths` says what to read for "train" and for "val": a path or a pattern, since TFOD's reader expands `?`
    and `*` (builders/dataset_builder.py: tf.gfile.Glob). Without one of them that reader stays as it is, its label map
    too; a reader that is missing is added. A field that was given several times is given once, and a comment between
    the values of a list goes with them.

    Of several eval_input_readers the first is filled in. The others are for other data: TFOD evaluates on each, and
    overrides one of several by its name only (utils/config_util.py: update_input_reader_config).
    `eval_config.num_examples` stays too. It is a choice, and deprecated (protos/eval.proto): legacy/evaluator.py reads
    it, while model_lib.py evaluates on every example once.

    Raises ConfigError for a model that has no num_classes, and for a reader of anything but TFRecords.
    """
    draft = _Draft(config, outline(config.text, config.name))
    edits = list(_model_edits(draft, num_classes))
    for split, reader in READERS.items():
        if split in input_paths:
            edits += _reader_edits(draft, reader, _quoted(label_map_path), _quoted(input_paths[split]))
    return _edited(config.text, edits)


def _model_edits(draft: _Draft, num_classes: int) -> Iterator[_Edit]:
    model, architecture = draft.config.message.model, draft.config.architecture
    path = f"model.{architecture}"
    is_known = hasattr(getattr(model, architecture, None), "num_classes")
    if not is_known and not draft.fields(f"{path}.num_classes"):
        fault = f"{draft.config.name} has no num_classes in its model {architecture}".rstrip() + "."
        raise ConfigError(fault, "Give a config whose model has them, such as one with model.ssd.")
    return draft.setting(draft.blocks(path), "num_classes", str(num_classes))


def _reader_edits(draft: _Draft, reader: str, label_map_path: str, input_path: str) -> Iterator[_Edit]:
    records = f"tf_record_input_reader {{ input_path: {input_path} }}"
    blocks = draft.reader(reader)
    if not blocks:
        yield draft.addition(f"{reader} {{ label_map_path: {label_map_path} {records} }}")
        return
    yield from draft.setting(blocks, "label_map_path", label_map_path)
    record_blocks = draft.blocks(f"{reader}.tf_record_input_reader", blocks)
    if record_blocks:
        yield from draft.setting(record_blocks, "input_path", input_path)
    else:
        yield draft.insertion(blocks[0], records)


@dataclass(frozen=True)
class _Edit:
    """Put `text` in the place of what stands from `start` to `end`."""

    start: int
    end: int
    text: str


@dataclass(frozen=True)
class _Draft:
    """A config and where its fields stand: finds them, and says which edits would change them."""

    config: PipelineConfig
    outline: Outline

    @property
    def text(self) -> str:
        return self.config.text

    def blocks(self, path: str, within: Sequence[Block] | None = None) -> list[Block]:
        return [each for each in self.outline.blocks if each.path == path and _is_within(each, within)]

    def fields(self, path: str, within: Sequence[Block] | None = None) -> list[Field]:
        return [each for each in self.outline.fields if each.path == path and _is_within(each, within)]

    def reader(self, path: str) -> list[Block]:
        """The parts of train_input_reader, or the first eval_input_reader; ConfigError if it reads no TFRecords."""
        blocks = self.blocks(path)
        found = blocks if path == READERS["train"] else blocks[:1]
        if self.fields(f"{path}.external_input_reader", found):
            fault = f"{path} of {self.config.name} has an external_input_reader, and shards are TFRecords."
            raise ConfigError(fault, "Put a tf_record_input_reader in its place.")
        return found

    def setting(self, blocks: Sequence[Block], name: str, value: str) -> Iterator[_Edit]:
        """Give the field `name` of `blocks`, which are parts of one message, this value and no other."""
        fields = self.fields(f"{blocks[0].path}.{name}", blocks)
        if not fields:
            yield self.insertion(blocks[0], f"{name}: {value}")
        for field in fields[:1]:
            is_list = self.text[field.value_start] == "["
            yield _Edit(field.value_start, field.value_end, f"[{value}]" if is_list else value)
        for field in fields[1:]:
            yield self.removal(field)

    def insertion(self, block: Block, field: str) -> _Edit:
        """Put a field first in its message, spaced as what was first."""
        start = block.start + 1
        space = self.text[start : _behind(self.text, start, None)]
        return _Edit(start, start, f"{space}{field}" if space else f" {field} ")

    def addition(self, field: str) -> _Edit:
        """Put a field behind all others, outside of any message, spaced as the last one."""
        last = self.outline.fields[-1]
        space = self.text[len(self.text[: last.start].rstrip()) : last.start]
        return _Edit(last.end, last.end, f"{space or ' '}{field}")

    def removal(self, field: Field) -> _Edit:
        """Take a field out: with its line where it is alone, else with the blanks that would be left over."""
        end = _behind(self.text, field.end, " \t")
        line_end = _LINE_END.match(self.text, end)
        if line_end is None:
            return _Edit(field.start, end, "")
        before = self.text[: field.start].rstrip(" \t")
        is_alone = before.endswith(("\r", "\n"))
        return _Edit(len(before), line_end.end() if is_alone else end, "")


def _behind(text: str, start: int, characters: str | None) -> int:
    """Where the run of `characters`, None for white space, ends that begins at `start`."""
    return len(text) - len(text[start:].lstrip(characters))


def _is_within(place: Block | Field, blocks: Sequence[Block] | None) -> bool:
    return blocks is None or any(block.start < place.start and place.end < block.end for block in blocks)


def _edited(text: str, edits: Iterable[_Edit]) -> str:
    parts, end = [], 0
    for edit in sorted(edits, key=lambda edit: edit.start):
        parts += [text[end : edit.start], edit.text]
        end = edit.end
    return "".join((*parts, text[end:]))


def _quoted(path: str) -> str:
    printed = text_format.MessageToString(InputReader(name=path), as_utf8=True, as_one_line=True)
    return printed.removeprefix("name: ")
