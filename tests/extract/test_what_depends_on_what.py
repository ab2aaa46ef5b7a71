"""Does a recorded graph reach what numbers reach? Random modules, by autograd on the one side and the trace on the other."""

from itertools import combinations

import networkx
import pytest
from hypothesis import HealthCheck, given, settings
from strategies import Program, programs

torch = pytest.importorskip("torch")

from extract.programs import CONSTANT, OPERANDS, Random, structural  # noqa: E402
from torch.nn.attention import SDPBackend, sdpa_kernel  # noqa: E402
from torch.utils.flop_counter import FlopCounterMode  # noqa: E402

import lsim  # noqa: E402
from lsim.trace import Role, Trace  # noqa: E402

ABSORBED = ["linear", "norm", "biased", "gained", "sum"]  # operators that take others on, and those
VIEWS = [
    "rolled",
    "flipped",
    "sum",
    "product",
    "mean",
    "power",
    "clamp",
]  # what could be taken for another of its kind
RUNS = settings(max_examples=120, suppress_health_check=[HealthCheck.too_slow])


def given_to(program: Program) -> list:
    return [torch.rand(2, program.tokens, 4) - 0.3 for _ in range(program.inputs)]


def reached(trace: Trace, outputs: int) -> list[set[str]]:
    """The stored tensors that the linear layer of each output descends from."""
    graph = operators_and_tensors(trace)
    stored = {t.name for t in trace.tensors.values() if t.role in (Role.WEIGHT, Role.INPUT)}
    heads = [next(graph.successors(f"heads.{at}.weight")) for at in range(outputs)]
    return [{_stored(name) for name in networkx.ancestors(graph, head) & stored} - {""} for head in heads]


def operators_and_tensors(trace: Trace) -> networkx.DiGraph:
    graph = networkx.DiGraph()
    for operator in trace.operators:
        graph.add_edges_from((read, operator.name) for read in operator.reads)
        graph.add_edges_from((operator.name, written) for written in operator.outputs)
    return graph


def _stored(name: str) -> str:
    """The parameter or input; an input that is only read in slices is as many tensors. None of constants."""
    if name.startswith("input."):
        return ".".join(name.split(".")[:2])
    return "" if name.startswith(("pool.", "prepared.")) else name


@settings(RUNS)
@given(programs(OPERANDS, ABSORBED))
def test_reaches_each_output_what_its_numbers_depend_on_and_nothing_that_it_is_not_computed_from(
    program: Program,
) -> None:
    torch.manual_seed(0)
    module, inputs = Random(program), given_to(program)
    found = reached(lsim.trace_module(module, *inputs), len(program.returned))
    needed, all_of_it = (structural(module.double(), [x.double() for x in inputs], n) for n in (True, False))
    for at, one in enumerate(found):
        assert needed[at] <= one <= all_of_it[at], at


@settings(RUNS)
@given(programs(OPERANDS, ABSORBED))
def test_are_the_products_those_that_pytorch_counts_and_is_every_parameter_read_that_is_used(
    program: Program,
) -> None:
    module, inputs = Random(program), given_to(program)
    trace = lsim.trace_module(module, *inputs)
    with sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as counter:
        module(*inputs)
    assert 2 * sum(o.macs for o in trace.operators if o.label != "pool") == counter.get_total_flops()
    used = set().union(*structural(module, inputs, numeric=False))
    assert {t.name for t in trace.tensors.values() if t.role is Role.WEIGHT} == {
        name for name in used if not name.startswith("input.")
    }


@settings(RUNS)
@given(programs({name: n for name, n in OPERANDS.items() if name not in CONSTANT}, VIEWS))
def test_are_two_values_one_tensor_only_if_they_have_the_same_numbers_but_for_order_and_scale(
    program: Program,
) -> None:
    torch.manual_seed(0)
    module, inputs = Random(program), given_to(program)
    trace = lsim.trace_module(module, *inputs)
    with torch.no_grad():
        values = [v.double().flatten() for v in module.double().returned(*[x.double() for x in inputs])]
    read = [next(o.operands[1] for o in trace.consumers(f"heads.{at}.weight")) for at in range(len(values))]
    for one, other in combinations(range(len(values)), 2):
        if read[one] == read[other]:
            assert same_numbers(values[one], values[other]), (one, other)


def same_numbers(one: torch.Tensor, other: torch.Tensor) -> bool:
    """Whether they are the same but for order and scale; a difference of equal ones is zero."""
    one, other = (x / size if (size := x.norm()) > 1e-9 else x * 0 for x in (one, other))
    zero = not one.any() or not other.any()
    return zero or any(torch.allclose(one.sort()[0], (sign * other).sort()[0], atol=1e-9) for sign in (1, -1))
