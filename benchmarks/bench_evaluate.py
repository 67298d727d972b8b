"""Evaluate detections, by the rules of Open Images with all causes and by COCO's, against pycocotools."""

from harness import Quantity, job, measure, options, table

SECONDS = Quantity("score s", lambda run: float(run.output.split()[0]), ".2f")


def main() -> None:
    """Print one table; its last column begins with the seconds, without imports and drawing, and goes on with AP."""
    parser = options(__doc__, runs=3)
    parser.add_argument("--photos", type=int, default=5_000, help="photos (%(default)s)")
    parser.add_argument("--detections", type=int, default=100, help="detections on each photo (%(default)s)")
    asked = parser.parse_args()
    jobs = {
        "pycocotools, evaluate and accumulate": ("pycocotools_bbox",),
        "oidata, Open Images V2 and Challenge": ("oidata_open_images_ap",),
        "oidata, the same with errors and causes": ("oidata_causes",),
        "oidata, COCO": ("oidata_coco_ap", "pycocotools"),
        "oidata, COCO with extra fast": ("oidata_coco_ap", "faster-coco-eval"),
    }
    commands = [job(name, function, asked.photos, asked.detections, *more) for name, (function, *more) in jobs.items()]
    title = f"{asked.photos:,} photos with {asked.detections} detections of two classes on each"
    print(table(title, measure(commands, asked.runs), SECONDS), flush=True)


if __name__ == "__main__":
    main()
