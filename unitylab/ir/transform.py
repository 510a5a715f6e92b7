"""What a pass is, how passes are put in a row, and who hears of each rewrite."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, fields
from time import perf_counter

from .errors import TransformError, UnityLabError
from .module import IRModule, as_module
from .node import Node
from .tir import PrimFunc


@dataclass(frozen=True)
class Rewrite:
    """One firing: `rule` turned `before` into `after` in `function`. Several nodes may go in or
    come out; `after` is empty for a removal. Where both have the same length, they correspond one
    by one."""

    rule: str
    before: tuple[Node, ...]
    after: tuple[Node, ...]
    function: str = ""
    seconds: float = 0.0

    @property
    def place(self) -> Node:
        """The node that stands for the place: the first that was rewritten."""
        return self.before[0]

    def source_of(self, node: Node) -> Node | None:
        """What `node` was made from by this rewrite, None if it was not made by it."""
        for i, made in enumerate(self.after):
            if made is node:
                return self.before[i] if len(self.before) == len(self.after) else self.place
        return None


class Recorder:
    """Hears of every rewrite; may refuse one. This one keeps nothing and allows everything."""

    def wants(self, rule: str, place: Node) -> bool:
        """Whether the rewrite called `rule` at `place` may happen."""
        return True

    def record(self, rule: str, before, after, function: str = "") -> None:
        """A rewrite happened. `before` and `after` are nodes or tuples of nodes."""


SILENT = Recorder()


@dataclass
class Recording(Recorder):
    """Keeps the rewrites in order, with the time since the one before."""

    rewrites: list[Rewrite] = field(default_factory=list)
    last: float = field(default_factory=perf_counter)

    def record(self, rule, before, after, function=""):
        now = perf_counter()
        self.rewrites.append(Rewrite(rule, _nodes(before), _nodes(after), function,
                                     now - self.last))
        self.last = now


@dataclass
class Only(Recording):
    """Allows the rewrites at one place alone: how a single match is applied."""

    match: Rewrite | None = None

    def wants(self, rule, place):
        return self.match is not None and rule == self.match.rule and place is self.match.place


def _nodes(x) -> tuple[Node, ...]:
    return (x,) if isinstance(x, Node) else tuple(x or ())


@dataclass(frozen=True)
class Pass:
    """A transformation of modules. Subclasses are frozen dataclasses whose fields are the options
    and implement `run(mod, recorder)`, which returns the same module when nothing changes."""

    @property
    def name(self) -> str:
        """How people call it: the class name."""
        return type(self).__name__

    def run(self, mod: IRModule, recorder: Recorder) -> IRModule:
        raise NotImplementedError

    def __call__(self, mod: IRModule, *, only: Rewrite | None = None,
                 recorder: Recorder | None = None) -> IRModule:
        """Applies the pass; `only` restricts it to one of the places that `applicable` listed."""
        if recorder is None:
            recorder = SILENT if only is None else Only(match=only)
        return self.run(as_module(mod), recorder)

    def applicable(self, mod: IRModule) -> list[Rewrite]:
        """The places where the pass would fire now."""
        recording = Recording()
        self.run(as_module(mod), recording)
        return recording.rewrites

    def to_python(self) -> str:
        """The call that makes this pass: `FuseOps()`, with the options that are not default."""
        given = [f"{f.name}={getattr(self, f.name)!r}" for f in fields(self)
                 if f.repr and getattr(self, f.name) != f.default]
        return f"{self.name}({', '.join(given)})"


@dataclass(frozen=True)
class PrimFuncPass(Pass):
    """A pass that looks at one tensor program at a time: subclasses implement
    `rewrite(name, func, recorder)`, which returns the same program when nothing changes.

    skip: names of tensor programs that stay as they are."""

    skip: frozenset[str] = field(default=frozenset(), kw_only=True)

    def rewrite(self, name: str, func: PrimFunc, recorder: Recorder) -> PrimFunc:
        raise NotImplementedError

    def run(self, mod: IRModule, recorder: Recorder) -> IRModule:
        return mod.map_functions(
            lambda n, f: f if n in self.skip else self.rewrite(n, f, recorder), PrimFunc)


@dataclass(frozen=True)
class Sequential(Pass):
    """Passes one after the other: `Sequential([LegalizeOps(), FuseOps()])(mod)`. Classes and
    functions of a module count as passes. Raises TransformError for anything else, and where a
    pass fails."""

    passes: tuple[Pass, ...] = ()

    def __post_init__(self):
        if not isinstance(self.passes, Iterable) or isinstance(self.passes, str):
            raise TransformError(f"passes come in a list, not as {self.passes!r}",
                                 hint="Sequential([LegalizeOps(), FuseOps()])")
        object.__setattr__(self, "passes", tuple(as_pass(p) for p in self.passes))

    def run(self, mod: IRModule, recorder: Recorder) -> IRModule:
        for p in self.passes:
            mod = apply(p, mod, recorder)
        return mod

    def to_python(self) -> str:
        return f"Sequential([{', '.join(p.to_python() for p in self.passes)}])"


@dataclass(frozen=True)
class FunctionPass(Pass):
    """A pass from a plain function `IRModule -> IRModule`, as written in a cell."""

    function: Callable[[IRModule], IRModule] = None
    label: str = ""

    @property
    def name(self) -> str:
        return self.label or self.function.__name__

    def run(self, mod: IRModule, recorder: Recorder) -> IRModule:
        return self.function(mod)

    def to_python(self) -> str:
        return self.name


def as_pass(x: Pass | Callable | Sequence) -> Pass:
    """A pass as it is, a class without options made, a function wrapped, a list in a row."""
    if isinstance(x, type) and issubclass(x, Pass):
        return x()
    if isinstance(x, Pass):
        return x
    if isinstance(x, (list, tuple)):
        return Sequential(x)
    if callable(x):
        return FunctionPass(x)
    raise TransformError(f"{x!r} is not a pass",
                         hint="give a Pass (ul.transforms has them) or a function of a module")


def apply(p: Pass, mod: IRModule, recorder: Recorder = SILENT) -> IRModule:
    """Applies a pass and checks what it returns. Errors of other kinds become TransformError."""
    try:
        new = p.run(mod, recorder)
    except UnityLabError:
        raise
    except Exception as e:
        raise TransformError(f"{p.name} failed: {type(e).__name__}: {e}") from e
    if not isinstance(new, IRModule):
        raise TransformError(f"{p.name} returned {type(new).__name__}, not an IRModule",
                             hint="a pass ends with `return mod`")
    return new
