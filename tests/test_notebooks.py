"""Every notebook runs from top to bottom in a fresh kernel, and is kept with its outputs."""

from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

NOTEBOOKS = sorted((Path(__file__).parents[1] / "notebooks").glob("[!.]*.ipynb"))

pytestmark = pytest.mark.notebook
each_notebook = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)


def read(path):
    return nbformat.read(path, as_version=4)


def code_cells(notebook):
    """The numbered cells that hold code; JupyterLab does not run the empty ones."""
    return [
        (number, cell)
        for number, cell in enumerate(notebook.cells)
        if cell.cell_type == "code" and cell.source.strip()
    ]


def is_empty(output):
    return not (output.get("data") or output.get("text", "").strip())


def assert_ran(notebook):
    for number, cell in code_cells(notebook):
        errors = [f"{o.ename}: {o.evalue}" for o in cell.outputs if o.output_type == "error"]
        assert not errors, f"cell {number} failed with {errors}:\n{cell.source}"
        assert cell.execution_count is not None, f"cell {number} did not run:\n{cell.source}"


@each_notebook
def test_runs_from_top_to_bottom(path, tmp_path, monkeypatch):
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path))
    notebook = read(path)
    for _, cell in code_cells(notebook):
        cell.outputs, cell.execution_count = [], None
    NotebookClient(
        notebook,
        kernel_name="python3",
        timeout=300,
        resources={"metadata": {"path": str(path.parent)}},
    ).execute()
    assert_ran(notebook)


@each_notebook
def test_is_kept_with_its_outputs(path):
    notebook = read(path)
    assert_ran(notebook)
    outputs = [output for _, cell in code_cells(notebook) for output in cell.outputs]
    assert any(not is_empty(output) for output in outputs), (
        f"{path.name} has no output saved: run `make notebooks` and commit the result"
    )


@each_notebook
def test_names_its_kernel(path):
    kernel = read(path).metadata.get("kernelspec", {}).get("name")
    assert kernel == "python3", f"{path.name} names {kernel}: JupyterLab would ask for a kernel"
