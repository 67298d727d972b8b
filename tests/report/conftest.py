"""An evaluation that the tests of its page and of its summary share."""

import shutil
from pathlib import Path

import pytest

from oidata.dataset import Dataset
from oidata.evaluate import EvaluationReport, Request, evaluate
from tests.report.jittered import add_run, jittered


@pytest.fixture(scope="session")
def evaluated(stripped_sample: Path, tmp_path_factory: pytest.TempPathFactory) -> EvaluationReport:
    """The run `new` on the sample, compared with the worse `old`; not to be changed."""
    directory = tmp_path_factory.mktemp("evaluated") / "d"
    shutil.copytree(stripped_sample, directory)
    dataset = Dataset.open(directory)
    add_run(dataset, "old", jittered(dataset, seed=7, skill=0.5))
    add_run(dataset, "new", jittered(dataset, seed=1))
    return evaluate(dataset, Request(run="new", against="old"))
