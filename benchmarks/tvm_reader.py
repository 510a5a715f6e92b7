"""Runs in a Python that has apache-tvm: says whether two scripts give the same there.

Reads one JSON line `{"original": ..., "printed": ...}` after the other from stdin and answers each
with a line `{"outcome": ...}`: "equal", "differs", "refused: why" or "original refused". TVM may
crash on a program; `corpus_script.py` starts this program again then.
"""

import json
import os
import sys

from tvm import ir
from tvm.script import from_source


def parsed(text: str, checked: bool):
    return from_source(text, check_well_formed=checked)


def outcome(original: str, printed: str) -> str:
    """Both texts are read in the same way: checked where TVM accepts the original so."""
    for checked in (True, False):
        try:
            expected = parsed(original, checked)
            break
        except Exception:
            expected = None
    if expected is None:
        return "original refused"
    try:
        found = parsed(printed, checked)
    except Exception as e:
        lines = [line for line in str(e).strip().splitlines() if line.strip()]
        return f"refused: {lines[-1][:160] if lines else type(e).__name__}"
    try:
        ir.assert_structural_equal(found, expected)
    except Exception as e:
        return f"differs: {' '.join(str(e).split())[:160]}"
    return "equal"


def main() -> None:
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what TVM prints itself does not go among the answers
    for line in sys.stdin:
        request = json.loads(line)
        answers.write(json.dumps({"outcome": outcome(**request)}) + "\n")
        answers.flush()


if __name__ == "__main__":
    main()
