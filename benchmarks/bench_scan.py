"""Scan the train split's CSVs for a few classes and photos, against grep, plain reading and pandas."""

from importlib.util import find_spec
from pathlib import Path

from harness import Command, execute, job, measure, options, script, table

LEMON, CHEESE = MIDS = ("/m/09k_b", "/m/01nkt")


def main() -> None:
    """Print one table for each kind of CSV."""
    parser = options(__doc__, runs=5)
    parser.add_argument("--scale", type=float, default=1.0, help="a share of the real size (%(default)s)")
    asked = parser.parse_args()
    # In a process of its own: numpy must not weigh on this one, which measures.
    prepared = execute(Command("generate", script("generate.py", "--work", asked.work, "--scale", asked.scale)))
    directory = Path(prepared.output)
    for title, commands in scans(directory):
        print(table(title, measure(commands, asked.runs)), flush=True)


def scans(directory: Path) -> list[tuple[str, list[Command]]]:
    """Return what is measured: the reference of each list comes first."""
    boxes, labels, images, ids = (directory / name for name in ("boxes.csv", "labels.csv", "images.csv", "ids.txt"))
    duckdb = [job("duckdb", "duckdb_class_rows", boxes, *MIDS)] if find_spec("duckdb") else []
    by_boxes = [
        grep(boxes),
        job("oidata, rows of the classes", "oidata_class_rows", boxes, *MIDS),
        job("oidata, then all rows of their photos", "oidata_boxes", boxes, *MIDS),
        job("pandas chunks", "pandas_class_rows", boxes, *MIDS),
        *duckdb,
        job("read()", "read_bytes", boxes),
    ]
    by_images = [
        Command("grep -cFf ids", ("grep", "-cFf", str(ids), str(images))),
        job("oidata", "oidata_images", images, ids),
        job("pandas chunks", "pandas_images", images, ids),
        job("read()", "read_bytes", images),
    ]
    by_labels = [
        grep(labels),
        job("oidata", "oidata_labels", labels, *MIDS),
        job("pandas chunks", "pandas_class_rows", labels, *MIDS),
        job("read()", "read_bytes", labels),
    ]
    return [
        (f"Boxes by two classes ({_size(boxes)})", by_boxes),
        (f"Image metadata by 5,000 ids ({_size(images)})", by_images),
        (f"Image labels by two classes ({_size(labels)})", by_labels),
    ]


def grep(path: Path) -> Command:
    """Count the lines of two classes."""
    # Not "grep … > /dev/null": there, GNU grep stops at the first match.
    return Command("grep -cF", ("grep", "-cF", "-e", f",{LEMON},", "-e", f",{CHEESE},", str(path)))


def _size(path: Path) -> str:
    return f"{path.stat().st_size / 1e6:,.0f} MB"


if __name__ == "__main__":
    main()
