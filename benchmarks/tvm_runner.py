"""Runs programs on Apache TVM; started by corpus_run.py with TVM's own Python.

Reads pickled (text, function name, arguments) from standard input, answers with ("ok", arrays) or
("refused", why). A crash of TVM ends the process: whoever started it starts another.
"""

import pickle
import sys

import numpy as np


def parsed(text):
    import tvm
    import tvm.script
    return tvm.script.from_source(text, check_well_formed=False)


def run(text, name, args):
    """The arrays after the call, then the results of a graph function."""
    import tvm
    from tvm import relax
    found = parsed(text)
    graph = isinstance(found, relax.Function) or isinstance(found, tvm.IRModule) and any(
        isinstance(f, relax.Function) for f in found.functions.values())
    if not isinstance(found, tvm.IRModule):
        found = tvm.IRModule({name: found.with_attr("global_symbol", name)})
    values = [to_tvm(a) for a in args]
    if graph:
        vm = relax.VirtualMachine(tvm.compile(found, "llvm"), tvm.cpu())
        return arrays_of(vm[name](*values))
    if name in (v.name_hint for v in found.get_global_vars()):
        found = tvm.IRModule({name: found[name].with_attr("global_symbol", name)})
    tvm.compile(found, "llvm")[name](*values)
    return [v.numpy() for v in values if hasattr(v, "numpy")]


def to_tvm(a):
    import tvm
    if isinstance(a, np.ndarray):
        return tvm.runtime.tensor(a)
    if isinstance(a, tuple):
        return tuple(to_tvm(x) for x in a)
    return a


def arrays_of(value):
    if hasattr(value, "numpy"):
        return [value.numpy()]
    if isinstance(value, (int, float, bool)):
        return [np.asarray(value)]
    return [a for v in value for a in arrays_of(v)]


def main():
    answers = sys.stdout.buffer
    sys.stdout = sys.stderr  # what programs print must not mix with the answers
    while True:
        try:
            request = pickle.load(sys.stdin.buffer)
        except EOFError:
            return
        try:
            answer = "ok", run(*request)
        except BaseException as e:
            answer = "refused", f"{type(e).__name__}: {str(e).strip().splitlines()[-1:]}"
        pickle.dump(answer, answers)
        answers.flush()


if __name__ == "__main__":
    main()
