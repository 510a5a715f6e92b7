"""How much a notebook and a page without kernel hold."""

import gzip

import nbformat
import pytest
from nbclient import NotebookClient

import unitylab as ul
from tests.browser.programs import CNN, ROOT, SETUP, notebook, session_cell
from unitylab.models.encoder import encoder
from unitylab.viz import assets


@pytest.mark.notebook
def test_a_notebook_with_ten_workbenches_stays_below_two_megabytes(tmp_path):
    cells = [SETUP, CNN.cell, session_cell(CNN), *["ul.lab(session)"] * 10]
    book = nbformat.from_dict(notebook(cells))
    NotebookClient(book, timeout=300, kernel_name="python3", store_widget_state=True,
                   resources={"metadata": {"path": str(ROOT)}}).execute()
    path = tmp_path / "ten.ipynb"
    nbformat.write(book, path)
    state = book["metadata"]["widgets"]["application/vnd.jupyter.widget-state+json"]["state"]
    shown = [o for c in book["cells"] for o in c["outputs"] if "text/html" in o.get("data", {})]
    assert len(shown) == 10 and len(state) >= 10
    assert path.stat().st_size < 2_000_000


def test_the_offline_file_of_the_encoder_with_all_steps(tmp_path):
    session = ul.Session(encoder(layers=12), name="encoder", sizes={"n": 4}, check=False)
    session.run()
    session.to_html(tmp_path / "encoder.html")
    text = (tmp_path / "encoder.html").read_text()
    assert len(text.encode()) < 3_000_000
    assert "http://" not in text.replace("http://www.w3.org", "") and "https://" not in text


def test_the_module_that_each_widget_stores():
    stored = assets.module_source().encode()
    assert len(stored) < 60_000 and len(gzip.compress(stored)) < 60_000
