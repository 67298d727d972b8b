"""What the command line loads to say what it can do."""

import json
import subprocess
import sys

HEAVY = {"pandas", "numpy", "pyarrow", "PIL", "obstore", "tensorflow", "fiftyone"}
LOADED_BY = """
import json, sys
from oidata.cli import app
try:
    app(json.loads(sys.argv[1]))
finally:
    print(json.dumps(sorted(sys.modules)), file=sys.stderr)
"""


def loaded_by(*arguments: str) -> set[str]:
    """The modules that a run of oidata has loaded when it ends."""
    command = [sys.executable, "-c", LOADED_BY, json.dumps(arguments)]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    return set(json.loads(run.stderr.splitlines()[-1]))


def test_help_loads_nothing_heavy() -> None:
    """To print its help oidata loads none of the packages that take long to load."""
    modules = loaded_by("--help")
    assert "oidata.cli" in modules
    assert not HEAVY & modules


def test_the_check_of_imports_can_fail() -> None:
    """The same look at a command that works with tables finds the packages that this takes."""
    assert loaded_by("strip", "-d", "nowhere") >= {"pandas", "numpy", "pyarrow"}
