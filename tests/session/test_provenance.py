"""Every node of a module knows where it comes from, through all passes."""

import numpy as np
import pytest

import unitylab as ul
from unitylab.models.encoder import encoder
from unitylab.session.provenance import Provenance


def unknown(session):
    """The values and programs of the current step that have no origin at the start."""
    provenance = Provenance(session.history.path(session.current))
    mod = session.module
    nodes = [b.value for f in mod.graph_funcs.values() for b in f.body.bindings]
    nodes += mod.prim_funcs.values()
    return [n for n in nodes if provenance.origins(n)[-1].rule != ""
            or provenance.origins(n)[-1].step != 0]


def test_every_node_of_the_encoder_is_known_after_every_step():
    session = ul.Session(encoder(layers=12), name="encoder", sizes={"n": 4}, check=False)
    for p in ul.pipelines.default:
        session.apply(p)
        assert unknown(session) == [], p.name


@pytest.mark.parametrize("program", ["rfc", "mlp"])
def test_every_node_is_known(program, request):
    session = ul.Session(request.getfixturevalue(program), sizes={"n": 4}, check=False)
    session.run()
    assert unknown(session) == []


def test_a_value_whose_inputs_were_replaced_comes_from_the_one_before():
    session = ul.Session(ul.parse("""
@R.function
def main(x: R.Tensor((4,), "float32")):
    with R.dataflow():
        a = R.exp(x)
        b = R.exp(x)
        same = b
        c = R.add(a, same)
        d = c
        R.output(d)
    return d
"""), inputs=[np.ones(4, "float32")])
    session.run(("EliminateCommonSubexpr", "CanonicalizeBindings"))
    binding = session.module["main"].body.bindings[-1]
    chain = session.origins(binding.value)
    assert [o.rule for o in chain[:-1]] and chain[-1].step == 0 and chain[-1].rule == ""
    assert "R.add(a, same)" in chain[-1].node.script()
    assert unknown(session) == []


def test_what_nobody_recorded_is_said_to_be_unknown():
    def silent(mod):
        return mod.replace(functions={**mod.functions, "main": ul.parse("""
@R.function
def main(x: R.Tensor((4,), "float32")):
    y = R.exp(x)
    return y
""")})
    session = ul.Session(ul.parse("""
@R.function
def main(x: R.Tensor((4,), "float32")):
    z = R.exp(x)
    return z
"""))
    session.apply(silent)
    value = session.module["main"].body.bindings[0].value
    assert session.origins(value)[-1].rule == "?"
