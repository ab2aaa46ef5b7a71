"""Does a mapping share out all heads, and all tiles?"""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from small import attention, gemm, machine

from lsim.arch import load_arch
from lsim.errors import ArchError, PlanError
from lsim.plan.mappings import MAPPINGS, mapping
from lsim.plan.orient import oriented, passes_of_signs


@pytest.mark.parametrize("name", MAPPINGS)
@given(
    heads=st.integers(1, 40),
    split=st.sampled_from([(1, 1), (2, 2), (4, 2), (4, 4), (8, 4)]),
    is_linear=st.booleans(),
)
def test_are_all_heads_shared_out(name: str, heads: int, split: tuple[int, int], is_linear: bool) -> None:
    tiles, groups = split
    m = mapping(name, machine(core__tiles=str(tiles), broadcast__groups=str(groups)))
    op = gemm("q", "k", "s", 3, 4, 5, 1 if is_linear else heads)
    shares = m.share(op, is_linear)
    assert sum(share.heads for _, share in shares) == op.heads
    assert all((share.rows, share.depth, share.columns) == (3, 4, 5) for _, share in shares)
    assert len({group.name for group, _ in shares}) == len(shares)
    held = [tile for group, _ in shares for tile in group.tiles]
    assert len(held) == len(set(held)), "no tile works for two groups"
    if is_linear or name != "head-parallel" or op.heads == 1:
        assert held == list(range(tiles))
    elif op.heads >= groups:
        assert sorted(held) == list(range(tiles))
        assert max(s.heads for _, s in shares) - min(s.heads for _, s in shares) <= 1, "evenly"


@pytest.mark.parametrize("name", MAPPINGS)
def test_does_a_stream_reach_all_tiles_of_a_group(name: str) -> None:
    with pytest.raises(ArchError, match="reaches 2 tiles"):
        mapping(name, machine(core__tiles="4", broadcast__groups="2", broadcast__fan_out="2"))
    mapping(name, machine(["broadcast"], core__tiles="4", broadcast__groups="2", broadcast__fan_out="2"))


def test_is_a_mapping_of_another_name_refused() -> None:
    with pytest.raises(PlanError, match="did you mean 'lockstep'"):
        mapping("lock-step", machine())


@pytest.mark.parametrize("kind", ["mrr-bank", "mzi-mesh"])
def test_is_what_a_core_holds_not_changed_with_each_step(kind: str) -> None:
    arch = load_arch(f"{kind}-4bit")
    assert mapping(None, arch).name == "m1-stationary"
    with pytest.raises(ArchError, match=rf"^core\.kind: a {kind} holds M1, which lockstep changes"):
        mapping("lockstep", arch)


def test_is_the_published_mapping_that_of_the_published_core() -> None:
    assert mapping(None, load_arch("lt-b-4bit")).name == "lockstep"


@pytest.mark.parametrize("kind", ["mrr-bank", "mzi-mesh"])
def test_do_cores_hold_v_where_a_softmax_passes_by(kind: str) -> None:
    """S·V of 8 tokens and a head of 4: V's 4 rows stand still, 8 columns of Sᵀ pass, of one sign."""
    work, arch = attention(tokens=8, heads=2, size=4), load_arch(f"{kind}-4bit")
    made = {op.name: op for op in work.operators}
    turned = oriented(work, made["make a0"], arch)
    assert (turned.rows, turned.depth, turned.columns) == (4, 8, 8)
    assert turned.operands[:2] == (("v0",), ("p0",))
    assert passes_of_signs(work, turned, arch) == 1
    for name in ("make q0", "make s0", "make o0"):
        assert oriented(work, made[name], arch) is made[name]
        assert passes_of_signs(work, made[name], arch) == arch.core.passes
    assert oriented(work, made["make a0"], load_arch("lt-b-4bit")) is made["make a0"]
