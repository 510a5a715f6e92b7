"""Lines of machine code know the line of the script that they come from."""

import re

import pytest

import unitylab as ul
from unitylab.exec.hot_loop import loops
from unitylab.ir.errors import BuildError

PROGRAM = """
@I.ir_module
class Module:
    @T.prim_func
    def scaled(A: T.Buffer((64, 64), "float32"), B: T.Buffer((64, 64), "float32"),
               C: T.Buffer((64, 64), "float32")):
        for i, j, k in T.grid(64, 64, 64):
            with T.block("product"):
                vi, vj, vk = T.axis.remap("SSR", [i, j, k])
                with T.init():
                    C[vi, vj] = T.float32(0)
                C[vi, vj] = C[vi, vj] + A[vi, vk] * B[vk, vj]
        for i, j in T.grid(64, 64):
            with T.block("root_of"):
                vi, vj = T.axis.remap("SS", [i, j])
                C[vi, vj] = T.sqrt(C[vi, vj])
"""


@pytest.fixture(params=["as it is", "scheduled"])
def module(request):
    mod = ul.parse(PROGRAM)
    return mod if request.param == "as it is" else ul.transforms.DefaultSchedule()(mod)


def lines_of(mod, text):
    return {k for k, line in enumerate(mod.script().splitlines(), 1) if text in line}


@pytest.mark.parametrize("kind", ["asm", "llvm"])
def test_the_square_root_is_where_the_script_says_it(module, kind):
    roots = lines_of(module, "T.sqrt(")
    found = [x for x in ul.build(module).source_lines(kind, "scaled")
             if re.search(r"sqrt", x.text) and re.match(r"\s", x.text)]
    assert found and {x.line for x in found} <= roots


def test_the_products_are_hot_and_the_roots_are_not(module):
    product = lines_of(module, "] * ")
    rows = ul.build(module).source_lines("asm", "scaled")
    hot = [x for x in rows if x.hot]
    assert hot and {x.line for x in hot} & product
    assert not any("sqrt" in x.text for x in hot)
    most = [x for x in hot if x.line is not None]
    assert sum(x.line in product for x in most) > len(most) / 2


@pytest.mark.parametrize("kind", ["asm", "llvm"])
def test_debug_directives_are_gone_and_the_code_is_that_of_the_plain_listing(module, kind):
    ex = ul.build(module, target="native -threads=1")
    shown = [x.text for x in ex.source_lines(kind)]
    assert not any(re.search(r"\.loc\b|!dbg|!DI|\.Ltmp|_begin\d", t) for t in shown)
    plain = [t for t in ex.source(kind).splitlines() if ".cfi_" not in t]
    assert shown == plain


def test_looking_costs_the_build_nothing(module):
    ex = ul.build(module)
    ex.source_lines("asm")
    assert "!dbg" not in ex.source("llvm-input")


def test_a_program_that_the_module_does_not_hold_has_no_lines():
    x = """
@R.function
def main(x: R.Tensor((8,), "float32")) -> R.Tensor((8,), "float32"):
    gv: R.Tensor((8,), "float32") = R.exp(x)
    return gv
"""
    rows = ul.build(ul.parse(x)).source_lines("asm", "exp")
    assert rows and {r.line for r in rows} == {None}


def test_unknown_kinds_are_refused():
    with pytest.raises(BuildError, match="unknown kind of source 'ptx'"):
        ul.build(ul.parse(PROGRAM)).source_lines("ptx")


def test_loops_of_listings_for_x86_and_arm():
    assert loops(["f:", "\tmov", ".L1:", ".L2:", "\tadd", "\tjne\t.L2", "\tjne\t.L1"]) == [(3, 5)]
    assert loops([".L1:", "\tfadd", "\tb.ne\t.L1", "\tcbnz\tx8, .L1"]) == [(0, 3)]
    assert loops(["x:", "  %i = phi i64 [ %x, %x ]", "  br i1 %t, label %x, label %y"]) == [(0, 2)]
