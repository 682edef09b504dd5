"""What is counted of the rows of a file. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field

LINE_NUMBERS = 100  # kept for each reason


@dataclass
class Tally:
    """What was counted. ``read`` is the number of rows: lines that are neither blank nor the header.

    Every row read is valid, invalid or suppressed. A valid row of which a field had to be left out is ``partial`` too,
    under the reason of the first such field.
    """

    read: int = 0
    valid: int = 0
    blank: int = 0
    header: bool = False
    invalid: dict[str, int] = field(default_factory=dict)
    invalid_lines: dict[str, list[int]] = field(default_factory=dict)
    suppressed: int = 0
    partial: dict[str, int] = field(default_factory=dict)
    partial_lines: dict[str, list[int]] = field(default_factory=dict)

    @property
    def lines(self) -> int:
        """How many lines were looked at."""
        return self.read + self.blank + self.header

    @property
    def invalid_rows(self) -> int:
        """How many rows are invalid, whatever the reason."""
        return sum(self.invalid.values())

    @property
    def partial_rows(self) -> int:
        """How many valid rows lack a field that they had."""
        return sum(self.partial.values())

    def accept(self, rows: int, *, suppressed: int = 0) -> None:
        """Count rows that are sent, but for so many of them that are suppressed."""
        self.read += rows
        self.valid += rows - suppressed
        self.suppressed += suppressed

    def refuse(self, reason: str, line_number: int) -> None:
        """Count a row that is not sent."""
        self.read += 1
        _count(self.invalid, self.invalid_lines, reason, line_number)

    def curtail(self, reason: str, line_number: int) -> None:
        """Count a row, accepted elsewhere, that is sent without one of its fields."""
        _count(self.partial, self.partial_lines, reason, line_number)

    def add(self, later: Tally) -> None:
        """Count what follows in the file, whose line numbers begin anew."""
        before = self.lines
        self.read += later.read
        self.valid += later.valid
        self.blank += later.blank
        self.header = self.header or later.header
        self.suppressed += later.suppressed
        for counts, lines, more, more_lines in (
            (self.invalid, self.invalid_lines, later.invalid, later.invalid_lines),
            (self.partial, self.partial_lines, later.partial, later.partial_lines),
        ):
            for reason, count in more.items():
                counts[reason] = counts.get(reason, 0) + count
                kept = [*lines.get(reason, ()), *(before + line for line in more_lines[reason])]
                lines[reason] = kept[:LINE_NUMBERS]


def _count(counts: dict[str, int], lines: dict[str, list[int]], reason: str, line_number: int) -> None:
    reason = str(reason)
    counts[reason] = counts.get(reason, 0) + 1
    kept = lines.setdefault(reason, [])
    if len(kept) < LINE_NUMBERS:
        kept.append(line_number)
