"""Audit a dataset of many photos, against decoding these photos and nothing else."""

import os

from harness import execute, job, measure, options, parsed, table


def main() -> None:
    """Print one table, and where the time of an audit goes."""
    parser = options(__doc__, runs=3)
    parser.add_argument("--photos", type=int, default=5_000)
    asked = parsed(parser)
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


if __name__ == "__main__":
    main()
