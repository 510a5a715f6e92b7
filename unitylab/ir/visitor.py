"""Walking and rewriting trees. All of it is derived from the fields of the nodes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from . import prim, relax, tir
from .node import Node


def walk(root: Node) -> Iterator[Node]:
    """Every node below `root`, itself first, in program order. Shared nodes appear once a path,
    except buffers and variables' own parts, which are entered at their first appearance only."""
    stack, entered = [root], set()
    while stack:
        node = stack.pop()
        yield node
        if isinstance(node, (tir.Buffer, relax.Var)):
            if id(node) in entered:
                continue
            entered.add(id(node))
        stack += node.children()[::-1]


def collect(root: Node, kind: type | tuple[type, ...]) -> list[Node]:
    """The distinct nodes of a kind below `root`, in order of appearance."""
    return list(dict.fromkeys(n for n in walk(root) if isinstance(n, kind)))


def post_order(root: Node, f: Callable[[Node], None]) -> None:
    """Calls `f` on every distinct node, children first."""
    done: set[int] = set()

    def visit(node: Node) -> None:
        if id(node) not in done:
            done.add(id(node))
            for c in node.children():
                visit(c)
            f(node)

    visit(root)


class Dispatch:
    """Chooses the method `visit_<Class>` for a node, looking along its base classes.

    `self.default(node, ...)` handles what has no method."""

    _cache: dict[type, str]

    def __init_subclass__(cls, **kw):
        super().__init_subclass__(**kw)
        cls._cache = {}

    def method(self, kind: type) -> str:
        for base in kind.__mro__:
            if hasattr(self, f"visit_{base.__name__}"):
                return f"visit_{base.__name__}"
        return "default"

    def visit(self, node: Node, *args):
        kind = type(node)
        name = self._cache.get(kind)
        if name is None:
            name = self._cache[kind] = self.method(kind)
        return getattr(self, name)(node, *args)

    def default(self, node: Node, *args):
        raise NotImplementedError(f"{type(self).__name__} does not know {type(node).__name__}")


class Visitor(Dispatch):
    """Visits a tree; override `visit_<Class>` and call `self.visit_children(node)` to go on."""

    def default(self, node: Node):
        self.visit_children(node)

    def visit_children(self, node: Node) -> None:
        for c in node.children():
            self.visit(c)


class Mutator(Dispatch):
    """Rewrites a tree from below; override `visit_<Class>`, call `self.rebuild(node)` to go on.

    Variables and buffers are rewritten once each and remembered, so that every use agrees with
    the definition. Other nodes are remembered too (the tree is a value)."""

    def __init__(self):
        self._memo: dict[int, tuple[Node, Node]] = {}

    def visit(self, node: Node) -> Node:
        found = self._memo.get(id(node))
        if found is not None and found[0] is node:
            return found[1]
        new = super().visit(node)
        self._memo[id(node)] = (node, new)
        return new

    __call__ = visit

    def default(self, node: Node) -> Node:
        return self.rebuild(node)

    def rebuild(self, node: Node) -> Node:
        """The node with its children rewritten, and what was inferred of it."""
        new = node.map_children(self.visit)
        if isinstance(new, (relax.Call, relax.If)) and new.struct_info is not None:
            info = self.visit(new.struct_info)
            return new if info is new.struct_info else new.replace(struct_info=info)
        return new

    def visit_SeqStmt(self, node: tir.SeqStmt) -> tir.Stmt:
        new = self.rebuild(node)
        return new if new is node else tir.seq(*new.stmts)


class Substitute(Mutator):
    """Replaces nodes by identity (variables by values, buffers by buffers)."""

    def __init__(self, mapping: Mapping[Node, Node]):
        super().__init__()
        for old, new in mapping.items():
            self._memo[id(old)] = (old, new)


def substitute(root: Node, mapping: Mapping[Node, Node]) -> Node:
    """`root` with the nodes of `mapping` replaced; `root` itself if none appears."""
    return Substitute(mapping).visit(root) if mapping else root


class Fold(Mutator):
    """Substitutes and folds constants on the way, as the operators do."""

    def __init__(self, mapping: Mapping[Node, Node]):
        super().__init__()
        for old, new in mapping.items():
            self._memo[id(old)] = (old, new)

    def visit_BinaryExpr(self, node):
        new = self.rebuild(node)
        build = BUILD.get(type(node))
        return build(new.a, new.b) if build and new is not node else new


BUILD = {prim.Add: prim.add, prim.Sub: prim.sub, prim.Mul: prim.mul, prim.Div: prim.div,
         prim.FloorDiv: prim.floordiv, prim.FloorMod: prim.floormod, prim.Mod: prim.truncmod,
         prim.Min: prim.minimum, prim.Max: prim.maximum}
BUILD |= {k: (lambda a, b, k=k: prim.compare(k, a, b))
          for k in (prim.EQ, prim.NE, prim.LT, prim.LE, prim.GT, prim.GE)}


def fold_substitute(root: Node, mapping: Mapping[Node, Node]) -> Node:
    """Like `substitute`, folding the literals that meet."""
    return Fold(mapping).visit(root)


def free_vars(root: Node) -> list[prim.Var]:
    """The scalar variables used in an expression, in order of appearance."""
    return collect(root, prim.Var)


def undefined_vars(func: tir.PrimFunc) -> list[prim.Var]:
    """The scalar variables that a tensor program uses without defining them. A parameter's shape
    defines a variable only where the variable is a whole dimension."""
    defined = {p for p in func.params if isinstance(p, prim.Var)}
    for b in func.buffers:
        defined |= {d for d in (*b.shape, *b.strides, b.elem_offset) if isinstance(d, prim.Var)}
    used: dict[prim.Var, None] = {}
    for n in walk(func):
        if isinstance(n, prim.Var):
            used[n] = None
        elif isinstance(n, (tir.For, tir.IterVar, tir.Bind, prim.Let, tir.CommReducer, tir.Buffer)):
            defined |= set(_own_vars(n))
    return [v for v in used if v not in defined]


def _own_vars(n: Node) -> tuple[prim.Var, ...]:
    if isinstance(n, tir.For):
        return (n.loop_var,)
    if isinstance(n, tir.CommReducer):
        return n.lhs + n.rhs
    return (n.data,) if isinstance(n, tir.Buffer) else (n.var,)


class FreshCopy(Mutator):
    """Copies a tree with new variables and buffers for all that are bound inside of it."""

    def __init__(self, bound: set[int]):
        super().__init__()
        self.bound = bound

    def visit_Var(self, node: Node) -> Node:
        new = self.rebuild(node)
        return new.replace() if new is node and id(node) in self.bound else new

    def visit_Buffer(self, node: tir.Buffer) -> tir.Buffer:
        new = self.rebuild(node)
        return new.replace() if new is node and id(node) in self.bound else new


def defined_in(root: Node) -> set[int]:
    """The ids of the variables and buffers that are bound below `root`."""
    bound: set[int] = set()

    def mark(value) -> None:
        for n in walk(value):
            if isinstance(n, (prim.Var, relax.Var, tir.Buffer)):
                bound.add(id(n))

    from_fields = {}
    for n in walk(root):
        names = from_fields.get(type(n))
        if names is None:
            names = [f for f, r in n.field_roles if r == "definition"]
            from_fields[type(n)] = names
        if isinstance(n, (tir.Buffer, relax.Var)):
            continue  # their parts are definitions only where they themselves are defined
        for name in names:
            value = getattr(n, name)
            for v in value if isinstance(value, tuple) else (value,):
                if isinstance(v, Node):
                    mark(v)
    return bound


def fresh_copy(root: Node) -> Node:
    """A copy in which everything bound inside has a new identity."""
    return FreshCopy(defined_in(root)).visit(root)
