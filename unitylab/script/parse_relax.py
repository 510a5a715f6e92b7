"""Parses graph functions. Nested expressions are bound one by one (A-normal form), struct info is
inferred; what is declared is kept."""

from __future__ import annotations

import ast
import copy

from ..ir import prim, relax
from ..ir.binding_builder import Bindings, result_info
from ..ir.infer import infer
from ..ir.module import IRModule
from ..ir.node import FrozenDict
from ..ir.prim import GlobalVar
from ..ir.relax import Expr, as_expr, info_of
from ..ir.struct_info import PrimStructInfo, StructInfo
from ..ir.visitor import collect
from . import relax as R
from . import tir as T
from .emit_te import emit_te
from .evaluate import Evaluator
from .parse_tir import TirParser
from .tir_frame import attr_value
from .values import ModuleRef


class RelaxParser(TirParser):
    """Parses one graph function; sizes are scalar expressions as in tensor programs."""

    def __init__(self, *args, mod: IRModule | None = None, **kw):
        super().__init__(*args, **kw)
        self.builder = Bindings(mod or IRModule())
        self.outputs: set[str] | None = None
        self.pure = True

    # --- functions --------------------------------------------------------------------------

    def signature(self, n: ast.FunctionDef) -> tuple[list[relax.Var], StructInfo | None]:
        """Parameters with struct info, and the declared result."""
        self.declare_symbols(n.body)
        params = []
        for arg in n.args.args:
            if arg.annotation is None:
                raise self.source.error(arg, f"parameter {arg.arg!r} has no struct info",
                                        'x: R.Tensor((4, "n"), "float32")')
            info = self.info(arg.annotation)
            if isinstance(info, PrimStructInfo) and info.value is None:
                known = self.scopes[-1].get(arg.arg)
                value = known if isinstance(known, prim.Var) else prim.Var(arg.arg, info.dtype)
                info = PrimStructInfo(info.dtype, value)
            params.append(relax.Var(arg.arg, info, span=self.source.span(arg)))
            if isinstance(info, PrimStructInfo):
                self.define(arg.arg, params[-1])  # later parameters may have it as a size
        ret = self.info(n.returns) if n.returns is not None else None
        for p in params:
            self.define(p.name, p)
        return params, ret

    def info(self, n: ast.expr) -> StructInfo:
        """A struct info; strings in it are sizes."""
        value = self.eval(_Unquote(self).visit(n))
        try:
            return R.as_info(value)
        except R.ParseError as e:
            raise self.source.located(n, e) from None

    def parse(self, n: ast.FunctionDef, private: bool = False, pure: bool = True,
              nested: bool = False) -> relax.Function:
        """The graph function of a definition."""
        outer = self.builder
        self.builder = Bindings(outer.mod)
        outer_attrs, self.attrs = self.attrs, {}
        outer_outputs, self.outputs = self.outputs, None
        self.scopes.append({})
        params, ret = self.signature(n)
        result = self.body(n.body)
        if result is None:
            raise self.source.error(n, f"{n.name!r} has no result", "end with return value")
        body = self.finish(result)
        attrs = dict(self.attrs)
        if not private and not nested:
            attrs.setdefault("global_symbol", n.name)
        ret = ret if ret is not None or nested else result_info(tuple(params), body)
        ret = ret if ret is not None else info_of(body.body)
        self.scopes.pop()
        self.builder, self.attrs, self.outputs = outer, outer_attrs, outer_outputs
        return relax.Function(tuple(params), body, ret, pure, FrozenDict(attrs),
                              span=self.source.span(n))

    def finish(self, result: Expr) -> relax.SeqExpr:
        self.builder._close()
        value = self.builder.normalize(result)
        if not isinstance(value, (relax.Var, relax.Constant, relax.Tuple, relax.ShapeExpr,
                                  relax.PrimValue, relax.StringImm, GlobalVar)):
            value = self.builder.emit(value)
            self.builder._close()
        return relax.SeqExpr(tuple(self.builder._blocks), value)

    def body(self, stmts: list[ast.stmt]) -> Expr | None:
        """The statements; gives what is returned."""
        for s in stmts:
            if isinstance(s, ast.Return):
                if s.value is None:
                    return relax.Tuple(())
                return self.expression(s.value)
            method = getattr(self, f"graph_{type(s).__name__}", None)
            if method is None:
                raise self.source.error(s, f"{type(s).__name__} is no statement of graph "
                                           "functions")
            self.located(method, s)
        return None

    def expression(self, n: ast.expr) -> Expr:
        value = self.eval(n)
        if isinstance(value, R.MatchCastRequest):
            raise self.source.error(n, "match_cast stands alone: x = R.match_cast(value, info)")
        try:
            return as_expr(value) if not isinstance(value, list) else as_expr(tuple(value))
        except R.StructInfoError as e:
            raise self.source.located(n, e) from None

    # --- statements -------------------------------------------------------------------------

    def graph_Pass(self, n: ast.Pass) -> None:
        pass

    def graph_Assign(self, n: ast.Assign) -> None:
        if len(n.targets) != 1:
            raise self.source.error(n, "one target at a time")
        target = n.targets[0]
        if isinstance(target, ast.Tuple):
            return self.unpack(n, target)
        if not isinstance(target, ast.Name):
            raise self.source.error(target, "a graph binds names")
        return self.bind_name(n, target.id, n.value, None)

    def graph_AnnAssign(self, n: ast.AnnAssign) -> None:
        if not isinstance(n.target, ast.Name) or n.value is None:
            raise self.source.error(n, "a binding needs a name and a value")
        self.bind_name(n, n.target.id, n.value, self.info(n.annotation))

    def unpack(self, n: ast.Assign, target: ast.Tuple) -> None:
        value = self.eval(n.value)
        if isinstance(value, tuple) and len(value) == len(target.elts):
            for t, v in zip(target.elts, value):
                if isinstance(v, prim.Var) and not v.name:
                    self.assign(n, t, v)
                else:
                    self.define(t.id, self.emit_binding(n, t.id, as_expr(v), None))
            return
        whole = self.builder.leaf(self.builder.normalize(as_expr(value)))
        for i, t in enumerate(target.elts):
            item = relax.TupleGetItem(whole, i, span=self.source.span(n))
            self.define(t.id, self.emit_binding(n, t.id, item, None))

    def bind_name(self, n: ast.stmt, name: str, expr: ast.expr, info: StructInfo | None) -> None:
        value = self.eval(expr)
        if isinstance(value, (ModuleRef, R.OpNamespace, T.ScalarType)):
            return self.define(name, value)
        if isinstance(value, prim.Var) and not value.name:  # n = T.int64()
            if not isinstance(self.scopes[-1].get(name), prim.Var):
                known = next((s[name] for s in reversed(self.scopes)
                              if isinstance(s.get(name), prim.Var)), None)
                self.define(name, known or value.replace(name=name))
            return None
        if isinstance(value, R.MatchCastRequest):
            return self.match_cast(n, name, value, info)
        if isinstance(value, list):
            value = tuple(value)
        try:
            value = as_expr(value)
        except R.StructInfoError as e:
            raise self.source.located(n, e) from None
        return self.define(name, self.emit_binding(n, name, value, info))

    def emit_binding(self, n: ast.stmt, name: str, value: Expr, info: StructInfo | None):
        try:
            value = self.builder.normalize(value)
            if info is None:
                info = infer(value, self.builder.mod)
        except R.StructInfoError as e:
            raise self.source.located(n, e) from None
        var = self.variable(name, info, n)
        self.builder._names.add(name)
        self.builder._open.append(relax.VarBinding(var, value, span=self.source.span(n)))
        return var

    def variable(self, name: str, info: StructInfo, n: ast.stmt) -> relax.Var:
        inside = self.outputs is not None and name not in self.outputs
        kind = relax.DataflowVar if inside else relax.Var
        return kind(name, info, span=self.source.span(n))

    def match_cast(self, n: ast.stmt, name: str, request: R.MatchCastRequest, info) -> None:
        value = self.builder.leaf(self.builder.normalize(request.value))
        var = self.variable(name, request.info, n)
        self.builder._open.append(relax.MatchCast(var, value, request.info,
                                                  span=self.source.span(n)))
        self.define(name, var)

    def graph_Expr(self, n: ast.Expr) -> None:
        if isinstance(n.value, ast.Constant):
            return
        if isinstance(n.value, ast.Call):
            name = self.directive(n.value)
            if name == "R.func_attr":
                self.attrs |= {str(k).replace("tirx.", "tir."): attr_value(v)
                               for k, v in self.eval(n.value.args[0]).items()}
                return
            if name == "R.output":
                for a in n.value.args:
                    self.eval(a)  # only names that are defined leave the block
                return
        value = self.eval(n.value)
        self.emit_binding(n, "_", as_expr(value), None)

    def graph_With(self, n: ast.With) -> None:
        call = n.items[0].context_expr
        if not isinstance(call, ast.Call) or self.directive(call) != "R.dataflow":
            raise self.source.error(n, "with R.dataflow(): is the only with of graph functions")
        if self.outputs is not None:
            raise self.source.error(n, "dataflow blocks do not nest")
        self.builder._close()
        self.outputs = {a.id for s in n.body if isinstance(s, ast.Expr)
                        and isinstance(s.value, ast.Call)
                        and self.directive(s.value) == "R.output"
                        for a in s.value.args if isinstance(a, ast.Name)}
        self.builder._dataflow = True
        self.scopes.append({})
        if self.body(n.body) is not None:
            raise self.source.error(n, "a dataflow block cannot return", "use R.output(x)")
        names = self.scopes.pop()
        self.builder._close()
        self.scopes[-1].update({k: v for k, v in names.items()
                                if k in self.outputs or isinstance(v, (prim.Var, ModuleRef))})
        self.outputs = None

    def graph_If(self, n: ast.If) -> None:
        cond = self.builder.leaf(self.builder.normalize(self.expression(n.test)))
        name, then = self.branch(n.body)
        other_name, other = self.branch(n.orelse)
        if name != other_name:
            raise self.source.error(n, f"both branches end by binding the same name, not {name!r} "
                                       f"and {other_name!r}")
        info = self.branch_info or infer(relax.If(cond, then, other))
        value = relax.If(cond, then, other, info, span=self.source.span(n))
        self.define(name, self.emit_binding(n, name, value, info))

    def branch(self, stmts: list[ast.stmt]) -> tuple[str, relax.SeqExpr]:
        """The sequence of one side; its last binding is the result."""
        last = stmts[-1] if stmts else None
        target = last.target if isinstance(last, ast.AnnAssign) else \
            last.targets[0] if isinstance(last, ast.Assign) else None
        if not isinstance(target, ast.Name):
            place = last if last is not None else ast.Pass(lineno=1, col_offset=0, end_lineno=1,
                                                           end_col_offset=1)
            raise self.source.error(place, "a branch ends by binding its result to a name")
        outer, self.builder = self.builder, Bindings(self.builder.mod)
        self.scopes.append({})
        self.body(stmts[:-1])
        self.branch_info = self.info(last.annotation) if isinstance(last, ast.AnnAssign) else None
        seq = self.finish(self.expression(last.value))
        self.scopes.pop()
        self.builder = outer
        return target.id, seq

    def graph_FunctionDef(self, n: ast.FunctionDef) -> None:
        """A local function; it may call itself."""
        self.scopes.append({})
        params, ret = self.signature(n)
        self.scopes.pop()
        stub = relax.Function(tuple(params), relax.SeqExpr((), relax.Tuple(())), ret)
        var = self.variable(n.name, stub.struct_info, n)
        self.define(n.name, var)
        func = self.parse(n, nested=True)
        self.builder._open.append(relax.VarBinding(var, func, span=self.source.span(n)))

    def eval_Call(self, n: ast.Call):
        if self.directive(n) == "R.emit_te":
            return self.spanned(emit_te(self, n), n)
        return super().eval_Call(n)

    def call_function(self, n: ast.Call, callee, args, kwargs):
        if isinstance(callee, (GlobalVar, relax.Var, relax.ExternFunc, relax.Function)):
            given = tuple(as_expr(a) for a in args)
            infos = kwargs.pop("sinfo_args", kwargs.pop("ty_args", ()))
            infos = infos if isinstance(infos, (tuple, list)) else (infos,)
            return relax.Call(callee, given, FrozenDict(kwargs),
                              tuple(R.as_info(i) for i in infos))
        return Evaluator.call_function(self, n, callee, args, kwargs)


class _Unquote(ast.NodeTransformer):
    """Strings among the sizes of a struct info become expressions; the tree that is given stays,
    for signatures are read twice."""

    def __init__(self, parser: RelaxParser):
        self.parser = parser

    def generic_visit(self, n):
        new = copy.copy(n)
        for name, v in ast.iter_fields(n):
            if isinstance(v, list):
                setattr(new, name, [self.visit(x) if isinstance(x, ast.AST) else x for x in v])
            elif isinstance(v, ast.expr):
                setattr(new, name, self.visit(v))
        return new

    def visit_Tuple(self, n):
        return self.sizes(n)

    visit_List = visit_Tuple

    def sizes(self, n):
        elts = [self.parser.unquote(e) if isinstance(e, ast.Constant) else self.visit(e)
                for e in n.elts]
        return ast.copy_location(type(n)(elts, ast.Load()), n)

    def visit_Subscript(self, n):
        """`R.Tensor[("n", 4), "float32"]`: the last string is a dtype."""
        index = n.slice
        if isinstance(index, ast.Tuple):
            index = ast.copy_location(ast.Tuple([self.visit(e) for e in index.elts], ast.Load()),
                                      index)
        return ast.copy_location(ast.Subscript(n.value, index, n.ctx), n)

    def visit_keyword(self, n):
        if n.arg == "value":
            n = ast.copy_location(ast.keyword(n.arg, self.parser.unquote(n.value)), n)
            return n
        return self.generic_visit(n)


def symbols_in(infos) -> list[prim.Var]:
    """The symbolic sizes of some struct infos."""
    return [v for i in infos if i is not None for v in collect(i, prim.Var)]
