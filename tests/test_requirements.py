"""setup.cfg declares what the package imports, with the extra that needs it, and nothing that no code uses."""

from __future__ import annotations

import ast
import re
import sys
from configparser import ConfigParser
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

PROJECT = Path(__file__).parent.parent
EXTRAS = {
    "catalogue": "check",
    "check": "check",
    "drift": "check",
    "ops/compression.py": "zstd",
    "statestore/server": "server",
    "statestore/vectors": "vectors",
}
"""The folders and files that an extra is for; all others need nothing but the base."""
WITHOUT_IMPORT = {
    "httptools": "uvicorn's protocol is made of it",
    "sqlite-utils": "for people at the shell, and for scripts and tests",
    "uvloop": "uvicorn takes it as its loop",
}


def requirements(extra: str) -> set[str]:
    setup = ConfigParser()
    setup.read(PROJECT / "setup.cfg")
    text = setup["options"]["install_requires"] if extra == "" else setup["options.extras_require"][extra]
    return {_normal(re.split(r"[\[<>=!;\s]", line)[0]) for line in text.strip().splitlines()}


def imports(extra: str, *calls: str) -> dict[str, set[str]]:
    """Distribution → files of the extra's folders that import it."""
    of_module = {module: _normal(names[0]) for module, names in packages_distributions().items()}
    found: dict[str, set[str]] = {}
    for path in sorted((PROJECT / "pkg" / "diglot").rglob("*.py")):
        place = path.relative_to(PROJECT / "pkg" / "diglot").as_posix()
        if extra != next((EXTRAS[part] for part in EXTRAS if f"{place}/".startswith(f"{part}/")), ""):
            continue
        for module in _imported(ast.parse(path.read_text()), ("import_module", *calls)):
            if module not in sys.stdlib_module_names and module != "diglot":
                found.setdefault(of_module.get(module, module), set()).add(place)
    return found


@pytest.mark.parametrize("extra", ["", *sorted(set(EXTRAS.values()))])
def test_what_is_imported_is_declared(extra: str) -> None:
    declared = requirements("") | (requirements(extra) if extra else set())
    missing = {name: files for name, files in imports(extra).items() if name not in declared}
    assert missing == {}


@pytest.mark.parametrize("extra", ["", *sorted(set(EXTRAS.values()))])
def test_what_is_declared_is_used(extra: str) -> None:
    used = set(imports(extra, "find_spec")) | set(WITHOUT_IMPORT)
    if extra == "":
        used |= {name for each in set(EXTRAS.values()) for name in imports(each)}
    assert requirements(extra) - used == set()


def test_a_driver_s_extra_is_declared_only_where_its_package_is_imported() -> None:
    assert "psycopg-pool" not in {name for extra in ("", *EXTRAS.values()) for name in imports(extra)}
    assert "psycopg[binary]" in (PROJECT / "setup.cfg").read_text()


def _imported(tree: ast.AST, calls: tuple[str, ...]) -> set[str]:
    """The modules that are imported, by a statement or by one of these functions."""
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.add(node.module.partition(".")[0])
        elif isinstance(node, ast.Call) and _name(node.func) in calls:
            names = [arg.value for arg in node.args if isinstance(arg, ast.Constant) and isinstance(arg.value, str)]
            found |= {name.partition(".")[0] for name in names}
    return found


def _name(node: ast.expr) -> str:
    return node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
