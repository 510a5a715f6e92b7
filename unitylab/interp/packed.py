"""Library functions that programs call by name: `R.call_packed("name", ...)` and its kin."""

from __future__ import annotations

from collections.abc import Callable

from ..ir.errors import RuntimeCallError, UnityLabError, did_you_mean

_FUNCS: dict[str, Callable] = {}


def register_func(name: str, fn: Callable | None = None, *, override: bool = False):
    """Makes `fn` callable from programs as `name`; without `fn` a decorator.

    A function called by `call_packed` takes NumPy arrays and returns one (or a tuple);
    one called by `call_dps_packed` writes into the arrays it gets last.
    Raises UnityLabError if the name is taken, unless `override`."""
    if not isinstance(name, str):
        raise UnityLabError(f"a library function has a name, {name!r} is none",
                            hint='register_func("my.name", fn)')
    if fn is None:
        return lambda f: register_func(name, f, override=override)
    if not callable(fn):
        raise UnityLabError(f"{name!r}: a library function must be callable, not "
                            f"{type(fn).__name__}")
    if name in _FUNCS and _FUNCS[name] is not fn and not override:
        raise UnityLabError(f"a library function is called {name!r} already",
                            hint=f"register_func({name!r}, fn, override=True) replaces it")
    _FUNCS[name] = fn
    return fn


def get_func(name: str) -> Callable:
    """The registered function. Raises RuntimeCallError with near names."""
    fn = _FUNCS.get(name)
    if fn is None:
        raise RuntimeCallError(f"no library function is registered as {name!r}", hint=did_you_mean(
            name, _FUNCS, f"ul.register_func({name!r}, fn) makes a Python function known"))
    return fn
