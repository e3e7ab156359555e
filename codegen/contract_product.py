"""A matrix product as the micro-kernel generator sees it: c[i, j] = sum over k of a[i, k] b[k, j], for each matrix of a batch.

Rows of a are addressed in general: each level of the batch has its own strides, so that lines of an image are "matrices" whose
rows are pixels; and k may run over several ``segments`` of a, so that a window's lines are segments. A direct convolution is
this product (see docs/contractions.md).
"""

from __future__ import annotations

from weft.graph.record import record, replace

from .contract_epilogue import Epilogue
from .contract_text import Integer


@record
class Level:
    """One level of the batch: how many, and elements from one to the next in a, b and c. 0: the same again.

    Strings name arguments of the kernel: ``%batch``, ``%stride_a``, ``%stride_b``.
    """

    count: Integer
    a: Integer
    b: Integer
    c: Integer


@record
class Product:
    """short: f32 or f64. m, n, k: sizes, None where only the call says them. transpose_a: a is stored [k, m]; transpose_b: b is
    stored [n, k].

    a_row: elements between the rows of a, if these are not dense (not for transpose_a). segments: k is split into that many
    stretches of equal length, which lie ``segment`` elements apart in a. accumulate: c holds what the product is added to.
    sets: so many products with the same a, see `contract_sets`; not with levels or segments.
    """

    short: str
    transpose_a: bool
    transpose_b: bool
    m: int | None
    n: int | None
    k: int | None
    levels: tuple[Level, ...] = ()
    a_row: int | None = None
    segments: int = 1
    segment: int = 0
    accumulate: bool = False
    epilogue: Epilogue | None = None
    sets: int = 1

    @property
    def size(self) -> int:
        """Bytes of an element."""
        return 4 if self.short == "f32" else 8

    @property
    def streams(self) -> bool:
        """Whether the epilogue reads arrays of c's shape, best along rows (see `contract_ending`)."""
        return self.epilogue is not None and self.epilogue.streams and not self.levels

    @property
    def shares_b(self) -> bool:
        """Whether all matrices of the batch are multiplied with the same b."""
        return all(level.b == 0 for level in self.levels)


def is_narrow(product: Product, width: int) -> bool:
    """Whether rows of c fill so little of a vector that the transposed product is quicker, although its result has to be turned.

    a is stored along its rows then, so that no operand has to be.
    """
    known = product.m is not None and product.n is not None and 1 < product.n <= width * 3 // 4 and product.m >= 2 * width
    plain = not product.levels and not product.accumulate and product.epilogue is None and product.segments == 1
    return known and plain and product.transpose_a


def transposed(product: Product) -> Product:
    """b.T @ a.T, whose result lies in memory as that of a @ b if it is a vector. The kernel takes b first."""
    levels = tuple(Level(level.count, level.b, level.a, level.c) for level in product.levels)
    flip_a = not product.transpose_b and product.n != 1  # one row lies along k either way
    return replace(
        product, m=product.n, n=product.m, levels=levels, transpose_a=flip_a, transpose_b=not product.transpose_a
    )


def matrix_product(
    short: str, transpose_a: bool, transpose_b: bool, batch: int | None, m: int | None, n: int | None, k: int | None,
    epilogue: Epilogue | None = None, accumulate: bool = False, halves: bool = False,
) -> Product:  # fmt: skip
    """The product of the canonical call (batch, m, n, k, stride_a, stride_b): dense matrices, strides said by the call.

    halves: the batch are the two halves of k, and a row of a is a row of both.
    """
    c: Integer = "%matrix_c" if m is None or n is None else m * n
    levels = () if batch == 1 else (Level("%batch" if batch is None else batch, "%stride_a", "%stride_b", c),)
    a_row = 2 * k if halves and k is not None else None
    return Product(short, transpose_a, transpose_b, m, n, k, levels, a_row, accumulate=accumulate, epilogue=epilogue)
