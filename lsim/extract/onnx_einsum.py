"""Einsum: a permutation of one operand, or a product of two."""

from __future__ import annotations

from math import prod
from string import ascii_letters

from lsim.errors import TraceError
from lsim.extract.onnx_graph import Node
from lsim.extract.onnx_lower import Lowering
from lsim.extract.onnx_products import product
from lsim.trace.ir import Kind


def einsum(low: Lowering, node: Node) -> None:
    """The letters of both operands that the result lacks are summed over; those that it has, too, are heads."""
    terms, result = _terms(low, node)
    if len(terms) == 1 and sorted(terms[0]) == sorted(result):
        low.put(node.outputs[0], low.operand(node.inputs[0]))
        return
    sizes = {
        letter: size
        for name, term in zip(node.inputs, terms, strict=True)
        for letter, size in zip(term, low.shape(name), strict=True)
    }
    alone = [set(term) - set(other) for term, other in zip(terms, terms[::-1], strict=True)]
    if len(terms) != 2 or not (alone[0] | alone[1]) <= set(result):
        raise TraceError("only a product of two operands is known: write others out", place=node.place())
    a, b = terms
    m, n = (prod(sizes[letter] for letter in letters) for letters in alone)
    summed = prod(sizes[letter] for letter in set(a) & set(b) - set(result))
    heads = prod(sizes[letter] for letter in set(a) & set(b) & set(result))
    if set(a) & set(b) <= set(result):
        out, operands = node.outputs[0], [low.operand(name) for name in node.inputs]
        low.put(out, low.combine(node.name, Kind.MULTIPLY, operands, out, low.shape(out), "einsum"))
    else:
        product(low, node, (node.inputs[0], node.inputs[1]), (m, summed, n), heads)


def _terms(low: Lowering, node: Node) -> tuple[list[str], str]:
    """The letters of each operand and of the result; those that `...` stands for are spelled out."""
    equation = node.attributes["equation"].decode().replace(" ", "")
    left, _, right = equation.partition("->")
    terms = left.split(",")
    free = [letter for letter in ascii_letters if letter not in equation]
    ranks = [
        len(low.shape(name)) - len(term.replace("...", ""))
        for name, term in zip(node.inputs, terms, strict=True)
    ]
    most = max([rank for rank, term in zip(ranks, terms, strict=True) if "..." in term], default=0)
    spelled = [
        term.replace("...", "".join(free[most - rank : most]))
        for term, rank in zip(terms, ranks, strict=True)
    ]
    if "->" not in equation:
        letters = left.replace("...", "")
        right = "..." + "".join(sorted(one for one in set(letters) - {","} if letters.count(one) == 1))
    if any(len(set(term)) < len(term) for term in spelled):
        raise TraceError("a diagonal is not known: write it out", place=node.place())
    return spelled, right.replace("...", "".join(free[:most]))
