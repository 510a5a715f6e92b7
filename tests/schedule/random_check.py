"""Whether a schedule changed no result: the interpreter and the JIT on random inputs."""

import numpy as np
from random_requests import SIZES

from unitylab.arith.evaluate import evaluate
from unitylab.exec.build import build
from unitylab.interp import interpret
from unitylab.ir.module import as_module
from unitylab.ir.visitor import free_vars


def numbers(shape) -> tuple[int, ...]:
    """A shape with the sizes put in."""
    return tuple(int(evaluate(d, {v: SIZES[v.name] for v in free_vars(d)})) for d in shape)


def inputs(func, seed: int = 0) -> list[np.ndarray]:
    """One random array for each buffer parameter; small integers, so that sums are exact."""
    rng = np.random.default_rng(seed)
    arrays = []
    for b in func.buffers:
        shape = numbers(b.shape)
        kind = b.dtype.kind
        if kind == "float":
            a = rng.uniform(-2, 2, shape)
        elif kind == "bool":
            a = rng.integers(0, 2, shape)
        else:
            a = rng.integers(0 if kind == "uint" or b.name == "I" else -9, 10, shape)
        arrays.append(a.astype(b.dtype.numpy))
    return arrays


def relaid(array: np.ndarray, maps, shape) -> np.ndarray:
    """An argument in the layout that a parameter got; padding is zero."""
    for k, index_map in enumerate(maps):
        places = {at: index_map.evaluate(at) for at in np.ndindex(array.shape)}
        size = [max(d) + 1 for d in zip(*places.values())] if k < len(maps) - 1 else shape
        new = np.zeros(size, array.dtype)
        for at, place in places.items():
            new[place] = array[at]
        array = new
    return array


def check(before, sch, threads: int = 2) -> None:
    """Raises AssertionError where a schedule computes something else than the program that it was
    made from, in the interpreter or as machine code."""
    before = as_module(before)
    arrays = inputs(before["main"])
    wanted = [a.copy() for a in arrays]
    interpret(before)["main"](*wanted)
    maps = sch.relayouts("main")
    shapes = [numbers(b.shape) for b in sch.mod["main"].buffers]

    def fitted(given):
        return [relaid(a, maps[k], shapes[k]) if k in maps else a.copy()
                for k, a in enumerate(given)]

    want = fitted(wanted)
    for where, run in (("interpreted", lambda: interpret(sch.mod)),
                       ("compiled", lambda: build(sch.mod, f"native -threads={threads}"))):
        got = fitted(arrays)
        run()["main"](*got)
        for k, (x, y) in enumerate(zip(want, got)):
            if k in maps:  # what stands in the padding is nobody's concern
                inside = fitted([np.ones_like(a) for a in arrays])[k].astype(bool)
                x, y = x[inside], y[inside]
            np.testing.assert_allclose(y, x, rtol=1e-4, atol=1e-5, err_msg=f"{where}, argument {k}")
