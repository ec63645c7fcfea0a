"""The report of a demonstration: figures from the witness, and the invariants that they must meet."""

from __future__ import annotations

from collections import Counter
from typing import Any

from schemas.agents import Transition
from schemas.envelope import iso_time
from schemas.fields import MICROS_PER_SECOND, BreakerState
from schemas.wfm import StaffingRequirement
from trunkline.demo.observe import Witness, percentile

MOST_DETECT_SECONDS = 5.0
MOST_REACT_SECONDS = 1.0


def build(witness: Witness, endpoint: str, fault_at: int, offered_by_acd: int) -> dict[str, Any]:
    """Return the report as JSON data. fault_at: when the endpoint broke, UTC microseconds."""
    return {
        "offered": len(witness.offered),
        "offered_by_acd": offered_by_acd,
        "decided": witness.decided,
        "closed": len(witness.closed),
        "dead_lettered": sum(witness.dead_letters.values()),
        "lost": witness.lost,
        "duplicated": witness.duplicated,
        "pools": dict(sorted(witness.pools.items())),
        "transfers": dict(sorted(Counter(witness.transfers.values()).items())),
        "transfers_unacknowledged": witness.unacknowledged,
        "volume_rows_total": witness.volume_total,
        "volume_in_progress": witness.volume_open,
        "latency_ms": {
            "p50": _rounded(percentile(witness.latencies_ms, 0.50)),
            "p99": _rounded(percentile(witness.latencies_ms, 0.99)),
        },
        "outage": _outage(witness, endpoint, fault_at),
        "breaker_path": witness.path_of(endpoint),
    }


def _outage(witness: Witness, endpoint: str, fault_at: int) -> dict[str, Any]:
    opened = _first_open(witness, endpoint, fault_at)
    told = [
        (seen_at, event)
        for seen_at, event in witness.staffing
        if opened is not None and event.cause_endpoint == endpoint and event.cause_epoch == opened.epoch
    ]
    events = [event for _, event in told]
    staffing_at = max((seen_at for seen_at, _ in told), default=None)
    return {
        "endpoint": endpoint,
        "fault_at": iso_time(fault_at),
        "breaker_open_at": iso_time(opened.occurred_at) if opened else None,
        "staffing_at": iso_time(staffing_at) if staffing_at else None,
        "detect_seconds": _seconds(fault_at, opened.occurred_at) if opened else None,
        "react_seconds": _seconds(opened.occurred_at, staffing_at) if opened and staffing_at else None,
        "agents_required_before": sum(event.agents_required_before for event in events),
        "agents_required_after": sum(event.agents_required_after for event in events),
        "human_contacts_per_minute_before": round(sum(e.human_contacts_per_minute_before for e in events), 1),
        "human_contacts_per_minute_after": round(sum(e.human_contacts_per_minute_after for e in events), 1),
        "queues": {event.queue: _queue(event) for event in events},
    }


def _queue(event: StaffingRequirement) -> dict[str, Any]:
    return {
        "agents_required_before": event.agents_required_before,
        "agents_required_after": event.agents_required_after,
        "human_contacts_per_minute_before": round(event.human_contacts_per_minute_before, 1),
        "human_contacts_per_minute_after": round(event.human_contacts_per_minute_after, 1),
        "aht_seconds": round(event.aht_seconds, 1),
    }


def _first_open(witness: Witness, endpoint: str, fault_at: int) -> Transition | None:
    return next(
        (
            transition
            for transition in witness.transitions
            if transition.endpoint == endpoint
            and transition.to_state is BreakerState.OPEN
            and transition.occurred_at >= fault_at
        ),
        None,
    )


def failures(report: dict[str, Any]) -> list[str]:
    """Return the invariants that the run did not meet, a sentence each."""
    outage, decided = report["outage"], report["decided"]
    detect, react = outage["detect_seconds"], outage["react_seconds"]
    path = report["breaker_path"]
    checks = [
        (report["offered"] == report["offered_by_acd"], "the ACD offered more contacts than the topic holds"),
        (report["lost"] == 0, f"{report['lost']} contacts were offered and never decided"),
        (report["duplicated"] == 0, f"{report['duplicated']} decisions or closings were doubled"),
        (report["dead_lettered"] == 0, f"{report['dead_lettered']} records were dead-lettered"),
        (
            report["transfers_unacknowledged"] == 0,
            f"{report['transfers_unacknowledged']} warm transfers were never acknowledged",
        ),
        (report["closed"] == decided, f"{decided - report['closed']} decided contacts never closed"),
        (report["volume_rows_total"] == decided, f"volume rows add up to {report['volume_rows_total']}, not {decided}"),
        (report["volume_in_progress"] == 0, f"{report['volume_in_progress']} contacts are still in progress in WFM"),
        (detect is not None, "the breaker never opened"),
        (detect is None or detect <= MOST_DETECT_SECONDS, f"the breaker opened after {detect} s"),
        (react is not None, "WFM was never told"),
        (react is None or react <= MOST_REACT_SECONDS, f"WFM was told after {react} s"),
        (
            outage["agents_required_after"] > outage["agents_required_before"],
            "WFM was not told of more people than before",
        ),
        (path[-1:] == ["closed"], f"the breaker did not close again: {' -> '.join(path) or 'it never moved'}"),
    ]
    return [sentence for holds, sentence in checks if not holds]


def lines(report: dict[str, Any]) -> list[str]:
    """Return the report for a person."""
    outage, latency = report["outage"], report["latency_ms"]
    rows = [
        ("contacts", "{offered} offered, {decided} decided, {closed} closed".format(**report)),
        ("", "lost {lost}, duplicated {duplicated}, dead letters {dead_lettered}".format(**report)),
        ("pools", _counts(report["pools"])),
        ("transfers", _counts(report["transfers"])),
        ("volumes", f"wfm.volume adds up to {report['volume_rows_total']}"),
        ("latency", f"offered to decision visible: p50 {latency['p50']} ms, p99 {latency['p99']} ms"),
        (
            "outage",
            "{endpoint}: breaker open after {detect_seconds} s, WFM told {react_seconds} s later".format(**outage),
        ),
        ("", "people required {agents_required_before} -> {agents_required_after}".format(**outage)),
        ("", _contacts_line(outage)),
        ("breaker", " -> ".join(report["breaker_path"])),
    ]
    return [f"{title:10} {text}" for title, text in rows]


def _counts(counts: dict[str, int]) -> str:
    return ", ".join(f"{name} {count}" for name, count in counts.items()) or "none"


def _contacts_line(outage: dict[str, Any]) -> str:
    before, after = outage["human_contacts_per_minute_before"], outage["human_contacts_per_minute_after"]
    return f"human contacts per minute {before} -> {after}"


def _seconds(start: int, end: int) -> float:
    return round((end - start) / MICROS_PER_SECOND, 3)


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 1)
