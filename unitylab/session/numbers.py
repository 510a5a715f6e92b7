"""What a module costs, counted from the program: calls, operations, bytes, memory over time."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from weakref import WeakKeyDictionary

from ..arith.evaluate import evaluate
from ..exec.work import work_of
from ..ir import prim, relax, tir
from ..ir.errors import UnityLabError
from ..ir.module import IRModule
from ..ir.node import Node
from ..ir.op import Op
from ..ir.struct_info import ShapeStructInfo, StructInfo, TensorStructInfo, TupleStructInfo
from ..ir.tir import PrimFunc
from ..transforms import LegalizeOps

Sizes = dict[prim.Var, int]


@dataclass(frozen=True)
class Work:
    """Of one binding: floating-point operations; bytes of its inputs and results."""

    flops: float = 0.0
    bytes: float = 0.0


@dataclass
class Numbers:
    """Of a module at given sizes. `work` is by the bound variable's name, `memory` lists for each
    binding of the entry function its name, the bytes alive and the names of what is alive."""

    functions: int = 0
    calls: int = 0
    flops: float = 0.0
    bytes: float = 0.0
    peak: float = 0.0
    work: dict[str, Work] = field(default_factory=dict)
    memory: list[tuple[str, float, tuple[str, ...]]] = field(default_factory=list)


def bind_sizes(func: tir.BaseFunc, args: list) -> Sizes:
    """The symbolic sizes of a function's parameters, from the shapes of its arguments."""
    found: Sizes = {}
    for p, a in zip(func.params, args):
        dims = p.shape if isinstance(p, tir.Buffer) else getattr(relax.info_of(p), "dims", None) \
            if isinstance(p, relax.Var) else None
        if isinstance(p, prim.Var) and isinstance(a, int):
            found[p] = a
        info = relax.info_of(p) if isinstance(p, relax.Var) else None
        if isinstance(info, ShapeStructInfo):
            dims = info.values
        shape = getattr(a, "shape", a if isinstance(a, tuple) else ())
        for d, n in zip(dims or (), shape):
            if isinstance(d, prim.Var):
                found.setdefault(d, int(n))
    return found


def count(mod: IRModule, entry: str | None, args: list) -> Numbers:
    """The numbers of a call `entry(*args)`; operators count as the programs that they become."""
    numbers = Numbers(functions=len(mod))
    if entry is None or entry not in mod:
        return numbers
    try:
        whole = LegalizeOps()(mod)
    except UnityLabError:
        whole = mod
    func, sizes = whole[entry], bind_sizes(whole[entry], args)
    if isinstance(func, PrimFunc):
        work = Work(program_flops(func, sizes), sum(_buffer_bytes(b, sizes) for b in func.buffers))
        numbers.work[entry], numbers.calls = work, 1
    else:
        _Counter(whole, numbers).function(func, sizes)
    numbers.flops = sum(w.flops for w in numbers.work.values())
    numbers.bytes = sum(w.bytes for w in numbers.work.values())
    numbers.peak = max((m[1] for m in numbers.memory), default=numbers.bytes)
    return numbers


class _Counter:
    def __init__(self, mod: IRModule, numbers: Numbers):
        self.mod, self.numbers = mod, numbers

    def function(self, func: relax.Function, sizes: Sizes) -> None:
        bindings = func.body.bindings
        last = _last_uses(func)
        alive = {p: _size(p.struct_info, sizes) for p in func.params}
        for k, b in enumerate(bindings):
            work = self.value(b.value, sizes)
            self.numbers.work[b.var.name] = work
            self.numbers.calls += isinstance(b.value, relax.Call)
            alias = isinstance(b.value, (relax.Var, relax.Tuple, relax.TupleGetItem))
            alive[b.var] = 0.0 if alias else _size(b.var.struct_info, sizes)
            top = sorted(alive, key=alive.get, reverse=True)[:5]
            self.numbers.memory.append((b.var.name, sum(alive.values()),
                                        tuple(v.name for v in top if alive[v])))
            for v in [v for v in alive if last.get(v, -1) <= k and v not in func.params]:
                del alive[v]

    def value(self, value: Node, sizes: Sizes) -> Work:
        if not isinstance(value, relax.Call):
            return Work()
        moved = sum(_size(relax.info_of(a), sizes) for a in _leaves(value.args))
        moved += _size(value.struct_info, sizes)
        return Work(self.flops(value, sizes), moved)

    def flops(self, call: relax.Call, sizes: Sizes) -> float:
        callee = call.args[0] if isinstance(call.op, Op) and call.args else call.op
        func = self.mod.functions.get(callee.name) if isinstance(callee, prim.GlobalVar) else None
        if func is None:
            return 0.0
        given = call.args[1:] if isinstance(call.op, Op) else call.args
        shapes = [_shape(relax.info_of(a), sizes) for a in _leaves(given)]
        if isinstance(func, PrimFunc):
            outs = [i for s in call.sinfo_args for i in (getattr(s, "fields", None) or (s,))]
            shapes += [_shape(i, sizes) for i in outs]
            tail = [a for a in given if isinstance(a, relax.ShapeExpr)]
            buffers = [p for p in func.params if isinstance(p, tir.Buffer)]
            inner = bind_sizes(func.replace(params=tuple(buffers)), shapes)
            scalars = [p for p in func.params if isinstance(p, prim.Var)]
            values = [_int(v, sizes) for t in tail for v in t.values]
            return program_flops(func, {**inner, **dict(zip(scalars, values))})
        inner = bind_sizes(func, [_shape(relax.info_of(a), sizes) for a in given])
        return sum(self.value(b.value, inner).flops for b in func.body.bindings)


# a program is called from many places, and shared by many steps
_counted: WeakKeyDictionary[PrimFunc, dict[frozenset, float]] = WeakKeyDictionary()


def program_flops(func: PrimFunc, sizes: Sizes) -> float:
    """Arithmetic operations of one run of a tensor program; 0 where the program does not tell."""
    known, key = _counted.setdefault(func, {}), frozenset(sizes.items())
    if key not in known:
        known[key] = float(work_of(func, sizes).flops or 0)
    return known[key]


def _last_uses(func: relax.Function) -> dict[relax.Var, int]:
    """The number of the last binding that uses each variable; aliases count as uses."""
    found: dict[relax.Var, int] = {}
    bindings = func.body.bindings
    alias: dict[relax.Var, list[relax.Var]] = {}
    for k, b in enumerate(bindings):
        for v in _vars(b.value):
            for u in [v, *alias.get(v, ())]:
                found[u] = k
        if isinstance(b.value, (relax.Var, relax.Tuple, relax.TupleGetItem)):
            alias[b.var] = [u for v in _vars(b.value) for u in [v, *alias.get(v, ())]]
    for v in _vars(func.body.body):
        for u in [v, *alias.get(v, ())]:
            found[u] = len(bindings)
    return found


def _vars(e: Node) -> list[relax.Var]:
    return [a for a in _leaves((e.args if isinstance(e, relax.Call) else (e,)))
            if isinstance(a, relax.Var)]


def _leaves(args) -> list[Node]:
    found: list[Node] = []
    for a in args:
        if isinstance(a, relax.Tuple):
            found += _leaves(a.fields)
        elif isinstance(a, relax.TupleGetItem):
            found += _leaves((a.tuple,))
        elif isinstance(a, (relax.Var, relax.Constant)):
            found.append(a)
    return found


def _int(e, sizes: Sizes) -> int | None:
    try:
        return evaluate(e, sizes)
    except (UnityLabError, KeyError, ZeroDivisionError):
        return None


def _shape(info: StructInfo | None, sizes: Sizes) -> tuple[int, ...]:
    dims = getattr(info, "dims", None) or getattr(info, "values", None) or ()
    return tuple(_int(d, sizes) or 1 for d in dims)


def _size(info: StructInfo | None, sizes: Sizes) -> float:
    """Bytes of a value, 0 where they are not known."""
    if isinstance(info, TupleStructInfo):
        return sum(_size(f, sizes) for f in info.fields or ())
    if isinstance(info, TensorStructInfo) and info.dims is not None and info.dtype:
        return math.prod(_shape(info, sizes)) * max(1, info.dtype.bits // 8)
    return 0.0


def _buffer_bytes(b: tir.Buffer, sizes: Sizes) -> float:
    return math.prod(_int(d, sizes) or 1 for d in b.shape) * max(1, b.dtype.bits // 8)
