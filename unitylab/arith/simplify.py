"""The simplifier: rules over scalar expressions, and sums kept in normal form.

Integers of 32 and 64 bits are taken not to overflow, as TVM does; floats are never reassociated."""

from __future__ import annotations

from collections.abc import Callable

from ..ir import prim
from ..ir.node import Node
from ..ir.prim import IntImm, PrimExpr, literal
from ..ir.visitor import substitute
from ..rewrite.driver import Driver
from ..rewrite.pattern import BUILD, min_of, pconst, pvar, select
from ..rewrite.rule import Rule, RuleSet
from .comparison import COMPARISON_RULES
from .division import DIVISION_RULES
from .linear import INDEX, is_index, linear, replace_leaves, sum_leaves

x, y, z = pvar("x"), pvar("y"), pvar("z")
b, b2 = pvar("b", ("bool",)), pvar("b2", ("bool",))
i, j = pvar("i", INDEX), pvar("j", INDEX)
c, d = pconst("c"), pconst("d")


def fold(m) -> PrimExpr | None:
    """Arithmetic on two literals, where it has a value."""
    if type(m.e.a) is not IntImm or type(m.e.b) is not IntImm or type(m.e) not in BUILD:
        return None
    new = BUILD[type(m.e)](m.e.a, m.e.b)
    return new if type(new) is IntImm else None


def fold_cast(m) -> PrimExpr | None:
    """cast(literal) = literal; cast(cast(x)) = x where the inner one loses nothing."""
    inner, t = m.e.value, m.e.dtype
    if inner.dtype == t:
        return inner
    if type(inner) is prim.Cast and inner.value.dtype == t and t.kind in ("int", "uint"):
        wide = inner.dtype
        return inner.value if wide.kind == t.kind and wide.bits >= t.bits else None
    new = prim.cast(inner, t) if type(inner) is IntImm else None
    in_range = new is not None and (t.kind == "float" or prim.representable(inner.value, t))
    return new if in_range and type(new) is not prim.Cast else None


def fold_call(m) -> PrimExpr | None:
    """if_then_else with a known condition or equal sides; likely(literal)."""
    args = m.e.args
    if m.e.op == "likely" and type(args[0]) is IntImm:
        return args[0]
    if m.e.op != "if_then_else":
        return None
    if type(args[0]) is IntImm:
        return args[1] if args[0].value else args[2]
    return args[1] if m.context.keys.same(args[1], args[2]) else None


def inline_let(m) -> PrimExpr | None:
    """let v = literal or variable in e = e with v replaced."""
    if isinstance(m.e.value, (IntImm, prim.FloatImm, prim.Var)):
        return substitute(m.e.body, {m.e.var: m.e.value})
    return None


def only_value(m) -> PrimExpr | None:
    """A variable that was bound to an expression, or can have one value alone."""
    bound = m.context.value_of(m.e)
    if bound is not None:
        return bound
    low, high = m.context.bound(m.e)
    return IntImm(int(low), m.e.dtype) if low == high and m.e.dtype in INDEX else None


def decide_not(m) -> PrimExpr | None:
    """not (i < j) = j <= i; not of a literal."""
    inner = m.e.a
    if type(inner) is IntImm:
        return literal(not inner.value)
    negated = _NEGATION.get(type(inner))
    exact = negated and not inner.a.dtype.is_float
    return prim.compare(negated, inner.a, inner.b) if exact else None


_NEGATION = {prim.LT: prim.GE, prim.GE: prim.LT, prim.GT: prim.LE, prim.LE: prim.GT,
             prim.EQ: prim.NE, prim.NE: prim.EQ}


def lanewise(m) -> PrimExpr | None:
    """broadcast(x) + broadcast(y) = broadcast(x + y), ramp(x, s) + broadcast(y) = ramp(x + y, s).
    """
    left, right, kind = m.e.a, m.e.b, type(m.e)
    shapes = type(left), type(right)
    if prim.Broadcast not in shapes or not set(shapes) <= {prim.Broadcast, prim.Ramp} or \
            left.lanes != right.lanes:
        return None
    if shapes == (prim.Broadcast, prim.Broadcast):
        return prim.Broadcast(BUILD[kind](left.value, right.value), left.lanes)
    if kind in (prim.Add, prim.Sub) and type(left) is prim.Ramp:
        return prim.Ramp(BUILD[kind](left.base, right.value), left.stride, left.lanes)
    ramp, other = (left, right) if type(left) is prim.Ramp else (right, left)
    if kind is prim.Add:
        return prim.Ramp(prim.add(ramp.base, other.value), ramp.stride, ramp.lanes)
    if kind is prim.Mul and ramp.dtype.is_int:
        return prim.Ramp(prim.mul(ramp.base, other.value), prim.mul(ramp.stride, other.value),
                         ramp.lanes)
    return None


RULES = RuleSet((
    Rule("fold literals", prim.BinaryExpr, fold),
    Rule("v = its only value", prim.Var, only_value),
    Rule("x * (y * c) = (x * y) * c", i * (j * c), (i * j) * c),
    Rule("x * 1.0 = x", x * 1.0, x),
    Rule("x / 1 = x", x / 1, x),
    Rule("x / 1.0 = x", x / 1.0, x),
    *DIVISION_RULES,
    *COMPARISON_RULES,
    Rule("b and true = b", b & True, b),
    Rule("b and false = false", b & False, False),
    Rule("b or true = true", b | True, True),
    Rule("b or false = b", b | False, b),
    Rule("b and b = b", b & b, b),
    Rule("b or b = b", b | b, b),
    Rule("b and not b = false", b & ~b, False),
    Rule("b or not b = true", b | ~b, True),
    Rule("(b and b2) and b = b and b2", (b & b2) & b, b & b2),
    Rule("(b or b2) or b = b or b2", (b | b2) | b, b | b2),
    Rule("i < c and i < d = i < min(c, d)", (i < c) & (i < d), i < min_of(c, d)),
    Rule("i < j and j <= i = false", (i < j) & (j <= i), False),
    Rule("i < j or j <= i = true", (i < j) | (j <= i), True),
    Rule("i < j and i >= j = false", (i < j) & (i >= j), False),
    Rule("i < j or i >= j = true", (i < j) | (i >= j), True),
    Rule("not not b = b", ~~b, b),
    Rule("not (i < j) = i >= j", prim.Not, decide_not),
    Rule("select(true, x, y) = x", select(True, x, y), x),
    Rule("select(false, x, y) = y", select(False, x, y), y),
    Rule("select(b, x, x) = x", select(b, x, x), x),
    Rule("select(not b, x, y) = select(b, y, x)", select(~b, x, y), select(b, y, x)),
    Rule("cast of a literal or of a cast", prim.Cast, fold_cast),
    Rule("if_then_else of a known condition", prim.Call, fold_call),
    Rule("let v = literal", prim.Let, inline_let),
    *[Rule(f"{k.__name__} of vectors lane by lane", k, lanewise)
      for k in (prim.Add, prim.Sub, prim.Mul, prim.FloorDiv, prim.FloorMod, prim.Min, prim.Max)],
))

COLLECT = "collect terms"


def _is_sum(e: Node) -> bool:
    kind = type(e)
    if kind is prim.Mul:
        return (type(e.b) is IntImm or type(e.a) is IntImm) and is_index(e)
    return (kind is prim.Add or kind is prim.Sub) and is_index(e)


class Simplifier(Driver):
    """The driver with the rules above; a sum with all its terms is one node to it."""

    def __init__(self, context, rules: RuleSet = RULES, **options):
        super().__init__(rules, context=context, keys=context.keys, **options)

    def parts(self, node: Node) -> list[Node]:
        if _is_sum(node):
            return [leaf for _, leaf in sum_leaves(node)]
        return list(node.children())

    def rebuild(self, node: Node, new: Callable[[Node], Node]) -> Node:
        return replace_leaves(node, new) if _is_sum(node) else node.map_children(new)

    def step(self, node: Node) -> Node:
        if not _is_sum(node):
            return super().step(node)
        result = linear(node, self.keys).merge().build()
        if identical(node, result) or not self.recorder.wants(COLLECT, node):
            return node
        self.fired(COLLECT, node, result)
        return result


def identical(a: Node, b: Node) -> bool:
    """Whether two sums are written the same way, over the very same terms."""
    stack = [(a, b)]
    while stack:
        p, q = stack.pop()
        if p is q:
            continue
        if type(p) is not type(q):
            return False
        if type(p) is IntImm:
            if p.value != q.value or p.dtype != q.dtype:
                return False
        elif isinstance(p, prim.BinaryExpr):
            stack += ((p.b, q.b), (p.a, q.a))
        else:
            return False
    return True
