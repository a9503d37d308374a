"""`python -m local_stack.campaign`: see the package."""

import sys

from local_stack.campaign.runs import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
