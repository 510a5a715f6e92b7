"""The verifier on tensor programs: each rule, on a program that breaks it."""

import pytest

import unitylab as ul
from unitylab.ir import prim, tir
from unitylab.ir.visitor import collect, substitute
from unitylab.transforms.tir.lower_lanes import LowerLanes

MATMUL = """
@T.prim_func
def mm(A: T.Buffer((8, 8), "float32"), B: T.Buffer((8, 8), "float32"),
       C: T.Buffer((8, 8), "float32")):
    for i, j, k in T.grid(8, 8, 8):
        with T.block("update"):
            vi, vj, vk = T.axis.remap("SSR", [i, j, k])
            with T.init():
                C[vi, vj] = T.float32(0)
            C[vi, vj] = C[vi, vj] + A[vi, vk] * B[vk, vj]
"""


def rules(x):
    return [c.rule for c in ul.complaints(x)]


def refused(_, match):
    return pytest.raises(ul.WellFormedError, match=match)


def one(root, kind, k=0):
    return collect(root, kind)[k]


def changed(root, cls, k=0, **fields):
    """The program with the k-th node of a kind changed."""
    old = one(root, cls, k)
    return substitute(root, {old: old.replace(**fields)})


@pytest.fixture
def mm():
    return ul.parse(MATMUL)


def test_a_good_program_has_no_complaints(mm):
    assert ul.complaints(mm) == []
    ul.well_formed(mm)


def test_an_undefined_variable_names_function_block_and_line(mm):
    stray = prim.Var("n")
    load = one(mm, tir.BufferLoad, 1)
    bad = substitute(mm, {load: load.replace(indices=(stray, load.indices[1]))})
    with refused(bad, r"(?s)mm, block update: the variable 'n' is not defined.*a parameter"):
        ul.well_formed(bad)
    assert ul.complaints(bad)[0].span.line == 10


def test_an_undeclared_buffer_is_refused(mm):
    stray = tir.decl_buffer((8, 8), name="D")
    bad = changed(mm, tir.BufferLoad, 1, buffer=stray)
    with refused(bad, "block update: the buffer 'D' is not declared"):
        ul.well_formed(bad)


def test_a_loop_variable_ends_with_its_loop():
    f = ul.parse("""
@T.prim_func
def f(A: T.Buffer((8,), "int32")):
    for i in range(8):
        A[i] = i
    for j in range(8):
        A[j] = j
""")
    i, j = (loop.loop_var for loop in collect(f, tir.For))
    store = one(f, tir.BufferStore, 1)
    bad = substitute(f, {store: substitute(store, {j: i})})
    with refused(bad, "f: the variable 'i' is used outside of its scope"):
        ul.well_formed(bad)


def test_an_allocated_buffer_ends_with_its_block():
    f = ul.parse("""
@T.prim_func
def f(A: T.Buffer((8,), "float32")):
    for i in range(8):
        with T.block("b"):
            vi = T.axis.spatial(8, i)
            L = T.alloc_buffer((1,), "float32", scope="local")
            L[0] = A[vi]
            A[vi] = L[0]
    for i in range(8):
        with T.block("c"):
            vi = T.axis.spatial(8, i)
            A[vi] = A[vi]
""")
    assert rules(f) == []
    local = next(b for b in collect(f, tir.Buffer) if b.name == "L")
    last = one(f, tir.BufferLoad, 2)
    bad = substitute(f, {last: tir.BufferLoad(local, (prim.literal(0),))})
    with refused(bad, "block c: the buffer 'L' is used outside of its scope"):
        ul.well_formed(bad)


def test_a_repeated_definition_is_refused():
    f = ul.parse("""
@T.prim_func
def f(A: T.Buffer((8,), "int32")):
    for i in range(8):
        A[i] = i
""")
    bad = f.replace(body=tir.seq(f.body, f.body))
    with refused(bad, r"(?s)the variable 'i' is defined twice, the second time by a loop.*fresh"):
        ul.well_formed(bad)


def test_a_thread_index_may_be_launched_twice():
    f = ul.parse("""
@T.prim_func
def f(A: T.Buffer((8,), "int32"), B: T.Buffer((8,), "int32")):
    with T.launch_thread("threadIdx.x", 8) as tx:
        A[tx] = tx
    B[0] = 1
""")
    attr = one(f, tir.AttrStmt)
    assert rules(f) == rules(f.replace(body=tir.seq(attr, attr))) == []
    stray = tir.BufferStore(f.params[1], attr.node.var, (prim.literal(0),))
    with refused(f, "the variable 'tx' is used outside of its scope"):
        ul.well_formed(f.replace(body=tir.seq(attr, stray)))


@pytest.mark.parametrize("body, match", [
    ("A[T.float32(1)] = T.float32(0)", "index 0 of the buffer 'A' has dtype float32"),
    ("A[i] = T.Select(A[i], A[i], A[i])", "the condition of T.Select has dtype float32"),
    ("while A[i]:\n            A[i] = A[i]", "the condition of a while has dtype float32"),
    ("if A[i]:\n            A[i] = A[i]", "the condition of an if has dtype float32"),
    ("assert A[i], 'positive'", "the condition of an assert has dtype float32"),
])
def test_indices_and_conditions(body, match):
    text = f"""
@T.prim_func
def f(A: T.Buffer((8,), "float32")):
    for i in range(8):
        {body}
"""
    with refused(text, match):
        ul.well_formed(ul.parse(text))


def test_an_access_has_the_rank_of_its_buffer(mm):
    load = one(mm, tir.BufferLoad, 1)
    bad = substitute(mm, {load: load.replace(indices=load.indices[:1])})
    with refused(bad, "block update: the buffer 'A' has 2 dimensions, 1 indices are given"):
        ul.well_formed(bad)


def test_vector_indices_have_the_lanes_of_the_last():
    A = tir.decl_buffer((8, 8), name="A")
    ramp = prim.Ramp(prim.literal(0), prim.literal(1), 4)
    wide, short = (prim.Broadcast(prim.literal(0), k) for k in (4, 2))

    def store(*indices):
        value = prim.Broadcast(prim.literal(0.0), 4)
        return tir.PrimFunc((A,), tir.BufferStore(A, value, indices))

    assert rules(store(prim.literal(0), ramp)) == rules(store(wide, ramp)) == []
    with refused(A, "index 0 of the buffer 'A' has 2 lanes, the last index has 4"):
        ul.well_formed(store(short, ramp))
    with refused(A, "index 0 of the buffer 'A' has 4 lanes, the last index has 1"):
        ul.well_formed(store(ramp, prim.literal(0)))


def test_choices_have_one_dtype():
    yes, one_, two = prim.literal(True), prim.literal(1), prim.literal(2.0)
    call = prim.Call("int32", "if_then_else", (yes, one_, two))
    with refused(call, "values of T.if_then_else have dtypes int32 and float32"):
        ul.well_formed(tir.PrimFunc((), tir.Evaluate(call)))
    select = prim.Select(yes, two, one_)
    with refused(select, "values of T.Select have dtypes float32 and int32"):
        ul.well_formed(tir.PrimFunc((), tir.Evaluate(select)))


def test_operands_have_one_dtype(mm):
    add = one(mm, prim.Add)
    bad = substitute(mm, {add: prim.Add(add.a, prim.literal(1))})
    with refused(bad, r"(?s)operands of \+ have dtypes float32 and int32.*T.Cast"):
        ul.well_formed(bad)


def test_a_store_keeps_the_dtype(mm):
    bad = changed(mm, tir.BufferStore, 1, value=prim.literal(1))
    with refused(bad, r"(?s)block update: a value of dtype int32 .* holds float32.*T.Cast"):
        ul.well_formed(bad)


def test_each_iteration_variable_is_bound(mm):
    realize = one(mm, tir.BlockRealize, 1)
    bad = substitute(mm, {realize: realize.replace(iter_values=realize.iter_values[:2])})
    with refused(bad, "block update: the block has 3 iteration variables, 2 values are bound"):
        ul.well_formed(bad)
    bad = changed(mm, tir.BlockRealize, 1, predicate=prim.literal(1.0))
    with refused(bad, "the predicate of the block has dtype float32, bool is expected"):
        ul.well_formed(bad)


def test_blocks_with_iteration_variables_do_not_see_the_loops_around(mm):
    i, vi = one(mm, tir.For).loop_var, one(mm, tir.IterVar).var
    block = one(mm, tir.Block, 1)
    bad = substitute(mm, {block: block.replace(body=substitute(block.body, {vi: i}))})
    with refused(bad, r"(?s)the variable 'i' of a loop outside is used inside of block 'update'.*"
                      r"T.axis.spatial"):
        ul.well_formed(bad)


def test_opaque_blocks_see_the_loops_around():
    assert rules(ul.parse("""
@T.prim_func
def f(A: T.Buffer((8,), "int32")):
    for i in range(8):
        with T.block("opaque"):
            T.reads()
            T.writes(A[i])
            A[i] = i
""")) == []


def test_regions_have_the_rank_of_their_buffer(mm):
    region = one(mm, tir.Block, 1).writes[0]
    bad = substitute(mm, {region: region.replace(region=region.region[:1])})
    with refused(bad, "the buffer 'C' has 2 dimensions, its region in writes has 1"):
        ul.well_formed(bad)


def test_what_a_block_writes_is_declared(mm):
    block = one(mm, tir.Block, 1)
    bad = substitute(mm, {block: block.replace(writes=())})
    with refused(bad, "block update: the buffer 'C' is written, but is not among the writes"):
        ul.well_formed(bad)
    outer = """
@T.prim_func
def f(A: T.Buffer((8,), "int32"), B: T.Buffer((8,), "int32")):
    for i in range(8):
        with T.block("outer"):
            vi = T.axis.spatial(8, i)
            T.reads()
            T.writes({})
            L = T.alloc_buffer((8,), "int32")
            for j in range(8):
                with T.block("inner"):
                    vj = T.axis.spatial(8, j)
                    L[vj] = vj
            for j in range(8):
                with T.block("last"):
                    vj = T.axis.spatial(8, j)
                    T.writes(A[vj])
                    A[vj] = L[vj]
"""
    assert rules(ul.parse(outer.format("A[0:8]"))) == []
    with refused(outer, "block outer, block last: the buffer 'A' is written"):
        ul.well_formed(ul.parse(outer.format("B[0:8]")))


def test_kinds_are_known(mm):
    with refused(mm, "loop 'i' has the unknown kind 'swirled'"):
        ul.well_formed(changed(mm, tir.For, kind="swirled"))
    with refused(mm, "loop 'i' of kind 'thread_binding' misses a thread"):
        ul.well_formed(changed(mm, tir.For, kind="thread_binding"))
    with refused(mm, "iteration variable 'vi' has the unknown kind 'odd'"):
        ul.well_formed(changed(mm, tir.IterVar, kind="odd"))


def test_loop_bounds_are_integers(mm):
    with refused(mm, "the extent of loop 'i' has dtype float32, an integer is expected"):
        ul.well_formed(changed(mm, tir.For, extent=prim.literal(8.0)))


def test_shapes_are_made_of_integers_in_scope():
    n = prim.Var("n", "int64")
    buffer = tir.decl_buffer((n * 2,), name="A")
    body = tir.BufferStore(buffer, prim.literal(0.0), (prim.literal(0),))
    with refused(None, "f: the variable 'n' is not defined"):
        ul.well_formed(tir.PrimFunc((buffer,), body).with_attrs(global_symbol="f"))
    assert rules(tir.PrimFunc((n, buffer), body)) == []
    whole = tir.decl_buffer((n,), name="B")
    assert rules(tir.PrimFunc((buffer, whole), body)) == []
    odd = tir.decl_buffer((prim.literal(4.0),), name="A")
    with refused(odd, "size 0 of the buffer 'A' has dtype float32, an integer is expected"):
        ul.well_formed(tir.PrimFunc((odd,), tir.Evaluate(prim.literal(0))))


def test_a_parameter_stands_once():
    n = prim.Var("n")
    with refused(None, "the variable 'n' is defined twice, the second time by a parameter"):
        ul.well_formed(tir.PrimFunc((n, n), tir.Evaluate(n)))


def test_a_view_needs_memory_in_scope():
    view = tir.decl_buffer((4,), name="view")
    with refused(None, "the variable 'view' is not defined"):
        ul.well_formed(tir.PrimFunc((), tir.seq(tir.DeclBuffer(view), tir.Evaluate(view[0]))))


def test_a_let_ends_with_its_expression():
    x = prim.Var("x")
    let = prim.Let(x, prim.literal(1), prim.Add(x, x))
    assert rules(tir.PrimFunc((), tir.Evaluate(let))) == []
    bad = tir.PrimFunc((), tir.Evaluate(prim.Add(let, x)))
    with refused(bad, "the variable 'x' is used outside of its scope"):
        ul.well_formed(bad)


def test_deep_and_shared_expressions_are_no_burden():
    x = prim.Var("x")
    deep, shared = x, x
    for _ in range(20000):
        deep = prim.Add(deep, x)
    for _ in range(60):
        shared = prim.Add(shared, shared)
    assert rules(tir.PrimFunc((x,), tir.seq(tir.Evaluate(deep), tir.Evaluate(shared)))) == []


def test_pieces_of_a_loop_define_their_own_variables():
    f = ul.parse("""
@T.prim_func
def rows(x: T.Buffer((3, 23), "float32"), s: T.Buffer((23,), "float32")):
    for i in T.serial(23, annotations={"lanes": 8}):
        for k in T.unroll(3):
            s[i] = s[i] + x[k, i]
""")
    lowered = LowerLanes()(f)
    assert len(collect(lowered, tir.For)) > 4
    ul.well_formed(lowered)
