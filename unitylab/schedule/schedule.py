"""`Schedule`: rewrites tensor programs one primitive at a time, checked and recorded."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from ..arith.index_map import IndexMap
from ..ir.errors import ScheduleError, did_you_mean
from ..ir.module import IRModule, as_module
from ..ir.node import Node
from ..ir.tir import Block, BlockRealize, For, PrimFunc, Stmt
from . import primitives
from .candidates import Candidate
from .candidates import candidates as list_candidates
from .closed import escaping
from .handles import BlockRV, ExprRV, Handle, LoopRV, Place
from .introduction import introduce
from .nest import Nest, statements, unshared
from .replace_blocks import replace_blocks
from .signature import PRIMITIVES, Primitive
from .trace import Instruction, Trace

assert primitives  # importing them declares them


class Schedule:
    """Works on the tensor programs of a module.

        sch = ul.Schedule(mod)
        block = sch.get_block("C")
        i, j, k = sch.get_loops(block)
        i0, i1 = sch.split(i, [None, 8])
        sch.reorder(i0, j, k, i1)
        sch.mod; sch.trace

    Every primitive is a method. It raises ScheduleError, and changes nothing, where it is not
    legal. Handles live on through later rewrites until a primitive consumes their node."""

    def __init__(self, mod: IRModule | PrimFunc, *, seed: int = 0):
        self.mod = as_module(mod).map_functions(lambda _, f: unshared(f), PrimFunc)
        self.trace = Trace()
        self.seed = seed
        self._rng = np.random.default_rng(seed)
        self._targets: dict[Handle, tuple[str, Node]] = {}
        self._consumed: dict[Handle, str] = {}
        self._working: str | None = None
        self._silent: set[Handle] = set()
        self._relaid: dict[str, dict[int, tuple[IndexMap, ...]]] = {}

    def __getattr__(self, name: str):
        near = "" if name.startswith("_") else did_you_mean(name, PRIMITIVES)
        raise AttributeError(f"no schedule primitive is called {name!r}{near and '; ' + near}")

    # --- what it works on -------------------------------------------------------------------

    def work_on(self, func_name: str) -> None:
        """From now on names of blocks are looked up in this function."""
        self._program(func_name)
        self._working = func_name

    def trace_with(self, primitive_name: str, *args, **kwargs) -> Trace:
        """The trace as it would be after a further primitive, which is not run."""
        p, before = PRIMITIVES[primitive_name], self._bookmark()
        rest, named = self._recorded(p, args, kwargs)
        trace = Trace([*self.trace.insts, Instruction(p.name, rest, named)])
        self._back_to(before)
        return trace

    def copy(self) -> Schedule:
        """A schedule at the same point; the handles are valid in both."""
        new = Schedule.__new__(Schedule)
        new.__dict__.update(self.__dict__)
        new.trace = Trace(list(self.trace.insts))
        new._targets, new._consumed = dict(self._targets), dict(self._consumed)
        new._silent = set(self._silent)
        new._relaid = {n: dict(r) for n, r in self._relaid.items()}
        new._rng = np.random.default_rng(self._rng.integers(2**32))
        return new

    def get(self, handle: Handle) -> Node | int | Place:
        """The present node of a handle (a Block or For), or the number that was decided.

        Raises ScheduleError if a primitive consumed the node."""
        if handle in self._consumed:
            raise ScheduleError(f"this {type(handle).__name__} is gone: "
                                f"{self._consumed[handle]} consumed it",
                                hint="use what that primitive returned")
        if handle not in self._targets:
            raise ScheduleError("this handle belongs to another schedule",
                                hint="get_block and get_loops give handles of this one")
        return self._targets[handle][1]

    def relayouts(self, func_name: str) -> dict[int, tuple[IndexMap, ...]]:
        """The index maps, in order, by which parameters of a function got another layout: who calls
        it must bring (or take) the elements at these places."""
        return dict(self._relaid.get(func_name, {}))

    def script(self, **options) -> str:
        """The module as it is now, as script."""
        return self.mod.script(**options)

    def show(self) -> None:
        """Prints the module as it is now."""
        print(self.script())

    # --- calling a primitive ----------------------------------------------------------------

    def apply(self, p: Primitive, args: tuple, kwargs: dict):
        """Checks and runs one primitive, keeps its result and records it."""
        before = self._bookmark()
        try:
            rest, named = self._recorded(p, args, kwargs)
            name, nest, result = self._run(p, rest, named, self._rng)
        except ScheduleError:
            self._back_to(before)
            raise
        decision = None
        if isinstance(result, primitives.Decided):
            result, decision = result.values, result.decision
            named.pop("decision", None)
        self._commit(name, nest, p.name)
        single = not isinstance(result, (list, tuple))
        outputs = tuple(self._handle(name, r) for r in ([result] if single else result)
                        if r is not None)
        self.trace.append(Instruction(p.name, rest, named, outputs, single, decision))
        return (outputs[0] if outputs else None) if single else list(outputs)

    def _recorded(self, p: Primitive, args: tuple, kwargs: dict) -> tuple[tuple, dict]:
        """The arguments by position and by name; the trace knows their handles from now on."""
        rest, named = p.bind(args, kwargs)
        for handle in _handles([*rest, *named.values()]):
            if handle in self._silent and handle in self._targets:
                introduce(self, handle)
        return rest, named

    def _bookmark(self):
        return len(self.trace), set(self._silent), dict(self._targets)

    def _back_to(self, bookmark) -> None:
        steps, self._silent, self._targets = bookmark
        del self.trace.insts[steps:]

    def _run(self, p: Primitive, rest: tuple, named: dict, rng: np.random.Generator):
        """(function's name, rewritten nest, result) of a primitive; nothing is kept."""
        name = self._function_of([*rest, *named.values()], named.get("func_name"), p)
        if "func_name" in p.signature.parameters:
            named["func_name"] = name
        nest = Nest(self._program(name), rng)
        values = {k: p.resolve(k, v, self.get) for k, v in named.items()}
        listed = [p.resolve(p.rest_name, r, self.get) for r in rest]
        try:
            result = p.function(nest, *listed, **values)
        except ScheduleError as e:
            raise ScheduleError(f"{p.name}: {e.message}", span=e.span, hint=e.hint) from None
        self._check_closed(name, nest, p.name)
        return name, nest, result

    def refusal(self, primitive_name: str, *args, **kwargs) -> ScheduleError | None:
        """Why a primitive would refuse these arguments; None where it is legal. The schedule, its
        trace and its random numbers stay as they are."""
        p = PRIMITIVES[primitive_name]
        try:
            self._run(p, *p.bind(args, kwargs), np.random.default_rng(0))
        except ScheduleError as e:
            return e
        return None

    def _check_closed(self, name: str, nest: Nest, by: str) -> None:
        """A size that depends on a loop may not leave the loop, whatever the primitive."""
        lost = escaping(nest.func) if nest.func is not self.mod[name] else None
        if lost is not None and escaping(self.mod[name]) is not lost:
            raise ScheduleError(f"{by}: {lost.name} would be used outside of the loop or block that"
                                f" defines it", span=lost.span,
                                hint="loops and buffers whose extents depend on a loop variable "
                                     "must stay inside of that loop")

    def _function_of(self, values: Iterable, given: str | None, p: Primitive) -> str:
        names = dict.fromkeys(self._targets[h][0] for h in _handles(values)
                              if h in self._targets and self._targets[h][0])
        if len(names) > 1:
            raise ScheduleError(f"{p.name}: the handles belong to several functions: "
                                f"{', '.join(names)}", hint="one function at a time")
        if names:
            return next(iter(names))
        return given or self._working or self._default_name()

    def _default_name(self) -> str:
        programs = self.mod.prim_funcs
        if not programs:
            raise ScheduleError("the module has no tensor program",
                                hint="LegalizeOps makes tensor programs of graph operators")
        return next(iter(programs)) if len(programs) == 1 else "main"

    def _program(self, name: str) -> PrimFunc:
        func = self.mod.functions.get(name)
        if not isinstance(func, PrimFunc):
            known = ", ".join(self.mod.prim_funcs)
            raise ScheduleError(f"the module has no tensor program {name!r}",
                                hint=f'it has: {known}; get_block("C", func_name="...")')
        if func.root is None:
            raise ScheduleError(f"{name!r} is a plain loop program: it has no blocks to schedule",
                                span=func.span, hint="write its statements in T.block")
        return func

    def replace_blocks(self, blocks: Sequence[Block], new: Stmt, by: str,
                       at: Block | None = None) -> None:
        """Puts a nest in the place of blocks that have nests of their own: what rules that write
        loops do. `at`: the block in whose place it goes, else the last; `by`: who does it, which
        handles of the blocks say from then on. The trace does not have it.

        Raises ScheduleError, with nothing changed, where the nest does not write what the blocks
        wrote for others, or uses buffers that are not there. That it computes the same is up to the
        caller."""
        name = self._targets[self.handle_of(blocks[0])][0]
        nest = Nest(self._program(name), self._rng)
        replace_blocks(nest, list(blocks), new, blocks[-1] if at is None else at)
        self._commit(name, nest, by)

    def _commit(self, name: str, nest: Nest, by: str) -> None:
        if self.mod[name] is nest.func:
            return
        self.mod = self.mod.with_functions({name: nest.func})
        for position, index_map in nest.relaid:
            maps = self._relaid.setdefault(name, {})
            maps[position] = (*maps.get(position, ()), index_map)
        present = {id(s) for s in statements(nest.func.body)}
        for handle, (owner, node) in list(self._targets.items()):
            if owner != name:
                continue
            new = nest.now(node)
            if id(new) in present:
                self._targets[handle] = name, new
            else:
                del self._targets[handle]
                self._consumed[handle] = by

    def _handle(self, func_name: str, value) -> Handle:
        if isinstance(value, BlockRealize):
            value = value.block
        if isinstance(value, Node):
            handle = BlockRV() if isinstance(value, Block) else LoopRV()
            self._targets[handle] = func_name, value
        else:
            handle = LoopRV() if isinstance(value, Place) else ExprRV()
            self._targets[handle] = "", value
        return handle

    # --- looking around ---------------------------------------------------------------------

    def candidates(self, handle: Handle) -> list[Candidate]:
        """What can be done at a block or loop: `Candidate(name, args, legal, reason)` for each
        primitive tried with typical arguments. The schedule and its trace stay as they are."""
        return list_candidates(self, handle)

    def func_of(self, handle: Handle) -> PrimFunc:
        """The function that a block or loop belongs to."""
        self.get(handle)
        return self._program(self._targets[handle][0])

    def handle_of(self, node: Block | For, func_name: str | None = None) -> Handle:
        """A handle of a node that was found by walking the tree; the trace learns of it when it is
        first used. Raises ScheduleError if the node is not in the function."""
        for handle, (_, known) in self._targets.items():
            if known is node:
                return handle
        for name, func in self.mod.prim_funcs.items():
            if func_name in (None, name) and any(s is node for s in statements(func.body)):
                handle = self._handle(name, node)
                self._silent.add(handle)
                return handle
        raise ScheduleError("this node is not in the program as it is now",
                            hint="sch.mod is the present program; older nodes were rewritten")


def _handles(values) -> list[Handle]:
    found = []
    for v in values:
        if isinstance(v, Handle):
            found.append(v)
        elif isinstance(v, (list, tuple)):
            found += _handles(v)
    return found


def _method(p: Primitive):
    def call(self, *args, **kwargs):
        return self.apply(p, args, kwargs)
    call.__name__ = p.name
    call.__qualname__ = f"Schedule.{p.name}"
    call.__doc__ = p.function.__doc__
    call.__signature__ = p.signature
    return call


for _p in PRIMITIVES.values():
    setattr(Schedule, _p.name, _method(_p))
# today's Apache TVM calls a block an sblock
Schedule.get_sblock = Schedule.get_block
