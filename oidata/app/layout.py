"""How the App shows a dataset: saved views, colours, the sidebar, and a workspace with histograms."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from oidata.app.fields import ABSENT, DETECTIONS, PHOTO_FIELDS, PRESENT, TRUTH
from oidata.core.evaluation.failures import Error
from oidata.core.viewing.inspection import BELOW, FOUND, IGNORED, MISSED, STRIPPED
from oidata.core.viewing.views import Of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from oidata.app.samples import Store
    from oidata.core.viewing.views import View

WORKSPACE: Final = "oidata"
_COLOURS: Final = {
    TRUTH: {FOUND: "#2b8a3e", MISSED: "#e03131", STRIPPED: "#868e96"},
    DETECTIONS: {
        FOUND: "#22b8cf",
        IGNORED: "#adb5bd",
        BELOW: "#1971c2",
        Error.CLASSIFICATION: "#f06bff",
        Error.LOCALISATION: "#f08c00",
        Error.BOTH: "#be4bdb",
        Error.DUPLICATE: "#ffd43b",
        Error.BACKGROUND: "#748ffc",
    },
}
_SORTED_BY: Final = {"score": "confidence"}  # what the App calls it
_FIELDS: Final = {Of.BOXES: TRUTH, Of.DETECTIONS: DETECTIONS}


def save_views(store: Store, views: Sequence[View]) -> None:
    """Save each of `views`, and remove those that an earlier refresh saved and that are no more; the user's stay."""
    dataset, before = store.dataset, dict(store.memory.get("views", ()))
    there = set(view_names(store))
    made = {view.name: repr(view) for view in views}
    for old in before.keys() & there - made.keys():
        dataset.delete_saved_view(old)
    for view in views:
        if view.name not in there or before.get(view.name) != made[view.name]:  # to save one takes a while
            dataset.save_view(view.name, _stages(store, view), description=view.says, overwrite=True)
    store.remember(views=[list(each) for each in made.items()])  # names may hold dots, and keys may not


def view_names(store: Store) -> list[str]:
    """The names of all saved views, ours and the user's."""
    return [str(name) for name in store.dataset.list_saved_views()]


def arrange(store: Store, opens_on: Of, *, is_judged: bool) -> None:
    """Set colours and the sidebar, once, so that what the user makes of them stays; and the workspace.

    This begins with the histogram of what the App opens on.
    """
    has_detections = store.dataset.has_field(DETECTIONS)
    arranged = [has_detections, is_judged]
    if store.memory.get("arranged") != arranged:
        config = store.dataset.app_config
        config.color_scheme = _colour_scheme(store.fo, is_judged=is_judged)
        config.sidebar_groups = _sidebar(store.fo, has_detections=has_detections)
        config.active_fields = store.fo.ActiveFields(
            paths=[TRUTH, *([DETECTIONS] if has_detections else [])], exclude=False
        )
        store.dataset.save()
        store.remember(arranged=arranged)
    says = "Samples, and histograms of causes and errors."
    space = _space(store.fo, opens_on, has_detections=has_detections, is_judged=is_judged)
    store.dataset.save_workspace(WORKSPACE, space, description=says, overwrite=True)


def _stages(store: Store, view: View) -> Any:
    """The view that selects what `view` does, and sorts it."""
    fo, dataset = store.fo, store.dataset
    chosen = None
    for column, values in view.where.items():
        is_one = fo.ViewField(column).is_in(list(values))
        chosen = is_one if chosen is None else chosen & is_one
    by = _SORTED_BY.get(view.worst, view.worst)
    if view.of == Of.PHOTOS:
        return dataset.match(chosen).sort_by([(by, -1 if view.is_highest_first else 1), ("image_id", 1)])
    name = _FIELDS[view.of]
    shown = dataset.filter_labels(name, chosen)
    of_labels = fo.ViewField(f"{name}.detections").map(fo.ViewField(by))
    extreme = of_labels.max() if view.is_highest_first else of_labels.min()
    return shown.sort_by(extreme, reverse=view.is_highest_first)


def _colour_scheme(fo: Any, *, is_judged: bool) -> Any:
    by = "outcome" if is_judged else "label"
    fields = [
        {
            "path": name,
            "colorByAttribute": by,
            "valueColors": [{"value": str(value), "color": colour} for value, colour in colours.items()]
            if is_judged
            else [],
        }
        for name, colours in _COLOURS.items()
    ]
    return fo.ColorScheme(color_by="value", fields=fields)


def _sidebar(fo: Any, *, has_detections: bool) -> list[Any]:
    group = fo.SidebarGroupDocument
    labels = [TRUTH, *([DETECTIONS] if has_detections else [])]
    return [
        group(name="tags", paths=["tags", "_label_tags"], expanded=True),
        group(name="boxes", paths=labels, expanded=True),
        group(name="verified labels", paths=[PRESENT, ABSENT], expanded=False),
        group(name="photo", paths=[each.name for each in PHOTO_FIELDS], expanded=False),
        group(name="file", paths=["id", "filepath", "created_at", "last_modified_at"], expanded=False),
        group(name="metadata", paths=[f"metadata.{name}" for name in ("width", "height")], expanded=False),
        group(name="other", paths=[], expanded=False),
    ]


def _space(fo: Any, opens_on: Of, *, has_detections: bool, is_judged: bool) -> Any:
    """Samples, and beside them two histograms, of which one shows: two halves of a screen would cut the labels off."""
    paths = [f"{TRUTH}.detections.stripped", f"{TRUTH}.detections.label"]
    if is_judged:
        paths = [f"{TRUTH}.detections.cause", f"{DETECTIONS}.detections.cause"]
        paths.sort(key=lambda path: not path.startswith(_FIELDS.get(opens_on, TRUTH)))
    elif has_detections:
        paths = [f"{DETECTIONS}.detections.label", *paths]
    samples = _leaf(fo, [fo.Panel(type="Samples", pinned=True)])
    histograms = _leaf(fo, [fo.Panel(type="Histograms", state={"path": path}) for path in paths])
    return fo.Space(children=[samples, histograms], orientation="horizontal", sizes=[0.7, 0.3])


def _leaf(fo: Any, panels: list[Any]) -> Any:
    return fo.Space(children=panels, active_child=panels[0].component_id)  # without that it is blank
