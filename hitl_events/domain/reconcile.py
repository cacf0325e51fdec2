"""Words of the gate that asks whether a `once` step happened (DESIGN 4.8)."""

from __future__ import annotations

RECONCILE_KIND = "reconcile"
RECONCILE_PREFIX = "reconcile:"
"""Names of the gates; no recipe may use them for its own."""

HAPPENED, DID_NOT_HAPPEN, ABANDON = "happened", "did_not_happen", "abandon"
VERDICTS = (HAPPENED, DID_NOT_HAPPEN, ABANDON)
ABANDONED = "Abandoned"
"""`StepFailed.error` of a step that a human gave up."""
