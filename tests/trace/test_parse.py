"""The lines of a trace file: repeats, carried names, and everything that is not allowed."""

import json
import re
from pathlib import Path

import pytest

import lsim.trace
from lsim.errors import TraceError
from lsim.trace import Role, dumps, loads
from lsim.trace.generation import check
from lsim.trace.parse import parse

HEADER = '{"lsim_trace": 1, "name": "t"}'
INPUT = '{"tensor": "x0", "role": "input", "shape": [6]}'
REPEAT = '{"repeat": 3, "index": "i", "carry": {"x": ["x0", "l{i}.out"]}}'
SIZES = '"rows": 2, "columns": 3'
BODY = (
    f'{{"op": "l{{i}}", "kind": "activation", {SIZES}, "operands": ["x"], "outputs": {{"l{{i}}.out": [6]}}}}'
)
END = '{"end": "i"}'
LAYERS = [INPUT, REPEAT, BODY, END]


def read(*lines):
    return loads("\n".join([HEADER, *lines]))


def error(*lines):
    with pytest.raises(TraceError) as caught:
        loads("\n".join(lines))
    return str(caught.value)


def body_error(line):
    """What is wrong with a line after the header."""
    return error(HEADER, line)


def changed(line, **fields):
    """The line with some fields changed; those that are None are left out."""
    record = {**json.loads(line), **fields}
    return json.dumps({key: value for key, value in record.items() if value is not None})


def test_is_the_index_expanded_in_every_name():
    trace = read(*LAYERS)
    assert [operator.name for operator in trace.operators] == ["l0", "l1", "l2"]
    assert set(trace.tensors) == {"x0", "l0.out", "l1.out", "l2.out"}


def test_does_a_carried_name_mean_the_previous_iteration():
    assert [operator.operands for operator in read(*LAYERS).operators] == [
        (("x0",),),
        (("l0.out",),),
        (("l1.out",),),
    ]


def test_does_a_repeat_of_one_need_only_the_first_value():
    assert [op.reads for op in read(INPUT, changed(REPEAT, repeat=1), BODY, END).operators] == [("x0",)]


def test_may_a_later_line_read_the_last_iteration():
    after = changed(BODY, op="after", operands=["l2.out"], outputs={"after.out": [6]})
    assert read(*LAYERS, after).operators[-1].reads == ("l2.out",)


def test_are_all_names_of_the_expansion_unique():
    trace = read(*LAYERS)
    assert len({operator.name for operator in trace.operators}) == len(trace.operators) == 3


def test_may_a_body_read_a_weight_that_all_iterations_share():
    shared = '{"tensor": "w", "role": "weight", "shape": [6]}'
    body = changed(BODY, kind="multiply", operands=["x", "w"])
    trace = read(INPUT, shared, REPEAT, body, END)
    assert trace.parameters == 6
    assert len(trace.consumers("w")) == 3


def test_is_a_list_of_names_one_operand():
    halves = [f'{{"tensor": "{name}", "role": "kv", "shape": [3]}}' for name in "ab"]
    (operator,) = read(
        *halves, changed(BODY, op="c", operands=[["a", "b"]], outputs={"c.out": [6]})
    ).operators
    assert operator.operands == (("a", "b"),)


def test_are_several_outputs_one_result():
    outputs = {"k": [4], "v": [2]}
    trace = read(INPUT, changed(BODY, op="c", operands=["x0"], outputs=outputs, kv=["v"]))
    assert trace.operators[0].outputs == ("k", "v")
    assert (trace.tensors["k"].role, trace.tensors["v"].role) == (Role.ACTIVATION, Role.KV)


def test_do_indentation_and_blank_lines_mean_nothing():
    assert read(INPUT, "", REPEAT, f"    {BODY}", "  ", END, "") == read(*LAYERS)


def test_are_the_lines_about_a_trace_kept_in_order():
    lines = ['{"source": "a"}', '{"convention": "c"}', '{"source": "b"}']
    trace = read(*lines, *LAYERS)
    assert (trace.sources, trace.conventions) == (("a", "b"), ("c",))


@pytest.mark.parametrize("text", ["", "\n  \n"])
def test_is_an_empty_file_refused(text):
    assert error(text) == "is empty: a trace begins with a header line"


@pytest.mark.parametrize(
    ("header", "problem"),
    [
        (INPUT, "line 1: no line begins with 'tensor'; allowed: lsim_trace"),
        (
            '{"lsim_trce": 1}',
            "line 1: no line begins with 'lsim_trce'; did you mean 'lsim_trace'?; allowed: lsim_trace",
        ),
        (
            '{"lsim_trace": 2, "name": "t"}',
            "line 1: lsim_trace: format 2 is not known: this lsim reads format 1",
        ),
        ('{"lsim_trace": 1}', "line 1: lsim_trace: 'name' is missing"),
        (
            '{"lsim_trace": 1, "name": "t", "by": "me"}',
            "line 1: lsim_trace: no field 'by' here; allowed: lsim_trace, name, description",
        ),
        ('{"lsim_trace": true, "name": "t"}', "line 1: lsim_trace: 'lsim_trace' must be a whole number"),
    ],
)
def test_is_a_wrong_header_refused(header, problem):
    assert error(header, *LAYERS).startswith(problem)


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("{", "not JSON: Expecting property name enclosed in double quotes: line 1 column 2 (char 1)"),
        ("[" * 100_000, "not JSON: "),
        ("9" * 5000, "not JSON: "),
        ("[]", "each line is a JSON object with fields"),
        ("{}", "each line is a JSON object with fields"),
        ('{"end": "i", "end": "j"}', "'end' is given twice"),
        (
            HEADER,
            "no line begins with 'lsim_trace'; allowed: source, convention, tensor, op, repeat, steps, end",
        ),
        ('{"tensr": "x"}', "no line begins with 'tensr'; did you mean 'tensor'?; allowed: source, "),
        ('{"source": 3}', "source: 'source' must be a string, not 3"),
    ],
)
def test_is_a_line_of_no_kind_refused(line, problem):
    assert body_error(line).startswith(f"line 2: {problem}")


@pytest.mark.parametrize(
    ("fields", "problem"),
    [
        ({"shape": None}, "'shape' is missing"),
        ({"shape": None, "shpe": [6]}, "'shape' is missing, 'shpe' is not a field"),
        ({"size": 1}, "no field 'size' here; allowed: tensor, role, shape"),
        ({"shape": 6}, "'shape' must be a list of 1 to 8 sizes, not 6"),
        ({"shape": []}, "'shape' must be a list of 1 to 8 sizes, not []"),
        ({"shape": [6.0]}, f"'shape' must be a whole number from 1 to {2**40}, not 6.0"),
        ({"shape": [True]}, f"'shape' must be a whole number from 1 to {2**40}, not true"),
        ({"shape": [0]}, f"'shape' must be a whole number from 1 to {2**40}, not 0"),
        ({"shape": [-6]}, f"'shape' must be a whole number from 1 to {2**40}, not -6"),
        ({"shape": [2**41]}, f"'shape' must be a whole number from 1 to {2**40}, not {2**41}"),
        ({"shape": ["a" * 99]}, f"'shape' must be a whole number from 1 to {2**40}, not \"{'a' * 56}..."),
        (
            {"role": "wieght"},
            "'role' cannot be 'wieght'; did you mean 'weight'?; allowed: weight, activation, kv, input",
        ),
    ],
)
def test_is_a_wrong_tensor_refused(fields, problem):
    assert body_error(changed(INPUT, **fields)) == f"line 2: x0: {problem}"


@pytest.mark.parametrize(
    ("fields", "problem"),
    [
        ({"rows": None}, "'rows' is missing"),
        ({"rows": "2"}, f"'rows' must be a whole number from 1 to {2**40}, not \"2\""),
        ({"depth": 4}, "no field 'depth' here; allowed: op, kind, outputs, kv, operands, "),
        ({"kind": "gemm"}, "'depth' is missing"),
        ({"kind": "sofmax"}, "'kind' cannot be 'sofmax'; did you mean 'softmax'?; allowed: gemm, softmax, "),
        ({"causal": 1}, "'causal' must be true or false, not 1"),
        ({"band": [0, 2]}, "'band' must be a list of begin, end and tokens, not [0, 2]"),
        ({"band": [0, -1, 4]}, "'band' must be a list of begin, end and tokens, not [0, -1, 4]"),
        ({"band": [0, "2+t", 4]}, "'band' must be a list of begin, end and tokens, not [0, \"2+t\", 4]"),
        ({"operands": "x"}, "'operands' must be a list of operands, not \"x\""),
        ({"operands": []}, "'operands' must be a list of operands, not []"),
        ({"operands": [[]]}, "'operands' must be a list of names, not []"),
        ({"operands": [["x", 3]]}, "'operands' must be a list of names, not [\"x\", 3]"),
        ({"outputs": ["y"]}, "'outputs' must be an object of shapes by name, not [\"y\"]"),
        ({"outputs": {}}, "'outputs' must be an object of shapes by name, not {}"),
        (
            {"kv": ["l.out"]},
            "'kv' names 'l.out', which is not an output; did you mean 'l{i}.out'?; allowed: l{i}.out",
        ),
    ],
)
def test_is_a_wrong_operator_refused(fields, problem):
    assert body_error(changed(BODY, **fields)).startswith(f"line 2: l{{i}}: {problem}")


@pytest.mark.parametrize(
    ("lines", "problem"),
    [
        ([INPUT, REPEAT, BODY], 'line 3: repeat: is never ended: write {"end": "i"} after its last line'),
        ([INPUT, REPEAT, REPEAT], "line 4: repeat: a repeat inside the repeat of line 3"),
        ([INPUT, REPEAT, END], "line 4: i: the repeat of line 3 has no body"),
        ([INPUT, END], "line 3: i: ends a repeat that was not begun"),
        ([INPUT, REPEAT, BODY, '{"end": "j"}'], "line 5: j: ends the repeat of 'i', begun on line 3"),
        ([INPUT, changed(REPEAT, index="")], "line 3: repeat: 'index' must be a word such as 'i', not ''"),
        (
            [INPUT, changed(REPEAT, carry=["x"])],
            "line 3: repeat: 'carry' must be an object of pairs of names",
        ),
        (
            [INPUT, changed(REPEAT, carry={"x": ["x0"]})],
            "line 3: repeat: 'carry' must be pairs of names, not",
        ),
        (
            [INPUT, changed(REPEAT, carry={"x0": ["x0", "l{i}.out"]})],
            "line 3: repeat: the carried name 'x0' hides what is already defined by that name",
        ),
        (
            [INPUT, changed(REPEAT, carry={"y": ["x0", "l{i}.out"]}), changed(BODY, operands=["x0"]), END],
            "line 3: y: no operator of the body reads this carried name",
        ),
        (
            [INPUT, REPEAT, changed(BODY, op="l"), END],
            "line 4: l: would be defined again in each iteration: put {i} in the name",
        ),
        (
            [INPUT, changed(REPEAT, repeat=2_000_000), BODY, END],
            "line 3: expands to more than 1,000,000 statements",
        ),
        (
            [INPUT, changed(REPEAT, carry={"x": ["x0", "l{i}.ut"]}), BODY, END],
            "line 4: l1: no tensor is named 'l0.ut'; did you mean 'l0.out'?",
        ),
    ],
)
def test_is_a_wrong_repeat_refused(lines, problem):
    assert error(HEADER, *lines).startswith(problem)


def test_is_the_page_about_the_format_true():
    page = (Path(lsim.trace.__file__).parent / "FORMAT.md").read_text(encoding="utf-8")
    example, growing = re.findall(r"```jsonl\n(.*?)```", page, flags=re.DOTALL)
    trace = loads(example)
    assert trace.macs == 2 * 8 * 8 * 5
    assert trace.operators[2].operands == (("layers.1.linear.weight",), ("layers.0.residual.out",))
    assert loads(dumps(trace)) == trace
    assert [check(parse(growing)).macs(step) for step in range(16)] == [8 * (32 + t) for t in range(16)]
