"""HTML that holds together by itself: nothing is loaded, nothing runs, every value is escaped."""

from __future__ import annotations

import html

from hitl_services.text import harmless, harmless_lines

_POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
"""Should a browser find something to load or to run all the same: it must not."""

_STYLE = """
body { font: 14px/1.4 system-ui, sans-serif; margin: 2em; color: #1a1a1a; background: #fff }
h1 { font-size: 1.4em }
table { border-collapse: collapse; width: 100% }
th, td { text-align: left; vertical-align: top; padding: .3em .6em; overflow-wrap: anywhere }
thead th { border-bottom: 2px solid #444 }
tbody { border-bottom: 1px solid #bbb }
code, pre { font: 12px/1.4 ui-monospace, monospace }
pre { white-space: pre-wrap; overflow-wrap: anywhere; margin: 0 }
.refused { color: #8c1c13 }
.dim { color: #5a5a5a }
.nowrap { white-space: nowrap }
@media print {
  body { margin: 0; font-size: 10px }
  code, pre { font-size: 9px }
  thead { display: table-header-group }
  tbody, tr { break-inside: avoid }
}
"""


def escaped(text: str) -> str:
    """One line of foreign text: no markup, nothing that turns the reading direction or hides."""
    return html.escape(harmless(text), quote=True)


def escaped_lines(text: str) -> str:
    """As `escaped`, with the line ends of the text."""
    return "<br>".join(html.escape(line, quote=True) for line in harmless_lines(text))


def page_head(title: str) -> str:
    """The page up to its first heading."""
    shown = escaped(title)
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{shown}</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n<h1>{shown}</h1>\n"
    )


def page_foot() -> str:
    """The end of the page."""
    return "</body>\n</html>\n"
