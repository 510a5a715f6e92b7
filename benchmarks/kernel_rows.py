"""The kernels that are measured, each written once for us (as a graph) and once for the peers.

A peer's version is a function of an op set `o` (see `kernel_peers.py`) and the inputs. `weights`
are the inputs that a user would hold constant: peers that prepare constants (ONNX Runtime) get
them as such; we get them as arguments, and as constants in the row `name+const`."""

from __future__ import annotations

import math
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np

MODULE = """
@I.ir_module
class Module:
    @R.function
    def main({params}):
        with R.dataflow():
            {lines}
            R.output(y)
        return y
"""
CONSTANT = "+const"


@dataclass(frozen=True)
class Row:
    """`inputs`: shape and kind by name. A kind is "n" (normal), "w" (normal over the root of the
    fan-in), "i8", or "i<limit>" (indices). `flops`: of products only; `moved`: the least bytes."""

    name: str
    inputs: dict[str, tuple[tuple[int, ...], str]]
    graph: str
    peer: Callable
    out: int
    flops: int = 0
    weights: tuple[str, ...] = ()
    group: str = "kernel"
    read: int | None = None   # bytes read, where that is not all of the inputs
    constant: bool = field(default=False)

    @property
    def moved(self) -> int:
        sizes = (math.prod(s) * np.dtype(dtype(k)).itemsize for s, k in self.inputs.values())
        return (sum(sizes) if self.read is None else self.read) + 4 * self.out

    def arrays(self) -> dict[str, np.ndarray]:
        return {k: array(f"{self.name.removesuffix(CONSTANT)}/{k}", *spec)
                for k, spec in self.inputs.items()}

    def script(self) -> str:
        params = ", ".join(f'{k}: R.Tensor({s}, "{dtype(kind)}")'
                           for k, (s, kind) in self.inputs.items())
        lines = self.graph.strip().replace("\n", "\n            ")
        return MODULE.format(params=params, lines=lines)


def dtype(kind: str) -> str:
    return "int8" if kind == "i8" else "int64" if kind[0] == "i" else "float32"


def array(seed: str, shape, kind: str) -> np.ndarray:
    rng = np.random.default_rng(zlib.crc32(seed.encode()))
    if kind == "i8":
        return rng.integers(-64, 64, shape, dtype=np.int8)
    if kind[0] == "i":
        return rng.integers(0, int(kind[1:]), shape, dtype=np.int64)
    made = rng.standard_normal(shape, dtype=np.float32)
    return made / np.float32(math.sqrt(math.prod(shape[1:]))) if kind == "w" else made


def _matmul(m: int, k: int, n: int, *batch: int, group="kernel") -> Row:
    name = "matmul_" + (str(m) if m == k == n else "x".join(map(str, (*batch, m, k, n))))
    times = math.prod(batch)
    return Row(name, {"a": ((*batch, m, k), "n"), "b": ((*batch, k, n), "n")}, "y = R.matmul(a, b)",
               lambda o, a, b: o.matmul(a, b), times * m * n, 2 * times * m * k * n, group=group)


def _conv(c: int, h: int, f: int, r: int, stride=1, pad=0, groups=1, group="kernel") -> Row:
    to = (h + 2 * pad - r) // stride + 1
    kind = "conv" if groups == 1 else "dwconv"
    return Row(f"{kind}_{c}x{h}_{r}x{r}" + (f"s{stride}" if stride > 1 else "") + f"_{f}",
               {"x": ((1, c, h, h), "n"), "w": ((f, c // groups, r, r), "w")},
               f"y = R.nn.conv2d(x, w, strides={stride}, padding={pad}, groups={groups})",
               lambda o, x, w: o.conv2d(x, w, stride, pad, groups), f * to * to,
               2 * f * to * to * c // groups * r * r, ("w",), group)


def _attention(heads: int, length: int, size: int) -> Row:
    factor = 1 / math.sqrt(size)
    return Row(f"attention_{heads}h_{length}x{size}",
               {x: ((1, heads, length, size), "n") for x in "qkv"},
               f"""
kt = R.permute_dims(k, axes=[0, 1, 3, 2])
s = R.matmul(q, kt)
t = R.multiply(s, R.const({factor}, "float32"))
p = R.nn.softmax(t, axis=-1)
y = R.matmul(p, v)""", lambda o, q, k, v: o.attention(q, k, v), heads * length * size,
               4 * heads * length * length * size)


def _rows(name: str, graph: str, peer: Callable, *inputs, out: int, **more) -> Row:
    return Row(name, dict(zip("xwb", inputs)), graph, peer, out, **more)


SQUARE, WIDE, VECTOR = ((4096, 4096), "n"), ((4096, 1024), "n"), ((1024,), "n")
KERNELS = (
    _rows("tiny_add_16", "y = R.add(x, w)", lambda o, x, w: x + w, ((16,), "n"), ((16,), "n"),
          out=16),
    *(_matmul(n, n, n) for n in (128, 512, 1024, 2048)),
    _matmul(1, 4096, 4096), _matmul(16, 4096, 4096), _matmul(128, 64, 128, 12),
    Row("matmul_i8_512", {x: ((512, 512), "i8") for x in "ab"},
        "y = R.matmul(a, b, out_dtype='int32')", lambda o, a, b: o.matmul_i8(a, b), 512 * 512,
        2 * 512**3),
    _rows("softmax_4096x1024", "y = R.nn.softmax(x, axis=-1)", lambda o, x: o.softmax(x), WIDE,
          out=1 << 22),
    _rows("layernorm_4096x1024", "y = R.nn.layer_norm(x, w, b, axes=[-1], epsilon=1e-5)",
          lambda o, x, w, b: o.layer_norm(x, w, b), WIDE, VECTOR, VECTOR, out=1 << 22),
    _rows("gelu_chain_16M", "y = R.add(R.nn.gelu(R.add(R.multiply(x, w), b)), x)",
          lambda o, x, w, b: o.gelu(x * w + b) + x, SQUARE, SQUARE, SQUARE, out=1 << 24),
    _rows("sum_axis0_4096", "y = R.sum(x, axis=[0])", lambda o, x: o.sum(x, 0), SQUARE, out=4096),
    _rows("sum_axis1_4096", "y = R.sum(x, axis=[1])", lambda o, x: o.sum(x, 1), SQUARE, out=4096),
    _rows("transpose_4096", "y = R.permute_dims(x, axes=[1, 0])",
          lambda o, x: o.transposed(x, (1, 0)), SQUARE, out=1 << 24),
    _conv(64, 56, 64, 3, 1, 1), _conv(3, 224, 64, 7, 2, 3), _conv(144, 56, 144, 3, 1, 1, 144),
    _attention(12, 128, 64), _attention(12, 1024, 64),
)
BLOCKS = (
    Row("linear_bias_gelu_128x768x3072",
        {"x": ((128, 768), "n"), "w": ((3072, 768), "w"), "b": ((3072,), "n")},
        "y = R.nn.gelu(R.linear(x, w, b))", lambda o, x, w, b: o.gelu(o.linear(x, w, b)),
        128 * 3072, 2 * 128 * 768 * 3072, ("w", "b"), "block"),
    Row("mlp_128x768x3072x768",
        {"x": ((128, 768), "n"), "w1": ((3072, 768), "w"), "b1": ((3072,), "n"),
         "w2": ((768, 3072), "w"), "b2": ((768,), "n")},
        "h = R.nn.gelu(R.linear(x, w1, b1))\ny = R.linear(h, w2, b2)",
        lambda o, x, w1, b1, w2, b2: o.linear(o.gelu(o.linear(x, w1, b1)), w2, b2),
        128 * 768, 4 * 128 * 768 * 3072, ("w1", "b1", "w2", "b2"), "block"),
)
# shapes and patterns beside those, so that nothing is fitted to the list
MORE = tuple(replace(r, group="more") for r in (
    _matmul(127, 129, 131), _matmul(1000, 17, 300), _matmul(4, 768, 3072),
    _conv(64, 56, 256, 1), _conv(256, 14, 256, 3, 1, 1), _conv(256, 56, 512, 1, 2),
    _attention(8, 197, 80), _attention(16, 77, 32),
    _rows("rmsnorm_4096x1024", "y = R.nn.rms_norm(x, w, axes=[-1], epsilon=1e-5)",
          lambda o, x, w: o.rms_norm(x, w), WIDE, VECTOR, out=1 << 22),
    _rows("copy_4096", "y = R.add(x, R.const(0.0, 'float32'))", lambda o, x: o.copy(x), SQUARE,
          out=1 << 24),
    _rows("permute_heads", "y = R.permute_dims(x, axes=[0, 2, 1, 3])",
          lambda o, x: o.transposed(x, (0, 2, 1, 3)), ((8, 512, 12, 64), "n"), out=3 << 20),
    _rows("concat_4096", "y = R.concat((x, w), axis=1)", lambda o, x, w: o.concat((x, w), 1), WIDE,
          ((4096, 512), "n"), out=6 << 20),
    _rows("pad_64x224", "y = R.nn.pad(x, pad_width=[0, 0, 0, 0, 1, 1, 1, 1])",
          lambda o, x: o.pad(x), ((1, 64, 224, 224), "n"), out=64 * 226 * 226),
    _rows("maxpool_64x112", "y = R.nn.max_pool2d(x, pool_size=[3, 3], strides=[2, 2], "
          "padding=[1, 1, 1, 1])", lambda o, x: o.max_pool(x), ((1, 64, 112, 112), "n"),
          out=64 * 56 * 56),
    _rows("avgpool_64x112", "y = R.nn.avg_pool2d(x, pool_size=[2, 2], strides=[2, 2])",
          lambda o, x: o.avg_pool(x), ((1, 64, 112, 112), "n"), out=64 * 56 * 56),
    _rows("global_avgpool", "y = R.mean(x, axis=[2, 3], keepdims=True)",
          lambda o, x: o.global_mean(x), ((1, 2048, 7, 7), "n"), out=2048),
    _rows("take_16k", "y = R.take(x, w, axis=0)", lambda o, x, w: o.take(x, w),
          ((30522, 384), "n"), ((16384,), "i30522"), out=16384 * 384, read=16384 * 384 * 4),
    _rows("argmax_4096", "y = R.argmax(x, axis=1)", lambda o, x: o.argmax(x), SQUARE, out=8192),
    _rows("cumsum_4096x1024", "y = R.cumsum(x, axis=1)", lambda o, x: o.cumsum(x), WIDE,
          out=1 << 22),
))


def _constant(row: Row) -> Row:
    return replace(row, name=row.name + CONSTANT, constant=True, group="constant weights")


ROWS: dict[str, Row] = {r.name: r for row in (*KERNELS, *BLOCKS, *MORE)
                        for r in ((row, _constant(row)) if row.weights else (row,))}
