"""What an error shows: the line with a caret, what was found, what to try; also in a notebook."""

import pickle
import re

import numpy as np
import pytest

import unitylab as ul
from unitylab.ir import prim, relax, tir
from unitylab.ir.errors import ParseError, RuntimeCallError, UnityLabError, WellFormedError
from unitylab.ir.span import SourceText, Span
from unitylab.script import relax as R

LOOP = '''
@T.prim_func
def f(A: T.Buffer((16,), "float32"), B: T.Buffer((16,), "float32")):
    for i in range(16):
        with T.block("b"):
            vi = T.axis.spatial(16, i)
            {}
'''
GRAPH = '''
@I.ir_module
class M:
    @R.function
    def main(x: R.Tensor((2, 3), "float32")):
        with R.dataflow():
            {}
            R.output(y)
        return y
'''


def complaint(text):
    with pytest.raises(UnityLabError) as found:
        ul.parse(text)
    return str(found.value)


def under_caret(shown):
    """The piece of the source that the carets stand below."""
    lines = re.sub(r"\x1b\[[\d;]*m", "", shown).splitlines()
    k = next(i for i, line in enumerate(lines) if re.fullmatch(r"\s*\| *\^+", line))
    at = lines[k].index("^")
    return lines[k - 1][at:at + lines[k].count("^")]


@pytest.mark.parametrize("line, piece, hint", [
    ("B[vi] = T.expp(A[vi])", "T.expp", "did you mean T.exp,"),
    ("B[vi] = T.Select(True, 1.0, flase_value=2.0)", "flase_value=2.0", "false_value"),
    ("B[vi] = A[vj]", "vj", "vi"),
    ("B[vi] = A[vi, 1]", "A[vi, 1]", ""),
    ("C: T.Bufer((1,)) = A", "T.Bufer", "T.Buffer"),
    ("Bb[vi] = 1.0", "Bb", "B"),
    ("B[vi] = A.dtyp", "A.dtyp", "did you mean dtype?"),
    ("B[vi] = vi.astyp('float32')", "vi.astyp", "did you mean astype,"),
    ("vk = T.axis.spatal(1, i)", "T.axis.spatal", "did you mean T.axis.spatial?"),
    ("with T.blok('c'): pass", "T.blok", "did you mean T.block"),
    ("for j in T.serail(3): pass", "T.serail", "did you mean T.serial?"),
    ("C = T.alloc_buffer((1,), 'flaot32')", "C = T.alloc_buffer((1,), 'flaot32')", ""),
])
def test_tensor_level(line, piece, hint):
    shown = complaint(LOOP.format(line))
    assert shown.startswith("<text>:7:")
    assert under_caret(shown) == piece
    assert hint in shown.partition("try: ")[2]


@pytest.mark.parametrize("line, piece, hint", [
    ("y = R.nn.relluu(x)", "R.nn.relluu", "did you mean R.nn.relu,"),
    ("y = R.nn.softmax(x, axs=1)", "R.nn.softmax(x, axs=1)", "did you mean axis?"),
    ("y = R.call_tir(cls.mian, (x,))", "cls.mian", "did you mean main?"),
    ("y = R.add(xx, x)", "xx", "did you mean x?"),
    ("y = R.matmul(x, x)", "R.matmul(x, x)", "permute_dims"),
    ("y: R.Tensr((2,)) = x", "R.Tensr", "did you mean R.Tensor?"),
    ("y = R.nm.relu(x)", "R.nm", ", R.nn,"),
])
def test_graph_level(line, piece, hint):
    shown = complaint(GRAPH.format(line))
    assert shown.startswith("<text>:7:")
    assert under_caret(shown) == piece
    assert hint in shown.partition("try: ")[2]


def test_the_caret_counts_characters_not_bytes():
    shown = complaint(LOOP.format('B[vi] = T.call_extern("float32", "größe", vk)'))
    assert under_caret(shown) == "vk"


def test_the_caret_stands_below_wide_characters():
    lines = complaint(LOOP.format('B[vi] = T.call_extern("float32", "漢字", vk)')).splitlines()
    assert lines[2].index("^") == lines[1].index("vk") + 2, "two columns for each of both"


def test_of_a_long_line_the_part_around_the_place_is_shown():
    shown = complaint(LOOP.format("B[vi] = " + "A[vi] + " * 100 + "vk"))
    assert under_caret(shown) == "vk"
    assert max(map(len, shown.splitlines()[:3])) < 160


def test_errors_after_parsing_know_the_line():
    f = ul.parse(LOOP.format("B[vi] = A[vi + 1]"))
    with pytest.raises(RuntimeCallError) as found:
        ul.interpret(f)["f"](np.zeros(16, "float32"), np.zeros(16, "float32"))
    assert under_caret(str(found.value)) == "A[vi + 1]"


def test_a_program_without_text_shows_its_printed_line():
    a = ul.parse('@T.prim_func\ndef f(A: T.Buffer((4,), "float32")):\n    A[0] = 1\n').body.buffer
    store = tir.BufferStore(a, tir.BufferLoad(a, (prim.literal(1),)), (prim.literal(0),))
    error = WellFormedError("this load is wrong", node=store.value, program=store)
    assert "in the printed program" in str(error)
    assert under_caret(str(error)) == "A[1]"


def test_a_source_is_compared_hashed_and_copied_as_its_name():
    place = SourceText("cell", ["x = y"])
    assert place == "cell" and hash(place) == hash("cell")
    assert Span(place, 1, 4) == Span("cell", 1, 4)
    copy = pickle.loads(pickle.dumps(Span(place, 1, 4)))
    assert type(copy.source) is str and copy.excerpt() == ""
    assert Span(place, 1, 4, 1, 5).excerpt() == "  1 | x = y\n    |     ^"


def test_places_outside_of_the_text_show_nothing():
    place = SourceText("cell", ["x"], first_line=5)
    assert Span(place, 4, 0).excerpt() == Span(place, 6, 0).excerpt() == ""
    assert Span(place, 5, 7).excerpt().startswith("  5 | x")


@pytest.mark.parametrize("ask, message, hint", [
    (lambda m: m["mian"], "no function 'mian'", "did you mean main"),
    (lambda m: ul.Session(m).apply("FuseOp"), "no pass is called 'FuseOp'", "FuseOps"),
    (lambda m: ul.build(m)["mian"], "no function 'mian'", "did you mean main"),
    (lambda m: ul.interpret(m)["mian"], "mian", "did you mean main"),
    (lambda m: ul.Schedule(m).get_block("bb"), "no block 'bb'", "did you mean b?"),
    (lambda m: m.script(dialect="tmv"), "no dialect is called 'tmv'", "did you mean tvm?"),
    (lambda m: ul.Schedule(m).reoder, "no schedule primitive", "did you mean reorder"),
    (lambda m: ul.transforms.FuseOp, "no pass is called 'FuseOp'", "did you mean FuseOps"),
])
def test_misspelt_names_from_python(ask, message, hint):
    mod = ul.parse(LOOP.format("B[vi] = A[vi]").replace("def f", "def main"))
    mod = ul.ir.module.IRModule(type(ul.parse(GRAPH.format("y = x")).functions)(main=mod))
    with pytest.raises((UnityLabError, AttributeError)) as found:
        ask(mod)
    assert message in str(found.value)
    assert hint in str(found.value)


# --- in a notebook ----------------------------------------------------------------------------

MISSPELT = "ul.parse('@T.prim_func\\ndef f():\\n    T.evalute(0)')"


@pytest.fixture
def shell():
    """IPython as a notebook's kernel runs it, without a terminal."""
    from IPython.core.interactiveshell import InteractiveShell
    found = InteractiveShell.instance()
    found.run_cell("import unitylab as ul\n"
                   "from unitylab.script import ir as I, relax as R, tir as T")
    yield found
    InteractiveShell.clear_instance()


def shown_by(shell, capsys, cell):
    capsys.readouterr()
    result = shell.run_cell(cell)
    assert result.error_in_exec is not None
    return capsys.readouterr().out


def test_a_notebook_shows_the_cell_and_the_excerpt_alone(shell, capsys):
    out = shown_by(shell, capsys, f"def make():\n    return {MISSPELT}\nx = make()\n")
    assert "line 3:\n    x = make()" in out
    assert "in make, line 2:\n    return ul.parse(" in out
    assert under_caret(out) == "T.evalute" and "did you mean T.evaluate," in out
    assert "parse_tir" not in out and len(out.splitlines()) < 12


def test_a_notebook_shows_what_a_pass_of_the_user_raised(shell, capsys):
    out = shown_by(shell, capsys, "from unitylab.ir.transform import as_pass\n"
                                  "def my_pass(mod):\n    return 1 / 0\n"
                                  "as_pass([my_pass])(ul.ir.module.IRModule())\n")
    assert "caused by ZeroDivisionError: division by zero" in out
    assert "in my_pass, line 3:\n    return 1 / 0" in out
    assert "TransformError: my_pass failed" in out


def test_verbose_mode_shows_every_frame(shell, capsys):
    shell.run_line_magic("xmode", "Verbose")
    try:
        out = shown_by(shell, capsys, MISSPELT)
    finally:
        shell.run_line_magic("xmode", "Context")
    assert "parse_tir.py" in out


def test_decorators_in_a_cell_point_into_the_cell(shell, capsys):
    out = shown_by(shell, capsys, "@T.prim_func\n"
                                  "def f(A: T.Buffer((4,), 'int32')):\n    A[0] = Q\n")
    assert under_caret(out) == "Q"
    assert re.search(r"ParseError: Cell In\[\d+\]:3:12: the name 'Q' is not defined", out)


def test_errors_are_of_the_hierarchy():
    assert issubclass(ParseError, UnityLabError)


@pytest.mark.parametrize("line", ["B[vi] = T.exp(A[vi], annotation={})",
                                  "C = T.alloc_buffer((1,), dtyp='float32')"])
def test_a_word_that_would_be_ignored_is_refused_where_it_looks_misspelt(line):
    shown = complaint(LOOP.format(line))
    assert re.search(r"T\.\w+ has no argument '\w+'", shown)
    assert re.search("did you mean (annotations|dtype)", shown)


def test_unknown_data_types_name_a_near_one():
    shown = complaint(LOOP.format("C = T.alloc_buffer((1,), 'flaot32')"))
    assert "unknown data type 'flaot32'; did you mean float32" in shown


def test_the_verifier_shows_the_printed_line_of_a_module_made_by_code():
    x, q = (R.Var(name, R.Tensor((2, 3), "float32")) for name in "xq")
    bb = ul.BlockBuilder()
    with bb.function("main", [x, q]):
        y = bb.emit(R.exp(x))
        bb.emit_func_output(bb.emit(R.add(y, q)))
    main = bb.get()["main"]
    mod = ul.IRModule().with_functions({"main": main.replace(params=(x,))})
    with pytest.raises(WellFormedError, match="(?s)'q' is used.*in the printed program") as found:
        ul.well_formed(mod)
    assert under_caret(str(found.value)) == "q"


def test_a_statement_of_many_lines_is_marked_by_its_first():
    loop = ul.parse(LOOP.format("B[vi] = A[vi]")).body.block.body
    assert under_caret(str(UnityLabError("slow", span=loop.span))) == "for i in range(16):"


def test_brief_leaves_the_picture_out():
    with pytest.raises(UnityLabError) as found:
        ul.parse(LOOP.format("B[vi] = A[vj]"))
    assert found.value.brief() == ("<text>:7:23: the name 'vj' is not defined\n"
                                   "  try: did you mean vi?")


def test_an_error_from_another_process_keeps_its_picture():
    with pytest.raises(UnityLabError) as found:
        ul.parse(LOOP.format("B[vi] = A[vj]"))
    copy = pickle.loads(pickle.dumps(found.value))
    assert str(copy) == str(found.value) and type(copy) is ParseError


def test_a_mismatch_from_another_process_keeps_both_programs():
    a, b = (ul.parse(LOOP.format(f"B[vi] = A[vi] + {k}.0")) for k in (1, 2))
    with pytest.raises(UnityLabError) as found:
        ul.assert_structural_equal(a, b)
    assert str(pickle.loads(pickle.dumps(found.value))) == str(found.value)


def test_the_verifier_shows_what_a_pass_made_of_the_users_line():
    mod = ul.parse(GRAPH.format("y = R.exp(x)"))
    q = R.Var("quux", R.Tensor((2, 3), "float32"))

    def broken(n):
        if isinstance(n, relax.Call):
            return n.replace(args=(q,))
        return n.map_children(broken)
    with pytest.raises(WellFormedError, match="'quux' is used") as found:
        ul.well_formed(broken(mod))
    users, now = str(found.value).split("  in the program as it is now:\n")
    assert under_caret(users) == "y = R.exp(x)"
    assert under_caret(now) == "quux"


@pytest.mark.parametrize("text, piece, said", [
    ("@T.primfunc\ndef f(): pass", "T.primfunc", "did you mean T.prim_func?"),
    ("@T.prim_func(privat=True)\ndef f(): pass", "privat=True", "did you mean private?"),
    ("@T.prim_func\ndef f(*A): pass", "A", "parameters are given by position"),
    ("@T.prim_func\ndef f():\n    for i in T.serial(3, anotations={}):\n        T.evaluate(i)",
     "anotations={}", "did you mean annotations?"),
    ("@T.prim_func\ndef f():\n    T.func_attr()", "T.func_attr()", "too few arguments"),
    ('@T.prim_func\ndef f(A: T.Buffer((4,), "flaot32")): pass',
     'def f(A: T.Buffer((4,), "flaot32")): pass', "'flaot32'; did you mean float32"),
])
def test_heads_of_functions_and_statements(text, piece, said):
    shown = complaint(text)
    assert under_caret(shown) == piece
    assert said in shown
