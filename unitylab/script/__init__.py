"""TVMScript: the printer, the parser and the namespaces `I`, `R`, `T`."""

from ..ir.errors import UnityLabError
from ..ir.node import Node
from . import ir, relax, tir
from .diagnostics import draw
from .document import Document
from .parse import parse
from .print_script import print_document, print_script
from .show import show

Node._printer = staticmethod(print_script)
Node._shower = staticmethod(show)
UnityLabError._draw = staticmethod(draw)

__all__ = ["Document", "ir", "parse", "print_document", "print_script", "relax", "tir"]
