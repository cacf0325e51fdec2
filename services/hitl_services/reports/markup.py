"""HTML that holds together by itself: nothing is loaded, nothing runs, every value is escaped."""

from __future__ import annotations

import html

from hitl_services.text import harmless, harmless_json, harmless_lines

_POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
"""Should a browser find something to load or to run all the same: it must not."""

_STYLE = """
:root { color-scheme: light dark; --ink: #1a1a1a; --paper: #fff; --dim: #5a5a5a; --line: #bbb;
  --wrong: #8c1c13; --good: #1e6130; --open: #7a4b00; --box: #f4f4f2; --link: #0b4fa0 }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e8e6e3; --paper: #16181a; --dim: #a3a09a; --line: #4a4d50; --wrong: #ff9d8f;
    --good: #8fd6a2; --open: #f0c060; --box: #202326; --link: #8fc0ff }
}
body { font: 14px/1.45 system-ui, sans-serif; margin: 2em auto; padding: 0 1.5em;
  max-width: 80em; color: var(--ink); background: var(--paper); overflow-wrap: anywhere }
h1 { font-size: 1.5em }
h2 { font-size: 1.25em; margin: 0 0 .4em }
h3 { font-size: 1.05em; margin: 1.6em 0 .4em }
h4 { font-size: 1em; margin: 0 0 .4em }
a { color: var(--link) }
table { border-collapse: collapse; width: 100% }
th, td { text-align: left; vertical-align: top; padding: .3em .6em; overflow-wrap: anywhere }
th { white-space: nowrap }
td { min-width: 4.5em }
thead th { border-bottom: 2px solid var(--dim) }
tbody { border-bottom: 1px solid var(--line) }
.rows tr { border-bottom: 1px solid var(--line) }
code, pre { font: 12px/1.4 ui-monospace, monospace }
pre { white-space: pre-wrap; overflow-wrap: anywhere; margin: 0 }
dl { display: grid; grid-template-columns: minmax(6em, max-content) 1fr; gap: .15em 1em; margin: 0 }
dt { color: var(--dim) }
dd { margin: 0; min-width: 0 }
ol { margin: 0; padding-left: 1.6em }
summary { color: var(--dim); cursor: pointer }
.run { border-top: 3px solid var(--dim); padding-top: 1em; margin-top: 2.5em }
.gate { border: 1px solid var(--line); border-radius: 6px; padding: .8em 1em; margin: 0 0 1em }
.draft { background: var(--box); border-left: 4px solid var(--dim); padding: .7em 1em;
  margin: .6em 0 }
.refused { color: var(--wrong) }
.good { color: var(--good) }
.open { color: var(--open) }
.dim { color: var(--dim) }
.nowrap { white-space: nowrap }
@media screen and (max-width: 42em) {
  body { margin: 1em auto; padding: 0 .8em }
  table, tbody, tr, td { display: block; width: auto }
  thead { display: none }
  td { padding: .1em 0; min-width: 0 }
  td:empty { display: none }
  td[data-t]::before { content: attr(data-t) " "; color: var(--dim) }
  tr { padding: .5em 0; border-bottom: 1px solid var(--line) }
  dl { grid-template-columns: 1fr; gap: 0 }
  dd { margin-bottom: .3em }
}
@media print {
  :root { --ink: #000; --paper: #fff; --dim: #444; --line: #aaa; --wrong: #700; --good: #040;
    --open: #530; --box: #fff; --link: #000 }
  body { margin: 0; padding: 0; max-width: none; font-size: 10px }
  code, pre { font-size: 9px }
  thead { display: table-header-group }
  tbody, tr { break-inside: avoid }
  .rows tbody { break-inside: auto }
  h2, h3, h4 { break-after: avoid }
  .run { break-before: page; border: 0; margin: 0 }
  details::details-content { content-visibility: visible; block-size: auto }
}
"""


def escaped(text: str) -> str:
    """One line of foreign text: no markup, nothing that turns the reading direction or hides."""
    return html.escape(harmless(text), quote=True)


def escaped_lines(text: str) -> str:
    """As `escaped`, with the line ends of the text."""
    return "<br>".join(html.escape(line, quote=True) for line in harmless_lines(text))


def escaped_json(data: bytes) -> str:
    """Recorded JSON as it is; characters that nobody would see are escapes, which mean the same."""
    return html.escape(harmless_json(data.decode()), quote=True)


def cell(title: str, markup: str, mark: str = "") -> str:
    """A cell, which says what it is where there is no room for the head of the table."""
    return f'<td data-t="{title}"{mark}>{markup}</td>'


def page_head(title: str) -> str:
    """The page up to its first heading."""
    shown = escaped(title)
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{shown}</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n<h1>{shown}</h1>\n"
    )


def table_head(titles: tuple[str, ...], mark: str = "") -> str:
    """A table up to its first row."""
    named = "".join(f"<th>{title}</th>" for title in titles)
    return f"<table{mark}>\n<thead><tr>{named}</tr></thead>\n"


def page_foot() -> str:
    """The end of the page."""
    return "</body>\n</html>\n"
