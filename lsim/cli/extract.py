"""`lsim trace from-config` and `lsim trace from-torch`: traces of a user's own model."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from lsim.cli.generations import save
from lsim.cli.making import MOST
from lsim.errors import InputError

if TYPE_CHECKING:
    from lsim.extract.request import Request
    from lsim.trace import Trace

_SIZE = click.IntRange(1, 2**40)
_COUNT = click.IntRange(1, MOST)
_FILE = click.Path(path_type=Path)
_OPTIONS = (
    click.option("--phase", type=click.Choice(["prefill", "decode", "generate"]), default="prefill", show_default=True,
                 help="The whole prompt (image, sequence) at once; one new token; or, from a configuration, a generation: both, "
                 "for all new tokens."),
    click.option("--tokens", type=_SIZE, metavar="N", help="Tokens of the prompt or sequence."),
    click.option("--context", type=_SIZE, metavar="M", help="Tokens that a decode step sees, the new one included."),
    click.option("--batch", type=_SIZE, default=1, show_default=True, metavar="B", help="Sequences or images at once."),
    click.option("--source", type=_SIZE, metavar="N", help="Tokens that the encoder of an encoder-decoder model reads."),
    click.option("--routing", type=click.Choice(["balanced", "concentrated"]), default="balanced", show_default=True,
                 help="Which experts tokens go to: all equally often, or the same for every token."),
    click.option("--name", default="", metavar="NAME", help="Name of the trace; else made of the model and the sizes."),
    click.option("-o", "--out", type=_FILE, required=True, metavar="FILE", help="Trace file to write."),
)  # fmt: skip


def _sized(command: Callable[..., None]) -> Callable[..., None]:
    """With the options that say what one run reads, and where the trace goes."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


@click.command("from-config")
@click.argument("config", type=_FILE, metavar="CONFIG.JSON")
@click.option("--prompt", type=_COUNT, metavar="P", help="Of a generation: tokens of the prompt.")
@click.option("--new", type=_COUNT, metavar="G", help="Of a generation: new tokens of each sequence.")
@_sized
def from_config(
    config: Path, name: str, out: Path, prompt: int | None, new: int | None, **sizes: Any
) -> None:
    """Builds the trace of a model from its configuration alone: no PyTorch, no weights.

    The configuration is one of Hugging Face Transformers or diffusers; its 'model_type' says which family it is of.
    """
    from lsim.cli.formats import naming
    from lsim.extract.api import document_of
    from lsim.extract.config import read_config
    from lsim.trace.check import build
    from lsim.trace.text import text_of

    if sizes["phase"] == "generate":
        _generate(config, name, out, prompt, new, sizes)
        return
    for option, value in (("--prompt", prompt), ("--new", new)):
        if value is not None:
            raise InputError("says the size of a generation: add --phase generate", place=option)
    document = document_of(read_config(config), _request(sizes), name)
    with naming(config):
        trace = build(document)
    _save(trace, text_of(document), out)


@click.command("from-torch")
@click.argument("target", metavar="[MODULE:CALLABLE]", required=False)
@click.option("--hf", metavar="CLASS", help="A model class of Transformers or diffusers, with --config.")
@click.option("--config", type=_FILE, metavar="CONFIG.JSON", help="The configuration of --hf CLASS.")
@click.option(
    "--allow-unknown", is_flag=True, help="Keep operators that lsim does not know as movement of their data."
)
@_sized
def from_torch(
    target: str | None,
    hf: str | None,
    config: Path | None,
    allow_unknown: bool,
    name: str,
    out: Path,
    **sizes: Any,
) -> None:
    """Records the trace of a live PyTorch module, on the meta device: no weights, no GPU.

    MODULE:CALLABLE is called without arguments and returns the module and its example inputs, those by keyword in a
    dict at the end: (module, input, ..., {"keyword": input}). It says all sizes itself.
    """
    from lsim.extract.api import from_class
    from lsim.extract.config import read_config
    from lsim.trace import dumps

    if sizes["phase"] == "generate":
        raise InputError("a module is recorded for one step: from-config builds generations", place="--phase")
    if (target is None) == (hf is None) or (hf is None) != (config is None):
        raise InputError("takes MODULE:CALLABLE, or --hf CLASS with --config CONFIG.JSON", place="from-torch")
    if hf is not None and config is not None:
        trace = from_class(hf, read_config(config), _request(sizes), name, allow_unknown=allow_unknown)
    else:
        trace = _called(target or "", name, sizes, allow_unknown)
    _save(trace, dumps(trace), out)


def _generate(
    config: Path, name: str, out: Path, prompt: int | None, new: int | None, sizes: dict[str, Any]
) -> None:
    """Writes the file of a generation."""
    from lsim.extract.api import generation_of
    from lsim.extract.config import read_config
    from lsim.trace.generation import check
    from lsim.trace.text import text_of
    from lsim.units import plural

    if prompt is None or new is None:
        raise InputError("a generation needs its size", place="--prompt" if prompt is None else "--new")
    for size in ("tokens", "context"):
        if sizes[size] is not None:
            raise InputError("a generation has --prompt and --new", place=f"--{size}")
    request = _request({**sizes, "phase": "prefill"})
    made = check(generation_of(read_config(config), request, prompt, new, name))
    path = save(out, text_of(made.document))
    steps = f"{len(made.steps):,} {plural(len(made.steps), 'step')}"
    told = f"{made.total_macs:,} MACs in {steps}, {made.parameters:,} parameters"
    click.echo(f"{path}  {made.name}: {told}")
    _tell(made.document.conventions)


def _request(sizes: dict[str, Any]) -> Request:
    from lsim.extract.request import Phase, Request

    return Request(Phase(sizes.pop("phase")), **sizes)


def _called(target: str, name: str, sizes: dict[str, Any], allow_unknown: bool) -> Trace:
    """The trace of the module that a callable returns."""
    from lsim.extract.api import traced
    from lsim.extract.target import load_target

    for size, default in (
        ("phase", "prefill"),
        ("tokens", None),
        ("context", None),
        ("batch", 1),
        ("source", None),
    ):
        if sizes[size] != default:
            raise InputError(f"{target} says itself what its inputs are", place=f"--{size}")
    module, inputs, keywords = load_target(target)
    return traced(module, inputs, keywords, name, sizes["routing"], allow_unknown)


def _save(trace: Trace, text: str, out: Path) -> None:
    from lsim.trace.files import write_text

    try:
        write_text(out, text)
    except OSError as error:
        raise InputError(f"cannot be written: {error.strerror}", file=out) from None
    sizes = f"{trace.macs:,} MACs in {len(trace.operators):,} operators, {trace.parameters:,} parameters"
    click.echo(f"{out}  {trace.name}: {sizes}")
    _tell(trace.conventions)


def _tell(conventions: Iterable[str]) -> None:
    """Prints what a user may not expect of a trace."""
    from lsim.trace.positions import BEYOND

    for line in conventions:
        if line.startswith(("Unknown", "Parameters that", "Quantised", "Masks that", BEYOND)):
            click.echo(f"note: {line}")
