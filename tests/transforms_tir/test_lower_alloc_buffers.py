from unitylab.ir import tir
from unitylab.ir.visitor import collect
from unitylab.script import parse
from unitylab.transforms.tir.lower_alloc_buffers import LowerAllocBuffers

TEXT = """
@T.prim_func
def main(A: T.Buffer((16, 16), "float32"), B: T.Buffer((16, 16), "float32")):
    C = T.alloc_buffer((16,), "float32")
    for i in {kind}(16):
        for j in range(16):
            with T.block("fill"):
                vi, vj = T.axis.remap("SS", [i, j])
                C[vj] = A[vi, vj]
        for j in range(16):
            with T.block("use"):
                vi, vj = T.axis.remap("SS", [i, j])
                B[vi, vj] = C[15 - vj]
"""


def lowered(text: str) -> tir.Stmt:
    func = LowerAllocBuffers()(parse(text))["main"]
    assert not any(b.alloc_buffers for b in collect(func.body, tir.Block))
    return func.root.body


def test_every_iteration_of_a_parallel_loop_has_its_own():
    loop = lowered(TEXT.format(kind="T.parallel"))
    assert isinstance(loop, tir.For) and isinstance(loop.body.stmts[0], tir.AllocBuffer)


def test_a_serial_loop_shares_one():
    assert isinstance(lowered(TEXT.format(kind="range")).stmts[0], tir.AllocBuffer)


def test_what_is_read_before_it_is_written_is_shared():
    first, second = TEXT.format(kind="T.parallel").split("        for j in range(16):\n")[1:]
    swapped = TEXT.format(kind="T.parallel").replace(first, second.rstrip() + "\n", 1)
    assert isinstance(lowered(swapped).stmts[0], tir.AllocBuffer)
