"""What does a trace say of a configuration that quantises, and is it the same trace?"""

import pytest
from extract.models import CASES, prompt

from lsim.errors import InputError
from lsim.extract.api import document_of, from_config
from lsim.extract.config import Config
from lsim.trace import loads
from lsim.trace.text import text_of
from lsim.widths import Widths

LLAMA = CASES["llama"].fields
EIGHT, FOUR = {"num_bits": 8, "type": "int"}, {"num_bits": 4, "type": "int"}


def compressed(*groups, **more):
    named = {f"group_{i}": {"targets": ["Linear"], **group} for i, group in enumerate(groups)}
    return {"quant_method": "compressed-tensors", "config_groups": named, **more}


def built(quantised, key="quantization_config"):
    return from_config(Config({**LLAMA, key: quantised}, "config.json"), prompt(8))


def line(quantised, key="quantization_config"):
    """The one convention more that such a configuration has."""
    plain, trace = from_config(Config(LLAMA), prompt(8)), built(quantised, key)
    assert trace.sha256 == plain.sha256
    assert trace.conventions[:-1] == plain.conventions
    return trace.conventions[-1]


@pytest.mark.parametrize(
    ("quantised", "method", "widths"),
    [
        ({"quant_method": "gptq", "bits": 4, "group_size": 128, "desc_act": True}, "gptq", "W4A16KV16"),
        ({"quant_method": "gptq", "bits": 8}, "gptq", "W8A16KV16"),
        ({"quant_method": "awq", "bits": 4, "zero_point": True, "version": "gemm"}, "awq", "W4A16KV16"),
        ({"w_bit": 4, "q_group_size": 128}, "awq", "W4A16KV16"),
        ({"quant_method": "bitsandbytes", "load_in_4bit": True, "bnb_4bit_quant_type": "nf4"}, "bitsandbytes", "W4A16KV16"),
        ({"quant_method": "bitsandbytes", "load_in_4bit": False, "load_in_8bit": True}, "bitsandbytes", "W8A8KV16"),
        ({"load_in_8bit": True}, "bitsandbytes", "W8A8KV16"),
        ({"load_in_8bit": False}, "bitsandbytes", "W16A16KV16"),
        ({"quant_method": "fp8", "activation_scheme": "dynamic"}, "fp8", "W8A8KV16"),
        ({"quant_method": "fbgemm_fp8"}, "fbgemm_fp8", "W8A8KV16"),
        ({"quant_method": "mxfp4"}, "mxfp4", "W4A16KV16"),
        (compressed({"weights": EIGHT, "input_activations": EIGHT}), "compressed-tensors", "W8A8KV16"),
        (compressed({"weights": FOUR, "input_activations": EIGHT}, kv_cache_scheme=FOUR), "compressed-tensors", "W4A8KV4"),
        (compressed({"weights": FOUR, "input_activations": None}), "compressed-tensors", "W4A16KV16"),
        (compressed({"weights": FOUR}, {"weights": FOUR, "targets": ["lm_head"]}), "compressed-tensors", "W4A16KV16"),
    ],
)  # fmt: skip
def test_which_widths_mean_what_a_configuration_says(quantised, method, widths):
    said = line(quantised)
    assert said == (
        f"Quantised by its configuration with {method}: the trace is the same, --widths {widths} means it; "
        "scales, zero points and what it leaves unquantised are not told apart"
    )
    assert Widths.parse(widths).spelled == widths


@pytest.mark.parametrize(
    ("quantised", "said"),
    [
        ({"quant_method": "gptq", "bits": 3}, "with gptq: the trace is the same; no --widths means 3 bit, but 4, 8, 16"),
        (compressed({"weights": {"num_bits": 3}, "input_activations": {"num_bits": 3}}, kv_cache_scheme={"num_bits": 5}), "means 3 bit, 5 bit, but 4, 8, 16"),
        ({"quant_method": "aqlm"}, "with aqlm, which lsim does not read"),
        ({"some": "thing"}, "with a method without a name, which lsim does not read"),
        (compressed({"weights": FOUR}, {"weights": EIGHT}), "with compressed-tensors in ways that no one --widths means"),
    ],
)  # fmt: skip
def test_is_it_said_where_no_widths_mean_it(quantised, said):
    assert said in line(quantised)


def test_is_the_older_name_of_the_field_read():
    assert "W8A8KV16" in line(
        compressed({"weights": EIGHT, "input_activations": EIGHT}), "compression_config"
    )


@pytest.mark.parametrize("nothing", [{}, {"quantization_config": None}])
def test_is_nothing_said_where_nothing_is_quantised(nothing):
    trace = from_config(Config({**LLAMA, **nothing}), prompt(8))
    assert not any("Quantised" in text for text in trace.conventions)


@pytest.mark.parametrize(
    ("quantised", "message"),
    [
        (7, "config.json: quantization_config: must be an object, not 7"),
        ({"quant_method": "gptq"}, "config.json: quantization_config.bits: is missing"),
        ({"quant_method": 4}, "config.json: quantization_config.quant_method: must be a string, not 4"),
        (
            compressed({"weights": {"num_bits": "4"}}),
            "config.json: quantization_config.config_groups.group_0.weights.num_bits: must be a whole number",
        ),
    ],
)
def test_is_one_refused_that_cannot_be_read(quantised, message):
    with pytest.raises(InputError) as error:
        built(quantised)
    assert str(error.value).startswith(message)


def test_is_it_in_the_file_that_is_written():
    document = document_of(Config({**LLAMA, "quantization_config": {"quant_method": "mxfp4"}}), prompt(8))
    assert "--widths W4A16KV16" in loads(text_of(document)).conventions[-1]
