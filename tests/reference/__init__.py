"""A second simulator of the machine of docs/machine.md, written from that page alone: a loop over ticks.

It shares with lsim only the types of traces, architectures and errors. `layout`, `gemms` and `vectors` are section 2 of the page,
`ticks` section 1 and the ports, `memories` section 3, `moving` section 4, `cores` and `dpu`
section 5, `controller` section 6; `board` is what all of them share, `machine` puts them together. Clarity comes before speed.
"""

from reference.machine import ReferenceResult, run

__all__ = ["ReferenceResult", "run"]
