"""An audit as a page: the verdict, the findings, and the plots, tables and galleries behind them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from oidata.core.matcher.coverage import EVEN_CHANCE
from oidata.core.tables import TRAIN
from oidata.report import audit_tables as tables
from oidata.report import plots
from oidata.report.page import Figure, Page, Section
from oidata.report.summary import filled

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from oidata.core.auditing.evidence import Evidence
    from oidata.core.auditing.findings import Finding, Verdict
    from oidata.core.auditing.matching import AnchorFacts
    from oidata.report.page import Gallery

_MIN_SIDE_PX = 4.0


def page(  # noqa: PLR0913, PLR0917 - the parts of a report, and its pictures
    evidence: Evidence,
    findings: tuple[Finding, ...],
    verdict: Verdict,
    about: str,
    not_done: tuple[str, ...],
    galleries: tuple[Gallery, ...],
) -> Page:
    """The page of an audit."""
    sections = (
        *_gaps(not_done),
        _sizes(evidence),
        *_anchors(evidence),
        _per_image(evidence),
        _data(evidence),
        _photos(evidence),
    )
    if galleries:
        sections = (*sections, Section("Pictures", "What the numbers look like.", galleries=galleries))
    return Page("Audit", about, verdict, findings, sections)


def _gaps(not_done: tuple[str, ...]) -> Iterator[Section]:
    if not_done:
        yield Section("Not looked at", "What this audit had to leave out, and why.", notes=not_done)


def _sizes(evidence: Evidence) -> Section:
    return Section(
        "Box sizes",
        "How large objects are where the network sees them.",
        figures=(*_size_plots(evidence), *_ratio_plot(evidence), *_heat_maps(evidence)),
        tables=filled(tables.sizes(evidence), tables.ratios(evidence)),
    )


def _size_plots(evidence: Evidence) -> Iterator[Figure]:
    """One histogram for each split, all classes in it, with the anchors of each layer marked."""
    edges = evidence.sizes.side_edges_px
    first = next((place for place, edge in enumerate(edges) if edge >= _MIN_SIDE_PX), 0)
    last = max(_last_bin(evidence), first) + 1
    marks = _marks(evidence.anchors) if evidence.anchors else ()
    for split in evidence.splits:
        rows = [row for row in evidence.sizes.classes if row.split == split]
        counts = {row.display_name: row.side_px_counts[first:last] for row in rows}
        if any(row.num_boxes for row in rows):
            caption = f"{split}: side of the boxes at the network's input."
            caption += " Dotted: the smallest anchor of each layer." if marks else ""
            yield Figure(plots.histogram(plots.SIDE, counts, edges[first : last + 1], marks), caption)


def _last_bin(evidence: Evidence) -> int:
    """The last bin that any box is in."""
    rows = [row.side_px_counts for row in evidence.sizes.classes]
    return max((place for counts in rows for place, number in enumerate(counts) if number), default=0)


def _marks(anchors: AnchorFacts) -> tuple[plots.Mark, ...]:
    """The geometric mean side of the smallest anchor of each layer."""
    return tuple(
        plots.Mark(min(_sides(layer.heights_px, layer.widths_px)), f"{layer.rows}×{layer.columns}")
        for layer in anchors.layers
    )


def _sides(heights_px: Sequence[float], widths_px: Sequence[float]) -> list[float]:
    return [(height * width) ** 0.5 for height, width in zip(heights_px, widths_px, strict=True)]


def _ratio_plot(evidence: Evidence) -> Iterator[Figure]:
    """The shapes of the train boxes, with the anchors' marked."""
    rows = [row for row in evidence.sizes.classes if row.split == TRAIN]
    ratios = sorted({round(ratio, 2) for ratio in _anchor_ratios(evidence)})
    marks = [plots.Mark(ratio, f"{ratio:g}") for ratio in ratios]
    if any(row.num_boxes for row in rows):
        counts = {row.display_name: row.ratio_counts for row in rows}
        svg = plots.histogram(plots.RATIO, counts, evidence.sizes.ratio_edges, marks)
        caption = "train: width / height of the boxes at the network's input."
        yield Figure(svg, caption + (" Dotted: those of the anchors." if marks else ""))


def _anchor_ratios(evidence: Evidence) -> list[float]:
    layers = evidence.anchors.layers if evidence.anchors else ()
    shapes = (zip(layer.widths_px, layer.heights_px, strict=True) for layer in layers)
    return [width / height for layer in shapes for width, height in layer]


def _heat_maps(evidence: Evidence) -> Iterator[Figure]:
    for heat in evidence.sizes.heat_maps:
        if heat.num_boxes:
            caption = f"Where boxes of {heat.display_name} lie: the share of them that covers each place of the photo."
            yield Figure(plots.heat_map(heat.shares.tolist(), heat.display_name), caption, is_small=True)


def _anchors(evidence: Evidence) -> Iterator[Section]:
    anchors = evidence.anchors
    if anchors is None:
        return
    height_px, width_px = anchors.input_px
    yield Section(
        "Anchors",
        f"{anchors.num_anchors:,} anchors at an input of {width_px} × {height_px} px, and the exact matcher on every "
        "box: matched has an anchor at the threshold, forced only has one through the forced match, starved has none.",
        figures=(_coverage(evidence, anchors), _matched(anchors), _layers(anchors)),
        tables=filled(
            tables.layers(anchors),
            tables.holes(evidence),
            tables.matches(anchors.boxes, "Boxes and their anchors"),
            tables.matches(
                anchors.after_crop, f"Train after random crops (median zoom {anchors.crop_zoom or 1:.2f} ×)"
            ),
            tables.against(evidence),
        ),
        notes=(f"Better anchors: {evidence.suggestion.reason}",) if evidence.suggestion else (),
        patch=evidence.patch,
    )


def _coverage(evidence: Evidence, anchors: AnchorFacts) -> Figure:
    swept = {evidence.config.name: anchors.sweep}
    if evidence.against is not None:
        swept[evidence.against.config.name] = evidence.against.anchors.sweep
    short = {_file_name(name): each for name, each in swept.items()}
    named = short if len(short) == len(swept) else swept
    known = {name: {size.side: size.share for size in each.of_ratio(1.0)} for name, each in named.items()}
    sides = sorted({side for shares in known.values() for side in shares})
    holes = [(facts.hole.side_min, facts.hole.side_max) for facts in anchors.holes if facts.split == evidence.splits[0]]
    name = next(iter(named))
    caption = (
        f"The chance that a square has an anchor at the threshold, wherever it lies. Shaded: less than even ({name})."
    )
    shares = {name: _at(sides, each) for name, each in known.items()}
    return Figure(plots.coverage(sides, shares, holes, EVEN_CHANCE), caption)


def _file_name(config_name: str) -> str:
    return config_name.rpartition("/")[2]


def _at(sides: Sequence[float], known: dict[float, float]) -> list[float]:
    import numpy as np

    return list(np.interp(sides, list(known), list(known.values())).tolist())


def _matched(anchors: AnchorFacts) -> Figure:
    """The share of train boxes that are matched, by size and class."""
    rows = [row for row in anchors.boxes if row.split == TRAIN and row.size != "all"]
    sizes = list(dict.fromkeys(row.size for row in sorted(rows, key=lambda row: _place(row.size))))
    shares = {
        name: [
            sum(100 * row.num_matched / row.num_boxes for row in rows if (row.display_name, row.size) == (name, size))
            for size in sizes
        ]
        for name in dict.fromkeys(row.display_name for row in rows)
    }
    svg = plots.bars(sizes, shares, "side at the network's input, px", "% matched at the threshold")
    return Figure(
        svg, "Train boxes that have an anchor at the matcher's threshold, by size. No bar: none has, or no boxes."
    )


def _place(size: str) -> float:
    return float(size.strip("<≥").partition("-")[0]) - (1 if size.startswith("<") else 0)


def _layers(anchors: AnchorFacts) -> Figure:
    rows = anchors.of_split(TRAIN)
    labels = [f"{layer.rows}×{layer.columns}" for layer in anchors.layers]
    values = {row.display_name: row.positives_per_layer for row in rows if row.num_boxes}
    svg = plots.bars(labels, values, "feature map, cells", "positive anchors per box")
    return Figure(svg, "Which feature map learns the train boxes.")


def _per_image(evidence: Evidence) -> Section:
    splits = [facts for facts in evidence.per_image.splits if facts.num_photos]
    most = max((len(facts.photos_by_boxes) for facts in splits), default=0)
    labels, values = _boxes_per_photo(most, {facts.split: facts.photos_by_boxes for facts in splits})
    figure = Figure(plots.bars(labels, values, "boxes", "% of the photos"), "Ground-truth boxes per photo.")
    return Section(
        "Per photo",
        "What one photo brings to a training step.",
        figures=(figure,),
        tables=filled(tables.per_image(evidence), tables.mixes(evidence)),
    )


_SINGLE = 20


def _boxes_per_photo(most: int, counts: dict[str, tuple[int, ...]]) -> tuple[list[str], dict[str, list[float]]]:
    """Shares of the photos with 0, 1, 2, … boxes; from _SINGLE on together, where there are so many."""
    labels = [str(number) for number in range(min(most, _SINGLE))] + ([f"≥{_SINGLE}"] if most > _SINGLE else [])
    values = {}
    for split, numbers in counts.items():
        single = [*numbers[:_SINGLE], *[0] * (min(most, _SINGLE) - len(numbers[:_SINGLE]))]
        whole = single + ([sum(numbers[_SINGLE:])] if most > _SINGLE else [])
        values[split] = [100 * number / max(sum(numbers), 1) for number in whole]
    return labels, values


def _data(evidence: Evidence) -> Section:
    return Section(
        "Dataset",
        "What the release says, what strip marked, and what nobody looked for.",
        tables=filled(
            tables.photos(evidence),
            tables.classes(evidence),
            tables.flags(evidence),
            tables.sources(evidence),
            tables.pairs(evidence),
        ),
    )


def _photos(evidence: Evidence) -> Section:
    seen = evidence.looks
    broken = tuple(f"{image_id}: {reason}" for image_id, reason in seen.undecodable.items()) if seen else ()
    turned = (f"EXIF orientation: {', '.join(seen.turned)}",) if seen and seen.turned else ()
    return Section(
        "Photos",
        "Every photo, decoded once." if seen else "No photo was there to be decoded.",
        tables=filled(tables.looks(evidence), tables.overlaps(evidence)),
        notes=(*broken, *turned),
    )
