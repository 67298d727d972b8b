"""What README.md says is so."""

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
import typer

from oidata.cli import app
from oidata.core.evaluation.failures import FAILURES, Cause, Error
from oidata.core.release.defects import REASONS
from oidata.core.tables import DETECTIONS, SCHEMAS

README = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")
READER, LIBRARY = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
VERBS = "fetch|strip|audit|shard|predict|evaluate|inspect|demo"
COMMANDS = sorted(set(re.findall(rf"^oidata (?:{VERBS})\b.*?(?=\s{{2,}}#|$)", README, re.MULTILINE)))


def test_the_python_examples_run(tmp_path: Path) -> None:
    """The Python examples run as they stand: one makes a dataset and its shards, the other reads these."""
    for example, said in ((LIBRARY, "train.record-?????-of-00010"), (READER, "(8, 300, 300, 3)")):
        run = subprocess.run([sys.executable, "-c", example], capture_output=True, text=True, cwd=tmp_path, check=False)
        assert run.returncode == 0, run.stderr
        assert said in run.stdout


@pytest.mark.parametrize("line", COMMANDS)
def test_every_command_is_one(line: str) -> None:
    """Every command line that the README shows is understood: its command and its options exist."""
    _, name, *arguments = shlex.split(line)
    command = typer.main.get_group(app).commands[name]
    with command.make_context(name, arguments):
        pass


def test_there_are_commands_to_check() -> None:
    """The pattern above finds the README's commands."""
    assert len(COMMANDS) >= 6


def test_columns_and_reasons_are_all_there() -> None:
    """The README names every column of every table, every strip reason, and every error and cause of a failure."""
    for schema in (*SCHEMAS, DETECTIONS, FAILURES):
        assert ", ".join(column.name for column in schema.columns) in README
    for reason in REASONS:
        assert reason.removesuffix("_unknown") in README
    for name in (*Error, *Cause):
        assert name in README


def test_causes_stand_in_their_order() -> None:
    """The README lists causes in the order in which, of several, the first counts."""
    table = README[README.index("| failure | area | cause |") :]
    places = [table.index(f"`{cause}`") for cause in Cause]
    assert places == sorted(places)
