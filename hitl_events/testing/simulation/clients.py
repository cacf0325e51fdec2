"""Those who submit: honest, late, repeating, confused and hostile ones."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from random import Random
from typing import Any

from hitl_events.domain.refusals import Reason
from hitl_events.domain.token import TokenKeys
from hitl_events.ports import Clock
from hitl_events.testing.simulation.ledger import Ledger, Pause
from hitl_events.testing.simulation.sent import Kind, Sent

_STRANGE = (
    b"",
    b"not json",
    b"{",
    b'{"verdict": "approve"',
    b'{"token": "\xff"}',
    b"\xc3\x01" + bytes(20),
)
"""Bytes that are no record: `unreadable`, or `unknown_schema` for the last."""


class Clients:
    """Makes submissions; who sends them, and how, is the world's business."""

    def __init__(self, random: Random, keys: TokenKeys, clock: Clock) -> None:
        self._random = random
        self._keys = keys
        self._clock = clock
        self._made = 0
        self._past: list[Sent] = []

    def fresh(self, prefix: str) -> str:
        """A name that was not there before."""
        self._made += 1
        return f"{prefix}:{self._made}"

    def start(self, run_id: str | None, recipe: str) -> Sent:
        """A new run, now and then of a recipe that nobody knows; without an id it gets one."""
        dead: tuple[Reason, ...] = ("run_exists",)
        if self._random.random() < 0.04:
            recipe, dead = "nobody-knows", ("run_exists", "unknown_recipe")
        fields = {"recipe": recipe, "input": self.fresh("out")}
        named = {} if run_id is None else {"run_id": run_id}
        return self._sent("start", fields | named, run_id, dead=dead)

    def start_again(self, first: Sent) -> Sent:
        """The same start, redelivered; or another one with its id."""
        fields = dict(first.fields)
        if self._random.random() < 0.3:
            fields["input"] = self.fresh("out")
        return self._sent("start", fields, first.run_id, dead=first.dead)

    def cancel(self, run_id: str) -> Sent:
        """A cancellation, which comes too late where the run has ended."""
        fields = {"run_id": run_id, "reason": self.fresh("why")}
        return self._sent("cancel", fields, run_id, dead=("run_ended", "unknown_run"))

    def unblock(self, run_id: str) -> Sent:
        """A request to try a blocked run again."""
        fields = {"run_id": run_id, "by": "operator"}
        return self._sent("unblock", fields, run_id, dead=("run_ended", "unknown_run"))

    def decision(self, ledger: Ledger, pause: Pause) -> Sent:
        """Some decision about a pause: most are good ones."""
        fields = self._honest(ledger, pause)
        drawn = self._random.random()
        if drawn < 0.6:
            return self._decide(ledger, pause, fields)
        makers: tuple[Callable[[Ledger, Pause, dict[str, Any]], Sent], ...] = (
            self._other_digest,
            self._unknown_verdict,
            self._bad_data,
            self._forged,
            self._ghost,
            self._foreign,
            self._repeat,
            self._conflict,
        )
        return self._random.choice(makers)(ledger, pause, fields)

    def good(self, ledger: Ledger, pause: Pause) -> Sent:
        """A decision that an open gate in time must take, and that leads a loop out."""
        fields = self._honest(ledger, pause)
        about = pause.event.about
        fields["verdict"] = "approve" if about is None else self._random.choice(_WORDS)
        fields["data"] = self._output(pause) if about is not None else None
        fields = {name: held for name, held in fields.items() if held is not None}
        return self._decide(ledger, pause, fields)

    def unknown_verdict(self, ledger: Ledger, pause: Pause) -> Sent:
        """A decision with a verdict that no gate offers."""
        return self._unknown_verdict(ledger, pause, self._honest(ledger, pause))

    def strange(self) -> tuple[bytes, Sent]:
        """Bytes for the intake that are no decision, or one with a field that is none."""
        value = self._random.choice((*_STRANGE, b'{"token":"hitl_x","verdict":"approve","why":1}'))
        dead: tuple[Reason, ...] = ("unreadable", "invalid_decision", "unknown_schema")
        return value, self._sent("decide", {}, None, dead=dead)

    def _honest(self, ledger: Ledger, pause: Pause) -> dict[str, Any]:
        random = self._random
        fields: dict[str, Any] = {
            "token": self._token(ledger, pause),
            "verdict": random.choice(pause.event.verdicts),
            "decision_id": self.fresh("dec") if random.random() < 0.8 else None,
            "decided_by": random.choice((None, "ann", "bob")),
            "notes": random.choice((None, "fine", "ü")),
        }
        if random.random() < 0.3:
            fields["draft_digest"] = pause.event.draft_digest.hex()
        if random.random() < 0.5:
            fields["data"] = self._output(pause)
        return {name: held for name, held in fields.items() if held is not None}

    def _output(self, pause: Pause) -> dict[str, Any] | None:
        if pause.event.about is not None:
            return {"output": self.fresh("out")}
        return {"score": 3} if pause.event.data_schema is not None else None

    def _other_digest(self, ledger: Ledger, pause: Pause, fields: dict[str, Any]) -> Sent:
        return self._decide(ledger, pause, fields | {"draft_digest": "ab" * 32})

    def _unknown_verdict(self, ledger: Ledger, pause: Pause, fields: dict[str, Any]) -> Sent:
        return self._decide(ledger, pause, fields | {"verdict": "perhaps"})

    def _bad_data(self, ledger: Ledger, pause: Pause, fields: dict[str, Any]) -> Sent:
        return self._decide(ledger, pause, fields | {"data": {"score": "high"}})

    def _forged(self, ledger: Ledger, pause: Pause, fields: dict[str, Any]) -> Sent:
        token = str(fields["token"])
        at = self._random.randrange(len(token))
        other = "A" if token[at] != "A" else "B"
        fields["token"] = token[:at] + other + token[at + 1 :]
        return self._sent("decide", fields, None, dead=("invalid_token",))

    def _ghost(self, ledger: Ledger, pause: Pause, fields: dict[str, Any]) -> Sent:
        """A token with a good MAC of a run that this log has not."""
        fields["token"] = self._keys.issue("ghost", 2, bytes(16), self._keys.kid)
        return self._sent("decide", fields, "ghost", dead=("unknown_run",))

    def _foreign(self, ledger: Ledger, pause: Pause, fields: dict[str, Any]) -> Sent:
        """A token of a run that had the same id in another log of the same key."""
        fields["token"] = self._keys.issue(
            ledger.run_id, pause.event.seq, b"x" * 16, self._keys.kid
        )
        return self._sent("decide", fields, ledger.run_id, dead=("invalid_token",))

    def _repeat(self, ledger: Ledger, pause: Pause, fields: dict[str, Any]) -> Sent:
        """An earlier decision once more, word for word; without an id of its own it is another."""
        first = self._earlier()
        if first is None:
            return self._decide(ledger, pause, fields)
        return self._again(first, {})

    def _conflict(self, ledger: Ledger, pause: Pause, fields: dict[str, Any]) -> Sent:
        """The id of an earlier decision, if it had one, on other content."""
        first = self._earlier()
        if first is None:
            return self._decide(ledger, pause, fields)
        sent = self._again(first, {"notes": self.fresh("other")})
        self._past.append(sent)  # a refused one is redelivered too
        return sent

    def _earlier(self) -> Sent | None:
        return self._random.choice(self._past) if self._past else None

    def _again(self, first: Sent, other: Mapping[str, Any]) -> Sent:
        sent = self._sent("decide", {**first.fields, **other}, first.run_id)
        sent.pause, sent.decision_id = first.pause, first.fields.get("decision_id")
        return sent

    def _decide(self, ledger: Ledger, pause: Pause, fields: dict[str, Any]) -> Sent:
        sent = self._sent("decide", fields, ledger.run_id)
        sent.pause = pause.event.seq
        sent.decision_id = fields.get("decision_id")
        self._past.append(sent)
        return sent

    def _token(self, ledger: Ledger, pause: Pause) -> str:
        seed = ledger.started.seed if ledger.started else b""
        token = self._keys.issue(ledger.run_id, pause.event.seq, seed, pause.event.token_kid)
        assert token is not None
        return token

    def _sent(
        self,
        kind: Kind,
        fields: Mapping[str, Any],
        run_id: str | None,
        *,
        dead: tuple[Reason, ...] = (),
    ) -> Sent:
        return Sent(
            kind=kind, fields=fields, run_id=run_id, dead=dead, arrived_at=self._clock.now()
        )


_WORDS = ("happened", "did_not_happen", "abandon")
