"""Walks, rewrites and copies of trees."""

import unitylab as ul
from unitylab.ir import prim, relax, tir
from unitylab.ir.visitor import (Mutator, Visitor, collect, fold_substitute, fresh_copy, post_order,
                                 substitute, undefined_vars, walk)

PROGRAM = '''
@T.prim_func(private=True)
def f(a: T.handle, B: T.Buffer((4,), "float32")):
    n = T.int64()
    A = T.match_buffer(a, (n, 4), "float32")
    for i, j in T.grid(n, 4):
        with T.block("sum"):
            vi, vj = T.axis.remap("RS", [i, j])
            with T.init():
                B[vj] = T.float32(0)
            B[vj] = B[vj] + A[vi, vj] * T.float32(2)
'''


def program():
    return ul.parse(PROGRAM)


def test_walk_is_in_program_order_and_enters_a_buffer_once():
    func = program()
    nodes = list(walk(func))
    assert nodes[0] is func
    loops = [n.loop_var.name for n in nodes if isinstance(n, tir.For)]
    assert loops == ["i", "j"]
    data = func.buffers[0].data
    assert sum(n is data for n in nodes) == 1


def test_collect_gives_each_node_once():
    assert [b.name for b in collect(program(), tir.Buffer)] == ["A", "B"]


def test_post_order_sees_children_first_and_shared_nodes_once():
    x = prim.Var("x", "int32")
    shared = prim.Add(x, prim.IntImm(1))
    seen = []
    post_order(prim.Mul(shared, shared), seen.append)
    assert [type(n).__name__ for n in seen] == ["Var", "IntImm", "Add", "Mul"]


def test_visitors_choose_the_method_of_the_nearest_class():
    class Count(Visitor):
        stores = statements = 0

        def visit_BufferStore(self, n):
            self.stores += 1

        def visit_Stmt(self, n):
            self.statements += 1
            self.visit_children(n)

    count = Count()
    count.visit(program().body)
    assert (count.stores, count.statements) == (2, 6)


def test_a_mutator_that_changes_nothing_gives_the_same_object():
    func = program()
    assert Mutator().visit(func) is func


def test_substitution_reaches_definition_and_uses_alike():
    func = program()
    old = func.buffers[1]
    new = old.replace(name="C")
    changed = substitute(func, {old: new})
    assert changed.buffers[1] is new
    assert {s.buffer for s in collect(changed, tir.BufferStore)} == {new}
    ul.assert_structural_equal(changed, func)
    assert substitute(func, {}) is func


def test_fold_substitute_computes_what_became_known():
    n = prim.Var("n", "int64")
    e = (n * 4 + n) // 3
    assert prim.as_int(fold_substitute(e, {n: prim.literal(6, "int64")})) == 10


def test_undefined_vars_are_those_that_no_shape_or_loop_defines():
    func = program()
    assert undefined_vars(func) == []
    m = prim.Var("m", "int64")
    wide = tir.decl_buffer((m * 2,), "float32", "W")
    assert undefined_vars(func.replace(params=(*func.params, wide))) == [m]


def test_a_fresh_copy_is_equal_and_shares_no_variable():
    func = program()
    copy = fresh_copy(func)
    ul.assert_structural_equal(copy, func)
    bound = (prim.Var, tir.Buffer)
    assert not set(collect(copy, bound)) & set(collect(func, bound))


def test_sequences_stay_flat_when_a_statement_becomes_several():
    class Twice(Mutator):
        def visit_Evaluate(self, n):
            return tir.seq(n, n)

    one = tir.Evaluate(prim.IntImm(0))
    changed = Twice().visit(tir.SeqStmt((one, one)))
    assert [type(s) for s in changed.stmts] == [tir.Evaluate] * 4


def test_inferred_struct_info_follows_a_rewrite():
    mod = ul.parse('@R.function\ndef main(x: R.Tensor(("n", 4), "float32")):\n'
                   '    y = R.exp(x)\n    return y\n')
    func = mod["main"] if isinstance(mod, ul.IRModule) else mod
    n = func.params[0].struct_info.dims[0]
    changed = substitute(func, {n: prim.literal(3, "int64")})
    call = collect(changed, relax.Call)[0]
    assert prim.as_int(call.struct_info.dims[0]) == 3
