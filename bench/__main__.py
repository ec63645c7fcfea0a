"""`python -m bench SUITE`: the same as `trunkline bench SUITE`."""

import sys

from bench.cli import bench
from schemas.errors import TrunklineError

try:
    bench(prog_name="python -m bench")
except TrunklineError as problem:
    print(f"bench: {problem}", file=sys.stderr)
    sys.exit(1)
