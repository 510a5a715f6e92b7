"""What the file without a kernel holds: machine code, iteration orders, caches, speeds."""

import base64
import gzip
import json
import re

import pytest

import unitylab as ul
from tests.viz.test_loop_view import matmul
from tests.viz.test_workbench import LAST, LEGAL
from unitylab.models.encoder import encoder
from unitylab.session.stopping import Stopped
from unitylab.viz.offline_programs import ACCESSES
from unitylab.viz.view_model import SessionView


def written(session, path, **options):
    session.to_html(path, **options)
    packed = re.search(r'atob\("([^"]+)"\)', path.read_text())[1]
    return json.loads(gzip.decompress(base64.b64decode(packed)))


def source(data, step, kind):
    """The rows of each program, as the page gives them to its panes."""
    found = {}
    for name, (number, last, keys) in data["shown"][str(step)].items():
        rows = data["programs"][number]["code"][kind]
        found[name] = keys, [[text, line and last and last + 1 - line, hot]
                             for text, line, hot in rows]
    return found


@pytest.fixture
def rfc_session(rfc):
    session = ul.Session(rfc, name="rfc", sizes={"n": 4, "d": 5, "m": 6})
    session.run()
    return session


@pytest.mark.parametrize("step", [0, LEGAL, LAST])
@pytest.mark.parametrize("kind", ["llvm", "asm"])
def test_machine_code_is_that_of_the_kernel_with_its_lines(rfc_session, tmp_path, step, kind):
    data = written(rfc_session, tmp_path / "rfc.html")
    live = {p["name"]: (p["keys"], p["rows"])
            for p in SessionView(rfc_session).source(step, kind)}
    here = source(data, step, kind)
    assert here.keys() == live.keys() and {"mm"} < live.keys()
    for name, (keys, rows) in live.items():
        assert here[name][0] == keys
        assert [r[1] for r in here[name][1]] == [r[1] for r in rows] and len(rows) > 10
        if data["shown"][str(step)][name][1]:  # the kernel knows no line of an operator's program
            assert [r[2] for r in here[name][1]] == [r[2] for r in rows]
    text = data["texts"][str(step)]
    first, last = next((a, b) for a, b in text["programs"] if "def mm" in text["lines"][a - 2])
    assert all(first <= line <= last for _, line, _ in here["mm"][1] if line)
    stores = [line for _, line, _ in here["mm"][1] if line and "=" in text["lines"][line - 1]]
    assert len(stores) > 2


def test_a_program_that_many_steps_have_is_kept_once(rfc_session, tmp_path):
    data = written(rfc_session, tmp_path / "rfc.html")
    assert data["shown"]["0"]["mm"][0] == data["shown"][str(LEGAL)]["mm"][0]
    assert data["shown"]["0"]["exp"][0] == data["shown"][str(LEGAL)]["exp"][0]
    assert data["shown"]["0"]["exp"][1] == 0 < data["shown"][str(LEGAL)]["exp"][1]
    assert len(data["programs"]) < sum(len(s) for s in data["shown"].values()) / 2


def test_loops_are_walked_and_simulated_when_the_file_is_written(tmp_path):
    session = ul.Session(matmul, check=False, target="native -threads=1")
    session.edit_loops("split", "k", factors=[None, 8])
    time = session.speed(step=0).median
    data = written(session, tmp_path / "matmul.html")
    programs = [data["programs"][data["shown"][str(k)]["matmul"][0]] for k in (0, 1)]
    assert [len(p["order"]["loops"]) for p in programs] == [3, 4]
    assert programs[0]["traffic"]["simulated"] == ACCESSES < programs[0]["traffic"]["total"]
    assert "the first 200,000 of" in programs[0]["traffic"]["scale"]
    speed = data["answers"]['["loop_speed",{"step":0,"function":"matmul","measure":false}]']
    assert speed["here"]["time"] == time
    info = data["state"]["info"]
    assert not info["live"] and info["chips"][-1] == f"as of {info['written']}"


def test_what_takes_too_long_is_left_out_and_says_so(tmp_path):
    data = written(ul.Session(matmul, check=False), tmp_path / "matmul.html", seconds=0)
    [program] = data["programs"]
    assert set(program) == {"why"} and set(program["why"]) == {"code", "order", "traffic"}
    assert "seconds=60" in program["why"]["code"]


def test_a_program_that_has_no_order_says_why(tmp_path):
    mod = ul.parse("""
@T.prim_func
def until(A: T.Buffer((8,), "int32")):
    while A[0] < 0:
        A[0] = A[0] + 1
""")
    data = written(ul.Session(mod, check=False), tmp_path / "until.html")
    [program] = data["programs"]
    assert "while loop" in program["why"]["order"] and len(program["code"]["asm"]) > 5


def test_writing_tells_how_far_it_is_and_can_be_stopped(tmp_path):
    session = ul.Session(encoder(layers=1, width=16, heads=2, hidden=16), sizes={"n": 4},
                         check=False)
    seen = []

    def hear():
        seen.append((session.watch.what, session.watch.done, session.watch.total))
        if session.watch.done == 1:
            session.watch.ask_to_stop()
    session.apply("LegalizeOps")
    session.watch.hear = hear
    with pytest.raises(Stopped, match="writing the file"):
        session.to_html(tmp_path / "x.html")
    assert ("writing the file", 1, 6) in seen and not (tmp_path / "x.html").exists()
    assert session.watch.hear is hear  # who listened before still does
    session.watch.hear = None
    session.to_html(tmp_path / "x.html", seconds=0)
    assert (tmp_path / "x.html").exists()
