"""A process that interprets one call: `python -m unitylab.session.interpret_worker`.

It reads a pickled (module as JSON, function's name, arguments) from its standard input and answers
with ("", results) or (what went wrong, []). It ends with its input, that is with the process that
asked."""

import os
import pickle
import signal
import sys
from threading import Thread

from ..ir.errors import UnityLabError
from ..ir.module import IRModule
from .verify import reference


def main() -> None:
    """Answers one question."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # an interrupt is for the one who asked
    if hasattr(os, "nice"):
        os.nice(10)
    questions = sys.stdin.buffer
    text, name, inputs = pickle.load(questions)
    Thread(target=lambda: (questions.read(), os._exit(1)), daemon=True).start()
    try:
        answer = "", reference(IRModule.from_json(text), name, inputs)
    except UnityLabError as e:
        answer = str(e), []
    pickle.dump(answer, sys.stdout.buffer)
    sys.stdout.buffer.flush()
    os._exit(0)  # the other thread waits for input


if __name__ == "__main__":
    main()
