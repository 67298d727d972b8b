"""Make the dataset that the App shows, against FiftyOne's own import of the same from COCO's format."""

from harness import Quantity, execute, job, measure, options, parsed, table

SECONDS = Quantity("s per 1,000 photos", lambda run: float(run.output.split()[0]), ".2f")


def main() -> None:
    """Print one table; its last column begins with the seconds, without the start of FiftyOne and of its database."""
    parser = options(__doc__, runs=3)
    parser.add_argument("--photos", type=int, default=2_000)
    asked = parsed(parser)
    dataset = execute(job("dataset", "tiny_dataset", asked.work, asked.photos)).output
    commands = [
        job("FiftyOne's COCO import", "fiftyone_coco_import", dataset),
        job("oidata inspect", "oidata_inspect", dataset),
    ]
    title = f"{asked.photos:,} photos with five boxes in each, into FiftyOne"
    print(table(title, measure(commands, asked.runs), SECONDS), flush=True)


if __name__ == "__main__":
    main()
