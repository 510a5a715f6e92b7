"""A process that compiles LLVM IR: `python -I compile_worker.py FOLDER FILE FILE`.

FOLDER is where llvmlite lies; the files are those of `target/machine.py` and `llvm/optimiser.py`,
loaded by themselves, so that such a process starts in 70 ms. It reads pickled (text, cpu) from
its standard input and answers with (None, object code) or (complaint, b""); it ends with its
input, that is with the process that asked."""

import importlib.util
import os
import pickle
import signal
import sys


def load(path: str):
    """A module from its file."""
    spec = importlib.util.spec_from_file_location(os.path.basename(path)[:-3], path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def main() -> None:
    """Answers until the input ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # an interrupt is for the one who asked
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what LLVM prints is no answer
    folder, *files = sys.argv[1:]
    sys.path.append(folder)
    machine, optimiser = map(load, files)
    machine.machine("")
    questions = sys.stdin.buffer
    pickle.dump("ready", answers)
    answers.flush()
    while True:
        try:
            text, cpu = pickle.load(questions)
        except EOFError:
            return
        try:
            answer = None, optimiser.object_code(text, machine.machine(cpu))
        except RuntimeError as e:
            answer = str(e), b""
        pickle.dump(answer, answers)
        answers.flush()


if __name__ == "__main__":
    main()
