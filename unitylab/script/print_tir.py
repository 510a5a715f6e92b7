"""Prints tensor programs. The printer is built up in layers: names and buffers
(`print_tir_buffers.py`), statements, loops and blocks, and here whole functions."""

from __future__ import annotations

from ..ir import prim, tir
from ..ir.node import FrozenDict
from .print_tir_blocks import BlockPrinter
from .print_tir_buffers import collect_vars


class TirPrinter(BlockPrinter):
    """`PrimFunc`s."""

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

    def static(self, b: tir.Buffer) -> bool:
        return not collect_vars(b.shape)

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


def _holds_block(n: tir.Stmt) -> bool:
    """Whether a block stands somewhere in a statement."""
    pending = [n]
    while pending:
        n = pending.pop()
        if isinstance(n, tir.BlockRealize):
            return True
        pending += [c for c in n.children() if isinstance(c, tir.Stmt)]
    return False
