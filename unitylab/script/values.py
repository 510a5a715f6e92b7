"""What expressions of script may stand for besides nodes: functions that script may call, a
reference to the module, regions of buffers, constants beside the text."""

from __future__ import annotations

from ..ir import prim, relax, tir
from ..ir.node import Node
from ..ir.structural import structural_equal
from . import ir as I  # noqa: E741 - the namespace's name
from . import relax as R
from . import tir as T


class ModuleRef:
    """`cls` or the name of the class: its functions are GlobalVars."""

    def __init__(self, functions):
        self.functions = functions
        self.externs: dict[str, relax.ExternFunc] = {}  # library functions that it names
        self.made: dict[str, tir.PrimFunc] = {}  # tensor programs that R.emit_te added


class Builder:
    """A function of ours that script may call (from a namespace)."""

    def __init__(self, name: str, call):
        self.name, self.call = name, call


class Region:
    """`A[0:4, i]`: a region in `T.reads`, a vector load elsewhere."""

    def __init__(self, buffer: tir.Buffer, parts, span):
        self.buffer, self.parts, self.span = buffer, parts, span

    def region(self) -> tir.BufferRegion:
        return tir.BufferRegion(self.buffer, tuple(r for r, _ in self.parts), span=self.span)

    def indices(self) -> tuple:
        return tuple(r.min if prim.is_const(r.extent, 1) and s is None else
                     prim.Ramp(r.min, prim.literal(1 if s is None else s, r.min.dtype),
                               _lanes(r.extent, 1 if s is None else s)) for r, s in self.parts)

    def value(self) -> tir.BufferLoad:
        return tir.BufferLoad(self.buffer, self.indices(), span=self.span)


def _lanes(extent, step):
    """How many steps fit into an extent, which is an expression for scalable vectors."""
    length, step = prim.as_int(extent), prim.as_int(step)
    if length is not None:
        return -(-length // step)
    if step == 1:
        return extent
    scaled = isinstance(extent, prim.Mul) and prim.is_const(extent.b, step)
    return extent.a if scaled else prim.floordiv(extent, step)


def extent_between(low, high):
    """high - low, seeing through `low + n`."""
    if isinstance(high, prim.Add) and high.a is low:
        return high.b
    if isinstance(high, prim.Add):
        if structural_equal(high.a, low):
            return high.b
        if isinstance(low, prim.Add) and isinstance(high, prim.Add) and \
                structural_equal(low.a, high.a):
            return prim.sub(high.b, low.b)
    return prim.sub(high, low)


class Metadata:
    """`metadata["relax.expr.Constant"]["key"]`: constants that travel beside the text."""


def kind_of(value) -> str:
    if isinstance(value, Builder):
        return f"the function {value.name}"
    if isinstance(value, Node):
        return {"Var": "a variable", "Buffer": "a buffer"}.get(
            type(value).__name__, f"a {type(value).__name__}")
    return f"a Python {type(value).__name__}" if value is not None else "None"


ROOTS = {"T": T, "R": R, "I": I}
BUILTINS = {"metadata": Metadata(), "range": Builder("range", None), "float": Builder("float",
             float), "int": Builder("int", int), "True": True, "False": False,
             "min": Builder("min", min), "max": Builder("max", max), "len": Builder("len", len)}
