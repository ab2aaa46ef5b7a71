"""Who tells what a tick of the run is spent on: a core, and the part that it waits for in the end."""

from __future__ import annotations

from functools import cached_property

import numpy as np
from attrs import frozen
from numpy.typing import NDArray

from lsim.kernel.labels import Cause, Kind, Label
from lsim.plan.places import ends_of
from lsim.plan.schedule import Plan
from lsim.results.folded import Ints
from lsim.results.states import CAUSES, States

LAST = "retire"  # what the run waits for when all cores are done


@frozen(eq=False)
class Speaking:
    """Of each distinct state of the machine, who speaks for the run and for whom it waits.

    The *speaker* is a core: the first that is busy, else that waits, else that is idle; when all are done, the process that
    retires operators. `last`: the last part with a program among those that it waits for, itself if there is none.
    """

    plan: Plan
    states: States

    @cached_property
    def speaker(self) -> Ints:
        """(state,): the part that speaks."""
        codes, parts = self.states.codes, self.states.log.parts
        cores = [parts.index(group.part("core")) for group in self.plan.groups]
        kinds = np.array(
            [Kind.IDLE + 1 if _is_done(label) else label.kind for label in self.states.log.labels]
        )
        ranks = kinds[codes[:, cores]]
        first = np.array(cores)[np.argmin(ranks, axis=1)]
        speaker: Ints = np.where((ranks > Kind.IDLE).all(axis=1), parts.index(LAST), first)
        return speaker

    @cached_property
    def last(self) -> Ints:
        """(state,): the last part with a program in the chain of those who wait for each other."""
        states, parts = self.states, self.states.log.parts
        works = np.array([bool(ends_of(self.plan, name)) for name in parts])
        lines, here = np.arange(len(states.codes)), self.speaker
        last = here
        for _ in parts:
            follow = states.targets[states.codes[lines, here]]
            here = np.where(follow < 0, here, follow)
            last = np.where(works[here], here, last)
        return last

    @cached_property
    def causes(self) -> Ints:
        """(state,): the root cause, as an index of CAUSES; of a block in closed form `COMPUTE`, whatever its ticks are spent on."""
        lines = np.arange(len(self.states.codes))
        own = np.array([_own_cause(label) for label in self.states.log.labels], dtype=np.int64)
        said = own[self.states.codes[lines, self.speaker]]
        return np.where(said < 0, self.states.causes[lines, self.speaker], said)

    @cached_property
    def in_block(self) -> NDArray[np.bool_]:
        """(state,): whether the speaker is in a block in closed form, whose ticks its pattern divides."""
        lines = np.arange(len(self.states.codes))
        closed = np.array(
            [label.pattern is not None and label.pattern[0] is not None for label in self.states.log.labels]
        )
        spoken: NDArray[np.bool_] = closed[self.states.codes[lines, self.speaker]]
        return spoken


def _is_done(label: Label) -> bool:
    return label.kind is Kind.IDLE and label.cause is Cause.DONE


def _own_cause(label: Label) -> int:
    """What a tick of a core's work is spent on where its record says it; −1 elsewhere."""
    said = label.pattern is not None and label.pattern[0] is None
    return CAUSES.index(label.cause) if said and label.cause is not None else -1
