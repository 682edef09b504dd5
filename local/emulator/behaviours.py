"""The lists of documented and guessed behaviours. They stand in the package's docstring and nowhere else."""

from collections.abc import Iterator

import local.emulator


def behaviours() -> dict[str, list[str]]:
    """Each heading of the package's docstring with its items."""
    sections: dict[str, list[str]] = {}
    lines = (local.emulator.__doc__ or "").splitlines()
    items: list[str] = []
    for line, following in _with_following(lines):
        if following and set(following) == {"-"}:
            items = sections.setdefault(line, [])
        elif line.startswith("- "):
            items.append(line.removeprefix("- "))
        elif line.startswith("  ") and items:
            items[-1] += " " + line.strip()
    return sections


def _with_following(lines: list[str]) -> Iterator[tuple[str, str]]:
    return zip(lines, [*lines[1:], ""], strict=True)
