"""From tensor programs to kernels: what is in memory or on disk is not compiled again, equal
programs are compiled once, and several at a time in other processes."""

from __future__ import annotations

import ctypes
import re
from collections.abc import Callable, Iterable
from concurrent.futures import Future

from ..ir.errors import BuildError
from ..ir.module import IRModule
from ..target import Target
from . import object_cache
from .compile_pool import Pool, pool_for
from .family import Family, family_of
from .interrupt import STOP, interruptible
from .kernel import Kernel, Source
from .llvm.jit import MachineCode, fingerprint, load, object_code
from .llvm.signature import signature_of, written_buffers

_ENTRY = ctypes.CFUNCTYPE(ctypes.c_int32, ctypes.c_void_p)


def compile_kernels(mod: IRModule, names: Iterable[str], target: Target, checked: bool,
                    progress: Callable[[int, int], None] | None = None) -> dict[str, Kernel]:
    """The kernels of tensor programs, by name. Raises BuildError.

    progress: is called before each step with the number of kernels that are done and of all."""
    names, done = list(names), {}
    tell = (lambda: progress(len(done), len(names))) if progress else (lambda: None)
    jobs: list[_Job] = []
    for name in names:
        tell()
        family = family_of(mod, name)
        kernel = MEMORY.find(family, target, checked)
        if kernel is not None:
            done[name] = kernel
        elif not any(job.takes(family) for job in jobs):
            jobs.append(_Job(family, target, checked))
    cold = [job for job in jobs if not job.read()]
    pool = pool_for(len(cold))
    try:
        for job in cold:
            tell()
            job.start(pool)
        for job in reversed(jobs):  # the first are being compiled elsewhere
            done |= job.finish()
            tell()
    finally:
        for job in cold:
            job.cancel()
    return {name: done[name] for name in names}


def compile_kernel(mod: IRModule, name: str, target: Target, checked: bool) -> Kernel:
    """The kernel of one tensor program."""
    return compile_kernels(mod, [name], target, checked)[name]


class Memory:
    """The kernels of this process, by what they are made from."""

    def __init__(self):
        self.kernels: dict[tuple, list[tuple[Family, Kernel]]] = {}

    def find(self, family: Family, target: Target, checked: bool) -> Kernel | None:
        """The kernel of an equal program, which speaks of this one."""
        for other, kernel in self.kernels.get((family.key, target, checked), ()):
            if family.same(other):
                return kernel.under(Source.of(family, target, checked))
        return None

    def keep(self, family: Family, kernel: Kernel, checked: bool) -> None:
        self.kernels.setdefault((family.key, kernel.target, checked), []).append((family, kernel))


MEMORY = Memory()


class _Job:
    """Programs that are equal, on their way to one machine code."""

    def __init__(self, family: Family, target: Target, checked: bool):
        self.families, self.checked = [family], checked
        self.source = Source.of(family, target, checked)
        self.place = object_cache.key(_content(self.source.part), self.source.name,
                                      str(dict(self.source.options)), fingerprint(target.cpu))
        self.code: MachineCode | None = None
        self.text = ""
        self.future: Future[bytes] | None = None

    def takes(self, family: Family) -> bool:
        """Whether a program is equal to this one; then it is made with it."""
        same = family.key == self.families[0].key and family.same(self.families[0])
        if same:
            self.families.append(family)
        return same

    def read(self) -> bool:
        """Whether there is machine code on disk."""
        body = object_cache.read(self.place)
        try:
            self.code = load(body, self.source.entry) if body is not None else None
        except BuildError:
            return False
        return self.code is not None

    def start(self, pool: Pool | None) -> None:
        """Generates the LLVM IR; another process may go on with it."""
        self.text = str(self.source.unit.module)
        if pool is not None:
            self.future = pool.submit(self.text, self.source.target.cpu)

    def finish(self) -> dict[str, Kernel]:
        """The kernels by name; waits for the machine code, or makes it here."""
        if self.code is None:
            here = self.future is None or self.future.cancel()
            body = object_code(self.text, self.source.target.cpu) if here else self.future.result()
            self.code = load(body, self.source.entry)
            object_cache.write(self.place, body)
        family, *others = self.families
        kernel = _kernel(self.source, self.code)
        MEMORY.keep(family, kernel, self.checked)
        return {family.name: kernel} | {
            f.name: kernel.under(Source.of(f, kernel.target, self.checked)) for f in others}

    def cancel(self) -> None:
        """Nobody waits for it any longer."""
        if self.future is not None:
            self.future.cancel()


def _kernel(source: Source, code: MachineCode) -> Kernel:
    run = _ENTRY(code.address)
    if STOP.encode() in code.object_code:
        run = interruptible(run)
    func = source.func
    return Kernel(source.name, func, signature_of(func), written_buffers(func), code,
                  source.target, source, run)


_SPAN = re.compile(r',?"span":\{"span":\[[-\d,]*\]\}')


def _content(part: IRModule) -> str:
    """The functions as text without the places that they were written in."""
    return "\n".join(f"{n}: {_without_spans(f.to_json())}" for n, f in part.items())


def _without_spans(text: str) -> str:
    return _SPAN.sub("", text.partition('"arrays"')[2])
