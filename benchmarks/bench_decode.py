"""Decode photos and tell their duplicates, against a bare Pillow loop that decodes them; then search for near pairs."""

import os
from pathlib import Path

from harness import Quantity, execute, job, measure, options, parsed, table

SECONDS = Quantity("decode s", lambda run: float(run.output), ".2f")
SEARCH = Quantity("search s", lambda run: float(run.output), ".2f")


def main() -> None:
    """Print a table for each number of processes, where a photo's time goes, and a table for the search.

    The processes of oidata are no children of the one that is measured, so their CPU time and memory do not count.
    """
    parser = options(__doc__, runs=5)
    parser.add_argument("--photos", type=int, default=1_000)
    parser.add_argument("--directory", help="photos to decode instead of drawn ones")
    parser.add_argument("--workers", type=int, nargs="+", default=[1, len(os.sched_getaffinity(0))])
    parser.add_argument("--hashes", type=int, nargs="+", default=[50_000, 200_000])
    asked = parsed(parser)
    directory = asked.directory or execute(job("draw", "draw_photos", asked.work, asked.photos)).output
    for workers in asked.workers:
        commands = [job("bare Pillow", "pillow_decode", directory, workers)]
        commands.append(job("oidata", "oidata_decode", directory, workers))
        title = f"Photos of {Path(directory).name}, processes: {workers}, their start included"
        print(table(title, measure(commands, asked.runs), SECONDS), flush=True)
    print(f"In one process: {execute(job('stages', 'oidata_decode_stages', directory)).output}\n", flush=True)
    search = [job(f"{number:,} hashes", "oidata_near_pairs", number) for number in asked.hashes]
    print(table("Near pairs of random 64-bit hashes", measure(search, asked.runs), SEARCH, result=None), flush=True)


if __name__ == "__main__":
    main()
