"""How events that were recorded in an older schema become what today's code knows.

Stored bytes are never encoded again: their digests are in the chain. What is read of them goes
through these functions instead, each from one version of an event to the next, as long as the
log lives. `schemas/README.md` says when one is needed: not for a nullable field that was added.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

Fields: TypeAlias = dict[str, Any]
Upcaster: TypeAlias = Callable[[Fields], Fields]
"""Pure: the fields of an event of version N, by name, to those of version N + 1."""
Upcasters: TypeAlias = Mapping[tuple[str, int], Upcaster]

UPCASTERS: Upcasters = {}
"""By name and the version that they take: (`StepFailed`, 1) takes what was written with
`superseded/StepFailed.1.avsc`. One that was released is never changed."""
