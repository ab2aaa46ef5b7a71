"""Every deliberate error of lsim, as a tree:

    LsimError                   exit 1   never raised itself
    ├── InputError              exit 2   what the user gave is wrong: option, setting, name, path
    │   ├── UnitError                    a quantity that cannot be read: its number or its unit
    │   ├── ArchError                    an architecture file or setting
    │   ├── TraceError                   a trace file or model
    │   └── PlanError                    a workload that this architecture cannot hold or map
    └── LawBroken               exit 1   an internal error: a law of every run failed in a part and tick
        └── Deadlock                     every process is blocked: says who waits for whom

Anything else that escapes is a bug.
"""

from collections.abc import Iterable
from typing import Self


class LsimError(Exception):
    """Root of the tree; `exit_code` is what the command line returns for it."""

    exit_code = 1


class InputError(LsimError):
    """Something the user gave is wrong: `file:line: place: what is wrong; did you mean 'x'?; allowed: a, b`.

    `place` is a dotted key or an option. `given` is the offending word and `known` the words that would do:
    together they make the suggestion. Pieces that are missing are left out of the text.
    """

    exit_code = 2

    def __init__(
        self,
        problem: str,
        *,
        file: object = None,
        line: int | None = None,
        place: str | None = None,
        known: Iterable[object] = (),
        given: object = None,
    ) -> None:
        super().__init__(problem)
        self.problem = problem
        self.file = None if file is None else str(file)
        self.line = line
        self.place = place
        self.known = tuple(str(word) for word in known)
        self.given = None if given is None else str(given)

    def __str__(self) -> str:
        return ": ".join([*self._where(), "; ".join([self.problem, *self._help()])])

    def at(self, *, file: object = None, line: int | None = None, place: str | None = None) -> Self:
        """This error, with the pieces of its position that it did not have yet."""
        self.file = self.file if file is None or self.file is not None else str(file)
        self.line = self.line if self.line is not None else line
        self.place = self.place if self.place is not None else place
        return self

    def _where(self) -> list[str]:
        lines = "" if self.line is None else str(self.line)
        if self.file is not None:
            lines = f"{self.file}:{lines}" if lines else self.file
        elif lines:
            lines = f"line {lines}"
        return [piece for piece in (lines, self.place) if piece]

    def _help(self) -> list[str]:
        close = closest(self.given, self.known)
        mean = [] if close is None else [f"did you mean {close!r}?"]
        return mean + ([f"allowed: {', '.join(self.known)}"] if self.known else [])


class UnitError(InputError):
    """A quantity that cannot be read."""


class ArchError(InputError):
    """An architecture file, or a setting of one, that is refused."""


class TraceError(InputError):
    """A trace file, or a model to trace, that is refused."""


class PlanError(InputError):
    """A workload that this architecture cannot hold or map; the message has the numbers."""


class LawBroken(LsimError):
    """An internal error: a law that must hold in every run does not, at `part` in `tick`."""

    exit_code = 1

    def __init__(self, part: str, tick: int, message: str) -> None:
        super().__init__(part, tick, message)
        self.part = part
        self.tick = tick
        self.message = message

    def __str__(self) -> str:
        return f"{self.part}, tick {self.tick}: {self.message}"


class Deadlock(LawBroken):
    """Nothing can happen any more and the work is not done; `waits` has one line per waiting process."""

    def __init__(self, part: str, tick: int, message: str, waits: Iterable[str] = ()) -> None:
        super().__init__(part, tick, message)
        self.waits = tuple(waits)

    def __str__(self) -> str:
        return "\n".join([super().__str__(), *(f"  {line}" for line in self.waits)])


def closest(given: str | None, known: Iterable[str]) -> str | None:
    """The known word most like the given one, or None when none is near or the given one is known itself."""
    words = {word.casefold(): word for word in known}
    if given is None or given in words.values():
        return None
    from difflib import get_close_matches  # only errors pay for this import

    return next((words[near] for near in get_close_matches(given.casefold(), words, n=1)), None)
