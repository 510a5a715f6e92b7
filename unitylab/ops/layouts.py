"""Layouts of images and weights: "NCHW", "NHWC", "NCHW16c", "OIHW", ...

A capital letter is an axis; a number with a small letter is the inner part of that axis, split off
with this factor: in "NCHW16c" channel 20 is element (.., 1, .., .., 4)."""

from __future__ import annotations

import re
from functools import cache

import numpy as np

from ..ir.errors import StructInfoError
from ..ir.prim import PrimExpr, as_int, literal


@cache
def parts(layout: str) -> tuple[tuple[str, int], ...]:
    """(letter, factor) for each dimension; the factor is 0 for a whole axis.
    Raises StructInfoError for what is no layout."""
    found = re.findall(r"(\d*)([A-Za-z])", layout)
    if "".join(n + c for n, c in found) != layout or any(
            (c.islower() != bool(n)) or c.upper() not in layout for n, c in found):
        raise StructInfoError(f"{layout!r} is no layout", hint='"NCHW", "NHWC" or "NCHW16c"')
    return tuple((c, int(n or 0)) for n, c in found)


def axes(layout: str) -> str:
    """The capital letters in order."""
    return "".join(c for c, _ in parts(layout) if c.isupper())


def inner(layout: str) -> dict[str, int]:
    """The factor of each axis that is split."""
    return {c.upper(): n for c, n in parts(layout) if c.islower()}


def sizes(layout: str, dims) -> dict[str, PrimExpr]:
    """The size of each axis of a tensor with that layout."""
    whole = inner(layout)
    return {c: d * whole[c] if c in whole else d
            for (c, _), d in zip(parts(layout), dims) if c.isupper()}


def dims_of(layout: str, size: dict) -> tuple:
    """The shape of a tensor with that layout, given the size of each axis."""
    whole = inner(layout)
    for c, n in whole.items():
        if (as_int(size[c]) or 0) % n:
            raise StructInfoError(f"axis {c} of {layout} has size {as_int(size[c])}, which is no "
                                  f"multiple of {n}")
    return tuple(literal(n, "int64") if n else size[c] // whole[c] if c in whole else size[c]
                 for c, n in parts(layout))


def point(layout: str, at: dict) -> tuple:
    """The index of the element at a coordinate on each axis."""
    whole = inner(layout)
    return tuple(at[c.upper()] % n if n else at[c] // whole[c] if c in whole else at[c]
                 for c, n in parts(layout))


def coordinates(layout: str, index) -> dict[str, PrimExpr]:
    """The coordinate on each axis of an element of a tensor with that layout."""
    whole, at = inner(layout), {}
    for (c, n), i in zip(parts(layout), index):
        at[c] = i
    return {c: at[c] * n + at[c.lower()] if (n := whole.get(c)) else at[c]
            for c in axes(layout)}


def to_plain(x: np.ndarray, layout: str, plain: str) -> np.ndarray:
    """The array with its whole axes in the order `plain`."""
    place = {c: k for k, (c, _) in enumerate(parts(layout))}
    order = [k for c in plain for k in ((place[c], place[c.lower()]) if c.lower() in place
                                        else (place[c],))]
    size = [as_int(v) for v in sizes(layout, [literal(s, "int64") for s in x.shape]).values()]
    by_axis = dict(zip(axes(layout), size))
    return x.transpose(order).reshape([by_axis[c] for c in plain])


def from_plain(x: np.ndarray, plain: str, layout: str) -> np.ndarray:
    """The reverse of `to_plain`."""
    whole, split, names = inner(layout), [], []
    for c, s in zip(plain, x.shape):
        split += [s // whole[c], whole[c]] if c in whole else [s]
        names += [c, c.lower()] if c in whole else [c]
    order = [names.index(c) for c, _ in parts(layout)]
    return np.ascontiguousarray(x.reshape(split).transpose(order))


def check_ndim(what: str, layout: str, ndim: int, span=None) -> None:
    """Raises StructInfoError if a tensor has not the dimensions of its layout."""
    want = len(parts(layout))
    if ndim not in (-1, want):
        raise StructInfoError(f"{what} has {ndim} dimensions, {want} expected ({layout})",
                              span=span)
