"""Which files make up an Open Images release, and where the official servers keep them."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType

# https://storage.googleapis.com/openimages/web/download_v7.html, and download_v4 to _v6 beside it
OFFICIAL_METADATA = "https://storage.googleapis.com/openimages"
# https://github.com/cvdfoundation/open-images-dataset
OFFICIAL_PHOTOS = "https://open-images-dataset.s3.amazonaws.com"


class Release(StrEnum):
    """A version of Open Images."""

    V4 = "v4"
    V5 = "v5"
    V6 = "v6"
    V7 = "v7"


@dataclass(frozen=True)
class Published:
    """What is known of a file as officially published."""

    size_bytes: int
    sha256: str = ""


PUBLISHED = MappingProxyType(
    {
        "2018_04/train/train-annotations-bbox.csv": Published(1_194_033_454),
        "2018_04/validation/validation-annotations-bbox.csv": Published(17_074_036),
        "2018_04/test/test-annotations-bbox.csv": Published(
            52_174_204, "7cd2d47f158b6e752c972a20186f33a2d467c371e326d39e210e2ee89d978d2b"
        ),
    }
)

HIERARCHY = "2018_04/bbox_labels_600_hierarchy.json"


def class_list(release: Release) -> str:
    """The class list: machine id and display name; with a header from v7 on."""
    return {
        Release.V4: "2018_04/class-descriptions-boxable.csv",
        Release.V5: "v5/class-descriptions-boxable.csv",
        Release.V6: "v5/class-descriptions-boxable.csv",
        Release.V7: "v7/oidv7-class-descriptions-boxable.csv",
    }[release]


def boxes(release: Release, split: str) -> str:
    """The box annotations. V5 did not publish its train boxes anew: they are V4's."""
    if split == "train" and release in (Release.V6, Release.V7):
        return "v6/oidv6-train-annotations-bbox.csv"
    if split == "train" or release == Release.V4:
        return f"2018_04/{split}/{split}-annotations-bbox.csv"
    return f"v5/{split}-annotations-bbox.csv"


def image_labels(release: Release, split: str) -> str:
    """The human-verified image labels of the boxable classes."""
    folder = f"2018_04/{split}" if release == Release.V4 else "v5"
    return f"{folder}/{split}-annotations-human-imagelabels-boxable.csv"


def images(split: str) -> str:
    """The image metadata: licence, author, title, rotation. All releases share V4's."""
    kind = "images-boxable" if split == "train" else "images"
    return f"2018_04/{split}/{split}-{kind}-with-rotation.csv"


def photo(split: str, image_id: str) -> str:
    """A photo, below the root of the photos."""
    return f"{split}/{image_id}.jpg"
