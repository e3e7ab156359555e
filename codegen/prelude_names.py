"""The names a generated module uses without defining them. In: nothing; out: the list both preludes must provide.

The runtime provides every name twice: in plain Python (to run a module un-jitted, under pdb) and for Numba.

Memory and control
    ``view(pointer, n)``     a flat array ``a`` of ``n`` elements with ``a[i]`` and ``a[i] = v`` for ``0 <= i < n`` (never
                             negative, so no wrap-around test is needed); plain: the 1-D array itself
    ``pointer(p, i)``        entry ``i`` of the pointer table, only in ``step``
    ``size(d, i)``           entry ``i`` of the size table, only in ``step``
    ``effect(i)``            runs effect ``i``; non-zero if an exception is pending (plain: simply raises), only in ``step``
Casts (value to scalar of that type, C's rules; integers wrap)
    ``float32 float64 int8 int16 int32 int64 uint8 uint16 uint32 uint64 bool_``
Constants: ``inf nan``
Scalar functions: operands and result have one dtype, unless said otherwise; floating results stay in that dtype
    all of `graph.scalar.FUNCTIONS`, with NumPy's meaning: ``exp log sqrt rsqrt tanh erf power round sign abs ...``
    ``maximum minimum``      of two numbers; NaN if either is
    ``floor_divide remainder``  Python's (the sign of the divisor); NumPy's results at infinities and zero for floats
    ``isnan isinf isfinite`` to bool
    ``where(mask, x, y)``    both operands are computed; compiles to a select
    ``logical_not(mask)``    to bool
    ``sum_add(acc, x)``      ``acc + x`` where the order of summation may be changed by the compiler (LLVM's reassoc on this one
                             addition), so that sums over the inner axis become SIMD; ``acc`` is float64 for float32 elements
Random bits (Philox 4x32-10)
    ``philox(seed, draw, block)``  three uint64 -> four uint32 (a tuple): key ``seed``, counter (draw, block)
    The transforms to numbers are printed into the kernels with the functions above.

In plain mode scalars are NumPy scalars: run under ``np.errstate(all="ignore")``.
"""

from __future__ import annotations

from weft.graph import scalar

MEMORY = ("view", "pointer", "size", "effect")
CASTS = ("float32", "float64", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64", "bool_")
CONSTANTS = ("inf", "nan")
FUNCTIONS = (*scalar.FUNCTIONS, "floor_divide", "remainder", "logical_not", "sum_add", "philox")
PRELUDE = (*MEMORY, *CASTS, *CONSTANTS, *FUNCTIONS)
