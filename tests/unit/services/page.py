"""What a browser makes of a page."""

from html.parser import HTMLParser

TAGS = {
    *("html", "head", "meta", "title", "style", "body", "h1", "p", "table", "thead", "tbody"),
    *("tr", "th", "td", "span", "code", "br"),
}

ATTRIBUTES = {
    *("lang", "charset", "http-equiv", "content", "name", "class", "title", "data-t"),
}


class Read(HTMLParser):
    """What a browser makes of a page: its tags, their attributes, its text."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.links: set[str | None] = set()
        self.ids: list[str | None] = []
        self.text = ""
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """A tag begins."""
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}
        self.links |= {held for name, held in attrs if name in {"href", "src"}}
        self.ids += [held for name, held in attrs if name == "id"]

    def handle_data(self, data: str) -> None:
        """Text between tags."""
        self.text += data
