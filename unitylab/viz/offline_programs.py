"""What a page without a kernel shows of tensor programs: machine code, iteration order and caches,
computed when the page is written, once for each program however many steps have it."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from time import perf_counter

from ..exec.build import whole_module
from ..exec.family import Family, family_of
from ..exec.kernel import Source
from ..exec.source_lines import code_of
from ..ir.errors import UnityLabError
from ..pipelines import legalize
from ..script import print_document
from ..session.step import Step
from ..target import parse_target
from .code_view import callers
from .loop_view import loop_order, loop_traffic

ACCESSES = 200_000  # of a run that are simulated: a kernel simulates more
STEPS = 400  # of an iteration order
MOST_BYTES = 1_200_000  # of a page, packed


class Programs:
    """`found`: for each program what is known of it, and under "why" the reasons where not.

    `seconds` bounds the time: what comes later is left out and says so."""

    def __init__(self, view, seconds: float):
        self.view, self.seconds, self.begin = view, seconds, perf_counter()
        self.found: list[dict] = []
        self.bytes = 0
        self._numbers: dict[tuple[str, ...], int] = {}

    def of(self, s: Step) -> dict[str, list]:
        """For each program of a step: its number in `found`, its last line in the script of the
        step (0 for that of an operator), and the keys of the nodes that call it."""
        whole = whole_module(s.module, parse_target(self.view.session.target), legalize)
        document = print_document(whole)
        text, calls = document.text.splitlines(), callers(self.view, s)
        places = {id(x.node): (x.line, x.end_line) for x in reversed(document.spans)}
        shown = {}
        for name, func in whole.prim_funcs.items():
            family = family_of(whole, name)
            last = places[id(func)][1]
            number = self._number(tuple(_body(text, *places[id(f)])
                                        for f in family.functions.values()))
            if number == len(self.found):
                self.found.append({"why": {}})
                lines = {k: last + 1 - a for k, (a, _) in places.items()}
                self._keep(number, "code", lambda: self._code(family, lines))
            if name in s.module:
                self._walk(number, s, name)
            shown[name] = [number, self.view.last_line(s, name), calls[name]]
        return shown

    def _number(self, text: tuple[str, ...]) -> int:
        """Programs of the same text have the same."""
        return self._numbers.setdefault(text, len(self.found))

    def _code(self, family: Family, lines: dict[int, int]) -> dict:
        """LLVM IR and assembly; lines of the script count backwards from the program's last, which
        is 1: attributes at its head come and go."""
        found = code_of(Source.of(family, parse_target(self.view.session.target), True), lines)
        return {kind: [[x.text, x.line or 0, int(x.hot)] for x in rows]
                for kind, rows in found.items()}

    def _walk(self, number: int, s: Step, name: str) -> None:
        session = self.view.session
        if "order" not in self.found[number]:
            self._keep(number, "order", lambda: loop_order(session.iteration_order(
                name, s.id, limit=STEPS)))
        if "traffic" not in self.found[number]:
            self._keep(number, "traffic", lambda: loop_traffic(
                session.simulate(name, s.id, limit=ACCESSES)))

    def _keep(self, number: int, what: str, make: Callable[[], dict]) -> None:
        found = self.found[number]
        if perf_counter() - self.begin > self.seconds or self.bytes > MOST_BYTES:
            found["why"].setdefault(what, LEFT_OUT)
            return
        try:
            value = make()
        except UnityLabError as e:
            found["why"][what] = e.message
            return
        found[what] = value
        self.bytes += len(gzip.compress(json.dumps(value).encode(), 6))


def _body(text: list[str], first: int, last: int) -> str:
    """The lines of a program without its attributes."""
    return "\n".join(x for x in text[first - 1:last] if not x.lstrip().startswith("T.func_attr("))


LEFT_OUT = "left out of this file, which would take long to write or be large; " \
    "session.to_html(path, seconds=60) gives it more time"
