"""A recipe to try a cluster with: a draft, a review, an announcement.

    hitl run announcement --input '{"text": "we move"}'

It touches nothing outside of its run, so it may run anywhere.
"""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from hitl_events import Run, recipe

TEXT_CHARACTERS_MAX = 10_000


class Request(BaseModel):
    """What is to be announced."""

    model_config = ConfigDict(extra="forbid")

    text: str = Field(min_length=1, max_length=TEXT_CHARACTERS_MAX)


def draft(request: Request) -> str:
    """The text as a sentence."""
    text = " ".join(request.text.split())
    return f"{text[:1].upper()}{text[1:].rstrip('.')}."


def revise(text: str, notes: str | None) -> str:
    """The notes are the new text."""
    return draft(Request(text=notes or text))


def announce(text: str) -> str:
    """In earnest this would send something that cannot be called back."""
    return f"Announced: {text}"


@recipe("announcement", version="1")
async def announcement(run: Run, request: Request) -> str:
    """Nothing is announced before somebody approved exactly this text."""
    text = await run.step(draft, request)
    while True:
        review = await run.gate(
            "review", draft=text, verdicts=("approve", "deny", "request_changes")
        )
        if review.verdict != "request_changes":
            break
        text = await run.step(revise, text, review.notes)
    if review.verdict == "deny":
        return "Not announced."
    return await run.step(announce, text, once=True)
