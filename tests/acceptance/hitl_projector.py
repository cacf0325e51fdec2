"""The console script `hitl-projector`, by its file."""

import sys

from hitl_services.projector.main import main

if __name__ == "__main__":
    sys.exit(main())
