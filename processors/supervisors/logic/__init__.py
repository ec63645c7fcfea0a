"""Pure logic of supervisors: who watches which contact of a tenant.

`step` is the fold, `book` what is remembered of supervisors and contacts, `room` who may get another contact, `memory`
what is to be forgotten when.
"""

from processors.supervisors.logic.step import step

__all__ = ["step"]
