"""The reference interpreter: the definition of the language. Slow, simple, every access checked.

    interpret(mod)["main"](x, w)
"""

from .interpreter import Interpreter, interpret
from .packed import get_func, register_func

__all__ = ["Interpreter", "get_func", "interpret", "register_func"]
