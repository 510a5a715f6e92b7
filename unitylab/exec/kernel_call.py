"""Calls of kernels and of library functions that write into their outputs, as steps of a plan."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ..interp.interpreter import Shape
from ..ir.errors import RuntimeCallError, Span, UnityLabError
from .activation import Activation, Words, empty, fresh
from .numpy_layout import address
from .tensor_function import TensorFunction, fail
from .work import Work

Evaluate = Callable[[Activation], object]


def sourced(value: Evaluate, source) -> Evaluate:
    """`value`, saying what it gives: a slot's number, a constant array, the list of the fields of a
    tuple, or (tuple, index)."""
    value.source = source
    return value


def from_slot(slot: int) -> Evaluate:
    return sourced(lambda act: act.slots[slot], slot)


@dataclass(frozen=True)
class Output:
    """A result of the call: its shape from the sizes, and its slot if it is an internal."""

    shape: Callable
    dtype: np.dtype
    internal: int | None = None


class KernelCall:
    """`call_tir`: binds the words of a call once for each activation, then patches the addresses
    that change from call to call.

    `trusted`: the shapes of all inputs follow from the sizes at entry, so that a check at the first
    call of an activation holds for the later ones."""

    def __init__(self, function: TensorFunction, inputs: list[Evaluate], scalars: list[Evaluate],
                 outputs: list[Output], several: bool, index: int, trusted: bool,
                 fixed: list[bool]):
        self.function, self.inputs, self.scalars = function, inputs, scalars
        self.outputs, self.several, self.index, self.trusted = outputs, several, index, trusted
        self.moving = [k for k, f in enumerate(fixed) if not f]
        self.results = list(enumerate(outputs, len(inputs) + len(scalars)))
        self.fresh = [(k, o) for k, o in self.results if o.internal is None]

    def __call__(self, act: Activation):
        prepared = act.prepared[self.index] if self.trusted else None
        if prepared is None:
            return self.first(act)
        words = prepared.words
        for k in self.moving:
            array = prepared.alive[k] = self.inputs[k](act)
            words[k] = address(array)
        outs = []
        for k, output in self.results:
            if output.internal is not None:
                outs.append(act.slots[output.internal])
                continue
            array = fresh(prepared.alive[k], output.dtype)
            words[k] = address(array)
            outs.append(array)
        code = self.function.run(prepared.address)
        if code:
            fail(self.function.kernel, code, prepared.record)
        return tuple(outs) if self.several else outs[0]

    def first(self, act: Activation):
        """A call with all checks; keeps its words for the next one."""
        outs = [act.slots[o.internal] if o.internal is not None
                else empty(o.shape(act.sizes), o.dtype, self.function.name) for o in self.outputs]
        args = [f(act) for f in self.inputs] + [f(act) for f in self.scalars] + outs
        words, record, alive = self.function.binder.bind(self.function.name, args, False)
        code = self.function.run(ctypes.addressof(words))
        if code:
            fail(self.function.kernel, code, record)
        if self.trusted:
            kept = list(alive)
            for k, output in self.fresh:
                kept[k] = outs[k - len(self.inputs) - len(self.scalars)].shape
            act.prepared[self.index] = Words(words, record, kept)
        return tuple(outs) if self.several else outs[0]

    def work(self, act: Activation) -> Work:
        """The operations and bytes of the call in a state where its inputs are there."""
        return _work(self, act)


class DestinationCall:
    """`call_dps_packed` and tensor programs that are values: fresh outputs, then a Python call."""

    def __init__(self, name: str, callee: Evaluate, inputs: list[Evaluate],
                 scalars: list[Evaluate], outputs: list[Output], several: bool,
                 span: Span | None):
        self.name, self.callee, self.inputs, self.scalars = name, callee, inputs, scalars
        self.outputs, self.several, self.span = outputs, several, span

    def __call__(self, act: Activation):
        outs = [empty(o.shape(act.sizes), o.dtype, self.name) for o in self.outputs]
        args = [f(act) for f in self.inputs] + [f(act) for f in self.scalars]
        guarded(self.name, self.callee(act), [*args, *outs], self.span)
        return tuple(outs) if self.several else outs[0]


class InPlaceCall:
    """`call_tir_inplace`: output k takes the memory of a copy of input `places[k]` (-1: fresh)."""

    def __init__(self, function: TensorFunction, inputs: list[Evaluate], scalars: list[Evaluate],
                 outputs: list[Output], several: bool, places: tuple[int, ...]):
        self.function, self.inputs, self.scalars = function, inputs, scalars
        self.outputs, self.several, self.places = outputs, several, places

    def __call__(self, act: Activation):
        args = [f(act) for f in self.inputs]
        outs, fresh = [], []
        for output, place in zip(self.outputs, self.places):
            if place >= 0:
                args[place] = args[place].copy()
                outs.append(args[place])
            else:
                outs.append(empty(output.shape(act.sizes), output.dtype, self.function.name))
                fresh.append(outs[-1])
        self.function(*args, *[f(act) for f in self.scalars], *fresh)
        return tuple(outs) if self.several else outs[0]

    def work(self, act: Activation) -> Work:
        """The operations and bytes of the call; those of copying inputs do not count."""
        return _work(self, act, self.places)


@dataclass(frozen=True)
class _Shaped:
    """Stands for an array of which only the shape matters."""

    shape: tuple[int, ...]


def _work(call: KernelCall | InPlaceCall, act: Activation, places: tuple[int, ...] = ()) -> Work:
    outs = [_Shaped(o.shape(act.sizes)) for k, o in enumerate(call.outputs)
            if k >= len(places) or places[k] < 0]
    args = [f(act) for f in call.inputs] + [f(act) for f in call.scalars] + outs
    return call.function.work(args)


def guarded(name: str, fn, args, span: Span | None):
    """Calls a library function; what it raises becomes a RuntimeCallError that names it."""
    if not callable(fn):
        raise RuntimeCallError(f"{name} is called but is no function: {type(fn).__name__}",
                               span=span)
    try:
        return fn(*args)
    except UnityLabError:
        raise
    except Exception as e:
        raise RuntimeCallError(f"{name} failed: {type(e).__name__}: {e}", span=span) from e


def flat(value) -> list:
    """The fields of a tuple, or the value alone."""
    return list(value) if isinstance(value, tuple) and not isinstance(value, Shape) else [value]
