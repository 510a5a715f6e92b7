"""Values that come from outside: what is accepted, what is checked, what the errors say."""

from __future__ import annotations

import ctypes
import struct
from collections.abc import Sequence

import numpy as np

from ..interp.refuse import read_only, refuse_count
from ..ir.dtypes import DataType
from ..ir.errors import RuntimeCallError
from ..ir.prim import PrimExpr, Var, as_int, literal
from ..ir.tir import Buffer
from ..ir.visitor import fold_substitute
from .kernel import Kernel
from .numpy_layout import address


def as_array(value, what: str) -> np.ndarray:
    """A tensor of any library on the same memory. Raises RuntimeCallError for what is none."""
    if isinstance(value, np.ndarray):
        return value
    try:
        if hasattr(value, "__array_interface__") or isinstance(value, (int, float, complex)):
            return np.asarray(value)
        if hasattr(value, "__dlpack__"):
            return _from_dlpack(value)
        if hasattr(value, "__array__"):
            return np.asarray(value)
    except Exception as e:
        raise RuntimeCallError(f"{what} cannot be read: {type(e).__name__}: {e}",
                               hint="pass a NumPy array, or a CPU tensor without gradient") from e
    raise RuntimeCallError(f"{what} must be a tensor, not {type(value).__name__}",
                           hint="pass a NumPy array or a tensor with __dlpack__")


def _from_dlpack(value) -> np.ndarray:
    """A writable view where the library gives one; DLPack's is read-only for old versions."""
    array = np.from_dlpack(value)
    if array.flags.writeable or not hasattr(value, "__array__"):
        return array
    other = np.asarray(value)
    return other if np.shares_memory(other, array) else array


def compact(array: np.ndarray) -> np.ndarray:
    """The array itself if it is contiguous and aligned, else a copy that is."""
    flags = array.flags
    return array if flags.c_contiguous and flags.aligned else np.array(array, order="C")


def scalar_bits(value, t: DataType, what: str) -> int:
    """A scalar argument as the word that a kernel reads."""
    try:
        number = np.asarray(value)
        if number.ndim or number.dtype.kind not in "biufV" and number.dtype.kind != "O":
            raise TypeError(f"{type(value).__name__} is no scalar")
        if number.dtype.kind == "f" and not t.is_float:
            raise TypeError(f"{t} expected, a float given")
        raw = number.astype(t.numpy).tobytes()
    except (TypeError, ValueError, OverflowError) as e:
        raise RuntimeCallError(f"{what} must be a scalar of dtype {t}: {e}") from e
    return struct.unpack("<q", raw.ljust(8, b"\0"))[0]


def layouts(args: Sequence) -> tuple | None:
    """What checks of arrays look at; None if one argument is no plain NumPy array."""
    for a in args:
        if type(a) is not np.ndarray:
            return None
    return tuple([(a.shape, a.strides, a.dtype, a.flags.num) for a in args])


class Accepted:
    """Words for arguments of layouts that were checked before: only the addresses are new."""

    def __init__(self, sizes: list[int], nbytes: list[int], apart: list[tuple[int, int]]):
        self.sizes = sizes
        self.apart = [(k, j, nbytes[k], nbytes[j]) for k, j in apart if nbytes[k] and nbytes[j]]
        self.idle: list[tuple] = []

    def take(self, args: Sequence):
        """(words, record, address of the words), or None if an output shares memory."""
        try:
            prepared = self.idle.pop()
        except IndexError:  # none yet, or all are in use by other threads
            record = (ctypes.c_int64 * 8)()
            words = (ctypes.c_int64 * (len(args) + len(self.sizes) + 1))(
                *[0] * len(args), *self.sizes, ctypes.addressof(record))
            prepared = words, record, ctypes.addressof(words)
        words = prepared[0]
        for place, a in enumerate(args):
            words[place] = address(a)
        for k, j, size, other in self.apart:
            distance = words[j] - words[k]
            if -other < distance < size:
                return None
        return prepared


class Binder:
    """Checks the arguments of one kernel and puts them into words."""

    def __init__(self, kernel: Kernel):
        self.kernel = kernel
        self.count = kernel.signature.words
        self.first_size = len(kernel.signature.params)
        self.only_tensors = all(isinstance(p, Buffer) for p in kernel.signature.params)
        params = kernel.signature.params
        # (written, other) parameters that must not share memory
        self.apart = [(k, j) for k in sorted(kernel.written) for j, p in enumerate(params)
                      if isinstance(p, Buffer) and j != k and p.data is not params[k].data
                      and (j not in kernel.written or j > k)]
        self.seen: dict[tuple, Accepted] = {}  # by layouts of arguments that were accepted before

    def _remember(self, args: Sequence, arrays: list, words) -> None:
        if self.only_tensors and all(a is b for a, b in zip(args, arrays)):
            key = layouts(arrays)
            if key is None:
                return
            if len(self.seen) > 64:
                self.seen.clear()
            sizes = list(words[self.first_size:self.count - 1])
            self.seen[key] = Accepted(sizes, [a.nbytes for a in arrays], self.apart)

    def bind(self, name: str, args: Sequence, exclusive: bool = True):
        """(words, record, what must stay alive). Raises RuntimeCallError.

        `exclusive`: also refuses outputs that share memory with other arguments."""
        params = self.kernel.signature.params
        refuse_count(name, [p.name for p in params], args)
        words = (ctypes.c_int64 * self.count)()
        arrays: list[np.ndarray | None] = [None] * len(params)
        bound: dict[Var, tuple[int, str]] = {}
        # scalars first: they may be dimensions
        for k in sorted(range(len(params)), key=lambda k: isinstance(params[k], Buffer)):
            p, what = params[k], f"{name}: argument {k} ({params[k].name})"
            if isinstance(p, Buffer):
                arrays[k] = self._tensor(k, p, args[k], what, bound)
                words[k] = address(arrays[k])
            else:
                words[k] = self._scalar(p, args[k], what, bound)
        self._computed_dims(name, arrays, bound)
        if exclusive:
            self._no_overlap(name, arrays, words)
        for k, source in enumerate(self.kernel.signature.sizes):
            words[self.first_size + k] = bound[source.var][0]
        record = (ctypes.c_int64 * 8)()
        words[self.count - 1] = ctypes.addressof(record)
        self._remember(args, arrays, words)
        return words, record, arrays

    def _scalar(self, p: Var, a, what: str, bound: dict) -> int:
        if p.dtype.kind == "handle":
            return 0 if a is None else address(as_array(a, what))
        bits = scalar_bits(a, p.dtype, what)
        if p.dtype.is_int:
            bound[p] = (int(np.asarray(a)), what)
        return bits

    def _tensor(self, k: int, p: Buffer, a, what: str, bound: dict) -> np.ndarray:
        array = as_array(a, what)
        element = p.dtype.element.numpy
        if array.dtype != element:
            raise RuntimeCallError(f"{what} has dtype {array.dtype}, {p.dtype.element} expected",
                                   hint=f"convert it: x.astype({str(p.dtype.element)!r})")
        shape = self._vector_shape(p, array, what) if p.dtype.lanes > 1 else array.shape
        if len(shape) != p.ndim:
            raise RuntimeCallError(f"{what} has {len(shape)} dimensions {shape}, {p.ndim} expected")
        for d, (want, have) in enumerate(zip(p.shape, shape)):
            self._dimension(want, have, d, what, bound)
        return self._layout(k, p, array, what, bound)

    @staticmethod
    def _vector_shape(p: Buffer, array: np.ndarray, what: str) -> tuple[int, ...]:
        if array.ndim == 0 or array.shape[-1] != p.dtype.lanes:
            raise RuntimeCallError(f"{what} must have a last dimension of {p.dtype.lanes}, the "
                                   f"lanes of {p.dtype}")
        return array.shape[:-1]

    @staticmethod
    def _dimension(want: PrimExpr, have: int, d: int, what: str, bound: dict) -> None:
        size = as_int(want)
        if size is not None:
            if size != have:
                raise RuntimeCallError(f"{what}: dimension {d} is {have}, {size} expected")
        elif isinstance(want, Var):
            known = bound.setdefault(want, (have, what))
            if known[0] != have:
                raise RuntimeCallError(
                    f"{what}: dimension {d} ({want.name}) is {have}, but {want.name} is {known[0]} "
                    f"from {known[1].split(': ')[-1]}")

    def _layout(self, k: int, p: Buffer, array: np.ndarray, what: str, bound: dict) -> np.ndarray:
        """The array as it lies, or a compact copy of an input."""
        output = k in self.kernel.written
        if output and not array.flags.writeable:
            raise read_only(what)
        if any(isinstance(s, Var) for s in p.strides):
            return self._strided(p, array, what, bound)
        fits = array.flags.c_contiguous and array.flags.aligned
        if p.strides:
            values = {v: literal(n, v.dtype) for v, (n, _) in bound.items()}
            want = tuple(as_int(fold_substitute(s, values)) for s in p.strides)
            have = tuple(s // array.itemsize for s in array.strides)
            fits = array.flags.aligned and (want == have or not array.size)
        if fits:
            return array
        if output or p.strides:
            raise RuntimeCallError(f"{what} has strides {array.strides} that the program does not "
                                   "accept: it must be contiguous",
                                   hint="pass a fresh array and copy the result from there" if
                                   output else "pass np.ascontiguousarray(x)")
        return np.array(array, order="C")

    @staticmethod
    def _strided(p: Buffer, array: np.ndarray, what: str, bound: dict) -> np.ndarray:
        for d, (want, have) in enumerate(zip(p.strides, array.strides)):
            step, rest = divmod(have, array.itemsize)
            if rest:
                raise RuntimeCallError(f"{what}: stride {d} is no multiple of the item size")
            Binder._dimension(want, step, d, what, bound)
        return array

    def _computed_dims(self, name: str, arrays: list, bound: dict) -> None:
        """Dimensions that are expressions of others, `n * 2`."""
        values = {v: literal(n, v.dtype) for v, (n, _) in bound.items()}
        for k, (p, array) in enumerate(zip(self.kernel.signature.params, arrays)):
            if array is None:
                continue
            for d, want in enumerate(p.shape):
                if isinstance(want, Var) or as_int(want) is not None:
                    continue
                size = as_int(fold_substitute(want, values))
                if size != array.shape[d]:
                    raise RuntimeCallError(
                        f"{name}: argument {k} ({p.name}): dimension {d} is {array.shape[d]}, "
                        f"{want.script()} = {size} expected")

        for source in self.kernel.signature.sizes:
            if source.what == "elem_offset":
                bound.setdefault(source.var, (0, ""))

    def _no_overlap(self, name: str, arrays: list, words) -> None:
        """An output must not share memory with another argument: code is made for that."""
        spans = sorted([(words[k], words[k] + a.nbytes, k) for k, a in enumerate(arrays)
                        if a is not None and a.nbytes])
        if all(spans[i][1] <= spans[i + 1][0] for i in range(len(spans) - 1)):
            return
        params = self.kernel.signature.params
        for low, high, k in spans:
            if k not in self.kernel.written:
                continue
            for low2, high2, j in spans:
                if j != k and low < high2 and low2 < high and params[j].data is not params[k].data:
                    raise RuntimeCallError(
                        f"{name}: output {params[k].name!r} shares memory with argument "
                        f"{params[j].name!r}", hint="pass an array of its own for the output")
