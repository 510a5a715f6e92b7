"""Recursion that is deeper than Python's limit: the same function again, on a larger stack."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from functools import wraps

STACK = 512 << 20  # bytes; reserved, not used before it is needed
LIMIT = 200_000    # frames that fit into it
_one_at_a_time = threading.RLock()


def deep(f: Callable) -> Callable:
    """`f`, which runs once more where it exceeds Python's limit of recursion. It must leave no
    half-done work behind."""
    @wraps(f)
    def call(*args, **kwargs):
        try:
            return f(*args, **kwargs)
        except RecursionError:
            return _on_large_stack(f, args, kwargs)
    return call


def _on_large_stack(f: Callable, args: tuple, kwargs: dict):
    result: list = []

    def run() -> None:
        try:
            result.append((f(*args, **kwargs), None))
        except BaseException as e:  # noqa: BLE001 - it is raised again in the caller's thread
            result.append((None, e))

    with _one_at_a_time:
        limit, size = sys.getrecursionlimit(), threading.stack_size(STACK)
        sys.setrecursionlimit(LIMIT)
        try:
            thread = threading.Thread(target=run, name="deep")
            thread.start()
            thread.join()
        finally:
            sys.setrecursionlimit(limit)
            threading.stack_size(size)
    value, error = result[0]
    if error is not None:
        raise error
    return value
