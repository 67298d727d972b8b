"""The command line: exit codes, what goes to stdout and to stderr, help texts."""

import json
import os
import subprocess
import sys
from pathlib import Path
from shutil import which

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
    assert run.stderr.splitlines() == ["photos tried: 12"]


def test_json_is_the_report(fetched: Path) -> None:
    """--json puts the report, and nothing else, on stdout."""
    run = oidata("fetch", "Lemon", "Cheese", "--source", "sample:", "--json", cwd=fetched)
    report = json.loads(run.stdout)
    assert report["photos"]["train"] == {"ok": 65, "missing": 1, "corrupt": 1, "failed": 0}
    assert report["downloaded"] == 0
    stripped = json.loads(oidata("strip", "--json", cwd=fetched).stdout)
    assert sum(row["stripped"] for row in stripped["classes"]) == 80
    assert (stripped["num_absent"], stripped["num_absent_stripped"]) == (7, 2)
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
        (["fetch", "Lemon", "--source", ""], 2, "The source is empty"),
        (["fetch", "flibbertigibbet", "--source", "sample:"], 2, "class-descriptions-boxable.csv"),
        (["fetch", "Lemon", "--limit", "0"], 2, "--limit"),
        (["fetch", "Lemon", "--limit", "3", "--limit-per-class", "3"], 2, "Give one of them"),
        (["fetch", "Lemon", "--manifest", "m.tsv", "--limit", "3"], 2, "--manifest"),
        (["fetch", "Lemon", "--manifest", "none.tsv", "--source", "sample:"], 1, "none.tsv"),
        (["fetch", "Lemon", "--source", "http://127.0.0.1:9", "--offline"], 1, "not in the cache"),
        (["fetch", "Lemon", "--source", "sample:", "-d", "/proc/oidata"], 1, "Cannot write"),
        (["strip"], 1, "oidata fetch"),
        (["strip", "-d", "nowhere"], 1, "nowhere is no dataset"),
        (["strip", "--none", "--unknown", "--no-group"], 2, "does not go with --no-group, --unknown"),
        (["inspect"], 1, "oidata fetch"),
        (["inspect", "--yes"], 2, "--pull"),
        (["strip", "--none", "--truncated"], 2, "does not go with --truncated"),
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


def test_a_typo_exits_with_2_beside_a_dataset_too(fetched: Path) -> None:
    """A class name that is none is a usage error with the close matches, also where a dataset is."""
    run = oidata("fetch", "Lemno", "Cheese", "--source", "sample:", cwd=fetched)
    assert (run.returncode, run.stdout) == (2, "")
    assert "Did you mean Lemon" in run.stderr


def test_no_space_left(tmp_path: Path) -> None:
    """A full disk is named, with what to do, and what was begun is in the way of no other fetch."""
    limited = f"ulimit -f 8; exec {sys.executable} -m oidata fetch Lemon --source sample:"
    run = subprocess.run(
        ["/bin/bash", "-c", limited], capture_output=True, text=True, cwd=tmp_path, env=ENVIRONMENT, check=False
    )
    assert run.returncode == 1
    assert "Cannot write" in run.stderr
    assert "Traceback" not in run.stderr
    assert not list(tmp_path.rglob("*.part"))
    assert oidata("fetch", "Cheese", "--source", "sample:", "--split", "test", cwd=tmp_path).returncode == 0


def test_a_strip_without_space_says_so_plainly(fetched: Path) -> None:
    """A disk that is full when strip writes is told in the system's words, and the boxes stay as they were."""
    before = (fetched / "data/boxes.parquet").read_bytes()
    limited = f"ulimit -f 1; exec {sys.executable} -m oidata strip"
    run = subprocess.run(
        ["/bin/bash", "-c", limited], capture_output=True, text=True, cwd=fetched, env=ENVIRONMENT, check=False
    )
    assert run.returncode == 1
    assert run.stderr.startswith("Error: Cannot write data/boxes.parquet: File too large.\n")
    assert (fetched / "data/boxes.parquet").read_bytes() == before


# What lets root into every directory.
POWERS = "-dac_override,-dac_read_search"


@pytest.mark.skipif(os.geteuid() == 0 and not which("setpriv"), reason="root may enter every directory")
@pytest.mark.parametrize("command", ["fetch Lemon --source sample: -d closed/x/y", "strip -d closed"])
def test_a_directory_that_is_closed_to_us(command: str, tmp_path: Path) -> None:
    """A directory that may not be entered is an error with a hint, exit code 1."""
    closed = tmp_path / "closed"
    closed.mkdir(mode=0)
    as_anybody = ["setpriv", f"--bounding-set={POWERS}", f"--inh-caps={POWERS}"] if os.geteuid() == 0 else []
    arguments = [*as_anybody, sys.executable, "-m", "oidata", *command.split()]
    run = subprocess.run(arguments, capture_output=True, text=True, cwd=tmp_path, env=ENVIRONMENT, check=False)
    closed.chmod(0o700)
    assert run.returncode == 1
    assert "closed" in run.stderr
    assert "Permission denied" in run.stderr
    assert len(run.stderr.splitlines()) == 2
    assert list(closed.iterdir()) == []


LEAVING = """
import atexit, sys
from oidata.__main__ import main

class Late:
    def __del__(self):
        print("taken down", flush=True)

sys.modules["late"] = Late()
atexit.register(print, "at exit")
sys.argv[0] = "oidata"
main()
"""


@pytest.mark.parametrize("arguments, code", [(["--version"], 0), (["peel"], 2), (["strip", "-d", "nowhere"], 1)])
def test_the_process_ends_before_the_interpreter_is_taken_down(arguments: list[str], code: int, tmp_path: Path) -> None:
    """What is to run at exit runs, all output is written, the exit code stays, and no object is taken down after."""
    command = [sys.executable, "-c", LEAVING, *arguments]
    run = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, env=ENVIRONMENT, check=False)
    assert run.returncode == code
    assert run.stdout.endswith("at exit\n")
    assert bool(run.stderr) == bool(code)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no device that is always full")
@pytest.mark.parametrize("option", ["--version", "--help"])
def test_output_that_cannot_be_written_is_an_error(option: str, tmp_path: Path) -> None:
    """Where stdout takes nothing more, exit code 1 and a message on stderr say so."""
    with Path("/dev/full").open("w") as full:
        command = [sys.executable, "-m", "oidata", option]
        run = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, cwd=tmp_path, check=False)
    assert run.returncode == 1
    assert "No space left on device" in run.stderr
    assert "Traceback" not in run.stderr


@pytest.mark.parametrize(
    "command", ["--version", "audit -d d", "audit -d d --json", "strip -d d", "fetch Lemon --source sample: -d d"]
)
@pytest.mark.parametrize("closed", [">&-", ">&- 2>&-"])
def test_a_closed_stdout_ends_it_at_once(command: str, closed: str, tmp_path: Path) -> None:
    """Where there is no stdout to print to, nothing is done, and a line on stderr, where there is one, says why."""
    shell = ["/bin/sh", "-c", f'exec "$0" -m oidata {command} {closed}', sys.executable]
    run = subprocess.run(shell, stderr=subprocess.PIPE, text=True, cwd=tmp_path, check=False)
    assert run.returncode == 1
    assert [line[:23] for line in run.stderr.splitlines()] == ["Error: stdout is closed"] * ("2>" not in closed)
    assert list(tmp_path.iterdir()) == []


def test_an_interrupt_at_the_very_beginning(tmp_path: Path) -> None:
    """Ctrl-C while the program is still importing what it is made of ends it as at any other time."""
    (tmp_path / "typer.py").write_text("raise KeyboardInterrupt\n")
    run = oidata("strip", cwd=tmp_path)
    assert (run.returncode, run.stdout) == (130, "")
    assert run.stderr.startswith("Interrupted.")
    assert len(run.stderr.splitlines()) == 1


def test_every_command_and_option_is_described() -> None:
    """Each command has a help text, and each of its options too."""
    commands = typer.main.get_group(app).commands
    assert set(commands) == {"fetch", "strip", "audit", "shard", "predict", "evaluate", "inspect", "demo"}
    for command in commands.values():
        assert command.help
        for parameter in command.params:
            assert getattr(parameter, "help", ""), f"{command.name}: {parameter.name}"


def test_version(tmp_path: Path) -> None:
    """--version prints name and version."""
    assert oidata("--version", cwd=tmp_path).stdout == "oidata 0.1.0\n"
