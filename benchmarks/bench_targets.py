"""Match the anchors of SSD 300×300 to boxes as training does, against the whole matrix of IoU of each photo."""

from harness import Command, Measured, job, measure, options, table

BOXES_PER_PHOTO = 5


class DifferentError(Exception):
    """Two ways to match gave different targets."""


def main() -> None:
    """Print one table against the dense matrix, and one of the full size without it."""
    parser = options(__doc__, runs=3)
    parser.add_argument("--boxes", type=int, default=200_000, help="boxes of the first table (%(default)s)")
    parser.add_argument("--many", type=int, default=1_000_000, help="boxes of the second table (%(default)s)")
    asked = parser.parse_args()
    both = [job("dense matrix and matcher", "dense_targets", asked.boxes, BOXES_PER_PHOTO), *fast(asked.boxes)]
    compared = measure([*both, job("dense matrix alone", "dense_ious", asked.boxes, BOXES_PER_PHOTO)], asked.runs)
    check_same(compared)
    print(table(_title(asked.boxes), compared), flush=True)
    print(table(_title(asked.many), measure(fast(asked.many), asked.runs)), flush=True)


def fast(number: int) -> list[Command]:
    """Return the matching under test, and what no matching can be faster than."""
    return [
        job("oidata", "oidata_targets", number, BOXES_PER_PHOTO),
        job("copy the boxes and the targets", "copied_targets", number, BOXES_PER_PHOTO),
    ]


def check_same(measured: Measured) -> None:
    """Raise unless oidata gave the very targets of the dense matrix in every round: the results are their digests."""
    for dense, oidata, *_ in measured.rounds:
        if dense.output != oidata.output:
            message = f"the targets differ: {dense.output} and {oidata.output}"
            raise DifferentError(message)


def _title(number: int) -> str:
    return f"{number:,} boxes in {number // BOXES_PER_PHOTO:,} photos against 1,917 anchors"


if __name__ == "__main__":
    main()
