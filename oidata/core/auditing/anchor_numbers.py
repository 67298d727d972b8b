"""What the anchors of a config make of each ground-truth box, as a table, and the sizes that they miss."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from oidata.core.auditing.anchor_facts import SeenTruth, size_sweep
from oidata.core.matcher.coverage import holes
from oidata.core.matcher.detector import Detector
from oidata.core.tables import AUDIT_BOXES

if TYPE_CHECKING:
    import pandas as pd

    from oidata.core.config.pipeline import PipelineConfig
    from oidata.core.matcher.coverage import Hole
    from oidata.core.matcher.detector import Placement
    from oidata.core.matcher.targets import Targets


@dataclass(frozen=True, eq=False)
class AnchorNumbers:
    """AUDIT_BOXES of some ground truth by the anchors of a detector. placement: of its photos, each box's."""

    boxes: pd.DataFrame
    detector: Detector
    placement: Placement

    @cached_property
    def holes(self) -> tuple[Hole, ...]:
        """The ranges of sizes of square boxes that the anchors mostly miss."""
        return tuple(hole for hole in holes(size_sweep(self.detector, self.placement)) if hole.ratio == 1)


def anchor_numbers(config: PipelineConfig, truth: pd.DataFrame, known: pd.DataFrame | None = None) -> AnchorNumbers:
    """Match `truth`, rows of `statistics.placed`, with the anchors of an SSD config.

    `known` are AUDIT_BOXES of the same boxes, where the audit's can be relied on. Raises ConfigError for a config whose
    anchors are not known.
    """
    detector = Detector.of(config)
    seen = SeenTruth.of(truth, detector.resizer)
    boxes = box_numbers(seen, seen.targets(detector)) if known is None else known
    return AnchorNumbers(boxes, detector, seen.placement)


def box_numbers(seen: SeenTruth, targets: Targets) -> pd.DataFrame:
    """AUDIT_BOXES: the numbers that the matcher gives each box."""
    return AUDIT_BOXES.conform(
        seen.truth.assign(
            best_anchor_iou=targets.best_iou,
            best_anchor_layer=targets.best_layer,
            num_positive_anchors=targets.num_positive_anchors,
            is_forced_only=targets.is_forced_only,
            is_starved=targets.is_starved,
            side_px=seen.input_boxes.side_px,
        )
    )
