"""Reading protobuf's text format so that what a schema does not know is listed, not fatal.

The text is walked once along the schema. Fields and enum values that the schema lacks are noted and blanked out with
spaces; protobuf's own parser then reads the rest, strictly. Positions are therefore those of the text as it was given,
and `outline` tells them to whoever changes a text in place.
The format: https://protobuf.dev/reference/protobuf/textformat-spec
"""

from __future__ import annotations

import re
from bisect import bisect_right
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, cast

from google.protobuf import text_format
from google.protobuf.descriptor import FieldDescriptor

from oidata.errors import ConfigError

if TYPE_CHECKING:
    from google.protobuf.descriptor import Descriptor
    from google.protobuf.message import Message

_TOKEN = re.compile(
    r"""[A-Za-z_][0-9A-Za-z_+-]*            # a name
      | (?:[0-9+-]|\.[0-9])[0-9A-Za-z_.+-]* # a number
      | "(?:[^"\n\\]|\\.)*"? | '(?:[^'\n\\]|\\.)*'?
      | \#[^\n]*                            # a comment
      | \s+
      | .                                   # punctuation""",
    re.VERBOSE,
)
_NAME = re.compile(r"\w+")
BYTE_ORDER_MARK = "\ufeff"
_CLOSING = {"{": "}", "<": ">"}
_MAX_DEPTH = 100
_SHOWN_CHARACTERS = 40

_KINDS = {
    FieldDescriptor.CPPTYPE_INT32: "a whole number",
    FieldDescriptor.CPPTYPE_UINT32: "a whole number that is not negative",
    FieldDescriptor.CPPTYPE_FLOAT: "a number",
    FieldDescriptor.CPPTYPE_BOOL: "true or false",
    FieldDescriptor.CPPTYPE_STRING: "a text in quotes",
    FieldDescriptor.CPPTYPE_MESSAGE: "fields in braces",
}


@dataclass(frozen=True)
class UnknownField:
    """A field that the schema lacks: its path, and where its name stands (line and column from 1).

    For an enum value that the schema lacks, `path` ends in a colon and the value.
    """

    path: str
    line: int
    column: int


@dataclass(frozen=True)
class Field:
    """Where a field stands in its text: offsets of its name, of its value, and behind the separator, if it has one.

    A value goes from its first to its last token: adjacent literals and a list in brackets are one value.
    """

    path: str
    start: int
    value_start: int
    value_end: int
    end: int


@dataclass(frozen=True)
class Block:
    """Where the fields of a message stand in their text: from its opening bracket to behind the closing one."""

    path: str
    start: int
    end: int


@dataclass(frozen=True)
class Outline:
    """The fields and the messages of a text; those of one path are in the order of the text."""

    fields: tuple[Field, ...]
    blocks: tuple[Block, ...]


@dataclass(frozen=True)
class _Token:
    text: str
    start: int

    @property
    def end(self) -> int:
        return self.start + len(self.text)


@dataclass
class _Walk:
    """One pass over the tokens; raises ConfigError where they are not in the text format."""

    name: str
    text: str
    unknown: list[tuple[str, int, int]] = field(default_factory=list)
    values: dict[int, tuple[str, FieldDescriptor]] = field(default_factory=dict)
    places: list[Field] = field(default_factory=list)
    blocks: list[Block] = field(default_factory=list)

    def __post_init__(self) -> None:
        found = (_Token(match[0], match.start()) for match in _TOKEN.finditer(self.text))
        self.tokens = [token for token in found if not token.text.isspace() and not token.text.startswith("#")]
        self.tokens.append(_Token("", len(self.text)))
        self.position = 0
        self.line_starts = [0, *(match.end() for match in re.finditer("\n", self.text))]

    @property
    def token(self) -> _Token:
        return self.tokens[self.position]

    @property
    def end(self) -> int:
        """Where the last token ends that was stepped over."""
        return self.tokens[self.position - 1].end

    def place(self, offset: int) -> tuple[int, int]:
        """Line and column, from 1, of a character of the text."""
        line = bisect_right(self.line_starts, offset)
        return line, offset - self.line_starts[line - 1] + 1

    def error(self, offset: int, fault: str) -> ConfigError:
        line, column = self.place(offset)
        return ConfigError(f"{self.name}, line {line}, column {column}: {fault}.", "Correct the file at that place.")

    def expected(self, what: str) -> ConfigError:
        return self.error(self.token.start, f"expected {what}, found {_shown(self.token.text)}")

    def takes(self, *texts: str) -> bool:
        """Step over the next token if it is one of `texts`."""
        found = self.token.text in texts
        self.position += found
        return found

    def fields(self, schema: Descriptor | None, path: str, opening: _Token | None = None) -> None:
        """Walk the fields up to the bracket that closes `opening`, or to the end of the text."""
        if path.count(".") >= _MAX_DEPTH:
            raise self.error(self.token.start, f"more than {_MAX_DEPTH} messages within each other")
        closing = _CLOSING[opening.text] if opening else ""
        while self.token.text != closing:
            if opening and not self.token.text:
                line, column = self.place(opening.start)
                raise self.expected(f"{closing!r} for the {opening.text!r} of line {line}, column {column}")
            self.one_field(schema, path, closing)
        self.position += bool(opening)

    def one_field(self, schema: Descriptor | None, path: str, closing: str) -> None:
        start = self.token.start
        name = self.field_name(closing)
        known = schema.fields_by_name.get(name) if schema else None
        path = f"{path}.{name}" if path else name
        value = self.tokens[self.position + (self.token.text == ":")]
        missing = self.value(known, path)
        value_end = self.end
        self.takes(",", ";")
        self.places.append(Field(path, start, value.start, value_end, self.end))
        if schema and (known is None or missing):
            self.unknown.append((path + missing, start, self.end))

    def field_name(self, closing: str) -> str:
        if self.takes("["):
            parts = []
            while self.token.text and not self.takes("]"):
                parts.append(self.token.text)
                self.position += 1
            return f"[{''.join(parts)}]"
        if not _NAME.fullmatch(self.token.text):
            raise self.expected(f"the name of a field or {closing!r}" if closing else "the name of a field")
        self.position += 1
        return self.tokens[self.position - 1].text

    def value(self, known: FieldDescriptor | None, path: str) -> str:
        """Walk a field's value; return the enum value that the schema lacks, if there is one."""
        has_colon = self.takes(":")
        if self.takes("["):
            missing = ""
            while not self.takes("]"):
                missing = self.element(known, path) or missing
                if self.token.text != "]" and not self.takes(","):
                    raise self.expected("',' or ']'")
            return missing
        if not has_colon and self.token.text not in _CLOSING:
            raise self.expected("':' or '{'" if known is None else _start(known))
        return self.element(known, path)

    def element(self, known: FieldDescriptor | None, path: str) -> str:
        token = self.token
        if known is not None:
            self.values[token.start] = (path, known)
        if self.takes(*_CLOSING):
            self.fields(known.message_type if known else None, path, token)
            self.blocks.append(Block(path, token.start, self.end))
            return ""
        if not token.text or token.text in "{}<>[]:,;":
            raise self.expected("a value")
        self.position += 1
        while token.text[0] in "\"'" and self.token.text[:1] in ('"', "'"):
            self.position += 1
        return f": {token.text}" if known is not None and not _has_value(known, token.text) else ""


def merge(text: str, message: Message, name: str) -> tuple[UnknownField, ...]:
    """Fill `message` from `text`, and return what its schema lacks, in the order of the text.

    A byte order mark and every kind of line end are allowed; of a field given twice the last counts, as for TFOD
    (utils/config_util.py). `name` says in errors which text it is. Raises ConfigError with line and column for text
    that is not in the format, and for a value that its field cannot hold.
    """
    walk = _Walk(name, _with_line_feeds(text.removeprefix(BYTE_ORDER_MARK)))
    walk.fields(cast("Descriptor", message.DESCRIPTOR), "")
    try:
        text_format.Merge(_blanked(walk), message)
    except text_format.ParseError as error:
        raise _refusal(walk, error) from None
    return tuple(UnknownField(path, *walk.place(start)) for path, start, _ in walk.unknown)


def outline(text: str, name: str) -> Outline:
    """Where each field of `text` stands, those that a schema may lack included.

    `name` says in errors which text it is. Raises ConfigError with line and column for text that is not in the format.
    """
    mark = BYTE_ORDER_MARK if text.startswith(BYTE_ORDER_MARK) else ""
    walk = _Walk(name, _with_line_feeds(" " * len(mark) + text.removeprefix(mark)))
    walk.fields(None, "")
    return Outline(tuple(walk.places), tuple(walk.blocks))


def _with_line_feeds(text: str) -> str:
    """The text with each line ended by a line feed, every character where it was."""
    return text.replace("\r\n", " \n").replace("\r", "\n")


def _blanked(walk: _Walk) -> str:
    text = walk.text
    for _, start, end in walk.unknown:
        text = text[:start] + re.sub(r"[^\n]", " ", text[start:end]) + text[end:]
    return text


def _refusal(walk: _Walk, error: text_format.ParseError) -> ConfigError:
    """A ConfigError that says what protobuf's parser did not accept."""
    line, column = error.GetLine() or 1, error.GetColumn() or 1
    offset = walk.line_starts[line - 1] + column - 1
    if offset in walk.values:
        path, known = walk.values[offset]
        found = next(token.text for token in walk.tokens if token.start == offset)
        return walk.error(offset, f"{path} takes {_kind(known)}, found {_shown(found)}")
    # protobuf repeats the whole line before its reason.
    reason = str(error).rpartition("': ")[2].removeprefix(f"{line}:{column} : ").rstrip(".")
    return walk.error(offset, reason)


def _kind(known: FieldDescriptor) -> str:
    """What a field takes, in words."""
    if known.enum_type:
        return f"one of {', '.join(known.enum_type.values_by_name)}"
    return _KINDS[known.cpp_type]


def _start(known: FieldDescriptor) -> str:
    return "'{'" if known.message_type else "':'"


def _has_value(known: FieldDescriptor, text: str) -> bool:
    """Whether `text` is a value of the enum `known`; true for any other field."""
    if not known.enum_type or not text.isidentifier():
        return True
    return text in known.enum_type.values_by_name


def _shown(token: str) -> str:
    if not token:
        return "the end of the file"
    return repr(token if len(token) <= _SHOWN_CHARACTERS else f"{token[:_SHOWN_CHARACTERS]}…")
