"""A report as a model card."""

from __future__ import annotations

from typing import Any

from sklkd.report._contents import Contents
from sklkd.report._sections import Section, cells, sections, title

RESULTS = "Model description/Evaluation Results"
"""The section of a card that skops has for measures."""


def model_card(report: Contents, model: Any) -> Any:
    """A card of skops with the report in it."""
    try:
        from skops import card
    except ImportError as error:
        raise ImportError("DistillationReport.to_model_card needs skops: pip install skops.") from error
    made = card.Card(model) if model is not None else card.Card(None, model_diagram=False, template=None)
    named = [["", *(f"{one} ({report.names[one]})" for one in report.rows)], *cells(report)]
    made.add(**{RESULTS: f"{title(report)}, none of which the student was trained on."})
    for section in [Section("Models", named[0], named[1:]), *sections(report)]:
        text = "\n".join(f"- {line}" for line in section.lines)
        made.add(**{f"{RESULTS}/{_heading(section)}": "\n\n".join(filter(None, [_table(section), text]))})
    return made


def _heading(section: Section) -> str:
    return section.heading.replace("/", " or ")  # which skops takes for a section in another


def _table(section: Section) -> str:
    """The section's table in Markdown."""
    if not section.body:
        return ""
    lines = [section.head, ["---", *["--:"] * (len(section.head) - 1)], *section.body]
    return "\n".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |" for line in lines)
