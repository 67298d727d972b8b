"""Audit a dataset of many photos, against decoding these photos and nothing else."""

import os

from harness import Command, execute, measure, options, script, table


def main() -> None:
    """Print one table, and where the time of an audit goes."""
    parser = options(__doc__, runs=3)
    parser.add_argument("--photos", type=int, default=5_000)
    asked = parser.parse_args()
    asked.work.mkdir(parents=True, exist_ok=True)
    directory = execute(job("draw", "draw_photos", asked.work, asked.photos)).output
    dataset = execute(job("tables", "photos_as_dataset", directory)).output
    cores = len(os.sched_getaffinity(0))
    commands = [
        job(f"decode with Pillow, {cores} processes", "pillow_decode", directory, cores),
        job("oidata audit", "oidata_audit", dataset),
    ]
    measured = measure(commands, asked.runs)
    print(table(f"{asked.photos:,} photos of 300 KB, five boxes in each", measured, result=None), flush=True)
    print(f"Of the last audit: {measured.rounds[-1][-1].output}")


def job(name: str, *arguments: object) -> Command:
    """Return a command that runs one of the jobs of adapters.py."""
    return Command(name, script("adapters.py", *arguments))


if __name__ == "__main__":
    main()
