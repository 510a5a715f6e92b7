"""Object code on disk: another process reads it; torn, foreign and old entries do no harm."""

import os
import subprocess
import sys

import numpy as np
import pytest

from unitylab.exec import compiling, object_cache
from unitylab.exec.build import build
from unitylab.exec.llvm.trampoline import trampoline
from unitylab.ir.errors import BoundsError
from unitylab.script import parse

PROGRAM = """
@T.prim_func
def f(A: T.Buffer((8,), "int32"), B: T.Buffer((8,), "int32")):
    for i in range(8):
        with T.block("gather"):
            B[i] = A[A[i]]
"""
RUN = f"""
import numpy as np
from unitylab.exec import kernel
from unitylab.exec.build import build
from unitylab.exec.llvm.trampoline import trampoline
from unitylab.script import parse
def forbidden(*args, **kwargs):
    raise AssertionError("compiled although it is in the cache")
kernel.emit_unit = forbidden
out = np.empty(8, "int32")
build(parse('''{PROGRAM}'''))["f"](np.arange(8, dtype="int32")[::-1].copy(), out)
print(out.tolist())
"""


@pytest.fixture
def place(tmp_path, monkeypatch):
    trampoline()  # code of its own, made once a process
    monkeypatch.setenv("UNITYLAB_CACHE_DIR", str(tmp_path))
    monkeypatch.setattr(compiling, "MEMORY", compiling.Memory())
    return object_cache.folder()


def run_in_new_process():
    return subprocess.run([sys.executable, "-c", RUN], capture_output=True, text=True,
                          check=False)


def test_another_process_reads_what_one_wrote(place):
    build(parse(PROGRAM))
    other = run_in_new_process()
    assert other.stdout.split() == str(list(range(8))).split(), other.stderr


def test_places_in_the_text_and_comments_do_not_count(place):
    build(parse(PROGRAM))
    build(parse("# moved\n\n\n" + PROGRAM))
    assert len(list(place.iterdir())) == 1


@pytest.mark.parametrize("damage", [lambda raw: raw[:-9], lambda raw: b"foreign", lambda raw: b"",
                                    lambda raw: raw[:-1] + bytes([raw[-1] ^ 1])])
def test_broken_entries_are_written_anew(place, damage, monkeypatch):
    build(parse(PROGRAM))
    entry, = place.iterdir()
    whole = entry.read_bytes()
    entry.write_bytes(damage(whole))
    monkeypatch.setattr(compiling, "MEMORY", compiling.Memory())
    build(parse(PROGRAM))
    assert entry.read_bytes() == whole


def test_an_entry_under_the_name_of_another_is_not_taken(place):
    object_cache.write("one", b"code")
    os.rename(place / "one.object", place / "two.object")
    assert object_cache.read("one") is None and object_cache.read("two") is None


def test_code_from_the_cache_explains_its_errors(place, monkeypatch):
    build(parse(PROGRAM))
    monkeypatch.setattr(compiling, "MEMORY", compiling.Memory())
    again = build(parse("\n\n" + PROGRAM))
    with pytest.raises(BoundsError, match=r":8:.*index 8 .*'A'.*block 'gather'"):
        again["f"](np.full(8, 8, "int32"), np.empty(8, "int32"))
    assert "define" in again.source("llvm") and "f.entry" in again.source("asm")


def test_options_have_entries_of_their_own(place):
    for options in ({}, {"checked": False}, {"target": "native -threads=1"}):
        build(parse(PROGRAM), **options)
    assert len(list(place.iterdir())) == 3 - (os.cpu_count() == 1)


def test_the_oldest_entries_go_first(place):
    for k in range(4):
        object_cache.write(f"n{k}", bytes(1000))
        os.utime(place / f"n{k}.object", (k, k))
    object_cache.read("n0")
    object_cache.evict(place, 2500)
    assert sorted(p.name for p in place.iterdir()) == ["n0.object", "n3.object"]


def test_off_and_folders_that_cannot_be_used(monkeypatch, tmp_path):
    (tmp_path / "file").write_text("")
    for value in ("off", str(tmp_path / "file")):
        monkeypatch.setenv("UNITYLAB_CACHE_DIR", value)
        monkeypatch.setattr(compiling, "MEMORY", compiling.Memory())
        assert object_cache.folder() is None
        build(parse(PROGRAM))


@pytest.mark.skipif(not hasattr(os, "getuid"), reason="needs POSIX permissions")
def test_a_folder_that_others_can_write_to_is_not_trusted(monkeypatch, tmp_path):
    (tmp_path / "objects").mkdir()
    (tmp_path / "objects").chmod(0o777)
    monkeypatch.setenv("UNITYLAB_CACHE_DIR", str(tmp_path))
    assert object_cache.folder() is None
