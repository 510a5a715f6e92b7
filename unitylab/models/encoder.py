"""A transformer encoder, written with `BlockBuilder`: random weights, real structure."""

from __future__ import annotations

import math

import numpy as np

from ..ir import relax
from ..ir.block_builder import BlockBuilder
from ..ir.module import IRModule
from ..ir.prim import Var
from ..script import relax as R  # noqa: N812


def encoder(layers: int = 12, width: int = 64, heads: int = 4, hidden: int = 128,
            seed: int = 0) -> IRModule:
    """`main(x: (n, width) float32)` with `layers` layers: attention over `heads` heads, then a
    perceptron with `hidden` units, each with a residual sum and layer norm. Variables are called
    `layer0_query`, `layer0_scores`, ... Weights are constants, the length `n` is symbolic."""
    bb, n = BlockBuilder(), Var("n", "int64")
    x = relax.Var("x", R.Tensor((n, width), "float32"))
    build = _Layers(bb, n, width, heads, hidden, np.random.default_rng(seed))
    with bb.function("main", [x]):
        with bb.dataflow():
            h = x
            for k in range(layers):
                h = build.layer(f"layer{k}", h)
            out = bb.emit_output(h)
        bb.emit_func_output(out)
    return bb.get()


class _Layers:
    def __init__(self, bb, n, width, heads, hidden, random):
        self.bb, self.n, self.random = bb, n, random
        self.width, self.heads, self.hidden = width, heads, hidden

    def weight(self, *shape: int) -> np.ndarray:
        return (self.random.standard_normal(shape) / math.sqrt(shape[0])).astype("float32")

    def linear(self, name: str, x, inputs: int, outputs: int):
        product = self.bb.emit(R.matmul(x, self.weight(inputs, outputs)), f"{name}_matmul")
        return self.bb.emit(R.add(product, self.weight(outputs)), f"{name}_bias")

    def norm(self, name: str, x):
        ones, zeros = np.ones(self.width, "float32"), np.zeros(self.width, "float32")
        return self.bb.emit(R.nn.layer_norm(x, ones, zeros, axes=[-1]), name)

    def split(self, name: str, x):
        """(n, width) -> (heads, n, width / heads)"""
        shape = (self.n, self.heads, self.width // self.heads)
        apart = self.bb.emit(R.reshape(x, shape), f"{name}_split")
        return self.bb.emit(R.permute_dims(apart, [1, 0, 2]), f"{name}_heads")

    def attention(self, name: str, x):
        query, key, value = (self.split(f"{name}_{part}", self.linear(
            f"{name}_{part}", x, self.width, self.width)) for part in ("query", "key", "value"))
        turned = self.bb.emit(R.permute_dims(key, [0, 2, 1]), f"{name}_key_turned")
        scores = self.bb.emit(R.matmul(query, turned), f"{name}_scores")
        scale = np.float32(1 / math.sqrt(self.width // self.heads))
        scaled = self.bb.emit(R.multiply(scores, R.const(scale, "float32")), f"{name}_scaled")
        shares = self.bb.emit(R.nn.softmax(scaled, axis=-1), f"{name}_shares")
        mixed = self.bb.emit(R.matmul(shares, value), f"{name}_mixed")
        turned = self.bb.emit(R.permute_dims(mixed, [1, 0, 2]), f"{name}_mixed_turned")
        joined = self.bb.emit(R.reshape(turned, (self.n, self.width)), f"{name}_joined")
        return self.linear(f"{name}_output", joined, self.width, self.width)

    def layer(self, name: str, x):
        mixed = self.attention(name, x)
        h = self.norm(f"{name}_norm", self.bb.emit(R.add(x, mixed), f"{name}_sum"))
        wide = self.bb.emit(R.nn.gelu(self.linear(f"{name}_up", h, self.width, self.hidden)),
                            f"{name}_gelu")
        narrow = self.linear(f"{name}_down", wide, self.hidden, self.width)
        return self.norm(f"{name}_result", self.bb.emit(R.add(h, narrow), f"{name}_sum2"))
