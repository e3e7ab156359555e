"""Entries on disk. In: content hashes; out: the bytes stored under them, or None.

Keys are hashes of everything an entry depends on, so entries are never invalidated, only forgotten. A file holds the hash of its
own payload: a file that does not match is deleted and made again. Files are written beside their place and renamed, so several
processes may share a folder. Nothing here ever fails a computation: a folder that cannot be written costs one warning, and the
process goes on in memory. See docs/cache.md.
"""

from __future__ import annotations

import contextlib
import hashlib
import marshal
import os
import struct
import warnings
from collections import OrderedDict
from collections.abc import Iterator
from typing import Any

from .config import config

_MAGIC = b"weft cache 1\n"
_MEMORY_ENTRIES = 256
_memory: OrderedDict[tuple[str, str], bytes] = OrderedDict()
_warned: set[str] = set()
_pruned: set[str] = set()


class CacheWarning(UserWarning):
    """The cache on disk could not be used; the computation goes on without it."""


def content_key(*parts: str) -> str:
    """The hash of the parts; no two different lists of parts join to the same text."""
    digest = hashlib.sha256()
    for part in parts:
        data = part.encode()
        digest.update(struct.pack("<q", len(data)) + data)
    return digest.hexdigest()


def load_bytes(kind: str, key: str) -> bytes | None:
    """The payload stored under a key, or None. A corrupt file is removed and counts as absent."""
    known = _memory.get((kind, key))
    if known is not None:
        _remember(kind, key, known)
        return known
    path = entry_path(kind, key)
    if path is None:
        return None
    try:
        with open(path, "rb") as file:
            data = file.read()
    except (FileNotFoundError, NotADirectoryError):  # of what is not a folder, whoever writes there will tell
        return None
    except OSError as error:
        warn_once(f"the cache folder {config.cache_dir} could not be read", error)
        return None
    payload = _checked(data)
    if payload is None:
        warn_once(f"{path} is corrupt and was made again", None)
        with contextlib.suppress(OSError):
            os.unlink(path)
        return None
    _remember(kind, key, payload)
    return payload


def store_bytes(kind: str, key: str, payload: bytes) -> None:
    """Remembers a payload under a key, in memory and, if possible, on disk."""
    _remember(kind, key, payload)
    path = entry_path(kind, key)
    if path is None:
        return
    try:
        root = os.fspath(config.cache_dir or "")
        make_private_folder(os.path.dirname(path), root)
        write_atomically(path, _MAGIC + hashlib.sha256(payload).digest() + payload)
        _prune(root)
    except OSError as error:
        warn_once(f"the cache folder {config.cache_dir} could not be written; compiled steps are kept in memory only", error)


def pack_tables(value: Any) -> bytes:
    """Dictionaries, lists, strings and numbers as bytes; ValueError for anything else.

    In the format of Python's bytecode files, which is read at once: JSON would have to be imported, for longer than it reads. It
    holds no classes and calls nothing. Version 2 of it is the same for every Python.
    """
    return marshal.dumps(value, 2)


def unpack_tables(data: bytes) -> Any:
    """The inverse of `pack_tables`. ValueError, TypeError or EOFError for other data."""
    return marshal.loads(data)


def entry_path(kind: str, key: str) -> str | None:
    """Where an entry lies, or None without a cache on disk."""
    return None if config.cache_dir is None else os.path.join(config.cache_dir, kind, key[:2], key)


def make_private_folder(folder: str, root: str) -> None:
    """Makes the folder below a root that only its owner may enter: what lies there will be executed."""
    os.makedirs(os.path.dirname(root) or ".", exist_ok=True)
    if not os.path.isdir(root):
        with contextlib.suppress(FileExistsError):  # another process was faster
            os.mkdir(root, mode=0o700)
    os.makedirs(folder, exist_ok=True)


def write_atomically(path: str, data: bytes) -> None:
    """Writes a file so that readers see all of it or nothing."""
    import tempfile  # half the standard library behind it, and who finds everything in the cache writes nothing

    handle, name = tempfile.mkstemp(dir=os.path.dirname(path), prefix=".new-")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
        os.replace(name, path)
    except BaseException:  # passed on
        with contextlib.suppress(OSError):
            os.unlink(name)
        raise


def _checked(data: bytes) -> bytes | None:
    start = len(_MAGIC) + 32
    payload = data[start:]
    whole = len(data) >= start and data.startswith(_MAGIC) and hashlib.sha256(payload).digest() == data[len(_MAGIC) : start]
    return payload if whole else None


def _remember(kind: str, key: str, payload: bytes) -> None:
    _memory[kind, key] = payload
    with contextlib.suppress(KeyError):  # another thread has had no room for it
        _memory.move_to_end((kind, key))
    while len(_memory) > _MEMORY_ENTRIES:
        _memory.popitem(last=False)


def forget_memory() -> None:
    """Drops what this process remembers, so that the next look-up reads the disk."""
    _memory.clear()


def _prune(folder: str) -> None:
    """Deletes the oldest entries, once per process and folder, if the cache has grown beyond its limit."""
    if folder in _pruned:
        return
    _pruned.add(folder)
    found = []
    for path in _files(folder):
        with contextlib.suppress(OSError):
            status = os.stat(path)
            found.append((status.st_mtime, status.st_size, path))
    total = sum(size for _, size, _ in found)
    for _, size, path in sorted(found):
        if total <= config.cache_bytes:
            break
        with contextlib.suppress(OSError):
            os.unlink(path)
            total -= size


def cache_usage() -> dict[str, tuple[int, int]]:
    """(number of entries, bytes) of each kind in the cache on disk; empty without one."""
    root = config.cache_dir
    usage: dict[str, tuple[int, int]] = {}
    for path in [] if root is None else _files(root):
        with contextlib.suppress(OSError):
            kind = os.path.relpath(path, root).split(os.sep)[0]
            count, size = usage.get(kind, (0, 0))
            usage[kind] = count + 1, size + os.stat(path).st_size
    return usage


def _files(root: str | os.PathLike[str]) -> Iterator[str]:
    for folder, _, names in os.walk(root):
        yield from (os.path.join(folder, name) for name in names)


def warn_once(what: str, error: Exception | None) -> None:
    """Warns once per process about each thing; a cache that does not work must not fill the user's screen."""
    if what not in _warned:
        _warned.add(what)
        reason = "" if error is None else f" ({type(error).__name__}: {error})"
        warnings.warn(f"weft's cache: {what}{reason}.", CacheWarning, stacklevel=3)
