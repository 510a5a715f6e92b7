"""What a session keeps grows with what a step changed, not with the module."""

import gc
import tracemalloc

import pytest

import unitylab as ul
from unitylab.models.encoder import encoder


def kept(work):
    """The bytes that are still there after `work`, whose result is kept."""
    gc.collect()
    tracemalloc.start()
    result = work()
    gc.collect()
    size = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    return size, result


@pytest.fixture(scope="module")
def steps():
    """For encoders of growing size: bindings, bytes of one step at one place, bytes of a copy."""
    found = {}
    for layers in (2, 8, 24):
        session = ul.Session(encoder(layers=layers), sizes={"n": 4}, check=False)
        places = session.applicable("LegalizeOps")
        session.apply("LegalizeOps", only=places[0])  # what is kept once for all is there now
        session.undo()
        step, _ = kept(lambda s=session, p=places: s.apply("LegalizeOps", only=p[len(p) // 2]))
        text = session.module.to_json()
        copy, _ = kept(lambda t=text: ul.IRModule.from_json(t))
        found[layers] = len(places), step, copy
    return found


def test_a_step_at_one_place_keeps_a_pointer_for_each_binding_and_no_more(steps):
    (small, least, _), (large, most, _) = steps[2], steps[24]
    assert (most - least) / (large - small) < 64, steps


def test_a_step_is_a_small_part_of_a_copy_of_the_module(steps):
    _, step, copy = steps[24]
    assert step < copy / 20, steps


def test_a_pass_keeps_as_much_for_each_rewrite_in_a_large_module_as_in_a_small_one():
    each = []
    for layers in (2, 12):
        session = ul.Session(encoder(layers=layers), sizes={"n": 4}, check=False)
        size, step = kept(lambda s=session: s.apply("LegalizeOps"))
        each.append(size / len(step.rewrites))
    assert each[1] < 1.5 * each[0]


def test_steps_that_change_nothing_keep_next_to_nothing():
    session = ul.Session(encoder(layers=12), sizes={"n": 4}, check=False)
    session.apply("Normalize")
    session.apply("FoldConstant")
    size, step = kept(lambda: session.apply("FoldConstant"))
    assert step.unchanged and size < 8_000
