"""From a document to a checked trace: names known and defined once, sizes that agree, operators in order."""

from collections.abc import Container, Iterable, Mapping, Sequence
from math import prod

from lsim.errors import TraceError, closest
from lsim.trace.band import Band
from lsim.trace.document import Document, Statement
from lsim.trace.ir import Kind, Operator, Role, Tensor, Trace, operator_graph

_NAME_CHARACTERS = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.:/+-")
_MAX_NAMED = 6  # operators of a cycle that an error spells out

# Least and most operands of a vector operator.
_ARITY = {
    Kind.SOFTMAX: (1, 1),
    Kind.NORM: (1, 3),
    Kind.ACTIVATION: (1, 1),
    Kind.RESIDUAL: (2, 8),
    Kind.MULTIPLY: (2, 8),
    Kind.ROTARY: (1, 1),
    Kind.EMBEDDING: (1, 8),
    Kind.OPAQUE: (1, 1),
}
_REPEATING = (Kind.RESIDUAL, Kind.MULTIPLY)  # operands may be smaller than the result, and are repeated
_FREE = (Kind.EMBEDDING, Kind.OPAQUE, *_REPEATING)  # operands have checks of their own


def build(document: Document) -> Trace:
    """The trace of a document, checked; one in the wrong order is sorted, keeping what order it can."""
    statements = list(document.statements())
    tensors = _tensors(statements)
    steps = [statement for statement in statements if statement.operator is not None]
    for step in steps:
        _check_operator(step, tensors)
    operators = tuple(s.operator for s in _in_order(steps) if s.operator is not None)
    _check_use(statements, operators)
    prose = (document.description, document.sources, document.conventions)
    return Trace(document.name, tensors, operators, *prose)


def _tensors(statements: Iterable[Statement]) -> dict[str, Tensor]:
    """The tensors by name, names of tensors and of operators being checked on the way."""
    tensors: dict[str, Tensor] = {}
    operators: set[str] = set()
    for statement in statements:
        if statement.operator is not None:
            _check_name("an operator", statement.operator.name, operators, statement.line)
            operators.add(statement.operator.name)
        for tensor in statement.tensors:
            _check_name("a tensor", tensor.name, tensors, statement.line)
            tensors[tensor.name] = tensor
    return tensors


def _check_name(what: str, name: str, taken: Container[str], line: int | None) -> None:
    if name in taken:
        raise TraceError(f"{what} of this name is already defined", line=line, place=name)
    check_characters(what, name, line)


def check_characters(what: str, name: str, line: int | None) -> None:
    """Refuses a name of other characters than names are made of, or of none."""
    if not name or not _NAME_CHARACTERS.issuperset(name):
        problem = f"the name of {what} is made of letters, digits and _ . : / + -"
        place = name if name.isprintable() and name else repr(name)
        raise TraceError(problem, line=line, place=place)


def _check_operator(step: Statement, tensors: dict[str, Tensor]) -> None:
    operator = step.operator
    assert operator is not None
    for name in operator.reads:
        if name not in tensors:
            near = closest(name, tensors)
            mean = f"; did you mean {near!r}?" if near else ""
            raise TraceError(f"no tensor is named {name!r}{mean}", line=step.line, place=operator.name)
    try:
        check_sizes(operator, tensors)
    except TraceError as error:
        raise error.at(line=step.line) from None


def check_sizes(operator: Operator, tensors: Mapping[str, Tensor]) -> None:
    """Refuses an operator whose sizes and those of its tensors do not agree."""
    try:
        _check_sizes(operator, tensors)
    except TraceError as error:
        raise error.at(place=operator.name) from None


def _check_sizes(operator: Operator, tensors: Mapping[str, Tensor]) -> None:
    _check_shape(operator)
    given = [sum(tensors[name].elements for name in operand) for operand in operator.operands]
    for position, (elements, sizes) in enumerate(zip(given, _needs(operator), strict=True)):
        if sizes is not None and elements != prod(sizes):
            _refuse(f"operand {position}", operator.operands[position], elements, sizes)
    if operator.kind is Kind.EMBEDDING:
        _check_tables(operator, given)
    if operator.kind in _REPEATING:
        _check_repeated(operator, given)
    written = sum(tensors[name].elements for name in operator.outputs)
    if written != operator.elements:
        sizes = (operator.heads, operator.rows, operator.columns)
        _refuse("the output", operator.outputs, written, sizes)


def _check_shape(operator: Operator) -> None:
    """That the kind of operator can have this number of operands, depth and flags."""
    least, most = (2, 3) if operator.is_gemm else _ARITY[operator.kind]
    if not least <= len(operator.operands) <= most:
        count = str(least) if least == most else f"{least} to {most}"
        raise TraceError(f"{operator.kind} takes {count} operands, not {len(operator.operands)}")
    if operator.is_gemm != (operator.depth > 0):
        raise TraceError(f"{operator.kind} {'needs a' if operator.is_gemm else 'has no'} depth")
    if operator.causal and operator.kind not in (Kind.GEMM, Kind.SOFTMAX):
        raise TraceError(f"{operator.kind} cannot be causal")
    if operator.window and not operator.causal:
        raise TraceError("only a causal operator has a window")
    if operator.band is not None:
        _check_band(operator, operator.band)


def _check_band(operator: Operator, band: Band) -> None:
    """That the sizes are those of the band's queries and of the keys that they need."""
    if not operator.causal:
        raise TraceError("only a causal operator has a band")
    if not 0 <= band.begin < band.end <= band.tokens:
        raise TraceError(f"a band is [begin, end, tokens], begin < end <= tokens, not {list(band)}")
    if operator.rows % band.queries:
        raise TraceError(
            f"has {operator.rows} rows, not a multiple of the {band.queries} queries of its band"
        )
    keys = band.keys(operator.window)
    if keys not in (operator.columns, operator.depth):
        what = "columns or depth" if operator.is_gemm else "columns"
        raise TraceError(f"the queries of its band need {keys} keys, which is not its {what}")


def _needs(operator: Operator) -> Sequence[tuple[int, ...] | None]:
    """The sizes whose product each operand's elements must be; None where any number will do."""
    heads, rows, columns = operator.heads, operator.rows, operator.columns
    whole = (heads, rows, columns)
    count = len(operator.operands)
    if operator.is_gemm:
        return [(heads, rows, operator.depth), (heads, operator.depth, columns), (heads, rows)][:count]
    if operator.kind is Kind.NORM:
        return [whole, (columns,), (columns,)][:count]
    if operator.kind in _FREE:
        return [None] * count
    return [whole] * count


def _check_tables(operator: Operator, given: Sequence[int]) -> None:
    """That tables have whole rows; of several operands the first has the indices."""
    first = 1 if len(given) > 1 else 0
    for names, elements in zip(operator.operands[first:], given[first:], strict=True):
        if elements % operator.columns:
            problem = f"has {elements} elements, not whole rows of {operator.columns}"
            raise TraceError(f"the table ({' + '.join(names)}) {problem}")


def _check_repeated(operator: Operator, given: Sequence[int]) -> None:
    """That one operand is as large as the result and the others go into it a whole number of times."""
    wrong = [at for at, elements in enumerate(given) if operator.elements % elements]
    if not wrong and operator.elements not in given:
        wrong = [0]
    for at in wrong:
        sizes = (operator.heads, operator.rows, operator.columns)
        _refuse(f"operand {at}", operator.operands[at], given[at], sizes)


def _refuse(what: str, names: Sequence[str], elements: int, sizes: tuple[int, ...]) -> None:
    needed = " x ".join(map(str, sizes))
    product = f" = {prod(sizes)}" if len(sizes) > 1 else ""
    raise TraceError(f"{what} ({' + '.join(names)}) has {elements} elements, not {needed}{product}")


def _in_order(steps: Sequence[Statement]) -> Sequence[Statement]:
    """The steps, moved only if one of them reads what a later one writes."""
    producer = {name: at for at, s in enumerate(steps) if s.operator for name in s.operator.outputs}
    early = (at for at, step in enumerate(steps) for name in step.reads if producer.get(name, -1) >= at)
    return steps if next(early, None) is None else _sorted(steps)


def _sorted(steps: Sequence[Statement]) -> list[Statement]:
    import networkx  # only files out of order pay for this import

    graph = operator_graph([step.operator for step in steps if step.operator is not None])
    position = {step.operator.name: at for at, step in enumerate(steps) if step.operator is not None}
    try:
        order = list(networkx.lexicographical_topological_sort(graph, key=position.__getitem__))
    except networkx.NetworkXUnfeasible:
        cycle = [source for source, _ in networkx.find_cycle(graph)]
        first = min(range(len(cycle)), key=lambda at: position[cycle[at]])
        raise _cycle_error(cycle[first:] + cycle[:first], steps[position[cycle[first]]].line) from None
    return [steps[position[name]] for name in order]


def _cycle_error(cycle: list[str], line: int | None) -> TraceError:
    shown = [*cycle[:_MAX_NAMED], f"({len(cycle) - _MAX_NAMED} more)"] if len(cycle) > _MAX_NAMED else cycle
    circle = " → ".join([*shown, cycle[0]])
    return TraceError(f"needs its own result: {circle}", line=line, place=cycle[0])


def _check_use(statements: Iterable[Statement], operators: Sequence[Operator]) -> None:
    """That there is something to do, and that everything declared is read."""
    if not operators:
        raise TraceError("has no operators")
    read = {name for operator in operators for name in operator.reads}
    for statement in statements:
        if statement.operator is None:
            for tensor in statement.tensors:
                _check_declared(tensor, tensor.name in read, statement.line)


def _check_declared(tensor: Tensor, read: bool, line: int | None) -> None:
    if tensor.role is Role.ACTIVATION:
        problem = "an activation is declared by the operator that writes it, among its outputs"
        raise TraceError(problem, line=line, place=tensor.name)
    if not read:
        raise TraceError("no operator reads this tensor", line=line, place=tensor.name)
