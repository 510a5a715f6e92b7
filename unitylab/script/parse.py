"""`parse`: text to a module or function. Never executes the text."""

from __future__ import annotations

import ast
import re
import textwrap
from collections.abc import Mapping

from ..ir import relax
from ..ir.errors import ParseError, did_you_mean
from ..ir.module import IRModule
from ..ir.node import EMPTY, FrozenDict
from ..ir.tir import BaseFunc
from .diagnostics import Source, check_words
from .evaluate import Evaluator, parse_error_of_syntax
from .parse_relax import RelaxParser
from .parse_tir import TirParser
from .tir_frame import attr_value
from .values import ModuleRef

LONGEST = 4_000_000  # characters of script text that are read
_OPTIONS = ("private", "pure", "s_tir", "check_well_formed")
_DECORATORS = ("T.prim_func", "R.function", "I.ir_module", "T.macro")
_MODERN = re.compile(r"\bT\.sblock|\bs_tir\s*=|\btirx\b|\bout_ty\s*=")  # today's Apache TVM
_TIRX = re.compile(r"\btirx\b|\bs_tir\s*=")  # its tensor programs, which say if they are s_tir


def parse(text: str, source: str = "<text>", *, constants: Mapping[str, object] | None = None,
          ) -> IRModule | BaseFunc:
    """The module or function that TVMScript text describes, in either spelling.

    Names are resolved by the parser, nothing is executed. `constants` gives arrays for
    `metadata[...]` references that this process does not know. Raises ParseError with the place."""
    if not isinstance(text, str):
        raise ParseError(f"script is text, not {type(text).__name__}")
    return parse_source(Source(textwrap.dedent(text), source), {}, constants)


def parse_source(source: Source, outer: Mapping[str, object],
                 constants: Mapping[str, object] | None = None) -> IRModule | BaseFunc:
    """Like `parse`, with the caller's Python values."""
    tree = syntax(source)
    found = [n for n in tree.body if isinstance(n, (ast.ClassDef, ast.FunctionDef))]
    for n in tree.body:
        if not isinstance(n, (ast.ClassDef, ast.FunctionDef, ast.Import, ast.ImportFrom)) and not (
                isinstance(n, ast.Expr) and isinstance(n.value, ast.Constant)):
            raise source.error(n, "a module (class) or a function is expected here")
    if len(found) != 1:
        why = f"one module or function expected, {len(found)} found"
        hint = "put several functions into an @I.ir_module class"
        if tree.body:
            raise source.error(found[1] if found else tree.body[-1], why, hint)
        raise ParseError(f"{source.name}: {why}", hint=hint)
    modern = _MODERN.search(source.text) is not None
    reader = Reader(source, outer, constants, modern)
    return reader.module(found[0]) if isinstance(found[0], ast.ClassDef) else \
        reader.single(found[0])


def syntax(source: Source) -> ast.Module:
    """The syntax tree of the text. Raises ParseError for what is not Python."""
    if len(source.text) > LONGEST:
        raise ParseError(f"{source.name}: {len(source.text)} characters are more than {LONGEST}")
    try:
        return ast.parse(source.text)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as e:
        raise parse_error_of_syntax(source, e) from None


class Reader:
    """Reads the functions of one text."""

    def __init__(self, source: Source, outer, constants, modern: bool):
        self.source, self.outer, self.constants, self.modern = source, outer, constants, modern
        self.tirx = _TIRX.search(source.text) is not None

    def parser(self, kind: type, **kw):
        return kind(self.source, self.outer, self.constants, self.modern, **kw)

    def decorator(self, n) -> tuple[str, dict]:
        """The name of the decorator (T.prim_func, ...) and its options."""
        evaluator = self.parser(Evaluator)
        if len(n.decorator_list) > 1:
            raise self.source.error(n.decorator_list[1], "one decorator says what a function is")
        for d in n.decorator_list:
            call = d if isinstance(d, ast.Call) else None
            f = call.func if call else d
            name = ast.unparse(f)
            if call:
                check_words(self.source, call, name, _OPTIONS)
            options = {k.arg: evaluator.eval(k.value) for k in call.keywords
                       if k.arg is not None} if call else {}
            if name.rpartition(".")[2] in ("prim_func", "function", "ir_module", "macro",
                                           "pyfunc"):
                return name.rpartition(".")[2], options
        given = next(iter(n.decorator_list), n)
        raise self.source.error(given, f"{n.name!r} has no decorator that says what it is",
                                did_you_mean("" if given is n else ast.unparse(given), _DECORATORS,
                                             "@T.prim_func, @R.function or @I.ir_module"))

    def single(self, n: ast.FunctionDef) -> BaseFunc:
        kind, options = self.decorator(n)
        return self.function(n, kind, options, ModuleRef(None), IRModule())

    def function(self, n: ast.FunctionDef, kind: str, options: dict, ref: ModuleRef,
                 mod: IRModule) -> BaseFunc:
        self.plain_parameters(n)
        private = bool(options.get("private", False))
        if kind == "prim_func":
            parser = self.parser(TirParser, module=ref)
            self.names(parser, ref)
            s_tir = bool(options.get("s_tir", not self.tirx))
            return parser.located(lambda d: parser.parse(d, private, s_tir), n)
        if kind == "function":
            parser = self.parser(RelaxParser, module=ref, mod=mod)
            self.names(parser, ref)
            pure = bool(options.get("pure", True))
            return parser.located(lambda d: parser.parse(d, private, pure), n)
        raise self.source.error(n, f"@{kind} is not part of the language here")

    def plain_parameters(self, n: ast.FunctionDef) -> None:
        a = n.args
        odd = next(filter(None, (a.vararg, a.kwarg, *a.kwonlyargs, *a.defaults)), None)
        if odd is not None:
            raise self.source.error(odd, "parameters are given by position and have no defaults")

    def names(self, parser: Evaluator, ref: ModuleRef) -> None:
        parser.define("cls", ref)
        parser.define(getattr(ref, "name", "Module"), ref)

    def module(self, n: ast.ClassDef) -> IRModule:
        """Tensor programs first, then signatures of graph functions, then their bodies."""
        defs = [s for s in n.body if isinstance(s, ast.FunctionDef)]
        kinds = {d.name: self.decorator(d) for d in defs}
        if len(kinds) != len(defs):
            twice = next(d for i, d in enumerate(defs) if d.name in {e.name for e in defs[:i]})
            raise self.source.error(twice, f"the function {twice.name!r} is defined twice")
        ref = ModuleRef(set(kinds))
        ref.name = n.name
        attrs, infos = self.module_statements(n, ref)
        found: dict[str, BaseFunc] = {}
        for d in sorted(defs, key=lambda d: kinds[d.name][0] != "prim_func"):
            kind, options = kinds[d.name]
            if kind == "function":
                found[d.name] = self.stub(d, ref)
            else:
                found[d.name] = self.function(d, kind, options, ref, IRModule())
        mod = IRModule(FrozenDict(found))
        for d in _callees_first(defs, kinds):
            kind, options = kinds[d.name]
            mod = mod.with_functions({d.name: self.function(d, kind, options, ref, mod)})
        functions = {d.name: mod.functions[d.name] for d in defs} | ref.made
        return IRModule(FrozenDict(functions), attrs, infos,
                        span=self.source.span(n))

    def stub(self, d: ast.FunctionDef, ref: ModuleRef) -> relax.Function:
        """The signature alone, so that others may call it."""
        parser = self.parser(RelaxParser, module=ref)
        self.names(parser, ref)
        params, ret = parser.signature(d)
        return relax.Function(tuple(params), relax.SeqExpr((), relax.Tuple(())), ret)

    def module_statements(self, n: ast.ClassDef, ref: ModuleRef) -> tuple[FrozenDict, FrozenDict]:
        attrs, infos = EMPTY, EMPTY
        evaluator = self.parser(Evaluator)
        for s in n.body:
            if isinstance(s, ast.Expr) and isinstance(s.value, ast.Call):
                name = ast.unparse(s.value.func).rpartition(".")[2]
                if len(s.value.args) != 1 or not isinstance(s.value.args[0], ast.Dict):
                    raise self.source.error(s, f"{name} takes one dictionary",
                                            'I.module_attrs({"key": value})')
                value = attr_value(evaluator.eval(s.value.args[0]))
                if name == "module_attrs":
                    attrs = value
                elif name == "module_global_infos":
                    infos = value
                else:
                    raise self.source.error(s, "no statement of a module")
            elif isinstance(s, ast.Assign) and isinstance(s.targets[0], ast.Name) and isinstance(
                    extern := evaluator.eval(s.value), relax.ExternFunc):
                ref.externs[s.targets[0].id] = extern
            elif not isinstance(s, (ast.FunctionDef, ast.Pass)) and not (
                    isinstance(s, ast.Expr) and isinstance(s.value, ast.Constant)):
                raise self.source.error(s, f"{type(s).__name__} is no statement of a module")
        return attrs, infos


def _callees_first(defs: list[ast.FunctionDef], kinds) -> list[ast.FunctionDef]:
    """Graph functions so that callees without a declared result come before their callers."""
    graph = [d for d in defs if kinds[d.name][0] == "function"]
    by_name = {d.name: d for d in graph}
    order: dict[str, None] = {}

    def visit(d: ast.FunctionDef, above: tuple[str, ...]) -> None:
        if d.name in order or d.name in above:
            return
        for x in ast.walk(d):
            if isinstance(x, ast.Attribute) and x.attr in by_name:
                visit(by_name[x.attr], (*above, d.name))
        order[d.name] = None

    for d in graph:
        visit(d, ())
    return [by_name[name] for name in order]


