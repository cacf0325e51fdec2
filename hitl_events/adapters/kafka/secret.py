"""A text that no repr, log, error or traceback may show."""

from __future__ import annotations

HIDDEN = "***"


class Secret:
    """Holds a secret; `reveal()` is said only where it goes to the broker."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        """The text itself."""
        return self._text

    def scrubbed(self, message: str) -> str:
        """A message of somebody else's without this secret in it."""
        return message.replace(self._text, HIDDEN) if self._text else message

    def __repr__(self) -> str:
        return HIDDEN

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._text == self._text

    def __hash__(self) -> int:
        return hash(self._text)
