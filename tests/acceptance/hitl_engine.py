"""The console script `hitl-engine`, by its file."""

import sys

from hitl_services.engine.main import main

if __name__ == "__main__":
    sys.exit(main())
