"""Our loop as a pass-through: what the router's transport costs by itself. `python -m bench.passthrough`."""

from __future__ import annotations

import click

from runtime.control import ControlFollower
from runtime.loop import TransactionalLoop
from runtime.options import SERVICE, with_settings
from runtime.service import service
from runtime.settings import Settings
from runtime.snapshot import Snapshot
from runtime.start import service_codec
from runtime.step import Batch, LoopOptions
from schemas.envelope import Packed
from schemas.topics import CLOCK, OFFERED, ROUTED

NAME = "passthrough"


class Forward:
    """Forwards keys and values to one topic (a `runtime.loop.Step`)."""

    def begin(self) -> None:
        """Nothing is remembered."""

    def step(self, batch: Batch) -> list[Packed]:
        """Return each record, on the topic of decisions."""
        return [Packed(ROUTED.name, record.key, record.value) for record in batch.records]

    def kept(self) -> None:
        """Nothing is remembered."""

    def sealed(self) -> None:
        """Nothing is remembered."""

    def committed(self) -> None:
        """Nothing is remembered."""

    def aborted(self) -> None:
        """Nothing is remembered."""

    def dropped(self, partitions: frozenset[int]) -> None:
        """Nothing is remembered."""

    def wake_seconds(self, _snapshot: Snapshot) -> float | None:
        """Return None: nothing happens without a record."""
        return None


@click.command(help=__doc__)
@with_settings(*SERVICE)
def main(settings: Settings) -> None:
    """Run until SIGTERM."""
    with service(NAME, settings) as process:
        control = ControlFollower(settings, NAME, (CLOCK,), service_codec(settings, process))
        control.read_to_end()
        TransactionalLoop(settings, NAME, OFFERED, Forward(), control, LoopOptions()).run(process)


if __name__ == "__main__":
    main()
