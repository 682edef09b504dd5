"""What is written for people keeps up with the code."""

import ast
import json
import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
RUNBOOK = (ROOT / "docs" / "runbook.md").read_text(encoding="utf-8")
README = (ROOT / "README.md").read_text(encoding="utf-8")
ENTRIES = set(re.findall(r"^### (\w+)$", RUNBOOK, flags=re.MULTILINE))
# Classes that only sort: nothing is raised under these names.
NEVER_BURIED = {"connector_error", "retryable", "rejected", "invalid_input"}


def reasons_in(source: str) -> set[str]:
    """Every reason that a module can give an error: as a class's attribute, or as an argument, by a constant or not."""
    found: set[str] = set()
    module = ast.parse(source)
    constants = {name: text for node in module.body if isinstance(node, ast.Assign) for name, text in _constant(node)}
    for node in ast.walk(module):
        match node:
            case ast.keyword(arg="reason", value=ast.Name(id=name)) if name in constants:
                found.add(constants[name])
            case ast.Assign(targets=[ast.Name(id="reason")], value=ast.Constant(value=str(reason))):
                found.add(reason)
            case ast.keyword(arg="reason", value=ast.Constant(value=str(reason))):
                found.add(reason)
    return found


def _constant(node: ast.Assign) -> list[tuple[str, str]]:
    match node:
        case ast.Assign(targets=[ast.Name(id=name)], value=ast.Constant(value=str(text))):
            return [(name, text)]
    return []


def anchors_of(path: Path) -> set[str]:
    """What a page's headings are reached by, in GitHub's way."""
    headings = re.findall(r"^#+ (.+)$", path.read_text(encoding="utf-8"), flags=re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_every_reason_has_an_entry_in_the_runbook_and_no_entry_is_left_over() -> None:
    reasons = {reason for path in (ROOT / "lambdas").rglob("*.py") for reason in reasons_in(path.read_text())}
    said_by_the_consumer = {"interrupted"}
    said_by_the_command = {"undelivered", "redriven"}

    assert (reasons - NEVER_BURIED) | said_by_the_consumer | said_by_the_command == ENTRIES


@pytest.mark.parametrize("key", json.loads((ROOT / "cdk.context.json").read_text()))
def test_every_key_of_the_context_is_explained_in_the_readme(key: str) -> None:
    assert f"`{key}`" in README


def test_every_link_between_documents_leads_somewhere() -> None:
    for path in [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]:
        for target in re.findall(r"\]\((?!https?:|#)([^)#]+)", path.read_text(encoding="utf-8")):
            assert (path.parent / target).exists(), f"{path.name} links to {target}"


def test_every_link_to_a_heading_leads_to_one() -> None:
    for path in [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]:
        for target, anchor in re.findall(r"\]\((?!https?:)([^)#]*)#([^)]+)\)", path.read_text(encoding="utf-8")):
            assert anchor in anchors_of(path.parent / target if target else path), f"{path.name}: {target}#{anchor}"


@pytest.mark.parametrize("source", sorted((ROOT / "imgs").glob("*.dot")), ids=lambda path: path.name)
def test_every_picture_is_drawn_from_its_source(source: Path) -> None:
    drawn = subprocess.run(  # noqa: S603 - the project's own tool
        [ROOT / "node_modules" / ".bin" / "wasm-graphviz-cli", "-T", "svg", source],
        capture_output=True,
        check=True,
    ).stdout

    assert source.with_suffix(".svg").read_bytes() == drawn, "run: make pictures"
