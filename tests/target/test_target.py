import pytest

from unitylab.ir.errors import BuildError
from unitylab.target import Target, available_cores, parse_target


def test_threads():
    assert parse_target("native").threads == available_cores()
    assert parse_target("native -threads=3") == Target(threads=3)
    assert parse_target(str(Target(2))) == Target(2)


@pytest.mark.parametrize("text, why", [
    ("cuda", "unknown target 'cuda'"), ("native -treads=2", "unknown target option '-treads=2'"),
    ("native -threads=none", "must be a positive number"), ("native -threads=0", "positive"),
    ("native -threads", "unknown target option")])
def test_bad_targets(text, why):
    with pytest.raises(BuildError, match=why):
        parse_target(text)
