"""Laws of oidata demo: it does what its commands do, and README shows what it prints."""

import json
import re
import shlex
import subprocess
import sys
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

import pytest
import typer

from oidata.cli import app
from oidata.demo import demo
from oidata.errors import DatasetError
from oidata.fetch import Network, Request, fetch
from oidata.report.demo_report import DemoReport
from oidata.report.fetch_report import FetchReport
from oidata.report.inspect_report import InspectReport
from oidata.report.predict_report import Now as PredictedNow
from oidata.report.predict_report import PredictReport
from oidata.report.shard_report import Now as ShardedNow
from oidata.report.strip_report import StripReport

README = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")
SESSION = re.search(r"```console\n\$ oidata demo\n(.*?)```", README, re.DOTALL)


@pytest.fixture(scope="module")
def printed(fiftyone: Any, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """Where the demo was run by the command line, and what it printed."""
    del fiftyone
    place = tmp_path_factory.mktemp("demo")
    run = subprocess.run(
        [sys.executable, "-m", "oidata", "demo"], capture_output=True, text=True, cwd=place, check=False
    )
    assert run.returncode == 0, run.stderr
    return place / "oidata-demo", run.stdout


def test_readme_shows_what_is_printed(printed: tuple[Path, str]) -> None:
    """To the letter."""
    assert SESSION is not None
    assert printed[1].splitlines() == SESSION[1].splitlines()


def test_its_commands_are_all_the_verbs(printed: tuple[Path, str]) -> None:
    """Each verb comes once, in the order of the help, as a command line that is understood."""
    shown = [shlex.split(line) for line in re.findall(r"^\$ oidata (.*)", printed[1], re.MULTILINE)]
    commands = typer.main.get_group(app).commands
    assert [name for name, *_ in shown] == [name for name in commands if name != "demo"]
    for name, *arguments in shown:
        with commands[name].make_context(name, arguments):
            pass


def test_what_is_there_is_kept_and_no_database_is_told(
    printed: tuple[Path, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A second run downloads, writes and detects nothing; the App's part alone needs a database."""
    monkeypatch.setenv("FIFTYONE_DATABASE_URI", "mongodb://127.0.0.1:9")
    heard: list[object] = []
    report = demo(printed[0], heard.append)
    assert tuple(heard) == report.steps
    did = {shlex.split(step.command)[1]: step.did for step in report.steps}
    assert "(0 downloaded now)" in did["fetch"]
    assert "(9 already there)" in did["shard"]
    assert "(30 already there)" in did["predict"]
    assert did["inspect"].startswith("Not done")
    assert "FIFTYONE_DATABASE_URI" in report.steps[-1].found
    assert all(Path(page).is_file() for page in report.reports)


def test_readme_has_the_fields_of_every_report(printed: tuple[Path, str]) -> None:
    """As the files have them that these reports are kept in, or else the reports themselves."""
    table = re.search(r"\| command \| its fields \|\n.*?\n\n", README, re.DOTALL)
    assert table is not None
    said = {name: listed.split(", ") for name, listed in re.findall(r"^\| `(\w+)` \| (.*) \|$", table[0], re.MULTILINE)}
    reports = {"fetch": FetchReport, "strip": StripReport, "inspect": InspectReport, "demo": DemoReport}
    written = {
        "audit": json.loads((printed[0] / "audit/report.json").read_text()),
        "shard": json.loads((printed[0] / "shards/shards.json").read_text()) | asdict(ShardedNow()),
        "predict": ["report_version", "oidata_version", *_fields(PredictReport, "now"), *_fields(PredictedNow)],
        "evaluate": json.loads((printed[0] / "runs/ssd/evaluation.json").read_text()),
    }
    expected = {name: _fields(report) for name, report in reports.items()} | {
        name: list(values) for name, values in written.items()
    }
    assert said == expected


def _fields(report: Any, *without: str) -> list[str]:
    return [field.name for field in fields(report) if field.name not in without]


def test_another_dataset_is_left_alone(tmp_path: Path, network: Network) -> None:
    """A directory that holds something else is refused, as by fetch."""
    fetch(tmp_path / "data", Request(("Bread",), source="sample:"), network)
    with pytest.raises(DatasetError):
        demo(tmp_path / "data")
