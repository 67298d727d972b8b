"""What the rules of an audit look at, and what a rule is."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import TYPE_CHECKING

from oidata.core.auditing.findings import Area, Severity, ranked
from oidata.core.tables import TRAIN
from oidata.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from oidata.core.auditing.census import ClassFacts, DatasetFacts, SplitFacts
    from oidata.core.auditing.findings import Finding
    from oidata.core.auditing.looks import LookFacts
    from oidata.core.auditing.matching import AnchorFacts
    from oidata.core.auditing.per_image import PerImageFacts
    from oidata.core.auditing.sizes import SizeFacts
    from oidata.core.auditing.suggestion import Outcome
    from oidata.core.config.pipeline import PipelineConfig
    from oidata.core.config.pipeline_pb2 import Ssd, TrainConfig
    from oidata.core.labels import LabelMap


@dataclass(frozen=True)
class Against:
    """Another config to compare with, and what its anchors make of the same ground truth."""

    config: PipelineConfig
    anchors: AnchorFacts


@dataclass(frozen=True)
class Evidence:
    """All that an audit has found out.

    `nearest` is the reference config closest to `config`, None for another model's. `anchors` is None where the
    config is of no model whose anchors are known, `looks` where the photos are not there to be looked at,
    `num_workers` where nobody said. num_pile_boxes: train boxes that NMS would take for a neighbour of their class.
    absent_splits: of train and validation those that the dataset does not have at all. unread_paths: local input paths
    of the config at which there is no file; label_maps: by path, name by id, of those that are local and there.
    """

    classes: LabelMap
    splits: tuple[str, ...]
    config: PipelineConfig
    nearest: PipelineConfig | None
    data: DatasetFacts
    sizes: SizeFacts
    per_image: PerImageFacts
    anchors: AnchorFacts | None = None
    suggestion: Outcome | None = None
    against: Against | None = None
    looks: LookFacts | None = None
    num_pile_boxes: int = 0
    num_workers: int | None = None
    absent_splits: tuple[str, ...] = ()
    unread_paths: tuple[str, ...] = ()
    label_maps: Mapping[str, Mapping[int, str]] = field(default_factory=dict)

    @property
    def is_reference(self) -> bool:
        """Whether the config is a reference config itself, rather than one that somebody trains with."""
        return self.nearest is not None and self.config.message == self.nearest.message

    @property
    def unjudged(self) -> dict[Area, str]:
        """The areas in which this config is not judged, and why, as the end of a sentence."""
        why = {}
        if self.anchors is None:
            why[Area.ANCHORS] = "since the config is not of an SSD"
        if self.is_reference:
            why[Area.TRAINING] = "since a reference config is made for other data; give yours with --config FILE"
        return why

    @property
    def train(self) -> TrainConfig:
        """The train_config."""
        return self.config.message.train_config

    @property
    def ssd(self) -> Ssd:
        """The SSD's part of the model; all defaults for another model."""
        return self.config.message.model.ssd

    @property
    def nms_iou(self) -> float:
        """The IoU from which non-maximum suppression takes the lower of two detections of a class."""
        return nms_iou(self.config)

    @property
    def patch(self) -> str:
        """The suggested anchor_generator, as text for the config; empty without a suggestion."""
        return self.suggestion.suggestion.patch() if self.suggestion and self.suggestion.suggestion else ""

    def photos(self, split: str) -> SplitFacts | None:
        """The photos of a split, if the audit looks at it."""
        return next((facts for facts in self.data.photos if facts.split == split), None)

    def boxes(self, split: str) -> tuple[ClassFacts, ...]:
        """The classes of a split."""
        return tuple(facts for facts in self.data.classes if facts.split == split)

    @property
    def num_train_photos(self) -> int:
        """Usable train photos, those without ground truth too: a step of training takes any of them."""
        facts = self.photos(TRAIN)
        return facts.num_usable if facts else 0


def nms_iou(config: PipelineConfig) -> float:
    """The IoU at which the config's SSD suppresses a detection for another of its class. ConfigError if it is none."""
    iou = config.message.model.ssd.post_processing.batch_non_max_suppression.iou_threshold
    if not 0 <= iou <= 1:
        raise ConfigError(f"{config.name} has iou_threshold {iou:g} in post_processing.", "Set it from 0 to 1.")
    return iou


class Reads(StrEnum):
    """What a rule reads: the data (with the anchors' view of it), the config alone, or the config against the data."""

    DATA = "data"
    CONFIG = "config"
    BOTH = "both"


@dataclass(frozen=True)
class Rule:
    """A check of the evidence, and what it reads."""

    check: Callable[[Evidence], Finding | None]
    reads: Reads = Reads.DATA

    def finding(self, evidence: Evidence) -> Finding | None:
        """What the check finds.

        Of a config that is a reference itself only the anchors are meant, so what else it holds is no finding. What a
        config has in common with its nearest reference is information at most.
        """
        if self.reads != Reads.DATA and evidence.is_reference:
            return None
        found = self.check(evidence)
        nearest = evidence.nearest
        if found is None or nearest is None or self.reads != Reads.CONFIG or found.severity == Severity.INFO:
            return found
        of_nearest = self.check(replace(evidence, config=nearest))
        if of_nearest is None or of_nearest.what != found.what:
            return found
        shared = f"{found.evidence} The nearest reference config, {nearest.name}, has this too."
        return replace(found, severity=Severity.INFO, evidence=shared)


def findings(evidence: Evidence, rules: Iterable[Rule]) -> tuple[Finding, ...]:
    """What the rules find, the most severe first."""
    return ranked(found for rule in rules if (found := rule.finding(evidence)))
