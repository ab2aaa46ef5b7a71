"""Transfers between HBM and the global SRAM, cut into transactions."""

from __future__ import annotations

from attrs import evolve

from lsim.arch import Arch
from lsim.kernel.program import Builder, Program
from lsim.plan.items import Edge, Piece


def pieces(
    builder: Builder,
    arch: Arch,
    size: int,
    go: str,
    restart: bool,
    load: int = 0,
    staged: bool = True,
    needs: tuple[Edge, ...] = (),
    gives: tuple[Edge, ...] = (),
) -> Program:
    """A unit cut into HBM transactions, the last one smaller."""

    def piece(n: int, first: bool, last: bool) -> Program:
        plain = Piece(n, size, staged=staged, first=first, last=last, gives=gives if last else ())
        return builder.leaf(evolve(plain, go=go, restart=restart, load=load, needs=needs) if first else plain)

    return builder.cut(size, arch.hbm.transaction, piece)
