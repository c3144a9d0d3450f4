"""One list of dependencies, in pyproject.toml: the lock, conda and the imports agree with it."""

import ast
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import Version

import condi_lib

CHECKOUT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((CHECKOUT / "pyproject.toml").read_text())["project"]
SET_UP_FILES = ("pyproject.toml", "requirements.lock", "environment.yml", "Makefile", ".ci/run")


def declared(*extras: str) -> dict[str, Requirement]:
    """The dependencies in pyproject.toml, with those of the extras, by canonical name."""
    lines = list(PROJECT["dependencies"])
    for extra in extras:
        lines += PROJECT["optional-dependencies"][extra]
    requirements = [Requirement(line) for line in lines]
    assert len({r.name for r in requirements}) == len(requirements), "declared twice"
    return {canonicalize_name(r.name): r for r in requirements}


def locked() -> list[Requirement]:
    """The lines of requirements.lock; a package has several where Python versions need it."""
    return [Requirement(line) for line in (CHECKOUT / "requirements.lock").read_text().splitlines()]


def lock_problems(wanted: dict[str, Requirement], lock: list[Requirement]) -> list[str]:
    """Declared packages that the lock lacks, or holds in a version that was not asked for."""
    versions: dict[str, list[str]] = {name: [] for name in wanted}
    for pin in lock:
        versions.setdefault(canonicalize_name(pin.name), []).append(str(pin.specifier)[2:])
    absent = [f"{name} is not locked" for name in wanted if not versions[name]]
    wrong = [
        f"{name}=={version} does not satisfy {requirement}"
        for name, requirement in wanted.items()
        for version in versions[name]
        if version not in requirement.specifier
    ]
    return absent + wrong


def third_party_imports(source: str) -> Iterator[str]:
    """The top-level modules that a file imports, less this package and the standard library."""
    for node in ast.walk(ast.parse(source)):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            names = [node.module or ""]
        for name in {name.partition(".")[0] for name in names}:
            if name not in sys.stdlib_module_names and name != "condi_lib":
                yield name


def test_every_declared_dependency_is_locked_in_a_version_that_satisfies_it():
    assert lock_problems(declared("study", "test", "cluster"), locked()) == []


def test_a_lock_that_lags_behind_is_noticed():
    wanted = {"av": Requirement("av>=18"), "numpy": Requirement("numpy>=2")}
    lock = [Requirement("numpy==1.26.4 ; python_version < '3.12'"), Requirement("numpy==2.4.6")]
    assert lock_problems(wanted, lock) == [
        "av is not locked",
        "numpy==1.26.4 does not satisfy numpy>=2",
    ]


def test_the_lock_pins_every_package_to_one_version_per_platform():
    for pin in locked():
        assert pin.url is None, pin
        assert [spec.operator for spec in pin.specifier] == ["=="], pin


def test_conda_gets_python_and_pip_and_leaves_the_rest_to_pyproject():
    environment = yaml.safe_load((CHECKOUT / "environment.yml").read_text())
    python, pip, pip_lines = environment["dependencies"]
    assert environment["name"] == PROJECT["name"]
    assert Version(python.removeprefix("python=")) in SpecifierSet(PROJECT["requires-python"])
    assert pip == "pip"
    (line,) = pip_lines["pip"]
    extras = re.fullmatch(r"-e \.\[(.+)\]", line)[1].split(",")
    assert set(extras) == {"study", "test", "cluster"} <= set(PROJECT["optional-dependencies"])


def test_make_installs_the_same_extras_as_conda():
    environment = yaml.safe_load((CHECKOUT / "environment.yml").read_text())
    (line,) = environment["dependencies"][-1]["pip"]
    assert line.replace("-e ", "-e '") + "'" in (CHECKOUT / "Makefile").read_text()


@pytest.mark.parametrize("name", SET_UP_FILES)
def test_set_up_names_no_address(name):
    """Where packages come from is the user's choice: mirrors and proxies must keep working."""
    found = re.findall(
        r"\S*://\S*|\S*(?:index-url|find-links|trusted-host)\S*",
        (CHECKOUT / name).read_text(),
    )
    assert found == []


def test_every_third_party_import_is_declared():
    """For use, notebooks or options: no room may need a package that only another one brings."""
    allowed = declared("study", "hugging_face")
    distributions = packages_distributions()
    undeclared = [
        f"{path.relative_to(CHECKOUT)} imports {module}: add its package to pyproject.toml"
        for path in sorted((CHECKOUT / "condi_lib").rglob("*.py"))
        for module in third_party_imports(path.read_text())
        if not any(canonicalize_name(d) in allowed for d in distributions.get(module, []))
    ]
    assert undeclared == []


def test_imports_are_found_wherever_they_stand():
    source = "import os, cv2\nfrom . import clips\ndef f():\n    from sklearn.svm import SVC\n"
    assert sorted(third_party_imports(source)) == ["cv2", "sklearn"]


def test_citation_carries_the_package_version_and_licence():
    citation = yaml.safe_load((CHECKOUT / "CITATION.cff").read_text())
    assert str(citation["version"]) == condi_lib.__version__
    assert citation["license"] == PROJECT["license"]


def test_importing_the_package_is_quick():
    """``condi --help`` and tab completion must not wait seconds for torch."""
    code = "import sys, condi_lib, condi_lib.paths; print('torch' in sys.modules)"
    answer = subprocess.run(
        [sys.executable, "-c", code], cwd=CHECKOUT, check=True, capture_output=True, text=True
    )
    assert answer.stdout.strip() == "False"
