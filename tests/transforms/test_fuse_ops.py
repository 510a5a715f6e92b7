import pytest

from unitylab.ir.relax import Call
from unitylab.ir.transform import Sequential
from unitylab.script import parse
from unitylab.transforms import AnnotateTIROpPattern, FuseOps, LegalizeOps

PREPARE = Sequential((LegalizeOps(), AnnotateTIROpPattern()))


def program(signature, *bindings, output="gv"):
    lines = "\n        ".join(bindings)
    return PREPARE(parse(f"""
@R.function
def main({signature}):
    n = T.int64()
    with R.dataflow():
        {lines}
        R.output({output})
    return {output}
"""))


def callees(mod):
    return [b.value.op.name if b.value.op.name in mod else b.value.args[0].name
            for b in mod["main"].body.bindings if isinstance(b.value, Call)]


X = 'x: R.Tensor(("n", 8), "float32")'
W = 'w: R.Tensor((8, 8), "float32"), b: R.Tensor((8,), "float32")'


def test_a_matmul_takes_its_epilogue(same_results, obeys_contract):
    before = program(f"{X}, {W}", "lv = R.matmul(x, w)", "lv1 = R.add(lv, b)",
                     "gv = R.nn.relu(lv1)")
    after = obeys_contract(FuseOps(), before, places=1)
    assert callees(after) == ["fused_matmul_add_relu"]
    fused = after["fused_matmul_add_relu"]
    assert fused.attrs == {"Primitive": True}
    assert [p.name for p in fused.params] == ["x", "w", "b"]
    same_results(before, after, (3, 8), (8, 8), (8,))


def test_the_function_has_symbolic_sizes_of_its_own():
    before = program(f"{X}, {W}", "lv = R.matmul(x, w)", "gv = R.exp(lv)")
    after = FuseOps()(before)
    n = after["main"].params[0].struct_info.dims[0]
    inner = after["fused_matmul_exp"]
    m = inner.params[0].struct_info.dims[0]
    assert m is not n
    for b in inner.body.bindings:
        assert b.value.struct_info.dims[0] is m


def test_elementwise_chains_and_diamonds(same_results):
    before = program(X, "lv = R.exp(x)", "lv1 = R.negative(lv)", "lv2 = R.sqrt(lv)",
                     "gv = R.add(lv1, lv2)")
    after = FuseOps()(before)
    assert callees(after) == ["fused_exp_negative_sqrt_add"]
    same_results(before, after, (2, 8))


def test_an_elementwise_producer_is_not_fused_into_a_matmul():
    before = program(f"{X}, {W}", "lv = R.exp(x)", "gv = R.matmul(lv, w)")
    assert FuseOps()(before) is before


def test_two_matmuls_are_not_fused():
    before = program(f"{X}, {W}", "lv = R.matmul(x, w)", "lv1 = R.matmul(lv, w)",
                     "gv = R.add(lv1, b)")
    assert callees(FuseOps()(before)) == ["matmul", "fused_matmul_add"]


def test_the_operand_of_an_epilogue_joins_it(same_results):
    before = program(f"{X}, {W}", "lv = R.matmul(x, w)", "lv1 = R.exp(x)", "gv = R.add(lv, lv1)")
    after = FuseOps()(before)
    assert len(callees(after)) == 1
    same_results(before, after, (2, 8), (8, 8), (8,))


def test_elementwise_is_fused_into_a_reduction(same_results):
    before = program(X, "lv = R.exp(x)", "gv = R.sum(lv, axis=[1])")
    after = FuseOps()(before)
    assert callees(after) == ["fused_exp_sum"]
    same_results(before, after, (2, 8))


def test_injective_chains(same_results):
    before = program(X, "lv = R.permute_dims(x)", "lv1 = R.exp(lv)",
                     "gv = R.permute_dims(lv1)")
    after = FuseOps()(before)
    assert len(callees(after)) == 1
    same_results(before, after, (2, 8))


def test_what_leaves_the_block_is_not_hidden():
    before = program(X, "gv1 = R.exp(x)", "gv = R.negative(gv1)", output="gv, gv1")
    assert FuseOps()(before) is before


def test_max_depth_bounds_a_group():
    chain = [f"lv{k} = R.exp({f'lv{k - 1}' if k else 'x'})" for k in range(5)]
    before = program(X, *chain, "gv = R.exp(lv4)")
    sizes = [len(f.body.bindings) for n, f in FuseOps(max_depth=3)(before).graph_funcs.items()
             if n != "main"]
    assert sizes and max(sizes) <= 3


def test_opt_level_zero_fuses_nothing():
    before = program(X, "lv = R.exp(x)", "gv = R.exp(lv)")
    assert FuseOps(fuse_opt_level=0)(before) is before


def test_equal_groups_share_a_function(same_results):
    before = program(f"{X}, {W}", "lv = R.matmul(x, w)", "lv1 = R.add(lv, b)",
                     "lv2 = R.matmul(lv1, w)", "gv = R.add(lv2, b)")
    after = FuseOps()(before)
    assert callees(after) == ["fused_matmul_add"] * 2
    same_results(before, after, (2, 8), (8, 8), (8,))


def test_one_place_is_one_group():
    before = program(f"{X}, {W}", "lv = R.matmul(x, w)", "lv1 = R.add(lv, b)",
                     "lv2 = R.matmul(lv1, w)", "gv = R.exp(lv2)")
    places = FuseOps().applicable(before)
    assert [p.place.var.name for p in places] == ["lv1", "gv"]
    assert callees(FuseOps()(before, only=places[1])) == ["matmul", "add", "fused_matmul_exp"]


def test_constants_become_parameters():
    before = PREPARE(parse("""
@R.function
def main(x: R.Tensor((2, 3), "float32")):
    with R.dataflow():
        lv = R.matmul(x, R.const([[1, 2], [3, 4], [5, 6]], "float32"))
        gv = R.nn.relu(lv)
        R.output(gv)
    return gv
"""))
    after = FuseOps()(before)
    assert [p.name for p in after["fused_matmul_relu"].params] == ["x", "param_0"]


@pytest.mark.parametrize("k", [0, 1])
def test_fields_of_a_split_are_read_one_by_one(same_results, k):
    before = program(X, "lv = R.split(x, 2, axis=1)", f"lv1 = lv[{k}]", "gv = R.exp(lv1)")
    same_results(before, FuseOps()(before), (3, 8))
