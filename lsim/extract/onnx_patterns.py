"""Functions that exporters write as several nodes, found and put in one node each: norms, GELU, SiLU, rotary embedding, masked softmax.

A new node has an operator of `lsim.…`, the name and the output of the last node that it stands for, and as inputs what it reads:

    lsim.LayerNorm, lsim.RMSNorm    x[, gain][, bias]
    lsim.Gelu, lsim.Silu            x
    lsim.Rotary                     x
    lsim.Softmax                    scores, before scale and mask; attributes `causal` and `window`: what the mask allows
    lsim.Same                       x, all of whose elements it has
"""

from __future__ import annotations

from lsim.extract.onnx_functions import gelu, norm, rotary, silu
from lsim.extract.onnx_graph import Graph, Node
from lsim.extract.onnx_look import Look
from lsim.extract.onnx_masks import attention, finite, softmax
from lsim.extract.onnx_moves import rejoined


def recognise(graph: Graph) -> list[str]:
    """Puts together what belongs together; the names of softmaxes of a mask that is not causal, or not in the file."""
    look = Look(graph)
    look.index()
    for node in list(graph.nodes):
        made = _match(look, node) if node in graph.nodes else None
        if made is not None:
            last = look.made_by[made.outputs[0]]
            graph.nodes[graph.nodes.index(last)] = made
            look.index()
    _prune(graph)
    return list(dict.fromkeys(look.masks))


def _match(look: Look, node: Node) -> Node | None:
    """A node for this one and others around it; it takes the place of the one whose output it has."""
    match node.op:
        case "Div" | "Mul":
            return norm(look, node) or gelu(look, node) or silu(look, node)
        case "Add":
            return rotary(look, node)
        case "Softmax":
            return softmax(look, node)
        case "Where":
            return finite(look, node)
        case "Attention":
            return attention(look, node)
        case "Concat":
            return rejoined(look, node)
    return None


def _prune(graph: Graph) -> None:
    """Drops nodes whose results nobody needs."""
    needed: set[str] = set(graph.outputs)
    kept: list[Node] = []
    for node in reversed(graph.nodes):
        if needed.intersection(filter(None, node.outputs)):
            kept.append(node)
            needed.update(node.inputs)
    graph.nodes = kept[::-1]
