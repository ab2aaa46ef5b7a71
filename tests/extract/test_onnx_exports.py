"""Exports of the models of models.py, by PyTorch's exporters: is a file's trace that of the configuration?"""

from fnmatch import fnmatch
from pathlib import Path

import pytest
from extract.models import CASES

pytest.importorskip("onnx")
import onnx
from extract.onnx_differences import differences, experts
from outline import outline

from lsim.errors import TraceError
from lsim.extract.api import from_config
from lsim.extract.onnx_model import from_onnx

FOLDER = Path(__file__).with_name("exported")
FILES = sorted(path.name.removesuffix(".onnx") for path in FOLDER.glob("*.onnx"))
# What is said with --shape of the exports whose batch and tokens are open.
SHAPES = {
    "llama-batch": {"input_ids": (3, 16)},
    "llama-decode": {"input_ids": (3, 1), "past_key_values.*": (3, 2, 15, 16)},
    "bert-batch": {"*_ids": (2, 16)},
    "vit-pooled": {"pixel_values": (2, 3, 32, 32)},
}


def shapes(path):
    name, style, _ = path.name.split(".")
    if style != "dynamic":
        return {}
    inputs = [value.name for value in onnx.load(path, load_external_data=False).graph.input]
    return {one: shape for pattern, shape in SHAPES[name].items() for one in inputs if fnmatch(one, pattern)}


def both(path):
    """The trace of a file and that of its configuration."""
    name, style, _ = path.name.split(".")
    case = CASES[name]
    return from_onnx(path, shapes(path))[0], from_config(case.config, case.request), differences(name, style)


def changed(trace, changes):
    for change in changes:
        trace = change(trace)
    return outline(trace)


@pytest.mark.parametrize("file", FILES)
def test_is_the_trace_of_an_export_that_of_its_configuration(file):
    exported, built, named = both(FOLDER / f"{file}.onnx")
    assert changed(exported, named) == changed(built, named)


@pytest.mark.parametrize("file", [file for file in FILES if differences(*file.split("."))])
def test_is_each_difference_that_is_named_one(file):
    exported, built, named = both(FOLDER / f"{file}.onnx")
    for one in named:
        others = [change for change in named if change is not one]
        assert changed(exported, others) != changed(built, others)


def test_has_each_family_an_export_and_most_of_them_no_difference():
    kinds = {CASES[file.split(".")[0]].fields.get("model_type", "dit") for file in FILES}
    assert kinds == {case.fields.get("model_type", "dit") for case in CASES.values()}
    exact = [file for file in FILES if not differences(*file.split("."))]
    assert len(exact) >= 15


@pytest.mark.parametrize("file", [file for file in FILES if file.startswith("mixtral")])
def test_are_the_products_of_experts_as_many(file):
    """The groups of tokens are not in the file, but each token has its two experts."""
    exported, built, _ = both(FOLDER / f"{file}.onnx")
    macs = [sum(operator.macs for operator in experts(trace)) for trace in (exported, built)]
    assert macs[0] == macs[1] > 0


@pytest.mark.parametrize("file", [file for file in FILES if ".dynamic" in file])
def test_is_a_size_that_was_said_once_known_wherever_it_is_named(file):
    """Only one input of each name of a size needs a shape."""
    path = FOLDER / f"{file}.onnx"
    graph = onnx.load(path, load_external_data=False).graph
    all_of_them, given, named = shapes(path), {}, set()
    for value in graph.input:
        sizes = {dim.dim_param for dim in value.type.tensor_type.shape.dim} - {""}
        if not sizes <= named:
            given[value.name] = all_of_them[value.name]
            named |= sizes
    assert outline(from_onnx(path, given)[0]) == outline(from_onnx(path, all_of_them)[0])


def test_is_a_size_refused_that_is_two_sizes():
    path = FOLDER / "llama-decode.dynamic.onnx"
    with pytest.raises(
        TraceError, match=r"^input past_key_values\.0\.key: s\d+ is 3 in another input, and 2 here"
    ):
        from_onnx(path, {"input_ids": (3, 1), "past_key_values.0.key": (2, 2, 15, 16)})


@pytest.mark.slow
@pytest.mark.parametrize("file", FILES)
def test_is_what_these_versions_export_the_same(file, tmp_path):
    for needed in ("torch", "transformers", "diffusers", "onnxscript"):
        pytest.importorskip(needed)
    from extract.export_onnx import STYLES, exported

    name, style = file.split(".")
    path = tmp_path / f"{file}.onnx"
    onnx.save(exported(name, STYLES[style]), path)
    fresh, built, named = both(path)
    assert changed(fresh, named) == changed(built, named)
