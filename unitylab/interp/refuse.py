"""What interpreter and machine code refuse in the same words: calls with other arguments than the
function has parameters."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from ..ir.errors import RuntimeCallError


def refuse_names(function: str, named: Collection[str]) -> None:
    """Raises RuntimeCallError for arguments given by name."""
    if named:
        raise RuntimeCallError(f"{function} takes no argument by name ({', '.join(named)})",
                               hint="give the arguments in the order of the parameters")


def refuse_count(function: str, params: Sequence[str], args: Sequence) -> None:
    """Raises RuntimeCallError for more or fewer arguments than parameters."""
    if len(args) != len(params):
        raise RuntimeCallError(f"{function} takes {len(params)} arguments ({', '.join(params)}), "
                               f"{len(args)} given")


def read_only(what: str) -> RuntimeCallError:
    """The error for an array that is written to but must not be."""
    return RuntimeCallError(f"{what} is written to, but the array is read-only",
                            hint="pass a writable array, e.g. np.empty(...)")
