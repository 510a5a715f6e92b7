"""Sessions: apply, check, go back, branch, compare, export."""

import numpy as np
import pytest

import unitylab as ul
from unitylab.ir import relax
from unitylab.ir.errors import TransformError, WellFormedError
from unitylab.ir.visitor import substitute
from unitylab.transforms import FuseOps, LegalizeOps


def test_every_step_of_the_pipeline_equals_the_interpreter(rfc):
    session = ul.Session(rfc)
    session.run(ul.pipelines.default)
    assert len(session.steps) == len(ul.pipelines.default) + 1
    for step in session.steps.values():
        assert step.check.state == "ok", step.check
        assert step.check.max_rel_error <= 1e-5
        assert step.time > 0


def test_undo_and_redo_walk_the_same_path(mlp):
    session = ul.Session(mlp, check=False)
    first = session.apply(LegalizeOps())
    session.undo()
    assert session.module is mlp
    assert session.redo() is first
    with pytest.raises(ul.UnityLabError, match="no step to redo"):
        session.redo()


def test_undo_at_the_start_says_so(mlp):
    with pytest.raises(ul.UnityLabError, match="nothing to undo"):
        ul.Session(mlp, check=False).undo()


def test_a_second_child_starts_a_branch(mlp):
    session = ul.Session(mlp, check=False)
    session.apply("LegalizeOps")
    session.undo()
    session.branch("as it is")
    other = session.apply("Normalize")
    assert other.branch == "as it is"
    assert session.checkout("main").name == "LegalizeOps"
    assert session.checkout("as it is") is other
    with pytest.raises(ul.UnityLabError, match="no step or branch 'nowhere'"):
        session.checkout("nowhere")


def test_names_of_passes_are_looked_up(mlp):
    session = ul.Session(mlp, check=False)
    with pytest.raises(ul.UnityLabError, match="no pass is called 'FuseOp'.*\n.*FuseOps"):
        session.apply("FuseOp")
    assert len(session.steps) == 1


def double_constants(mod):
    """A wrong pass: all constants are doubled."""
    def rewrite(_, func):
        found = [n for n in ul.ir.visitor.walk(func) if isinstance(n, relax.Constant)]
        return substitute(func, {c: relax.const(c.data * 2) for c in found})
    return mod.map_functions(rewrite, kind=relax.Function)


def test_a_wrong_pass_points_at_the_first_wrong_binding(mlp):
    session = ul.Session(mlp)
    step = session.apply(double_constants)
    first = mlp["main"].body.bindings[0].var.name
    assert step.check.state == "wrong"
    assert f"main.{first}" in step.check.message


def test_a_pass_that_fails_leaves_the_session_where_it_was(mlp):
    session = ul.Session(mlp, check=False)

    def broken(mod):
        raise ValueError("no idea")

    with pytest.raises(TransformError, match="broken failed: ValueError: no idea"):
        session.apply(broken)
    assert session.module is mlp and len(session.steps) == 1
    assert "no idea" in str(session.error)


def test_a_pass_that_makes_an_ill_formed_module_is_refused(mlp):
    session = ul.Session(mlp, check=False)

    def forget_a_binding(mod):
        func = mod["main"]
        block = func.body.blocks[0]
        rest = block.replace(bindings=block.bindings[1:])
        return mod.with_functions({"main": func.replace(body=func.body.replace(blocks=(rest,)))})

    with pytest.raises(WellFormedError, match="main"):
        session.apply(forget_a_binding)
    assert session.module is mlp


def test_diff_counts_what_changed(mlp):
    session = ul.Session(mlp, check=False)
    session.apply(LegalizeOps())
    diff = session.diff()
    assert {name for name, variable in diff.added if not variable} == \
        set(session.module.prim_funcs)
    assert len(diff.changed) == len(mlp["main"].body.bindings)
    assert not diff.removed
    assert any(sign == "+" and "call_tir" in line for sign, line in diff.lines())


def test_origins_lead_back_to_the_first_step(mlp):
    session = ul.Session(mlp, check=False)
    step = session.apply(LegalizeOps())
    call = step.module["main"].body.bindings[0].value
    chain = session.origins(call)
    assert [o.step for o in chain] == [1, 0]
    assert chain[0].rule
    assert chain[-1].rule == ""


def test_one_place_of_a_pass(mlp):
    session = ul.Session(mlp)
    places = session.applicable(LegalizeOps())
    step = session.apply(LegalizeOps(), only=places[1])
    assert len(places) == len(mlp["main"].body.bindings)
    assert len(step.rewrites) == 1
    assert step.check.state == "ok"


def test_the_way_as_python_gives_the_same_module(rfc):
    session = ul.Session(rfc, check=False)
    session.run(ul.pipelines.default)
    scope = {}
    exec(session.to_python(), scope)
    ul.assert_structural_equal(scope["mod"], session.module)


def test_sizes_and_inputs_can_be_given(rfc):
    session = ul.Session(rfc, sizes={"n": 2, "d": 9, "m": 4})
    x, w = session.inputs
    assert x.shape == (2, 9) and w.shape == (9, 4)
    given = ul.Session(rfc, inputs=[np.ones((1, 2), "float32"), np.ones((2, 3), "float32")])
    assert given.current.check.state == "ok"


def test_unchanged_steps_are_marked(mlp):
    session = ul.Session(mlp)
    session.apply(FuseOps())
    assert session.current.unchanged
    assert session.current.check.state == "ok"


def test_the_arrays_that_were_given_are_not_written():
    session = ul.Session(ul.parse("""
@T.prim_func
def twice(A: T.Buffer((4,), "float32"), B: T.Buffer((4,), "float32")):
    for i in range(4):
        B[i] = A[i] * T.float32(2)
"""), inputs=[np.ones(4, "float32"), np.zeros(4, "float32")])
    session.profile()
    assert session.current.check.state == "ok" and session.current.time > 0
    assert (session.given_inputs[1] == 0).all()
