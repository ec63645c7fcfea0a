"""Staffing mathematics: what a load does to a number of agents, and how many agents a load needs."""

from processors.staffing.logic.erlang.blocking import erlang_b, log_erlang_b, servers_for_blocking
from processors.staffing.logic.erlang.checks import MAX_AGENTS, ErlangInputError
from processors.staffing.logic.erlang.required import (
    Requirement,
    Targets,
    agents_required,
    carried_per_minute,
    meets,
    required,
    scheduled,
)
from processors.staffing.logic.erlang.service import Load, Service, performance
from processors.staffing.logic.erlang.waiting import asa_seconds, erlang_c_wait_probability, occupancy, service_level

__all__ = [
    "MAX_AGENTS",
    "ErlangInputError",
    "Load",
    "Requirement",
    "Service",
    "Targets",
    "agents_required",
    "asa_seconds",
    "carried_per_minute",
    "erlang_b",
    "erlang_c_wait_probability",
    "log_erlang_b",
    "meets",
    "occupancy",
    "performance",
    "required",
    "scheduled",
    "servers_for_blocking",
    "service_level",
]
