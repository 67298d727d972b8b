"""A FiftyOne dataset of a dataset directory: found again, filled, refreshed; what the user did to it stays."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import count, islice
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any, Final

from oidata.app.fields import DETECTIONS, TRUTH, declare
from oidata.core.tables import SPLITS
from oidata.core.viewing.corrections import DROP, Tagged
from oidata.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable

    from bson import ObjectId

    from oidata.app.documents import Document

_OURS: Final = "oidata"
_BATCH: Final = 500
# What tells our labels from those that the user drew into the same field.
_KEYS: Final = {TRUTH: "box_id", DETECTIONS: "row"}


@dataclass(frozen=True)
class Store:
    """FiftyOne and a dataset of it that shows the dataset in a directory."""

    fo: Any
    dataset: Any

    @property
    def name(self) -> str:
        """What FiftyOne calls it."""
        return str(self.dataset.name)

    @property
    def memory(self) -> dict[str, Any]:
        """What we noted down at the last refresh."""
        return dict(self.dataset.info.get(_OURS, {}))

    def remember(self, **values: object) -> None:
        """Note something down, beside what is noted."""
        self.dataset.info = {**self.dataset.info, _OURS: {**self.memory, **values}}

    def refresh(
        self,
        documents: Iterable[Document],
        dropped: Collection[ObjectId],
        advance: Callable[[], None],
        *,
        with_detections: bool,
    ) -> None:
        """Make the samples those of `documents`; one that is new and `dropped` begins with that tag.

        A sample keeps the tags and the fields that are not ours, and so do its labels, those that the user drew too.
        """
        declare(self.fo, self.dataset, with_detections=with_detections)
        collection = self._collection
        gone = set(collection.distinct("_id"))
        todo = iter(documents)
        while batch := list(islice(todo, _BATCH)):
            ids = [document["_id"] for document in batch]
            there = {old["_id"]: old for old in collection.find({"_id": {"$in": ids}})}
            collection.bulk_write([self._write(new, there.get(new["_id"]), dropped) for new in batch], ordered=False)
            gone.difference_update(ids)
            for _ in batch:
                advance()
        if gone:
            self.dataset.delete_samples([str(each) for each in gone])
        self.dataset.reload()

    def tagged(self) -> Tagged:
        """The tags of all photos, and of all ground-truth boxes that are ours."""
        boxes = f"{TRUTH}.detections"
        columns = ["image_id", "tags", f"{boxes}.box_id", f"{boxes}.tags"]
        image_ids, photo_tags, box_ids, box_tags = self.dataset.values(columns)
        of_boxes = (
            (box_id, tuple(tags or ()))
            for of_photo in zip(box_ids, box_tags, strict=True)
            for box_id, tags in zip(*(values or () for values in of_photo), strict=True)
            if box_id is not None
        )
        of_photos = zip(image_ids, (tuple(tags or ()) for tags in photo_tags), strict=True)
        return Tagged(dict(of_boxes), {image_id: tags for image_id, tags in of_photos if image_id is not None})

    @property
    def _collection(self) -> Any:
        return self.dataset._sample_collection  # noqa: SLF001 - the way to write documents that are made already

    def _write(self, new: Document, old: Document | None, dropped: Collection[ObjectId]) -> Any:
        from pymongo import UpdateOne

        now = datetime.now(UTC)
        first = {
            "_media_type": "image",
            "_rand": Random(str(new["_id"])).random(),  # noqa: S311 - FiftyOne shuffles by it
            "_dataset_id": self.dataset._doc.id,  # noqa: SLF001 - which FiftyOne sets, too
            "created_at": now,
        }
        values = {name: value for name, value in new.items() if name != "_id"}
        if old is None:
            values["tags"] = [*new["tags"], *([DROP] if new["_id"] in dropped else [])]
        else:
            values |= _kept(values, old)
        update = {"$set": {**values, "last_modified_at": now}, "$setOnInsert": first}
        return UpdateOne({"_id": new["_id"]}, update, upsert=True)


def _kept(new: Document, old: Document) -> Document:
    """What of `new` the user has a part in, with that part of `old`."""
    own = [tag for tag in old.get("tags") or () if tag not in SPLITS]
    kept: Document = {"tags": [*new["tags"], *own], "metadata": {**(old.get("metadata") or {}), **new["metadata"]}}
    for name, key in _KEYS.items():
        if name in new:
            before = (old.get(name) or {}).get("detections") or []
            kept[name] = {**new[name], "detections": _merged(new[name]["detections"], before, key)}
    return kept


def _merged(new: list[Document], old: list[Document], key: str) -> list[Document]:
    """The labels of `new`, with the tags that they have in `old`, then those of `old` that are not ours."""
    before = {label["_id"]: label for label in old}
    ours = [{**label, "tags": before.get(label["_id"], label).get("tags") or []} for label in new]
    return [*ours, *(label for label in old if label.get(key) is None)]


def find(fo: Any, directory: Path, name: str | None) -> Store | None:
    """The FiftyOne dataset of a directory, if there is one: of that name, or else the one that was refreshed last.

    Raises UsageError for a name that is taken by something else.
    """
    if name is not None:
        return _of_name(fo, name, directory)
    where = str(directory.resolve())
    stores = [Store(fo, fo.load_dataset(each)) for each in fo.list_datasets(tags=_OURS)]
    ours = [store for store in stores if store.memory.get("directory") == where]
    return max(ours, key=lambda store: str(store.memory.get("refreshed")), default=None)


def find_or_make(fo: Any, directory: Path, name: str | None) -> Store:
    """The FiftyOne dataset of a directory; a new one is called `name`, by default as the directory is.

    Where something else has the default name, a number is put behind it. Raises UsageError for a `name` that is taken,
    or that is none.
    """
    store = find(fo, directory, name)
    if store is None:
        default = name or _free_name(fo, directory)
        store = _of_name(fo, default, directory) or _make(fo, default)
    store.remember(directory=str(directory.resolve()), refreshed=datetime.now(UTC).isoformat())
    return store


def _free_name(fo: Any, directory: Path) -> str:
    name = own = directory.resolve().name
    for number in count(2):
        with suppress(UsageError):
            _of_name(fo, name, directory)
            break
        name = f"{own}-{number}"
    return name


def _make(fo: Any, name: str) -> Store:
    try:
        dataset = fo.Dataset(name, persistent=True)
    except ValueError as error:
        raise UsageError(
            f"FiftyOne takes no dataset called {name!r}: {error}.", "Choose another: --name NAME."
        ) from error
    dataset.tags = [_OURS]
    return Store(fo, dataset)


def _of_name(fo: Any, name: str, directory: Path) -> Store | None:
    """The FiftyOne dataset of that name, if there is one, and it shows this directory, or one that is no more."""
    if not fo.dataset_exists(name):
        return None
    store = Store(fo, fo.load_dataset(name))
    shows = store.memory.get("directory")
    if shows is None:
        raise UsageError(f"FiftyOne has a dataset {name} that is not oidata's.", "Choose another: --name NAME.")
    if shows != str(directory.resolve()) and Path(shows).is_dir():
        raise UsageError(f"FiftyOne's dataset {name} shows {shows}.", "Choose another name for this one: --name NAME.")
    return store
