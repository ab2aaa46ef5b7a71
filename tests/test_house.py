"""Where a line of code may live: imports point down only, and what else holds of the whole source."""

import ast
from collections.abc import Iterator
from itertools import combinations
from pathlib import Path

import networkx
import pytest

ROOT = Path(__file__).resolve().parent.parent
SOURCES = sorted((ROOT / "lsim").rglob("*.py"))
COMMANDS = sorted((ROOT / "scripts").iterdir())

# What a room may import from, itself aside; `lsim` is the version, which is all that may be asked of the public face.
_MACHINE = {"errors", "units", "trace", "arch", "kernel", "plan", "parts"}
BELOW = {
    "errors": set(),
    "data": set(),
    "units": {"errors"},
    "widths": {"errors", "units"},
    "trace": {"errors", "units", "data"},
    "extract": {"errors", "units", "widths", "trace"},
    "arch": {"errors", "units", "widths", "data"},
    "kernel": {"errors", "units"},
    "plan": {"errors", "units", "trace", "arch", "kernel"},
    "parts": {"errors", "units", "trace", "arch", "kernel", "plan"},
    "models": {"errors", "units", "trace", "arch", "kernel", "plan", "parts"},
    "results": {"errors", "units", "trace", "arch", "kernel", "plan", "parts", "models", "lsim"},
    "report": {"errors", "units", "trace", "arch", "kernel", "plan", "results", "models", "ledger", "lsim"},
    "simulate": {"errors", "units", "trace", "arch", "kernel", "plan", "parts", "models", "results"},
    "ledger": _MACHINE | {"models", "results", "simulate"},
    "generate": {"errors", "trace", "arch", "kernel", "parts", "results", "simulate"},
    "export": {"errors", "units", "arch", "kernel", "plan", "results", "lsim"},
    "__main__": {"cli"},
}
# the command line uses every room that is no part of a machine
BELOW["cli"] = {*BELOW, "lsim"} - {"kernel", "parts", "__main__"}
STRANGERS = ("trace", "arch", "kernel")


def module_of(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def imports(tree: ast.AST) -> Iterator[str]:
    """Every module that is imported, and every name from one as `module.name`, wherever in the file."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def room(module: str) -> str:
    parts = module.split(".")
    return "lsim" if parts[:2] in (["lsim"], ["lsim", "__version__"]) else parts[1]


@pytest.mark.parametrize("path", SOURCES, ids=module_of)
def test_do_imports_point_down_only(path):
    module = module_of(path)
    if module == "lsim":
        return  # the public face names things of every room
    mine = room(module)
    used = {room(name) for name in imports(ast.parse(path.read_text())) if name.split(".")[0] == "lsim"}
    assert used <= BELOW[mine] | {mine}


def test_are_trace_arch_and_kernel_strangers():
    for one, other in combinations(STRANGERS, 2):
        assert other not in BELOW[one]
        assert one not in BELOW[other]


def test_is_no_module_part_of_a_cycle():
    graph = networkx.DiGraph()
    known = {module_of(path) for path in SOURCES} - {"lsim"}
    for path in SOURCES:
        importer = module_of(path)
        for name in imports(at_import(ast.parse(path.read_text()))):
            target = name if name in known else name.rpartition(".")[0]
            if importer in known and target in known:
                graph.add_edge(importer, target)
    assert graph.number_of_edges() > len(known)
    assert list(networkx.simple_cycles(graph)) == []


def at_import(tree: ast.Module) -> ast.Module:
    """The statements that run when the module is imported: not those for type checkers."""
    body = [s for s in tree.body if not (isinstance(s, ast.If) and "TYPE_CHECKING" in ast.unparse(s.test))]
    top = [s for s in body if isinstance(s, ast.Import | ast.ImportFrom)]
    return ast.Module(body=top, type_ignores=[])


def test_does_only_the_kernel_import_simpy():
    users = {
        room(module_of(path))
        for path in SOURCES
        if any(name.split(".")[0] == "simpy" for name in imports(ast.parse(path.read_text())))
    }
    assert users == {"kernel"}


@pytest.mark.parametrize("path", SOURCES + COMMANDS, ids=lambda path: str(path.relative_to(ROOT)))
def test_is_no_file_a_map(path):
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 400


def test_has_every_module_a_docstring():
    silent = [module_of(path) for path in SOURCES if path.stat().st_size and not docstring(path)]
    assert silent == []


def docstring(path: Path) -> str | None:
    return ast.get_docstring(ast.parse(path.read_text()))


def test_does_ci_run_the_command_of_the_readme():
    lines = (ROOT / "README.md").read_text(encoding="utf-8").splitlines()
    commands = [line for line in lines if line.startswith("python3 -m venv ")]
    assert len(commands) == 2
    assert "lsim run deit-tiny --arch lt-b-4bit" in commands[0]
    assert commands[1].endswith("-m pytest -q -n 2")
    assert "^python3 -m venv .* -m pytest" in (ROOT / ".ci" / "run").read_text(encoding="utf-8")
