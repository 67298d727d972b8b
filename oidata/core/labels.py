"""Class labels of a release, the label map of a dataset, and the class hierarchy."""

from __future__ import annotations

import difflib
from collections import deque
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from oidata.errors import TableError, UnknownClassError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_NUM_CLOSE = 5
_TELLING_LENGTH = 3  # fewer letters stand in too many names to tell which was meant


@dataclass(frozen=True)
class Label:
    """A class: its machine id (`/m/09k_b`) and its display name (`Lemon`)."""

    mid: str
    display_name: str


@dataclass(frozen=True)
class LabelMap:
    """Classes in an order that gives each its id: 1 for the first, since 0 is a detector's background."""

    labels: tuple[Label, ...]

    @property
    def mids(self) -> tuple[str, ...]:
        """The classes' machine ids, in id order."""
        return tuple(label.mid for label in self.labels)

    @property
    def names(self) -> dict[str, str]:
        """Display name by machine id, in id order."""
        return {label.mid: label.display_name for label in self.labels}

    @cached_property
    def _by_key(self) -> dict[str, Label]:
        keys = {_key(label.display_name): label for label in self.labels}
        return keys | {label.mid: label for label in self.labels}

    def find(self, name: str) -> Label:
        """The class of that display name, in any case, or of that machine id.

        Raises UnknownClassError with the names that come close.
        """
        label = self._by_key.get(name) or self._by_key.get(_key(name))
        if label is None:
            raise UnknownClassError(name, self._close_to(name))
        return label

    def select(self, names: Iterable[str]) -> LabelMap:
        """The named classes, in the order of their first naming."""
        return LabelMap(tuple(dict.fromkeys(self.find(name) for name in names)))

    def _close_to(self, name: str) -> list[str]:
        """The names that are written much the same, and those that contain what was typed ("ball")."""
        by_key = {_key(label.display_name): label.display_name for label in self.labels}
        typed = _key(name)
        similar = difflib.get_close_matches(typed, by_key, n=3)
        containing = [key for key in by_key if typed in key] if len(typed) >= _TELLING_LENGTH else []
        # A word of a name, as a shell leaves it of two that are not quoted, is that name sooner than one like it.
        of_words = [key for key in containing if name.casefold() in by_key[key].casefold().split()]
        return [by_key[key] for key in dict.fromkeys([*of_words, *similar, *containing])][:_NUM_CLOSE]


def _key(name: str) -> str:
    """Names compare without case and spaces: some copies of the lists write "CricketBall"."""
    return "".join(name.casefold().split())


@dataclass(frozen=True)
class Hierarchy:
    """The "is a" relation between classes; a class may have several parents.

    `parents` maps a machine id to those directly above it. The root (Entity) is in it, with none.
    """

    parents: Mapping[str, frozenset[str]]

    @classmethod
    def from_json(cls, tree: object) -> Hierarchy:
        """Read the nested form of `bbox_labels_600_hierarchy.json` ("Part" is no "is a", and is left out)."""
        parents: dict[str, frozenset[str]] = {}
        todo: list[tuple[object, frozenset[str]]] = [(tree, frozenset())]
        while todo:
            node, above = todo.pop()
            mid, children = _node(node)
            parents[mid] = parents.get(mid, frozenset()) | above
            todo += [(child, frozenset({mid})) for child in children]
        return cls(parents)

    @cached_property
    def _children(self) -> dict[str, list[str]]:
        children: dict[str, list[str]] = {}
        for mid in sorted(self.parents):
            for parent in self.parents[mid]:
                children.setdefault(parent, []).append(mid)
        return children

    def ancestors(self, mid: str) -> frozenset[str]:
        """All classes that `mid` is a kind of, without itself."""
        above: set[str] = set()
        todo = [mid]
        while todo:
            new = self.parents.get(todo.pop(), frozenset()) - above
            above |= new
            todo += new
        return frozenset(above)

    def fold(self, chosen: Iterable[str]) -> dict[str, str]:
        """Map each chosen class and each descendant to the chosen class nearest above it.

        A chosen class stays itself, also below another chosen one; at equal distance the class chosen first wins.
        """
        nearest = {mid: mid for mid in chosen}
        todo = deque(nearest)
        while todo:
            mid = todo.popleft()
            for child in self._children.get(mid, ()):
                if child not in nearest:
                    nearest[child] = nearest[mid]
                    todo.append(child)
        return nearest


def _node(node: object) -> tuple[str, list[object]]:
    """The machine id and the children of a node of the nested form."""
    match node:
        case {"LabelName": str(mid), "Subcategory": list(children)}:
            return mid, children
        case {"LabelName": str(mid), **rest} if "Subcategory" not in rest:
            return mid, []
    raise TableError(
        f"This is no node of a class hierarchy: {str(node)[:80]}.",
        "A node has a LabelName, and a list of nodes as its Subcategory if there are any. Take the file anew.",
    )
