"""Modules as JSON: exact there and back, and one clear error for text that is none of ours."""

import struct

import numpy as np
import pytest

import unitylab as ul
from unitylab.ir import prim, relax
from unitylab.ir.dtypes import dtype
from unitylab.ir.errors import ParseError, UnityLabError
from unitylab.ir.module import IRModule
from unitylab.ir.node import FrozenDict
from unitylab.ir.op import get_op
from unitylab.ir.struct_info import FuncStructInfo, ObjectStructInfo
from unitylab.ir.tir import PrimFunc
from unitylab.ir.visitor import collect


def there_and_back(node):
    return type(node).from_json(node.to_json())


def test_a_module_comes_back_equal(rfc):
    again = there_and_back(rfc)
    ul.assert_structural_equal(rfc, again)
    assert ul.structural_hash(rfc) == ul.structural_hash(again)
    assert again.script() == rfc.script()  # names of variables included


def test_the_text_does_not_depend_on_the_way_there(rfc):
    assert there_and_back(rfc).to_json() == rfc.to_json()


def test_places_in_the_users_text_survive(rfc):
    loop = there_and_back(rfc)["mm"].root.body
    assert loop.span == rfc["mm"].root.body.span
    assert loop.span.line > 1


def test_functions_and_expressions_alone(rfc):
    ul.assert_structural_equal(there_and_back(rfc["mm"]), rfc["mm"])
    n = prim.Var("n", "int64")
    e = prim.Let(n, prim.literal(3, "int64"), n * n)
    ul.assert_structural_equal(there_and_back(e), e)


def test_what_is_shared_stays_shared():
    x = relax.Var("x", ObjectStructInfo())
    weight = relax.const(np.ones((2, 2), "float32"))
    call = relax.Call(get_op("add"), (weight, x))
    both = there_and_back(relax.Tuple((call, call, weight, relax.Constant(weight.data))))
    first, second, same, other = both.fields
    assert first is second and first.args[0] is same
    assert other is not same and other.data is same.data
    assert first.op is get_op("add")


def test_a_deep_expression_needs_no_deep_stack():
    e = prim.Var("x", "float32")
    for _ in range(20_000):
        e = prim.Add(e, prim.FloatImm(1.0))
    again = there_and_back(e)
    depth = 0
    while isinstance(again, prim.Add):
        again, depth = again.a, depth + 1
    assert depth == 20_000


DTYPES = ["bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64",
          "float16", "float32", "float64", "bfloat16", "float8_e4m3fn", "float8_e5m2",
          "float8_e4m3", "float8_e3m4", "float8_e4m3b11fnuz", "float8_e5m2fnuz",
          "float8_e8m0fnu", "float4_e2m1fn", "float6_e2m3fn", "float6_e3m2fn", "int4", "uint4",
          "int2", "uint2"]


@pytest.mark.parametrize("name", DTYPES)
def test_constants_of_every_dtype_keep_their_bits(name):
    kind = dtype(name).numpy
    data = np.random.default_rng(0).integers(0, 2, (3, 2, kind.itemsize), "uint8")
    array = data.view(kind).reshape(3, 2)
    again = there_and_back(relax.const(array)).data
    assert again.dtype == kind and again.shape == (3, 2)
    assert again.tobytes() == array.tobytes()
    assert not again.flags.writeable


def test_payloads_of_nan_survive():
    bits = np.array([0x7FC00001, 0xFFC12345, 0x7F800001, 0x80000000], "uint32")
    again = there_and_back(relax.const(bits.view("float32"))).data
    assert again.view("uint32").tolist() == bits.tolist()
    nan = struct.unpack(">d", bytes.fromhex("fff8000000abcdef"))[0]
    value = there_and_back(prim.FloatImm(nan, dtype("float64"))).value
    assert struct.pack(">d", value).hex() == "fff8000000abcdef"


@pytest.mark.parametrize("value", [float("inf"), float("-inf"), -0.0, 5e-324, 0.1, 1e300])
def test_floats_are_exact(value):
    again = there_and_back(prim.FloatImm(value, dtype("float64"))).value
    assert struct.pack(">d", again) == struct.pack(">d", value)


def test_integers_of_any_length():
    for value in (2**63 - 1, -2**63, 2**64 - 1, -2**70, 10**5000):
        assert there_and_back(prim.IntImm(value, dtype("uint64"))).value == value


def test_arrays_without_elements_or_dimensions_and_not_compact():
    for array in (np.zeros((0, 3), "int8"), np.array(2, "float32"),
                  np.arange(12).reshape(3, 4).T,
                  np.arange(4, dtype=">i4")):
        again = there_and_back(relax.Constant(array)).data
        assert again.shape == array.shape
        np.testing.assert_array_equal(again, array)


def test_attributes_hold_all_kinds_of_plain_values():
    attrs = FrozenDict({"a": None, "b": (1, (True, "x")), "c": FrozenDict({"k": 1.5, 2: "n"}),
                        "d": dtype("int8"), "e": np.float16(0.1), "f": np.arange(3),
                        "g": prim.IntImm(3)})
    again = there_and_back(IRModule(attrs=attrs)).attrs
    assert list(again) == list(attrs) and again["b"] == attrs["b"] and again["c"] == attrs["c"]
    assert type(again["d"]) is type(attrs["d"]) and again["e"] == attrs["e"]
    assert type(again["e"]) is np.float16 and again["f"].tolist() == [0, 1, 2]
    assert again["g"].value == 3 and again["a"] is None


def test_what_no_text_can_say_is_refused_with_its_place():
    info = FuncStructInfo(None, ObjectStructInfo(), derive=lambda call: None)
    with pytest.raises(UnityLabError, match=r"FuncStructInfo\.derive holds a function"):
        info.to_json()
    with pytest.raises(UnityLabError, match=r"IRModule\.attrs holds a object"):
        IRModule(attrs=FrozenDict({"a": object()})).to_json()


# A module as version 1 wrote it. It must be read as long as version 1 is.
VERSION_1 = """{"format":"unitylab-ir","version":1,"root":10,"sources":["cell"],"arrays":[
{"dtype":"float32","shape":[2],"data":"AACAPwAAwH8="}],"nodes":[
["prim.IntImm",{"value":2,"dtype":{"dtype":"int64"}}],
["struct_info.TensorStructInfo",{"shape":[{"node":0}],"dtype":{"dtype":"float32"},"ndim":1}],
["relax.Var",{"name":"x","struct_info":{"node":1},"span":{"span":[0,2,4,2,5]}}],
["relax.Constant",{"data":{"array":0}}],
["relax.Call",{"op":{"op":"relax.add"},"args":[{"node":2},{"node":3}],"struct_info":{"node":1}}],
["relax.Var",{"name":"y","struct_info":{"node":1}}],
["relax.VarBinding",{"var":{"node":5},"value":{"node":4}}],
["relax.BindingBlock",{"bindings":[{"node":6}]}],
["relax.SeqExpr",{"blocks":[{"node":7}],"body":{"node":5}}],
["relax.Function",{"params":[{"node":2}],"body":{"node":8},"ret_struct_info":{"node":1}}],
["module.IRModule",{"functions":{"dict":[["main",{"node":9}]]}}]]}"""


def test_the_first_version_is_still_read():
    mod = IRModule.from_json(VERSION_1)
    assert "y: R.Tensor((2,), dtype=\"float32\") = R.add(x," in mod.script()
    (constant,) = collect(mod, relax.Constant)
    assert constant.data.tobytes() == bytes.fromhex("0000803f0000c07f")
    np.testing.assert_array_equal(ul.interpret(mod)["main"](np.ones(2, "float32")),
                                  np.array([2, np.nan], "float32"))
    assert mod["main"].params[0].span.line == 2


def test_the_kind_that_is_asked_for_is_checked(rfc):
    with pytest.raises(ParseError, match="holds a IRModule, not a PrimFunc.*\n.*IRModule.from_json"):
        PrimFunc.from_json(rfc.to_json())


def test_torn_text(rfc):
    text = rfc.to_json()
    for end in range(0, len(text) - 1, 97):
        with pytest.raises(ParseError, match="torn or no JSON"):
            IRModule.from_json(text[:end])


@pytest.mark.parametrize("text", ["[]", "1", "{}", '{"format": "onnx"}', '"unitylab-ir"', "null"])
def test_foreign_text(text):
    with pytest.raises(ParseError, match="this JSON is no module"):
        IRModule.from_json(text)


@pytest.mark.parametrize("version", ["2", "0", '"1"', "true", "null", "1.5"])
def test_another_version(version):
    text = VERSION_1.replace('"version":1', f'"version":{version}')
    with pytest.raises(ParseError, match="has version .*, this unitylab reads 1"):
        IRModule.from_json(text)


WRONG = [
    ('"relax.BindingBlock"', '"os.system"', r"nodes\[7\]: no kind of node is called 'os.system'"),
    ('"relax.BindingBlock"', '"op.Op"', "no kind of node is called 'op.Op'"),
    ('"relax.BindingBlock"', "[1]", "no kind of node"),
    ('{"op":"relax.add"}', '{"op":"relax.launch"}', "no operator is called 'relax.launch'"),
    ('{"op":"relax.add"}', '{"import":"os"}', "a value of kind 'import' is not known"),
    ('{"op":"relax.add"}', '{"op":"relax.add","x":1}', "an object with one key"),
    ('{"op":"relax.add"}', "3", r"relax.Call.op holds a int, Node expected"),
    ('"bindings":[{"node":6}]', '"bindings":[{"node":7}]', "node 7 is not among the 7 before"),
    ('"bindings":[{"node":6}]', '"bindings":[{"node":-1}]', "node -1 is not among"),
    ('"bindings":[{"node":6}]', '"bindings":[{"node":1}]', "BindingBlock.bindings holds"),
    ('"bindings":[{"node":6}]', '"binding":[]', "BindingBlock has no field 'binding'"),
    ('"bindings":[{"node":6}]', "", "BindingBlock lacks its field 'bindings'"),
    ('{"dtype":"int64"}', '{"dtype":"int63x"}', "unknown data type 'int63x'"),
    ('"value":2,', '"value":"2",', "prim.IntImm.value holds a str, int expected"),
    ('"AACAPwAAwH8="', '"AACAPwAAwH"', r"arrays\[0\]"),
    ('"AACAPwAAwH8="', '"AACAPw=="', r"4 bytes for shape \(2,\) of float32, 8 expected"),
    ('"shape":[2]', '"shape":[-2]', "a shape is a list of sizes"),
    ('{"span":[0,2,4,2,5]}', '{"span":[5,2,4,2,5]}', "source 5 is not in the text"),
    ('{"span":[0,2,4,2,5]}', '{"span":[0,2]}', "a span is five whole numbers"),
    ('"root":10', '"root":11', "root: node 11 is not among"),
    ('"root":10', '"root":"main"', '"root" is missing or no int'),
    ('"sources"', '"source"', '"sources" is missing'),
    ('{"array":0}', '{"array":1}', "array 1 is not among"),
    ('{"array":0}', '{"float":"zz"}', "16 hexadecimal digits"),
]


@pytest.mark.parametrize(("old", "new", "message"), WRONG)
def test_text_that_was_changed(old, new, message):
    assert old in VERSION_1
    with pytest.raises(ParseError, match=message):
        IRModule.from_json(VERSION_1.replace(old, new, 1))


def test_a_nest_of_brackets_is_refused():
    with pytest.raises(ParseError, match="torn or no JSON"):
        IRModule.from_json("[" * 200_000)


def test_bytes_are_read_too(mlp):
    ul.assert_structural_equal(IRModule.from_json(mlp.to_json().encode()), mlp)
