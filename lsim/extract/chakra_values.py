"""What the tensors of a Chakra execution trace hold: what its nodes wrote, names of the same data, and what nobody wrote."""

from __future__ import annotations

from collections.abc import Sequence
from math import gcd

from attrs import define, field

from lsim.extract.assemble import Recorder
from lsim.extract.chakra_refs import Ref
from lsim.trace.ir import Kind, Role


@define
class Values:
    """The operators so far; `tensors` by tensor id and `storages` by data id are the tensors of the trace that hold what a Ref names; `roots`
    are what views are of."""

    out: Recorder = field(factory=Recorder)
    tensors: dict[int, tuple[str, ...]] = field(factory=dict)
    storages: dict[int, tuple[str, ...]] = field(factory=dict)
    roots: dict[int, Ref] = field(factory=dict)

    def operand(self, refs: Sequence[Ref], role: Role = Role.INPUT) -> tuple[str, ...]:
        """The tensors that hold what an argument names."""
        return tuple(name for ref in refs for name in self._held(ref, role))

    def _held(self, ref: Ref, role: Role) -> tuple[str, ...]:
        held = self.known(ref)
        if held is None:
            root = self.roots.get(ref.tensor, ref)
            held = (self.out.tensor(f"{role.value}.{root.tensor}", root.shape, role),)
            self.tensors[root.tensor] = self.storages[root.storage] = held
        if self.out.elements(held) > ref.elements:
            held = self._part(held, ref)
        elif self.out.elements(held) < ref.elements:
            held = (self.out.opaque(f"view.{ref.tensor}", held, f"view.{ref.tensor}.out", ref.shape, "view"),)
        self.tensors[ref.tensor] = held
        return held

    def _part(self, held: tuple[str, ...], ref: Ref) -> tuple[str, ...]:
        """A part of a tensor: a gather, which reads no more than it takes."""
        columns = gcd(self.out.elements(held), *ref.shape[-1:])
        sizes = (1, ref.elements // columns, 0, columns)
        name = f"view.{ref.tensor}"
        return self.out.add(name, Kind.EMBEDDING, [held], sizes, {f"{name}.out": ref.shape}, label="select")

    def known(self, ref: Ref) -> tuple[str, ...] | None:
        """What holds it; None if that is not known."""
        root = self.roots.get(ref.tensor, ref)
        return self.tensors.get(ref.tensor) or self.tensors.get(root.tensor) or self.storages.get(ref.storage)

    def is_new(self, refs: Sequence[Ref]) -> bool:
        """Whether nothing is known of what an argument names, or it is a parameter."""
        held = [self.known(ref) for ref in refs]
        return all(
            names is None or all(self.out.tensors[n].role is Role.WEIGHT for n in names) for names in held
        )
