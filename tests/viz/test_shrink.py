"""The module is made smaller without a change of what it does."""

import json
import shutil
import subprocess

import pytest

from unitylab.viz import assets
from unitylab.viz.shrink import shrink


@pytest.mark.parametrize("before, after", [
    ("const a = 1; // one\n\n  const b = a;\n", "const a=1;const b=a;\n"),
    ("/* a\n b */ f( x,\n  y )\n", "f(x,y)\n"),
    ('g("// not  a comment", \'a  b\')', 'g("// not  a comment",\'a  b\')\n'),
    ("x = a + +b - -c;", "x=a+ +b- -c;\n"),
    ("let a = b\nf()\n", "let a=b\nf()\n"),
    ("return /a  [/] \"b/.test( x )", "return/a  [/] \"b/.test(x)\n"),
    ("a / b / c", "a/b/c\n"),
    ("`a  ${f( `b  ${ \"}\" }` )}  // c`", "`a  ${f( `b  ${ \"}\" }` )}  // c`\n"),
    ("const f = async (x) => {\n  await x\n    .then(y);\n};\n", "const f=async(x)=>{await x.then(y);};\n"),
])
def test_only_what_a_reader_needs_goes(before, after):
    assert shrink(before) == after


@pytest.mark.skipif(shutil.which("node") is None, reason="no node to run JavaScript with")
def test_the_small_program_gives_what_the_readable_one_gives():
    program = r'''
    // strings, templates, regular expressions, automatic semicolons
    const words = "a  b // c".split(/\s+/g)
    const twice = (x) => `${x}  ${`${ x + "}" }`}`
    let n = 1
    n = n + +"2" - -3
    const back = () => {
      return [n, 7 / 2 / 1, /["/]/.test('"')]
    }
    console.log(JSON.stringify([words.map(twice), back(), n++ + ++n]))
    '''
    run = lambda text: json.loads(subprocess.run(["node", "-e", text], capture_output=True,
                                                 check=True, text=True).stdout)
    assert run(shrink(program)) == run(program)


def test_names_and_texts_stay():
    module = assets.module_source()
    assert 'pane("graph"' in module and "unitylab workbench" in module
    assert "// " not in module.replace("https:// ", "")
