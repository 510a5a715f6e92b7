"""Debug locations: which line of the printed program an instruction comes from."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from llvmlite import ir

from ...ir.node import Node


class Lines:
    """Marks the instructions of one LLVM module with the lines of the statements' spans.

    A unit that nobody wants to look into has none: then nothing is marked and nothing is slower."""

    def __init__(self, module: ir.Module):
        self.module, self.line = module, 0
        self.file = module.add_debug_info("DIFile", {"filename": "script", "directory": ""})
        self.unit = module.add_debug_info("DICompileUnit", {
            "language": ir.DIToken("DW_LANG_C"), "file": self.file, "producer": "unitylab",
            "isOptimized": True, "runtimeVersion": 0,
            "emissionKind": ir.DIToken("DebugDirectivesOnly")}, is_distinct=True)
        kind = module.add_debug_info("DISubroutineType", {"types": module.add_metadata([None])})
        self.kind = kind
        flag = [ir.Constant(ir.IntType(32), 2), "Debug Info Version",
                ir.Constant(ir.IntType(32), 3)]
        module.add_named_metadata("llvm.module.flags", flag)
        module.add_named_metadata("llvm.dbg.cu", self.unit)
        self._scopes: dict[ir.Function, ir.DIValue] = {}

    def enter(self, function: ir.Function, builder: ir.IRBuilder) -> None:
        """What is emitted from here on belongs to `function`, at the line where we are."""
        if function not in self._scopes:
            self._scopes[function] = self.module.add_debug_info("DISubprogram", {
                "name": function.name, "file": self.file, "line": self.line, "type": self.kind,
                "isLocal": True, "isDefinition": True, "unit": self.unit}, is_distinct=True)
            function.set_metadata("dbg", self._scopes[function])
        self._mark(function, builder)

    @contextmanager
    def of(self, n: Node, function: ir.Function, builder: ir.IRBuilder) -> Iterator[None]:
        """What is emitted inside belongs to statement `n`, or to what is around it if `n` was
        made on the way and has no place."""
        outer = self.line
        if n.span is not None:
            self.line = n.span.line
        self._mark(function, builder)
        yield
        self.line = outer
        self._mark(function, builder)

    def _mark(self, function: ir.Function, builder: ir.IRBuilder) -> None:
        builder.debug_metadata = self.module.add_debug_info("DILocation", {
            "line": self.line, "column": 1, "scope": self._scopes[function]})
