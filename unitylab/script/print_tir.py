"""Printing tensor programs."""

from __future__ import annotations

from collections import Counter

from ..ir import prim, tir
from ..ir.node import FrozenDict
from ..ir.structural import structural_equal
from ..ir.visitor import collect
from .dialect import SCALAR_CELL
from .intrinsics import FIRST, LAST, SPELLINGS
from .print_prim import PrimPrinter, quoted

_LETTER = {tir.SPATIAL: "S", tir.REDUCE: "R"}
_AXIS = {tir.SPATIAL: "spatial", tir.REDUCE: "reduce", tir.OPAQUE: "opaque", tir.SCAN: "scan",
         tir.ORDERED: "opaque"}
_LOOP = {tir.SERIAL: "T.serial", tir.PARALLEL: "T.parallel", tir.VECTORIZED: "T.vectorized",
         tir.UNROLLED: "T.unroll"}


class TirPrinter(PrimPrinter):
    """Statements, blocks and `PrimFunc`s."""

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

    # --- functions --------------------------------------------------------------------------

    def prim_func(self, func: tir.PrimFunc, name: str) -> None:
        """What a function uses without a definition is declared at its top: this is known only
        when all of it was printed, so such a function is printed again."""
        lines, spans = len(self.out.lines), len(self.out.spans)
        declared: list[prim.Var | tir.Buffer] = []
        self.free = []
        self.one_prim_func(func, name, declared)
        if self.free:
            declared = self.free
            del self.out.lines[lines:], self.out.spans[spans:]
            self.one_prim_func(func, name, declared)

    def one_prim_func(self, func: tir.PrimFunc, name: str, declared: list) -> None:
        self.names, self.taken, self.loops = {}, {"T", "I", "R", name}, {}
        attrs = dict(func.attrs)
        private = "global_symbol" not in attrs
        if attrs.get("global_symbol") == name:
            del attrs["global_symbol"]
        options = ["private=True"] if private else []
        if self.dialect.modern and attrs.pop("s_tir", True) is not False:
            options += ["s_tir=True"]
        with self.out.span(func):
            self.out.line("@T.prim_func" + (f"({', '.join(options)})" if options else ""))
            params, matched = self.signature(func)
            ret = f" -> T.{func.ret_type}" if func.ret_type != "void" else ""
            with self.out.block(f"def {name}({', '.join(params)}){ret}:"):
                self.symbols(func)
                self.undefined(declared)
                if attrs:
                    self.out.line(f"T.func_attr({self.attrs(attrs)})")
                for b in matched:
                    self.match_buffer(b)
                self.in_body = True
                self.body(func)
                self.in_body = False

    def attrs(self, attrs: dict) -> str:
        rename = (lambda k: k.replace("tir.", "tirx.")) if self.dialect.modern else (lambda k: k)
        return "{" + ", ".join(f'"{rename(k)}": {self.attr(k, v)}' for k, v in
                               sorted(attrs.items())) + "}"

    def attr(self, key: str, v) -> str:
        """The value of an attribute of a function."""
        is_target = key == "target" and isinstance(v, FrozenDict) and "kind" in v
        return f"T.target({self.value(v)})" if is_target else self.value(v)

    def signature(self, func) -> tuple[list[str], list[tuple[tir.Buffer, str]]]:
        """The parameters' text, and the buffers that need a match_buffer."""
        params, matched = [], []
        defined: set[int] = set()
        for p in func.params:
            if isinstance(p, prim.Var):
                defined.add(id(p))
                params.append(f"{self.name_of(p)}: {self.scalar_type(p)}")
            elif self.plain(p) and (self.dialect.modern or self.static(p)):
                text = self.buffer_type(p, defined)
                params.append(f"{self.define(p)}: {text}")
            else:
                handle = f"var_{p.name}"
                while handle in self.taken:
                    handle += "_"
                self.taken.add(handle)
                params.append(f"{handle}: T.handle")
                matched.append((p, handle))
        for p, _ in matched:
            self.define(p)
        return params, matched

    def scalar_type(self, v: prim.Var) -> str:
        if v.pointer is not None:
            return f'T.handle("{v.pointer.dtype}", "{v.pointer.scope}")'
        return f"T.{v.dtype}"

    def static(self, b: tir.Buffer) -> bool:
        return not collect_vars(b.shape)

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

    def name_of(self, n) -> str:
        name = self.names.get(id(n))
        if name is None:
            if self.in_body:
                self.free.append(n)
            name = self.define(n)
        return name

    def declare(self, variables: list[prim.Var]) -> None:
        if variables:
            names = ", ".join(self.names.get(id(v)) or self.define(v) for v in variables)
            types = ", ".join(f"T.{v.dtype}()" for v in variables)
            self.out.line(f"{names} = {types}")

    def match_buffer(self, pair: tuple[tir.Buffer, str]) -> None:
        b, handle = pair
        self.out.line(f"{self.name_of(b)} = T.match_buffer({handle}, {self.buffer_fields(b)})")

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

    def body(self, func: tir.PrimFunc) -> None:
        self.func, self.owners, self.threads = func, None, None
        root = func.root
        trivial = root is not None and root.name == "root" \
            and (root.alloc_buffers or _holds_block(root.body)) and not (
            root.reads or root.writes or root.annotations or root.init or root.match_buffers) \
            and prim.is_const(func.body.predicate, 1)
        if trivial and isinstance(root.body, tir.BlockRealize) and not root.body.iter_values \
                and not root.alloc_buffers:
            trivial = False  # the inner block would be taken for the root
        if trivial:
            self.out.line(f'# with {self.dialect.block}("root"):')
            with self.out.span(func.body), self.out.span(root):
                self.alloc_buffers(root)
                self.visit(root.body)
        else:
            self.visit(func.body)

    def visit_Var(self, n: prim.Var) -> str:
        return self.name_of(n) if n.pointer is None else self.pointer(n)

    # --- statements -------------------------------------------------------------------------

    def stmt(self, n: tir.Stmt, text: str) -> None:
        out = self.out
        out.lines.append(out.indent + text)
        out.mark(n, len(out.lines) - 1)

    def visit_SeqStmt(self, n: tir.SeqStmt) -> None:
        before = None
        for s in n.stmts:
            if before is not None and self.dialect.modern and isinstance(s, tir.DeclBuffer) \
                    and s.buffer.data is before.var:
                self.declared_at(before, s)
                before = None
                continue
            if before is not None:
                self.visit(before)
            before = s if self.own_address(s) else None
            if before is None:
                self.visit(s)
        if before is not None:
            self.visit(before)

    def own_address(self, s: tir.Stmt) -> bool:
        """Whether an address may be left unnamed: the dtype of its call says nothing of it."""
        if not isinstance(s, tir.Bind) or s.var.pointer is None \
                or not isinstance(s.value, prim.Call):
            return False
        spelling = SPELLINGS.get(s.value.op) if isinstance(s.value.op, str) else None
        return spelling is None or spelling.result not in (FIRST, LAST)

    def declared_at(self, address: tir.Bind, n: tir.DeclBuffer) -> None:
        """A buffer at an address that it names itself: `B = T.decl_buffer(..., data=call)`."""
        value = self.expr(address.value)
        name = self.define(n.buffer)
        self.names[id(address.var)] = f"{name}.data"
        with self.out.span(address):
            fields = self.buffer_fields(n.buffer, data=value)
            self.stmt(n, f"{name} = T.decl_buffer({fields})")

    def visit_BufferStore(self, n: tir.BufferStore) -> None:
        value = self.expr(n.value)
        if n.predicate is not None:
            self.stmt(n, f"{self.name_of(n.buffer)}.vstore([{self.exprs(n.indices)}], {value}, "
                         f"predicate={self.expr(n.predicate)})")
        else:
            self.stmt(n, f"{self.access(n.buffer, n.indices)} = {value}")

    def visit_Bind(self, n: tir.Bind) -> None:
        value = self.expr(n.value)
        kind = self.scalar_type(n.var)
        if self.dialect.modern and n.var.pointer is not None and isinstance(n.value, prim.Call):
            value = value.replace('"handle"', f"{kind}.ty")  # the result's type, with its element
        self.stmt(n, f"{self.define(n.var)}: T.let[{kind}] = {value}" if self.dialect.modern
                  else f"{self.define(n.var)}: {kind} = {value}")

    def visit_Evaluate(self, n: tir.Evaluate) -> None:
        text = self.expr(n.value)
        call = isinstance(n.value, prim.Call)
        if call and n.value.op == "ret":
            self.stmt(n, f"return {self.expr(n.value.args[0])}")
        else:
            self.stmt(n, text if call else f"T.evaluate({text})")

    def visit_AssertStmt(self, n: tir.AssertStmt) -> None:
        message = self.expr(n.message)
        if self.dialect.modern or n.error_kind != "RuntimeError":
            message = f'("{n.error_kind}", [{message}])'
        self.stmt(n, f"assert {self.expr(n.condition)}, {message}")

    def visit_AllocBuffer(self, n: tir.AllocBuffer) -> None:
        if self.dialect.modern and n.annotations.get(SCALAR_CELL) and _is_cell(n.buffer):
            self.cells.add(id(n.buffer))
            self.stmt(n, f"{self.define(n.buffer)}: T.{n.buffer.dtype}")
            return
        self.define(n.buffer)
        notes = f", annotations={self.value(n.annotations)}" if n.annotations else ""
        word = "T.alloc_buffer" if self.dialect.modern else "T.decl_buffer"
        self.stmt(n, f"{self.name_of(n.buffer)} = {word}({self.buffer_fields(n.buffer)}{notes})")

    def access(self, buffer: tir.Buffer, indices) -> str:
        if id(buffer) in self.cells:
            return self.name_of(buffer)
        return super().access(buffer, indices)

    def visit_BufferRegion(self, n: tir.BufferRegion) -> str:
        cell = id(n.buffer) in self.cells
        return self.name_of(n.buffer) if cell else super().visit_BufferRegion(n)

    def visit_DeclBuffer(self, n: tir.DeclBuffer) -> None:
        fields = self.buffer_fields(n.buffer, data=self.pointer(n.buffer.data))
        self.define(n.buffer)
        self.stmt(n, f"{self.name_of(n.buffer)} = T.decl_buffer({fields})")

    def visit_AttrStmt(self, n: tir.AttrStmt) -> None:
        if self.launches(n):
            return self.launch(n)
        value = self.expr(n.value)
        text = f"{quoted(n.key)}, {value}"
        if n.node is not None:
            text = f"{self.expr(n.node)}, {text}"
        else:
            text = f"{{{quoted(n.key)}: {value}}}" if self.dialect.modern else f"None, {text}"
        with self.out.span(n), self.out.block(f"with T.attr({text}):"):
            self.visit(n.body)

    def launches(self, n: tir.AttrStmt) -> bool:
        """Whether it is what `T.launch_thread` makes, with a variable of its own."""
        it = n.node
        if not isinstance(it, tir.IterVar) or it.dom is None or self.func is None:
            return False
        if self.threads is None:
            nodes = [a.node for a in collect(self.func, tir.AttrStmt)]
            self.threads = Counter(id(i.var) for i in nodes if isinstance(i, tir.IterVar))
        key = "virtual_thread" if it.thread_tag == "vthread" else "thread_extent"
        return self.threads[id(it.var)] == 1 and not self.known(it.var) and n.key == key \
            and it.kind == "thread" and prim.is_const(it.dom.min, 0) \
            and it.var.dtype == n.value.dtype and structural_equal(it.dom.extent, n.value)

    def launch(self, n: tir.AttrStmt) -> None:
        extent = self.expr(n.value)
        with self.out.span(n), self.scope():
            name = self.define(n.node.var)
            with self.out.block(f"with T.launch_thread({quoted(n.node.thread_tag)}, {extent}) "
                                f"as {name}:"):
                self.visit(n.body)

    def visit_While(self, n: tir.While) -> None:
        with self.out.span(n), self.out.block(f"while {self.expr(n.condition)}:"):
            self.visit(n.body)

    def visit_IfThenElse(self, n: tir.IfThenElse) -> None:
        with self.out.span(n):
            with self.out.block(f"if {self.expr(n.condition)}:"):
                self.visit(n.then_case)
            if n.else_case is not None:
                with self.out.block("else:"):
                    self.visit(n.else_case)

    # --- loops ------------------------------------------------------------------------------

    def visit_For(self, n: tir.For) -> None:
        nest = [n]
        while _simple(n) and isinstance(nest[-1].body, tir.For) and _simple(nest[-1].body) \
                and not (set(collect_vars((nest[-1].body.extent,))) & {f.loop_var for f in nest}):
            nest.append(nest[-1].body)
        start = len(self.out.lines)
        with self.scope():
            head = self.grid(nest) if len(nest) > 1 else self.loop_head(n)
            for f in nest:
                self.loops[id(f.loop_var)] = f
            with self.out.block(head):
                self.visit(nest[-1].body)
        for f in nest:
            self.out.mark(f, start)

    def grid(self, nest: list[tir.For]) -> str:
        extents = self.exprs([f.extent for f in nest])
        self.grids |= {id(f.loop_var) for f in nest}
        return f"for {', '.join(self.define(f.loop_var) for f in nest)} in T.grid({extents}):"

    def loop_head(self, n: tir.For) -> str:
        bounds = [] if prim.is_const(n.min, 0) else [self.expr(n.min)]
        bounds.append(self.expr(prim.add(n.min, n.extent)))
        if n.step is not None:
            bounds = [self.expr(n.min), bounds[-1], f"step={self.expr(n.step)}"]
        if n.kind == tir.THREAD_BINDING:
            bounds.append(f'thread="{n.thread_binding.thread_tag}"')
        if n.annotations:
            bounds.append(f"annotations={self.value(n.annotations)}")
        plain = n.kind == tir.SERIAL and not n.annotations and n.step is None
        word = "range" if plain else _LOOP.get(n.kind, "T.thread_binding")
        return f"for {self.define(n.loop_var)} in {word}({', '.join(bounds)}):"

    # --- blocks -----------------------------------------------------------------------------

    def visit_BlockRealize(self, n: tir.BlockRealize) -> None:
        b = n.block
        with self.out.span(n), self.out.span(b), self.scope(), \
                self.out.block(f'with {self.dialect.block}("{b.name}"):'):
            self.axes(b.iter_vars, n.iter_values)
            if not prim.is_const(n.predicate, 1):
                self.out.line(f"T.where({self.expr(n.predicate)})")
            self.out.line(f"T.reads({self.exprs(b.reads)})")
            self.out.line(f"T.writes({self.exprs(b.writes)})")
            if b.annotations:
                self.out.line(f"{self.dialect.block_attr}({self.value(b.annotations)})")
            self.alloc_buffers(b)
            for m in b.match_buffers:
                self.declare([v for v in collect_vars((*m.buffer.shape, *m.buffer.strides,
                                                       m.buffer.elem_offset))
                              if not self.known(v)])
                source = self.expr(m.source)
                self.out.line(f"{self.define(m.buffer)} = T.match_buffer({source}, "
                              f"{self.buffer_fields(m.buffer)})")
            if b.init is not None:
                with self.out.block("with T.init():"):
                    self.visit(b.init)
            self.visit(b.body)

    def visit_Block(self, n: tir.Block) -> None:
        self.visit_BlockRealize(tir.BlockRealize(tuple(v.var for v in n.iter_vars),
                                                 prim.literal(True), n))

    def alloc_buffers(self, b: tir.Block) -> None:
        for buffer in b.alloc_buffers:
            self.stmt(buffer, f"{self.define(buffer)} = {self.dialect.alloc_block_buffer}"
                              f"({self.buffer_fields(buffer)})")

    def axes(self, iter_vars, values) -> None:
        """The block variables: loop variables remapped together, others one a line."""
        pending: list[tuple[tir.IterVar, prim.PrimExpr]] = []
        for it, value in zip(iter_vars, values):
            if self.remaps(it, value):
                pending.append((it, value))
                continue
            self.remap(pending)
            pending = []
            text = self.expr(value)
            dom = self.visit_Range(it.dom)
            self.out.line(f"{self.define(it.var)} = T.axis.{_AXIS[it.kind]}({dom}, {text})")
        self.remap(pending)

    def remaps(self, it: tir.IterVar, value) -> bool:
        loop = self.loops.get(id(value))
        if loop is not None and self.dialect.modern and id(value) not in self.grids \
                and it.var.dtype != "int32":
            return False  # the domain that TVM remaps from `range` starts at an int32 zero
        return loop is not None and it.kind in _LETTER and it.var.dtype == value.dtype \
            and _same(it.dom.min, loop.min) and _same(it.dom.extent, loop.extent)

    def remap(self, pending) -> None:
        if not pending:
            return
        kinds = "".join(_LETTER[it.kind] for it, _ in pending)
        values = self.exprs([v for _, v in pending])
        names = ", ".join(self.define(it.var) for it, _ in pending)
        self.out.line(f'{names} = T.axis.remap("{kinds}", [{values}])')


def _same(a: prim.PrimExpr, b: prim.PrimExpr) -> bool:
    """Whether two bounds are equal; most are the same node or integers."""
    if type(a) is prim.IntImm and type(b) is prim.IntImm:
        return a.value == b.value and a.dtype == b.dtype
    return a is b or structural_equal(a, b)


def _is_cell(b: tir.Buffer) -> bool:
    return [prim.as_int(s) for s in b.shape] == [1] and b.scope == "local" and not b.strides


def _starts_at_zero(b: tir.Buffer) -> bool:
    """Whether the offset is what a buffer has when nothing is said of it."""
    return prim.is_const(b.elem_offset, 0) and \
        b.elem_offset.dtype == (b.shape[0].dtype if b.shape else "int32")


def _holds_block(n: tir.Stmt) -> bool:
    """Whether a block stands somewhere in a statement."""
    pending = [n]
    while pending:
        n = pending.pop()
        if isinstance(n, tir.BlockRealize):
            return True
        pending += [c for c in n.children() if isinstance(c, tir.Stmt)]
    return False


def _simple(n: tir.For) -> bool:
    return n.kind == tir.SERIAL and not n.annotations and n.step is None \
        and prim.is_const(n.min, 0) and n.thread_binding is None


def collect_vars(exprs) -> list[prim.Var]:
    """The variables in some expressions, in order."""
    found: dict[prim.Var, None] = {}
    for e in exprs:
        if type(e) is prim.Var:
            found[e] = None
        elif type(e) is not prim.IntImm:
            found |= dict.fromkeys(collect(e, prim.Var))
    return list(found)
