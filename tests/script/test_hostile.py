"""Hostile text: one clear ParseError with a place, in bounded time, nothing executed."""

import time

import pytest

import unitylab as ul
from unitylab.ir.errors import ParseError

PROGRAM = '@T.prim_func\ndef f(A: T.Buffer((4,), "float32")):\n    A[0] = {}\n'
GRAPH = '@R.function\ndef f(x: R.Tensor((4,), "float32")):\n    y = {}\n    return y\n'
EXPRESSIONS = [
    '__import__("os").system("x")', "().__class__", "().__class__.__bases__", '"a" * 10**9',
    "1 << 10**9", "2**10**9", "2**64**9", "9**9**9", "10**400", "[x for x in range(10**9)]",
    "{x for x in range(10**9)}", "{x: x for x in range(10**9)}", "(x for x in range(10**9))",
    "(y := 3)", 'f"{1}"', "f\"{f'{1}'}\"", 'open("x")', 'exec("1")', 'eval("1")', "T.__dict__",
    "T.float32.__class__", "A.__class__", "x.__class__", "getattr(A, 'x')", "undefined",
    "(1,) * 10**9", "[0] * 10**9", "-" * 5000 + "1", "+".join(["1"] * 5000), "not " * 2000 + "1",
    "(lambda x: x(x))(lambda x: x(x))", 'float("x")', "await x", "(yield)", "1 // 0", "1 % 0",
    "1 << -1", "1.0 << 2", '"a" + 1', "{}[1]", "[1][5]", "...", 'b"x"', "1j", '~"a"', "T.exp()",
    "T.nothing(1)", "R.nothing(1)", "1 if A[0] else 2", '"%s" % ("a" * 9)', 'len("a") * 10**30',
    "9" * 100, "9" * 100_000, "T.Ramp(0, 1, 10**9)", "T.Broadcast(1.0, 10**12)", "globals()",
    "A[*x]", "f(**{})", "compile('1', '', 'eval')", "T.exp.__globals__", "1 ^ 'a'",
    '"a".format(1)', "x @ x", "R.add.__init__", "cls.__dict__", "T.sys", "R.np", "R.builtins",
    "(" * 300 + "1" + ")" * 300, "[" * 150 + "]" * 150,
]
TEXTS = [
    "", "x = 1", "import os", "@T.prim_func\ndef f(:\n", "@T.prim_func\ndef f():\n  if 1:\n x\n",
    "def f(): pass", "@evil()\ndef f(): pass", "\x00", "@T.prim_func\n\x00",
    "@T.prim_func\ndef f():\n\tT.evaluate(0)\n        T.evaluate(0)\n", "lambda: 0", "'" * 7,
    "@T.prim_func\ndef f(a): pass", "@T.prim_func\ndef f(a: 1): pass",
    "@T.prim_func\ndef f():\n    import os\n", "@T.prim_func\ndef f():\n    global x\n",
    "@T.prim_func\ndef f():\n    del x\n", "@T.prim_func\ndef f():\n    raise x\n",
    "@T.prim_func\ndef f():\n    try:\n        pass\n    finally:\n        pass\n",
    "@T.prim_func\ndef f():\n    class A:\n        pass\n",
    "@T.prim_func\ndef f():\n    for i in [1]:\n        pass\n",
    "@T.prim_func\ndef f():\n    with open('x'):\n        pass\n",
    "@R.function\ndef f():\n    while 1:\n        pass\n", "@R.function\ndef f(): pass",
    "@I.ir_module\nclass M:\n    x = __import__('os')\n", "\ud800", "π = 1",
    "@T.prim_func\ndef f():\n    match 1:\n        case 1:\n            pass\n",
    "@T.prim_func\n@T.prim_func(x=1//0)\ndef f(): pass", "async def f(): pass",
    "\n".join("@T.prim_func\ndef f(): pass" for _ in range(2)),
]
CASES = [PROGRAM.format(e) for e in EXPRESSIONS] + [GRAPH.format(e) for e in EXPRESSIONS
                                                    if e != "A[*x]"] + TEXTS


@pytest.mark.parametrize("text", CASES, ids=range(len(CASES)))
def test_hostile_text_is_refused(text):
    start = time.perf_counter()
    with pytest.raises(ParseError) as found:
        ul.parse(text)
    assert time.perf_counter() - start < 2
    assert str(found.value).strip()
