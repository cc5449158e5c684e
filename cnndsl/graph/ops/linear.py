"""Products: MatMul, Gemm."""

import numpy as np

from cnndsl.graph.ops.base import NARROW, Call, broadcast, define
from cnndsl.graph.ops.grad import Expr, Grad
from cnndsl.graph.value import Dims


def _matmul(call: Call) -> list[Dims]:
    a, b = call.shape(0), call.shape(1)
    if a[-1] != b[-2]:
        raise ValueError(f"MatMul of {a} and {b}")
    return [(*broadcast(a[:-2], b[:-2]), a[-2], b[-1])]


def _transposed(x: Expr) -> Expr:
    """The last two axes exchanged; of a constant at once."""
    array = x.tape.consts.get(x.value)
    if array is not None:
        swapped = np.ascontiguousarray(np.swapaxes(array, -1, -2))
        return Expr(x.tape, x.tape.const(swapped))
    rank = len(x.shape)
    return x.op("Transpose", perm=(*range(rank - 2), rank - 1, rank - 2))


def _matmul_b(g: Grad) -> Expr:
    """dB = Aᵀ·dY; (dYᵀ·A)ᵀ where that transposes less."""
    if g.a.value not in g.tape.consts and int(g.dy.shape[-1]) < int(g.a.shape[-1]):
        return g.unbroadcast(_transposed(_transposed(g.dy) @ g.a))
    return g.unbroadcast(_transposed(g.a) @ g.dy)


define("MatMul", _matmul, NARROW, lambda g: g.unbroadcast(g.dy @ _transposed(g.b)), _matmul_b)


def _gemm(call: Call) -> list[Dims]:
    a, b = call.shape(0), call.shape(1)
    a = a[::-1] if call.attrs.get("transA") else a
    b = b[::-1] if call.attrs.get("transB") else b
    if a[1] != b[0]:
        raise ValueError(f"Gemm of {a} and {b}")
    return [(a[0], b[1])]


def _gemm_a(g: Grad) -> Expr:
    """dA = dY · B'ᵀ, transposed where A was."""
    flip = g.attr("transB", 0)
    if g.attr("transA", 0):
        return g.b.op("Gemm", g.dy, transA=flip, transB=1)
    return g.dy.op("Gemm", g.b, transB=1 - flip)


def _gemm_b(g: Grad) -> Expr:
    """dB = A'ᵀ · dY, transposed where B was."""
    flip = g.attr("transA", 0)
    if g.attr("transB", 0):
        return g.dy.op("Gemm", g.a, transA=1, transB=flip)
    return g.a.op("Gemm", g.dy, transA=1 - flip)


define("Gemm", _gemm, NARROW, _gemm_a, _gemm_b, lambda g: g.unbroadcast(g.dy))
