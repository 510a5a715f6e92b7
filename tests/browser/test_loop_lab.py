"""The loop lab in JupyterLab as a person uses it: a product of matrices, with the mouse and with
the keyboard alone, light and dark."""

import re
import textwrap

import nbformat
import pytest
from playwright.sync_api import expect

SLOW = 60_000

CELL = """
    import unitylab as ul
    from unitylab.script import ir as I, relax as R, tir as T
    n = 128
    @T.prim_func
    def product(A: T.Buffer((n, n), "float32"), B: T.Buffer((n, n), "float32"),
                C: T.Buffer((n, n), "float32")):
        for i, j, k in T.grid(n, n, n):
            with T.block("C"):
                vi, vj, vk = T.axis.remap("SSR", [i, j, k])
                with T.init():
                    C[vi, vj] = T.float32(0)
                C[vi, vj] = C[vi, vj] + A[vi, vk] * B[vk, vj]
    session = ul.Session(product, check=False, target="native -threads=1")
    ul.lab(session)
"""


expect.set_options(timeout=20_000)  # the machine may be busy


@pytest.fixture
def bench(lab):
    """The workbench on a matrix product, and nothing else in the notebook."""
    cell = nbformat.v4.new_code_cell(textwrap.dedent(CELL).strip())
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    notebook = nbformat.v4.new_notebook(cells=[cell], metadata=kernel)
    nbformat.write(notebook, lab.server.notebooks / "lab.ipynb")
    lab.open("lab.ipynb")
    lab.run_all()
    assert lab.errors() == []
    lab.command("application:toggle-left-area")
    bench = lab.cell(0).get_by_role("region", name="unitylab workbench")
    bench.scroll_into_view_if_needed()
    yield bench
    assert lab.page_errors == []


def row(bench, name):
    return bench.get_by_role("treeitem", name=name)


def loops(bench):
    """The keys of the loops and blocks from top to bottom."""
    return bench.locator(".ul-loop[data-key]").evaluate_all("all => all.map(x => x.dataset.key)")


def expect_loops(bench, *keys):
    for at, key in enumerate(keys):
        expect(bench.locator(".ul-loop[data-key]").nth(at)).to_have_attribute("data-key", key,
                                                                       timeout=SLOW)
    assert loops(bench) == list(keys)


def expect_measured(bench, step):
    """The speed strip shows this step's own speed."""
    speed = bench.get_by_label("speed", exact=True)
    if step:
        bar = speed.get_by_role("listitem", name=re.compile(f"^step {step} .*GFLOP"))
        expect(bar).to_have_class(re.compile("ul-here"), timeout=SLOW)
    expect(speed.locator("b")).to_contain_text("GFLOP/s", timeout=SLOW)
    expect(speed).to_contain_text("% of peak")


@pytest.mark.parametrize("lab", ["light", "dark"], indirect=True)
def test_with_the_mouse(bench, lab):
    """Split, drag, vectorize; each edit is a step with its speed; what is refused says why."""
    expect_loops(bench, "i", "j", "k", "C")
    bench.get_by_label("speed", exact=True).get_by_role("button", name="Measure").click()
    expect_measured(bench, 0)
    row(bench, "loop j,").click()
    bench.get_by_role("button", name="Split j", exact=True).click()
    bench.get_by_role("button", name="Split j: 32", exact=True).click()
    expect_loops(bench, "i", "j_0", "j_1", "k", "C")
    expect_measured(bench, 1)
    row(bench, "loop k,").drag_to(row(bench, "loop j_1,"))
    expect_loops(bench, "i", "j_0", "k", "j_1", "C")
    expect_measured(bench, 2)
    row(bench, "loop j_1,").click()
    bench.get_by_role("button", name="Vectorize j_1").click()
    expect(row(bench, "loop j_1, 32 iterations, vectorized")).to_be_visible()
    expect(bench.get_by_label("speed", exact=True)).to_contain_text("faster", timeout=SLOW)
    row(bench, "loop k,").click()
    refused = bench.get_by_role("button", name="Parallel k")
    expect(refused).to_have_attribute("title", re.compile("carries the reduction"))
    refused.click(force=True)  # greyed, but it answers
    expect(bench.get_by_role("alert").filter(has_text="carries the reduction")).to_be_visible()
    expect(bench.get_by_role("option", name=re.compile("^step"))).to_have_count(4)
    bench.get_by_role("button", name="Undo").click()
    expect(row(bench, "loop j_1, 32 iterations, serial")).to_be_visible()
    background = bench.locator(".ul-speed").evaluate("e => getComputedStyle(e).backgroundColor")
    light = sum(map(int, re.findall(r"\d+", background)[:3])) > 3 * 128
    assert light == (lab.page.evaluate("() => document.body.dataset.jpThemeLight") == "true")


def test_with_the_keyboard_alone(bench, lab):
    """From the first split to a tile with its own initialisation, and back by undo."""
    press = lab.page.keyboard.press
    row(bench, "loop i,").focus()
    press("ArrowDown")
    expect(row(bench, "loop j,")).to_be_focused()
    press("s")
    expect(bench.get_by_role("button", name="Split j: 2", exact=True)).to_be_focused()
    for _ in range(3):
        press("ArrowRight")
    press("Enter")
    expect(row(bench, "loop j_0,")).to_be_focused()
    press("ArrowDown")
    press("Alt+ArrowDown")
    expect_loops(bench, "i", "j_0", "k", "j_1", "C")
    expect(row(bench, "loop j_1,")).to_be_focused()
    press("v")
    expect(row(bench, "loop j_1, 16 iterations, vectorized")).to_be_focused()
    press("ArrowUp")
    press("p")  # refused
    expect(bench.get_by_role("alert").filter(has_text="carries the reduction")).to_be_visible()
    expect(row(bench, "loop k,")).to_be_focused()
    press("End")
    expect(row(bench, "block C:")).to_be_focused()
    press("d")
    expect(bench.get_by_role("button", name="Decompose C: i", exact=True)).to_be_focused()
    press("Escape")
    expect(row(bench, "block C:")).to_be_focused()
    press("d")
    expect(bench.get_by_role("button", name="Decompose C: i", exact=True)).to_be_focused()
    press("ArrowRight")
    press("ArrowRight")
    press("Enter")
    expect(row(bench, "block C_init:")).to_be_visible()
    press("Control+z")
    expect(row(bench, "block C_init:")).to_have_count(0)
    expect_loops(bench, "i", "j_0", "k", "j_1", "C")
    assert len(lab.cells()) == 1  # none of the keys was JupyterLab's


def test_choices_and_what_is_typed_stay_when_a_measurement_arrives(bench, lab):
    press = lab.page.keyboard.press
    row(bench, "loop j,").focus()
    press("s")
    expect(bench.get_by_role("button", name="Split j: 2", exact=True)).to_be_focused()
    bench.get_by_label("speed", exact=True).get_by_role("button", name="Measure").evaluate(
        "button => button.click()")  # as if begun before: the focus does not move
    press("ArrowRight")
    chip = bench.get_by_role("button", name="Split j: 4", exact=True)
    expect_measured(bench, 0)
    expect(chip).to_be_focused()
    field = bench.get_by_role("textbox", name="factors")
    field.focus()
    lab.page.keyboard.type("2 4")
    bench.get_by_label("speed", exact=True).get_by_role("button", name="Measure").evaluate(
        "button => button.click()")
    expect(bench.get_by_role("button", name="stop measuring")).to_have_count(0, timeout=SLOW)
    expect(field).to_be_focused()
    expect(field).to_have_value("2 4")
    press("Enter")
    expect_loops(bench, "i", "j_0", "j_1", "j_2", "k", "C")


def test_a_split_by_factors_of_ones_own(bench, lab):
    row(bench, "loop i,").press("s")
    field = bench.get_by_role("textbox", name="factors")
    field.fill("4 8")
    field.press("Enter")
    expect_loops(bench, "i_0", "i_1", "i_2", "j", "k", "C")
    expect(row(bench, "loop i_2, 8 iterations")).to_be_visible()


def test_the_order_is_played_and_the_caches_are_told(bench, lab):
    order = bench.get_by_label("iteration order")
    expect(order).to_contain_text("step 1 of", timeout=SLOW)
    pane = bench.get_by_role("tabpanel", name="memory")
    pane.focus()
    lab.page.keyboard.press("ArrowRight")
    expect(order).to_contain_text("step 2 of")
    expect(order).to_contain_text("reads C[0, 0], reads A[0, 0], reads B[0, 0], writes C[0, 0]")
    lab.page.keyboard.press("Space")
    expect(order.get_by_role("button", name="pause")).to_be_visible()
    expect(order).not_to_contain_text("step 2 of")
    lab.page.keyboard.press("Space")
    expect(order.get_by_role("button", name="play")).to_be_visible()
    lab.page.keyboard.press("Home")
    expect(order).to_contain_text("step 1 of")
    painted = """c => {
        const d = c.getContext("2d").getImageData(0, 0, c.width, c.height).data;
        const pixel = (_, k) => d.slice(4 * k, 4 * k + 3).join();
        return new Set(Array.from({length: d.length / 4}, pixel)).size;
    }"""
    assert order.get_by_role("img", name="elements of C").evaluate(painted) >= 2
    caches = bench.get_by_label("caches", exact=True)
    expect(caches.get_by_role("row")).to_have_count(4)
    expect(caches).to_contain_text("L1 misses")
    expect(caches.get_by_role("row", name=re.compile("^B "))).to_contain_text("%")


def test_a_loop_lights_up_in_the_script(bench, lab):
    bench.get_by_role("tab", name="Script").click()
    inspector = bench.get_by_role("region", name="inspector")
    row(bench, "loop k,").click()
    expect(inspector).to_contain_text("2,097,152 times")
    row(bench, "block C:").click()
    expect(inspector).to_contain_text("vi 128, vj 128")
    expect(inspector).to_contain_text(re.compile(r"with T\.block"))
    expect(bench.locator(".ul-script-pane .ul-line.ul-selected")).to_contain_text('T.block("C")')


def test_a_large_kernel_is_edited_while_the_interpreter_is_at_work(lab):
    """With the check on, as it is by default: nothing waits for the interpreter."""
    large = textwrap.dedent(CELL).replace("n = 128", "n = 384").replace("check=False, ", "")
    nbformat.write(nbformat.v4.new_notebook(
        cells=[nbformat.v4.new_code_cell(large.strip())],
        metadata={"kernelspec": {"name": "python3", "display_name": "Python 3",
                                 "language": "python"}}), lab.server.notebooks / "large.ipynb")
    lab.open("large.ipynb")
    lab.run_all()
    bench = lab.cell(0).get_by_role("region", name="unitylab workbench")
    status = bench.get_by_role("status", name="what is going on")
    expect(status).to_contain_text("interpreting step 0 beside other work")
    row(bench, "loop k,").press("Alt+ArrowUp")
    expect_loops(bench, "i", "k", "j", "C")
    step = bench.get_by_role("option", name=re.compile("^step 1 .* against the machine code"))
    expect(step).to_be_visible()
    expect(bench.get_by_role("option", name=re.compile("^step 0 .* pending: the interpreter"))
           ).to_be_visible()
    expect(bench.get_by_label("speed", exact=True)).to_contain_text("GFLOP/s", timeout=SLOW)
    stop = status.get_by_role("button", name="Stop")
    stop.click()
    expect(bench.get_by_role("option", name=re.compile("^step 0 .* stopped"))).to_be_visible()
    expect(stop).to_have_count(0)
    assert lab.page_errors == []
