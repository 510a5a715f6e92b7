"""`TensorIntrin`: a computation as loops, and the same as an instruction or a kernel."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np

from ..interp import interpret
from ..ir.errors import (BoundsError, RuntimeCallError, ScheduleError, UnityLabError,
                         did_you_mean)
from ..ir.module import IRModule, as_module
from ..ir.prim import as_int
from ..ir.structural import structural_equal
from ..ir.tir import Buffer, PrimFunc

_REGISTERED: dict[str, TensorIntrin] = {}


@dataclass(frozen=True)
class TensorIntrin:
    """`desc` says what is computed, `impl` how: tensor programs with the same buffers.

        dot = ul.TensorIntrin(dot_desc, dot_impl)
        sch.tensorize(loop, dot)                       # or by name:
        ul.TensorIntrin.register("dot4", dot_desc, dot_impl)
        sch.tensorize(loop, "dot4")

    The root block of both declares what it reads and writes (`T.reads`, `T.writes`). Both are run
    on random numbers here and must agree, unless `impl` calls functions that are not registered
    (then `verified` is False and the promise is yours). Raises ScheduleError."""

    desc: PrimFunc
    impl: PrimFunc
    verified: bool = False

    def __init__(self, desc: PrimFunc | IRModule, impl: PrimFunc | IRModule):
        object.__setattr__(self, "desc", _program(desc, "desc"))
        object.__setattr__(self, "impl", _program(impl, "impl"))
        _check_interface(self.desc, self.impl)
        object.__setattr__(self, "verified", _agree(self.desc, self.impl))

    @staticmethod
    def register(name: str, desc: PrimFunc | IRModule, impl: PrimFunc | IRModule,
                 override: bool = False) -> TensorIntrin:
        """Makes an intrinsic known by name. Raises ScheduleError where another has that name."""
        return keep(name, TensorIntrin(desc, impl), override)

    @staticmethod
    def get(name: str) -> TensorIntrin:
        """The intrinsic of that name. Raises ScheduleError where there is none."""
        if name not in _REGISTERED:
            raise ScheduleError(f"no tensor intrinsic is called {name!r}",
                                hint=did_you_mean(name, _REGISTERED) or
                                "TensorIntrin.register(name, desc, impl)")
        return _REGISTERED[name]


def keep(name: str, intrin: TensorIntrin, override: bool = False) -> TensorIntrin:
    """Registers an intrinsic; the same again is no error."""
    known = _REGISTERED.get(name)
    same = known is not None and structural_equal(known.desc, intrin.desc) and \
        structural_equal(known.impl, intrin.impl)
    if known is not None and not same and not override:
        raise ScheduleError(f"another tensor intrinsic is called {name!r} already",
                            hint="override=True replaces it")
    _REGISTERED[name] = intrin
    return intrin


def name_of(intrin: TensorIntrin) -> str:
    """The name under which an intrinsic is known; one that was given directly gets a name by its
    content, so that traces can speak of it."""
    for name, known in _REGISTERED.items():
        if known is intrin:
            return name
    base = intrin.impl.attrs.get("global_symbol") or "intrin"
    content = hashlib.sha256((intrin.desc.script() + intrin.impl.script()).encode()).hexdigest()
    name = f"{base}_{content[:8]}"
    keep(name, intrin, override=True)
    return name


def _program(given, what: str) -> PrimFunc:
    if isinstance(given, IRModule):
        programs = list(given.prim_funcs.values())
        given = programs[0] if len(programs) == 1 else given
    if not isinstance(given, PrimFunc):
        raise ScheduleError(f"{what} must be a tensor program, not a {type(given).__name__}")
    if given.root is None:
        raise ScheduleError(f"{what} is a plain loop program", span=given.span,
                            hint='put its body in a block: with T.block("root"): T.reads(...)')
    return given


def _check_interface(desc: PrimFunc, impl: PrimFunc) -> None:
    if len(desc.params) != len(impl.params):
        raise ScheduleError(f"desc has {len(desc.params)} parameters, impl {len(impl.params)}",
                            span=impl.span)
    for func, what in ((desc, "desc"), (impl, "impl")):
        for p in func.params:
            if not isinstance(p, Buffer):
                raise ScheduleError(f"the parameter {p.name} of {what} is no buffer",
                                    span=func.span)
            declared = {r.buffer for r in (*func.root.reads, *func.root.writes)}
            if p not in declared:
                raise ScheduleError(f"the root block of {what} does not declare how it uses "
                                    f"{p.name}", span=func.span, hint="T.reads(...), T.writes(...)")
    for k, (d, i) in enumerate(zip(desc.params, impl.params)):
        sizes = [tuple(map(as_int, p.shape)) for p in (d, i)]
        if sizes[0] != sizes[1] or None in sizes[0] or d.dtype != i.dtype:
            raise ScheduleError(f"parameter {k} of desc ({d.name}: {d.dtype}{list(sizes[0])}) and "
                                f"impl ({i.name}: {i.dtype}{list(sizes[1])}) differ",
                                span=impl.span, hint="constant shapes, and the same in both")
    for what in ("reads", "writes"):
        if _used(desc, getattr(desc.root, what)) != _used(impl, getattr(impl.root, what)):
            raise ScheduleError(f"the root blocks of desc and impl declare different {what}",
                                span=impl.span)


def _used(func: PrimFunc, regions) -> set[int]:
    return {func.params.index(r.buffer) for r in regions}


def _agree(desc: PrimFunc, impl: PrimFunc) -> bool:
    """Runs both; False where that is not possible. Raises ScheduleError where they differ."""
    arrays = [[_values(p, k) for k, p in enumerate(desc.params)] for _ in range(2)]
    try:
        for func, own in zip((desc, impl), arrays):
            interpret(as_module(func.with_attrs(global_symbol="main")))["main"](*own)
    except UnityLabError as e:
        if isinstance(e, RuntimeCallError) and not isinstance(e, BoundsError):
            return False
        raise ScheduleError(f"the intrinsic does not run: {e}", span=impl.span) from None
    for p, a, b in zip(desc.params, *arrays):
        rough = 1e-2 if p.dtype.bits <= 16 else 1e-5
        if not np.allclose(a.astype("float64"), b.astype("float64"), rtol=rough, atol=rough):
            raise ScheduleError(f"desc and impl compute different values of {p.name}",
                                span=impl.span)
    return True


def _values(p: Buffer, seed: int) -> np.ndarray:
    rng, shape = np.random.default_rng(seed), [as_int(s) for s in p.shape]
    if p.dtype.kind in ("int", "uint", "bool"):
        low = -100 if p.dtype.kind == "int" else 0
        high = 2 if p.dtype.kind == "bool" else 100
        return rng.integers(low, high, shape).astype(p.dtype.numpy)
    return rng.uniform(-1, 1, shape).astype(p.dtype.numpy)

