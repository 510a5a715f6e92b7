"""The rows that are natural loops, for Numba: `kernels(threads)[row name](*arrays)`."""

from __future__ import annotations

import math
from collections.abc import Callable

import numba as nb
import numpy as np

jit = nb.njit(parallel=True, fastmath=True)
zero, half, one = np.float32(0), np.float32(0.5), np.float32(1)
EPSILON, ROOT = np.float32(1e-5), np.float32(0.5**0.5)


@nb.njit
def tiny(x, y):
    return x + y


@jit
def softmax(x):
    y = np.empty_like(x)
    for i in nb.prange(x.shape[0]):
        m = x[i, 0]
        for j in range(x.shape[1]):
            m = max(m, x[i, j])
        s = zero
        for j in range(x.shape[1]):
            e = math.exp(x[i, j] - m)
            y[i, j] = e
            s += e
        r = one / s
        for j in range(x.shape[1]):
            y[i, j] *= r
    return y


@jit
def layer_norm(x, w, b):
    y = np.empty_like(x)
    n = x.shape[1]
    for i in nb.prange(x.shape[0]):
        s = zero
        for j in range(n):
            s += x[i, j]
        m = s / np.float32(n)
        v = zero
        for j in range(n):
            v += (x[i, j] - m) * (x[i, j] - m)
        r = one / math.sqrt(v / np.float32(n) + EPSILON)
        for j in range(n):
            y[i, j] = (x[i, j] - m) * r * w[j] + b[j]
    return y


@jit
def gelu_chain(x, w, b):
    y = np.empty_like(x)
    for i in nb.prange(x.shape[0]):
        for j in range(x.shape[1]):
            t = x[i, j] * w[i, j] + b[i, j]
            y[i, j] = half * t * (one + math.erf(t * ROOT)) + x[i, j]
    return y


@jit
def sum_rows(x):
    y = np.empty(x.shape[0], np.float32)
    for i in nb.prange(x.shape[0]):
        s = zero
        for j in range(x.shape[1]):
            s += x[i, j]
        y[i] = s
    return y


@jit
def sum_columns(x):
    y = np.zeros(x.shape[1], np.float32)
    part = x.shape[1] // 4
    for t in nb.prange(4):
        for i in range(x.shape[0]):
            for j in range(t * part, t * part + part):
                y[j] += x[i, j]
    return y


@jit
def transpose(x):
    y = np.empty((x.shape[1], x.shape[0]), np.float32)
    for bi in nb.prange(x.shape[1] // 32):
        for bj in range(x.shape[0] // 32):
            for i in range(bi * 32, bi * 32 + 32):
                for j in range(bj * 32, bj * 32 + 32):
                    y[i, j] = x[j, i]
    return y


def kernels(threads: int) -> dict[str, Callable]:
    nb.set_num_threads(threads)
    return {"tiny_add_16": tiny, "softmax_4096x1024": softmax, "layernorm_4096x1024": layer_norm,
            "gelu_chain_16M": gelu_chain, "sum_axis0_4096": sum_columns,
            "sum_axis1_4096": sum_rows, "transpose_4096": transpose}
