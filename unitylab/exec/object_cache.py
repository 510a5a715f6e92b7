"""Object code on disk, so that a new process need not compile what an older one did.

One file an entry, named by the digest of all that the code depends on. A file carries the digest of
its content: torn or foreign ones are ignored and written anew. Writing is atomic by renaming.

UNITYLAB_CACHE_DIR moves the folder, and "off" disables it. UNITYLAB_CACHE_MB bounds its size, 512
unless told; the entries that were read longest ago go first.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
from contextlib import suppress
from functools import cache
from pathlib import Path

import platformdirs

_MAGIC = b"unitylab-object-1\n"
_SUFFIX = ".object"
_CHECK_EVERY = 64  # writes between two looks at the size
_written = 0


def folder() -> Path | None:
    """Where entries are; None if there is no such place that only this user can write to."""
    place = os.environ.get("UNITYLAB_CACHE_DIR", "")
    if place.lower() in ("off", "0", "none"):
        return None
    return _usable(place or str(platformdirs.user_cache_path("unitylab", appauthor=False)))


@cache
def _usable(place: str) -> Path | None:
    path = Path(place) / "objects"
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        status = path.stat()
    except OSError:
        return None
    if hasattr(os, "getuid") and (status.st_uid != os.getuid() or status.st_mode & 0o022):
        return None  # machine code that others could write is not run
    return path


@cache
def generator() -> str:
    """The digest of the code that makes machine code: another version has other entries."""
    root = Path(__file__).resolve().parent.parent
    digest = hashlib.sha256()
    for room in ("ir", "arith", "rewrite", "transforms", "pipelines", "exec"):
        for file in sorted((root / room).rglob("*.py")):
            status = file.stat()
            what = f"{file.relative_to(root)} {status.st_size} {status.st_mtime_ns}"
            digest.update(what.encode())
    return digest.hexdigest()


def key(*parts: str) -> str:
    """The name of an entry that depends on `parts`."""
    return hashlib.sha256("\0".join((generator(), *parts)).encode()).hexdigest()


def read(name: str) -> bytes | None:
    """The content of an entry, None if there is none or it is broken."""
    place = folder()
    if place is None:
        return None
    path = place / (name + _SUFFIX)
    try:
        raw = path.read_bytes()
    except OSError:
        return None
    head, body = raw[:len(_MAGIC) + 32], raw[len(_MAGIC) + 32:]
    if head != _MAGIC + hashlib.sha256(name.encode() + body).digest():
        return None
    with suppress(OSError):
        os.utime(path)
    return body


def write(name: str, body: bytes) -> None:
    """Keeps an entry. What goes wrong with the disk is no error: the next process compiles."""
    global _written
    place = folder()
    if place is None:
        return
    head = _MAGIC + hashlib.sha256(name.encode() + body).digest()
    temporary = ""
    try:
        handle, temporary = tempfile.mkstemp(dir=place, prefix="new-")
        with os.fdopen(handle, "wb") as file:
            file.write(head + body)
        os.replace(temporary, place / (name + _SUFFIX))
    except OSError:
        with suppress(OSError):
            os.unlink(temporary)
        return
    if _written % _CHECK_EVERY == 0:
        evict(place, limit())
    _written += 1


def limit() -> int:
    """The bytes that all entries may take."""
    try:
        return int(float(os.environ.get("UNITYLAB_CACHE_MB", "512")) * 2**20)
    except ValueError:
        return 512 * 2**20


def evict(place: Path, most: int) -> None:
    """Removes the entries that were read longest ago until the others fit into `most` bytes."""
    entries = []
    for path in place.iterdir():
        with suppress(OSError):
            status = path.stat()
            entries.append((status.st_mtime, status.st_size, path))
    total = 0
    for _, size, path in sorted(entries, reverse=True):
        total += size
        if total > most:
            with suppress(OSError):
                path.unlink()
