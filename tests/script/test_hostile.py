"""Hostile text: one clear ParseError with a place, in bounded time, nothing executed."""

import re
import textwrap
import time

import pytest

import unitylab as ul
from unitylab.ir import prim
from unitylab.ir.errors import ParseError
from unitylab.ir.structural import structural_equal
from unitylab.ir.structural_hash import structural_hash

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
# statements of a tensor program, of a graph function, and of a module
STATEMENTS = [
    "for i in T.grid(4, 4):\n    A[i] = 0", "for i in T.serial():\n    A[i] = 0",
    "for i in T.serial(0, 4, 1, 1, 1):\n    A[i] = 0.0", "for i, j in T.serial(4):\n    A[i] = 0",
    "with T.block():\n    vi = T.axis.remap(\"SS\", [1])",
    "with T.block(\"b\"):\n    vi = T.axis.nothing(4, 1)", "with T.block(\"b\"):\n    T.where()",
    "with T.block(\"b\"):\n    T.reads(3)", "A[0, 0] = 1", "A[0:2, 0] = 1",
    "A = T.match_buffer(3, (4,))", "B = T.alloc_buffer()", "B = T.alloc_buffer((4,), 'float33')",
    "B = T.alloc_buffer((4,), 'float32', scope=3)\nB.nothing()", "x: T.let[T.int32] = undefined",
    "T.func_attr(3)", "T.func_attr({\"a\": f})", "T.func_attr()", "T.attr()", "T.attr(1, 2)",
    "T.launch_thread()", "T.launch_thread(3, 4)", "assert", "assert undefined, 'x'",
    "while undefined:\n    A[0] = 1", "return undefined", "A[0] = A", "A[A] = 1", "A['x'] = 1",
    "A[None] = 1", "A[0].x = 1", "A[0] += undefined", "A += 1", "x, y = 1", "x = y = 1\nA.z = 3",
    "(x, (y, z)) = (1, (2, 3))", "[x for x in A]", "A[0] = T.comm_reducer(lambda x, y: x, [1, 2])",
    "A[0] = T.comm_reducer(3, [1])", "A[0] = T.if_then_else()", "A[0] = T.Cast('nothing', 1)",
    "A[0] = T.int32('x')", "A[0] = T.float32([1])", "T.evaluate()", "T.axis.spatial(4, 0)",
    "with T.init(), T.init():\n    pass", "with T.attr(A, 'k'):\n    pass", "def g():\n    pass",
    "async def g():\n    pass", "for i in range(4):\n    break",
    "for i in range(4):\n    continue", "for i in range(4):\n    pass\nelse:\n    pass",
    "nonlocal x", "A[0] = T.Let(1, where=3)", "B = A.view('float33')", "A[0] = T.call_extern()",
    "A[0] = T.call_packed()",
]
GRAPH_STATEMENTS = [
    "y = R.match_cast(x)\nreturn y", "with R.dataflow():\n    y = R.add(x, x)\nreturn y.z",
    "with R.dataflow():\n    R.output(z)\nreturn x", "R.output(x)\nreturn undefined",
    "if x:\n    y = x\nreturn y", "y: R.Nothing = x\nreturn y",
    "y: R.Tensor((4,), 'float33') = x\nreturn y",
    "y = R.call_tir(cls.g, (x,), out_sinfo=3)\nreturn y", "y = R.call_tir()\nreturn y",
    "y = R.const([[1], [2, 3]])\nreturn y", "y = R.prim_value('a b')\nreturn z",
    "y = metadata['relax.expr.Constant'][0]\nreturn y", "y = R.matmul(x, 1 // 0)\nreturn y", "x",
    "y = R.emit_te(3)\nreturn y",
]
MODULE_STATEMENTS = [
    "I.module_attrs(3)", "I.nothing({})", "x: int = 3", "class N:\n    pass", "def f(): pass",
    "@T.prim_func\ndef f(): pass\n@T.prim_func\ndef f(): pass", "I.module_global_infos()",
]


def below(head: str, statements: list[str]) -> list[str]:
    return [head + textwrap.indent(s, "    ") + "\n" for s in statements]


CASES = [PROGRAM.format(e) for e in EXPRESSIONS] + [GRAPH.format(e) for e in EXPRESSIONS
                                                    if e != "A[*x]"] + TEXTS
CASES += below('@T.prim_func\ndef f(A: T.Buffer((4,), "float32")):\n', STATEMENTS)
CASES += below('@R.function\ndef f(x: R.Tensor((4,), "float32")):\n', GRAPH_STATEMENTS)
CASES += below("@I.ir_module\nclass M:\n", MODULE_STATEMENTS)


@pytest.mark.parametrize("text", CASES, ids=range(len(CASES)))
def test_hostile_text_is_refused(text):
    start = time.perf_counter()
    with pytest.raises(ParseError) as found:
        ul.parse(text)
    assert time.perf_counter() - start < 2
    assert re.search(r"<text>:\d+:\d+: ", str(found.value)) or not text


@pytest.mark.parametrize("depth", [450, 3000, 20_000])
def test_expressions_of_any_depth_print_and_compare(depth):
    def deep_expression():
        e = x
        for k in range(depth):
            e = prim.Mul(e + 1, x) if k % 2 else prim.Call(e.dtype, "abs", (e,))
        return e
    x = prim.Var("x", "int32")
    e = deep_expression()
    text = e.script()
    assert text.count("T.abs(") == -(-depth // 2) and text.count("(") == text.count(")")
    assert structural_equal(e, deep_expression())
    assert structural_hash(e) == structural_hash(deep_expression())
