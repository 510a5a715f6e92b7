"""Callables whose calls go through machine code (`llvm.trampoline`) once they are known.

A `FastCallable` runs its Python function `slow`, until that has added a recipe for arguments of the
layouts that it has seen. Where the layouts of CPython or NumPy are not known, all calls are slow.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from .exchange import dtype_word, exporter, records
from .llvm import trampoline as t
from .numpy_layout import ALIGNED, C_CONTIGUOUS, WRITEABLE, new_array

MOST_RECIPES = 8  # of a callable; when there are more, it starts anew
_FLAGS, _VECTORCALL = (1 << 10) | (1 << 11), 16  # may be derived from, is called by vectorcall
_TP_CALL, _TP_MEMBERS, _SSIZE, _READ_ONLY = 50, 72, 19, 1


class _Slot(ctypes.Structure):
    _fields_ = [("slot", ctypes.c_int), ("value", ctypes.c_void_p)]


class _Spec(ctypes.Structure):
    _fields_ = [("name", ctypes.c_char_p), ("size", ctypes.c_int), ("item_size", ctypes.c_int),
                ("flags", ctypes.c_uint), ("slots", ctypes.POINTER(_Slot))]


class _Member(ctypes.Structure):
    _fields_ = [("name", ctypes.c_char_p), ("type", ctypes.c_int), ("offset", ctypes.c_ssize_t),
                ("flags", ctypes.c_int), ("doc", ctypes.c_char_p)]


class _PythonBase:
    """What `FastCallable` is where machine code cannot be called directly."""

    def __call__(self, *args):
        return self.slow(*args)


def _native_base() -> type:
    """A type whose objects have two words: the function to call, and the first recipe."""
    call = ctypes.cast(ctypes.pythonapi.PyVectorcall_Call, ctypes.c_void_p)
    members = (_Member * 2)(_Member(b"__vectorcalloffset__", _SSIZE, _VECTORCALL, _READ_ONLY, None))
    slots = (_Slot * 3)(_Slot(_TP_CALL, call),
                        _Slot(_TP_MEMBERS, ctypes.cast(members, ctypes.c_void_p)), _Slot(0, None))
    spec = _Spec(b"unitylab.exec.fast_call.NativeBase", t.RECIPES + 8, 0, _FLAGS, slots)
    make = ctypes.pythonapi.PyType_FromSpec
    make.restype, make.argtypes = ctypes.py_object, [ctypes.POINTER(_Spec)]
    made = make(ctypes.byref(spec))
    made.kept = members, slots, spec  # older versions of Python do not copy all of it
    return made


_NATIVE = new_array() != 0
_Base = _native_base() if _NATIVE else _PythonBase


@dataclass(frozen=True)
class Accept:
    """One argument that a recipe is for: a compact tensor of this type, shape and dtype; an array
    with these flags. `dtype` is the very object that the arrays have."""

    kind: type
    shape: tuple[int, ...]
    dtype: np.dtype
    flags: int

    @staticmethod
    def of(given, array: np.ndarray, written: bool = False) -> Accept | None:
        """The condition for arguments like `given`, which was read as `array`; None where machine
        code could not tell."""
        if not array.flags.c_contiguous or not array.flags.aligned:
            return None
        if type(given) is not np.ndarray and (written or not exporter(type(given))):
            return None
        return Accept(type(given), array.shape, array.dtype,
                      C_CONTIGUOUS | ALIGNED | (WRITEABLE if written else 0))

    @property
    def row(self) -> list[int]:
        native = self.kind is np.ndarray
        return [id(self.dtype), len(self.shape), 0, self.flags, id(self.kind),
                0 if native else exporter(self.kind), dtype_word(self.dtype),
                not native and records(self.kind)]

    @property
    def sizes(self) -> list[int]:
        """The shape, then the steps between elements."""
        steps = [1]
        for extent in self.shape[:0:-1]:
            steps.insert(0, steps[0] * extent)
        return [*self.shape, *steps]


@dataclass(frozen=True)
class Make:
    """One fresh result: of this shape and dtype, or what `maker()` gives."""

    shape: tuple[int, ...]
    dtype: np.dtype
    maker: Callable[[], np.ndarray] | None = None


@dataclass(frozen=True)
class Recipe:
    """A call that is known: which arguments it is for and what is done with them.

    Values are numbered: the arguments, then the fresh results. `apart`: (i, j, bytes of i, bytes of
    j) of arguments that must not share memory. `patches`: (value, address of the word that takes
    its address). `steps`: (address of the code, address of its words). `results`: values, of which
    `kind` says whether they are returned as nothing, single or a tuple. `failed(step, code)`
    raises the error. `keep_lock`: the kernels are too short to let other threads run.
    `keep`: all that must stay alive."""

    accepts: Sequence[Accept]
    makes: Sequence[Make]
    apart: Sequence[tuple[int, int, int, int]]
    patches: Sequence[tuple[int, int]]
    steps: Sequence[tuple[int, int]]
    kind: int
    results: Sequence[int]
    failed: Callable[[int, int], None]
    keep_lock: bool
    keep: object


class FastCallable(_Base):
    """Derived classes define `slow(*args)` and call `open_calls` before the first call."""

    def open_calls(self) -> None:
        """Lets calls through; without it they raise TypeError."""
        self._recipes: dict[tuple[Accept, ...], _Table] = {}
        if _NATIVE:
            self._code = t.trampoline()
            self._word(_VECTORCALL).value = self._code.address

    def _word(self, offset: int) -> ctypes.c_int64:
        return ctypes.c_int64.from_address(id(self) + offset)

    def lacks_recipe(self, accepts: Sequence[Accept | None]) -> bool:
        """Whether a recipe for such arguments could be added."""
        return _NATIVE and None not in accepts and tuple(accepts) not in self._recipes

    def add_recipe(self, recipe: Recipe) -> None:
        """Calls whose arguments fit are done in machine code from now on."""
        first = self._word(t.RECIPES)
        if len(self._recipes) >= MOST_RECIPES:
            first.value = 0
            self._recipes = {k: r for k, r in self._recipes.items() if r.words[t.BUSY]}
        table = self._recipes[tuple(recipe.accepts)] = _Table(recipe)
        table.words[t.NEXT] = first.value
        first.value = table.address


class _Table:
    """A recipe as the machine code reads it: `words`, which hold the addresses of further ones."""

    def __init__(self, r: Recipe):
        self.recipe, self.kept = r, []
        self.words = _words([0] * t.WORDS)
        self.address = ctypes.addressof(self.words)
        makes = [self._make(m) for m in r.makes]
        tables = {
            t.ARGS: [self._accept(a) for a in r.accepts],
            t.PAIRS: r.apart, t.OUTS: makes, t.PATCHES: r.patches, t.STEPS: r.steps}
        for place, rows in tables.items():
            flat = [w for row in rows for w in (*row, *[0] * (t.ROW - len(row)))]
            self.words[place], self.words[place + 1] = len(rows), self._keep(flat)
        self.words[t.RESULTS], self.words[t.RESULTS + 1] = len(r.results), self._keep(r.results)
        self.words[t.KIND], self.words[t.KEEP_LOCK] = r.kind, r.keep_lock
        self.words[t.OBJECTS] = self._keep([0] * len(makes))
        self.words[t.ADDRESSES] = self._keep([0] * (len(r.accepts) + len(makes)))
        failed = partial(_fail, r.failed, self.words)
        self.kept.append(failed)
        self.words[t.FAILED] = id(failed)

    def _keep(self, numbers: Sequence[int]) -> int:
        """The address of numbers that live as long as the table."""
        self.kept.append(_words(numbers))
        return ctypes.addressof(self.kept[-1])

    def _accept(self, a: Accept) -> list[int]:
        row = a.row
        row[2] = self._keep(a.sizes)
        return row

    def _make(self, m: Make) -> tuple[int, ...]:
        if m.maker is not None:
            return id(m.maker), -1
        return id(m.dtype), len(m.shape), self._keep(m.shape)


def _words(numbers: Sequence[int]):
    return (ctypes.c_int64 * max(1, len(numbers)))(*numbers)


def _fail(failed: Callable[[int, int], None], words) -> None:
    failed(words[t.FAILED_STEP], words[t.FAILED_CODE])
