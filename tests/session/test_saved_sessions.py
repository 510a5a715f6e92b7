"""Sessions in files, and the other things a session keeps: origins, costs, words."""

import json

import numpy as np
import pytest

import unitylab as ul
from unitylab.models.encoder import encoder


def test_a_saved_session_is_the_same_in_another_process(mlp, tmp_path):
    session = ul.Session(mlp, sizes={"n": 3})
    session.run(ul.pipelines.default[:6])
    session.checkout(3)
    session.branch("aside")
    session.apply("LegalizeOps")
    session.rename(2, "the second")
    session.save(tmp_path / "way")
    again = ul.Session.load(tmp_path / "way")
    assert list(again.steps) == list(session.steps)
    assert again.current.id == session.current.id and again.current.branch == "aside"
    assert again.steps[2].label == "the second"
    for number, step in session.steps.items():
        ul.assert_structural_equal(again.steps[number].module, step.module)
        assert again.steps[number].check == step.check
    call = again.module["main"].body.bindings[0].value
    assert [o.step for o in again.origins(call)] == [again.current.id, 0]
    assert again.to_python() == session.to_python()
    assert again.apply("AnnotateTIROpPattern").check.state == "ok"


def test_a_file_keeps_every_step_and_is_taken_up_again(rfc, tmp_path):
    file = tmp_path / "kept"
    ul.Session(rfc, file=file).apply("LegalizeOps")
    again = ul.Session(ul.parse(rfc.script()), file=file)
    assert again.current.name == "LegalizeOps"
    with pytest.raises(ul.UnityLabError, match="another module"):
        ul.Session(again.module, file=file)


@pytest.mark.parametrize("text", ["", "{}", "[1]", '{"unitylab session": 1}', json.dumps(
    {"unitylab session": 1, "nodes": [["os.system", {}]], "steps": []})])
def test_what_is_no_session_is_refused(tmp_path, text):
    (tmp_path / "x").write_text(text)
    with pytest.raises(ul.UnityLabError):
        ul.Session.load(tmp_path / "x")


def test_exported_python_makes_the_scheduled_module_again(rfc):
    session = ul.Session(rfc, check=False)
    main = rfc["main"].body.bindings[0]
    action = next(a for a in session.actions(main.var, main.value, "mm") if a.name.startswith("split i"))
    session.apply(action.pass_)
    scope = {}
    exec(session.to_python(), scope)
    ul.assert_structural_equal(scope["mod"], session.module)


def test_numbers_of_a_matmul(rfc):
    n = ul.Session(rfc, sizes={"n": 2, "d": 3, "m": 4}, check=False).numbers()
    assert n.work["lv0"].flops == 2 * 2 * 3 * 4
    assert n.peak == max(b for _, b, _ in n.memory)


def test_fusion_moves_fewer_bytes_and_needs_less_memory(mlp):
    session = ul.Session(mlp, sizes={"n": 64}, check=False)
    before = session.numbers()
    session.run(ul.pipelines.default[:-1])  # the schedule of softmax computes some things twice
    after = session.numbers()
    assert after.flops == pytest.approx(before.flops, rel=0.01)
    assert after.bytes < before.bytes and after.calls < before.calls


def test_every_node_of_the_encoder_has_a_known_origin():
    session = ul.Session(encoder(layers=2), sizes={"n": 4}, check=False)
    session.run()
    unknown = [b.var.name for b in session.module["main"].body.bindings
               if session.origins(b.value)[-1].rule == "?"]
    # the last binding is a new name for the result, it computes nothing
    assert set(unknown) <= {"gv"}
    first = session.module["main"].body.bindings[0].value
    assert session.origins(first)[-1].node.span.source.endswith("encoder.py")


def test_the_encoder_stays_right():
    session = ul.Session(encoder(layers=1, width=8, heads=2, hidden=16), sizes={"n": 3})
    session.run()
    assert {s.check.state for s in session.steps.values()} == {"ok"}
    assert np.isfinite(session.build()["main"](*session.inputs)).all()


def test_the_text_twin_says_what_is_seen(rfc):
    session = ul.Session(rfc)
    session.apply("LegalizeOps")
    text = session.describe(variable="lv2")
    for part in ("step 1: LegalizeOps, from step 0; check ok", "tensor program exp", "added: flatten",
                 "R.exp(lv1), written at <text>:"):
        assert part in text, part
