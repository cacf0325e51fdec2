"""Steps of graphs, and a graph of them."""

from typing import Any

from hitl_events import Recipe, hitl


def fetch(so_far: dict[str, Any]) -> Any:
    return {"doc": so_far["input"]}


def answer(so_far: dict[str, Any]) -> Any:
    return f"answer on {so_far['steps']['fetch']['doc']}"


def improve(so_far: dict[str, Any]) -> Any:
    times = sum(name.startswith("g") for name in so_far["gates"])
    return f"improved {times}"


def send(so_far: dict[str, Any]) -> Any:
    return "sent"


def nothing(so_far: dict[str, Any]) -> None: ...


def graph(**gate: Any) -> Recipe:
    return (
        Recipe("r", version="1")
        .step("fetch", fetch)
        .step("answer", answer, after="fetch")
        .use(hitl("g", **gate), after="answer")
        .step("send", send, after="g", once=True)
    )
