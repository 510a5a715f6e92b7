"""The order of the rooms of `unitylab/`, and what keeps its files readable (docs/architecture.md).

The checks are functions from a folder to a list of complaints, each `file:line: what is wrong`.
They are tried on small wrong trees first, then on the package itself.
"""

import ast
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "unitylab"

# A room may import itself and every room of a lower level.
LEVEL = {
    "ir": 0,
    "rewrite": 1,
    "target": 1,
    "arith": 2,
    "ops": 3,
    "script": 4,
    "interp": 4,
    "transforms": 5,
    "schedule": 5,
    "frontends": 5,
    "verify": 5,
    "models": 6,
    "pipelines": 6,
    "exec": 7,
    "simulate": 8,
    "session": 9,
    "viz": 10,
}
# Frontends stand aside: they see ops and what is below, and only sessions and views see them.
FRONTENDS_SEE_UP_TO = LEVEL["ops"]
FRONTENDS_SEEN_FROM = LEVEL["session"]
ROOM_MODULES = {f"unitylab.{room}" for room in LEVEL}

HEAVY = {"torch", "onnx", "onnxruntime", "sklearn", "dask"}
NAMELESS = {"utils", "helpers", "common"}
COLUMNS = 100


@dataclass(frozen=True)
class Import:
    """`target` is imported by the file `path` at `line`; `eager`: when that file is imported."""

    path: str
    line: int
    target: str
    eager: bool

    def __str__(self):
        return f"{self.path}:{self.line}"


def python_files(package):
    return sorted(package.rglob("*.py"))


def place(file, package):
    return str(file.relative_to(package.parent))


def module_name(file, package):
    parts = file.relative_to(package.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def room_of(module):
    """`unitylab.ir.node` -> `ir`; `unitylab` itself -> None."""
    return (module.split(".") + [None])[1]


def may_import(room, other):
    if room == other:
        return True
    if room == "frontends":
        return LEVEL[other] <= FRONTENDS_SEE_UP_TO
    if other == "frontends":
        return LEVEL[room] >= FRONTENDS_SEEN_FROM
    return LEVEL[other] < LEVEL[room]


# Reading imports


def is_type_checking(node):
    return isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING")


def import_nodes(node, eager=True):
    """Every import statement below `node`, with whether it runs when the module is imported."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Import | ast.ImportFrom):
            yield child, eager
        elif is_type_checking(child):
            for statement in child.body:
                yield from import_nodes(ast.Module([statement], []), False)
            yield from import_nodes(ast.Module(child.orelse, []), eager)
        else:
            late = isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
            yield from import_nodes(child, eager and not late)


def origin(node, file, package):
    """The absolute module that `from ... import` names: `from ..ir import x` -> `unitylab.ir`."""
    if node.level == 0:
        return node.module
    here = file.relative_to(package.parent).parent.parts
    base = here[: len(here) - node.level + 1]
    return ".".join([*base, *([node.module] if node.module else [])])


def targets(node, file, package, modules):
    """The modules that a statement imports; `from a import b` is `a.b` where that is a module."""
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    base = origin(node, file, package)
    names = [f"{base}.{alias.name}" for alias in node.names]
    inside = [name for name in names if name in modules or name in ROOM_MODULES]
    return inside if len(inside) == len(names) else [base, *inside]


def imports(package):
    files = python_files(package)
    modules = {module_name(file, package) for file in files}
    for file in files:
        for node, eager in import_nodes(ast.parse(file.read_text(), str(file))):
            for target in targets(node, file, package, modules):
                importer = module_name(file, package)
                yield importer, Import(place(file, package), node.lineno, target, eager)


# The checks


def unknown_rooms(package):
    rooms = {room_of(module_name(file, package)): file for file in python_files(package)}
    return [
        f"{place(file, package)}:1: `{room}` is no room of the architecture: give it a level"
        for room, file in rooms.items()
        if room not in {*LEVEL, None}
    ]


def out_of_order(package):
    complaints = []
    for importer, found in imports(package):
        room, other = room_of(importer), room_of(found.target)
        if room not in LEVEL or found.target.split(".")[0] != "unitylab":
            continue
        if other is None:
            complaints.append(f"{found}: {room} imports `unitylab` itself: name the room")
        elif other not in LEVEL:
            complaints.append(f"{found}: {room} imports {found.target}, which is in no room")
        elif not may_import(room, other):
            complaints.append(f"{found}: {room} may not import {other} ({found.target})")
    return complaints


def cycles(package):
    """Import cycles among the statements that run on import; one of them, if there are several."""
    edges, graph = {}, {}
    for importer, found in imports(package):
        if found.eager and importer != "unitylab" and found.target.startswith("unitylab."):
            edges.setdefault((importer, found.target), found)
            graph.setdefault(importer, set()).add(found.target)
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        # every module of the list is imported by the one after it
        circle = error.args[1]
        steps = [edges[pair] for pair in zip(circle[1:], circle, strict=False)]
        return ["import cycle: " + ", ".join(f"{s} imports {s.target}" for s in reversed(steps))]
    return []


def eager_heavy_imports(package):
    return [
        f"{found}: {found.target} is heavy: import it in the function that needs it"
        for importer, found in imports(package)
        if found.eager and found.target.split(".")[0] in HEAVY and room_of(importer) != "frontends"
    ]


def nameless_files(package):
    return [
        f"{place(file, package)}:1: a file is named after what it is about, not `{file.stem}`"
        for file in python_files(package)
        if file.stem in NAMELESS or file.parent.name in NAMELESS
    ]


def long_lines(package):
    files = [file for suffix in ("py", "js", "css") for file in package.rglob(f"*.{suffix}")]
    return [
        f"{place(file, package)}:{number}: {len(line)} columns, more than {COLUMNS}"
        for file in sorted(files)
        for number, line in enumerate(file.read_text().splitlines(), 1)
        if len(line) > COLUMNS
    ]


CHECKS = [
    unknown_rooms,
    out_of_order,
    cycles,
    eager_heavy_imports,
    nameless_files,
    long_lines,
]


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_unitylab(check):
    complaints = check(PACKAGE)
    assert not complaints, "\n" + "\n".join(complaints)


# The checks themselves, on small trees


def tree(root, files):
    package = root / "unitylab"
    for name, text in {"__init__.py": "from unitylab.viz import lab\n", **files}.items():
        file = package / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    return package


def clean_tree(root):
    return tree(
        root,
        {
            "ir/__init__.py": "from .node import Node\n",
            "ir/node.py": "from unitylab.ir import errors\nfrom .errors import Span\n",
            "ir/errors.py": "from typing import TYPE_CHECKING\n"
            "if TYPE_CHECKING:\n    from unitylab.ir.node import Node\n",
            "frontends/torch.py": "import torch\nfrom unitylab.ops import get_op\n",
            "transforms/relax/fuse_ops.py": "from ...ir import node\nfrom unitylab import ops\n",
            "pipelines.py": "from unitylab.transforms.relax.fuse_ops import FuseOps\n",
            "session/session.py": "from unitylab.frontends.torch import from_torch\n"
            "def run():\n    import torch\n",
            "viz/__init__.py": "from unitylab.session import session\n",
        },
    )


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_a_clean_tree_has_no_complaints(check, tmp_path):
    assert check(clean_tree(tmp_path)) == []


WRONG = [
    (unknown_rooms, "misc/a.py", "", "misc/a.py:1"),
    (out_of_order, "ir/a.py", "\nfrom unitylab.arith.bounds import b", "ir/a.py:2"),
    (out_of_order, "ir/a.py", "from ..ops import get_op", "ir/a.py:1"),
    (out_of_order, "ir/a.py", "from .. import ops", "ir/a.py:1"),
    (out_of_order, "ir/a.py", "def f():\n    import unitylab.script", "ir/a.py:2"),
    (out_of_order, "ir/a.py", "try:\n    pass\nexcept E:\n    import unitylab.viz", "ir/a.py:4"),
    (out_of_order, "ops/a.py", "import unitylab", "ops/a.py:1"),
    (out_of_order, "viz/a.py", "from unitylab import build", "viz/a.py:1"),
    (out_of_order, "viz/a.py", "from .. import Session", "viz/a.py:1"),
    (out_of_order, "interp/a.py", "from unitylab.script import parse", "interp/a.py:1"),
    (out_of_order, "script/a.py", "from unitylab.interp import interpret", "script/a.py:1"),
    (out_of_order, "transforms/a/b.py", "from ...schedule import Schedule", "a/b.py:1"),
    (out_of_order, "schedule/a.py", "from ..transforms.a import A", "schedule/a.py:1"),
    (out_of_order, "frontends/a.py", "from unitylab.script import parse", "frontends/a.py:1"),
    (out_of_order, "exec/a.py", "from unitylab.frontends import torch", "exec/a.py:1"),
    (out_of_order, "exec/__init__.py", "from ..session import Session", "exec/__init__.py:1"),
    (eager_heavy_imports, "exec/a.py", "import torch.fx", "exec/a.py:1"),
    (eager_heavy_imports, "exec/a.py", "try:\n    from onnx import x\nexcept E: ...", "a.py:2"),
    (nameless_files, "ir/utils.py", "", "ir/utils.py:1"),
    (nameless_files, "ir/common/__init__.py", "", "ir/common/__init__.py:1"),
    (long_lines, "ir/a.py", "\n# " + 99 * "x", "ir/a.py:2"),
    (long_lines, "viz/a.js", "//" + 99 * "x", "viz/a.js:1"),
]


@pytest.mark.parametrize(("check", "file", "text", "expected"), WRONG)
def test_what_is_wrong_is_named_with_its_place(check, file, text, expected, tmp_path):
    (complaint,) = check(tree(tmp_path, {file: text}))
    assert f"{expected}: " in complaint


def test_a_cycle_is_named_step_by_step(tmp_path):
    (complaint,) = cycles(
        tree(
            tmp_path,
            {
                "ir/a.py": "from .b import x",
                "ir/b.py": "\nimport unitylab.ir.c",
                "ir/c.py": "class C:\n    from unitylab.ir import a",
            },
        )
    )
    for step in [
        "unitylab/ir/a.py:1 imports unitylab.ir.b",
        "unitylab/ir/b.py:2 imports unitylab.ir.c",
        "unitylab/ir/c.py:2 imports unitylab.ir.a",
    ]:
        assert step in complaint


def test_a_late_import_makes_no_cycle(tmp_path):
    late = {"ir/a.py": "from .b import x", "ir/b.py": "def f():\n    from .a import y"}
    assert cycles(tree(tmp_path, late)) == []


def test_a_module_that_imports_its_own_package_is_a_cycle(tmp_path):
    circle = {"ir/__init__.py": "from .a import x", "ir/a.py": "from . import x"}
    assert len(cycles(tree(tmp_path, circle))) == 1
