"""Records that no engine may take, and must survive: data for tests of any intake.

`poisons(target)` gives some two hundred kinds for the two inbound topics. Put each there: it ends
as a dead letter with its reason, key, value and headers byte for byte, and harms neither its
neighbours nor the run at whose gate it aims.
"""

from hitl_events.testing.poison.kinds import poisons
from hitl_events.testing.poison.record import Poison, Target

__all__ = ["Poison", "Target", "poisons"]
