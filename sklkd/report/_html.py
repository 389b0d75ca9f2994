"""A report as HTML: a fragment for notebooks, and a page of its own."""

from __future__ import annotations

from html import escape

from sklkd.report._contents import Contents
from sklkd.report._sections import cells, sections, title

STYLE = """
:root { color-scheme: light dark; --text: #1b1f24; --faint: #59636e; --line: #d1d9e0; --page: #fff; --band: #f6f8fa; }
@media (prefers-color-scheme: dark) {
  :root { --text: #e6edf3; --faint: #9198a1; --line: #3d444d; --page: #0d1117; --band: #151b23; }
}
body { background: var(--page); color: var(--text); font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto;
  max-width: 72rem; padding: 0 1rem; }
h1 { font-size: 1.5rem; margin: 0 0 1rem; }
h2 { font-size: 1.05rem; margin: 2rem 0 .5rem; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
caption { color: var(--faint); padding-bottom: .4rem; text-align: left; }
th, td { border-bottom: 1px solid var(--line); padding: .25rem .7rem; text-align: right; white-space: nowrap; }
th:first-child { text-align: left; }
thead th { vertical-align: bottom; }
tbody th { font-weight: normal; }
tbody tr:nth-child(even) { background: var(--band); }
li { max-width: 60rem; }
"""
"""Of the page; a notebook has its own."""


def fragment(report: Contents) -> str:
    """Tables and lists without a page around them."""
    return _models(report, title(report)) + _rest(report)


def page(report: Contents) -> str:
    """A document that refers to no other file."""
    head = escape(title(report))
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{head}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n<h1>{head}</h1>\n"
        f"{_models(report, '')}{_rest(report, 'h2')}\n</body>\n</html>\n"
    )


def _models(report: Contents, caption: str) -> str:
    head = ["", *(f"{model} ({report.names[model]})" for model in report.rows)]
    return _table(head, cells(report), caption)


def _rest(report: Contents, tag: str = "h4") -> str:
    parts = []
    for section in sections(report):
        parts.append(f"<{tag}>{escape(section.heading)}</{tag}>")
        if section.body:
            parts.append(_table(section.head, section.body))
        parts.append(_list(section.lines))
    return "".join(parts)


def _table(head: list[str], body: list[list[str]], caption: str = "") -> str:
    lines = "".join(_line("td", line, "row") for line in body)
    above = f"<caption>{escape(caption)}</caption>" if caption else ""
    return (
        f'<div class="wide"><table>{above}<thead>{_line("th", head, "col")}</thead><tbody>{lines}</tbody></table></div>'
    )


def _line(tag: str, line: list[str], scope: str) -> str:
    first, *others = map(escape, line)
    scoped = f'{tag} scope="col"' if tag == "th" else tag
    return f'<tr><th scope="{scope}">{first}</th>{"".join(f"<{scoped}>{cell}</{tag}>" for cell in others)}</tr>'


def _list(lines: list[str]) -> str:
    items = "".join(f"<li>{escape(line)}</li>" for line in lines)
    return f"<ul>{items}</ul>" if items else ""
