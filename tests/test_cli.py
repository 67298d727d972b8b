"""The command line: exit codes, what goes to stdout and to stderr, help texts."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import typer

from oidata.cli import app

ENVIRONMENT = {**os.environ, "COLUMNS": "100", "TERM": "dumb"}


def oidata(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "oidata", *arguments]
    return subprocess.run(command, capture_output=True, text=True, cwd=cwd, env=ENVIRONMENT, check=False)


@pytest.fixture
def fetched(tmp_path: Path) -> Path:
    assert oidata("fetch", "Lemon", "Cheese", "--source", "sample:", cwd=tmp_path).returncode == 0
    return tmp_path


def test_results_go_to_stdout_and_progress_to_stderr(tmp_path: Path) -> None:
    """The summary stands on stdout; where stderr is no terminal it has a line for each finished task."""
    run = oidata("fetch", "Lemon", "--source", "sample:", "--split", "val", cwd=tmp_path)
    assert run.returncode == 0
    assert run.stdout.startswith("data: 12 photos (12 downloaded now), 28 boxes of Lemon")
    assert run.stderr.splitlines() == ["photos: 12 done"]


def test_json_is_the_report(fetched: Path) -> None:
    """--json puts the report, and nothing else, on stdout."""
    run = oidata("fetch", "Lemon", "Cheese", "--source", "sample:", "--json", cwd=fetched)
    report = json.loads(run.stdout)
    assert report["photos"]["train"] == {"ok": 65, "missing": 1, "corrupt": 1, "failed": 0}
    assert report["downloaded"] == 0
    stripped = json.loads(oidata("strip", "--json", cwd=fetched).stdout)
    assert sum(row["stripped"] for row in stripped["classes"]) == 82
    assert run.stderr == ""


def test_flags_of_strip(fetched: Path) -> None:
    """Each --no-flag strips less, --unknown more, and --none takes all back."""

    def num_stripped(*flags: str) -> int:
        report = json.loads(oidata("strip", "--json", *flags, cwd=fetched).stdout)
        return sum(int(row["stripped"]) for row in report["classes"])

    default = num_stripped()
    assert num_stripped("--no-group") < default
    assert num_stripped("--no-truncated") < default
    assert num_stripped("--no-depiction") < default
    assert num_stripped("--occluded") > default
    assert num_stripped("--unknown") > default
    assert num_stripped() == default
    assert num_stripped("--none") == 0


@pytest.mark.parametrize(
    "arguments, code, words",
    [
        (["fetch", "Lemno", "--source", "sample:"], 2, "Did you mean Lemon"),
        (["fetch"], 2, "CLASS"),
        (["fetch", "Lemon", "--release", "v9"], 2, "v9"),
        (["fetch", "Lemon", "--split", "dev"], 2, "dev"),
        (["fetch", "Lemon", "--source", "ftp://x"], 2, "s3://"),
        (["fetch", "Lemon", "--limit", "0"], 2, "--limit"),
        (["fetch", "Lemon", "--limit", "3", "--limit-per-class", "3"], 2, "Give one of them"),
        (["fetch", "Lemon", "--manifest", "m.tsv", "--limit", "3"], 2, "--manifest"),
        (["fetch", "Lemon", "--manifest", "none.tsv", "--source", "sample:"], 1, "none.tsv"),
        (["fetch", "Lemon", "--source", "http://127.0.0.1:9", "--offline"], 1, "not in the cache"),
        (["fetch", "Lemon", "--source", "sample:", "-d", "/proc/oidata"], 1, "Cannot write"),
        (["strip"], 1, "oidata fetch"),
        (["strip", "-d", "nowhere"], 1, "nowhere is no dataset"),
        (["peel"], 2, "peel"),
    ],
)
def test_errors_have_a_message_and_a_code(arguments: list[str], code: int, words: str, tmp_path: Path) -> None:
    """An error is a short message on stderr, without a traceback: 2 for usage, 1 for the rest; nothing is left."""
    run = oidata(*arguments, cwd=tmp_path)
    assert run.returncode == code
    assert words in run.stderr
    assert "Traceback" not in run.stderr
    assert len(run.stderr.splitlines()) <= 4
    assert run.stdout == ""
    assert list(tmp_path.rglob("dataset.json")) == []


def test_failed_photos_make_exit_code_1(tmp_path: Path) -> None:
    """A fetch that another try could complete exits with 1 and says so."""
    photo = next(iter(sorted((Path(__file__).parents[1] / "oidata/sample/openimages/test").glob("*.jpg"))))
    (tmp_path / "m.tsv").write_text(f"test/{photo.stem}\t{'0' * 64}\n")
    run = oidata("fetch", "Lemon", "--source", "sample:", "--manifest", "m.tsv", cwd=tmp_path)
    assert run.returncode == 1
    assert "run the same command again" in " ".join(run.stdout.split())


def test_no_space_left(tmp_path: Path) -> None:
    """A full disk is named, with what to do."""
    limited = f"ulimit -f 8; exec {sys.executable} -m oidata fetch Lemon --source sample:"
    run = subprocess.run(
        ["/bin/bash", "-c", limited], capture_output=True, text=True, cwd=tmp_path, env=ENVIRONMENT, check=False
    )
    assert run.returncode == 1
    assert "Cannot write" in run.stderr
    assert "Traceback" not in run.stderr
    assert not list(tmp_path.rglob("*.part"))


def test_every_command_and_option_is_described() -> None:
    """Each command has a help text, and each of its options too."""
    commands = typer.main.get_group(app).commands
    assert set(commands) == {"fetch", "strip"}
    for command in commands.values():
        assert command.help
        for parameter in command.params:
            assert getattr(parameter, "help", ""), f"{command.name}: {parameter.name}"


def test_version(tmp_path: Path) -> None:
    """--version prints name and version."""
    assert oidata("--version", cwd=tmp_path).stdout == "oidata 0.1.0\n"
