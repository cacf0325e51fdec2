"""A `hitl-engine` whose timers wait for a partition that does not move for two seconds only."""

import sys
from functools import partial
from typing import Any

from hitl_events.clustered import Member
from hitl_services.engine import service
from hitl_services.engine.main import main

if __name__ == "__main__":
    module: Any = service
    module.Member = partial(Member, patience_s=2.0)
    sys.exit(main())
