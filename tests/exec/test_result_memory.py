"""Memory of results is used again, and never while somebody sees it."""

import gc

import numpy as np

import unitylab as ul
from unitylab.exec.activation import aligned_bytes, fresh
from unitylab.exec.result_memory import ResultMemory, rounded

SHAPE = (512, 512)
SIZE = 512 * 512 * 4


def take(memory):
    return memory.array(SHAPE, np.dtype("float32"), SIZE, aligned_bytes)


def place(a):
    return a.__array_interface__["data"][0]


def test_used_again_when_nobody_sees_it():
    memory = ResultMemory()
    first = take(memory)
    at = place(first)
    assert at % 64 == 0 and first.flags.writeable and first.shape == SHAPE
    del first
    assert place(take(memory)) == at


def test_not_while_a_view_lives():
    memory = ResultMemory()
    for view in (lambda a: a[3:], lambda a: a.T[:, 2], lambda a: a.view("int32")[1],
                 lambda a: memoryview(a), lambda a: a.base, lambda a: np.from_dlpack(a)):
        first = take(memory)
        at, seen = place(first), view(first)
        del first
        gc.collect()
        other = take(memory)
        assert place(other) != at
        del seen, other


def test_no_more_is_kept_than_allowed():
    memory = ResultMemory(kept_bytes=rounded(SIZE))
    some = [take(memory) for _ in range(3)]
    del some
    assert memory.waiting == rounded(SIZE)
    held = take(memory)
    assert memory.waiting == 0 and held.size


def test_pieces_are_little_larger():
    for size in (1 << 18, (1 << 20) + 1, 3 << 20, 1234567):
        assert size <= rounded(size) <= size * 1.25 + 4096


def test_bfloat16_and_results_of_calls():
    assert fresh((1024, 512), np.dtype("float16")).dtype == "float16"
    mod = ul.parse("""
@R.function
def main(x: R.Tensor((512, 512), "float32")):
    y = R.add(x, x)
    return y
""")
    run = ul.build(mod)["main"]
    x = np.ones(SHAPE, np.float32)
    first, second = np.asarray(run(x)), np.asarray(run(2 * x))
    assert (first == 2).all() and (second == 4).all()
