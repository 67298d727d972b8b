"""How detections fail: the kinds of failures, TIDE's errors, the causes, and the table that holds them."""

from __future__ import annotations

from enum import StrEnum

from oidata.core.auditing.findings import Area
from oidata.core.tables import IMAGE_ID, Column, Schema


class Kind(StrEnum):
    """What is wrong. Ignored is no failure: a detection that counts neither for nor against."""

    MISSED = "missed"
    FALSE_POSITIVE = "false_positive"
    IGNORED = "ignored"


class Error(StrEnum):
    """TIDE's types of errors, in the order in which they are mended one after the other.

    Bolya et al., TIDE: A General Toolbox for Identifying Object Detection Errors (ECCV 2020), section 2.2.
    """

    CLASSIFICATION = "classification"
    LOCALISATION = "localisation"
    BOTH = "both"
    DUPLICATE = "duplicate"
    BACKGROUND = "background"
    MISSED = "missed"


class Cause(StrEnum):
    """Why a ground-truth box is missed, or why a detection is there. Of several, the first in this order counts."""

    # Of ground truth: what Open Images does not ask for one by one.
    GROUP = "group"
    # No anchor at the matcher's threshold.
    STARVED = "starved"
    SIZE_HOLE = "size_hole"
    FORCED_ONLY = "forced_only"
    # What the release says of the box.
    TRUNCATED = "truncated"
    OCCLUDED = "occluded"
    DEPICTION = "depiction"
    # What the network sees of it.
    TINY = "tiny"
    # What became of it.
    SUPPRESSED = "suppressed"
    BELOW_THRESHOLD = "below_threshold"
    TAKEN_FOR_OTHER = "taken_for_other"
    IN_SPITE_OF_ANCHORS = "in_spite_of_anchors"
    # Of detections.
    ON_STRIPPED = "on_stripped"
    IN_GROUP = "in_group"
    DUPLICATE = "duplicate"
    LOCALISATION = "localisation"
    OTHER_CLASS = "other_class"
    UNVERIFIED = "unverified"
    BACKGROUND = "background"

    @property
    def area(self) -> Area:
        """Where it is mended."""
        return _AREAS.get(self, Area.TRAINING)

    @property
    def says(self) -> str:
        """The cause in a few words, for a person."""
        return _WORDS[self]


_AREAS = {
    **dict.fromkeys((Cause.STARVED, Cause.SIZE_HOLE, Cause.FORCED_ONLY, Cause.TINY), Area.ANCHORS),
    **dict.fromkeys((Cause.TRUNCATED, Cause.OCCLUDED, Cause.DEPICTION, Cause.UNVERIFIED), Area.DATA),
    **dict.fromkeys((Cause.GROUP, Cause.ON_STRIPPED, Cause.IN_GROUP), Area.METRIC),
}

_WORDS = {
    Cause.STARVED: "starved: another box took its only anchor",
    Cause.SIZE_HOLE: "no anchor: its size falls in a hole",
    Cause.FORCED_ONLY: "no anchor but the forced one",
    Cause.TRUNCATED: "truncated by the edge of the photo",
    Cause.OCCLUDED: "occluded",
    Cause.DEPICTION: "a depiction",
    Cause.GROUP: "a group box",
    Cause.TINY: "tiny at the network's input",
    Cause.SUPPRESSED: "suppressed: a neighbour of its class was found",
    Cause.BELOW_THRESHOLD: "found, below the score threshold",
    Cause.TAKEN_FOR_OTHER: "taken for another class",
    Cause.IN_SPITE_OF_ANCHORS: "missed in spite of its anchors",
    Cause.ON_STRIPPED: "on a stripped box",
    Cause.IN_GROUP: "in a group box",
    Cause.DUPLICATE: "found a second time",
    Cause.LOCALISATION: "beside the box",
    Cause.OTHER_CLASS: "on a box of another class",
    Cause.UNVERIFIED: "class never verified in the photo: maybe a missing label",
    Cause.BACKGROUND: "on the background",
}

# A missed box, or a detection that is no true positive. box_id: the box that is missed, or that the detection overlaps
# most, if any. detection: the row in DETECTIONS of what is no true positive, or explains the miss. other_mid: the class
# that a box was taken for, or on whose box a detection lies. causes: all that apply, joined by a bar.
FAILURES = Schema(
    "failures",
    (
        Column("kind", "str", values=tuple(Kind)),
        Column("image_id", "str", pattern=IMAGE_ID),
        Column("mid", "str"),
        Column("box_id", "str", nullable=True, pattern=IMAGE_ID + r"-\d+"),
        Column("detection", "Int64", nullable=True),
        Column("score", "float32"),
        Column("iou", "float32"),
        Column("error", "str", nullable=True, values=tuple(Error)),
        Column("cause", "str", values=tuple(Cause)),
        Column("causes", "str"),
        Column("other_mid", "str", nullable=True),
    ),
    key=(),
)
