"""The tree of steps: undo, redo, branches. Knows nothing of compilers."""

from __future__ import annotations

from ..ir.errors import UnityLabError
from .step import Step


class History:
    """Steps by number; each but the first has a parent. `current` is where the session stands."""

    def __init__(self, root: Step):
        self.steps: dict[int, Step] = {root.id: root}
        self.current = root
        self._redo: dict[int, int] = {}
        self._branch = root.branch

    def add(self, step: Step) -> Step:
        """Makes `step`, a child of the current one, the current one."""
        if self.children(self.current.id) and step.branch == self.current.branch:
            step.branch = self._free_branch()
        self.steps[step.id] = step
        self._redo[self.current.id] = step.id
        self.current, self._branch = step, step.branch
        return step

    def _free_branch(self) -> str:
        taken = {s.branch for s in self.steps.values()}
        k = 2
        while f"branch {k}" in taken:
            k += 1
        return f"branch {k}"

    @property
    def next_id(self) -> int:
        return max(self.steps) + 1

    @property
    def branch(self) -> str:
        """The name that the next step gets."""
        return self._branch

    def name_branch(self, name: str) -> None:
        """Steps made from now on belong to branch `name`."""
        if name in {s.branch for s in self.steps.values()}:
            raise UnityLabError(f"a branch is called {name!r} already",
                                hint="checkout(name) goes to its last step")
        self._branch = name

    def rename_branch(self, old: str, new: str) -> None:
        """Gives a branch another name. Raises UnityLabError if it is taken."""
        if new in {s.branch for s in self.steps.values()}:
            raise UnityLabError(f"a branch is called {new!r} already", hint="take another name")
        for s in self.steps.values():
            s.branch = new if s.branch == old else s.branch
        self._branch = new if self._branch == old else self._branch

    def children(self, step: int) -> list[Step]:
        return [s for s in self.steps.values() if s.parent == step]

    def undo(self) -> Step:
        """Back to the parent. Raises UnityLabError at the first step."""
        if self.current.parent is None:
            raise UnityLabError("this is the first step, there is nothing to undo")
        self._redo[self.current.parent] = self.current.id
        return self.go(self.current.parent)

    def redo(self) -> Step:
        """Forward to the child that was left last. Raises UnityLabError if there is none."""
        target = self._redo.get(self.current.id)
        if target is None:
            raise UnityLabError("there is no step to redo")
        return self.go(target)

    def go(self, step: int) -> Step:
        self.current = self.find(step)
        self._branch = self.current.branch
        return self.current

    def find(self, key: int | str | Step) -> Step:
        """A step by number, or the last of a branch by the branch's name."""
        if isinstance(key, Step):
            key = key.id
        if key in self.steps:
            return self.steps[key]
        ends = [s for s in self.steps.values() if s.branch == key]
        if not ends:
            raise UnityLabError(f"no step or branch {key!r}",
                                hint=f"steps: 0 to {max(self.steps)}, branches: "
                                     + ", ".join(sorted({s.branch for s in self.steps.values()})))
        return ends[-1]

    def path(self, step: Step) -> list[Step]:
        """The steps from the first to `step`."""
        way = [step]
        while way[-1].parent is not None:
            way.append(self.steps[way[-1].parent])
        return way[::-1]
