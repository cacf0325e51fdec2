"""The recipes of the golden histories; like those they stay as they are for ever."""

from typing import Any

from pydantic import BaseModel

from hitl_events import GateExpired, Recipe, Retry, Run, StepError, hitl, recipe


class Notes(BaseModel):
    """What a reviewer fills in."""

    clause: str
    severity: int = 1


def write_draft(topic: str) -> dict[str, Any]:
    """A step that makes what is reviewed."""
    return {"title": topic, "lines": 3}


def publish(draft: dict[str, Any]) -> str:
    """A step that must not happen twice."""
    return f"published {draft['title']}"


def reserve(request: dict[str, Any]) -> str:
    """A step that can be taken back."""
    return f"reserved {request['seats']}"


def release(reservation: str) -> str:
    """What takes it back."""
    return f"released {reservation}"


def charge(request: dict[str, Any]) -> float:
    """A step that fails at times."""
    return float(request["seats"]) * 12.5


@recipe("golden-review", version="1")
async def review(run: Run, request: dict[str, Any]) -> Any:
    """Draft, review with revisions, publish once."""
    draft = await run.step(write_draft, request["topic"])
    verdicts = ("approve", "deny", "request_changes")
    decision = await run.gate("legal-review", draft=draft, verdicts=verdicts, data=Notes)
    while decision.verdict == "request_changes":
        clause = decision.data.clause if decision.data else "?"
        draft = await run.step(write_draft, f"{request['topic']} ({clause})")
        decision = await run.gate("legal-review", draft=draft, verdicts=verdicts, data=Notes)
    if decision.verdict == "deny":
        return {"refused": decision.notes, "at": run.now().isoformat(), "number": run.random()}
    return await run.step(publish, draft, once=True)


@recipe("golden-booking", version="1")
async def booking(run: Run, request: dict[str, Any]) -> Any:
    """Several at the same time; what is done can be undone."""
    await run.step(reserve, request, undo=release)
    retry = Retry(3, initial_s=30)
    return await run.all(
        run.step(charge, request, retry=retry),
        run.gate("confirm", draft={"seats": request["seats"]}, kind="external"),
    )


booking.configure(undo_on=("cancelled", "failed"))


@recipe("golden-deadline", version="1")
async def deadline(run: Run, on_expiry: str | None) -> Any:
    """A gate that does not wait for ever."""
    try:
        decision = await run.gate("ship", kind="schedule", expires_in=3600, on_expiry=on_expiry)
    except GateExpired as expired:
        return await run.gate(f"after-{expired.gate}", verdicts=("go",), expires_in=60)
    return [decision.verdict, decision.decided_by]


@recipe("golden-fragile", version="1")
async def fragile(run: Run, request: dict[str, Any]) -> Any:
    """A recipe that lives with a failed step."""
    try:
        return await run.step(charge, request)
    except StepError as error:
        return {"failed": error.step, "error": error.error, "id": str(run.uuid())}


def draft_of(artefact: dict[str, Any]) -> Any:
    """The first node of the graph."""
    return {"asked": artefact["input"]}


def send(artefact: dict[str, Any]) -> Any:
    """The last one."""
    return sorted(artefact["steps"])


graph = (
    Recipe("golden-graph", version="1")
    .step("draft", draft_of)
    .use(hitl("sign-off", revise="draft"), after="draft")
    .step("archive", send)
    .step("send", send, after="sign-off", once=True)
)

RECIPES = (review, booking, deadline, fragile, graph)
