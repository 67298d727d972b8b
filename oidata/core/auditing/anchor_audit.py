"""The part of an audit that needs a detector: its anchors on the dataset, another config's, and better ones."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from oidata.core.auditing.anchor_facts import SeenTruth, anchor_facts
from oidata.core.auditing.evidence import Against
from oidata.core.auditing.suggestion import Outcome, suggest
from oidata.core.matcher.detector import Detector, Resizer
from oidata.core.matcher.search import GroundTruth
from oidata.core.tables import TRAIN, VALIDATION
from oidata.errors import ConfigError, UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd

    from oidata.core.auditing.matching import AnchorFacts
    from oidata.core.config.pipeline import PipelineConfig
    from oidata.core.matcher.anchors import AnchorGrid
    from oidata.core.matcher.search import Anchors
    from oidata.core.matcher.targets import Targets
    from oidata.core.statistics import Cells

# TFOD's fixed_shape_resizer has these defaults, and so have the SSD reference configs.
DEFAULT_RESIZER = Resizer(height=300, width=300)


@dataclass(frozen=True, eq=False)
class AnchorAudit:
    """The ground truth as the network sees it, and what anchors make of it; None and empty where there are none.

    targets are of the rows of `seen`; not_done says what could not be looked at, and why.
    """

    seen: SeenTruth
    facts: AnchorFacts | None = None
    targets: Targets | None = None
    suggestion: Outcome | None = None
    against: Against | None = None
    not_done: tuple[str, ...] = ()


def anchor_audit(
    config: PipelineConfig,
    tables: tuple[pd.DataFrame, pd.DataFrame],
    cells: Cells,
    *,
    feature_maps: Sequence[tuple[int, int]] | None = None,
    against: PipelineConfig | None = None,
) -> AnchorAudit:
    """Match the ground truth, `tables` being IMAGES and that, with the anchors of `config`.

    Of another model than SSD only the resizer is looked at. `feature_maps`, (rows, columns) each, finest first, are
    those of every extractor that is not known. Raises ConfigError for an SSD whose config cannot be followed, and for
    an `against` that has no anchors to compare; UsageError for feature maps that no extractor lacks.
    """
    images, truth = tables
    if config.architecture != "ssd":
        return _without_anchors(config, truth, against)
    detector, *others = _detectors([config] if against is None else [config, against], feature_maps)
    seen = SeenTruth.of(truth, detector.resizer)
    facts, targets = anchor_facts(detector, config.message, images, seen, cells)
    compared = None
    if against is not None:
        other = others[0]
        other_seen = SeenTruth.of(truth, other.resizer)
        sides_px = seen.input_boxes.side_px  # the same boxes in the same buckets, whatever the other's input
        compared = Against(against, anchor_facts(other, against.message, images, other_seen, cells, sides_px)[0])
    return AnchorAudit(seen, facts, targets, _suggestion(detector, seen, cells), compared)


def _detectors(
    configs: Sequence[PipelineConfig], feature_maps: Sequence[tuple[int, int]] | None
) -> tuple[Detector, ...]:
    detectors = tuple(Detector.of(config) for config in configs)
    if feature_maps is None:
        return detectors
    if all(detector.extractor.is_known for detector in detectors):
        kinds = " and ".join(dict.fromkeys(detector.extractor.type for detector in detectors))
        raise UsageError(f"The feature maps of {kinds} are known.", "Leave out --feature-maps.")
    return tuple(
        detector if detector.extractor.is_known else Detector.of(config, feature_maps)
        for config, detector in zip(configs, detectors, strict=True)
    )


def _without_anchors(config: PipelineConfig, truth: pd.DataFrame, against: PipelineConfig | None) -> AnchorAudit:
    model = config.message.model
    kind = config.architecture or "no model"
    not_done = [f"Anchors: {config.name} is a config of {kind}, not of an SSD. All but the anchors was audited."]
    if against is not None:
        not_done.append(f"{against.name}: without anchors there is nothing to compare.")
    resizer = DEFAULT_RESIZER
    try:
        resizer = Resizer.of(getattr(model, config.architecture).image_resizer, config.name)
    except (AttributeError, ConfigError):
        not_done.append("Box sizes are given for an input of 300 × 300 px, since its resizer is not known.")
    return AnchorAudit(SeenTruth.of(truth, resizer), not_done=tuple(not_done))


def _suggestion(detector: Detector, seen: SeenTruth, cells: Cells) -> Outcome:
    if not {TRAIN, VALIDATION} <= set(seen.truth["split"]):
        return Outcome(None, "No search: it takes boxes of train, and others of validation to judge by.")
    if not detector.resizer.is_fixed:
        return Outcome(None, "No search: inputs have many shapes.")
    height_px, width_px = (int(side[0]) for side in (seen.placement.height_px, seen.placement.width_px))

    def grid_of(anchors: Anchors) -> AnchorGrid:
        return replace(detector, anchors=anchors).grid_for(height_px, width_px)

    train, validation = (_of_split(seen, split) for split in (TRAIN, VALIDATION))
    return suggest(detector.anchors, grid_of, detector.matcher, train, validation, names=cells.classes.names)


def _of_split(seen: SeenTruth, split: str) -> GroundTruth:
    rows = np.flatnonzero((seen.truth["split"] == split).to_numpy())
    return GroundTruth(seen.boxes[rows], seen.image_index[rows], seen.truth["mid"].to_numpy()[rows])
