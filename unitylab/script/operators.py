"""The operators of script: on Python numbers, scalar expressions and tensors."""

from __future__ import annotations

import ast

from ..ir import prim, relax
from ..ir.errors import ParseError
from ..ir.op import get_op
from ..ir.struct_info import PrimStructInfo
from . import tir as T
from .diagnostics import Source
from .values import Region, kind_of


def _exponent(b):
    """A shift or power of literals; more than this would not fit in 64 bits."""
    if b > 64:
        raise ParseError(f"{b} is too much for a shift or power of literals", hint="at most 64")
    return b


_BINARY = {ast.Add: prim.add, ast.Sub: prim.sub, ast.Mult: prim.mul, ast.Div: prim.div,
           ast.FloorDiv: prim.floordiv, ast.Mod: prim.floormod,
           ast.BitAnd: lambda a, b: prim.bitwise("bitwise_and", a, b),
           ast.BitOr: lambda a, b: prim.bitwise("bitwise_or", a, b),
           ast.BitXor: lambda a, b: prim.bitwise("bitwise_xor", a, b),
           ast.LShift: lambda a, b: prim.bitwise("shift_left", a, b),
           ast.RShift: lambda a, b: prim.bitwise("shift_right", a, b)}
_PYTHON = {ast.Add: lambda a, b: a + b, ast.Sub: lambda a, b: a - b, ast.Mult: lambda a, b: a * b,
           ast.FloorDiv: lambda a, b: a // b, ast.Mod: lambda a, b: a % b,
           ast.Div: lambda a, b: a / b, ast.LShift: lambda a, b: a << _exponent(b),
           ast.RShift: lambda a, b: a >> b, ast.BitAnd: lambda a, b: a & b,
           ast.BitOr: lambda a, b: a | b, ast.BitXor: lambda a, b: a ^ b,
           ast.Pow: lambda a, b: a ** _exponent(b)}
_COMPARE = {ast.Eq: prim.EQ, ast.NotEq: prim.NE, ast.Lt: prim.LT, ast.LtE: prim.LE,
            ast.Gt: prim.GT, ast.GtE: prim.GE}
_PY_COMPARE = {ast.Eq: lambda a, b: a == b, ast.NotEq: lambda a, b: a != b,
               ast.Lt: lambda a, b: a < b, ast.LtE: lambda a, b: a <= b,
               ast.Gt: lambda a, b: a > b, ast.GtE: lambda a, b: a >= b}
_GRAPH = {ast.Add: "add", ast.Sub: "subtract", ast.Mult: "multiply", ast.Div: "divide",
          ast.FloorDiv: "floor_divide", ast.Mod: "floor_mod", ast.Pow: "power",
          ast.Eq: "equal", ast.NotEq: "not_equal", ast.Lt: "less", ast.LtE: "less_equal",
          ast.Gt: "greater", ast.GtE: "greater_equal"}


class Operators:
    """How an evaluator reads operators; `eval` and `spanned` are the evaluator's."""

    source: Source

    def eval_UnaryOp(self, n: ast.UnaryOp):
        value = self.eval(n.operand)
        if isinstance(n.op, ast.Not):
            return prim.Not(prim.literal(value)) if isinstance(value, prim.PrimExpr) else not value
        if isinstance(value, relax.Expr):
            if isinstance(n.op, ast.USub):
                return get_op("negative")(value)
            raise self.source.error(n, "this operator has no meaning for tensors")
        if isinstance(value, T.ScalarType):
            raise self.source.error(n, "a type is no value")
        if isinstance(n.op, ast.USub):
            if isinstance(value, (prim.IntImm, prim.FloatImm)):
                return value.replace(value=-value.value)
            return -value
        return value if isinstance(n.op, ast.UAdd) else ~value

    def eval_BinOp(self, n: ast.BinOp):
        a, b = self.eval(n.left), self.eval(n.right)
        kind = type(n.op)
        if isinstance(a, relax.Expr) or isinstance(b, relax.Expr):
            if kind not in _GRAPH:
                raise self.source.error(n, "this operator has no meaning for tensors")
            return get_op(_GRAPH[kind])(a, b)
        if isinstance(a, prim.PrimExpr) or isinstance(b, prim.PrimExpr):
            return self.spanned(_BINARY[kind](self.scalar(n.left, a), self.scalar(n.right, b)), n)
        if isinstance(a, (list, tuple)) and isinstance(b, (list, tuple)) and kind is ast.Add:
            return a + b
        if isinstance(a, (int, float)) and isinstance(b, (int, float)):
            value = _PYTHON[kind](a, b)
            if isinstance(value, complex) or isinstance(value, int) and abs(value) >= 2**64:
                raise self.source.error(n, "the value of this does not fit in 64 bits")
            return value
        raise self.source.error(n, f"{kind_of(a)} and {kind_of(b)} cannot be combined like this")

    def scalar(self, n: ast.expr, value):
        """A value that stands in scalar arithmetic."""
        if isinstance(value, (prim.PrimExpr, bool, int, float)):
            return value
        if isinstance(value, Region):
            return value.value()
        if isinstance(value, relax.Var) and isinstance(value.struct_info, PrimStructInfo):
            return value.struct_info.value
        raise self.source.error(n, f"a scalar expected, this is {kind_of(value)}")

    def eval_Compare(self, n: ast.Compare):
        terms = [n.left, *n.comparators]
        values = [self.eval(t) for t in terms]
        results = [self.compare(n, type(op), a, b)
                   for op, a, b in zip(n.ops, values, values[1:])]
        if len(results) == 1:
            return results[0]
        return prim.logical_and(*results)

    def compare(self, n: ast.Compare, kind: type, a, b):
        if kind not in _COMPARE:
            raise self.source.error(n, "this comparison is not part of the language")
        if isinstance(a, relax.Expr) or isinstance(b, relax.Expr):
            return get_op(_GRAPH[kind])(a, b)
        if isinstance(a, prim.PrimExpr) or isinstance(b, prim.PrimExpr):
            return self.spanned(prim.compare(_COMPARE[kind], a, b), n)
        return _PY_COMPARE[kind](a, b)

    def eval_BoolOp(self, n: ast.BoolOp):
        values = [self.eval(v) for v in n.values]
        values = [v.value() if isinstance(v, Region) else v for v in values]
        if not any(isinstance(v, prim.PrimExpr) for v in values):
            return all(values) if isinstance(n.op, ast.And) else any(values)
        kind = prim.And if isinstance(n.op, ast.And) else prim.Or
        result = prim.literal(values[0])
        for v in values[1:]:
            result = kind(result, prim.literal(v))
        return result
