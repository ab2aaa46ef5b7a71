"""What each operator of ONNX is in a trace. Operators and their inputs: github.com/onnx/onnx, docs/Operators.md; those of
`com.microsoft`: github.com/microsoft/onnxruntime, docs/ContribOperators.md; those of `lsim`: onnx_patterns.py.
"""

from __future__ import annotations

from collections.abc import Callable
from math import prod

from lsim.extract.onnx_attention import (
    fused_attention,
    grouped_attention,
    multi_head_attention,
    standard_attention,
)
from lsim.extract.onnx_einsum import einsum
from lsim.extract.onnx_graph import LAYOUTS, Node
from lsim.extract.onnx_lower import Lowering
from lsim.extract.onnx_means import reduction
from lsim.extract.onnx_parts import gather, gather_nd, largest, pad, part
from lsim.extract.onnx_products import conv, conv_transpose, gemm, matmul, matmul_bits
from lsim.extract.onnx_tables import add_table
from lsim.trace.ir import Kind

Rule = Callable[[Lowering, Node], None]

_FUNCTIONS = [
    "Abs", "Ceil", "Celu", "Clip", "Cos", "Elu", "Erf", "Exp", "Floor", "Gelu", "HardSigmoid", "HardSwish",
    "LeakyRelu", "Log", "LogSigmoid", "Mish", "Not", "Reciprocal", "Relu", "Round", "Selu", "Sigmoid",
    "Sign", "Sin", "Softplus", "Softsign", "Sqrt", "Swish", "Tanh", "ThresholdedRelu",
]  # fmt: skip
_SCALES = ("Mul", "Div", "Add", "Sub", "Sum")  # a constant that is one operand of them costs nothing
_MOVES = [
    "ArgMax", "ArgMin", "DepthToSpace", "GlobalMaxPool", "LpPool", "MaxPool", "ReduceL1", "ReduceL2",
    "ReduceMax", "ReduceMin", "ReduceProd", "ReduceSumSquare", "Resize", "SpaceToDepth", "Upsample",
]  # fmt: skip


def alias(low: Lowering, node: Node) -> None:
    """The same data under another name; of an expansion, each element once."""
    low.put(node.outputs[0], low.operand(node.inputs[0]))


def concat(low: Lowering, node: Node) -> None:
    low.put(
        node.outputs[0], tuple(tensor for name in node.inputs if low.size(name) for tensor in low.each(name))
    )


def function(low: Lowering, node: Node) -> None:
    """A function of each element."""
    bias = node.input(1) if node.op.endswith("BiasGelu") else ""
    shape, out = low.shape(node.outputs[0]), node.outputs[0]
    if bias and low.add_bias(node, node.inputs[0], bias):
        bias = ""
    source = low.full(node.inputs[0])
    if bias:
        total = f"{node.name}.bias"
        source = low.combine(total, Kind.RESIDUAL, [source, low.operand(bias)], f"{total}.out", shape, "bias")
    sizes = low.plane(source, shape)
    label = node.op.rpartition(".")[2].lower()
    low.put(out, low.out.add(node.name, Kind.ACTIVATION, [source], sizes, {out: shape}, label=label))


def combine(kind: Kind) -> Rule:
    """Element by element, with what broadcasts; constants are part of the neighbours."""

    def rule(low: Lowering, node: Node) -> None:
        arrays = [name for name in node.inputs if name and not low.is_constant(name)]
        if len(arrays) == 1 and node.op in _SCALES:
            alias(low, Node(node.name, node.op, (arrays[0],), node.outputs, {}))
            return
        for one, other in (arrays, arrays[::-1]) if len(arrays) == 2 and node.op == "Add" else ():
            if low.add_bias(node, one, other) or add_table(low, node, one, other):
                return
        out, label = node.outputs[0], node.op.rpartition(".")[2].lower()
        operands = [low.operand(name) for name in arrays]
        low.put(out, low.combine(node.name, kind, operands, out, low.shape(out), label))

    return rule


def choose(low: Lowering, node: Node) -> None:
    """Where: a mask, if the choice is prepared and one of the two a constant; else a sum of what is chosen from."""
    choice, *both = node.inputs
    arrays = [name for name in both if not low.is_constant(name)]
    if len(arrays) == 1 and (choice in low.given or low.graph.is_stored(choice)):
        alias(low, Node(node.name, node.op, (arrays[0],), node.outputs, {}))
    else:
        combine(Kind.RESIDUAL)(low, Node(node.name, node.op, tuple(both), node.outputs, {}))


def softmax(low: Lowering, node: Node) -> None:
    """Over one axis; before opset 13 over all axes from one on."""
    shape = low.shape(node.outputs[0])
    whole = low.graph.opset < 13
    axis = node.attributes.get("axis", 1 if whole else -1) % max(1, len(shape))
    columns = prod(shape[axis:]) if whole else shape[axis]
    rows = prod(shape[:axis][-1:]) if whole or axis == len(shape) - 1 else prod(shape[-1:])
    heads = prod(shape) // (rows * columns)
    source, out = low.full(node.inputs[0]), node.outputs[0]
    scores = low.made(source)
    if scores is not None and low.is_scores(scores) and scores.columns == columns and axis == len(shape) - 1:
        heads, rows = scores.heads, scores.rows  # queries of a group are stacked along the rows
    causal, window = bool(node.attributes.get("causal")), node.attributes.get("window", 0)
    sizes = (heads, rows, 0, columns)
    made = low.out.add(node.name, Kind.SOFTMAX, [source], sizes, {out: shape}, causal=causal, window=window)
    low.put(out, made)


def norm(low: Lowering, node: Node) -> None:
    """A norm of the last axes, with its gain and bias if they have one element a column."""
    shape = low.shape(node.inputs[0])
    axis = node.attributes.get("axis", -1)
    columns = prod(shape[axis:])
    given = [
        name
        for name, nothing in zip(node.inputs[1:3], (1, 0), strict=False)
        if name and low.size(name) == columns and not low.graph.is_all(name, nothing)
    ]
    operands = [low.full(node.inputs[0]), *(low.operand(name) for name in given)]
    low.vector(node, Kind.NORM, operands, (1, prod(shape) // columns, 0, columns), _norm_label(node))


def _norm_label(node: Node) -> str:
    return "rmsnorm" if "RMS" in node.op or "Simplified" in node.op else "layernorm"


def channel_norm(low: Lowering, node: Node) -> None:
    """Instance and group norm: each group of channels of an image, then gain and bias of each channel."""
    shape, out = low.shape(node.inputs[0]), node.outputs[0]
    groups = shape[0] * node.attributes.get("num_groups", shape[1])
    normed = f"{node.name}.norm"
    made = low.out.add(
        normed,
        Kind.NORM,
        [low.full(node.inputs[0])],
        (1, groups, 0, prod(shape) // groups),
        {f"{normed}.out": shape},
    )
    gains = [low.operand(name) for name in node.inputs[1:3]]
    low.put(out, low.combine(node.name, Kind.MULTIPLY, [made, *gains], out, shape, "affine"))


def batch_norm(low: Lowering, node: Node) -> None:
    """In inference, a gain and a bias of each channel."""
    out = node.outputs[0]
    operands = [low.full(node.inputs[0]), *(low.operand(name) for name in node.inputs[1:])]
    low.put(out, low.combine(node.name, Kind.MULTIPLY, operands, out, low.shape(out), "batchnorm"))


def skip_norm(low: Lowering, node: Node) -> None:
    """A residual, then a norm; the bias is the last input."""
    shape = low.shape(node.inputs[0])
    simple = "Simplified" in node.op
    parameters, bias = node.inputs[2 : 3 if simple else 4], node.input(3 if simple else 4)
    added = [low.full(node.inputs[0]), low.operand(node.inputs[1]), *([low.operand(bias)] if bias else [])]
    total = low.combine(f"{node.name}.residual", Kind.RESIDUAL, added, f"{node.name}.sum", shape, "residual")
    operands = [total, *(low.operand(name) for name in parameters if name)]
    low.vector(node, Kind.NORM, operands, (1, prod(shape[:-1]), 0, shape[-1]), _norm_label(node))
    if len(node.outputs) > 3 and node.outputs[3]:
        low.put(node.outputs[3], total)


def embed_norm(low: Lowering, node: Node) -> None:
    """The sum of rows of tables of words, positions and segments, and its norm."""
    ids, segments, word, position, segment, *parameters = (*node.inputs, "", "", "")[:7]
    shape, name = low.shape(node.outputs[0]), f"{node.name}.embedding"
    indices = tuple(t for one in (ids, segments) if one for t in low.operand(one))
    tables = [low.operand(table) for table in (word, position, segment) if table]
    sizes = (1, prod(shape[:-1]), 0, shape[-1])
    made = low.out.add(name, Kind.EMBEDDING, [indices, *tables], sizes, {f"{name}.out": shape})
    low.vector(node, Kind.NORM, [made, *(low.operand(one) for one in parameters if one)], sizes, "layernorm")
    if len(node.outputs) > 2 and node.outputs[2]:
        low.put(node.outputs[2], made)


def rotary(low: Lowering, node: Node) -> None:
    at = 0 if low.is_float(node.inputs[0]) else 1
    source = low.full(node.inputs[at])
    low.vector(node, Kind.ROTARY, [source], low.plane(source, low.shape(node.outputs[0])))


_MS = "com.microsoft."

RULES: dict[str, Rule] = {
    **dict.fromkeys((*LAYOUTS, "Expand", "Tile", "Identity", "Neg", "lsim.Same"), alias),
    "Concat": concat,
    **dict.fromkeys((*_FUNCTIONS, "lsim.Gelu", "lsim.Silu"), function),
    **dict.fromkeys((f"{_MS}Gelu", f"{_MS}FastGelu", f"{_MS}QuickGelu", f"{_MS}BiasGelu"), function),
    **dict.fromkeys(("Add", "Sub", "Sum", "Mean", "Max", "Min"), combine(Kind.RESIDUAL)),
    **dict.fromkeys(("Mul", "Div", "Pow", "PRelu"), combine(Kind.MULTIPLY)),
    **dict.fromkeys(
        ("And", "Or", "Xor", "Equal", "Less", "LessOrEqual", "Greater", "GreaterOrEqual"),
        combine(Kind.RESIDUAL),
    ),
    "Where": choose,
    **dict.fromkeys(("Softmax", "LogSoftmax", "lsim.Softmax"), softmax),
    **dict.fromkeys(("LayerNormalization", "RMSNormalization", "lsim.LayerNorm", "lsim.RMSNorm"), norm),
    **dict.fromkeys(("SimplifiedLayerNormalization", f"{_MS}SimplifiedLayerNormalization"), norm),
    **dict.fromkeys(("InstanceNormalization", "GroupNormalization"), channel_norm),
    "BatchNormalization": batch_norm,
    **dict.fromkeys((f"{_MS}SkipLayerNormalization", f"{_MS}SkipSimplifiedLayerNormalization"), skip_norm),
    f"{_MS}EmbedLayerNormalization": embed_norm,
    **dict.fromkeys(("RotaryEmbedding", f"{_MS}RotaryEmbedding", "lsim.Rotary"), rotary),
    **dict.fromkeys(("Slice", "Split"), part),
    "Gather": gather,
    "GatherND": gather_nd,
    "TopK": largest,
    "Pad": pad,
    "Einsum": einsum,
    **dict.fromkeys(("ReduceMean", "ReduceSum", "GlobalAveragePool", "AveragePool"), reduction),
    **dict.fromkeys(("MatMul", f"{_MS}FusedMatMul"), matmul),
    "Gemm": gemm,
    "Conv": conv,
    "ConvTranspose": conv_transpose,
    f"{_MS}MatMulNBits": matmul_bits,
    "Attention": standard_attention,
    f"{_MS}Attention": fused_attention,
    f"{_MS}MultiHeadAttention": multi_head_attention,
    f"{_MS}GroupQueryAttention": grouped_attention,
    **dict.fromkeys(_MOVES, Lowering.opaque),
}
