"""Start the command line for its help, against the import of the library that it is built on."""

import sys
from pathlib import Path

from harness import Command, Quantity, measure, options, table

WALL = Quantity("wall s", lambda run: run.wall_s, ".3f")
CPU = Quantity("CPU s", lambda run: run.cpu_s, ".3f")


def main() -> None:
    """Print a table for the wall clock and one for the processor time."""
    asked = options(__doc__, runs=15).parse_args()
    installed = Path(sys.executable).with_name("oidata")
    program = (str(installed),) if installed.exists() else (sys.executable, "-m", "oidata")
    commands = [
        Command("import typer", (sys.executable, "-c", "import typer")),
        Command("oidata --help", (*program, "--help")),
        Command("python -c pass", (sys.executable, "-c", "pass")),
    ]
    measured = measure(commands, asked.runs)
    print(table("Help by wall clock", measured, WALL, result=None))
    print(table("Help by processor time", measured, CPU, result=None))


if __name__ == "__main__":
    main()
