"""The house keeps its plan: imports go one way, and no room grows past reading in one go.

The rooms stand in ``ROOMS`` from the ground up. A module may import from lower floors and from
its own room; rooms on one floor do not know each other. A new room must be given its floor.
"""

import ast
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOMS = (
    {"paths", "digests", "locks"},
    {"chapters"},
    {"videos"},
    {"models", "losses", "confidence", "metrics", "resampling", "distributed"},
    {"statistics", "training"},
    {"clip_table"},
    {"scoring"},
    {"sampling"},
    {"cost"},
    {"evaluation"},
    {"selective"},
    {"study"},
    {"analysis"},
    {"claims"},
    {"plotting"},
    {"predict"},
    {"explore", "__main__"},
)
FLOOR = {room: floor for floor, rooms in enumerate(ROOMS) for room in rooms}
LONGEST_FUNCTION = 60
LONGEST_FILE = 350
LUMBER_ROOMS = {"utils", "util", "helpers", "common", "misc"}

CHECKOUT = Path(__file__).resolve().parents[1]


def read_package() -> dict[str, str]:
    """The source of every module of condi_lib, by dotted name; a package by its ``__init__``."""
    sources = {}
    for path in sorted((CHECKOUT / "condi_lib").rglob("*.py")):
        parts = path.relative_to(CHECKOUT).with_suffix("").parts
        sources[".".join(parts).removesuffix(".__init__")] = path.read_text()
    return sources


PACKAGE = read_package()


def own_imports(module: str, package: dict[str, str]) -> Iterator[str]:
    """The modules of the package that ``module`` imports, at its top or inside a function."""
    for node in ast.walk(ast.parse(package[module])):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            origin = absolute_origin(module, node, package)
            names = [f"{origin}.{alias.name}" for alias in node.names]
        else:
            continue
        for name in names:
            while name and name not in package:  # a function's name, or another library
                name = name.rpartition(".")[0]
            if name:
                yield name


def absolute_origin(module: str, node: ast.ImportFrom, package: dict[str, str]) -> str:
    """What stands between ``from`` and ``import``, with leading dots resolved."""
    if node.level == 0:
        return node.module or ""
    is_folder = any(name.startswith(f"{module}.") for name in package)
    parts = module.split(".")
    parts = parts[: len(parts) - node.level + is_folder]
    return ".".join([*parts, *filter(None, [node.module])])


def room_of(module: str) -> str:
    """The first name below condi_lib; empty for condi_lib itself."""
    return module.partition(".")[2].partition(".")[0]


def upward_imports(package: dict[str, str]) -> list[str]:
    """Imports from a higher floor, or from another room on the same one."""
    floor = {"": -1, **FLOOR}  # condi_lib/__init__.py lies under everything and imports nothing
    return [
        f"{module} must not import {target}"
        for module in package
        for target in own_imports(module, package)
        if room_of(module) != room_of(target) and floor[room_of(module)] <= floor[room_of(target)]
    ]


def functions(source: str) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def undocumented(source: str) -> list[str]:
    """Public functions, classes and methods without a docstring, and the module itself."""
    tree = ast.parse(source)
    missing = [] if ast.get_docstring(tree) else ["the module"]
    pending = [("", node) for node in tree.body]
    for prefix, node in pending:
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            continue
        if node.name.startswith("_"):
            continue
        if not ast.get_docstring(node):
            missing.append(prefix + node.name)
        if isinstance(node, ast.ClassDef):
            pending += [(f"{prefix}{node.name}.", child) for child in node.body]
    return missing


def test_every_room_has_its_floor():
    unknown = {room_of(module) for module in PACKAGE} - {"", *FLOOR}
    assert unknown == set(), "new rooms: give each its floor in ROOMS, above all that it imports"


def test_imports_go_one_way():
    assert upward_imports(PACKAGE) == []


def test_no_two_modules_import_each_other():
    graph = {m: set(own_imports(m, PACKAGE)) - {m} for m in PACKAGE}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(f"import cycle: {' <- '.join(error.args[1])}")


def test_no_lumber_room():
    assert [m for m in PACKAGE if m.rpartition(".")[2] in LUMBER_ROOMS] == []


@pytest.mark.parametrize("module", PACKAGE)
def test_module_can_be_read_in_one_go(module):
    source = PACKAGE[module]
    assert len(source.splitlines()) <= LONGEST_FILE
    lengths = {f.name: f.end_lineno - f.lineno + 1 for f in functions(source)}
    assert {name: n for name, n in lengths.items() if n > LONGEST_FUNCTION} == {}


@pytest.mark.parametrize("module", PACKAGE)
def test_what_is_public_has_a_docstring(module):
    assert undocumented(PACKAGE[module]) == []


@pytest.mark.parametrize(
    ("line", "allowed"),
    [
        ("from condi_lib import paths", True),
        ("from condi_lib import __version__", True),
        ("import condi_lib.training", False),
        ("from condi_lib import training", False),
        ("from condi_lib.training import train", False),
        ("from .training import train", False),
        ("def f():\n    from . import training", False),
        ("from condi_lib import models", False),  # on the same floor as losses
        ("import numpy", True),
    ],
)
def test_the_direction_of_an_import_is_recognised(line, allowed):
    rooms = ("paths", "models", "training")
    package = {"condi_lib": "", "condi_lib.losses": line}
    package |= {f"condi_lib.{room}": "" for room in rooms}
    assert (upward_imports(package) == []) is allowed


def test_relative_imports_inside_a_room_are_resolved():
    package = {
        "condi_lib": "",
        "condi_lib.videos": "from .clips import ClipGrid",
        "condi_lib.videos.clips": "from . import decode",
        "condi_lib.videos.decode": "from ..paths import data_dir",
        "condi_lib.paths": "",
    }
    found = {module: list(own_imports(module, package)) for module in package}
    assert found["condi_lib.videos"] == ["condi_lib.videos.clips"]
    assert found["condi_lib.videos.clips"] == ["condi_lib.videos.decode"]
    assert found["condi_lib.videos.decode"] == ["condi_lib.paths"]


def test_missing_docstrings_are_found_and_private_names_left_alone():
    source = (
        '"""Module."""\n'
        'class Clip:\n    """A clip."""\n    def n(self): ...\n'
        "def _f(): ...\ndef g(): ...\n"
    )
    assert undocumented(source) == ["g", "Clip.n"]
