"""Large constants travel beside the text of a script, under a name for their content."""

from __future__ import annotations

import hashlib
import weakref

import numpy as np

from ..ir import relax

# by content, as long as somebody holds them
STORE: weakref.WeakValueDictionary[str, relax.Constant] = weakref.WeakValueDictionary()


def constant_key(c: relax.Constant) -> str:
    """A name for the content of a constant; remembers the constant under it."""
    data = np.ascontiguousarray(c.data)
    digest = hashlib.blake2b(data.tobytes(), digest_size=8)
    digest.update(f"{data.dtype}{data.shape}".encode())
    key = digest.hexdigest()
    STORE.setdefault(key, c)
    return key
