"""What a notebook shows of an error: the user's own lines and the message, not our frames."""

from __future__ import annotations

import linecache
import sys
from pathlib import Path
from traceback import extract_tb

PACKAGE = str(Path(__file__).parents[1])
MOST = 6  # lines of the user that are shown


def short_traceback(e: BaseException) -> list[str]:
    """The lines that IPython prints. `%xmode Verbose` asks for all frames, as for other errors."""
    shell = _shell()
    if shell is not None:
        shell.InteractiveTB.tb = e.__traceback__  # what %debug enters
        if shell.InteractiveTB.mode == "Verbose":
            return shell.InteractiveTB.structured_traceback(type(e), e, e.__traceback__)
    cause = [] if e.__cause__ is None else [
        f"caused by {type(e.__cause__).__name__}: {e.__cause__}", *user_lines(e.__cause__)]
    return [*user_lines(e), *cause, f"{type(e).__name__}: {e}"]


def user_lines(e: BaseException) -> list[str]:
    """The places of the user's own code that the error passed through, outermost first."""
    found = [f"{_where(f.filename, f.name)}, line {f.lineno}:\n    "
             f"{linecache.getline(f.filename, f.lineno or 0).strip()}"
             for f in extract_tb(e.__traceback__) if _is_users(f.filename)]
    left_out = len(found) - MOST
    return found if left_out <= 0 else [*found[:1], f"... {left_out} more ...", *found[1 - MOST:]]


def _is_users(name: str) -> bool:
    """Cells, and files that are neither ours nor of Python nor installed nor made up."""
    if is_cell(name):
        return True
    installed = "site-packages" in name or name.startswith(sys.base_prefix + "/lib")
    return not (installed or name.startswith((PACKAGE, "<")))


def is_cell(name: str) -> bool:
    """Whether code of that file name stands in a cell of a notebook."""
    return "ipykernel_" in name or name.startswith("<ipython-input")


def cell_name(name: str) -> str:
    """How a notebook calls the cell of a file name: `Cell In[3]`; `<cell>` if it cannot tell."""
    compiler = getattr(_shell(), "compile", None)
    found = getattr(compiler, "format_code_name", lambda _: None)(name)
    return " ".join(found) if found else "<cell>"


def _where(name: str, function: str) -> str:
    """The cell or file, and the function."""
    inside = "" if function.startswith("<") else f", in {function}"
    return f"{cell_name(name) if is_cell(name) else name}{inside}"


def _shell():
    """The running IPython, if there is one; never imports it."""
    ipython = sys.modules.get("IPython")
    return ipython.get_ipython() if ipython is not None else None
