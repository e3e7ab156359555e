"""Counter-based random bits. In: a key (seed, draw number) and a count; out: that many 32- or 64-bit words.

Philox 4x32-10 of Salmon, Moraes, Dror and Shaw, "Parallel random numbers: as easy as 1, 2, 3" (2011). A block of four 32-bit
lanes depends only on the key and the block's number, so any part of a stream can be drawn alone and in any order.
"""

from __future__ import annotations

from typing import Any

import numpy as np

MULTIPLIERS = (0xD2511F53, 0xCD9E8D57)
WEYL = (0x9E3779B9, 0xBB67AE85)
ROUNDS = 10
MASK = 0xFFFFFFFF


def blocks(seed: int, draw: int, first: int, count: int) -> np.ndarray:
    """Blocks ``first`` to ``first + count - 1`` of the stream: uint32 (count, 4).

    The key is the seed's low and high word; the counter's four words are the block number's low and high word, then the draw's.
    """
    number = np.arange(first, first + count, dtype=np.uint64)
    low, high = number & np.uint64(MASK), number >> np.uint64(32)
    x = [low, high, np.full_like(low, draw & MASK), np.full_like(low, draw >> 32)]
    k0, k1 = seed & MASK, seed >> 32
    for _ in range(ROUNDS):
        a, b = x[0] * np.uint64(MULTIPLIERS[0]), x[2] * np.uint64(MULTIPLIERS[1])
        x = [
            (b >> np.uint64(32)) ^ x[1] ^ np.uint64(k0),
            b & np.uint64(MASK),
            (a >> np.uint64(32)) ^ x[3] ^ np.uint64(k1),
            a & np.uint64(MASK),
        ]
        k0, k1 = (k0 + WEYL[0]) & MASK, (k1 + WEYL[1]) & MASK
    return np.stack(x, -1).astype(np.uint32)


def bits32(key: Any, count: int) -> np.ndarray:
    """``count`` words of 32 bits: word ``i`` is lane ``i % 4`` of block ``i // 4``. The key is uint64 (seed, draw)."""
    return blocks(int(key[0]), int(key[1]), 0, -(-count // 4)).reshape(-1)[:count]


def bits64(key: Any, count: int) -> np.ndarray:
    """``count`` words of 64 bits: word ``i`` is lanes ``2 * (i % 2)`` (low half) and the next (high half) of block ``i // 2``."""
    lanes = blocks(int(key[0]), int(key[1]), 0, -(-count // 2)).reshape(-1, 2).astype(np.uint64)
    return (lanes[:, 0] | (lanes[:, 1] << np.uint64(32)))[:count]
