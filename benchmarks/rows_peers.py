"""What the memory-bound rows run on other libraries: `PEERS[row][peer](arrays) -> callable`.

A library that is not installed has no peers."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

PEERS: dict[str, dict[str, Callable]] = {}


def peer(row: str, name: str):
    def keep(make):
        PEERS.setdefault(row, {})[name] = make
        return make
    return keep


# --- NumPy ----------------------------------------------------------------------------------

def _numpy(row: str, run: Callable) -> None:
    PEERS.setdefault(row, {})["numpy"] = lambda a: lambda: run(*a)


def _softmax(x):
    e = x - x.max(-1, keepdims=True)
    np.exp(e, out=e)
    e /= e.sum(-1, keepdims=True)
    return e


def _layer_norm(x, g, b):
    c = x - x.mean(-1, keepdims=True)
    c *= 1 / np.sqrt((c * c).mean(-1, keepdims=True) + np.float32(1e-5))
    c *= g
    c += b
    return c


_numpy("tiny_add_16", lambda x, y: x + y)
_numpy("softmax_4096x1024", _softmax)
_numpy("layernorm_4096x1024", _layer_norm)
_numpy("rmsnorm_4096x1024",
       lambda x, g: x * (1 / np.sqrt((x * x).mean(-1, keepdims=True) + np.float32(1e-5))) * g)
_numpy("sum_axis0_4096", lambda x: x.sum(0))
_numpy("sum_axis1_4096", lambda x: x.sum(1))
_numpy("transpose_4096", lambda x: np.ascontiguousarray(x.T))
_numpy("copy_4096", lambda x: x.copy())
_numpy("permute_heads", lambda x: np.ascontiguousarray(x.transpose(0, 2, 1, 3)))
_numpy("concat_4096", lambda x, y: np.concatenate([x, y], 1))
_numpy("pad_64x224", lambda x: np.pad(x, ((0, 0), (0, 0), (1, 1), (1, 1))))
_numpy("take_16k", lambda t, i: np.take(t, i, axis=0))
_numpy("argmax_4096", lambda x: x.argmax(1))
_numpy("cumsum_4096x1024", lambda x: x.cumsum(1))
_numpy("global_avgpool", lambda x: x.mean((2, 3), keepdims=True))


# --- PyTorch --------------------------------------------------------------------------------

try:
    import torch
    import torch.nn.functional as F
except ImportError:
    torch = None

if torch is not None:
    TORCH = {
        "tiny_add_16": lambda x, y: x + y,
        "softmax_4096x1024": lambda x: torch.softmax(x, -1),
        "layernorm_4096x1024": lambda x, g, b: F.layer_norm(x, (x.shape[-1],), g, b, 1e-5),
        "rmsnorm_4096x1024": lambda x, g: F.rms_norm(x, (x.shape[-1],), g, 1e-5),
        "gelu_chain_16M": lambda x, w, b: F.gelu(x * w + b) + x,
        "sum_axis0_4096": lambda x: x.sum(0),
        "sum_axis1_4096": lambda x: x.sum(1),
        "transpose_4096": lambda x: x.T.contiguous(),
        "copy_4096": lambda x: x.clone(),
        "permute_heads": lambda x: x.transpose(1, 2).contiguous(),
        "concat_4096": lambda x, y: torch.cat([x, y], 1),
        "pad_64x224": lambda x: F.pad(x, (1, 1, 1, 1)),
        "maxpool_64x112": lambda x: F.max_pool2d(x, 3, 2, 1),
        "avgpool_64x112": lambda x: F.avg_pool2d(x, 2, 2),
        "global_avgpool": lambda x: F.adaptive_avg_pool2d(x, 1),
        "take_16k": lambda t, i: t.index_select(0, i),
        "argmax_4096": lambda x: x.argmax(1),
        "cumsum_4096x1024": lambda x: x.cumsum(1),
    }

    def _torch(run: Callable, compiled: bool) -> Callable:
        def make(arrays):
            xs = [torch.from_numpy(a) for a in arrays]
            f = torch.compile(run) if compiled else run
            return lambda: f(*xs)
        return make

    for _row, _run in TORCH.items():
        PEERS.setdefault(_row, {})["torch"] = _torch(_run, False)
        PEERS[_row]["inductor"] = _torch(_run, True)


# --- ONNX Runtime ---------------------------------------------------------------------------

def _ort(op: str, rank_of_inputs: int, threads: Callable[[], int], **attrs) -> Callable:
    def make(arrays):
        import onnxruntime as ort
        from onnx import TensorProto, helper
        names = ["x", "g", "b"][:rank_of_inputs]
        infos = [helper.make_tensor_value_info(n, TensorProto.FLOAT, a.shape)
                 for n, a in zip(names, arrays)]
        out = helper.make_tensor_value_info("y", TensorProto.FLOAT, None)
        graph = helper.make_graph([helper.make_node(op, names, ["y"], **attrs)], "g", infos, [out])
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
        model.ir_version = 8
        options = ort.SessionOptions()
        options.intra_op_num_threads = threads()
        session = ort.InferenceSession(model.SerializeToString(), options,
                                       providers=["CPUExecutionProvider"])
        feed = dict(zip(names, arrays))
        return lambda: session.run(None, feed)[0]
    return make


THREADS = 1

for _row, _args in {"softmax_4096x1024": ("Softmax", 1, dict(axis=-1)),
                    "layernorm_4096x1024": ("LayerNormalization", 3, dict(axis=-1)),
                    "transpose_4096": ("Transpose", 1, dict(perm=[1, 0])),
                    "permute_heads": ("Transpose", 1, dict(perm=[0, 2, 1, 3])),
                    "maxpool_64x112": ("MaxPool", 1, dict(kernel_shape=[3, 3], strides=[2, 2],
                                                          pads=[1, 1, 1, 1])),
                    "avgpool_64x112": ("AveragePool", 1, dict(kernel_shape=[2, 2],
                                                              strides=[2, 2])),
                    "global_avgpool": ("GlobalAveragePool", 1, {})}.items():
    PEERS.setdefault(_row, {})["ort"] = _ort(_args[0], _args[1], lambda: THREADS, **_args[2])


# --- Numba ----------------------------------------------------------------------------------

try:
    import numba as nb
except ImportError:
    nb = None

if nb is not None:
    jit = nb.njit(parallel=True, fastmath=True)

    @jit
    def _nb_softmax(x):
        y = np.empty_like(x)
        for i in nb.prange(x.shape[0]):
            m = x[i, 0]
            for j in range(x.shape[1]):
                m = max(m, x[i, j])
            s = np.float32(0)
            for j in range(x.shape[1]):
                e = math.exp(x[i, j] - m)
                y[i, j] = e
                s += e
            r = np.float32(1) / s
            for j in range(x.shape[1]):
                y[i, j] *= r
        return y

    @jit
    def _nb_layer_norm(x, g, b):
        y = np.empty_like(x)
        n = x.shape[1]
        for i in nb.prange(x.shape[0]):
            s = np.float32(0)
            for j in range(n):
                s += x[i, j]
            m = s / np.float32(n)
            v = np.float32(0)
            for j in range(n):
                v += (x[i, j] - m) * (x[i, j] - m)
            r = np.float32(1) / math.sqrt(v / np.float32(n) + np.float32(1e-5))
            for j in range(n):
                y[i, j] = (x[i, j] - m) * r * g[j] + b[j]
        return y

    @jit
    def _nb_gelu(x, w, b):
        y = np.empty_like(x)
        for i in nb.prange(x.shape[0]):
            for j in range(x.shape[1]):
                t = x[i, j] * w[i, j] + b[i, j]
                y[i, j] = np.float32(0.5) * t * (
                    np.float32(1) + math.erf(t * np.float32(0.7071067811865476))) + x[i, j]
        return y

    @jit
    def _nb_sum1(x):
        y = np.empty(x.shape[0], np.float32)
        for i in nb.prange(x.shape[0]):
            s = np.float32(0)
            for j in range(x.shape[1]):
                s += x[i, j]
            y[i] = s
        return y

    for _row, _f in {"softmax_4096x1024": _nb_softmax, "layernorm_4096x1024": _nb_layer_norm,
                     "gelu_chain_16M": _nb_gelu, "sum_axis1_4096": _nb_sum1}.items():
        PEERS.setdefault(_row, {})["numba"] = lambda a, f=_f: lambda: f(*a)
