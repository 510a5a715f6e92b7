from unitylab.ir.tir import AllocBuffer
from unitylab.ir.visitor import collect
from unitylab.ir.module import as_module
from unitylab.script import parse
from unitylab.transforms.tir.compact_buffers import CompactBuffers
from unitylab.transforms.tir.lower_alloc_buffers import LowerAllocBuffers
from unitylab.transforms.tir.lower_blocks import LowerBlocks

HEAD = '''
@T.prim_func
def main(x: T.Buffer((8, 16), "float32"), y: T.Buffer((8, 16), "float32")):
    e = T.alloc_buffer((8, 16))
'''


def shape(body: str) -> tuple[int, ...]:
    """The shape of `e` afterwards."""
    mod = as_module(parse(HEAD + body))
    mod = CompactBuffers()(LowerBlocks()(LowerAllocBuffers()(mod)))
    (alloc,) = collect(mod["main"].body, AllocBuffer)
    return tuple(int(s.value) for s in alloc.buffer.shape)


def test_a_buffer_of_one_row_at_a_time_holds_one_row():
    assert shape('''
    for i in range(8):
        for j in range(16):
            e[i, j] = x[i, j] + T.float32(1)
        for j in range(16):
            y[i, j] = e[i, 15 - j]
''') == (1, 16)


def test_rows_of_a_tile_stay():
    assert shape('''
    for i in range(4):
        for r, j in T.grid(2, 16):
            e[i * 2 + r, j] = x[i * 2 + r, j]
        for r, j in T.grid(2, 16):
            y[i * 2 + r, j] = e[i * 2 + r, j]
''') == (2, 16)


def test_what_a_later_iteration_reads_stays():
    assert shape('''
    for i in range(7):
        for j in range(16):
            e[i + 1, j] = x[i, j]
        for j in range(16):
            y[i, j] = e[i, j] + e[i + 1, j]
''') == (8, 16)


def test_partial_sums_over_an_outer_loop_stay():
    assert shape('''
    for i, j in T.grid(8, 16):
        e[i, j] = T.float32(0)
    for k in range(3):
        for i in range(8):
            for j in range(16):
                e[i, j] = e[i, j] + x[i, j]
    for i, j in T.grid(8, 16):
        y[i, j] = e[i, j]
''') == (8, 16)


def test_a_conditional_write_keeps_the_buffer():
    assert shape('''
    for k in range(2):
        for i in range(8):
            for j in range(16):
                if k == 0:
                    e[i, j] = x[i, j]
            for j in range(16):
                y[i, j] = e[i, j]
''') == (8, 16)
