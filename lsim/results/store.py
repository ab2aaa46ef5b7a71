"""The timeline in a file, folded and lossless, and a result read back from its folder.

`timeline.npz` (numpy's zip of arrays), format 1:

    entries   tick (difference to the entry before), part, code, position (difference to the part's record before)
    folds     first, last, count, period, shift; steps and offsets by part; positions as they are
    about     JSON: format, parts, labels, initial, end, events, folds

The plan is not stored: it follows from `trace.jsonl`, `arch.yaml` and the options, and is made again.
"""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zipfile import BadZipFile

import numpy as np

from lsim.errors import InputError
from lsim.kernel.labels import Cause, Kind, Label
from lsim.kernel.log import Fold
from lsim.parts.readout import Pattern
from lsim.results.folded import FoldedLog, Ints

if TYPE_CHECKING:
    from lsim.results.result import Result

FORMAT = 1
TIMELINE, TRACE, ARCH, RESULT = "timeline.npz", "trace.jsonl", "arch.yaml", "result.json"
_FOLD_NUMBERS = ("first", "last", "count", "period", "shift")


def pack(log: FoldedLog) -> bytes:
    """A folded log as the bytes of its file; equal logs give equal bytes."""
    entries = log.entries
    about = {
        "format": FORMAT,
        "parts": log.parts,
        "labels": [_label_out(label) for label in log.labels],
        "initial": log.initial,
        "end": log.end,
    }
    folds = log.folds
    buffer = io.BytesIO()
    np.savez_compressed(
        buffer,
        tick=np.diff(entries[:, 0], prepend=0),
        part=entries[:, 1].astype(np.int16),
        code=entries[:, 2].astype(np.int32),
        position=_steps(entries),
        fold=np.array([[getattr(f, name) for name in _FOLD_NUMBERS] for f in folds], np.int64).reshape(-1, 5),
        fold_steps=np.array([f.steps for f in folds], np.int64),
        fold_offsets=np.array([f.offsets for f in folds], np.int64),
        about=np.frombuffer(json.dumps(about).encode(), np.uint8),
    )
    return buffer.getvalue()


def unpack(path: Path) -> FoldedLog:
    """The folded log of a file; raises InputError for one that is not whole, not ours or of another format."""
    try:
        with np.load(path, allow_pickle=False) as file:
            about = json.loads(bytes(file["about"]))
            if about["format"] != FORMAT:
                raise InputError(f"is of format {about['format']}; this lsim reads {FORMAT}", file=str(path))
            columns = [np.cumsum(file["tick"]), file["part"].astype(np.int64), file["code"].astype(np.int64)]
            positions = _positions(columns[1], file["position"])
            folds = zip(
                file["fold"].tolist(), file["fold_steps"].tolist(), file["fold_offsets"].tolist(), strict=True
            )
            return FoldedLog(
                np.stack([*columns, positions], axis=1),
                tuple(_fold(*numbers) for numbers in folds),
                tuple(about["parts"]),
                tuple(_label_in(label) for label in about["labels"]),
                tuple(about["initial"]),
                about["end"],
            )
    except OSError as error:
        raise InputError(f"cannot be read: {error.strerror or error}", file=str(path)) from None
    except (BadZipFile, ValueError, KeyError, TypeError, EOFError) as error:
        raise InputError(f"is not a whole timeline of lsim: {error}", file=str(path)) from None


def load_result(folder: str | Path) -> Result:
    """The result that `lsim run --out` wrote; every query answers as it did after the run.

    Raises InputError for a folder that is not one, or whose files do not belong together.
    """
    from lsim.arch import load_arch
    from lsim.plan.schedule import Deps, plan
    from lsim.results.result import Result
    from lsim.results.statistics import Statistics
    from lsim.trace import load_trace

    folder = Path(folder)
    told = _read(folder / RESULT)
    options = told["options"]
    arch = load_arch(folder / ARCH).with_ideal(options["ideal"])
    trace = load_trace(folder / TRACE)
    digests = told["arch"]["sha256"], told["energy"]["devices"]["sha256"], told["trace"]["sha256"]
    if (arch.sha256, arch.devices_sha256, trace.sha256) != digests:
        raise InputError("trace, architecture and result do not belong together", file=str(folder))
    log = unpack(folder / TIMELINE)
    planned = plan(trace, arch, options["mapping"], Deps(options["deps"]))
    return Result(planned, options, log, told["events"], told["folds"], 0.0, Statistics(log))


def _read(path: Path) -> dict[str, Any]:
    try:
        told: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"cannot be read: {error.strerror}", file=str(path)) from None
    except ValueError:
        raise InputError("is not a result of lsim: no JSON", file=str(path)) from None
    missing = {"trace", "arch", "options", "events", "folds", "energy"} - told.keys()
    if missing:
        raise InputError(f"is not a result of lsim: no {', '.join(sorted(missing))}", file=str(path))
    return told


def _fold(numbers: list[int], steps: list[int], offsets: list[int]) -> Fold:
    return Fold(**dict(zip(_FOLD_NUMBERS, numbers, strict=True)), steps=tuple(steps), offsets=tuple(offsets))


def _steps(entries: Ints) -> Ints:
    """Positions as differences to the record of the same part before."""
    order = np.argsort(entries[:, 1], kind="stable")
    steps = np.empty(len(entries), np.int64)
    steps[order] = np.diff(entries[order, 3], prepend=0)
    return steps


def _positions(parts: Ints, steps: Ints) -> Ints:
    order = np.argsort(parts, kind="stable")
    positions = np.empty(len(parts), np.int64)
    positions[order] = np.cumsum(steps[order])
    return positions


def _label_out(label: Label) -> list[Any]:
    pattern: list[Any] | None = None
    if label.pattern is not None:
        p, active = label.pattern
        numbers = None if p is None else [p.steps, p.feed, p.integrate, p.conversion, p.carry]
        pattern = [numbers, active]
    return [int(label.kind), label.cause, label.target, label.amounts, pattern]


def _label_in(told: list[Any]) -> Label:
    kind, cause, target, amounts, pattern = told
    divided = None if pattern is None else (pattern[0] and Pattern(*pattern[0]), pattern[1])
    return Label(Kind(kind), cause and Cause(cause), target, tuple((n, q) for n, q in amounts), divided)
