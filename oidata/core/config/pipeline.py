"""A pipeline.config of the TensorFlow Object Detection API (TFOD): reading, comparing, and changing it."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from google.protobuf import text_format

from oidata.core.config import prototext
from oidata.core.config.pipeline_pb2 import TrainEvalPipelineConfig
from oidata.core.config.prototext import UnknownField
from oidata.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from google.protobuf.descriptor import FieldDescriptor
    from google.protobuf.message import Message

__all__ = ["Difference", "PipelineConfig", "UnknownField", "Value", "differences", "nearest", "with_values"]

Scalar = bool | int | float | str
Value = Scalar | tuple[Scalar, ...]

# What `fields` gives for a message that is there and in which nothing is set, as in `ssd_random_crop { }`.
EMPTY = "{}"

_STEP = re.compile(r"(\w+)(?:\[(\d+)\])?")

# A config is made from another by changing what depends on the data: these fields do not say from which.
_OF_THE_DATA = re.compile(r"model\.\w+\.num_classes|train_config\.(fine_tune_checkpoint|from_detection_checkpoint)\w*")
_OF_THE_DETECTOR = re.compile(r"model\.|train_config\.")


@dataclass(frozen=True)
class PipelineConfig:
    """A pipeline.config: its name in reports, its text as given, and what that says.

    `message` holds the fields of pipeline.proto and must not be changed; other fields are in `unknown_fields`.
    """

    name: str
    text: str = field(repr=False)
    message: TrainEvalPipelineConfig = field(repr=False, compare=False)
    unknown_fields: tuple[UnknownField, ...] = field(default=(), compare=False)

    @classmethod
    def parse(cls, text: str, name: str) -> PipelineConfig:
        """Read a config; `name` is its name in reports and errors.

        Unknown fields are listed, and skipped. Raises ConfigError with line and column for text that is not in
        protobuf's text format and for a value that its field cannot hold; also for a config without a model.
        """
        message = TrainEvalPipelineConfig()
        unknown = prototext.merge(text, message, name)
        if not message.HasField("model"):
            fault = "is empty" if not text.strip() else "has no field `model`"
            raise ConfigError(f"{name} {fault}.", "Give the pipeline.config that the training was started with.")
        return cls(name, text, message, unknown)

    @property
    def architecture(self) -> str:
        """The meta-architecture: ssd, faster_rcnn, center_net, or what else stands in `model`; empty if none."""
        unheard = (each.path.removeprefix("model.") for each in self.unknown_fields if each.path.startswith("model."))
        return self.message.model.WhichOneof("model") or next((name for name in unheard if "." not in name), "")

    def fields(self) -> dict[str, Value]:
        """All fields that are set, by path, in the order of the schema.

        A path names its messages, `train_config.num_steps`; in a repeated one also the index,
        `eval_input_reader[0].shuffle`. Repeated scalars are tuples, enum values their names, floats the shortest
        decimals that give the float32. A message in which nothing is set has the value `EMPTY`.
        """
        return dict(_fields(self.message, ""))


@dataclass(frozen=True)
class Difference:
    """A field that two configs have differently; None where a config does not set it."""

    path: str
    value: Value | None
    other: Value | None


def differences(config: PipelineConfig, other: PipelineConfig) -> tuple[Difference, ...]:
    """The fields that the two configs have differently, those of `config` first.

    A field that is not set counts as its default wherever its message is there.
    """
    ours, theirs = config.fields(), other.fields()
    paths = dict.fromkeys((*ours, *theirs))
    return tuple(
        Difference(path, ours.get(path), theirs.get(path))
        for path in paths
        if _effective(config.message, path, ours) != _effective(other.message, path, theirs)
    )


def nearest(config: PipelineConfig, references: Sequence[PipelineConfig]) -> PipelineConfig | None:
    """The reference that `config` was most likely made from; None if none has its architecture.

    It is the one that has the fewest differences in `model` and `train_config`, but for what depends on the data (the
    number of classes, the checkpoint to start from); of several the one with the fewest differences in all, then the
    first.
    """
    same = [reference for reference in references if reference.architecture == config.architecture]

    def distance(reference: PipelineConfig) -> tuple[int, int]:
        paths = [each.path for each in differences(config, reference)]
        counted = [path for path in paths if _OF_THE_DETECTOR.match(path) and not _OF_THE_DATA.match(path)]
        return len(counted), len(paths)

    return min(same, key=distance, default=None)


def with_values(config: PipelineConfig, values: Mapping[str, Value | None], name: str) -> PipelineConfig:
    """A copy, called `name`, in which each path has the value given; None takes a field out.

    Paths and values are as in `PipelineConfig.fields`; the index behind the last adds a message. What the copy lacks,
    comments and unknown fields, its first lines say. Raises ConfigError for a path that does not exist, and for a
    value that its field cannot hold.
    """
    message = TrainEvalPipelineConfig()
    message.CopyFrom(config.message)
    for path, value in values.items():
        try:
            _set(message, path, value)
        except (TypeError, ValueError, KeyError, IndexError, AttributeError) as error:
            hint = "Paths and values are those that the config itself shows."
            raise ConfigError(f"{path} of {config.name} cannot be set to {value!r}: {error}.", hint) from None
    lines = [f"# Made from {config.name}; its comments are left out."]
    lines += [f"# Left out, since oidata does not know it: {each.path}" for each in config.unknown_fields]
    body = text_format.MessageToString(message)
    return PipelineConfig(name, "\n".join((*lines, body)), message)


def _fields(message: Message, path: str) -> Iterator[tuple[str, Value]]:
    listed = message.ListFields()
    if not listed and path:
        yield path, EMPTY
    for known, value in sorted(listed, key=lambda pair: pair[0].index):
        name = f"{path}.{known.name}" if path else known.name
        if known.message_type is None:
            yield name, _value(known, value)
        elif known.is_repeated:
            for index, each in enumerate(value):
                yield from _fields(each, f"{name}[{index}]")
        else:
            yield from _fields(value, name)


def _value(known: FieldDescriptor, value: Any) -> Value:  # noqa: ANN401 - what protobuf gives
    if known.is_repeated:
        return tuple(_scalar(known, each) for each in value)
    return _scalar(known, value)


def _scalar(known: FieldDescriptor, value: Any) -> Scalar:  # noqa: ANN401 - what protobuf gives
    if known.enum_type is not None:
        return str(known.enum_type.values_by_number[value].name)
    if isinstance(value, float):
        return float(str(np.float32(value)))
    return cast("Scalar", value)


def _effective(message: Message, path: str, fields: Mapping[str, Value]) -> Value | None:
    """The value at `path`, or its default; None if the message that it belongs to is not there."""
    if path in fields:
        return fields[path]
    *parents, last = path.split(".")
    for step in parents:
        found = _child(message, step)
        if found is None:
            return None
        message = found
    if _child(message, last) is not None:
        return EMPTY
    known = _known(message, last.partition("[")[0])
    if known.message_type is not None:
        return None
    return () if known.is_repeated else _scalar(known, known.default_value)


def _child(message: Message, step: str) -> Message | None:
    """The message that is set at one step of a path."""
    name, index = _parted(step)
    known = _known(message, name)
    if known.message_type is None:
        return None
    if known.is_repeated:
        found = list(getattr(message, name))[index : index + 1]
        return found[0] if found else None
    return cast("Message", getattr(message, name)) if message.HasField(name) else None


def _set(message: Message, path: str, value: Value | None) -> None:
    *parents, last = path.split(".")
    for step in parents:
        name, index = _parted(step)
        known = _known(message, name)
        child = getattr(message, name)
        if known.is_repeated and index == len(child):
            child.add()
        message = child[index] if known.is_repeated else child
    known = _known(message, last)
    message.ClearField(last)
    if value == EMPTY and known.message_type is not None:
        getattr(message, last).SetInParent()
    elif known.is_repeated:
        getattr(message, last).extend(value or ())
    elif value is not None:
        number = known.enum_type.values_by_name[str(value)].number if known.enum_type else value
        setattr(message, last, number)


def _known(message: Message, name: str) -> FieldDescriptor:
    return cast("FieldDescriptor", message.DESCRIPTOR.fields_by_name[name])


def _parted(step: str) -> tuple[str, int]:
    match = _STEP.fullmatch(step)
    if match is None:
        raise KeyError(step)
    return match[1], int(match[2] or 0)
