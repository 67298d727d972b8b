"""Run the demo, against its verbs one by one, each in a process of its own."""

import shlex
import sys

from harness import Command, measure, options, parsed, table

VERBS = (
    "fetch Lemon Cheese --source sample:",
    "strip",
    "audit --config sample:",
    "shard --splits 3",
    "predict sample:",
    "evaluate",
    "inspect --no-launch",
)


def main() -> None:
    """Print one table. Both begin with an empty directory."""
    asked = parsed(options(__doc__, runs=3))
    program = f"{shlex.quote(sys.executable)} -m oidata"
    apart, together = (shlex.quote(str(asked.work / f"demo-{name}")) for name in ("apart", "together"))
    one_by_one = " && ".join(f"{program} {verb} -d {apart} > /dev/null" for verb in VERBS)
    commands = [
        Command("its verbs one by one", ("sh", "-c", f"rm -rf {apart}; {one_by_one}")),
        Command("oidata demo", ("sh", "-c", f"rm -rf {together}; {program} demo -d {together} > /dev/null")),
    ]
    print(table("The demo", measure(commands, asked.runs), result=None))


if __name__ == "__main__":
    main()
