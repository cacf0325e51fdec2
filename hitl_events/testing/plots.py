"""Random plots: what a seed makes of the acts, and what a change of code makes of a plot."""

from __future__ import annotations

from dataclasses import replace
from random import Random
from typing import TypeVar

from hitl_events.recipes.recipe import UNDO_ON, UndoOn
from hitl_events.testing.scripts import (
    REVISE,
    Act,
    AllAct,
    DrawAct,
    GateAct,
    Graph,
    LoopAct,
    NodeAct,
    Plot,
    Script,
    StepAct,
    UndoAct,
)

ACTS_MAX = 5
DEPTH_MAX = 2
_NAMES = ("a", "b", "c")
"""Few, so that names come up again: occurrence 2, 3, ..."""
_GRAPH_SHARE = 0.15

_Named = TypeVar("_Named", bound=StepAct | GateAct)


def random_plot(random: Random) -> Plot:
    """A recipe that a seed gives."""
    if random.random() < _GRAPH_SHARE:
        return _graph(random)
    acts = tuple(_act(random, DEPTH_MAX) for _ in range(random.randint(1, ACTS_MAX)))
    return Script(acts=acts, undo_on=_undo_on(random))


def changed(random: Random, plot: Plot) -> Plot:
    """The plot after somebody worked on it: one act is gone, new, renamed or moved."""
    if isinstance(plot, Graph):
        last = plot.nodes[-1]
        return replace(plot, nodes=(*plot.nodes[:-1], replace(last, act=_renamed(last.act))))
    acts = list(plot.acts)
    at = random.randrange(len(acts))
    match random.randrange(4):
        case 0:
            acts.insert(at, _act(random, 0))
        case 1 if len(acts) > 1:
            del acts[at]
        case 2 if len(acts) > 1:
            acts.insert(0, acts.pop(at))
        case _:
            acts[at] = _other(acts[at])
    return replace(plot, acts=tuple(acts))


def _other(act: Act) -> Act:
    match act:
        case StepAct() | GateAct():
            return _renamed(act)
        case LoopAct():
            return replace(act, revise=_renamed(act.revise))
        case _:
            return StepAct(name="other")


def _renamed(act: _Named) -> _Named:
    return replace(act, name=f"{act.name}2")


def _act(random: Random, depth: int) -> Act:
    drawn = random.random()
    if drawn < 0.42:
        return _step(random)
    if drawn < 0.70:
        return _gate(random)
    if drawn < 0.80:
        gate = replace(_gate(random), verdicts=("approve", "deny", REVISE))
        return LoopAct(gate=gate, revise=_step(random))
    if drawn < 0.91 and depth > 0:
        return AllAct(branches=tuple(_branch(random, depth) for _ in range(random.randint(2, 3))))
    return UndoAct() if drawn < 0.97 else DrawAct()


def _branch(random: Random, depth: int) -> tuple[Act, ...]:
    return tuple(_act(random, depth - 1) for _ in range(random.randint(1, 2)))


def _step(random: Random) -> StepAct:
    return StepAct(
        name=random.choice(_NAMES),
        once=random.random() < 0.35,
        attempts=random.choice((1, 1, 2, 3)),
        pause_s=random.choice((0.0, 0.5, 5.0)),
        undo=random.random() < 0.4,
        caught=random.random() < 0.5,
    )


def _gate(random: Random) -> GateAct:
    expires_s = random.choice((None, None, 0.0, 2.0, 10.0))
    on_expiry = random.choice((None, "approve", "deny", "lapse"))
    return GateAct(
        name="g" + random.choice(_NAMES),
        expires_s=expires_s,
        on_expiry=None if expires_s is None else on_expiry,
        kind=random.choice(("human", "external", "system", "schedule")),
        fields=random.random() < 0.25,
        caught=random.random() < 0.7,
        denied=random.choice(("go", "go", "stop", "raise")),
    )


def _undo_on(random: Random) -> tuple[UndoOn, ...]:
    return tuple(name for name in UNDO_ON if random.random() < 0.4)


def _graph(random: Random) -> Graph:
    nodes: list[NodeAct] = []
    for index in range(random.randint(1, 4)):
        names = [node.act.name for node in nodes]
        after = tuple(random.sample(names, random.randint(0, min(2, len(names)))))
        steps = [node.act.name for node in nodes if isinstance(node.act, StepAct)]
        if random.random() < 0.6:
            act: StepAct | GateAct = replace(_step(random), name=f"n{index}")
            nodes.append(NodeAct(act=act, after=after))
        else:
            revise = random.choice(steps) if steps and random.random() < 0.4 else None
            act = replace(_gate(random), name=f"n{index}")
            nodes.append(NodeAct(act=act, after=after, revise=revise))
    return Graph(nodes=tuple(nodes), undo_on=_undo_on(random))
