"""Every notebook runs from top to bottom."""

from pathlib import Path

import pytest

NOTEBOOKS = sorted((Path(__file__).resolve().parent.parent / "notebooks" / "tutorials").glob("*.py"))
AS_NEW = "%reset -f\nimport os, matplotlib.pyplot as plt\nos.chdir({folder!r})\nplt.close('all')\n%reset -f"


@pytest.fixture(scope="module")
def kernel():
    """A kernel that notebooks use one after the other, each from an empty namespace: its imports are paid once."""
    pytest.importorskip("nbclient")
    manager = pytest.importorskip("jupyter_client").AsyncKernelManager(kernel_name="python3")
    yield manager
    if manager.has_kernel:
        manager.provisioner.process.kill()
        manager.provisioner.process.wait()


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.stem)
def test_notebook_runs(path, tmp_path, monkeypatch, kernel):
    jupytext = pytest.importorskip("jupytext")
    nbclient = pytest.importorskip("nbclient")
    nbformat = pytest.importorskip("nbformat")
    monkeypatch.setenv("MPLBACKEND", "agg")
    notebook = jupytext.read(path)
    notebook.cells.insert(0, nbformat.v4.new_code_cell(AS_NEW.format(folder=str(tmp_path))))
    nbclient.NotebookClient(notebook, km=kernel, timeout=240, resources={"metadata": {"path": str(tmp_path)}}).execute()
    assert any(cell.get("outputs") for cell in notebook.cells)
