"""What an export does not say as the model does: each a change to a trace, after which both must be the same.

The changes are made to the trace of the file and to that of the configuration; what they leave is all compared.
"""

from collections.abc import Callable, Iterable, Mapping

import networkx
from attrs import evolve

from lsim.trace import Kind, Operator, Role, Tensor, Trace

Change = Callable[[Trace], Trace]


def untied(trace: Trace) -> Trace:
    """The head that is tied to the table of words is stored once more, turned round."""
    tensors, operators = dict(trace.tensors), []
    tables = {name for o in trace.operators if o.kind is Kind.EMBEDDING for name in o.reads}
    for operator in trace.operators:
        (m1, *rest), *others = operator.operands
        if operator.is_gemm and m1 in tables and trace.tensors[m1].role is Role.WEIGHT:
            turned = f"{m1}.turned"
            tensors[turned] = evolve(tensors[m1], name=turned)
            operator = evolve(operator, operands=((turned, *rest), *others))
        operators.append(operator)
    return _trace(tensors, operators)


def joined(trace: Trace) -> Trace:
    """A parameter that is repeated, or beside another one in a concatenation, is stored as one array."""
    tensors, operators = dict(trace.tensors), []
    for operator in trace.operators:
        operands = tuple(_joined(operand, tensors) for operand in operator.operands)
        operators.append(evolve(operator, operands=operands))
    return _trace(tensors, operators)


def _joined(operand: tuple[str, ...], tensors: dict[str, Tensor]) -> tuple[str, ...]:
    stored = [name for name in operand if tensors[name].role is Role.WEIGHT]
    if len(stored) < 2 or operand[: len(stored)] != tuple(stored):
        return operand
    name = "+".join(stored)
    tensors[name] = Tensor(name, (sum(tensors[one].elements for one in stored),), Role.WEIGHT)
    return (name, *operand[len(stored) :])


def without_tables(trace: Trace) -> Trace:
    """Tables of positions, and of biases of scores, are as large as what was looked up in them: the file has the rows, or a
    sum with them, and not the look-up. Without them; of other look-ups with the largest table."""
    stored = {name for name, tensor in trace.tensors.items() if tensor.role is Role.WEIGHT}
    same: dict[str, str] = {}
    operators = []
    for operator in trace.operators:
        operands = tuple(tuple(same.get(name, name) for name in operand) for operand in operator.operands)
        if operator.kind in (Kind.EMBEDDING, Kind.RESIDUAL) and stored.issuperset(
            name for operand in operands for name in operand
        ):
            stored.update(operator.outputs)
            continue
        if operator.kind is Kind.RESIDUAL:
            operands = tuple(operand for operand in operands if not stored.issuperset(operand))
            if len(operands) == 1:
                ((same[operator.outputs[0]],),) = operands
                continue
        if operator.kind is Kind.EMBEDDING:
            tables = [operand for operand in operands if stored.issuperset(operand)]
            size = {operand: sum(trace.tensors[name].elements for name in operand) for operand in tables}
            operands = tuple(
                o for o in operands if o not in tables or o == max(tables, key=lambda one: size[one])
            )
        operators.append(evolve(operator, operands=operands))
    return _trace(trace.tensors, operators)


def without_gains(trace: Trace) -> Trace:
    """Norms without parameters have ones and zeros of them in the file, since ONNX knows no norm without."""
    operators = [evolve(o, operands=o.operands[:1]) if o.kind is Kind.NORM else o for o in trace.operators]
    return _trace(trace.tensors, operators)


def each_once(trace: Trace) -> Trace:
    """What the model computes twice in the same way is there once."""
    same: dict[str, str] = {}
    first: dict[object, Operator] = {}
    for operator in trace.operators:
        operands = tuple(tuple(same.get(name, name) for name in operand) for operand in operator.operands)
        operator = evolve(operator, operands=operands)
        sizes = (operator.kind, operator.heads, operator.rows, operator.depth, operator.columns)
        kept = first.setdefault((sizes, frozenset(operands), len(operator.outputs)), operator)
        same.update(zip(operator.outputs, kept.outputs, strict=True))
    return _trace(trace.tensors, list(first.values()))


def without_experts(trace: Trace) -> Trace:
    """The file has no groups of tokens: it gathers the matrices of two experts for each token. What lies between the choice of
    experts and the residual after them is left out; see `experts` for it."""
    region = experts(trace)
    left = {name for operator in region for name in operator.outputs}
    operators = [
        evolve(
            o,
            operands=tuple(("experts",) if left.intersection(operand) else operand for operand in o.operands),
        )
        for o in trace.operators
        if o not in region
    ]
    return _trace({**trace.tensors, "experts": Tensor("experts", (1,), Role.INPUT)}, operators)


def experts(trace: Trace) -> list[Operator]:
    """The operators between a choice of experts and the residual after them."""
    graph = trace.graph()
    found: list[Operator] = []
    for choice in (o for o in trace.operators if o.label == "top-k"):
        after = networkx.descendants(graph, choice.name)
        end = next(
            o
            for o in trace.operators
            if o.name in after and o.kind is Kind.RESIDUAL and _is_end(trace, o, after)
        )
        between = after - networkx.descendants(graph, end.name) - {end.name}
        found += [o for o in trace.operators if o.name in between]
    return found


def _is_end(trace: Trace, residual: Operator, after: set[str]) -> bool:
    made = [trace.producer(name) for name in residual.reads]
    return not all(one is not None and one.name in after for one in made)


def _trace(tensors: Mapping[str, Tensor], operators: Iterable[Operator]) -> Trace:
    return Trace("changed", tensors, tuple(operators))


def differences(name: str, style: str) -> tuple[Change, ...]:
    """What an export of a case of models.py in a style of export_onnx.py does not say as the model does."""
    case = name.partition("-")[0]
    computes = style in (
        "fixed",
        "sdpa",
        "fused",
    )  # the exporter computes what is constant, in fixed shapes all positions
    found: dict[Change, bool] = {
        untied: style != "plain" and (name in TIED or case in ("gpt2", "t5", "whisper")),
        joined: computes and name in ("deit-one-head", "vit-pooled"),
        without_tables: case == "dit"
        or (computes and case in ("t5", "whisper", "swin"))
        or (style in ("script", "dynamic") and case == "swin"),
        without_gains: case == "dit" and style != "plain",
        each_once: case == "dit" and style in ("fixed", "sdpa", "fused", "dynamic", "script"),
        without_experts: case == "mixtral",
    }
    return tuple(change for change, applies in found.items() if applies)


TIED = ("llama-tied", "bert-batch")
