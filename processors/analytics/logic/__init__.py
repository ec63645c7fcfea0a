"""Pure logic of analytics: volumes, containment trends, and the early warning of a fall in containment.

`step` is the fold; it uses `volumes` (rows by cell and arrival interval), `closings` (AI contacts that ended since the
last tick), `trends` (their containment by span of time, with `keeping` to forget what is long past), `fall` (a test
for containment that falls), `explain` (the intents that explain it) and `warning` (the alerts).
"""

from processors.analytics.logic.step import step

__all__ = ["step"]
