"""Prints the names and the buffers of tensor programs."""

from __future__ import annotations

from collections import Counter

from ..ir import prim, tir
from ..ir.visitor import collect
from .print_prim import PrimPrinter


class BufferPrinter(PrimPrinter):
    """Names, types and declarations."""

    def __init__(self, dialect):
        super().__init__(dialect)
        self.loops: dict[int, tir.For] = {}
        self.grids: set[int] = set()  # loop variables that T.grid defines
        self.in_body = False
        self.free: list[prim.Var | tir.Buffer] = []  # used in the function, defined nowhere
        self.func: tir.PrimFunc | None = None
        self.owners: dict[int, tir.Buffer] | None = None
        self.cells: set[int] = set()
        self.threads: Counter[int] | None = None  # how often each thread variable is launched

    def name_of(self, n) -> str:
        name = self.names.get(id(n))
        if name is None:
            if self.in_body:
                self.free.append(n)
            name = self.define(n)
        return name

    # --- types ------------------------------------------------------------------------------

    def scalar_type(self, v: prim.Var) -> str:
        if v.pointer is not None:
            return f'T.handle("{v.pointer.dtype}", "{v.pointer.scope}")'
        return f"T.{v.dtype}"

    def plain(self, b: tir.Buffer) -> bool:
        """Whether `T.Buffer(shape, dtype)` says all there is to say."""
        return not b.strides and _starts_at_zero(b) and b.scope == "global" \
            and b.data_alignment == 64 and b.offset_factor == 1 and not b.axis_separators

    def buffer_type(self, b: tir.Buffer, defined: set[int]) -> str:
        parts = []
        for e in b.shape:
            new = [v for v in collect_vars((e,)) if id(v) not in defined]
            parts.append(f'"{self.expr(e)}"' if new else self.expr(e))
            defined |= {id(v) for v in new}
        shape = f"({parts[0]},)" if len(parts) == 1 else f"({', '.join(parts)})"
        return f'T.Buffer({shape}, "{b.dtype}")'

    def buffer_fields(self, b: tir.Buffer, data: str = "") -> str:
        """Shape, dtype and what differs from the defaults."""
        fields = [self.shape(b.shape)]
        if b.dtype != "float32":
            fields.append(f'"{b.dtype}"')
        if data:
            fields.append(f"data={data}")
        if b.strides:
            fields.append(f"strides={self.shape(b.strides)}")
        if not _starts_at_zero(b):
            fields.append(f"elem_offset={self.expr(b.elem_offset)}")
        if b.scope != "global":
            fields.append(f'scope="{b.scope}"')
        if b.data_alignment != 64:
            fields.append(f"align={b.data_alignment}")
        if b.offset_factor != 1:
            fields.append(f"offset_factor={b.offset_factor}")
        if b.axis_separators:
            fields.append(f"axis_separators={list(b.axis_separators)}")
        return ", ".join(fields)

    # --- declarations -----------------------------------------------------------------------

    def declare(self, variables: list[prim.Var]) -> None:
        if variables:
            names = ", ".join(self.names.get(id(v)) or self.define(v) for v in variables)
            types = ", ".join(f"T.{v.dtype}()" for v in variables)
            self.out.line(f"{names} = {types}")

    def symbols(self, func: tir.PrimFunc) -> None:
        """Declares the symbolic sizes: `n, m = T.int64(), T.int64()`."""
        params = {id(p) for p in func.params}
        found: dict[prim.Var, None] = {}
        for b in func.buffers:
            for v in collect_vars((*b.shape, *b.strides, b.elem_offset)):
                if id(v) not in params:
                    found[v] = None
        self.declare(list(found))

    def undefined(self, declared: list[prim.Var | tir.Buffer]) -> None:
        """Names for what is defined nowhere; the verifier complains of it, the printer shows it."""
        for n in declared:
            if not isinstance(n, prim.Var) or self.known(n):
                continue
            if n.pointer is not None:
                kind = f'T.handle("{n.pointer.dtype}", "{n.pointer.scope}")'
            else:
                kind = f"T.{n.dtype}()"
            self.out.line(f"{self.define(n)} = {kind}")
        for n in declared:
            if isinstance(n, tir.Buffer) and not self.known(n):
                fields = self.buffer_fields(n)
                self.out.line(f"{self.define(n)} = T.Buffer({fields})")

    def match_buffer(self, pair: tuple[tir.Buffer, str]) -> None:
        b, handle = pair
        self.out.line(f"{self.name_of(b)} = T.match_buffer({handle}, {self.buffer_fields(b)})")

    def pointer(self, v: prim.Var) -> str:
        """A pointer: by its own name, or as the data of the buffer that was defined with it."""
        if id(v) in self.names:
            return self.names[id(v)]
        if self.owners is None:
            self.owners = {}
            at_address = {id(d.buffer) for d in collect(self.func, tir.DeclBuffer)} \
                if self.func is not None else ()
            for b in collect(self.func, tir.Buffer) if self.func is not None else ():
                if id(b) not in at_address:
                    self.owners.setdefault(id(b.data), b)
        owner = self.owners.get(id(v))
        return f"{self.name_of(owner)}.data" if owner is not None else self.name_of(v)


def collect_vars(exprs) -> list[prim.Var]:
    """The variables in some expressions, in order."""
    found: dict[prim.Var, None] = {}
    for e in exprs:
        if type(e) is prim.Var:
            found[e] = None
        elif type(e) is not prim.IntImm:
            found |= dict.fromkeys(collect(e, prim.Var))
    return list(found)


def _starts_at_zero(b: tir.Buffer) -> bool:
    """Whether the offset is what a buffer has when nothing is said of it."""
    return prim.is_const(b.elem_offset, 0) and \
        b.elem_offset.dtype == (b.shape[0].dtype if b.shape else "int32")
