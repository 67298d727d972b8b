"""The trainings that are compared: the base, and what differs from it in one thing each."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeAlias

from oidata.core.config.pipeline import PipelineConfig, with_values
from oidata.core.sharding.features import DROP, IGNORE
from oidata.io.configs import read_config

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from oidata.core.config.pipeline import Value

_CONFIG: Final = Path(__file__).parents[1] / "ssd" / "ssd_160.config"

GROUPS: Final = ("group_boxes", "collateral")
ANCHORS: Final = (
    "unmatched_boxes",
    "size_holes",
    "low_min_scale",
    "ambiguous_layers",
    "starved_boxes",
    "better_anchors",
)
RATE: Final = ("constant_learning_rate",)
UNBOXED: Final = ("present_unboxed", "unverified_pairs")

_Values: TypeAlias = "Mapping[str, Value | None]"

_OPENED: Final[_Values] = {"min_scale": 0.05}
"""What a user of a 300 × 300 SSD set for the sake of small objects, where the reference has 0.2."""
_SCALES: Final[_Values] = {"min_scale": 0.186, "max_scale": 0.637}
_RATIOS: Final[_Values] = {"aspect_ratios": (0.769, 1.12, 0.629, 1.98, 0.487)}
_LISTED: Final[_Values] = {"min_scale": None, "max_scale": None, "scales": (0.186, 0.188, 0.393, 0.446, 0.607, 0.8)}
"""Found by a search that only counted the train boxes with an anchor: by two numbers, and by all there are."""

_CHECKPOINT: Final[Mapping[str, str]] = {
    "train_config.fine_tune_checkpoint": "ssd_160/weights.npz",
    "train_config.fine_tune_checkpoint_type": "classification",
}
_ANCHORS = "model.ssd.anchor_generator."
_RATE = "train_config.optimizer.adam_optimizer.learning_rate.cosine_decay_learning_rate."


def base_config() -> PipelineConfig:
    """That of the small SSD at 160 × 160, but with the backbone of a checkpoint to begin with, as people train."""
    return with_values(read_config(_CONFIG), _CHECKPOINT, "base.config")


@dataclass(frozen=True)
class Data:
    """A dataset: the strip rules on flags, and whether photos are dropped on which an object stands unboxed."""

    name: str = "base"
    flags: tuple[str, ...] = ("group", "depiction")
    drops_unboxed: bool = False


BASE_DATA: Final = Data()
BOXED_DATA: Final = Data("boxed", drops_unboxed=True)
_DEFAULT_DATA: Final = Data("truncated-dropped", flags=("group", "depiction", "truncated"))


@dataclass(frozen=True)
class Variant:
    """A training. `change` says what differs from `base`, `concerns` which findings of the audit speak of that.

    stripped, drops_leftover: what the shards do with stripped boxes and with photos that show such an object.
    anchors: fields of the ssd_anchor_generator that have other values; None takes one out. takes_suggestion: those that
    the audit of `base` suggests. decays: whether the learning rate falls after its warm-up. base: the variant that it
    is compared with.
    """

    name: str
    change: str
    concerns: tuple[str, ...] = ()
    data: Data = field(default_factory=Data)
    stripped: str = DROP
    drops_leftover: bool = False
    anchors: _Values = field(default_factory=dict)
    takes_suggestion: bool = False
    decays: bool = True
    base: str = "base"

    @property
    def shards_name(self) -> str:
        """The same for variants that train on the same shards."""
        return "-".join((self.data.name, self.stripped, *(["no-leftover"] if self.drops_leftover else [])))

    def config(self, base: PipelineConfig, num_steps: int, suggested_patch: str = "") -> PipelineConfig:
        """The config to train by: the base's for that many steps, with this variant's change."""
        rate = base.message.train_config.optimizer.adam_optimizer.learning_rate.cosine_decay_learning_rate
        values: dict[str, Value | None] = {"train_config.num_steps": num_steps, f"{_RATE}total_steps": num_steps}
        if not self.decays:
            values[f"{_RATE}hold_base_rate_steps"] = max(num_steps - rate.warmup_steps, 0)
        values.update({f"{_ANCHORS}ssd_anchor_generator.{name}": value for name, value in self.anchors.items()})
        if self.takes_suggestion:
            values.update(_exchanged(base, suggested_patch))
        return with_values(base, values, f"{self.name}.config")


def _exchanged(base: PipelineConfig, patch: str) -> Mapping[str, Value | None]:
    """The values that put another anchor_generator, as text, in place of the base's."""
    found = PipelineConfig.parse(f"model {{ ssd {{ {patch} }} }}", "suggested")
    old, new = dict(_anchor_values(base)), dict(_anchor_values(found))
    return {**dict.fromkeys(old), **new}


def _anchor_values(config: PipelineConfig) -> Iterator[tuple[str, Value]]:
    return ((path, value) for path, value in config.fields().items() if path.startswith(_ANCHORS))


BASE: Final = Variant("base", "nothing: groups and depictions dropped, min_scale 0.2, cosine decay")
_MIN_SCALE: Final = Variant("min-scale", "min_scale 0.05", ANCHORS, anchors=_OPENED)
_CROWDED: Final = Variant(
    "suggested-anchors",
    "scales and ratios by which most boxes have an anchor, once suggested",
    ANCHORS,
    anchors={**_LISTED, **_RATIOS},
)
CHANGES: Final = (
    BASE,
    Variant("groups-kept", "group boxes train as any other", GROUPS, Data("groups-kept", flags=("depiction",))),
    Variant("stripped-ignored", "stripped boxes stay, with weight 0", GROUPS, stripped=IGNORE),
    Variant("photos-dropped", "photos that show a stripped object are left out", GROUPS, drops_leftover=True),
    Variant("truncated-dropped", "truncated boxes are dropped as well", GROUPS, _DEFAULT_DATA),
    Variant(
        "truncated-photos-dropped",
        "with truncated boxes dropped, photos that show a stripped object are left out",
        GROUPS,
        _DEFAULT_DATA,
        drops_leftover=True,
        base="truncated-dropped",
    ),
    _MIN_SCALE,
    _CROWDED,
    Variant("constant-rate", "the learning rate never decays", RATE, decays=False),
    Variant("unboxed-dropped", "photos on which an object stands unboxed are left out", UNBOXED, BOXED_DATA),
)
ANCHOR_SETS: Final = (
    BASE,
    _CROWDED,
    Variant("ratios", "the ratios of those, with the scales of the base", ANCHORS, anchors=_RATIOS),
    Variant("scales", "min_scale 0.186, max_scale 0.637, by which more boxes have an anchor", ANCHORS, anchors=_SCALES),
    _MIN_SCALE,
    Variant(
        "mended-min-scale",
        "where min_scale was 0.05, the anchors that the audit suggests",
        ANCHORS,
        takes_suggestion=True,
        base="min-scale",
    ),
)
TABLES: Final[Mapping[str, tuple[Variant, ...]]] = {"changes": CHANGES, "anchors": ANCHOR_SETS}
"""The tables that there are. The second was made after the first, with an audit that had learned from it."""
VARIANTS: Final[Mapping[str, Variant]] = {each.name: each for variants in TABLES.values() for each in variants}
"""Those of all tables, by name."""
