"""Sample inputs of every operator: `Case(arguments, attributes)`.

An argument is an array (a tensor), a list of arrays (a tuple of tensors), or what the operator
takes as it stands (a tuple of sizes, a number)."""

from dataclasses import dataclass, field

import numpy as np

RNG = np.random.default_rng(0)


@dataclass
class Case:
    args: tuple
    attrs: dict = field(default_factory=dict)
    rtol: float = 1e-5


def case(*args, rtol: float = 1e-5, **attrs) -> Case:
    return Case(args, attrs, rtol)


def f32(*shape) -> np.ndarray:
    """Numbers around 0 that are not close to an integer or to each other."""
    return RNG.permutation(np.linspace(-2.3, 2.9, int(np.prod(shape)))).reshape(shape).astype(
        "float32")


def positive(*shape) -> np.ndarray:
    return np.abs(f32(*shape)) + np.float32(0.1)


def unit(*shape) -> np.ndarray:
    """Numbers between -1 and 1."""
    return f32(*shape) / np.float32(3)


def ints(low: int, high: int, *shape, dtype: str = "int32") -> np.ndarray:
    return RNG.integers(low, high, shape).astype(dtype)


def bools(*shape) -> np.ndarray:
    return RNG.integers(0, 2, shape).astype(bool)


def half(*shape) -> np.ndarray:
    return f32(*shape).astype("float16")


def both(a: np.ndarray) -> list[Case]:
    """In float32 and float64."""
    return [case(a), case(a.astype("float64"))]


FLOATS = ["exp", "sin", "cos", "tan", "sinh", "cosh", "tanh", "atan", "asinh", "erf", "sigmoid"]
CASES: dict[str, list[Case]] = {name: both(f32(3, 5)) for name in FLOATS}
CASES |= {name: both(positive(3, 5)) for name in ("log", "sqrt", "rsqrt")}
CASES |= {name: both(unit(3, 5)) for name in ("asin", "acos", "atanh")}
CASES |= {name: [*both(f32(3, 5)), case(ints(-9, 9, 7)), case(ints(-9, 9, 2, 3, dtype="int64"))]
          for name in ("negative", "abs", "sign", "square", "floor", "ceil", "round", "trunc")}
CASES |= {name: [case(np.array([0.5, np.inf, -np.inf, np.nan], "float32"))]
          for name in ("isnan", "isinf", "isfinite")}
CASES |= {
    "acosh": both(positive(3, 5) + np.float32(1)),
    "round": [case(np.array([-2.5, -1.5, -0.5, 0.5, 1.5, 2.5, 2.4], "float32"))],
    "bitwise_not": [case(ints(-9, 9, 7)), case(ints(0, 9, 7, dtype="uint8"))],
    "logical_not": [case(bools(3, 4))],
}

# --- two operands ---------------------------------------------------------------------------

_PAIRS = [case(f32(2, 3), f32(2, 3)), case(f32(2, 3, 4), f32(3, 1)), case(f32(1, 4), f32(3, 1)),
          case(f32(3, 4), f32()), case(f32(3), 2.5)]
_INTS = [case(ints(-9, 9, 2, 3), ints(-9, 9, 3)), case(ints(0, 9, 5, dtype="int64"), 3),
         case(ints(0, 99, 5, dtype="uint8"), ints(0, 99, 5, dtype="uint8"))]
_NONZERO = [case(ints(-9, 9, 2, 3), np.array([2, -3, 4], "int32")),
            case(ints(-9, 9, 5, dtype="int64"), 3)]
_LOGIC = [case(bools(2, 3), bools(3))]
_BITS = [*_INTS, case(ints(0, 99, 4, dtype="uint8"), np.uint8([1, 2, 3, 4]))]

CASES |= {name: _PAIRS + _INTS for name in ("add", "subtract", "multiply", "maximum", "minimum",
                                            "equal", "not_equal", "less", "less_equal", "greater",
                                            "greater_equal")}
CASES |= {name: [case(f32(2, 3), positive(3)), case(f32(4), 0.7), *_NONZERO]
          for name in ("divide", "floor_divide", "mod", "floor_mod")}
CASES |= {name: _LOGIC for name in ("logical_and", "logical_or", "logical_xor")}
CASES |= {name: _BITS for name in ("bitwise_and", "bitwise_or", "bitwise_xor")}
CASES |= {name: [case(ints(0, 99, 2, 3), ints(0, 4, 3)), case(ints(-99, 99, 5, dtype="int64"), 2)]
          for name in ("left_shift", "right_shift")}
CASES |= {
    "power": [case(positive(2, 3), f32(3)), case(ints(0, 5, 4), ints(0, 4, 4)),
              case(positive(4), 2.0)],
    "atan2": [case(f32(2, 3), f32(3))],
    "where": [case(bools(2, 3), f32(2, 3), f32(2, 3)), case(bools(3), f32(2, 1), f32(1))],
    "clip": [case(f32(3, 5), -1.0, 1.5), case(ints(-9, 9, 7), -2, 5)],
}

# --- neural networks ------------------------------------------------------------------------

CASES |= {f"nn.{name}": both(f32(3, 5) * 3) for name in (
    "relu", "relu6", "silu", "gelu", "gelu_tanh", "softplus")}
CASES |= {f"nn.{name}": [case(f32(3, 5)), case(f32(2, 3, 4), axis=1), case(f32(6), axis=-1)]
          for name in ("softmax", "log_softmax")}
CASES |= {
    "nn.leakyrelu": [case(f32(3, 5)), case(f32(3, 5), alpha=0.3)],
    "nn.prelu": [case(f32(2, 3, 4), f32(3)), case(f32(2, 3), f32(1), axis=1)],
    "nn.dropout": [case(f32(3, 4))],
    "nn.batch_flatten": [case(f32(2, 3, 4))],
    "nn.layer_norm": [case(f32(2, 3, 4), f32(4), f32(4), axes=(-1,)),
                      case(f32(2, 3, 4), f32(3, 4), f32(3, 4), axes=(1, 2), epsilon=1e-3),
                      case(half(2, 64), half(64), half(64), axes=(-1,), rtol=5e-3)],
    "nn.rms_norm": [case(f32(2, 3, 4), f32(4), axes=(-1,)),
                    case(f32(2, 3, 4), f32(3, 4), axes=(-2, -1))],
    "nn.group_norm": [case(f32(2, 4, 3, 3), f32(4), f32(4), num_groups=2, channel_axis=1,
                           axes=(2, 3)),
                      case(f32(2, 5, 4), f32(4), f32(4), num_groups=4, channel_axis=2, axes=(1,),
                           center=False)],
    "nn.instance_norm": [case(f32(2, 3, 5), f32(3), f32(3), channel_axis=1, axes=(2,))],
    "nn.batch_norm": [case(f32(2, 3, 4), f32(3), f32(3), f32(3), positive(3), axis=1,
                           training=False),
                      case(f32(2, 3, 4), f32(3), f32(3), f32(3), positive(3), axis=1)],
    "nn.cross_entropy_with_logits": [case(f32(3, 4), unit(3, 4)), case(f32(4), unit(4))],
    "nn.nll_loss": [case(f32(4, 3), ints(0, 3, 4, dtype="int64")),
                    case(f32(2, 3, 5), ints(-1, 3, 2, 5), positive(3), ignore_index=-1),
                    case(f32(4, 3), ints(0, 3, 4), positive(3), reduction="sum"),
                    case(f32(4, 3), ints(0, 3, 4), reduction="none"),
                    case(f32(3), ints(0, 3))],
    "grad.nll_loss_backward": [
        case(f32(), f32(4, 3), ints(0, 3, 4, dtype="int64")),
        case(f32(), f32(2, 3, 5), ints(-1, 3, 2, 5), positive(3), ignore_index=-1),
        case(f32(4), f32(4, 3), ints(0, 3, 4), positive(3), reduction="none"),
        case(f32(), f32(3), ints(0, 3), reduction="sum")],
    "grad.take_backward": [case(f32(2, 4), f32(2, 3), ints(0, 3, 4), axis=1),
                           case(f32(2, 2, 5), f32(3, 5), ints(0, 3, 2, 2), axis=0)],
    "grad.max_pool2d_backward": [case(f32(1, 2, 3, 3), f32(1, 2, 6, 6), pool_size=(2, 2),
                                      strides=(2, 2))],
    "grad.avg_pool2d_backward": [
        case(f32(1, 2, 3, 3), f32(1, 2, 6, 6), pool_size=(2, 2), strides=(2, 2)),
        case(f32(3, 2, 6, 5), f32(3, 2, 10, 10), pool_size=(5, 5), strides=(2, 2),
             padding=(2, 1, 2, 1), ceil_mode=True)],
    "nn.attention": [case(f32(1, 4, 2, 3), f32(1, 5, 2, 3), f32(1, 5, 2, 6)),
                     case(f32(2, 4, 2, 3), f32(2, 4, 2, 3), f32(2, 4, 2, 3), f32(2, 2, 4, 4)),
                     case(f32(1, 3, 2, 4), f32(1, 5, 2, 4), f32(1, 5, 2, 4),
                          causal_mask="BottomRight", scale=0.2),
                     case(f32(1, 3, 2, 4), f32(1, 5, 2, 4), f32(1, 5, 2, 4),
                          causal_mask="TopLeft"),
                     case(f32(1, 5, 2, 4), f32(1, 5, 2, 4), f32(1, 5, 2, 4),
                          causal_mask="TopLeft", window_size=2)],
    "nn.attention_bias": [case(f32(2, 4, 2, 3), f32(2, 4, 2, 3), f32(2, 4, 2, 3),
                               f32(2, 2, 4, 4), scale=0.1)],
    "nn.pad": [case(f32(2, 3), pad_width=(1, 0, 2, 1)),
               case(f32(2, 3), pad_width=(0, 0, 0, 2), pad_value=1.5),
               *[case(f32(3, 4), pad_width=(1, 2, 0, 3), pad_mode=mode)
                 for mode in ("reflect", "replicate", "circular")]],
}
CASES |= {f"grad.{name}": [case(f32(2, 3))] for name in (
    "no_grad", "start_checkpoint", "end_checkpoint")}

# --- convolution and pooling ----------------------------------------------------------------

CASES |= {
    "nn.conv1d": [case(f32(2, 4, 9), f32(6, 4, 3)),
                  case(f32(1, 4, 9), f32(6, 2, 3), strides=2, padding=1, dilation=2, groups=2)],
    "nn.conv2d": [case(f32(2, 3, 6, 5), f32(4, 3, 3, 3)),
                  case(f32(1, 4, 7, 7), f32(6, 2, 3, 3), strides=(2, 1), padding=(1, 0, 1, 2),
                       groups=2),
                  case(f32(1, 4, 7, 7), f32(4, 1, 3, 3), padding=(1, 1), dilation=(2, 2),
                       groups=4),
                  case(f32(1, 3, 5, 5), f32(2, 3, 1, 1), out_dtype="float64"),
                  case(f32(1, 6, 5, 3), f32(3, 3, 3, 4), data_layout="NHWC", kernel_layout="HWIO",
                       padding=(1, 1)),
                  case(f32(1, 2, 6, 5, 4), f32(4, 2, 3, 3, 4, 2), data_layout="NCHW4c",
                       kernel_layout="OIHW4i2o", strides=(2, 1)),
                  case(f32(1, 3, 6, 5), f32(4, 3, 3, 3), out_layout="NHWC"),
                  case(ints(-9, 9, 1, 3, 5, 5, dtype="int8"), ints(-9, 9, 2, 3, 3, 3, dtype="int8"),
                       out_dtype="int32")],
    "nn.conv3d": [case(f32(1, 2, 4, 5, 4), f32(3, 2, 2, 3, 2), padding=1, strides=(1, 2, 1))],
    "nn.conv1d_transpose": [case(f32(2, 4, 5), f32(4, 3, 3)),
                            case(f32(1, 4, 5), f32(4, 2, 3), strides=2, padding=1,
                                 output_padding=1, groups=2)],
    "nn.conv2d_transpose": [case(f32(2, 3, 4, 5), f32(3, 2, 3, 3)),
                            case(f32(1, 4, 4, 5), f32(4, 2, 3, 3), strides=(2, 3),
                                 padding=(1, 1, 1, 1), output_padding=(1, 2), groups=2),
                            case(f32(1, 2, 4, 4), f32(2, 3, 3, 3), dilation=(2, 1))],
    "nn.conv3d_transpose": [case(f32(1, 2, 2, 3, 2), f32(2, 2, 2, 2, 2), strides=(1, 2, 1))],
    "nn.adaptive_avg_pool2d": [case(f32(1, 2, 6, 4), output_size=(3, 2)),
                               case(f32(1, 2, 6, 4), output_size=1),
                               case(f32(1, 2, 7, 5), output_size=(3, 2)),
                               case(f32(1, 7, 5, 2), output_size=(3, 2), layout="NHWC")],
    "nn.adaptive_avg_pool1d": [case(f32(1, 2, 7), output_size=3)],
    "nn.adaptive_avg_pool3d": [case(f32(1, 2, 4, 2, 2), output_size=(2, 1, 2))],
}
for _kind in ("max", "avg"):
    CASES[f"nn.{_kind}_pool1d"] = [case(f32(2, 3, 9), pool_size=3, strides=2, padding=1)]
    CASES[f"nn.{_kind}_pool2d"] = [
        case(f32(2, 3, 6, 6), pool_size=(2, 2), strides=(2, 2)),
        case(f32(1, 2, 7, 6), pool_size=(3, 2), strides=(2, 2), padding=(1, 0, 1, 1)),
        case(f32(1, 2, 7, 6), pool_size=(3, 3), strides=(2, 2), ceil_mode=True),
        case(f32(1, 7, 6, 2), pool_size=(3, 3), strides=(2, 2), layout="NHWC"),
        case(f32(1, 2, 7, 6, 4), pool_size=(2, 2), layout="NCHW4c"),
        case(f32(1, 2, 8, 7), pool_size=(3, 2), dilation=(2, 1), padding=(1, 1, 1, 1))]
    CASES[f"nn.{_kind}_pool3d"] = [case(f32(1, 2, 4, 4, 3), pool_size=2, strides=(2, 1, 1))]
CASES["nn.avg_pool2d"].append(case(f32(1, 2, 6, 6), pool_size=(3, 3), padding=(1, 1, 1, 1),
                                   count_include_pad=True))

# --- linear algebra and reductions ----------------------------------------------------------

CASES |= {
    "matmul": [case(f32(3, 4), f32(4, 5)), case(f32(2, 1, 3, 4), f32(5, 4, 2)),
               case(f32(4), f32(4)), case(f32(4), f32(2, 4, 3)), case(f32(2, 3, 4), f32(4)),
               case(half(3, 4), half(4, 5), out_dtype="float32"),
               case(ints(-9, 9, 3, 4, dtype="int8"), ints(-9, 9, 4, 2, dtype="int8"),
                    out_dtype="int32")],
    "linear": [case(f32(3, 4), f32(5, 4)), case(f32(2, 3, 4), f32(5, 4), f32(5))],
    "einsum": [case([f32(2, 3), f32(3, 4)], subscripts="ij,jk->ik"),
               case([f32(2, 3, 4), f32(3)], subscripts="bij,i->bj"),
               case([f32(3, 4)], subscripts="ij->ji"), case([f32(3), f32(3)], subscripts="i,i->")],
    "cumsum": [case(f32(3, 4), axis=1), case(f32(3, 4), axis=0, exclusive=True)],
    "collapse_sum_to": [case(f32(3, 2, 3), (2, 1)), case(f32(3, 2), (3, 2)), case(f32(4), ())],
    "collapse_sum_like": [case(f32(2, 3), f32(1, 3))],
}
CASES |= {name: [case(f32(2, 3, 4)), case(f32(2, 3, 4), axis=1), case(f32(3, 4), axis=-1,
                                                                       keepdims=True)]
          for name in ("argmax", "argmin")}
CASES |= {name: [case(f32(2, 3, 4)), case(f32(2, 3, 4), axis=(0, 2)), case(f32(3, 4), axis=-1,
                                                                            keepdims=True),
                 case(f32(2, 3), keepdims=True), case(f32())]
          for name in ("sum", "mean", "max", "min", "prod", "variance", "std")}
for _name in ("sum", "max", "min", "prod"):
    CASES[_name] = [*CASES[_name], case(ints(-5, 5, 3, 4), axis=0)]

# --- moving elements ------------------------------------------------------------------------

CASES |= {
    "reshape": [case(f32(2, 3, 4), (6, 4)), case(f32(2, 3, 4), (-1, 8)),
                case(f32(2, 3, 4), (2, 12)),
                case(f32(2, 3, 4), (0, -1)), case(f32(6), (1, 2, 3)), case(f32(), (1, 1)),
                case(f32(1, 1), ())],
    "flatten": [case(f32(2, 3, 4)), case(f32(5)), case(f32())],
    "permute_dims": [case(f32(2, 3, 4)), case(f32(2, 3, 4), axes=(1, -1, 0))],
    "expand_dims": [case(f32(2, 3), axis=1), case(f32(2, 3), axis=(0, -1))],
    "squeeze": [case(f32(2, 1, 3, 1)), case(f32(2, 1, 3, 1), axis=(1,)),
                case(f32(2, 1, 3), axis=-2)],
    "flip": [case(f32(2, 3), axis=0), case(f32(2, 3), axis=-1)],
    "concat": [case([f32(2, 3), f32(2, 4)], axis=1), case([f32(2, 3), f32(1, 3), f32(3, 3)]),
               case([f32(2, 3)], axis=-1)],
    "stack": [case([f32(2, 3), f32(2, 3)]), case([f32(2), f32(2), f32(2)], axis=-1)],
    "split": [case(f32(6, 2), indices_or_sections=3), case(f32(2, 7), indices_or_sections=(2, 5),
                                                           axis=1),
              case(f32(2, 7), indices_or_sections=3, axis=-1)],
    "broadcast_to": [case(f32(2, 1, 3), (4, 2, 5, 3)), case(f32(), (2, 3))],
    "repeat": [case(f32(2, 3), repeats=2, axis=1), case(f32(2, 3), repeats=3)],
    "tile": [case(f32(2, 3), repeats=(2, 1)), case(f32(2, 3), repeats=(2, 1, 3)),
             case(f32(2, 3), repeats=(2,))],
    "take": [case(f32(3, 4), ints(0, 4, 2, 3), axis=1), case(f32(5), ints(0, 5, 4, dtype="int64")),
             case(f32(3, 4), np.array([-2, 7, 1], "int32"), axis=0, mode="clip"),
             case(f32(3, 4), np.array([-2, 7, 1], "int32"), axis=0, mode="wrap"),
             case(f32(3, 4), 2, axis=1)],
    "strided_slice": [case(f32(8, 9, 4), (0, 1), (1, 2), (8, 9), (2, 3)),
                      case(f32(8, 9), (0,), (-3,), (100,)),
                      case(f32(8, 9), (-1,), (7,), (1,), (-2,))],
}

CASES |= {
    "gather_elements": [case(f32(3, 4), ints(0, 3, 2, 4), axis=0),
                        case(f32(3, 4), ints(-4, 4, 3, 2, dtype="int64"), axis=1)],
    "gather_nd": [case(f32(3, 4), ints(0, 3, 5, 2)), case(f32(3, 4, 2), ints(-3, 3, 2, 1)),
                  case(f32(2, 3, 4), ints(0, 3, 2, 5, 1), batch_dims=1)],
    "scatter_elements": [case(f32(3, 4), np.array([[0, 2, 1, 0]], "int32"), f32(1, 4)),
                         case(f32(3, 4), ints(0, 3, 5, 4), f32(5, 4), reduction="add")],
    "scatter_nd": [case(f32(4, 2), np.array([[1], [3]], "int64"), f32(2, 2)),
                   case(f32(4), np.array([[1], [1]], "int64"), f32(2), reduction="max")],
    "sort": [case(f32(3, 5)), case(f32(3, 5), axis=0, descending=True)],
    "argsort": [case(f32(3, 5)), case(ints(0, 3, 9), descending=True, dtype="int64")],
    "topk": [case(f32(3, 5), k=2), case(f32(3, 5), k=3, axis=0, ret_type="indices"),
             case(f32(5), k=2, largest=False, ret_type="values")],
    "median": [case(f32(3, 5), axis=(1,)), case(f32(3, 4), keepdims=True)],
}

# --- making tensors -------------------------------------------------------------------------

CASES |= {name: [case((2, 3)), case((), dtype="int64"), case((4,), dtype="bool")]
          for name in ("zeros", "ones")}
CASES |= {name: [case(f32(2, 3)), case(f32(2, 3), dtype="int32")]
          for name in ("zeros_like", "ones_like")}
CASES |= {name: [case(f32(3, 4)), case(f32(2, 3, 4), k=1), case(f32(4, 3), k=-1)]
          for name in ("tril", "triu")}
CASES |= {
    "full": [case((2, 3), f32()), case((2,), ints(0, 9), dtype="float32")],
    "full_like": [case(f32(2, 3), f32()), case(f32(2, 3), ints(0, 9), dtype="float64")],
    "arange": [case(0, 5, 1), case(2, 11, 3, dtype="float32"), case(0.0, 1.0, 0.25,
                                                                    dtype="float32")],
    "astype": [case(f32(3, 4), dtype=to) for to in ("float16", "int32", "float64", "int64",
                                                    "bool")] +
              [case(bools(3), dtype="float32"), case(ints(-9, 9, 5), dtype="float32"),
               case(ints(0, 9, 5, dtype="uint8"), dtype="int32")],
    "one_hot": [case(ints(0, 4, 3), np.float32(1), np.float32(0), depth=4)],
    "quantize": [case(f32(2, 4) * 40, positive(2), ints(-5, 5, 2, dtype="int8"), axis=0),
                 case(f32(2, 4), np.float32(0.02), np.int8(3)),
                 case(f32(2, 4), positive(4), ints(0, 9, 4, dtype="uint8"), out_dtype="uint8")],
    "dequantize": [case(ints(-99, 99, 2, 4, dtype="int8"), positive(2),
                        ints(-5, 5, 2, dtype="int8"), axis=0)],
}

# --- without a computation in tensor expressions --------------------------------------------

NO_COMPUTATION = {
    "call_tir", "call_tir_inplace", "call_dps_packed", "call_tir_with_grad", "call_pure_packed",
    "call_inplace_packed", "call_builtin_with_ctx", "make_closure", "invoke_closure",
    "invoke_pure_closure", "null_value", "print", "assert_op", "shape_of", "tensor_to_shape",
    "shape_to_tensor", "builtin.alloc_tensor", "builtin.stop_lift_params",
    "memory.alloc_storage", "memory.alloc_tensor", "memory.kill_storage", "memory.kill_tensor",
    "memory.view", "memory.ensure_zero_offset", "vm.alloc_storage", "vm.alloc_tensor",
    "vm.kill_object", "vm.call_tir_dyn", "grad.max_pool2d_backward", "grad.avg_pool2d_backward",
    "vision.get_valid_counts", "vision.non_max_suppression", "vision.roi_align",
    "vision.roi_pool", "vision.multibox_transform_loc", "image.resize2d", "image.resize3d",
    "image.affine_grid", "dynamic_strided_slice",
    "layout_transform", "sort", "argsort", "topk", "median",
    "scatter_elements", "scatter_nd"}
CASES |= {
    "shape_of": [case(f32(2, 3))],
    "tensor_to_shape": [case(ints(1, 5, 3, dtype="int64"))],
    "memory.view": [case(f32(2, 3), (6,)), case(f32(2, 4), (4,), (), 16)],
    "memory.ensure_zero_offset": [case(f32(2, 3))],
    "builtin.stop_lift_params": [case(f32(2, 3))],
}
