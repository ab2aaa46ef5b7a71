"""Small machines and traces made by hand: one tick is 1 ns, so that what a machine does can be worked out on paper.

T=2 tiles of C=1 core, Nh=Nv=Nλ=2: R=4 rows a pass, a step 2 deep; 8-bit operands, 16-bit partial sums. Global SRAM: 8 B an
SRAM cycle of 2 ticks. HBM: 1 channel of 8 B a tick. M1 and M2 slots of 16 B: a chunk is 8 deep. Act slots of 16 B: 2 blocks.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cache

from lsim.arch import IDEALS, Arch, load_arch
from lsim.trace import Kind, Operator, Role, Tensor, Trace

SETTINGS = {
    "core.tiles": "2", "core.cores": "1", "core.rows": "2", "core.columns": "2", "core.wavelengths": "2", "core.clock": "1 GHz",
    "operands.bits": "8 bit", "operands.partial_sum_bits": "16 bit",
    "global_sram.capacity": "4 KiB", "global_sram.banks": "2", "global_sram.line": "4 B", "global_sram.clock": "500 MHz",
    "global_sram.groups": "1", "global_sram.ports": "1", "global_sram.arbitration": "fifo",
    "global_sram.m1_staging": "64 B", "global_sram.m2_staging": "64 B", "global_sram.out_staging": "128 B",
    "global_sram.dpu_staging": "64 B", "global_sram.psum_staging": "64 B",
    "m1_sram.slot": "16 B", "m1_sram.slots": "2", "m1_sram.port": "matched",
    "m2_sram.slot": "16 B", "m2_sram.slots": "2", "m2_sram.port": "matched",
    "act_sram.slot": "16 B", "act_sram.slots": "2", "encoder.sample_rate": "1 GHz",
    "broadcast.groups": "1", "broadcast.streams": "1", "broadcast.switch": "2 ticks", "broadcast.propagation": "1 tick",
    "readout.integrate": "3", "readout.conversion": "3 ticks", "readout.latency": "4 ticks",
    "dpu.lanes": "4", "dpu.clock": "500 MHz", "dpu.slot": "16 B", "dpu.slots": "2",
    "hbm.bandwidth": "8 GB/s", "hbm.channels": "1", "hbm.latency": "5 ns", "hbm.transaction": "16 B", "hbm.outstanding": "4",
    "controller.window": "8", "controller.issue": "4 ticks", "controller.prefetch": "1",
    "controller.m1_ahead": "1 KiB", "controller.m2_ahead": "1 KiB",
}  # fmt: skip


def machine(ideal: Iterable[str] = (), **settings: str) -> Arch:
    """The small machine with some of its settings changed: `core__tiles="4"`."""
    changed = {key.replace("__", "."): value for key, value in settings.items()}
    return _small().with_settings(changed).with_ideal(ideal)


def only(*real: str, **settings: str) -> Arch:
    """A machine in which these sources of contention are real and all others ideal."""
    return machine(IDEALS.keys() - set(real), **settings)


@cache
def _small() -> Arch:
    return load_arch("lt-b-4bit").with_settings(SETTINGS)


def gemm(m1: str, m2: str, out: str, rows: int, depth: int, columns: int, heads: int = 1) -> Operator:
    return Operator(f"make {out}", Kind.GEMM, ((m1,), (m2,)), (out,), heads, rows, depth, columns)


def vector(
    kind: Kind, operands: Sequence[str], out: str, rows: int, columns: int, heads: int = 1
) -> Operator:
    return Operator(f"make {out}", kind, tuple((name,) for name in operands), (out,), heads, rows, 0, columns)


def trace(*operators: Operator, kv: Sequence[str] = ()) -> Trace:
    """A trace of operators; a tensor whose name starts with w is a weight, one that nobody writes an input."""
    tensors: dict[str, Tensor] = {}
    for operator in operators:
        sizes = [operator.elements] * len(operator.operands)
        if operator.is_gemm:
            sizes = [operator.heads * operator.depth * n for n in (operator.rows, operator.columns)]
        for (name,), elements in zip(
            [*operator.operands, operator.outputs], [*sizes, operator.elements], strict=True
        ):
            role = (
                Role.KV
                if name in kv
                else Role.ACTIVATION
                if name in operator.outputs
                else Role.WEIGHT
                if name[0] == "w"
                else Role.INPUT
            )
            tensors.setdefault(name, Tensor(name, (elements,), role))
    return Trace("small", tensors, operators)


def linear(rows: int, depth: int, columns: int) -> Trace:
    """One GEMM alone: weights times an input."""
    return trace(gemm("w", "x", "o", rows, depth, columns))


def layers(count: int, size: int = 8, tokens: int = 8) -> Trace:
    """Square linear layers, each on the result of the one before."""
    return trace(*(gemm(f"w{i}", f"x{i}", f"x{i + 1}", size, size, tokens) for i in range(count)))


def attention(tokens: int = 8, heads: int = 2, size: int = 4, blocks: int = 1) -> Trace:
    """Blocks with all kinds of work: projections, keys that are kept, heads, softmax, a residual, a norm."""
    features, operators, kv = heads * size, [], []
    for i in range(blocks):
        x, made = f"x{i}", {name: f"{name}{i}" for name in "qkvspaory"}
        operators += [gemm(f"w{name}{i}", x, made[name], features, features, tokens) for name in "qkv"]
        operators += [
            gemm(made["q"], made["k"], made["s"], tokens, size, tokens, heads),
            vector(Kind.SOFTMAX, [made["s"]], made["p"], tokens, tokens, heads),
            gemm(made["p"], made["v"], made["a"], tokens, tokens, size, heads),
            gemm(f"wo{i}", made["a"], made["o"], features, features, tokens),
            vector(Kind.RESIDUAL, [made["o"], x], made["r"], features, tokens),
            vector(Kind.NORM, [made["r"]], f"x{i + 1}", tokens, features),
        ]
        kv += [made["k"], made["v"]]
    return trace(*operators, kv=kv)
