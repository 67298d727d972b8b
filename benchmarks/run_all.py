"""Run every benchmark in one sitting, and print each command and its tables.

    python benchmarks/run_all.py > build/tables.md      # on a machine that does nothing else

The trainings of verdict/ are not among them.
"""

import argparse
import shlex
import subprocess
import sys
from typing import Final

from harness import script

BENCHMARKS: Final = (
    "bench_help.py",
    "bench_scan.py --runs 3",
    "bench_photos.py --runs 5",
    "bench_decode.py --runs 3",
    "bench_audit.py --runs 2",
    "bench_targets.py --runs 2",
    "bench_shard.py --runs 3",
    "bench_balance.py --runs 1",
    "bench_predict.py",
    "bench_evaluate.py --runs 1",
    "bench_inspect.py --runs 2",
    "bench_demo.py --runs 2",
)


def main() -> None:
    """Run them all; one that fails does not stop the others."""
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    failed = []
    for line in BENCHMARKS:
        print(f"    python benchmarks/{line}\n", flush=True)
        print(line, file=sys.stderr, flush=True)
        ended = subprocess.run(script(*shlex.split(line)), check=False, stdout=subprocess.PIPE, text=True)
        print(ended.stdout.strip(), end="\n\n", flush=True)
        if ended.returncode:
            failed.append(line)
    if failed:
        sys.exit(f"failed: {', '.join(failed)}")


if __name__ == "__main__":
    main()
