"""`Schedule.replace_blocks`: what may stand in the place of blocks, and what is refused."""

import pytest
from schedule_programs import assert_same_results

import unitylab as ul
from unitylab.ir import te
from unitylab.ir.errors import ScheduleError
from unitylab.ir.tir import AllocBuffer, BufferStore, decl_buffer, seq
from unitylab.schedule.rules.loops import loop


def program():
    """B = A + 1; C = B * 2."""
    A = te.placeholder((8,), "float32", name="A")
    B = te.compute((8,), lambda i: A[i] + 1.0, name="B")
    C = te.compute((8,), lambda i: B[i] * 2.0, name="C")
    return te.create_prim_func([A, C], "main")


def parts():
    sch = ul.Schedule(program())
    blocks = [sch.get(sch.get_block(n)) for n in "BC"]
    func = sch.mod["main"]
    return sch, blocks, func.params[0], func.params[1], blocks[0].writes[0].buffer


def store(target, value):
    return loop("i", 8, lambda i: BufferStore(target, value(i), (i,)), dtype="int32")


def test_both_blocks_and_what_lay_between():
    sch, blocks, a, c, _ = parts()
    own = decl_buffer((8,), "float32", "own")
    new = seq(AllocBuffer(own), store(own, lambda i: a[i] + 1.0),
              store(c, lambda i: own[i] * 2.0))
    handle = sch.handle_of(blocks[0])
    sch.replace_blocks(blocks, new, by="my rule")
    assert not sch.mod["main"].root.alloc_buffers
    assert_same_results(program(), sch.mod["main"])
    with pytest.raises(ScheduleError, match="my rule consumed it"):
        sch.get(handle)


def test_one_block_leaves_the_other():
    sch, blocks, a, _, b = parts()
    sch.replace_blocks(blocks[:1], store(b, lambda i: 1.0 + a[i]), by="my rule")
    assert sch.get(sch.get_block("C")) and len(sch.mod["main"].root.alloc_buffers) == 1
    assert_same_results(program(), sch.mod["main"])


@pytest.mark.parametrize("which, make, why", [
    (slice(0, 1), lambda a, b, c: store(c, lambda i: a[i]), "does not write 'B'"),
    (slice(0, 1), lambda a, b, c: seq(store(b, lambda i: a[i]), store(c, lambda i: a[i])),
     "writes 'C'"),
    (slice(0, 2), lambda a, b, c: store(c, lambda i: b[i]), "uses the buffer 'B'"),
    (slice(0, 2), lambda a, b, c: store(decl_buffer((8,), "float32", "X"), lambda i: a[i]),
     "uses the buffer 'X'")])
def test_refused(which, make, why):
    sch, blocks, a, c, b = parts()
    before = sch.mod
    with pytest.raises(ScheduleError, match=why):
        sch.replace_blocks(blocks[which], make(a, b, c), by="my rule")
    assert sch.mod is before


def test_blocks_that_share_a_loop():
    sch, blocks, a, c, b = parts()
    sch.reverse_compute_at(sch.get_block("C"), sch.get_loops(sch.get_block("B"))[0])
    block = sch.get(sch.get_block("B"))
    with pytest.raises(ScheduleError, match="shares its loops"):
        sch.replace_blocks([block], store(b, lambda i: a[i]), by="my rule")
