"""Is of every family's model that attention in bands which is causal, and no other?"""

from __future__ import annotations

import pytest
from extract.models import CASES

from lsim.errors import TraceError
from lsim.extract.api import document_of
from lsim.trace import Operator, Role, Trace, loads
from lsim.trace.band import DENSE
from lsim.trace.check import build
from lsim.trace.masks import masked
from lsim.trace.skip import skip_in, skip_masked
from lsim.trace.text import text_of


def products(trace: Trace) -> dict[bool, list[Operator]]:
    """The products of attention, in bands and not."""
    found = [o for o in trace.operators if o.is_gemm and not trace.is_linear(o)]
    return {banded: [o for o in found if (o.band is not None) == banded] for banded in (True, False)}


@pytest.mark.parametrize("name", ["t5", "whisper"])
def test_is_only_a_decoders_attention_to_itself_in_bands(name: str) -> None:
    case = CASES[name]
    dense = build(document_of(case.config, case.request))
    banded = skip_masked(dense, 3)
    made = products(banded)
    assert {o.name.split(".")[0] for o in made[True]} == {"decoder"}
    assert {o.name.split(".")[-2] for o in made[True]} == {"attn"}
    assert made[False] == [o for o in products(dense)[False] if not o.causal]
    assert any(".cross." in o.name for o in made[False])
    assert any(o.name.startswith("encoder.") for o in made[False])
    assert not masked(banded).dense


def test_is_a_bias_of_positions_gathered_in_full_and_read_where_it_is_needed() -> None:
    case = CASES["t5"]
    banded = skip_masked(build(document_of(case.config, case.request)), 3)
    rest = banded.tensors["decoder.bias.out:masked"]
    assert banded.consumers(rest.name) == ()
    assert rest.role is Role.ACTIVATION
    assert len(banded.consumers("decoder.bias.out:0")) == case.config.size("num_decoder_layers")


@pytest.mark.parametrize("name", CASES)
def test_is_every_family_cut_or_told_to_have_nothing_to_cut(name: str) -> None:
    case = CASES[name]
    document = document_of(case.config, case.request)
    dense = build(document)
    if not any(o.causal for o in dense.operators):
        with pytest.raises(TraceError, match="has no causal attention"):
            skip_masked(dense, 2)
        return
    assert any(DENSE in line for line in dense.conventions)
    banded = loads(text_of(skip_in(document, 2)))
    assert 0 < masked(banded).skipped == dense.macs - banded.macs
    assert not any(DENSE in line for line in banded.conventions)
    assert any("bands of 2 queries" in line for line in banded.conventions)
