"""Nodes are immutable values with identity; traversal follows the declared fields."""

import dataclasses

import pytest

from unitylab.ir import prim, tir
from unitylab.ir.node import FrozenDict, Node, child, map_value, node, note, plain


@node
class Pair(Node):
    left: Node = child()
    rest: tuple = child(())
    size: int = plain(0)
    name: str = note("")


def one(value):
    return prim.IntImm(value)


def test_nodes_cannot_change_and_are_equal_only_to_themselves():
    a = Pair(one(1))
    with pytest.raises(dataclasses.FrozenInstanceError):
        a.size = 3
    assert a == a and a != Pair(a.left)
    assert len({a, Pair(a.left)}) == 2


def test_children_are_those_of_child_fields_in_order():
    a, b, c = one(1), one(2), one(3)
    assert list(Pair(a, (b, None, FrozenDict(k=c))).children()) == [a, b, c]


def test_map_children_keeps_what_does_not_change():
    a, b, new = one(1), one(2), one(9)
    pair = Pair(a, (b, FrozenDict(k=b)), size=4, name="p")
    assert pair.map_children(lambda n: n) is pair
    changed = pair.map_children(lambda n: new if n is b else n)
    assert changed.left is a and changed.rest == (new, {"k": new})
    assert (changed.size, changed.name) == (4, "p")


def test_a_tuple_without_change_is_shared():
    inside = (one(1), (one(2),))
    assert map_value(inside, lambda n: n) is inside


def test_frozen_dicts_refuse_changes_and_make_new_ones():
    d = FrozenDict(a=1, b=2)
    for change in (lambda: d.update(a=3), lambda: d.pop("a"), lambda: d.__setitem__("a", 3),
                   lambda: d.clear(), lambda: d.setdefault("c", 1)):
        with pytest.raises(TypeError, match="updated"):
            change()
    assert d.updated(b=None, c=3) == {"a": 1, "c": 3} and d == {"a": 1, "b": 2}


def test_iteration_variables_are_axes_and_still_nodes():
    k = tir.IterVar(prim.Var("k", "int64"), tir.range_of(4), tir.REDUCE)
    assert isinstance(k, Node) and list(k.children())[0] is k.var
    assert k and k == k
