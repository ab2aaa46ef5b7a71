"""The timeline in a file, folded and lossless, and a result read back from its folder.

`timeline.npz` (numpy's zip of arrays), format 2:

    entries   tick (difference to the entry before), part, code, position (difference to the part's record before)
    folds     first, last, count, period, shift; steps and offsets by part; positions as they are
    about     JSON: format, parts, labels, initial, end, events, folds

The plan is not stored: it follows from `trace.jsonl`, `arch.yaml` and the options, and is made again.
"""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from lsim.errors import InputError
from lsim.kernel.labels import Cause, Kind, Label
from lsim.kernel.log import Fold
from lsim.parts.readout import Pattern
from lsim.results.folded import FoldedLog, Ints

if TYPE_CHECKING:
    from lsim.results.result import Result

FORMAT = 2
TIMELINE, TRACE, ARCH, RESULT = "timeline.npz", "trace.jsonl", "arch.yaml", "result.json"
MANIFEST, SUMS = "manifest.json", "sums.json"
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
            part = file["part"]  # of two bytes, which numpy sorts ten times as fast as eight
            columns = [np.cumsum(file["tick"]), part, file["code"], _positions(part, file["position"])]
            folds = zip(
                file["fold"].tolist(), file["fold_steps"].tolist(), file["fold_offsets"].tolist(), strict=True
            )
            return FoldedLog(
                np.stack(columns, axis=1),
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

    Raises InputError for a folder that is not one, or whose files are not those that were written together.
    """
    from lsim.arch import load_arch
    from lsim.results.result import Result
    from lsim.results.statistics import Statistics
    from lsim.trace import load_trace

    folder = Path(folder)
    check_digests(folder, (RESULT, TIMELINE, TRACE, ARCH))
    told = read(folder / RESULT)
    options = told["options"]
    arch = load_arch(folder / ARCH).with_ideal(options["ideal"])
    log = unpack(folder / TIMELINE)
    trace = load_trace(folder / TRACE)
    return Result(trace, arch, options, log, told["events"], told["folds"], 0.0, Statistics(log))


def check_digests(folder: Path, names: Sequence[str]) -> None:
    """Raises InputError unless each of these files is the one that the manifest was written with."""
    digests = read(folder / MANIFEST).get("files")
    if isinstance(digests, dict) and SUMS in digests and TIMELINE in names:
        problem = "is of a generation, which has no timeline: `lsim run --only` gives that of a step"
        raise InputError(problem, file=str(folder / MANIFEST))
    if not isinstance(digests, dict) or not digests.keys() >= set(names):
        if isinstance(digests, dict) and SUMS in names and TIMELINE in digests:
            raise InputError(
                "is of one run and no generation: lsim.load_result reads it", file=str(folder / MANIFEST)
            )
        raise InputError("is not of a result of lsim", file=str(folder / MANIFEST))
    for name in names:
        if sha256(_bytes(folder / name)).hexdigest() != digests[name]:
            problem = f"is not the file that this result was written with: {MANIFEST} has another digest"
            raise InputError(problem, file=str(folder / name))


def read(path: Path) -> dict[str, Any]:
    """The JSON object in a file of a result."""
    try:
        told = json.loads(_bytes(path))
    except ValueError:
        told = None
    if not isinstance(told, dict):
        raise InputError("is not of a result of lsim: no JSON object", file=str(path))
    return told


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise InputError(f"cannot be read: {error.strerror}", file=str(path)) from None


def _fold(numbers: list[int], steps: list[int], offsets: list[int]) -> Fold:
    return Fold(**dict(zip(_FOLD_NUMBERS, numbers, strict=True)), steps=tuple(steps), offsets=tuple(offsets))


def _steps(entries: Ints) -> Ints:
    """Positions as differences to the record of the same part before."""
    order = np.argsort(entries[:, 1], kind="stable")
    steps = np.empty(len(entries), np.int64)
    steps[order] = np.diff(entries[order, 3], prepend=0)
    return steps


def _positions(parts: NDArray[np.int16], steps: Ints) -> Ints:
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
