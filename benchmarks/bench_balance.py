"""Divide photos into shards, against the id or the index modulo the number of shards."""

from harness import Quantity, job, measure, options, table

SECONDS = Quantity("divide s", lambda run: float(run.output.split()[0]), ".2f")
SIZES = ((5_000, 2, 10), (10_000, 600, 100), (100_000, 600, 1_000), (1_740_000, 600, 1_000))


def main() -> None:
    """Print a table for each size; its last column begins with the seconds and goes on with how even the shards are."""
    parser = options(__doc__, runs=3)
    parser.add_argument("--largest", type=int, default=100_000, help="sizes up to so many photos (%(default)s)")
    asked = parser.parse_args()
    for number, classes, shards in SIZES:
        if number <= asked.largest:
            commands = [job(how, "divide_photos", how, number, classes, shards) for how in ("index", "hash", "oidata")]
            title = f"{number:,} photos of {classes} classes in {shards:,} shards"
            print(table(title, measure(commands, asked.runs), SECONDS), flush=True)


if __name__ == "__main__":
    main()
