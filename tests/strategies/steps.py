"""What random traces are made of: one step each, of a few operators."""

from __future__ import annotations

from attrs import define, field

from lsim.trace import Kind, Operator, Role, Tensor

ELEMENT_WISE = (Kind.ACTIVATION, Kind.RESIDUAL, Kind.MULTIPLY, Kind.ROTARY)


@define
class Model:
    """A model under construction: the current activation is `features` × `tokens`."""

    tokens: int
    features: int
    x: str = "input"
    older: list[str] = field(factory=list)
    tensors: dict[str, Tensor] = field(factory=dict)
    operators: list[Operator] = field(factory=list)

    def tensor(self, name: str, *shape: int, role: Role = Role.ACTIVATION) -> str:
        self.tensors[name] = Tensor(name, shape, role)
        return name

    def add(
        self,
        kind: Kind,
        operands: list[tuple[str, ...]],
        out: str,
        size: tuple[int, int, int, int],
        role: Role,
    ) -> str:
        heads, rows, depth, columns = size
        self.tensor(out, heads, rows, columns, role=role)
        self.operators.append(
            Operator(out + ".op", kind, tuple(operands), (out,), heads, rows, depth, columns)
        )
        return out

    def linear(self, name: str, features: int, role: Role = Role.ACTIVATION) -> str:
        weight = self.tensor(f"{name}.w", features, self.features, role=Role.WEIGHT)
        return self.add(
            Kind.GEMM, [(weight,), (self.x,)], name, (1, features, self.features, self.tokens), role
        )

    def step(self, name: str, features: int) -> None:
        self.older = [] if features != self.features else [*self.older, self.x]
        self.x, self.features = name, features


def _linear(m: Model, name: str, choice: int) -> None:
    features = 1 + choice % 13
    m.linear(name, features)
    m.step(name, features)


def _vector(m: Model, name: str, choice: int) -> None:
    kind = ELEMENT_WISE[choice % 4]
    operands = [(m.x,)]
    if kind in (Kind.RESIDUAL, Kind.MULTIPLY):
        operands.append((m.older[choice % len(m.older)] if m.older else m.x,))
    m.add(kind, operands, name, (1, m.features, 0, m.tokens), _kept(choice))
    m.step(name, m.features)


def _kept(choice: int) -> Role:
    """Some of what vector operators write is for the cache: rotated or normalised keys."""
    return Role.KV if choice % 5 == 4 else Role.ACTIVATION


def _norm(m: Model, name: str, choice: int) -> None:
    m.add(Kind.NORM, [(m.x,)], name, (1, m.tokens, 0, m.features), _kept(choice))
    m.step(name, m.features)


def _attention(m: Model, name: str, choice: int) -> None:
    """Heads of Q·Kᵀ, softmax and S·V, the keys and values in the KV cache if the choice is odd."""
    heads, size = 1 + choice % 3, 1 + choice % 4
    role = Role.KV if choice % 2 else Role.ACTIVATION
    q = m.linear(f"{name}.q", heads * size)
    k, v = m.linear(f"{name}.k", heads * size, role), m.linear(f"{name}.v", heads * size, role)
    n = m.tokens
    scores = m.add(Kind.GEMM, [(q,), (k,)], f"{name}.s", (heads, n, size, n), Role.ACTIVATION)
    probabilities = m.add(Kind.SOFTMAX, [(scores,)], f"{name}.p", (heads, n, 0, n), Role.ACTIVATION)
    m.add(Kind.GEMM, [(probabilities,), (v,)], name, (heads, n, n, size), Role.ACTIVATION)
    m.step(name, heads * size)


def _grouped_attention(m: Model, name: str, choice: int) -> None:
    """One layer writes Q, K and V; several query heads share a key head; older keys and values may come before the new."""
    heads, group, size, cached = 1 + choice % 2, 1 + choice % 3, 1 + choice % 4, choice % 5
    role = Role.KV if cached else Role.ACTIVATION
    n, rows = m.tokens, heads * size * (group + 2)
    weight = m.tensor(f"{name}.w", rows, m.features, role=Role.WEIGHT)
    q = m.tensor(f"{name}.q", heads * group * size, n)
    k, v = (m.tensor(f"{name}.{x}", heads * size, n, role=role) for x in "kv")
    fused = Operator(f"{name}.qkv.op", Kind.GEMM, ((weight,), (m.x,)), (q, k, v), 1, rows, m.features, n)
    m.operators.append(fused)
    keys, values = [k], [v]
    if cached:
        keys.insert(0, m.tensor(f"{name}.k_cache", heads * size, cached, role=Role.KV))
        values.insert(0, m.tensor(f"{name}.v_cache", heads * size, cached, role=Role.KV))
    scores = m.add(
        Kind.GEMM, [(q,), tuple(keys)], f"{name}.s", (heads, n * group, size, n + cached), Role.ACTIVATION
    )
    m.add(Kind.SOFTMAX, [(scores,)], f"{name}.p", (heads, n * group, 0, n + cached), Role.ACTIVATION)
    m.add(
        Kind.GEMM,
        [(f"{name}.p",), tuple(values)],
        name,
        (heads, n * group, n + cached, size),
        Role.ACTIVATION,
    )
    m.step(name, heads * group * size)


def _opaque(m: Model, name: str, choice: int) -> None:
    """Something that is not known: it writes more than it reads, or less, of one activation or two."""
    features = 1 + choice % 17
    operand = (m.older[choice % len(m.older)], m.x) if choice % 2 and m.older else (m.x,)
    m.add(Kind.OPAQUE, [operand], name, (1, features, 0, m.tokens), Role.ACTIVATION)
    m.step(name, features)


def _joined(m: Model, name: str, choice: int) -> None:
    """A layer of two weights side by side on two activations side by side."""
    other = m.older[choice % len(m.older)] if m.older else m.x
    rows, depth = 2 + choice % 7, 2 * m.features
    weights = tuple(m.tensor(f"{name}.w{i}", n, depth, role=Role.WEIGHT) for i, n in enumerate((1, rows - 1)))
    m.add(Kind.GEMM, [weights, (m.x, other)], name, (1, rows, depth, m.tokens), Role.ACTIVATION)
    m.step(name, rows)


def _positions(m: Model, name: str, choice: int) -> None:
    """A sum with a parameter of full size, a product with one a feature, or a norm with a gain."""
    if choice % 3 == 2:
        scale = m.tensor(f"{name}.w", m.features, role=Role.WEIGHT)
        m.add(Kind.MULTIPLY, [(m.x,), (scale,)], name, (1, m.features, 0, m.tokens), Role.ACTIVATION)
    elif choice % 3:
        table = m.tensor(f"{name}.w", m.features, m.tokens, role=Role.WEIGHT)
        m.add(Kind.RESIDUAL, [(m.x,), (table,)], name, (1, m.features, 0, m.tokens), Role.ACTIVATION)
    else:
        gain = m.tensor(f"{name}.w", m.features, role=Role.WEIGHT)
        m.add(Kind.NORM, [(m.x,), (gain,)], name, (1, m.tokens, 0, m.features), Role.ACTIVATION)
    m.step(name, m.features)


def _repeated(m: Model, name: str, choice: int) -> None:
    """A sum or a product with a smaller operand, a weight or an activation, which repeats."""
    kind = (Kind.RESIDUAL, Kind.MULTIPLY)[choice % 2]
    if choice % 3:
        small = m.tensor(f"{name}.w", m.features, role=Role.WEIGHT)
    else:
        small = m.tensor(f"{name}.s", m.features)
        gain = m.tensor(f"{name}.g", m.features, m.features, role=Role.WEIGHT)
        first = m.tensor(f"{name}.i", m.features, role=Role.INPUT)
        m.operators.append(
            Operator(small + ".op", Kind.GEMM, ((gain,), (first,)), (small,), 1, m.features, m.features, 1)
        )
    m.add(kind, [(m.x,), (small,)], name, (1, m.features, 0, m.tokens), Role.ACTIVATION)
    m.step(name, m.features)


def embedding(m: Model, tables: int) -> None:
    """The tokens' rows of one table or two, summed."""
    m.tensor("ids", m.tokens, role=Role.INPUT)
    names = [(m.tensor(f"table{i}.w", 5 + i, m.features, role=Role.WEIGHT),) for i in range(tables)]
    m.x = m.add(Kind.EMBEDDING, [("ids",), *names], "embedded", (1, m.tokens, 0, m.features), Role.ACTIVATION)


STEPS = (
    _linear,
    _linear,
    _vector,
    _vector,
    _norm,
    _attention,
    _grouped_attention,
    _joined,
    _positions,
    _opaque,
    _repeated,
)
