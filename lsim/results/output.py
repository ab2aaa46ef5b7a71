"""A folder with the result of a run, written whole or not at all.

    result.json     what `lsim run --json` prints, without the CPU time: the same inputs give the same bytes
    timeline.npz    every state of every part, folded: see `lsim.results.store`
    sums.json       of a generation, in its place: the sums of each phase, see `lsim.results.generation_store`
    trace.jsonl, arch.yaml   what was run on what, so that the folder stands alone
    manifest.json   what it is the result of, and the digest of each file

A folder that has nothing but what its own manifest lists may be replaced by a later run. Any other is refused.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lsim.arch import dump_arch
from lsim.errors import InputError
from lsim.results.store import ARCH, MANIFEST, RESULT, SUMS, TIMELINE, TRACE, pack
from lsim.trace import dumps
from lsim.trace.text import text_of

if TYPE_CHECKING:
    from lsim.results.generation import GenerationResult
    from lsim.results.result import Result


def check_folder(folder: Path) -> None:
    """Raises InputError if a result could not be written there, before a run rather than after it."""
    if not _exists(folder):
        _check_parent(folder)
    elif not folder.is_dir():
        raise _refusal(folder, "is not a folder")
    elif not _replaceable(folder):
        raise _refusal(folder, "is a folder of other files, which a result would replace")
    elif not os.access(folder.resolve().parent, os.W_OK | os.X_OK):
        raise _refusal(folder, "cannot be replaced: no permission")


def write_result(result: Result, folder: Path) -> None:
    """Writes the result of a run; raises InputError where that is not possible."""
    _write(result, folder, {TIMELINE: pack(result.log), TRACE: dumps(result.trace).encode()})


def write_generation(result: GenerationResult, folder: Path) -> None:
    """Writes the result of a generation, which has its steps as a table and no timeline: `lsim run --only` gives that of a
    step, which is a run of its own."""
    from lsim.results.generation_store import pack_sums

    files = {TRACE: text_of(result.generation.document).encode(), SUMS: pack_sums(result)}
    _write(result, folder, files)


def _write(result: Result | GenerationResult, folder: Path, files: Mapping[str, bytes]) -> None:
    content = {key: value for key, value in result.to_dict().items() if key != "cpu_s"}
    about = {key: content[key] for key in ("lsim", "trace", "arch", "options")}
    about["arch"] = {key: content["arch"][key] for key in ("name", "sha256")}
    told = {RESULT: _text(content).encode(), ARCH: dump_arch(result.arch).encode()}
    write_folder(folder, {**told, **files}, about)


def write_folder(folder: Path, files: Mapping[str, bytes], about: Mapping[str, Any]) -> None:
    """Writes files and a manifest that lists them, beside the folder, and puts that in its place."""
    check_folder(folder)
    digests = {name: sha256(content).hexdigest() for name, content in sorted(files.items())}
    manifest = _text({**about, "files": digests}).encode()
    target = Path(os.path.realpath(folder))
    fresh, old = (target.with_name(f".{target.name}.{what}.{os.getpid()}") for what in ("new", "old"))
    try:
        fresh.mkdir(parents=True)
        for name, content in {**files, MANIFEST: manifest}.items():
            (fresh / name).write_bytes(content)
        _replace(target, fresh, old)
    except OSError as error:
        raise _refusal(folder, f"cannot be written: {error.strerror}") from None
    finally:
        shutil.rmtree(fresh, ignore_errors=True)


def _replace(target: Path, fresh: Path, old: Path) -> None:
    """Puts a folder in the place of another, or leaves that as it was."""
    if not target.exists():
        fresh.rename(target)
        return
    target.rename(old)
    try:
        fresh.rename(target)
    except BaseException:
        old.rename(target)
        raise
    shutil.rmtree(old, ignore_errors=True)


def _replaceable(folder: Path) -> bool:
    """Whether a folder is empty, or a result and nothing else."""
    present = {path.name for path in folder.iterdir()}
    if not present:
        return True
    with suppress(OSError, ValueError, AttributeError, TypeError):
        manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        return "lsim" in manifest and present <= {MANIFEST, *manifest["files"]}
    return False


def _check_parent(folder: Path) -> None:
    parent = Path(os.path.realpath(folder)).parent
    while not parent.exists():
        parent = parent.parent
    if not parent.is_dir():
        raise _refusal(folder, f"cannot be made: {parent} is not a folder")
    if not os.access(parent, os.W_OK | os.X_OK):
        raise _refusal(folder, f"cannot be made: no permission to write to {parent}")


def _exists(folder: Path) -> bool:
    try:
        return folder.exists()
    except OSError as error:
        raise _refusal(folder, f"cannot be used: {error.strerror}") from None


def _refusal(folder: Path, problem: str) -> InputError:
    return InputError(problem, file="--out", place=str(folder))


def _text(content: Mapping[str, Any]) -> str:
    return json.dumps(content, indent=1, allow_nan=False) + "\n"
