"""A progress bar for runs that take long enough to want one."""

from __future__ import annotations

import sys
import time
from typing import Any, Self

DELAY_S = 2.0
FORMAT = "{desc} {percentage:3.0f} %|{bar}| {elapsed} elapsed, {remaining} left"


class Progress:
    """Called with the fraction that is done; after two seconds a bar on stderr shows it, gone at the end.

    In a file or a pipe, which keeps every refresh, the bar moves every ten seconds.
    """

    def __init__(self, name: str, shown: bool = True) -> None:
        self.name, self.shown = name, shown
        self.begin = time.time()
        self.bar: Any = None

    def __call__(self, fraction: float) -> None:
        if self.bar is None:
            if not self.shown or time.time() - self.begin < DELAY_S:
                return
            self.bar = self._bar()
        self.bar.update(fraction - self.bar.n)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self.bar is not None:
            self.bar.close()

    def _bar(self) -> Any:
        from tqdm import tqdm  # most runs are over before they would need it

        every = 0.1 if sys.stderr.isatty() else 10.0
        bar = tqdm(total=1.0, desc=self.name, bar_format=FORMAT, leave=False, mininterval=every, ncols=80)
        bar.start_t = self.begin
        return bar
