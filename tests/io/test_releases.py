"""The files of a release, against the names on its download pages."""

import re

import pytest

from oidata.core.tables import SHA256, SPLITS
from oidata.io import releases
from oidata.io.releases import PUBLISHED, Release

# https://storage.googleapis.com/openimages/web/download_v4.html and its like for v5, v6 and v7.
TRAIN_V4 = "2018_04/train/train-annotations-bbox.csv"
TRAIN_V6 = "v6/oidv6-train-annotations-bbox.csv"


@pytest.mark.parametrize(
    "release, train, validation, class_list",
    [
        (
            "v4",
            TRAIN_V4,
            "2018_04/validation/validation-annotations-bbox.csv",
            "2018_04/class-descriptions-boxable.csv",
        ),
        ("v5", TRAIN_V4, "v5/validation-annotations-bbox.csv", "v5/class-descriptions-boxable.csv"),
        ("v6", TRAIN_V6, "v5/validation-annotations-bbox.csv", "v5/class-descriptions-boxable.csv"),
        ("v7", TRAIN_V6, "v5/validation-annotations-bbox.csv", "v7/oidv7-class-descriptions-boxable.csv"),
    ],
)
def test_boxes_and_classes_are_where_the_release_keeps_them(
    release: str, train: str, validation: str, class_list: str
) -> None:
    """Each release has its files of its own, and those that it shares with an earlier one."""
    assert releases.boxes(Release(release), "train") == train
    assert releases.boxes(Release(release), "validation") == validation
    assert releases.boxes(Release(release), "test") == validation.replace("validation", "test")
    assert releases.class_list(Release(release)) == class_list


def test_what_all_releases_share() -> None:
    """Image metadata and the hierarchy are V4's, and photos stand below their split."""
    assert releases.images("train") == "2018_04/train/train-images-boxable-with-rotation.csv"
    assert releases.images("validation") == "2018_04/validation/validation-images-with-rotation.csv"
    assert releases.images("test") == "2018_04/test/test-images-with-rotation.csv"
    assert releases.HIERARCHY == "2018_04/bbox_labels_600_hierarchy.json"
    assert releases.photo("test", "000000000000000a") == "test/000000000000000a.jpg"


@pytest.mark.parametrize("release", ["v5", "v6", "v7"])
def test_verified_labels_are_v5s(release: str) -> None:
    """From V5 on the human-verified image labels are the same files."""
    for split in SPLITS:
        name = f"v5/{split}-annotations-human-imagelabels-boxable.csv"
        assert releases.image_labels(Release(release), split) == name


def test_sizes_are_known_of_v4s_boxes_alone() -> None:
    """What is published is known of V4's box files and of nothing that another release has instead."""
    assert PUBLISHED.keys() == {releases.boxes(Release.V4, split) for split in SPLITS}
    assert all(known.size_bytes > 0 for known in PUBLISHED.values())
    assert all(re.fullmatch(SHA256, known.sha256) for known in PUBLISHED.values() if known.sha256)
