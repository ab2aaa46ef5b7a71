"""How much of the shared means was used: SRAM ports, HBM channels, the optical broadcast."""

from __future__ import annotations

from collections.abc import Mapping

from lsim.kernel.labels import Kind
from lsim.report.blocks import Number, Prose, Run, Section, Table, Term, count, share
from lsim.report.definitions import meaning
from lsim.report.figures import of_run, stack
from lsim.results.result import Result


def occupancy(run: Run) -> Section:
    result = run.result
    ports = [name for name in result.log.parts if is_port(name)]
    served = [_served(result, port) for port in ports]
    note = (
        f"Occupancy: {meaning('occupancy')}. The colours say for whom a port was busy (while it serves several at once: for the "
        "one it began with)."
    )
    figure = stack("ports", "What ports and channels served", note, ports, served)
    rows: list[list[str | Number]] = []
    for port, ticks in zip(ports, served, strict=True):
        busy = result.parts()[port].busy
        named = ", ".join(
            f"{cause} {of_run(n, result.ticks).text}" for cause, n in _ranked(ticks) if cause != "idle"
        )
        rows.append([port, count(busy, f"parts.{port}.busy"), of_run(busy, result.ticks), named or "nothing"])
    columns: list[str | Term] = [
        "port",
        "busy ticks",
        Term("occupancy", meaning("occupancy")),
        "for whom, of the run",
    ]
    return Section(
        "occupancy", "Ports, channels and broadcast", [figure, Table(columns, rows), _bytes(result), Prose(_light(result))]
    )  # fmt: skip


def is_port(part: str) -> bool:
    """Whether a part is a port: a bank group, an HBM channel or the broadcast."""
    return part == "broadcast" or part.rstrip("0123456789") in ("gb", "hbm")


def _served(result: Result, port: str) -> Mapping[str, int]:
    """Ticks of a port by the cause of whom it serves, and idle."""
    ticks = result.statistics.ticks_by_code(result.log.parts.index(port))
    sums: dict[str, int] = {}
    for label, n in zip(result.log.labels, ticks.tolist(), strict=True):
        if n:
            name = str(label.cause) if label.kind is Kind.BUSY else "idle"
            sums[name] = sums.get(name, 0) + n
    return sums


def _ranked(ticks: Mapping[str, int]) -> list[tuple[str, int]]:
    return sorted(ticks.items(), key=lambda cause: -cause[1])


def _bytes(result: Result) -> Table:
    full = full_rates(result)
    rows: list[list[str | Number]] = []
    for name, ways in result.bytes().items():
        cells: list[str | Number] = [
            name,
            *(count(ways[way], f"bytes.{name}.{way}") for way in ("in", "out")),
        ]
        most = full.get(name)
        if most and result.ticks:
            cells += [share(sum(ways.values()) / (most * result.seconds)), f"{most / 1e9:,.4g} GB/s"]
        else:
            cells += ["", ""]
        rows.append(cells)
    columns: list[str | Term] = [
        "memory",
        "bytes in",
        "bytes out",
        Term("of full bandwidth", meaning("bandwidth")),
        "full bandwidth",
    ]
    return Table(columns, rows)


def full_rates(result: Result) -> dict[str, float]:
    """Bytes a second that memories move when they never rest; none for what is idealised."""
    arch, sram = result.arch, result.arch.global_sram
    rates = {}
    if "hbm" not in arch.ideal:
        rates["hbm"] = float(arch.hbm.bandwidth)
    if "gb" not in arch.ideal:
        rates["global_sram"] = float(sram.banks * sram.line * sram.ports * sram.clock)
    return rates


def _light(result: Result) -> str:
    if "broadcast" in result.log.parts:
        return "Tile groups contend for the optical broadcast: its port is among those above."
    return (
        "Optical broadcast: in this run no two tile groups ask for the same M2 stream, so it has no port, and nobody ever waits "
        "for it; it carries light whenever the cores fire."
    )
