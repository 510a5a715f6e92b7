"""The namespace `I`: modules."""

from __future__ import annotations

from ..ir.prim import GlobalVar


def ir_module(cls=None, **options):
    """Parses the decorated class as an `IRModule`."""
    from .decorators import decorate
    return decorate(cls, options)


def module_attrs(attrs: dict) -> None:
    """Attributes of the module, inside of its class."""


def module_global_infos(infos: dict) -> None:
    """Global infos of the module, inside of its class."""


NAMES = {"GlobalVar": GlobalVar, "module_attrs": module_attrs,
         "module_global_infos": module_global_infos}
