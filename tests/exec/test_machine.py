"""The measured limits of this machine."""

import pytest

import unitylab as ul
from unitylab.exec import machine as limits


def test_it_is_measured_once(tmp_path, monkeypatch):
    monkeypatch.setenv("UNITYLAB_CACHE_DIR", str(tmp_path))
    first = ul.machine()
    monkeypatch.setattr(limits, "_flops", lambda: pytest.fail("measured again"))
    assert ul.machine() == first
    assert "GFLOP/s" in str(first)


def test_numbers_are_those_of_a_computer():
    m = ul.machine(remeasure=True)
    assert 1e8 < m.flops < 1e13 and 1e8 < m.read < 1e13 and 1e8 < m.copy < 1e13


def test_the_bound_is_the_slower_of_arithmetic_and_memory():
    m = limits.Machine(flops=100.0, read=10.0, copy=20.0)
    assert m.bound(1000, 10) == 10 and m.bound(10, 1000) == 100
