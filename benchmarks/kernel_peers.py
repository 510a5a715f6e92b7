"""What runs the rows of `kernel_rows.py`: `PEERS[name](row, threads) -> callable`.

A library that is not installed, or cannot do a row, raises `Skip`. Run as a script this is the
worker of `kernels.py`: one library in one process, which answers lines of JSON."""

from __future__ import annotations

import ctypes
import importlib.util
import json
import os
import sys
from collections.abc import Callable
from functools import cache
from time import perf_counter, sleep

import numpy as np
from kernel_rows import ROWS, Row

PEERS: dict[str, Callable] = {}
EPSILON = np.float32(1e-5)


class Skip(Exception):
    """Why a peer has no time for a row."""


def peer(make: Callable) -> Callable:
    PEERS[make.__name__.strip("_")] = make
    return make


@peer
def ours(row: Row, threads: int) -> Callable:
    """Through the default pipeline; the constants of a `+const` row are bound before it."""
    import unitylab as ul
    from unitylab.schedule import DefaultSchedule
    mod, arrays = ul.parse(row.script()), row.arrays()
    if row.constant:
        weights = {k: arrays.pop(k) for k in row.weights}
        mod = ul.transforms.BindParams("main", weights)(mod)
    passes = [DefaultSchedule(threads) if isinstance(p, DefaultSchedule) else p
              for p in ul.pipelines.default]
    main = ul.build(ul.Sequential(passes)(mod), f"native -threads={threads}")["main"]
    values = list(arrays.values())
    return lambda: main(*values)


# --- NumPy ----------------------------------------------------------------------------------

class NumpyOps:
    """The op set on arrays."""

    matmul, take = staticmethod(np.matmul), staticmethod(lambda t, i: np.take(t, i, axis=0))
    sum = staticmethod(lambda x, axis: x.sum(axis=axis))
    transposed = staticmethod(lambda x, axes: np.ascontiguousarray(x.transpose(axes)))
    linear = staticmethod(lambda x, w, b: x @ w.T + b)
    copy, concat = staticmethod(np.copy), staticmethod(np.concatenate)
    argmax, cumsum = staticmethod(lambda x: x.argmax(1)), staticmethod(lambda x: x.cumsum(1))
    pad = staticmethod(lambda x: np.pad(x, ((0, 0), (0, 0), (1, 1), (1, 1))))
    global_mean = staticmethod(lambda x: x.mean((2, 3), keepdims=True))

    @staticmethod
    def matmul_i8(a, b):
        return a.astype(np.int32) @ b.astype(np.int32)

    @staticmethod
    def softmax(x):
        e = x - x.max(-1, keepdims=True)
        np.exp(e, out=e)
        e /= e.sum(-1, keepdims=True)
        return e

    @staticmethod
    def layer_norm(x, w, b):
        c = x - x.mean(-1, keepdims=True)
        c *= 1 / np.sqrt((c * c).mean(-1, keepdims=True) + EPSILON)
        c *= w
        c += b
        return c

    @staticmethod
    def rms_norm(x, w):
        return x * (1 / np.sqrt((x * x).mean(-1, keepdims=True) + EPSILON)) * w

    @staticmethod
    def gelu(x):
        try:
            from scipy.special import erf
        except ImportError:
            raise Skip("needs scipy") from None
        y = x * np.float32(0.5**0.5)
        erf(y, out=y)
        y += 1
        y *= x
        y *= np.float32(0.5)
        return y

    @classmethod
    def attention(cls, q, k, v):
        return cls.softmax(q @ k.swapaxes(-1, -2) * np.float32(q.shape[-1] ** -0.5)) @ v


def traced(row: Row, ops, *values):
    """The peer's version on an op set; what the set lacks skips the row."""
    try:
        return row.peer(ops, *values)
    except AttributeError as error:
        raise Skip(f"no {error.name or error}") from None


@peer
def numpy(row: Row, threads: int) -> Callable:
    values = list(row.arrays().values())
    return lambda: traced(row, NumpyOps, *values)


# --- PyTorch --------------------------------------------------------------------------------

def torch_ops():
    try:
        import torch
    except ImportError:
        raise Skip("not installed") from None
    F = torch.nn.functional

    class Ops:
        matmul, matmul_i8, concat = torch.matmul, torch._int_mm, torch.cat
        sum = staticmethod(lambda x, axis: x.sum(axis))
        transposed = staticmethod(lambda x, axes: x.permute(axes).contiguous())
        linear, gelu, copy = F.linear, F.gelu, torch.clone
        softmax = staticmethod(lambda x: torch.softmax(x, -1))
        layer_norm = staticmethod(lambda x, w, b: F.layer_norm(x, (x.shape[-1],), w, b, 1e-5))
        rms_norm = staticmethod(lambda x, w: F.rms_norm(x, (x.shape[-1],), w, 1e-5))
        attention = F.scaled_dot_product_attention
        conv2d = staticmethod(lambda x, w, s, p, g: F.conv2d(x, w, None, s, p, 1, g))
        pad = staticmethod(lambda x: F.pad(x, (1, 1, 1, 1)))
        max_pool = staticmethod(lambda x: F.max_pool2d(x, 3, 2, 1))
        avg_pool = staticmethod(lambda x: F.avg_pool2d(x, 2, 2))
        global_mean = staticmethod(lambda x: F.adaptive_avg_pool2d(x, 1))
        take = staticmethod(lambda t, i: t.index_select(0, i))
        argmax, cumsum = staticmethod(lambda x: x.argmax(1)), staticmethod(lambda x: x.cumsum(1))
    return torch, Ops


@peer
def torch(row: Row, threads: int, compiled: bool = False) -> Callable:
    library, ops = torch_ops()
    library.set_num_threads(threads)
    library.set_grad_enabled(False)
    values = [library.from_numpy(a) for a in row.arrays().values()]
    run = (lambda *xs: row.peer(ops, *xs))
    if compiled:
        library._dynamo.reset()
        run = library.compile(run, fullgraph=True, dynamic=False)
    return lambda: run(*values)


@peer
def inductor(row: Row, threads: int) -> Callable:
    """torch.compile: needs a C++ compiler, and seconds a row."""
    return torch(row, threads, compiled=True)


# --- ONNX Runtime ---------------------------------------------------------------------------

class OnnxOps:
    """The op set that appends nodes to a graph; values are names."""

    def __init__(self):
        self.nodes, self.constants = [], []

    def node(self, op: str, *inputs, **attrs) -> str:
        from onnx import helper
        name = f"v{len(self.nodes)}"
        self.nodes.append(helper.make_node(op, list(inputs), [name], **attrs))
        return Value(name, self)

    def constant(self, array) -> str:
        from onnx import numpy_helper
        name = f"c{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.asarray(array), name))
        return Value(name, self)

    def matmul(self, a, b): return self.node("MatMul", a, b)
    def matmul_i8(self, a, b): return self.node("MatMulInteger", a, b)
    def softmax(self, x): return self.node("Softmax", x, axis=-1)
    def gelu(self, x): return self.node("Gelu", x)
    def linear(self, x, w, b): return self.node("Gemm", x, w, b, transB=1)
    def transposed(self, x, axes): return self.node("Transpose", x, perm=axes)
    def concat(self, xs, axis): return self.node("Concat", *xs, axis=axis)
    def max_pool(self, x): return self.node("MaxPool", x, kernel_shape=[3, 3], strides=[2, 2],
                                            pads=[1] * 4)
    def avg_pool(self, x): return self.node("AveragePool", x, kernel_shape=[2, 2], strides=[2, 2])
    def global_mean(self, x): return self.node("GlobalAveragePool", x)
    def take(self, t, i): return self.node("Gather", t, i, axis=0)
    def argmax(self, x): return self.node("ArgMax", x, axis=1, keepdims=0)

    def sum(self, x, axis):
        return self.node("ReduceSum", x, self.constant(np.array([axis])), keepdims=0)

    def layer_norm(self, x, w, b):
        return self.node("LayerNormalization", x, w, b, axis=-1, epsilon=float(EPSILON))

    def conv2d(self, x, w, stride, pad, groups):
        return self.node("Conv", x, w, strides=[stride] * 2, pads=[pad] * 4, group=groups)

    def attention(self, q, k, v):
        scores = self.matmul(q, self.transposed(k, (0, 1, 3, 2)))
        factor = self.constant(np.float32(self.sizes[q][-1] ** -0.5))
        return self.matmul(self.softmax(self.node("Mul", scores, factor)), v)


class Value(str):
    """The name of a value of the graph, with arithmetic."""

    def __new__(cls, name: str, ops: OnnxOps):
        made = super().__new__(cls, name)
        made.ops = ops
        return made

    def __add__(self, other): return self.ops.node("Add", self, other)
    def __mul__(self, other): return self.ops.node("Mul", self, other)


def onnx_model(row: Row) -> bytes:
    """The row as a model, in which weights are initializers."""
    from onnx import TensorProto, helper, numpy_helper
    arrays, ops = row.arrays(), OnnxOps()
    ops.sizes = {k: a.shape for k, a in arrays.items()}
    result = traced(row, ops, *(Value(k, ops) for k in arrays))
    inputs = [helper.make_tensor_value_info(k, helper.np_dtype_to_tensor_dtype(a.dtype), a.shape)
              for k, a in arrays.items() if k not in row.weights]
    kind = TensorProto.INT32 if row.name == "matmul_i8_512" else \
        TensorProto.INT64 if row.name.startswith("argmax") else TensorProto.FLOAT
    output = helper.make_tensor_value_info(result, kind, None)
    held = [numpy_helper.from_array(arrays[k], k) for k in row.weights]
    graph = helper.make_graph(ops.nodes, "row", inputs, [output], [*held, *ops.constants])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)],
                             ir_version=9).SerializeToString()


@peer
def ort(row: Row, threads: int) -> Callable:
    try:
        import onnx  # noqa: F401
        import onnxruntime
    except ImportError:
        raise Skip("not installed") from None
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(onnx_model(row), options,
                                           providers=["CPUExecutionProvider"])
    binding, arrays = session.io_binding(), row.arrays()
    values = {k: onnxruntime.OrtValue.ortvalue_from_numpy(a) for k, a in arrays.items()
              if k not in row.weights}
    for k, v in values.items():
        binding.bind_ortvalue_input(k, v)
    binding.bind_output(session.get_outputs()[0].name)

    def run(hold=values):
        session.run_with_iobinding(binding)
        return binding.get_outputs()[0]
    return run


# --- JAX ------------------------------------------------------------------------------------

def jax_ops():
    try:
        import jax
    except ImportError:
        raise Skip("not installed") from None
    jnp, lax = jax.numpy, jax.lax

    class Ops:
        matmul, concat, copy = jnp.matmul, jnp.concatenate, jnp.copy
        sum = staticmethod(lambda x, axis: x.sum(axis=axis))
        transposed = jnp.transpose
        linear = staticmethod(lambda x, w, b: x @ w.T + b)
        softmax = staticmethod(lambda x: jax.nn.softmax(x, -1))
        gelu = staticmethod(lambda x: jax.nn.gelu(x, approximate=False))
        take = staticmethod(lambda t, i: jnp.take(t, i, axis=0, mode="clip"))
        argmax, cumsum = staticmethod(lambda x: x.argmax(1)), staticmethod(lambda x: x.cumsum(1))
        global_mean = staticmethod(lambda x: x.mean((2, 3), keepdims=True))
        pad = staticmethod(lambda x: jnp.pad(x, ((0, 0), (0, 0), (1, 1), (1, 1))))

        @staticmethod
        def matmul_i8(a, b):
            return lax.dot_general(a, b, (((1,), (0,)), ((), ())), preferred_element_type="int32")

        @staticmethod
        def layer_norm(x, w, b):
            c = x - x.mean(-1, keepdims=True)
            return c * lax.rsqrt((c * c).mean(-1, keepdims=True) + 1e-5) * w + b

        @staticmethod
        def rms_norm(x, w):
            return x * lax.rsqrt((x * x).mean(-1, keepdims=True) + 1e-5) * w

        @staticmethod
        def conv2d(x, w, s, p, g):
            return lax.conv_general_dilated(x, w, (s, s), ((p, p), (p, p)), feature_group_count=g)

        @staticmethod
        def max_pool(x):
            return lax.reduce_window(x, -jnp.inf, lax.max, (1, 1, 3, 3), (1, 1, 2, 2),
                                     ((0, 0), (0, 0), (1, 1), (1, 1)))

        @staticmethod
        def attention(q, k, v):
            scores = q @ jnp.swapaxes(k, -1, -2) * (q.shape[-1] ** -0.5)
            return jax.nn.softmax(scores, -1) @ v
    return jax, Ops


@peer
def jax(row: Row, threads: int) -> Callable:
    library, ops = jax_ops()
    values = [library.device_put(a) for a in row.arrays().values()]
    run = library.jit(lambda *xs: traced(row, ops, *xs)).lower(*values).compile()
    return lambda: library.block_until_ready(run(*values))


@peer
def numba(row: Row, threads: int) -> Callable:
    try:
        from kernel_numba import kernels
    except ImportError:
        raise Skip("not installed") from None
    run = kernels(threads).get(row.name)
    if run is None:
        raise Skip("not a natural loop")
    values = list(row.arrays().values())
    return lambda: run(*values)


# --- a plain copy ---------------------------------------------------------------------------

MOST_COPIED = 1 << 28    # bytes; rows that move more are scaled up from it
LEAST_COPIED = 1 << 20   # below it a copy measures how threads start


@peer
def copy(row: Row, threads: int) -> Callable:
    """The faster copy of the library that `kernels.py --peak` names, of as many bytes as the row
    moves; the callable returns the seconds that the library measured."""
    if row.moved < LEAST_COPIED or row.flops:
        raise Skip("not bound by memory")
    library = copy_library(os.environ["COPY_LIBRARY"])
    count = ctypes.c_long(min(row.moved, MOST_COPIED) // 8)
    factor = max(1.0, row.moved / MOST_COPIED)
    return lambda: factor * min(library.mem_secs(kind, count, ctypes.c_long(1), threads)
                                for kind in (1, 3))


@cache
def copy_library(script: str):
    """The C library, with memory for the largest row."""
    spec = importlib.util.spec_from_file_location("peak", script)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    library = module.build()
    library.mem_init(ctypes.c_long(MOST_COPIED // 8))
    return library


# --- the worker -----------------------------------------------------------------------------

def digest(value) -> dict:
    """What two results are compared by: shape, root mean square, values at some places."""
    value = np.asarray(value.numpy() if hasattr(value, "numpy") else value)
    flat = value.astype("float64").ravel()
    places = np.random.default_rng(0).integers(0, flat.size, 1024)
    return {"shape": value.shape, "size": float(np.sqrt((flat * flat).mean())),
            "values": flat[places].tolist()}


def slice_times(run: Callable, seconds: float) -> list[float]:
    times, left = [], seconds
    run()
    while len(times) < 3 or left > 0 and len(times) < 1000:
        begin = perf_counter()
        result = run()
        times.append(result if isinstance(result, float) else perf_counter() - begin)
        left -= times[-1]
    return times


def worker(name: str, threads: int) -> None:
    out = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what a library prints is no answer
    if threads == 1 and hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    run = None
    for line in sys.stdin:
        ask = json.loads(line)
        try:
            if "row" in ask:
                run, begin = None, perf_counter()
                run = PEERS[name](ROWS[ask["row"]], threads)
                built = perf_counter() - begin
                answer = {"digest": digest(run()), "build": built}
            else:
                answer = {"times": slice_times(run, ask["seconds"])}
        except Skip as why:
            answer = {"skip": str(why)}
        except Exception as error:  # noqa: BLE001  of any library: the row goes on without it
            answer = {"failed": f"{type(error).__name__}: {error}"[:300]}
        sleep(0.02)  # pools of threads that spin go to sleep before the next peer starts
        print(json.dumps(answer), file=out, flush=True)


if __name__ == "__main__":
    worker(sys.argv[1], int(sys.argv[2]))
