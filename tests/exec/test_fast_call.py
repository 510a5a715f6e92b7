"""Calls through machine code: the same results and errors, references counted, nothing kept."""

import gc
import subprocess
import sys
import threading
import weakref

import numpy as np
import pytest

import unitylab as ul
from unitylab.exec import fast_call, numpy_layout
from unitylab.exec.llvm import trampoline
from unitylab.ir.errors import BoundsError, RuntimeCallError

pytestmark = pytest.mark.skipif(not numpy_layout.new_array(), reason="layouts are not known here")

TWO = """
@I.ir_module
class Module:
    @R.function
    def main(x: R.Tensor((4, 8), "float32"), y: R.Tensor((8,), "float32")):
        with R.dataflow():
            a = R.add(x, y)
            b = R.multiply(a, R.const(2.0, "float32"))
            c = R.sum(b, axis=[1])
            R.output(b, c)
        return (b, c)
"""
ADD = """
@R.function
def main(x: R.Tensor((16,), "float32"), y: R.Tensor((16,), "float32")):
    z = R.add(x, y)
    return z
"""
GATHER = """
@T.prim_func
def gather(i: T.Buffer((4,), "int32"), x: T.Buffer((8,), "float32"),
           y: T.Buffer((4,), "float32")):
    for k in range(4):
        y[k] = x[i[k]]
"""


def built(text: str, passes=()):
    mod = ul.parse(text)
    for p in passes:
        mod = p(mod)
    return ul.build(mod, "native -threads=1")


def floats(*shape) -> np.ndarray:
    return np.random.default_rng(len(shape)).standard_normal(shape, dtype=np.float32)


def slow_calls(function, monkeypatch) -> list:
    """Counts the calls that leave machine code."""
    calls, kind = [], type(function)
    slow = kind.slow

    def counted(self, *args):
        calls.append(args)
        return slow(self, *args)
    monkeypatch.setattr(kind, "slow", counted)
    return calls


def test_the_second_call_stays_in_machine_code(monkeypatch):
    f, x, y = built(ADD)["main"], floats(16), floats(16)
    calls = slow_calls(f, monkeypatch)
    results = [f(x, y) for _ in range(50)]
    assert len(calls) == 1
    assert all(np.array_equal(r, x + y) for r in results)
    assert len({r.ctypes.data for r in results}) == 50  # each result has memory of its own
    assert all(type(r) is np.ndarray and r.flags.owndata and r.flags.writeable for r in results)


def test_several_kernels_and_results(monkeypatch):
    f, x, y = built(TWO)["main"], floats(4, 8), floats(8)
    calls = slow_calls(f, monkeypatch)
    for k in range(4):
        b, c = f(x + k, y)
        np.testing.assert_allclose(b, (x + k + y) * 2, rtol=1e-6)
        np.testing.assert_allclose(c, ((x + k + y) * 2).sum(1), rtol=1e-5)
    assert len(calls) == 1


def test_an_argument_is_the_result(monkeypatch):
    f = built("""
@R.function
def main(x: R.Tensor((3,), "float32"), y: R.Tensor((3,), "float32")):
    z = R.add(x, y)
    return (y, z, y)
""")["main"]
    x, y = floats(3), floats(3)
    calls = slow_calls(f, monkeypatch)
    f(x, y)
    before = sys.getrefcount(y)
    a, b, c = f(x, y)
    assert a is y and c is y and np.array_equal(b, x + y) and len(calls) == 1
    del a, b, c
    assert sys.getrefcount(y) == before


def test_references_are_counted():
    f, x, y = built(TWO)["main"], floats(4, 8), floats(8)
    f(x, y)
    kept = [x, y, x.dtype, None, np.ndarray]
    gc.collect()  # what older tests left holds None many times
    before = [sys.getrefcount(k) for k in kept]
    results = [f(x, y) for _ in range(500)]
    alive = weakref.ref(results[0][0])
    count, of_numpy = sys.getrefcount(results[7][1]), sys.getrefcount(y + 1)
    assert count == of_numpy + 1  # the tuple's
    del results
    assert alive() is None
    after = [sys.getrefcount(k) for k in kept]
    assert all(abs(a - b) < 250 for a, b in zip(after, before))  # of 500 calls


def test_arguments_are_not_kept():
    f = built(ADD)["main"]
    x, y = floats(16), floats(16)
    gone = weakref.ref(x)
    f(x, y)
    f(x, y)
    del x
    assert gone() is None


def test_executables_are_freed():
    f, x = built(ADD)["main"], floats(16)
    f(x, x)
    f(x, x)
    gone = weakref.ref(f)
    del f
    gc.collect()
    assert gone() is None


@pytest.mark.parametrize("bad, words", [
    (lambda x: x[:8], "dimension 0 is 8, 16 expected"),
    (lambda x: x.astype("float64"), "dtype float64, float32 expected"),
    (lambda x: x.reshape(4, 4), "2 dimensions"),
    (lambda x: x.astype(">f4"), "dtype >f4"),
    (lambda x: None, "must be a tensor"),
    (lambda x: "x", "must be a tensor"),
])
def test_errors_are_those_of_the_first_call(bad, words):
    f, x = built(ADD)["main"], floats(16)
    for _ in range(3):
        f(x, x)
        with pytest.raises(RuntimeCallError, match=words):
            f(x, bad(x))
    with pytest.raises(RuntimeCallError, match="takes 2 arguments"):
        f(x)
    with pytest.raises(RuntimeCallError, match="takes 2 arguments"):
        f(x, x, x)
    with pytest.raises(RuntimeCallError, match="takes no argument by name .y."):
        f(x, y=x)


class _Derived(np.ndarray):
    pass


@pytest.mark.parametrize("other", [
    lambda x: np.repeat(x, 2)[::2], lambda x: np.frombuffer(bytes(1) + x.tobytes(), np.uint8)[1:]
    .view(np.float32), lambda x: x.view(_Derived), lambda x: np.ma.array(x),
    lambda x: x[::-1][::-1], lambda x: np.broadcast_to(x, (2, 16))[1]])
def test_unusual_arrays_give_the_same(other):
    f, x = built(ADD)["main"], floats(16)
    for _ in range(3):
        assert np.array_equal(f(x, other(x)), x + x)
        assert np.array_equal(f(other(x), x), x + x)


def test_many_layouts_in_turn(monkeypatch):
    f = built("""
@R.function
def main(x: R.Tensor(("n", 4), "float32")):
    n = T.int64()
    y = R.exp(x)
    z = R.add(y, x)
    return z
""")["main"]
    calls = slow_calls(f, monkeypatch)
    for turn in range(4):
        for n in (1, 2, 3, 5, 0, 7):
            x = floats(n, 4)
            np.testing.assert_allclose(f(x), np.exp(x) + x, rtol=1e-5)
    assert len(calls) == 6
    for n in range(40):
        x = floats(n, 4)
        np.testing.assert_allclose(f(x), np.exp(x) + x, rtol=1e-5)
    assert len(f._recipes) <= fast_call.MOST_RECIPES


def test_destination_passing(monkeypatch):
    ex = built(GATHER)
    f, i, x = ex["gather"], np.array([3, 0, 7, 2], np.int32), floats(8)
    calls = slow_calls(f, monkeypatch)
    for _ in range(5):
        y = np.zeros(4, np.float32)
        assert f(i, x, y) is None and np.array_equal(y, x[i])
    first = len(calls)
    assert first <= 2
    with pytest.raises(RuntimeCallError, match="shares memory"):
        f(i, x, x[2:6])
    fixed = np.zeros(4, np.float32)
    fixed.flags.writeable = False
    with pytest.raises(RuntimeCallError, match="read-only"):
        f(i, x, fixed)
    assert len(calls) == first + 2 and not fixed.any()


def test_strides_are_not_mixed_up():
    f = built("""
@T.prim_func
def copy(a: T.handle, y: T.Buffer((4,), "float32")):
    s = T.int64()
    x = T.match_buffer(a, (4,), "float32", strides=(s,))
    for k in range(4):
        y[k] = x[k]
""")["copy"]
    x, y = floats(12), np.zeros(4, np.float32)
    for step in (3, 1, 2, 1, 3, 3, 1, 1, 2, 2):
        f(x[:4 * step:step], y)
        assert np.array_equal(y, x[:4 * step:step])


def test_an_index_outside_raises_each_time():
    f, x, y = built(GATHER)["gather"], floats(8), np.zeros(4, np.float32)
    good, bad = np.arange(4, dtype=np.int32), np.array([0, 9, 1, 2], np.int32)
    for _ in range(4):
        f(good, x, y)
        with pytest.raises(BoundsError, match="index 9 is outside of dimension 0 of 'x'"):
            f(bad, x, y)


def test_a_failing_step_frees_its_results():
    f = built("""
@I.ir_module
class Module:
    @T.prim_func
    def gather(i: T.Buffer((4,), "int32"), x: T.Buffer((8,), "float32"),
               y: T.Buffer((4,), "float32")):
        for k in range(4):
            y[k] = x[i[k]]

    @R.function
    def main(i: R.Tensor((4,), "int32"), x: R.Tensor((8,), "float32")):
        cls = Module
        a = R.add(x, x)
        b = R.call_tir(cls.gather, (i, a), out_sinfo=R.Tensor((4,), "float32"))
        return (a, b)
""")["main"]
    good, bad, x = np.arange(4, dtype=np.int32), np.full(4, -1, np.int32), floats(8)
    f(good, x)
    before = sys.getrefcount(x.dtype)
    for _ in range(200):
        with pytest.raises(BoundsError, match="index -1"):
            f(bad, x)
    a, b = f(good, x)
    assert np.array_equal(b, (x + x)[:4]) and abs(sys.getrefcount(x.dtype) - before) < 20


def test_threads_share_a_function():
    f = built("""
@R.function
def main(x: R.Tensor((256, 256), "float32")):
    y = R.exp(x)
    z = R.add(y, x)
    return z
""")["main"]
    wrong = []

    def work(k: int) -> None:
        x = np.full((256, 256), k / 8, np.float32)
        for _ in range(60):
            if not np.allclose(f(x), np.exp(x) + x, rtol=1e-5):
                wrong.append(k)
    threads = [threading.Thread(target=work, args=(k,)) for k in range(6)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert not wrong


def test_a_function_that_is_called_while_it_runs():
    """The collector may run Python code when a result is made."""
    f, x = built(ADD)["main"], floats(16)
    inner = []

    class Loop:
        def __init__(self):
            self.itself = self

        def __del__(self):
            inner.append(f(x, x))
    gc.collect()
    thresholds = gc.get_threshold()
    gc.set_threshold(1)
    try:
        for _ in range(300):
            Loop()
            assert np.array_equal(f(x, x), x + x)
    finally:
        gc.set_threshold(*thresholds)
    assert len(inner) > 50 and all(np.array_equal(r, x + x) for r in inner)


def test_large_results_are_aligned():
    f = built("""
@R.function
def main(x: R.Tensor((512, 512), "float32")):
    z = R.add(x, x)
    return z
""")["main"]
    x = floats(512, 512)
    for _ in range(3):
        z = f(x)
        assert z.ctypes.data % 64 == 0 and np.array_equal(z, x + x)


def test_symbols_of_the_code_exist():
    assert all(trampoline._symbols().values())


def test_calls_without_known_layouts():
    """Where NumPy's headers are not there, all calls are Python's."""
    code = f"""
import numpy as np
np.get_include = lambda: "nowhere"
import unitylab as ul
from unitylab.exec.fast_call import FastCallable
f = ul.build(ul.parse('''{ADD}'''), "native -threads=1")["main"]
x = np.arange(16, dtype="float32")
assert all(np.array_equal(f(x, x), x + x) for _ in range(3)) and not f._recipes
try:
    f(x)
except ul.ir.errors.RuntimeCallError as e:
    print(e)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert "takes 2 arguments" in done.stdout, done.stderr


torch = pytest.importorskip("torch")


def test_tensors_of_torch(monkeypatch):
    f, x = built(ADD)["main"], floats(16)
    calls = slow_calls(f, monkeypatch)
    a, b = torch.from_numpy(x), torch.rand(16)
    for _ in range(5):
        assert np.array_equal(f(a, b), x + b.numpy())
        assert np.array_equal(f(x, b), x + b.numpy())
    fast = bool(fast_call.exporter(torch.Tensor))
    assert len(calls) == (2 if fast else 10)


@pytest.mark.parametrize("bad, words", [
    (lambda: torch.rand(16, requires_grad=True), "require"),
    (lambda: torch.rand(8), "dimension 0 is 8"),
    (lambda: torch.rand(16, dtype=torch.float64), "dtype float64"),
    (lambda: torch.empty(16, device="meta"), "cannot be read"),
])
def test_tensors_of_torch_that_do_not_fit(bad, words):
    f, a = built(ADD)["main"], torch.rand(16)
    for _ in range(3):
        f(a, a)
        with pytest.raises(RuntimeCallError, match=words):
            f(a, bad())


def test_strided_tensors_of_torch():
    f, a = built(TWO)["main"], torch.rand(8)
    for _ in range(3):
        x = torch.rand(8, 4).T
        np.testing.assert_allclose(f(x, a)[0], ((x + a) * 2).numpy(), rtol=1e-6)
        x = torch.rand(4, 8)
        np.testing.assert_allclose(f(x, a)[0], ((x + a) * 2).numpy(), rtol=1e-6)
        x = torch.rand(4, 9)[:, 1:]
        np.testing.assert_allclose(f(x, a)[0], ((x + a) * 2).numpy(), rtol=1e-6)
