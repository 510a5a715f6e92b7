"""The base of every IR node. The fields of a class drive traversal, equality, hash and JSON.

A node is a frozen dataclass. Two nodes are `==` only when they are the same object; structural
equality lives in `structural.py`. A field is one of

- a *child*: a Node, None, or a tuple or FrozenDict of such (the default);
- a *definition* (`definition()`): a child that binds the variables inside it;
- a *plain value* (`plain()`): compared with `==`, holds no node;
- a *note* (`note()`): says something about the node that does not count in comparisons.
"""

from __future__ import annotations

import dataclasses
import operator
from collections.abc import Callable
from dataclasses import MISSING, dataclass, field
from typing import Any, ClassVar, dataclass_transform

from .errors import Span


def child(default=MISSING, **kw):
    """A field that holds nodes."""
    return _field("child", default, **kw)


def definition(default=MISSING, **kw):
    """A field whose variables are bound here: loop variables, parameters, allocated buffers."""
    return _field("definition", default, **kw)


def plain(default=MISSING, **kw):
    """A field without nodes: a name that counts, a number, a dtype."""
    return _field("plain", default, **kw)


def note(default=MISSING, **kw):
    """A field that comparisons ignore: name hints, spans."""
    return _field("note", default, **kw)


def _field(role: str, default, **kw):
    if default is MISSING:
        return field(metadata={"role": role}, **kw)
    return field(default=default, metadata={"role": role}, **kw)


class FrozenDict(dict):
    """A dict that cannot change; iterates in insertion order."""

    def _refuse(self, *_, **__):
        raise TypeError("this mapping is part of an immutable node; .updated() makes a new one")

    __setitem__ = __delitem__ = clear = pop = popitem = setdefault = update = __ior__ = _refuse

    def __hash__(self):
        return hash(frozenset(self))

    def updated(self, *args, **kw) -> FrozenDict:
        """A copy with the given entries; an entry whose value is None is dropped."""
        return FrozenDict({k: v for k, v in dict(self, **dict(*args, **kw)).items()
                           if v is not None})

    def __reduce__(self):
        return FrozenDict, (dict(self),)


EMPTY = FrozenDict()


@dataclass_transform(frozen_default=True, eq_default=False,
                     field_specifiers=(child, definition, plain, note))
def node(cls):
    """Makes a class a node kind: a frozen dataclass with identity equality, known by name."""
    cls = dataclass(frozen=True, eq=False, repr=False)(cls)
    roles = {f.name: f.metadata.get("role", "child") for f in dataclasses.fields(cls)}
    cls.field_names = tuple(roles)
    cls.field_roles = tuple(roles.items())
    cls.child_fields = tuple(n for n, r in roles.items() if r in ("child", "definition"))
    cls._child_values = _values_of(cls.child_fields)
    first = cls.binders_first
    order = sorted(roles, key=lambda n: first.index(n) if n in first else len(first))
    cls.compared_fields = tuple((n, roles[n]) for n in order if roles[n] != "note")
    cls.kind_name = f"{cls.__module__.rpartition('.')[2]}.{cls.__name__}"
    BY_KIND[cls.kind_name] = cls
    return cls


def _values_of(names: tuple[str, ...]) -> Callable[[Node], tuple]:
    """The values of these fields of a node at once."""
    if not names:
        return staticmethod(lambda n: ())
    get = operator.attrgetter(*names)
    return staticmethod(get if len(names) > 1 else lambda n: (get(n),))


BY_KIND: dict[str, type] = {}


class Node:
    """Base of all nodes. See the module's docstring for what the fields mean."""

    field_names: ClassVar[tuple[str, ...]] = ()
    field_roles: ClassVar[tuple[tuple[str, str], ...]] = ()
    child_fields: ClassVar[tuple[str, ...]] = ()
    _child_values: ClassVar[Callable[[Node], tuple]] = staticmethod(lambda n: ())
    compared_fields: ClassVar[tuple[tuple[str, str], ...]] = ()
    kind_name: ClassVar[str] = ""
    # fields that bind what earlier fields use: compared before the others
    binders_first: ClassVar[tuple[str, ...]] = ()

    _printer: ClassVar[Callable[..., str] | None] = None
    _shower: ClassVar[Callable[[str], None] | None] = None

    def children(self) -> list[Node]:
        """The nodes directly below, in the order of the fields."""
        found = []
        for value in self._child_values(self):
            if isinstance(value, Node):
                found.append(value)
            elif value:
                found += nodes_in(value)
        return found

    def map_children(self, f: Callable[[Node], Any]) -> Node:
        """The same node with `f` applied to each child; this very object if nothing changed."""
        changes = None
        for name, old in zip(self.child_fields, self._child_values(self)):
            if not isinstance(old, Node):
                new = map_value(old, f) if old else old
            else:
                new = f(old)
            if new is not old:
                changes = changes or {}
                changes[name] = new
        return self.replace(**changes) if changes else self

    def replace(self, **changes) -> Node:
        """A copy with some fields changed."""
        values = {n: getattr(self, n) for n in self.field_names}
        values.update(changes)
        return type(self)(**values)

    def script(self, dialect: str = "unity", **options) -> str:
        """This node as TVMScript; `dialect="tvm"` spells it as today's Apache TVM does."""
        if Node._printer is None:
            return f"<{type(self).__name__}>"
        return Node._printer(self, dialect=dialect, **options)

    def show(self, dialect: str = "unity") -> None:
        """Displays the script: with colours in a notebook, as text elsewhere."""
        if Node._shower is None:
            print(self.script(dialect))
        else:
            Node._shower(self.script(dialect))

    def to_json(self, *, indent: int | None = None) -> str:
        """This node and all below it as JSON text: exact, versioned, constants included.
        Raises UnityLabError where an attribute holds what no text can say."""
        from .json_text import to_json
        return to_json(self, indent=indent)

    @classmethod
    def from_json(cls, text: str | bytes):
        """The node that `to_json` wrote; builds nodes and runs nothing. Raises ParseError for
        text that is torn, foreign, of another version, or holds no node of this class."""
        from .json_text import from_json
        return from_json(text, cls)

    def __str__(self) -> str:
        return self.script()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {' '.join(self.script().split())[:120]}>"


def nodes_in(value) -> list[Node]:
    """The nodes that a field's value holds."""
    if isinstance(value, Node):
        return [value]
    parts = value if isinstance(value, tuple) else \
        value.values() if isinstance(value, FrozenDict) else ()
    found = []
    for v in parts:
        if isinstance(v, Node):
            found.append(v)
        elif isinstance(v, (tuple, FrozenDict)):
            found += nodes_in(v)
    return found


def map_value(value, f: Callable[[Node], Any]):
    """Applies `f` to each node in a field's value; the same object if nothing changed."""
    if isinstance(value, Node):
        return f(value)
    if isinstance(value, tuple):
        new = tuple([f(v) if isinstance(v, Node) else map_value(v, f) for v in value])
        return value if all(map(operator.is_, value, new)) else new
    if isinstance(value, FrozenDict):
        new = FrozenDict({k: map_value(v, f) for k, v in value.items()})
        return value if all(new[k] is value[k] for k in value) else new
    return value


def span_field():
    """The place a node was written at; every expression and statement ends with it."""
    return field(default=None, kw_only=True, metadata={"role": "note"})


__all__ = ["BY_KIND", "EMPTY", "FrozenDict", "Node", "Span", "child", "definition", "map_value",
           "node", "nodes_in", "note", "plain", "span_field"]
