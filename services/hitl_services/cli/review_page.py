"""The review page of a gate for people: what was shown, of whom it was asked, what came before."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from hitl_events.domain import canonical
from hitl_events.domain.events import Event
from hitl_events.domain.references import shown
from hitl_events.projections.decisions import DecisionRow
from hitl_events.projections.reviews import Review, StepBefore, open_reviews
from hitl_services.cli.display import in_a_line, summary
from hitl_services.cli.pages import OUTPUT_LINES_MAX, STYLES
from hitl_services.cli.screen import Line
from hitl_services.text import clock, cut, harmless

_DRAFT_LINES_MAX = 10_000
"""The page is what was shown: a draft is not shortened, as far as a terminal can hold it."""
_DRAFT_WIDTH = 1_000_000
"""Nor are its lines cut; an event has 900 KiB."""
_LABEL = "            "


def review_page(page: Review, width: int) -> Iterator[Line]:
    """The whole page, the draft as it was shown."""
    pause = page.pause
    yield [
        ("run ", "bold"),
        (pause.run_id, "bold"),
        f"  {harmless(pause.recipe)} {harmless(pause.version)}",
    ]
    yield from _asked(page, width)
    yield ["  draft"]
    draft = shown(page.draft)
    for line in summary(draft, width=_DRAFT_WIDTH, lines_max=_DRAFT_LINES_MAX):
        yield ["    ", line]
    yield []
    yield [("input", "bold")]
    for line in summary(canonical.loads(page.input), width=width - 2, lines_max=OUTPUT_LINES_MAX):
        yield ["  ", line]
    yield from _before(page, width)


def review_details(events: Sequence[Event], width: int) -> Iterator[Line]:
    """Of each gate that is open after these events: what the page of an outcome does not say."""
    for page in open_reviews(events):
        yield []
        yield from _asked(page, width)
        yield from _before(page, width)


def _asked(page: Review, width: int) -> Iterator[Line]:
    pause = page.pause
    status = (pause.status, STYLES.get(pause.status, "bold"))
    name = f"{harmless(pause.gate)}:{pause.occurrence}"
    yield [("review ", "bold"), (name, "bold"), "  ", status, f"  opened by event {pause.seq}"]
    yield [f"  opened    {clock(pause.opened_at)}"]
    if pause.expires_at is not None:
        verdict = pause.on_expiry
        then = "undecided" if verdict is None else f"the schedule decides {harmless(verdict)}"
        yield [f"  deadline  {clock(pause.expires_at)}, then {then}"]
    yield [f"  kind      {harmless(pause.pause_kind)}"]
    if pause.about is not None:
        about = f"step {harmless(pause.about.step)} ({pause.about.occurrence})"
        yield [f"  about     whether {about} happened"]
    policy = "who bears the token; the event names nobody"
    if pause.policy is not None:
        policy = in_a_line(canonical.loads(pause.policy), width - len(_LABEL))
    yield [f"  asked     {policy}"]
    yield [f"  verdicts  {', '.join(map(harmless, pause.verdicts))}"]
    yield from _schema(page, width)
    yield [f"  digest    {pause.draft_digest.hex()}"]
    if not page.is_as_digested:
        yield [
            _LABEL,
            ("the draft has another digest: hitl verify tells more", STYLES["error"]),
        ]


def _schema(page: Review, width: int) -> Iterator[Line]:
    if page.data_schema is None:
        yield ["  data      none is taken"]
        return
    yield ["  data      with a decision, if it fits"]
    schema = canonical.loads(page.data_schema)
    for line in summary(schema, width=width - len(_LABEL), lines_max=_DRAFT_LINES_MAX):
        yield [_LABEL, line]


def _before(page: Review, width: int) -> Iterator[Line]:
    came: list[StepBefore | DecisionRow] = sorted(
        (*page.steps, *page.decisions), key=lambda each: each.seq
    )
    if not came:
        return
    yield []
    yield [("before it", "bold")]
    for each in came:
        head = f"  {each.seq:>5}  {clock(each.at)}  "
        yield [(head, "dim"), cut(_told(each), width - len(head))]


def _told(each: StepBefore | DecisionRow) -> str:
    if isinstance(each, DecisionRow):
        who = "the schedule" if each.channel == "schedule" else each.decided_by or "nobody named"
        return harmless(f"{each.verdict} by {who} at {each.gate}:{each.occurrence}")
    name = harmless(f"{each.kind} {each.step}")
    if each.output is None:
        return harmless(f"{name} failed: {each.error}: {each.message}")
    return f"{name}: {in_a_line(shown(each.output), None)}"
