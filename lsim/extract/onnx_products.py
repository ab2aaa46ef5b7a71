"""Matrix products and convolutions of ONNX as GEMMs.

A convolution is a GEMM by im2col: rows are filters, the depth is a window, columns are the places of the window; groups are heads. The
unfolded image is written and read, as data movement, unless it has the elements of the image (1 x 1 kernels, patches side by side).
K. Chellapilla et al., "High performance convolutional neural networks for document processing", IWFHR 2006.
"""

from __future__ import annotations

from math import prod

from lsim.errors import TraceError
from lsim.extract.onnx_graph import Node, Shape
from lsim.extract.onnx_lower import Lowering, Operand
from lsim.trace.ir import Kind, Role

Sizes = tuple[int, int, int, int]


def matmul(low: Lowering, node: Node) -> None:
    """A linear layer where one side is one matrix of parameters; else a product of as many heads as the smaller side has matrices."""
    a, b = node.inputs[:2]
    m, k = _matrix(low.shape(a), bool(node.attributes.get("transA")), row=True)
    _, n = _matrix(low.shape(b), bool(node.attributes.get("transB")), row=False)
    out = node.outputs[0]
    product(low, node, (a, b), (m, k, n), low.size(out) // (m * n))


def product(
    low: Lowering, node: Node, sides: tuple[str, str], sizes: tuple[int, int, int], batch: int
) -> None:
    """The product of `batch` matrices M x K by K x N, of which either side may have fewer, each for several of the other."""
    (a, b), (m, k, n), out = sides, sizes, node.outputs[0]
    many_a, many_b = low.out.elements(low.operand(a)) // (m * k), low.out.elements(low.operand(b)) // (k * n)
    if many_b == 1 and low.is_weight(b):
        made = low.gemm(node, node.name, [low.operand(b), low.full(a)], (1, n, k, m * batch), out)
    elif many_a == 1 and low.is_weight(a):
        made = low.gemm(node, node.name, [low.operand(a), low.full(b)], (1, m, k, n * batch), out)
    elif many_b < batch or many_a == batch:
        made = low.gemm(
            node, node.name, [low.full(a), low.operand(b)], (many_b, m * batch // many_b, k, n), out
        )
    else:
        made = low.gemm(
            node, node.name, [low.operand(a), low.full(b)], (many_a, m, k, n * batch // many_a), out
        )
    low.put(out, made)


def _matrix(shape: Shape, turned: bool, row: bool) -> tuple[int, int]:
    """Rows and columns; a vector is a row of the first operand, a column of the second."""
    if len(shape) == 1:
        return (1, shape[0]) if row else (shape[0], 1)
    return (shape[-1], shape[-2]) if turned else (shape[-2], shape[-1])


def gemm(low: Lowering, node: Node) -> None:
    """Gemm: a linear layer if B is parameters, with C as its bias if that is one number a column."""
    a, b, c = node.inputs[0], node.inputs[1], node.input(2)
    m, k = _matrix(low.shape(a), bool(node.attributes.get("transA")), row=True)
    _, n = _matrix(low.shape(b), bool(node.attributes.get("transB")), row=False)
    product(low, node, (a, b), (m, k, n), 1)
    if c and not low.is_number(c):
        _add(low, node, c)


def _add(low: Lowering, node: Node, bias: str) -> None:
    """The bias of what was just written: of the linear layer, or a sum."""
    out = node.outputs[0]
    made = low.operand(out)
    at = low.linear.get(made[0])
    operator = low.out.operators[-1]
    if at is not None and low.size(bias) == operator.heads * operator.rows and low.is_weight(bias):
        low.bias_of(made[0], low.operand(bias))
        return
    operands = [made, low.operand(bias)]
    low.put(
        out, low.combine(f"{node.name}.add", Kind.RESIDUAL, operands, f"{out}.sum", low.shape(out), "add")
    )


def matmul_bits(low: Lowering, node: Node) -> None:
    """A linear layer whose weights are packed in few bits, with scales of blocks, which are held where they are used."""
    k, n, a = node.attributes["K"], node.attributes["N"], node.inputs[0]
    weight = (low.out.tensor(node.inputs[1], (n, k), Role.WEIGHT),)
    out = node.outputs[0]
    low.put(out, low.gemm(node, node.name, [weight, low.full(a)], (1, n, k, low.size(a) // k), out))
    if node.input(5):
        _add(low, node, node.input(5))


def conv(low: Lowering, node: Node) -> None:
    x, weight, out = node.inputs[0], node.inputs[1], node.outputs[0]
    filters, depth = low.shape(weight)[0], prod(low.shape(weight)[1:])
    groups = node.attributes.get("group", 1)
    columns = low.size(out) // filters
    if low.shape(x)[1] != groups * low.shape(weight)[1]:
        problem = (
            f"the image has {low.shape(x)[1]} channels, the filters have {groups} x {low.shape(weight)[1]}"
        )
        raise TraceError(problem, place=node.place())
    image = low.full(x)
    if low.size(x) != groups * depth * columns:
        name, channels = f"{node.name}.im2col", low.shape(x)[1]
        taps = (1, groups * depth * columns // channels, 0, channels)
        image = low.out.add(
            name, Kind.EMBEDDING, [image], taps, {f"{name}.out": (groups, depth, columns)}, label="im2col"
        )
    sizes = (groups, filters // groups, depth, columns)
    low.put(out, low.gemm(node, node.name, [low.operand(weight), image], sizes, out))
    if node.input(2):
        _add(low, node, node.input(2))


def conv_transpose(low: Lowering, node: Node) -> None:
    """The product of each place with all of a window, then the sum of what overlaps, with the bias: data movement."""
    x, weight, out = node.inputs[0], node.inputs[1], node.outputs[0]
    channels, *window = low.shape(weight)
    groups, rows = node.attributes.get("group", 1), prod(window)
    columns = low.size(x) // channels
    name = f"{node.name}.product"
    sizes: Sizes = (groups, rows, channels // groups, columns)
    made: Operand = low.gemm(node, name, [low.operand(weight), low.full(x)], sizes, f"{name}.out")
    read = (*made, *(low.operand(node.input(2)) if node.input(2) else ()))
    if low.out.elements(read) != low.size(out):
        made = (low.out.opaque(node.name, read, out, low.shape(out), "col2im"),)
    low.put(out, made)
