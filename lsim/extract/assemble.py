"""From operators and tensors of any source to a checked trace, and the names that a trace allows."""

import re
from collections.abc import Iterable, Mapping, Sequence

from lsim.errors import TraceError
from lsim.trace.check import build
from lsim.trace.document import Document, Statement
from lsim.trace.ir import Operator, Tensor, Trace

_FORBIDDEN = re.compile(r"[^A-Za-z0-9_.:/+-]+")


class Names:
    """Names of a trace for names of elsewhere: other characters become `_`, what is taken gets a number."""

    def __init__(self) -> None:
        self._taken: set[str] = set()
        self.changed = 0  # names that could not stay as they were

    def make(self, wanted: str) -> str:
        """A name that was not made before, as near to the wanted one as can be."""
        plain = _FORBIDDEN.sub("_", wanted) or "_"
        name, count = plain, 1
        while name in self._taken:
            count += 1
            name = f"{plain}.{count}"
        self._taken.add(name)
        self.changed += name != wanted
        return name


def assemble(
    name: str,
    operators: Sequence[Operator],
    tensors: Mapping[str, Tensor],
    description: str = "",
    conventions: Iterable[str] = (),
    sources: Iterable[str] = (),
) -> Trace:
    """The checked trace of these operators; a stored tensor that no operator reads is left out.

    Raises TraceError as `lsim.trace.check.build` does.
    """
    if not operators:
        raise TraceError("has no operator to replay")
    written = {tensor for operator in operators for tensor in operator.outputs}
    statements: list[Statement] = []
    declared: set[str] = set()
    for operator in operators:
        stored = dict.fromkeys(t for t in operator.reads if t in tensors and t not in written | declared)
        statements += [Statement((tensors[tensor],)) for tensor in stored]
        declared.update(stored)
        statements.append(Statement(tuple(tensors[tensor] for tensor in operator.outputs), operator))
    plain = _FORBIDDEN.sub("_", name) or "trace"
    return build(Document(plain, description, tuple(sources), tuple(conventions), tuple(statements)))
