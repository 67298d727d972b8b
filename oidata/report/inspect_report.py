"""What `oidata inspect` has to say: the views and what is in them; what a pull brings back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from oidata.core.viewing.corrections import Action
from oidata.core.words import counted
from oidata.report.summary import Summary, Table

if TYPE_CHECKING:
    from collections.abc import Iterator

    from oidata.core.viewing.corrections import Change

_MOST_CHANGES: Final = 100  # longer lists nobody reads in a terminal; --json has them all


@dataclass(frozen=True)
class SavedView:
    """A view: what it selects (boxes, detections or photos), how many, on how many photos, and what comes first."""

    name: str
    says: str
    of: str
    number: int
    num_photos: int
    worst_first: str


@dataclass(frozen=True)
class InspectReport:
    """What the App has.

    name: of the dataset in FiftyOne. run: whose detections are shown, None without any. opened: the view that it opens
    on, None for all photos. views: also those that are empty, which the App does not list.
    """

    directory: str
    name: str
    run: str | None
    num_photos: int
    num_boxes: int
    num_detections: int
    views: tuple[SavedView, ...]
    opened: str | None
    notes: tuple[str, ...]

    def summary(self) -> Summary:
        """For a person."""
        shown = [counted(self.num_photos, "photo"), counted(self.num_boxes, "box", "boxes")]
        if self.run is not None:
            shown.append(f"{counted(self.num_detections, 'detection')} of {self.run}")
        headline = f"{self.directory}: FiftyOne dataset {self.name}: {', '.join(shown)}"
        rows = tuple((view.name, view.number, view.of, view.num_photos, view.worst_first) for view in self.views)
        table = Table("Saved views", ("view", "number", "of", "on photos", "worst first"), rows)
        return Summary(headline, (table,), (*self.notes, self._opens()))

    def _opens(self) -> str:
        return "It opens on all photos." if self.opened is None else f"It opens on: {self.opened}"


@dataclass(frozen=True)
class PullReport:
    """What differs between the tags in the App and the dataset, and whether it was written."""

    directory: str
    name: str
    changes: tuple[Change, ...]
    is_written: bool

    def summary(self) -> Summary:
        """For a person."""
        if not self.changes:
            return Summary(
                f"{self.directory}: nothing to pull: the tags in FiftyOne's dataset {self.name} are all here."
            )
        state = "pulled from" if self.is_written else "to be pulled from"
        headline = f"{self.directory}: {counted(len(self.changes), 'change')} {state} FiftyOne's dataset {self.name}"
        rows = [(change.action, change.of, change.id, *_classes(change)) for change in self.changes[:_MOST_CHANGES]]
        table = Table("Changes", ("what", "of", "id", "class", "becomes"), tuple(rows))
        return Summary(headline, (table,), tuple(self._notes()))

    def _notes(self) -> Iterator[str]:
        if len(self.changes) > _MOST_CHANGES:
            yield f"{len(self.changes) - _MOST_CHANGES:,} more are not listed here: --json has them all."
        if self.is_written:
            yield "To take one back, take its tag off in the App and pull again."
            yield "What was made of the dataset before is older than this: run audit, shard and evaluate again."


def _classes(change: Change) -> tuple[str | None, str | None]:
    is_of_class = change.action in (Action.RELABEL, Action.UNLABEL)
    return (change.before, change.after) if is_of_class else (None, None)
