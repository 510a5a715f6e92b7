"""Traces of every primitive: they print as runnable Python, replay from their text and from JSON,
and keep what was decided."""

import pytest
from schedule_programs import PROGRAMS
from various_programs import VARIOUS, program

import unitylab as ul
from unitylab.ir.errors import ParseError
from unitylab.ir.structural import assert_structural_equal
from unitylab.schedule import Schedule
from unitylab.schedule.signature import PRIMITIVES
from unitylab.schedule.trace import Trace
from unitylab.schedule.trace_json import read_trace_json, trace_to_json
from unitylab.schedule.trace_text import read_trace
from unitylab.script import parse
from unitylab.script import tir as T

PAIR = program("A: T.Buffer((8,)), B: T.Buffer((8,)), C: T.Buffer((8,))", """
for i in range(8):
    with T.block("B"):
        vi = T.axis.spatial(8, i)
        B[vi] = A[vi] + T.float32(1)
for i in range(8):
    with T.block("C"):
        vi = T.axis.spatial(8, i)
        C[vi] = A[vi] * T.float32(2)
""")
TWICE = """
@T.prim_func
def {name}(A: T.Buffer((10,)), B: T.Buffer((10,))):
    with T.block("root"):
        T.reads(A[0:10])
        T.writes(B[0:10])
        for i in range(10):
            with T.block("{name}"):
                vi = T.axis.spatial(10, i)
                B[vi] = {value}
"""


def block(name):
    return lambda sch: sch.get_block(name)


def loops(sch, name):
    return sch.get_loops(sch.get_block(name))


def tensorize(sch):
    ul.TensorIntrin.register("twice10", parse(TWICE.format(name="d", value="T.max(A[vi], T.float32(0))")),
                             parse(TWICE.format(name="i", value="T.max(T.float32(0), A[vi])")))
    sch.tensorize(loops(sch, "D")[1], "twice10")


def rolling(sch):
    outer, _ = sch.split(loops(sch, "down")[0], [None, 4])
    sch.compute_at(sch.get_block("across"), outer)
    sch.rolling_buffer(sch.get_block("across"), 0)


def padding(sch):
    sch.decompose_padding(sch.get_block("pad"), loops(sch, "pad")[0])


def tiles(sch):
    i, *_ = loops(sch, "C")
    sch.split(i, sch.sample_perfect_tile(i, 3, 4))


def choice(sch):
    sch.annotate(sch.get_block("C"), "choice", sch.sample_categorical([1, 2, 3], [0.3, 0.3, 0.4]))


def place(sch):
    sch.compute_at(sch.get_block("C"), sch.sample_compute_location(sch.get_block("C")))


# one use of every primitive: (program, what is done)
USES = {
    "get_block": ("chain", block("B")),
    "get_loops": ("chain", lambda s: loops(s, "B")),
    "get_child_blocks": ("chain", lambda s: s.get_child_blocks(s.get_block("root"))),
    "get_producers": ("chain", lambda s: s.compute_inline(s.get_producers(s.get_block("C"))[0])),
    "get_consumers": ("matmul_relu", lambda s: s.annotate(s.get_consumers(s.get_block("C"))[0], "a", 1)),
    "get_output_blocks": ("chain", lambda s: s.annotate(s.get_output_blocks(s.get_block("root"))[0], "a", 1)),
    "split": ("matmul_relu", lambda s: s.split(loops(s, "C")[0], [None, 5])),
    "fuse": ("matmul_relu", lambda s: s.fuse(*loops(s, "C")[:2])),
    "reorder": ("matmul_relu", lambda s: s.reorder(*loops(s, "C")[1::-1])),
    "add_unit_loop": ("chain", lambda s: s.add_unit_loop(s.get_block("B"))),
    "loop_partition": ("chain", lambda s: s.loop_partition(loops(s, "B")[0], [2, None])),
    "merge": ("pair", lambda s: s.merge(loops(s, "B")[0], loops(s, "C")[0])),
    "parallel": ("chain", lambda s: s.parallel(loops(s, "B")[0])),
    "vectorize": ("chain", lambda s: s.vectorize(loops(s, "B")[1])),
    "unroll": ("chain", lambda s: s.unroll(loops(s, "B")[1])),
    "bind": ("chain", lambda s: s.bind(loops(s, "B")[1], "threadIdx.x")),
    "compute_at": ("rows", lambda s: s.compute_at(s.get_block("S"), loops(s, "D")[0])),
    "reverse_compute_at": ("matmul_relu", lambda s: s.reverse_compute_at(
        s.get_block("D"), loops(s, "C")[0], index=-2)),
    "compute_inline": ("chain", lambda s: s.compute_inline(s.get_block("C"))),
    "reverse_compute_inline": ("transposes", lambda s: s.reverse_compute_inline(s.get_block("C"))),
    "fuse_reduction_epilogue": ("matmul_relu", lambda s: s.fuse_reduction_epilogue(
        s.get_block("C"), s.get_block("D"))),
    "cache_read": ("chain", lambda s: s.cache_read(s.get_block("D"), 1, "local", [s.get_block("D")])),
    "cache_write": ("matmul_relu", lambda s: s.cache_write(s.get_block("C"), 0, "local")),
    "reindex": ("matmul_relu", lambda s: s.reindex(s.get_block("C"), ("read", 1))),
    "reindex_cache_read": ("matmul_relu", lambda s: s.reindex_cache_read(
        s.get_block("C"), 0, "local", lambda i, j, k: (k // 2, i, k % 2))),
    "reindex_cache_write": ("matmul_relu", lambda s: s.reindex_cache_write(
        s.get_block("C"), 0, "local", lambda i, j, k: (j, i))),
    "decompose_reduction": ("matmul_relu", lambda s: s.decompose_reduction(
        s.get_block("C"), loops(s, "C")[2])),
    "rfactor": ("matmul_relu", lambda s: s.rfactor(loops(s, "C")[2], 1)),
    "blockize": ("matmul_relu", lambda s: s.blockize(loops(s, "C")[1])),
    "tensorize": ("matmul_relu", tensorize),
    "pad_einsum": ("matmul_relu", lambda s: s.pad_einsum(s.get_block("C"), [8, 8, 8])),
    "decompose_padding": ("convolution", padding),
    "rolling_buffer": ("blur", rolling),
    "transform_layout": ("symbolic", lambda s: s.transform_layout(
        s.get_block("C"), "C", lambda i, j: (j, i))),
    "transform_block_layout": ("chain", lambda s: s.transform_block_layout(
        s.get_block("B"), lambda i, j: (i * 7 + j,))),
    "reorder_block_iter_var": ("chain", lambda s: s.reorder_block_iter_var(s.get_block("B"), [1, 0])),
    "set_scope": ("matmul_relu", lambda s: s.set_scope(s.get_block("C"), 0, "local")),
    "storage_align": ("matmul_relu", lambda s: s.storage_align(s.get_block("C"), 0, -2, 32, 8)),
    "unsafe_set_dtype": ("matmul_relu", lambda s: s.unsafe_set_dtype(s.get_block("C"), 0, "float16")),
    "unsafe_hide_buffer_access": ("chain", lambda s: s.unsafe_hide_buffer_access(
        s.get_block("D"), "read", [1])),
    "annotate": ("chain", lambda s: s.annotate(loops(s, "B")[0], "note", {"a": [1, 2.5, "x"], "b": 3})),
    "unannotate": ("chain", lambda s: (s.annotate(s.get_block("B"), "a", "b"),
                                       s.unannotate(s.get_block("B"), "a"))),
    "sample_perfect_tile": ("matmul_relu", tiles),
    "sample_categorical": ("matmul_relu", choice),
    "sample_compute_location": ("rows", lambda s: s.compute_at(
        s.get_block("S"), s.sample_compute_location(s.get_block("S")))),
}
SAMPLING = [name for name in USES if name.startswith("sample_")]


def before(name):
    return parse({**VARIOUS, **PROGRAMS, "pair": PAIR}[name])


def used(name, seed=0):
    given, use = USES[name]
    sch = Schedule(before(given), seed=seed)
    use(sch)
    return sch


def test_every_primitive_is_used_here():
    assert set(USES) == set(PRIMITIVES)


@pytest.mark.parametrize("name", USES)
def test_a_trace_replays_from_its_text(name):
    sch = used(name)
    text = sch.trace.as_python()
    assert f"sch.{name}(" in text
    trace = read_trace(text)
    assert trace.as_python().replace(",)", ")") == text.replace(",)", ")")
    for replay in (lambda s: run_as_python(text, s), sch.trace.apply_to, trace.apply_to,
                   read_trace_json(trace_to_json(sch.trace)).apply_to):
        again = Schedule(before(USES[name][0]), seed=99)
        replay(again)
        assert_structural_equal(again.mod, sch.mod)
        assert again.trace.as_python() == text


def run_as_python(text, sch):
    scope = {"T": T}
    exec(text, scope)  # noqa: S102 - the text that was just printed
    scope["apply_trace"](sch)


@pytest.mark.parametrize("name", SAMPLING)
def test_a_trace_keeps_decisions(name):
    texts = {used(name, seed).trace.as_python() for seed in range(6)}
    assert len(texts) > 1
    assert all("decision=" in t for t in texts)


@pytest.mark.parametrize("text", ["no json", "[]", '{"unitylab_trace": 1}', '{"unitylab_trace": 7}',
                                  '{"unitylab_trace": 1, "steps": [{"name": "split"}]}'])
def test_other_json_is_no_trace(text):
    with pytest.raises(ParseError, match="no trace as JSON|version 7"):
        read_trace_json(text)


def test_an_empty_trace():
    assert len(read_trace_json(trace_to_json(Trace()))) == 0
    assert len(read_trace(Trace().as_python())) == 0
