"""`python -m trunkline` is the command `trunkline`."""

from __future__ import annotations

from trunkline.cli import main

main()
