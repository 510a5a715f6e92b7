"""Compiling in other processes: the same code, one process for equal programs, and no harm when
a process dies, crashes, cannot start, or when this one is interrupted, forked or killed."""

import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from unitylab.exec import compile_pool, compiling, object_cache
from unitylab.exec.build import build
from unitylab.exec.compile_pool import Pool, Unusable, Worker
from unitylab.exec.llvm.jit import object_code
from unitylab.exec.llvm.trampoline import trampoline
from unitylab.ir.errors import BuildError
from unitylab.script import parse

TEXT = """
define i32 @f(ptr %p) {
  store i32 7, ptr %p
  ret i32 0
}
"""
FUNCTION = """
    @T.prim_func
    def {name}(A: T.Buffer((8,), "int32"), B: T.Buffer((8,), "int32")):
        for {var} in range(8):
            B[{var}] = A[{var}] * {factor}
"""


def module(*factors, var="i"):
    functions = [FUNCTION.format(name=f"f{k}", factor=f, var=var) for k, f in enumerate(factors)]
    return "@I.ir_module\nclass Module:" + "".join(functions)


@pytest.fixture
def fresh(monkeypatch, tmp_path):
    trampoline()  # code of its own, made once a process
    monkeypatch.setenv("UNITYLAB_CACHE_DIR", str(tmp_path))
    monkeypatch.setenv("UNITYLAB_WORKERS", "2")
    monkeypatch.setattr(compiling, "MEMORY", compiling.Memory())
    compile_pool.close()
    yield
    compile_pool.close()


@pytest.fixture
def worker():
    w = Worker()
    yield w
    w.close()


def results(ex):
    x, out = np.arange(8, dtype="int32"), np.zeros(8, "int32")
    found = []
    for f in ex.kernels.values():
        f(x, out)
        found.append(int(out[1]))
    return found


def test_the_code_is_that_of_this_process(worker):
    assert worker.compile(TEXT, "") == object_code(TEXT)
    assert worker.compile(TEXT, "x86-64-v3") == object_code(TEXT, "x86-64-v3") \
        if "x86" in os.uname().machine else True


def test_complaints_come_back(worker):
    with pytest.raises(BuildError, match="(?s)not valid.*expected instruction"):
        worker.compile("define i32 @f() { nonsense }", "")
    assert worker.compile(TEXT, "")


def test_a_module_is_compiled_by_other_processes(fresh):
    factors = list(range(2, 12))
    assert results(build(parse(module(*factors)))) == factors
    assert compile_pool._pool.workers


def test_small_modules_start_no_process(fresh):
    assert results(build(parse(module(2, 3)))) == [2, 3]
    assert compile_pool._pool is None


def test_equal_programs_are_compiled_once(fresh):
    ex = build(parse(module(5, 5, 5, 5)))
    assert results(ex) == [5] * 4 and len(list(object_cache.folder().iterdir())) == 1
    assert [k.kernel.name for k in ex.kernels.values()] == ["f0", "f1", "f2", "f3"]
    build(parse(module(5, var="other")))
    assert len(list(object_cache.folder().iterdir())) == 1


def test_off(fresh, monkeypatch):
    monkeypatch.setenv("UNITYLAB_WORKERS", "0")
    assert results(build(parse(module(2, 3, 4, 5)))) == [2, 3, 4, 5]
    assert compile_pool._pool is None


def test_a_process_that_was_killed(fresh):
    build(parse(module(2, 3, 4, 5)))
    for w in compile_pool._pool.workers:
        w.process.kill()
        w.process.wait()
    factors = [6, 7, 8, 9, 10]
    assert results(build(parse(module(*factors)))) == factors
    assert results(build(parse(module(11, 12, 13)))) == [11, 12, 13]


def script(tmp_path, monkeypatch, text):
    path = tmp_path / "worker.py"
    path.write_text(text)
    monkeypatch.setattr(Worker, "script", path)


READY = "import os, pickle, sys\npickle.dump('ready', sys.stdout.buffer)\nsys.stdout.flush()\n"


def test_a_crash_of_llvm_is_an_error(fresh, tmp_path, monkeypatch):
    script(tmp_path, monkeypatch, READY + "pickle.load(sys.stdin.buffer)\nos.abort()")
    pool = Pool(1)
    with pytest.raises(BuildError, match="LLVM crashed"):
        pool.submit(TEXT, "").result()
    assert not pool.workers and pool.usable
    pool.close()


@pytest.mark.parametrize("text", ["", "print('hello')", "raise SystemExit(1)"])
def test_where_no_process_starts_this_one_compiles(fresh, tmp_path, monkeypatch, text):
    script(tmp_path, monkeypatch, text)
    with pytest.raises(Unusable):
        Worker()
    assert results(build(parse(module(2, 3, 4, 5)))) == [2, 3, 4, 5]
    assert not compile_pool._pool.usable
    assert results(build(parse(module(6, 7, 8)))) == [6, 7, 8]


def test_without_an_interpreter_to_start(fresh, monkeypatch):
    for nothing in (None, "", "/nowhere/python"):
        monkeypatch.setattr(sys, "executable", nothing)
        with pytest.raises(Unusable):
            Worker()


@pytest.mark.skipif(not hasattr(os, "killpg"), reason="needs POSIX signals")
def test_an_interrupt_does_not_reach_the_processes(worker):
    os.kill(worker.process.pid, signal.SIGINT)
    assert os.getpgid(worker.process.pid) != os.getpgid(0)
    assert worker.compile(TEXT, "")


BUILD = f"""
import os, sys
from unitylab.exec import compile_pool
from unitylab.exec.build import build
from unitylab.script import parse
os.environ["UNITYLAB_WORKERS"], os.environ["UNITYLAB_CACHE_DIR"] = "1", "off"
build(parse('''{module(2, 3, 4, 5)}'''))
print(*[w.process.pid for w in compile_pool._pool.workers], flush=True)
"""


def is_alive(pid):
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@pytest.mark.skipif(not os.path.exists("/proc/self/stat"), reason="needs /proc")
@pytest.mark.parametrize("end", ["", "os._exit(0)", "os.kill(os.getpid(), 9)"])
def test_no_process_is_left_behind(end):
    """Also: the program comes from standard input, there is no `__main__` to import."""
    ran = subprocess.run([sys.executable, "-"], input=BUILD + end, capture_output=True, text=True,
                         check=False)
    pids = ran.stdout.split()
    assert pids, ran.stderr
    deadline = time.monotonic() + 20
    while any(map(is_alive, pids)) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not any(map(is_alive, pids)) and not ran.stderr


FORK = BUILD + f"""
pid = os.fork()
build(parse('''{module(6, 7, 8, 9)}'''))
if pid == 0:
    print("child", flush=True)
    os._exit(0)
print("parent", os.waitpid(pid, 0)[1])
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_forked_process_builds_too():
    ran = subprocess.run([sys.executable, "-W", "ignore", "-c", FORK], capture_output=True,
                         text=True, timeout=100, check=False)
    assert "child" in ran.stdout and "parent 0" in ran.stdout, ran.stderr
