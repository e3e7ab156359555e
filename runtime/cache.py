"""The cache of whole programs. In: a graph's fingerprint; out: the `Program` generated from it before, or None.

A hit spares optimising and generating code. Programs are stored as plain tables (`store.pack_tables`) with their constants in
NumPy's format, never as pickles, under a key made of the fingerprint, this version of weft and the machine.
"""

from __future__ import annotations

import io
import struct

import numpy as np

from weft.codegen.program import Program

from .machine import detect_target
from .source_version import source_version
from .store import content_key, load_bytes, pack_tables, store_bytes, unpack_tables, warn_once


def _program_key(fingerprint: str) -> str:
    return content_key(fingerprint, source_version(), repr(detect_target()))


def load_program(fingerprint: str) -> Program | None:
    """The program stored for a graph's fingerprint by this version of weft on such a machine, or None."""
    payload = load_bytes("programs", _program_key(fingerprint))
    if payload is None:
        return None
    try:
        return _unpack_program(payload)
    except (ValueError, KeyError, TypeError, EOFError, struct.error) as error:
        warn_once("a stored program could not be read", error)
        return None


def has_program(fingerprint: str) -> bool:
    """Whether `load_program` will find one."""
    return load_bytes("programs", _program_key(fingerprint)) is not None


def store_program(fingerprint: str, program: Program) -> None:
    """Remembers the program for `load_program`, in memory and, if possible, on disk."""
    store_bytes("programs", _program_key(fingerprint), _pack_program(program))


def _pack_program(program: Program) -> bytes:
    tables = pack_tables(program.to_tables())
    out = io.BytesIO()
    out.write(struct.pack("<qq", len(tables), len(program.constants)) + tables)
    for array in program.constants:
        np.lib.format.write_array(out, np.asarray(array), allow_pickle=False)
    return out.getvalue()


def _unpack_program(payload: bytes) -> Program:
    length, count = struct.unpack_from("<qq", payload)
    tables = unpack_tables(payload[16 : 16 + length])
    rest = io.BytesIO(payload[16 + length :])
    constants = [np.lib.format.read_array(rest, allow_pickle=False) for _ in range(count)]
    for array in constants:
        array.setflags(write=False)
    return Program.from_tables(tables, constants)
