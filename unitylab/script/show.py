"""Displays script where the reader sits."""

from __future__ import annotations

from IPython import get_ipython
from IPython.display import Code, display


def show(text: str) -> None:
    """With colours in a notebook, as plain text elsewhere."""
    shell = get_ipython()
    if shell is not None and "terminal" not in type(shell).__module__:
        display(Code(text, language="python"))
    else:
        print(text)
