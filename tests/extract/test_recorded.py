"""What PyTorch did, recorded: against the builders, against torch.export, and what a user's own module shows."""

import json
import subprocess
import sys
from collections import Counter
from pathlib import Path

import networkx
import pytest
from extract.models import CASES, LLAMA_2_7B, LLAMA_2_70B, prompt, token

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

from outline import outline  # noqa: E402

import lsim  # noqa: E402
from lsim.errors import InputError, TraceError  # noqa: E402
from lsim.extract.api import from_class, from_config  # noqa: E402
from lsim.extract.config import Config  # noqa: E402
from lsim.extract.hf import inputs_of, model_of  # noqa: E402
from lsim.extract.request import Request  # noqa: E402
from lsim.trace import Kind, Role, dumps  # noqa: E402

nn, F = torch.nn, torch.nn.functional
RECORDED = json.loads(Path(__file__).with_name("recorded.json").read_text(encoding="utf-8"))


def recorded(name):
    case = CASES[name]
    if "_class_name" in case.fields:
        pytest.importorskip("diffusers")
    return from_class(case.model, case.config, case.request)


@pytest.mark.parametrize("name", CASES)
def test_is_what_the_model_does_what_is_built_from_its_configuration(name):
    case = CASES[name]
    assert outline(recorded(name)) == outline(from_config(case.config, case.request))


@pytest.mark.parametrize("name", CASES)
def test_are_the_committed_recordings_those_of_these_versions(name):
    trace = recorded(name)
    if trace.sources[0] != RECORDED[name]["made_by"]:
        pytest.skip(f"recorded with other versions: {RECORDED[name]['made_by']}")
    assert outline(trace) == RECORDED[name]["outline"]


@pytest.mark.parametrize("name", [name for name, case in CASES.items() if case.request.phase == "prefill"])
def test_is_every_parameter_read(name):
    """By name and size, but for experts, of which equally loaded ones may be read as parts."""
    case, trace = CASES[name], recorded(name)
    parameters = {n: p.numel() for n, p in model_of(case.model, case.config).named_parameters()}
    read = {t.name: t.elements for t in trace.tensors.values() if t.role is Role.WEIGHT}
    if name in ("mixtral-uneven", "mixtral-concentrated"):
        parameters = {n: size for n, size in parameters.items() if ".experts." not in n}
        assert parameters.items() <= read.items()
    else:
        assert read == parameters


def test_do_unread_parameters_stand_in_the_conventions():
    trace = recorded("whisper-decode")  # its encoder does not run, and cross attention reads the cache
    attention, norms, linears, cross = 7, 4, 4, 3
    unread = 4 + 1 + 2 * (attention + norms + linears) + 2 + 3 * cross
    assert any(
        line.startswith(f"Parameters that no operator reads: {unread} (model.encoder.conv1.weight")
        for line in trace.conventions
    )


# -- torch.export, an independent way to the graph


def exported_products(model, inputs):
    """Which matrix product reaches which, in order of calls, among those that descend from a parameter."""
    program = torch.export.export(model, (), inputs).run_decompositions()
    weights = set(program.graph_signature.inputs_to_parameters)
    graph = networkx.DiGraph()
    products = []
    for node in program.graph.nodes:
        graph.add_edges_from((source.name, node.name) for source in node.all_input_nodes)
        if node.op == "call_function" and node.target.__name__.split(".")[0] in (
            "mm",
            "addmm",
            "bmm",
            "convolution",
        ):
            products.append(node.name)
    weighted = set().union(*(networkx.descendants(graph, name) for name in weights if name in graph))
    return _reach(graph, [name for name in products if name in weighted])


def _reach(graph, products):
    number = {name: at for at, name in enumerate(products)}
    return [sorted(number[n] for n in networkx.descendants(graph, name) if n in number) for name in products]


@pytest.mark.parametrize("name", ["deit", "bert", "gpt2", "llama", "t5", "swin"])
def test_reaches_each_product_what_it_reaches_in_torch_export(name):
    case, trace = CASES[name], recorded(name)
    products = [o.name for o in trace.operators if o.is_gemm and o.label != "pool"]
    model = model_of(case.model, case.config).to_empty(device="cpu").float()
    inputs = {key: torch.zeros_like(value, device="cpu") if torch.is_tensor(value) else value
              for key, value in inputs_of(model, case.request).items()}  # fmt: skip
    inputs = {key: value.float() if torch.is_tensor(value) and value.is_floating_point() else value
              for key, value in inputs.items() if key != "use_cache"}  # fmt: skip
    if "decoder_input_ids" in inputs or "input_ids" in inputs:
        inputs["use_cache"] = False
    if name == "bert":
        del inputs["use_cache"]
    assert _reach(trace.graph(), products) == exported_products(model, inputs)


# -- sizes


@pytest.mark.slow
def test_is_a_model_of_70_billion_recorded_in_seconds_and_a_gigabyte(tmp_path):
    config = tmp_path / "config.json"
    config.write_text(json.dumps(LLAMA_2_70B))
    code = f"""
import time, resource, torch, transformers
from transformers import LlamaForCausalLM
from lsim.extract.api import from_class, from_config
from lsim.extract.config import read_config
from lsim.extract.request import Phase, Request
begin = time.process_time()
trace = from_class("LlamaForCausalLM", read_config({str(config)!r}), Request(tokens=2048))
print(time.process_time() - begin, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, trace.parameters)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    seconds, kilobytes, parameters = map(float, done.stdout.split())
    assert parameters == 68_976_648_192
    assert seconds <= 5
    assert kilobytes <= 1.5e6


@pytest.mark.slow
@pytest.mark.parametrize("request_", [prompt(2048), token(2048)], ids=["prefill", "decode"])
def test_is_a_published_model_recorded_as_it_is_built(request_):
    config = Config(LLAMA_2_7B)
    assert outline(from_class("LlamaForCausalLM", config, request_)) == outline(from_config(config, request_))


# -- a user's own module


class Attention(nn.Module):
    """Grouped-query attention by PyTorch's own function, with a residual around it."""

    def __init__(self, causal=False):
        super().__init__()
        self.q, self.kv, self.o = nn.Linear(32, 32), nn.Linear(32, 32), nn.Linear(32, 32)
        self.causal = causal

    def forward(self, x):
        batch, tokens, _ = x.shape
        q = self.q(x).view(batch, tokens, 4, 8).transpose(1, 2)
        k, v = (part.view(batch, tokens, 2, 8).transpose(1, 2) for part in self.kv(x).chunk(2, -1))
        mixed = F.scaled_dot_product_attention(q, k, v, is_causal=self.causal, enable_gqa=True)
        return x + self.o(mixed.transpose(1, 2).reshape(x.shape))


class Called(nn.Module):
    """A module that is one function of its input and a weight."""

    def __init__(self, function, *shape):
        super().__init__()
        self.function, self.weight = function, nn.Parameter(torch.zeros(shape))

    def forward(self, *inputs):
        return self.function(self.weight, *inputs)


def _joined(y, *ranges):
    return torch.cat([y[..., begin:end] for begin, end in ranges], -1)


def _summed(y, one, other):
    return y[..., slice(*one)] + y[..., slice(*other)]


def kinds(trace):
    return [operator.kind.value for operator in trace.operators]


@pytest.mark.parametrize("causal", [False, True])
def test_is_grouped_attention_folded_and_known_to_be_causal(causal):
    trace = lsim.trace_module(Attention(causal), torch.zeros(3, 6, 32))
    assert kinds(trace) == ["gemm", "gemm", "gemm", "softmax", "gemm", "gemm", "residual"]
    qk, softmax, sv = trace.operators[2:5]
    assert (qk.heads, qk.rows, qk.depth, qk.columns) == (6, 12, 8, 6)
    assert [o.causal for o in (qk, softmax, sv)] == [causal] * 3
    assert trace.tensors[qk.operands[1][0]].elements == 3 * 6 * 16  # K once, not once for each query head
    assert [o.causal for o in trace.operators[5:]] == [False, False]


def test_does_a_trace_of_a_module_replay_and_stay_the_same():
    one, other = (lsim.trace_module(Attention(), torch.zeros(1, 6, 32), name="mine") for _ in range(2))
    assert dumps(one) == dumps(other)
    assert lsim.simulate(one, lsim.load_arch("lt-b-4bit")).ticks > 0


def test_is_the_module_left_as_it_was():
    module = Attention().train()
    before = {name: p.clone() for name, p in module.named_parameters()}
    lsim.trace_module(module, torch.zeros(1, 6, 32))
    assert module.training
    assert all(torch.equal(p, before[name]) for name, p in module.named_parameters())
    assert not module._forward_hooks
    assert not module._forward_pre_hooks


def test_are_slices_of_a_weight_weights_of_their_own():
    trace = lsim.trace_module(nn.MultiheadAttention(32, 4, batch_first=True), *[torch.zeros(1, 6, 32)] * 3)
    assert trace.parameters == 4 * 32 * 32 + 4 * 32
    assert Kind.EMBEDDING not in {o.kind for o in trace.operators}


def test_is_an_encoder_layer_of_pytorch_complete():
    trace = lsim.trace_module(nn.TransformerEncoderLayer(32, 4, 64, batch_first=True), torch.zeros(2, 6, 32))
    assert Counter(kinds(trace)) == {"gemm": 6, "softmax": 1, "residual": 2, "norm": 2, "activation": 1}
    assert trace.macs == 12 * 32 * (3 * 32 + 32 + 2 * 64) + 2 * 8 * 6 * 6 * 8


@pytest.mark.parametrize(
    ("function", "shape", "expected"),
    [
        (lambda w, x: F.rms_norm(x @ w, (8,)), (32, 8), ["gemm", "norm"]),
        (lambda w, x: (x @ w) * torch.sigmoid(x @ w), (32, 8), ["gemm", "gemm", "activation", "multiply"]),
        (lambda w, x: F.gelu(x @ w, approximate="tanh"), (32, 8), ["gemm", "activation"]),
        (lambda w, x: (x @ w).mean(1), (32, 8), ["gemm", "gemm"]),
        (lambda w, x: (x @ w)[:, 2], (32, 8), ["gemm", "embedding"]),
        (lambda w, x: torch.cat(list((x @ w).split(2, -1))[::-1], -1), (32, 8), ["gemm"]),
        (lambda w, x: _joined(x @ w, (0, 4), (4, 8)), (32, 8), ["gemm"]),
        (lambda w, x: _joined(x @ w, (0, 4), (2, 6)), (32, 8), ["gemm", "embedding", "embedding"]),
        (lambda w, x: _summed(x @ w, (0, 4), (4, 8)), (32, 8), ["gemm", "residual"]),
        (lambda w, x: _summed(x @ w, (0, 4), (2, 6)), (32, 8), ["gemm", "embedding", "embedding", "residual"]),
        (lambda w, x: torch.cat([x @ w, x], -1).relu(), (32, 8), ["gemm", "activation"]),
        (lambda w, x: x + torch.arange(32.0, device=x.device) * 2 @ w, (32, 32), ["gemm", "residual"]),
    ],
)  # fmt: skip
def test_is_what_is_written_in_python_the_operator_that_it_is(function, shape, expected):
    def complete(w, x):
        out = function(w, x)
        return out * 1.0

    trace = lsim.trace_module(Called(complete, *shape), torch.zeros(1, 6, 32))
    assert kinds(trace) == expected


def test_does_a_mask_of_ones_own_leave_the_attention_dense_and_say_so():
    def attend(w, x):
        mask = torch.ones(6, 6, device=x.device).tril() == 0
        return ((x @ w) @ x.transpose(1, 2)).masked_fill(mask, -1e9).softmax(-1) @ x

    trace = lsim.trace_module(Called(attend, 32, 32), torch.zeros(1, 6, 32))
    assert not any(o.causal for o in trace.operators)
    assert any("1 softmaxes and their products are taken as dense" in line for line in trace.conventions)


def test_is_an_unknown_operator_refused_by_name_and_module():
    module = nn.Sequential(nn.Linear(32, 8), nn.Softmax(0))
    with pytest.raises(
        TraceError, match=r"^1: aten._softmax.default: an operator that lsim does not know; --allow"
    ):
        lsim.trace_module(module, torch.zeros(6, 32))


@pytest.mark.parametrize(
    ("function", "name"),
    [
        (lambda w, x: (x @ w).cumsum(1), "aten.cumsum.default"),
        (lambda w, x: (x @ w).sort(-1)[0], "aten.sort.default"),
        (lambda w, x: (x @ w).amax(1), "aten.amax.default"),
        (lambda w, x: (x @ w).amax(-1), "a statistic of rows other than their mean is used as data"),
        (lambda w, x: (x @ w).var(-1).exp(), "a statistic of rows other than their mean is used as data"),
        (lambda w, x: (x @ w).softmax(1), "aten._softmax.default"),
        (lambda w, x: torch.pow(2.0, x @ w), "aten.pow.Scalar: a form in which argument 0 is no tensor"),
        (lambda w, x: torch.maximum(x @ w, x), "aten.maximum.default"),
        (
            lambda w, x: F.conv1d(x, w[:6, :1, None].expand(6, 1, 3), groups=6),
            "aten.convolution.default: only",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_is_what_looks_like_something_known_refused_all_the_same(function, name):
    with pytest.raises(TraceError) as error:
        lsim.trace_module(Called(function, 32, 32), torch.zeros(1, 6, 32))
    assert name in str(error.value)


def test_is_an_unknown_operator_kept_if_asked_and_told():
    module = nn.Sequential(nn.Linear(32, 8), nn.Softmax(0), nn.Linear(8, 4))
    trace = lsim.trace_module(module, torch.zeros(6, 32), allow_unknown=True)
    unknown = [o for o in trace.operators if o.label == "unknown aten._softmax.default"]
    assert unknown[0].elements == 6 * 8
    assert (
        "Unknown, and kept as data movement of its operands: aten._softmax.default, 1 times."
        in trace.conventions
    )
    names = [o.name for o in trace.operators]
    graph = trace.graph()
    assert networkx.has_path(graph, names[0], names[-1])
    assert lsim.simulate(trace, lsim.load_arch("lt-b-4bit")).ticks > 0


def test_is_a_step_that_depends_on_values_refused():
    module = Called(lambda w, x: x @ w if bool((x @ w).sum() > 0) else x, 32, 32)
    with pytest.raises(TraceError, match=r"cannot be recorded: .* depends on numbers"):
        lsim.trace_module(module, torch.zeros(1, 6, 32))


def test_is_a_class_or_a_configuration_refused_that_makes_no_model():
    with pytest.raises(
        InputError, match="no model class is named 'LlamaForCausalLN'; did you mean 'LlamaForCausalLM'"
    ):
        from_class("LlamaForCausalLN", Config(LLAMA_2_7B), prompt(4))
    with pytest.raises(InputError, match="does not take this configuration"):
        from_class("LlamaForCausalLM", Config({**LLAMA_2_7B, "hidden_size": "wide"}), prompt(4))


@pytest.mark.parametrize(
    ("model", "case", "message"),
    [
        (
            "BertForMaskedLM",
            "llama",
            "model_type: is that of another model: BertForMaskedLM is a 'bert', not a 'llama'",
        ),
        ("MistralForCausalLM", "llama", "MistralForCausalLM is a 'mistral', not a 'llama'"),
    ],
)
def test_is_the_configuration_of_another_model_refused(model, case, message):
    with pytest.raises(InputError) as error:
        from_class(model, CASES[case].config, prompt(4))
    assert message in str(error.value)


def test_is_a_diffusion_model_refused_whose_configuration_is_of_another_class():
    pytest.importorskip("diffusers")
    config = Config({**CASES["dit"].fields, "_class_name": "PixArtTransformer2DModel"})
    with pytest.raises(InputError, match="_class_name: is that of another model"):
        from_class("DiTTransformer2DModel", config, CASES["dit"].request)


@pytest.mark.parametrize(
    ("model", "kind", "fields"),
    [("SegformerForImageClassification", "segformer", {}), ("HieraModel", "hiera", {})],
)
def test_is_a_class_refused_whose_inputs_are_not_known(model, kind, fields):
    with pytest.raises(InputError, match=f"^{model}: what it reads is not known: .* lsim.trace_module"):
        from_class(model, Config({"model_type": kind, **fields}), Request())


def test_is_a_routing_refused_that_there_is_not():
    with pytest.raises(InputError, match=r"^routing: cannot be 'balance'; did you mean 'balanced'"):
        lsim.trace_module(nn.Linear(4, 4), torch.zeros(2, 4), routing="balance")


def test_says_a_recorded_class_that_its_configuration_has_fewer_positions():
    config = Config({**CASES["llama"].fields, "max_position_embeddings": 8})
    for request, told in ((prompt(9), 1), (token(9), 1), (prompt(8), 0), (token(8), 0)):
        trace = from_class("LlamaForCausalLM", config, request)
        assert sum("of 9 tokens is longer than max_position" in line for line in trace.conventions) == told
