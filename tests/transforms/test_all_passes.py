"""The contract of `transforms`: every pass by name, with options that print as Python."""

import dataclasses

from unitylab import transforms
from unitylab.ir.transform import Pass


def test_every_pass_is_found_by_its_name():
    passes = transforms.all_passes()
    assert {"LegalizeOps", "FuseOps", "FuseTIR", "FoldConstant", "Simplify"} <= set(passes)
    for name, cls in passes.items():
        assert cls.__name__ == name and getattr(transforms, name) is cls
        assert issubclass(cls, Pass) and cls.__doc__
        assert cls.__dataclass_params__.frozen


def test_options_print_as_python():
    assert transforms.FuseOps(max_depth=3).to_python() == "FuseOps(max_depth=3)"
    for cls in transforms.all_passes().values():
        assert dataclasses.is_dataclass(cls) and eval(cls().to_python(), vars(transforms)) == cls()
