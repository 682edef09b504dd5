"""A judge that shares code with the judged would share its mistakes."""

import ast
from pathlib import Path

import pytest

import local.emulator

FILES = sorted(Path(local.emulator.__file__).parent.rglob("*.py"))
OURS = {"lambdas", "stacks", "cli", "bench", "test", "local"}


def imported_modules(file: Path) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level <= 1, f"{file.name} reaches outside the package"
            names.update([node.module] if node.module and not node.level else [])
    return names


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_the_emulator_imports_nothing_of_ours_outside_itself(file: Path) -> None:
    ours = {name for name in imported_modules(file) if name.split(".")[0] in OURS}
    assert ours <= {"local.emulator"}
