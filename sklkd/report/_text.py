"""A report as text."""

from __future__ import annotations

import textwrap

from sklkd.report._contents import Contents
from sklkd.report._sections import cells, sections, title

PAGE = 100
"""Characters of a printed line."""


def text(report: Contents) -> str:
    """The whole report, no line longer than a page."""
    head = [["", *report.rows], ["", *(report.names[model] for model in report.rows)]]
    lines = [title(report), *_table([*head, *cells(report)])]
    for section in sections(report):
        lines.append(section.heading)
        lines += _table([section.head, *section.body], "  ") if section.body else []
        lines += [_wrapped(line) for line in section.lines]
    return "\n".join(lines)


def _table(table: list[list[str]], indent: str = "") -> list[str]:
    widths = [max(len(line[j]) for line in table) for j in range(len(table[0]))]
    lines = []
    for block in _blocks(widths, PAGE - len(indent)):
        for line in table:
            aligned = [line[j].rjust(widths[j]) for j in block]
            lines.append(indent + "  ".join([line[0].ljust(widths[0]), *aligned]).rstrip())
    return lines


def _wrapped(line: str) -> str:
    return textwrap.fill(line, PAGE, initial_indent="  ", subsequent_indent="    ")


def _blocks(widths: list[int], page: int) -> list[list[int]]:
    """The columns of a table but the first, in groups that fit a page beside it."""
    blocks: list[list[int]] = []
    used = 0
    for j in range(1, len(widths)):
        used += widths[j] + 2
        if not blocks or used > page:
            blocks.append([])
            used = widths[0] + widths[j] + 2
        blocks[-1].append(j)
    return blocks
