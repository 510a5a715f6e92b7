"""Fixtures of the browser tests: one server and one Chromium for all, a fresh page for each test.

In both themes:

    @pytest.mark.parametrize("lab", ["light", "dark"], indirect=True)
    def test_something(lab): ...
"""

from pathlib import Path

import pytest

from tests.browser.lab import chromium, lab_server, open_lab, unavailable

HERE = Path(__file__).parent
NOTEBOOKS = HERE.parents[1] / "notebooks"


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items):
    """Whatever is in this folder needs a browser."""
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.browser)


class WithoutBrowser(pytest.Module):
    """A test file that is skipped before it is imported: it may import playwright at its top."""

    def collect(self):
        pytest.skip(unavailable(), allow_module_level=True)


def pytest_pycollect_makemodule(module_path, parent):
    if unavailable():
        return WithoutBrowser.from_parent(parent, path=module_path)


@pytest.fixture(scope="session")
def server():
    with lab_server(NOTEBOOKS) as server:
        yield server


@pytest.fixture(scope="session")
def browser():
    with chromium() as browser:
        yield browser


@pytest.fixture
def lab(server, browser, request):
    """A fresh `Lab`, light unless the test is parametrised with "dark"."""
    server.set_theme(getattr(request, "param", "light"))
    with open_lab(server, browser) as lab:
        yield lab
