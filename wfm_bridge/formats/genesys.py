"""The file that Genesys Cloud imports as WFM history: people's load by 15 minutes, queue and media type.

Header, forms and limits:
https://help.mypurecloud.com/articles/prepare-the-historical-data-import-csv-file and
https://help.mypurecloud.com/articles/historical-data-import-validation-errors/
"""

from __future__ import annotations

from collections import defaultdict
from typing import BinaryIO

from runtime.errors import SettingsError
from schemas.fields import Channel
from wfm_bridge.formats import Asked
from wfm_bridge.formats.comma_separated import instant, write_lines
from wfm_bridge.history.grid import Grid
from wfm_bridge.people import PeopleLoad, people_load

HEADER = (
    "Interval Start UTC Date", "Queue", "Media Type", "Skill Set", "Language", "Offered", "Interactions Handled",
    "Total Handle Time",
)  # fmt: skip
"""The import refuses any other header."""
MEDIA_TYPES = {
    Channel.VOICE: "VOICE",
    Channel.CHAT: "CHAT",
    Channel.MESSAGING: "MESSAGE",
    Channel.EMAIL: "EMAIL",
    Channel.SOCIAL: "MESSAGE",
}
"""Those of the import are VOICE, CHAT, EMAIL, CALLBACK and MESSAGE; social messages are MESSAGE there."""


class _Genesys:
    suffix = ".csv"
    tables = ("genesys",)

    def check(self, asked: Asked) -> None:
        """Raise SettingsError where no tenant is named, or only changes are asked for."""
        if asked.tenant is None:
            raise SettingsError("--format genesys is for one organisation: say whose contacts with --tenant")
        if asked.changed_since is not None:
            raise SettingsError(
                "--format genesys takes no --changed-since: Genesys Cloud adds no corrections to a history it has, so "
                "export all of it again"
            )

    def write(self, _table: str, grid: Grid, out: BinaryIO) -> int:
        """Write a line for each interval, queue and media type: channels of one media type are one."""
        loads: dict[tuple[int, str, str], PeopleLoad] = defaultdict(PeopleLoad)
        for row in grid.handle_times():
            place = (row.interval_start, row.queue, MEDIA_TYPES[row.channel])
            loads[place] = loads[place].plus(people_load(row))
        lines = (
            (instant(start), queue, media_type, "", "", load.offered, load.handled, round(load.seconds))
            for (start, queue, media_type), load in sorted(loads.items(), key=lambda item: item[0])
        )
        return write_lines(out, HEADER, lines)


FORMAT = _Genesys()
