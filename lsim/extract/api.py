"""Traces from configurations: `from_config`."""

from pathlib import Path

from lsim.errors import TraceError
from lsim.extract.config import Config, read_config
from lsim.extract.families import FAMILIES, family
from lsim.extract.request import Request
from lsim.trace.check import build
from lsim.trace.document import Document
from lsim.trace.ir import Trace


def document_of(config: Config, request: Request, name: str = "") -> Document:
    """The folded document of a configuration's model, for one run."""
    kind = family(config)
    try:
        return FAMILIES[kind](name or _named(kind, request), config, request)
    except TraceError as error:
        raise error.at(file=config.file) from None


def from_config(config: Config | str | Path, request: Request, name: str = "") -> Trace:
    """The trace of a configuration's model, for one run; `config` may be the path of a config.json."""
    config = config if isinstance(config, Config) else read_config(config)
    return build(document_of(config, request, name))


def _named(kind: str, r: Request) -> str:
    """Family, phase and sizes."""
    sizes = [f"source-{r.source}" if r.source else "", f"batch-{r.batch}" if r.batch > 1 else ""]
    tokens = str(r.tokens or "") if r.phase.value == "prefill" else str(r.context or "")
    phase = r.phase.value if tokens else ""
    return "-".join(part for part in (kind.lower(), phase, tokens, *sizes) if part)
