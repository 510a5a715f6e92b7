"""Every prefix of the default pipeline is legal, builds, and computes the same as the start."""

import numpy as np
import pytest

from tests.rfc import RFC
from unitylab import pipelines
from unitylab.verify import well_formed
from unitylab.exec.build import build
from unitylab.interp import interpret
from unitylab.ir.block_builder import BlockBuilder
from unitylab.ir.dtypes import INT64
from unitylab.ir.op import get_op
from unitylab.ir.prim import Var as SizeVar
from unitylab.ir.relax import Var, const
from unitylab.ir.struct_info import tensor_info
from unitylab.ir.structural import assert_structural_equal
from unitylab.ir.transform import SILENT, apply
from unitylab.script import parse

RNG = np.random.default_rng(0)


def random(*shape):
    return RNG.standard_normal(shape).astype("float32")


def layers(x, *calls):
    """A function `main(x)` of operators one after the other."""
    bb = BlockBuilder()
    with bb.function("main", [x]):
        with bb.dataflow():
            value = x
            for name, *weights in calls:
                value = bb.emit(get_op(name)(value, *map(const, weights)))
            out = bb.emit_output(value)
        bb.emit_func_output(out)
    return bb.get()


def rfc():
    w = random(6, 4)
    return parse(RFC), lambda n: (random(n, 6), w)


def mlp():
    x = Var("x", tensor_info((SizeVar("n", INT64), 16), "float32"))
    mod = layers(x, ("matmul", random(16, 12)), ("add", random(12)), ("nn.relu",),
                 ("matmul", random(12, 10)), ("add", random(10)), ("nn.softmax",))
    return mod, lambda n: (random(n, 16),)


def cnn():
    x = Var("x", tensor_info((SizeVar("n", INT64), 1, 8, 8), "float32"))
    return _cnn(x), lambda n: (random(n, 1, 8, 8),)


def _cnn(x):
    n = x.struct_info.dims[0]
    op = get_op
    bb = BlockBuilder()
    with bb.function("main", [x]):
        with bb.dataflow():
            h = bb.emit(op("nn.conv2d")(x, const(random(4, 1, 3, 3)), padding=1))
            h = bb.emit(op("nn.relu")(op("add")(h, const(random(4, 1, 1)))))
            h = bb.emit(op("nn.max_pool2d")(h, pool_size=2, strides=2))
            h = bb.emit(op("reshape")(h, [n, 64]))
            h = bb.emit(op("matmul")(h, const(random(64, 10))))
            out = bb.emit_output(op("nn.softmax")(op("add")(h, const(random(10)))))
        bb.emit_func_output(out)
    return bb.get()


def stages(mod):
    """The module before the first pass, and after each."""
    yield "before", mod
    for p in pipelines.default:
        mod = apply(p, mod, SILENT)
        yield p.name, mod


@pytest.mark.parametrize("program", [rfc, mlp, cnn])
def test_every_prefix_builds_and_agrees(program):
    mod, inputs = program()
    samples = [inputs(n) for n in (2, 5)]
    expected = [interpret(mod)["main"](*args) for args in samples]
    for name, stage in stages(mod):
        well_formed(stage)
        ex = build(stage)  # one build serves both sizes
        for args, want in zip(samples, expected):
            np.testing.assert_allclose(ex["main"](*args), want, rtol=1e-5, atol=1e-6, err_msg=name)
            np.testing.assert_allclose(interpret(stage)["main"](*args), want, rtol=1e-5, atol=1e-6,
                                       err_msg=f"interpreter, {name}")


@pytest.mark.parametrize("program", [rfc, mlp, cnn])
def test_the_pipeline_is_done_after_one_run(program):
    *_, (_, after) = stages(program()[0])
    for p in pipelines.default:
        # the fused programs have no pattern yet, the scheduled ones new indices
        if p.name not in ("AnnotateTIROpPattern", "Simplify"):
            assert apply(p, after, SILENT) is after, p.name


def test_fusion_of_the_mlp():
    *_, (_, after) = stages(mlp()[0])
    assert set(after) == {"main", "fused_matmul_add_relu", "fused_matmul1_add1", "softmax"}


def test_every_stage_prints_and_parses_back():
    for program in (rfc, mlp, cnn):
        for _, stage in stages(program()[0]):
            assert_structural_equal(parse(stage.script()), stage)
