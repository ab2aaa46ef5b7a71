"""The parameters of the controller."""

from attrs import frozen

from lsim.arch.param import number
from lsim.units import SIZE, TICKS


@frozen
class Controller:
    """What issues operators, in trace order, within a window."""

    window: int = number("operators issued and not complete, at most")
    issue: int = number("time to issue an operator", TICKS, low=0)
    prefetch: int = number("operators ahead whose weights may be fetched", low=0)
    m1_ahead: int = number(
        "window of M1 operands fetched from HBM before they are used up; a row pass counts at most half",
        SIZE,
        low=2,
    )
    m2_ahead: int = number(
        "window of M2 operands fetched from HBM before they are used up; a panel counts at most half",
        SIZE,
        low=2,
    )
    lag: int = number("row passes by which S·V follows Q·Kᵀ under the chunked policy", low=0)
