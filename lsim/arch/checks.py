"""What must hold between parameters. A rule yields the key to blame and what is wrong, with the numbers."""

from collections.abc import Iterator
from math import gcd

from lsim.arch.timing import Machine
from lsim.units import BITS, FREQUENCY, SIZE, format_quantity

Broken = Iterator[tuple[str, str]]


def broken_rules(machine: Machine) -> Broken:
    """Every rule between parameters that the machine breaks, as (key, problem)."""
    yield from _kind(machine)
    yield from _clocks(machine)
    yield from _divisions(machine)
    yield from _staging(machine)
    yield from _slots(machine)


def _kind(machine: Machine) -> Broken:
    core = machine.core
    if core.kind == "dptc":
        if core.reload:
            yield "core.reload", "a dptc encodes both operands for each shot and holds none to write"
        if core.passes != 1:
            yield "core.passes", f"a dptc takes operands of either sign in 1 pass, not {core.passes}"
    elif core.columns != 1:
        yield "core.columns", f"a {core.kind} multiplies what it holds by 1 vector a shot, not {core.columns}"


def _clocks(machine: Machine) -> Broken:
    photonic = machine.core.clock
    clocks = {
        "global_sram.clock": machine.global_sram.clock,
        "dpu.clock": machine.dpu.clock,
        "encoder.sample_rate": machine.encoder.sample_rate,
    }
    for key, clock in clocks.items():
        if photonic % clock:
            common = gcd(photonic, clock)
            period = (
                f"one period of {format_quantity(clock, FREQUENCY)} is {photonic // common}/{clock // common}"
            )
            tick = f"ticks of the {format_quantity(photonic, FREQUENCY)} photonic clock"
            yield key, f"{period} {tick}, not a whole number"


def _divisions(machine: Machine) -> Broken:
    sram, tiles, groups = machine.global_sram, machine.core.tiles, machine.broadcast.groups
    if sram.banks % sram.groups:
        yield "global_sram.groups", f"{sram.groups} groups do not divide {sram.banks} banks"
    if tiles % groups:
        yield "broadcast.groups", f"{groups} groups do not divide {tiles} tiles"


def _staging(machine: Machine) -> Broken:
    sram = machine.global_sram
    areas = sram.staging
    if sum(areas) >= sram.capacity:
        terms = " + ".join(_size(area) for area in areas)
        total = f"the staging areas, {terms} = {_size(sum(areas))}"
        yield "global_sram.capacity", f"{total}, leave nothing of {_size(sram.capacity)}"


def _slots(machine: Machine) -> Broken:
    core, operands = machine.core, machine.operands
    widest = max(operands.widths)
    width = format_quantity(widest, BITS)
    needs = [
        ("m1_sram.slot", machine.m1_sram.slot, machine.m1_step_bytes(widest), "step",
         f"{core.cores} cores x {core.rows} rows x {core.wavelengths} wavelengths x {width}"),
        ("m2_sram.slot", machine.m2_sram.slot, machine.m2_step_bytes(widest), "step",
         f"{core.cores} cores x {core.columns} columns x {core.wavelengths} wavelengths x {width}"),
        ("act_sram.slot", machine.act_sram.slot, machine.block_bytes, "block",
         f"{core.rows} rows x {core.columns} columns x {format_quantity(operands.partial_sum_bits, BITS)}"),
    ]  # fmt: skip
    for key, slot, need, unit, product in needs:
        if slot < need:
            yield key, f"{_size(slot)} cannot hold one {unit}: {product} = {_size(need)}"
    yield from _sums(machine)


def _sums(machine: Machine) -> Broken:
    operands = machine.operands
    narrow = format_quantity(operands.partial_sum_bits, BITS)
    if operands.partial_sum_bits < operands.bits:
        width = format_quantity(operands.bits, BITS)
        yield "operands.partial_sum_bits", f"{narrow} is narrower than an operand, {width}"
    result = max(operands.widths.activation, operands.widths.kv)
    if operands.partial_sum_bits < result:
        width = format_quantity(result, BITS)
        yield "operands.partial_sum_bits", f"{narrow} is narrower than a result, {width}"


def _size(value: int) -> str:
    return format_quantity(value, SIZE)
