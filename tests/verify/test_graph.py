"""The verifier on graph functions: each rule, on a program that breaks it."""

import pytest

import unitylab as ul
from unitylab.ir import relax
from unitylab.ir.struct_info import tensor_info

INFO = tensor_info((4,), "float32")


def rules(mod):
    return [c.rule for c in ul.complaints(mod)]


def function(params, *blocks, result):
    body = relax.SeqExpr(tuple(blocks), result)
    return ul.IRModule(ul.ir.node.FrozenDict(main=relax.Function(tuple(params), body, INFO)))


def exp(x):
    return ul.ir.op.get_op("exp")(x)


X, Y, Z = (relax.Var(name, INFO) for name in "xyz")
LV = relax.DataflowVar("lv", INFO)


def bind(var, value):
    return relax.VarBinding(var, value)


def test_a_good_module_has_no_complaints(rfc, mlp):
    assert ul.complaints(rfc) == ul.complaints(mlp) == []
    ul.well_formed(rfc)


def test_a_use_before_the_definition_names_function_and_binding():
    block = relax.BindingBlock((bind(Y, exp(Z)), bind(Z, exp(X))))
    with pytest.raises(ul.WellFormedError, match="main, binding y: the variable 'z' is used, but "
                                                 "is not defined before"):
        ul.well_formed(function([X], block, result=Y))


def test_a_variable_is_defined_once():
    block = relax.BindingBlock((bind(Y, exp(X)), bind(Y, exp(X))))
    assert rules(function([X], block, result=Y)) == ["single-assignment"]


def test_dataflow_variables_end_with_their_block():
    block = relax.DataflowBlock((bind(LV, exp(X)), bind(Y, exp(LV))))
    assert rules(function([X], block, result=Y)) == []
    with pytest.raises(ul.WellFormedError, match=r"'lv' is used after its block(.|\n)*R.output"):
        ul.well_formed(function([X], block, result=LV))


def test_a_dataflow_variable_belongs_into_a_dataflow_block():
    block = relax.BindingBlock((bind(LV, exp(X)),))
    assert rules(function([X], block, result=LV)) == ["dataflow"]


def test_what_a_branch_defines_stays_inside():
    side = relax.SeqExpr((relax.BindingBlock((bind(Z, exp(X)),)),), Z)
    cond = relax.Var("c", tensor_info((), "bool"))
    choice = relax.If(cond, side, relax.SeqExpr((), X), INFO)
    block = relax.BindingBlock((bind(Y, choice),))
    assert rules(function([cond, X], block, result=Y)) == []
    with pytest.raises(ul.WellFormedError, match="'z' is used outside of its scope"):
        ul.well_formed(function([cond, X], block, result=Z))


def test_arguments_are_leaves():
    block = relax.BindingBlock((bind(Y, exp(exp(X))),))
    with pytest.raises(ul.WellFormedError, match=r"(?s)argument 0 is a Call.*Normalize"):
        ul.well_formed(function([X], block, result=Y))


def test_symbolic_variables_are_defined_before_use():
    n = ul.ir.prim.Var("n", "int64")
    y = relax.Var("y", tensor_info((n,), "float32"))
    block = relax.BindingBlock((bind(y, exp(X)),))
    with pytest.raises(ul.WellFormedError, match="the symbolic variable 'n' is not defined"):
        ul.well_formed(function([X], block, result=y))


def test_functions_that_are_called_exist(rfc):
    with pytest.raises(ul.WellFormedError, match="no function 'mm'"):
        ul.well_formed(rfc.with_functions({"mm": None}))


def test_only_programs_are_verified():
    with pytest.raises(ul.UnityLabError, match="expected, not str"):
        ul.well_formed("def f(): pass")


def test_a_node_of_the_wrong_kind_is_named(rfc):
    mm = rfc["mm"]
    store = ul.ir.visitor.collect(mm, ul.ir.tir.BufferStore)[0]
    bad = ul.ir.visitor.substitute(mm, {store: store.replace(value=store)})
    with pytest.raises(ul.WellFormedError, match="mm: BufferStore.value holds a BufferStore, "
                                                 "PrimExpr expected"):
        ul.well_formed(rfc.with_functions({"mm": bad}))


def test_a_dataflow_block_has_no_effects():
    show = relax.Var("shown", ul.ir.struct_info.ObjectStructInfo())
    call = ul.ir.op.get_op("print")(X, format="{}")
    block = relax.DataflowBlock((bind(show, call), bind(Y, exp(X))))
    with pytest.raises(ul.WellFormedError, match="binding shown: a dataflow block has no effects, "
                                                 "print has one"):
        ul.well_formed(function([X], block, result=Y))
    assert rules(function([X], relax.BindingBlock(block.bindings), result=Y)) == []
