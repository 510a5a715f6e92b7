"""Caches and reuse, against the definitions written in Python."""

from collections import OrderedDict, defaultdict

import numpy as np
import pytest

import unitylab as ul
from unitylab.script import tir as T
from unitylab.simulate import CacheLevel, caches, simulate
from unitylab.simulate.caches import read_caches
from unitylab.simulate.lru import misses, reuse_distances

LEVELS = (CacheLevel("L1", 8 * 64, 2), CacheLevel("L2", 24 * 64, 3))


def by_definition(lines, which, levels, buffers):
    found = np.zeros((len(levels), buffers), int)
    sets = [defaultdict(OrderedDict) for _ in levels]
    for line, b in zip(lines.tolist(), which.tolist()):
        for k, level in enumerate(levels):
            mine = sets[k][line % level.sets]
            hit = line in mine
            mine[line] = True
            mine.move_to_end(line)
            if len(mine) > level.ways:
                mine.popitem(last=False)
            if hit:
                break
            found[k, b] += 1
    return found


@pytest.mark.parametrize("lines", [3, 20, 200])
def test_misses_and_distances_are_those_of_the_definition(lines):
    rng = np.random.default_rng(lines)
    order = rng.integers(0, lines, 3000).astype(np.int32)
    which = rng.integers(0, 3, 3000).astype(np.int16)
    assert (misses(order, which, LEVELS, 3) == by_definition(order, which, LEVELS, 3)).all()
    stack, expected = [], []
    for x in order.tolist():
        expected.append(stack.index(x) if x in stack else -1)
        if x in stack:
            stack.remove(x)
        stack.insert(0, x)
    assert reuse_distances(order).tolist() == expected


@T.prim_func
def copy(A: T.Buffer((64, 64), "float32"), B: T.Buffer((64, 64), "float32")):
    for i, j in T.grid(64, 64):
        with T.block("B"):
            vi, vj = T.axis.remap("SS", [i, j])
            B[vi, vj] = A[vj, vi]


def test_a_transpose_misses_along_the_columns_and_once_along_the_rows():
    found = simulate(copy, levels=LEVELS)
    a, b = found.buffers
    assert (a.accesses, a.lines, a.misses) == (4096, 256, (4096, 4096))
    assert (b.accesses, b.lines, b.misses) == (4096, 256, (256, 256))
    assert (b.reads, b.writes) == (0, 4096)
    assert sum(b.reuse) == 4096 - 256 and found.misses(0) == 4352
    assert "A" in str(found) and "all accesses" in str(found)


def test_large_runs_are_cut_and_say_so():
    found = simulate(copy, limit=1000)
    assert (found.simulated, found.total) == (1000, 8192)
    assert "the first 1,000 of 8,192 accesses" in str(found)


def test_a_tile_that_fits_is_reused():
    sch = ul.Schedule(copy)
    i, j = sch.get_loops(sch.get_block("B"))
    i0, i1 = sch.split(i, [None, 16])
    sch.reorder(i0, j, i1)
    small = (CacheLevel("L1", 64 * 64, 64),)
    plain, tiled = (simulate(f, levels=small).buffers[0] for f in (copy, sch.mod["copy"]))
    assert plain.misses == (4096,) and tiled.misses == (256,)


def test_this_machine_has_caches():
    assert [c.name for c in caches()][0] == "L1"
    assert all(c.sets * c.ways * c.line == c.size for c in caches())


def test_caches_are_read_from_the_system(tmp_path):
    for k, (level, kind, size, ways) in enumerate([(1, "Data", "48K", 12), (1, "Instruction", "32K", 8),
                                                   (2, "Unified", "2M", 0)]):
        folder = tmp_path / f"index{k}"
        folder.mkdir()
        for name, value in (("level", level), ("type", kind), ("size", size),
                            ("ways_of_associativity", ways), ("coherency_line_size", 64)):
            (folder / name).write_text(f"{value}\n")
    found = read_caches(tmp_path)
    assert found == (CacheLevel("L1", 48 * 1024, 12), CacheLevel("L2", 2**21, 16))
    assert read_caches(tmp_path / "nowhere") == ()
