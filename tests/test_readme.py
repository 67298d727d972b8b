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
from tests.test_cli import oidata

README = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")
SESSION = re.search(r"```console\n(.*?)```", README, re.DOTALL)
READER, LIBRARY = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
VERBS = "fetch|strip|audit|shard|predict|evaluate|inspect"
COMMANDS = sorted(set(re.findall(rf"^oidata (?:{VERBS})\b.*?(?=\s{{2,}}#|$)", README, re.MULTILINE)))


def lines(text: str) -> list[str]:
    return [line.rstrip() for line in text.splitlines()]


def test_the_session_is_what_is_printed(tmp_path: Path) -> None:
    """Each command of the first screen prints what stands below it there."""
    assert SESSION is not None
    _, *parts = SESSION[1].split("$ oidata ")
    assert len(parts) == 3
    for part in parts:
        command, _, expected = part.partition("\n")
        printed = re.sub(r"file://\S*/openimages/", "…/", oidata(*shlex.split(command), cwd=tmp_path).stdout)
        assert lines(printed) == lines(expected.rstrip("\n"))


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
