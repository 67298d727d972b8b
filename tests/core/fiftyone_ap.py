"""Average precision as FiftyOne has it: `python -m tests.core.fiftyone_ap`, a scene as JSON on stdin, AP on stdout.

A process of its own, since FiftyOne looks for its database once, when it is imported.
"""

import json
import sys
from typing import Any

BOX_FIELDS = ("xmin", "ymin", "xmax", "ymax")


def main() -> None:
    """Evaluate each photo's `truth` and `found`, with its classes of verified labels `present` and `absent`."""
    import fiftyone as fo

    scene = json.load(sys.stdin)
    dataset = fo.Dataset()
    for number, photo in enumerate(scene):
        sample = fo.Sample(filepath=f"/photo/{number}.jpg")
        sample["truth"] = fo.Detections(
            detections=[_detection(fo, row, IsGroupOf=row["is_group_of"] == 1) for row in photo["truth"]]
        )
        sample["found"] = fo.Detections(
            detections=[_detection(fo, row, confidence=row["score"]) for row in photo["found"]]
        )
        for name in ("present", "absent"):
            sample[name] = fo.Classifications(classifications=[fo.Classification(label=mid) for mid in photo[name]])
        dataset.add_sample(sample)
    result = dataset.evaluate_detections(
        "found",
        gt_field="truth",
        method="open-images",
        iou=0.5,
        pos_label_field="present",
        neg_label_field="absent",
        progress=False,
    )
    classes = sorted({row["mid"] for photo in scene for row in photo["truth"]})
    print(json.dumps({mid: float(result.mAP(classes=[mid])) for mid in classes}))  # noqa: T201 - its result


def _detection(fo: Any, row: dict[str, Any], **values: object) -> Any:
    xmin, ymin, xmax, ymax = (row[name] for name in BOX_FIELDS)
    return fo.Detection(label=row["mid"], bounding_box=[xmin, ymin, xmax - xmin, ymax - ymin], **values)


if __name__ == "__main__":
    main()
