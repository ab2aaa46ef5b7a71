"""The items of work that programs are made of: one class for each kind of process.

Items are values: two items that a part would treat alike are equal, and only those. Sizes are bytes. An `Edge` names a
token channel between two processes; `gives` lists the edges that get a token when the item is done, `needs` those of
which it takes one before it begins.
"""

from __future__ import annotations

from attrs import frozen

ROWS = "rows"
Edge = tuple[str, int, int, str]
"""(kind, template of the consumer, which of its inputs, process that gives): "done" or "rows" tokens."""


@frozen(cache_hash=True)
class Issue:
    """The controller issues a unit."""

    needs: tuple[Edge, ...]
    claim: int
    go: tuple[str, ...]
    prefetch: int


@frozen(cache_hash=True)
class Retire:
    """The controller retires a unit: its window credit and the room of what nobody reads any more come back."""

    needs: tuple[Edge, ...]
    frees: int


@frozen(cache_hash=True)
class Piece:
    """A piece of an HBM transfer, in or out.

    `go`: "", "go" or "prefetch", the token that the first piece of an operator takes. `restart`: the channels are taken
    in turn from the first again. `load`: bytes of the load that it begins, of which the window ahead holds some. `first`, `last`: of its unit, of `unit_bytes`.
    """

    bytes: int
    unit_bytes: int
    go: str = ""
    restart: bool = False
    load: int = 0
    first: bool = False
    last: bool = False
    staged: bool = True
    needs: tuple[Edge, ...] = ()
    gives: tuple[Edge, ...] = ()


@frozen(cache_hash=True)
class Fill:
    """One transaction from the global SRAM into a slot of a local buffer.

    `staged`: it has to wait for the unit to come from HBM. `frees`: staging bytes that are free afterwards;
    `ends_load`: bytes of the load that is used up with them.
    """

    bytes: int
    go: bool = False
    restart: bool = False
    staged: bool = False
    frees: int = 0
    ends_load: int = 0
    needs: tuple[Edge, ...] = ()


@frozen(cache_hash=True)
class Block:
    """The K steps of one column block in one chunk on the tiles of a group: `shots` on each active core, one a step or more.

    `feed`: ticks a shot. `reload`: ticks to write the operand that the cores hold, before the shots. `rows`, `columns`, `depth`: the real sizes, `rows` over all tiles. `m1_bits`, `m2_bits`: of an element of the operands. The flags say at which blocks
    operand and act slots change hands, and whether this is the last chunk that adds to the block's place in its slot.
    """

    shots: int
    feed: int
    rows: int
    columns: int
    depth: int
    m1_bits: int
    m2_bits: int
    go: bool = False
    first_of_chunk: bool = False
    last_of_chunk: bool = False
    takes_m2: bool = False
    frees_m2: bool = False
    takes_act: bool = False
    gives_act: bool = False
    deposits: bool = False
    reload: int = 0


@frozen(cache_hash=True)
class Drain:
    """The results of one act unit go to the global SRAM: `reads` earlier partial sums (bytes, 0 none), `writes` bytes.

    `merges`: how many sums the earlier ones are added to. `sums`: bytes of the slot that this empties. `partial`: what is written are partial sums. `room`: out-staging bytes it needs. `copies`: it goes on to HBM.
    """

    reads: int
    writes: int
    merges: int = 0
    sums: int = 0
    partial: bool = False
    restart: bool = False
    room: int = 0
    copies: bool = False
    gives: tuple[Edge, ...] = ()


@frozen(cache_hash=True)
class Lanes:
    """One piece of a vector operator in the DPU's lanes. `cycles` of the DPU; `reads`, `writes`: bytes of its slots,
    `writes` 0 where a first sweep writes nothing."""

    elements: int
    cycles: int
    reads: int
    writes: int
    functions: tuple[str, ...] = ()
