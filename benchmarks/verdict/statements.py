"""What the product says of a training before it is made: of the audit's report and of the shards'."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from oidata.core.config.schedule import schedule
from oidata.core.tables import TRAIN
from verdict.rows import Statement

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from oidata.core.config.pipeline import PipelineConfig
    from oidata.report.shard_report import ShardReport


def statements(
    names: Iterable[str], report: Mapping[str, Any], shards: ShardReport, config: PipelineConfig
) -> tuple[Statement, ...]:
    """The findings `names` of an audit's report, as report.json has it, each with its number.

    The collateral is the shards' own: there is none where they leave no object without its box.
    """
    severities = {finding["name"]: str(finding["severity"]) for finding in report["findings"]}
    numbers = _numbers(report, config)
    if not shards.num_leftover:
        severities.pop("collateral", None)
        numbers["collateral"] = 0.0
    return tuple(Statement(name, severities.get(name), numbers.get(name)) for name in names)


def _numbers(report: Mapping[str, Any], config: PipelineConfig) -> dict[str, float | None]:
    """By finding, the share that it is about; None where there is nothing to take it of."""
    data, anchors = report["data"], report["anchors"]
    classes, photos, pairs = (_of_train(data[name]) for name in ("classes", "photos", "pairs"))
    boxes = [row for row in _of_train(anchors["boxes"]) if row["size"] == "all"]
    rates = schedule(config.message.train_config)
    return {
        "unmatched_boxes": _share(_sum(boxes, "num_boxes") - _sum(boxes, "num_matched"), _sum(boxes, "num_boxes")),
        "size_holes": sum(row["share"] or 0.0 for row in _of_train(anchors["holes"])),
        "starved_boxes": _share(_sum(boxes, "num_starved"), _sum(boxes, "num_boxes")),
        "ambiguous_layers": anchors["layer_ambiguity"],
        "group_boxes": _share(_sum(classes, "num_group_truth"), _sum(classes, "num_truth")),
        "collateral": _share(_sum(photos, "num_leftover"), _sum(photos, "num_with_truth")),
        "present_unboxed": _share(_sum(classes, "num_present_unboxed"), _sum(classes, "num_verified_present")),
        "unverified_pairs": max((row["share"] or 0.0 for row in pairs), default=None),
        "constant_learning_rate": rates.final / rates.peak if rates and rates.peak else None,
    }


def _of_train(rows: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    return [row for row in rows if row["split"] == TRAIN]


def _sum(rows: Iterable[Mapping[str, Any]], name: str) -> int:
    return sum(row[name] for row in rows)


def _share(part: int, whole: int) -> float | None:
    return part / whole if whole else None
