"""What the embedded logs share: the name of their intake, and how much they keep of the past."""

from __future__ import annotations

TOPIC = "intake"
"""The topic of a record's source where there is no broker."""

ANSWERS_KEPT = 50_000
"""One submission is one commit, of which a disk takes at most 5,000 a second: who waits for an
answer has 10 s to look, as long as a lock is waited for. 3 MB on disk."""

DEAD_LETTERS_KEPT = 10_000
"""Days of a broken producer's output to look at; at 1 KB each 10 MB."""
