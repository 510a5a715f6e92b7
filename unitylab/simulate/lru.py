"""Least-recently-used caches and reuse distances: tensor programs of our own, compiled like any."""

from __future__ import annotations

from functools import cache

import numpy as np

from ..exec.build import build
from ..script import tir as T
from .caches import CacheLevel

FRONT = 16  # the most recently used lines, which are searched one by one


@T.prim_func
def lru(lines: T.handle, which: T.handle, shape: T.handle, tags: T.handle, misses: T.handle):
    """misses[level, buffer] of set-associative caches; row `level` of `shape` holds the number of
    sets, of ways, and where the tags of the level begin. A miss goes on to the next level."""
    n, depth, size, buffers = T.int32(), T.int32(), T.int32(), T.int32()
    line = T.match_buffer(lines, (n,), "int32")
    owner = T.match_buffer(which, (n,), "int16")
    level_shape = T.match_buffer(shape, (depth, 3), "int32")
    tag = T.match_buffer(tags, (size,), "int32")
    missed = T.match_buffer(misses, (depth, buffers), "int32")
    level = T.alloc_buffer((1,), "int32", scope="local")
    way = T.alloc_buffer((1,), "int32", scope="local")
    first = T.alloc_buffer((1,), "int32", scope="local")
    held = T.alloc_buffer((1,), "int32", scope="local")
    old = T.alloc_buffer((1,), "int32", scope="local")
    for t in range(n):
        level[0] = 0
        while level[0] < depth:
            first[0] = level_shape[level[0], 2] + \
                line[t] % level_shape[level[0], 0] * level_shape[level[0], 1]
            held[0] = line[t]
            old[0] = -1
            way[0] = 0
            while way[0] < level_shape[level[0], 1] and old[0] != line[t]:
                old[0] = tag[first[0] + way[0]]
                tag[first[0] + way[0]] = held[0]
                held[0] = old[0]
                way[0] = way[0] + 1
            if old[0] == line[t]:
                level[0] = depth
            else:
                missed[level[0], T.cast(owner[t], "int32")] = \
                    missed[level[0], T.cast(owner[t], "int32")] + 1
                level[0] = level[0] + 1


@T.prim_func
def distances(lines: T.handle, front: T.handle, when: T.handle, tree: T.handle, out: T.handle):
    """out[t]: how many other lines were touched since the same line was, -1 the first time.

    The most recent lines stand in `front`. A line that leaves it gets the next number in `when`;
    the Fenwick tree `tree` counts the lines that left and were not touched again."""
    n, held, known, size = T.int32(), T.int32(), T.int32(), T.int32()
    line = T.match_buffer(lines, (n,), "int32")
    recent = T.match_buffer(front, (held,), "int32")
    left = T.match_buffer(when, (known,), "int32")
    count = T.match_buffer(tree, (size,), "int32")
    distance = T.match_buffer(out, (n,), "int32")
    way = T.alloc_buffer((1,), "int32", scope="local")
    carried = T.alloc_buffer((1,), "int32", scope="local")
    old = T.alloc_buffer((1,), "int32", scope="local")
    clock = T.alloc_buffer((1,), "int32", scope="local")
    alive = T.alloc_buffer((1,), "int32", scope="local")
    at = T.alloc_buffer((1,), "int32", scope="local")
    found = T.alloc_buffer((1,), "int32", scope="local")
    clock[0] = 0
    alive[0] = 0
    for t in range(n):
        carried[0] = line[t]
        old[0] = -1
        way[0] = 0
        while way[0] < held and old[0] != line[t]:
            old[0] = recent[way[0]]
            recent[way[0]] = carried[0]
            carried[0] = old[0]
            way[0] = way[0] + 1
        if old[0] == line[t]:
            distance[t] = way[0] - 1
        else:
            found[0] = -1
            if left[line[t]] > 0:
                # the lines that left after this one did, and those in front
                at[0] = left[line[t]]
                found[0] = held + alive[0]
                while at[0] > 0:
                    found[0] = found[0] - count[at[0]]
                    at[0] = at[0] - T.bitwise_and(at[0], 0 - at[0])
                at[0] = left[line[t]]
                while at[0] < size:
                    count[at[0]] = count[at[0]] - 1
                    at[0] = at[0] + T.bitwise_and(at[0], 0 - at[0])
                alive[0] = alive[0] - 1
            distance[t] = found[0]
            if carried[0] >= 0:
                clock[0] = clock[0] + 1
                left[carried[0]] = clock[0]
                at[0] = clock[0]
                while at[0] < size:
                    count[at[0]] = count[at[0]] + 1
                    at[0] = at[0] + T.bitwise_and(at[0], 0 - at[0])
                alive[0] = alive[0] + 1


@cache
def _compiled(name: str):
    return build({"lru": lru, "distances": distances}[name], "native -threads=1")[name]


def misses(lines: np.ndarray, which: np.ndarray, levels: tuple[CacheLevel, ...],
           buffers: int) -> np.ndarray:
    """How often each of `buffers` missed in each level: int32 (levels, buffers). `lines` are the
    numbers of the cache lines in order (int32), `which` says whose they are (int16)."""
    tags = [c.sets * c.ways for c in levels]
    begins = np.cumsum([0, *tags[:-1]])
    shape = np.array([[c.sets, c.ways, b] for c, b in zip(levels, begins)], np.int32)
    found = np.zeros((len(levels), buffers), np.int32)
    _compiled("lru")(lines, which, shape, np.full(sum(tags), -1, np.int32), found)
    return found


def reuse_distances(lines: np.ndarray) -> np.ndarray:
    """For each access, how many other lines were touched since the same line was; -1 for the first
    time: int32, as long as `lines` (int32, not negative)."""
    out = np.zeros(len(lines), np.int32)
    known = int(lines.max(initial=0)) + 1
    _compiled("distances")(lines, np.full(FRONT, -1, np.int32), np.zeros(known, np.int32),
                           np.zeros(len(lines) + 1, np.int32), out)
    return out
