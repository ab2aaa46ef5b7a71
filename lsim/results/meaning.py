"""What a number is: its definition, unit and clock, and where it is shown."""

from __future__ import annotations

from attrs import frozen

PHOTONIC = "photonic clock, core.clock"


@frozen
class Meaning:
    """What a number is.

    `name`: as in `lsim run --json`, dotted; * stands for any name there. `unit`; `clock`: what its ticks or seconds are counted by.
    `formula`: from which others it comes. `entries`: what of the log it sums. `also`: where else it is shown, as "command: path".
    """

    name: str
    definition: str
    unit: str = "1"
    clock: str = ""
    formula: str = ""
    entries: str = ""
    also: tuple[str, ...] = ()

    @property
    def paths(self) -> tuple[str, ...]:
        return (f"run: {self.name}", *self.also)


def in_ticks(name: str, definition: str, formula: str = "", entries: str = "", *also: str) -> Meaning:
    """A number of ticks."""
    return Meaning(name, definition, "ticks", PHOTONIC, formula, entries, also)
