"""Is of a generation the prefill in bands, and no decode step?"""

from __future__ import annotations

import pytest
from generations import LLAMA, WINDOWED, generation

from lsim.errors import TraceError
from lsim.trace.document import Document
from lsim.trace.generation import check
from lsim.trace.parse import parse
from lsim.trace.skip import skip_masked
from lsim.trace.text import text_of
from lsim.trace.zoo import llama
from lsim.trace.zoo.generate import generate, llama_family


@pytest.mark.parametrize("model", [LLAMA, WINDOWED])
def test_is_the_prefill_of_a_generation_cut_and_no_decode_step(model: llama.Llama) -> None:
    made = check(generate("small", llama_family(model), 9, 6, 2))
    banded = skip_masked(made, 4)
    assert banded.trace(0).operators == skip_masked(made.trace(0), 4).operators
    for step in range(1, 6):
        assert banded.trace(step).operators == made.trace(step).operators
    assert banded.parameters == made.parameters
    assert check(parse(text_of(banded.document))).sha256 == banded.sha256
    assert banded.masked.skipped == made.total_macs - banded.total_macs > 0
    assert banded.masked.macs == banded.total_macs
    assert [bool(phase.second) for phase in banded.document.phases] == [False, True]


def test_is_a_generation_itself_where_a_band_has_its_whole_prompt() -> None:
    made = generation("llama", 7, 3)
    assert skip_masked(made, 7) is made


def growing(tokens: list[object]) -> Document:
    t = tokens[0]
    lines = [
        '{"lsim_trace": 1, "name": "grows"}',
        '{"steps": 3, "index": "t", "phase": "prompts"}',
        f'{{"tensor": "x", "role": "input", "shape": [2, {t}]}}',
        f'{{"op": "qk", "kind": "gemm", "causal": true, "rows": {t}, "depth": 2, "columns": {t}, "operands": ["x", "x"], "outputs": {{"s": [{t}, {t}]}}}}',
        f'{{"op": "softmax", "kind": "softmax", "causal": true, "rows": {t}, "columns": {t}, "operands": ["s"], "outputs": {{"p": [{t}, {t}]}}}}',
        f'{{"op": "sv", "kind": "gemm", "causal": true, "rows": {t}, "depth": {t}, "columns": 2, "operands": ["p", "x"], "outputs": {{"o": [2, {t}]}}}}',
        '{"end": "t"}',
    ]
    return parse("\n".join(lines))


def test_is_a_phase_refused_whose_prompts_grow() -> None:
    """As many bands in every step is what a phase can say; steps of 6, 7 and 8 tokens, the first in one band of 7."""
    grows = check(growing(['"6+t"']))
    for queries in (2, 6, 7):
        with pytest.raises(
            TraceError, match="line 2: phase prompts: its causal attention grows from step to step"
        ):
            skip_masked(grows, queries)
    assert skip_masked(grows, 8) is grows
    same = skip_masked(check(growing(["6"])), 2)
    assert [len(same.trace(step).operators) for step in range(3)] == [9, 9, 9]
