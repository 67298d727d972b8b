"""An audit as tables, for the terminal and the page."""

from __future__ import annotations

from typing import TYPE_CHECKING

from oidata.core.tables import TRAIN
from oidata.report.summary import Fixed, Share, Table

if TYPE_CHECKING:
    from oidata.core.auditing.evidence import Evidence
    from oidata.core.auditing.matching import AnchorFacts, MatchFacts
    from oidata.core.auditing.sizes import SizeRow
    from oidata.core.matcher.coverage import Hole

_FLAGS = {
    "is_group_of": "group",
    "is_depiction": "depiction",
    "is_truncated": "truncated",
    "is_occluded": "occluded",
    "is_inside": "inside",
}


def photos(evidence: Evidence) -> Table:
    """The photos of each split."""
    rows = [
        (
            facts.split,
            facts.num_photos,
            facts.num_photos - facts.num_usable,
            facts.num_with_truth,
            facts.num_usable - facts.num_boxed,
            facts.num_emptied,
            facts.num_collateral,
        )
        for facts in evidence.data.photos
    ]
    columns = ("split", "photos", "unusable", "with truth", "negatives", "emptied", "collateral")
    return Table("Photos", columns, tuple(rows))


def classes(evidence: Evidence) -> Table:
    """The boxes and verdicts of each class in each split."""
    rows = [
        (
            facts.split,
            facts.display_name,
            facts.num_boxes,
            facts.num_stripped,
            facts.num_truth,
            facts.num_photos,
            facts.num_present_unboxed,
            facts.num_verified_absent,
            facts.num_verified_negatives,
        )
        for facts in evidence.data.classes
    ]
    columns = (
        "split",
        "class",
        "boxes",
        "stripped",
        "truth",
        "photos",
        "unboxed",
        "absent",
        "negatives",
    )
    title = "Classes (unboxed: photos verified to show it without a box; absent, negatives: verified to lack it)"
    return Table(title, columns, tuple(rows))


def flags(evidence: Evidence) -> Table:
    """Each flag of the release's boxes as yes / no / unknown."""
    rows = [
        (facts.split, facts.display_name, *("/".join(map(str, facts.flags[flag].values())) for flag in _FLAGS))
        for facts in evidence.data.classes
    ]
    return Table("Flags of the release: yes/no/unknown", ("split", "class", *_FLAGS.values()), tuple(rows))


def sources(evidence: Evidence) -> Table:
    """Who drew the boxes."""
    names = list(dict.fromkeys(name for facts in evidence.data.classes for name in facts.sources))
    rows = [
        (facts.split, facts.display_name, *(facts.sources.get(name, 0) for name in names))
        for facts in evidence.data.classes
    ]
    return Table("Sources of the boxes", ("split", "class", *names), tuple(rows))


def pairs(evidence: Evidence) -> Table:
    """On how many photos of a class the other was never verified."""
    rows = [
        (
            pair.split,
            pair.display_name,
            pair.other_display_name,
            pair.num_photos,
            pair.num_unverified,
            Share(pair.num_unverified, pair.num_photos),
        )
        for pair in evidence.data.pairs
    ]
    columns = ("split", "photos of", "never verified", "photos", "unverified", "share")
    return Table("Classes that nobody looked for", columns, tuple(rows))


def sizes(evidence: Evidence) -> Table:
    """The sizes of the ground truth at the network's input, in pixels, with COCO's classes."""
    rows = [
        (
            row.split,
            row.display_name,
            row.num_boxes,
            *(_px(row, name) for name in ("p5", "p25", "p50", "p75", "p95")),
            row.coco_at_input.small,
            row.coco_at_input.medium,
            row.coco_at_input.large,
        )
        for row in evidence.sizes.classes
    ]
    columns = ("split", "class", "boxes", "5 %", "25 %", "median", "75 %", "95 %", "small", "medium", "large")
    return Table("Side of the boxes at the network's input, px (√area; COCO's sizes)", columns, tuple(rows))


def ratios(evidence: Evidence) -> Table:
    """The shapes of the ground truth at the network's input."""
    rows = [
        (
            row.split,
            row.display_name,
            row.num_boxes,
            *(_ratio(row, name) for name in ("p5", "p25", "p50", "p75", "p95")),
            row.num_over_photo,
        )
        for row in evidence.sizes.classes
    ]
    columns = ("split", "class", "boxes", "5 %", "25 %", "median", "75 %", "95 %", "over 90 % of photo")
    return Table("Width / height of the boxes at the network's input", columns, tuple(rows))


def per_image(evidence: Evidence) -> Table:
    """Boxes per photo, and what the miner takes."""
    mined = {facts.split: facts for facts in evidence.anchors.mined} if evidence.anchors else {}
    rows = [
        (
            facts.split,
            facts.num_photos,
            facts.num_boxes,
            facts.boxes["p50"],
            facts.boxes["p95"],
            facts.max_boxes,
            facts.num_over,
            mined[facts.split].num_positives if facts.split in mined else None,
            mined[facts.split].num_negatives if facts.split in mined else None,
        )
        for facts in evidence.per_image.splits
    ]
    most = evidence.per_image.max_number_of_boxes
    columns = (
        "split",
        "photos",
        "boxes",
        "median",
        "95 %",
        "most",
        f"over {most}",
        "positives",
        "negatives",
    )
    miner = "mined " if evidence.ssd.loss.HasField("hard_example_miner") else ""
    title = f"Boxes per photo, and the positive anchors and {miner}negatives of a pass"
    return Table(title, columns, tuple(rows))


def mixes(evidence: Evidence) -> Table:
    """Which classes stand together."""
    rows = [
        (facts.split, " + ".join(mix.display_names) or "no ground truth", mix.num_photos)
        for facts in evidence.per_image.splits
        for mix in facts.mixes
    ]
    return Table("Classes that a photo shows", ("split", "classes", "photos"), tuple(rows))


def layers(anchors: AnchorFacts) -> Table:
    """The feature maps, their anchors, and the mean positives that a train box has in them."""
    train = anchors.of_split(TRAIN)
    total = sum(row.num_boxes for row in train)
    rows = []
    for number, layer in enumerate(anchors.layers):
        shapes = zip(layer.widths_px, layer.heights_px, strict=True)
        positives = sum(row.positives_per_layer[number] * row.num_boxes for row in train)
        rows.append(
            (
                f"{layer.rows} × {layer.columns}",
                " ".join(f"{width:.0f}×{height:.0f}" for width, height in shapes),
                _mean(positives / total if total else None),
            )
        )
    return Table("Anchors", ("cells", "width × height, px", "positives per train box"), tuple(rows))


def matches(facts: tuple[MatchFacts, ...], title: str) -> Table:
    """What the matcher makes of the boxes, by class and size."""
    rows = [
        (
            row.split,
            row.display_name,
            row.size,
            row.num_boxes,
            Share(row.num_matched, row.num_boxes),
            Share(row.num_forced_only, row.num_boxes),
            Share(row.num_starved, row.num_boxes),
            _mean(row.mean_positive_anchors),
        )
        for row in facts
    ]
    columns = ("split", "class", "side, px", "boxes", "matched", "forced only", "starved", "positives")
    return Table(title, columns, tuple(rows))


def _mean(positives: float | None) -> Fixed | None:
    """Positive anchors of a box, on average."""
    return None if positives is None else Fixed(positives, 2)


def holes(evidence: Evidence) -> Table:
    """The sizes that anchors mostly miss, and how many boxes have them."""
    found = evidence.anchors.holes if evidence.anchors else ()
    rows = [
        (
            facts.split,
            f"≤ {facts.hole.side_max:.0f}" if facts.hole.where == "below" else _from_to(facts.hole),
            {"below": "below all anchors", "inner": "between anchors", "above": "above all anchors"}[facts.hole.where],
            Share(facts.hole.min_share, 1),
            facts.num_boxes,
            None if facts.share is None else Share(facts.share, 1),
        )
        for facts in found
    ]
    columns = ("split", "side, px", "where", "chance at worst", "boxes", "of the split")
    return Table(
        "Size holes: a square placed at random has less than an even chance of an anchor", columns, tuple(rows)
    )


def _from_to(hole: Hole) -> str:
    return f"{hole.side_min:.0f}-{hole.side_max:.0f}"


def against(evidence: Evidence) -> Table:
    """The two configs side by side, on the same ground truth."""
    if evidence.against is None or evidence.anchors is None:
        return Table("Against another config", (), ())
    rows = []
    for one, other in zip(evidence.anchors.boxes, evidence.against.anchors.boxes, strict=True):
        rows.append(
            (
                one.split,
                one.display_name,
                one.size,
                one.num_boxes,
                *(Share(row.num_matched, row.num_boxes) for row in (one, other)),
                *(row.num_starved for row in (one, other)),
                *(_mean(row.mean_positive_anchors) for row in (one, other)),
            )
        )
    columns = (
        "split",
        "class",
        "side, px",
        "boxes",
        "matched",
        "other",
        "starved",
        "other",
        "positives",
        "other",
    )
    return Table(f"{evidence.config.name} against {evidence.against.config.name} (other)", columns, tuple(rows))


def looks(evidence: Evidence) -> Table:
    """What decoding the photos showed."""
    seen = evidence.looks
    if seen is None:
        return Table("Photos as decoded", (), ())
    rows: list[tuple[object, ...]] = [
        ("decoded", seen.num_photos - seen.num_undecodable),
        ("do not decode", seen.num_undecodable),
        *((f"mode {mode}", number) for mode, number in seen.modes.items()),
        ("with an EXIF orientation", seen.num_turned),
        ("with a Rotation in the release", seen.num_rotated),
        ("more than 3 times as long as wide", seen.num_extreme),
    ]
    return Table("Photos as decoded", ("", "photos"), tuple(rows))


def overlaps(evidence: Evidence) -> Table:
    """Duplicates within splits and across."""
    found = evidence.looks.overlaps if evidence.looks else ()
    rows = [(each.split, each.other, each.num_groups, each.num_in_split, each.num_in_other) for each in found]
    columns = ("split", "and", "groups", "photos in the first", "photos in the second")
    return Table("Duplicates and near duplicates", columns, tuple(rows))


def _px(row: SizeRow, name: str) -> object:
    value = row.side_px[name]
    return None if value is None else round(value)


def _ratio(row: SizeRow, name: str) -> object:
    value = row.ratio[name]
    return None if value is None else round(value, 2)
