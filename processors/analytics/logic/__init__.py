"""Pure logic of analytics: volumes, handle times, trends of containment and quality, and the warning of a fall.

`step` is the fold; it uses `volumes` (rows by cell and arrival interval), `closings` (what has ended since the last
tick, in `figures`), `handled` (their times), `trends` (by span of time, told as `containment` and `quality`), `keeping`
(to forget what is long past), `fall` (a test for containment that falls), `explain` (the intents that explain it) and
`warning` (the alerts).
"""

from processors.analytics.logic.step import step

__all__ = ["step"]
