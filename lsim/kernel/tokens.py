"""Token channels: one giver, one taker, a count. Slots, credits, bytes of room and "that is done" are all tokens."""

from __future__ import annotations

from lsim.kernel.environment import Environment, Wake
from lsim.kernel.labels import Kind, Label


class Channel:
    """Tokens on their way from one part to another.

    `giver`: the part that whoever waits here waits for (set with `given_by`, as parts refer to each other in circles).
    A taker that waits on a channel of work not yet issued is idle, on any other it is waiting.
    `low`: the fewest tokens that a taker left; `blocked`: whether one ever had to wait.
    """

    __slots__ = (
        "_need",
        "_registers",
        "_wake",
        "blocked",
        "code",
        "env",
        "giver",
        "idle",
        "index",
        "initial",
        "low",
    )

    def __init__(self, env: Environment, count: int = 0, idle: bool = False) -> None:
        self.env, self.idle = env, idle
        self.index, self.initial = env.register(count), count
        self.low, self.blocked = count, False
        self.giver = -1
        self._registers = env.registers
        env.channels.append(self)
        self.code = -1
        self._wake: Wake | None = None
        self._need = 0

    def given_by(self, part: int) -> None:
        """Names the part that gives the tokens."""
        self.giver = part
        self.code = self.env.labels.code(Label(Kind.IDLE if self.idle else Kind.WAIT, target=part))

    def try_take(self, count: int) -> bool:
        """Takes `count` tokens if there are as many; whether there were."""
        left = self._registers[self.index] - count
        if left < 0:
            return False
        self._registers[self.index] = left
        if left < self.low:
            self.low = left
        return True

    def wait(self, taker: int, count: int) -> Wake:
        """An event for when `count` tokens were there and have been taken."""
        self._wake, self._need, self.blocked = Wake(self.env, taker), count, True
        self.env.sites[taker] = self.index
        return self._wake

    @property
    def waited_on(self) -> bool:
        """Whether its taker waits for tokens now."""
        return self._wake is not None

    def give(self, count: int = 1) -> None:
        """Gives tokens; a taker for whom they are enough has taken them at once and goes on at this tick."""
        registers = self._registers
        registers[self.index] += count
        wake = self._wake
        if wake is not None and registers[self.index] >= self._need:
            registers[self.index] -= self._need
            self._wake = None
            self.env.fire(wake)


class Pile(Channel):
    """A channel whose tokens may pile up long before its taker looks, and which knows how many it has handed out.

    While nobody takes from it nor waits at it, its count is nobody's business: see `lsim.kernel.fold`.
    """

    __slots__ = ("taken",)

    def __init__(self, env: Environment, count: int = 0, idle: bool = False) -> None:
        super().__init__(env, count, idle)
        self.taken = 0
        env.piles.append(self)

    def try_take(self, count: int) -> bool:
        done = super().try_take(count)
        self.taken += count * done
        return done

    def give(self, count: int = 1) -> None:
        waited = self.waited_on
        super().give(count)
        if waited and not self.waited_on:
            self.taken += self._need
