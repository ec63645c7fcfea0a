"""The simulator against Kafka: carries what Trunkline says into the world and its effects out, in Trunkline's time."""

from __future__ import annotations

import contextlib
import random
import threading
from collections.abc import Callable, Iterator

from runtime.clock import clock_setting, now, real_now, virtual_now
from runtime.control import ControlFollower
from runtime.errors import SettingsError
from runtime.kafka import Reader, Writer
from runtime.once import look_at, write_once
from runtime.schemas_topic import publish
from runtime.settings import Settings
from schemas.codec import Codec
from schemas.control import ClockSetting, Fault, FaultKind, Policy
from schemas.fields import MICROS_PER_SECOND
from schemas.topics import ASSIGNMENTS, CLOCK, FAULTS, HANDOFFS, POLICY, PROBES, ROUTED, SUPERVISION_REQUESTS, Effect
from simulator.arrivals import Interval, bounded, by_intervals, constant_rate, midnight, read_intervals
from simulator.centre import Centre
from simulator.fleet import DEFAULT_SEVERITY
from simulator.loop import Links, Run
from simulator.options import DEFAULT_RATE_PER_SECOND, Options
from simulator.policies import demo_policy
from simulator.report import Progress, Summary
from simulator.utterances import read_utterances
from simulator.world import World

SOURCE = "simulator"
SETTLE_SECONDS = 2.0
"""Real seconds between a new clock or policy and the first offer: services apply them within one batch."""
_FLUSH_SECONDS = 30.0
_FOLLOWED = (ROUTED, HANDOFFS, ASSIGNMENTS, SUPERVISION_REQUESTS, FAULTS, PROBES)


class Simulation:
    """One run. `stop` ends it at once, with a summary; `report` gets its progress once per `report_seconds`.

    Reads the input files in the constructor, which raises SettingsError where they are of no use.
    """

    def __init__(
        self, settings: Settings, options: Options, stop: threading.Event, report: Callable[[Progress], None]
    ) -> None:
        self._settings = settings
        self._options = options
        self._stop = stop
        self._report = report
        self._utterances = read_utterances(options.utterances)
        self._intervals: list[Interval] | None = None
        if options.arrivals is not None and options.day is not None:
            self._intervals = read_intervals(options.arrivals, options.day)
        self.run_id = options.run_id or f"sim{options.seed}-{real_now() // 1000:x}"

    def run(self) -> Summary:
        """Offer, follow and finish contacts until all are closed, the drain takes too long or `stop` is set.

        Raises KafkaUnavailableError, and SettingsError where a fault names an endpoint that the policy has not.
        """
        publish(self._settings, SOURCE)
        codec = Codec()
        with contextlib.ExitStack() as resources:
            control = ControlFollower(self._settings, SOURCE, [POLICY, CLOCK], codec)
            resources.callback(control.close)
            control.read_to_end()
            reader = Reader(self._settings, [topic.name for topic in _FOLLOWED], start="end")
            resources.callback(reader.close)
            writer = Writer(self._settings, SOURCE)
            resources.callback(writer.close)
            clock, start, policy = self._prepare(control, writer)
            links = Links(codec, control, reader, writer)
            run = Run(self._options, self.run_id, clock, self._world(start, policy), links, self._stop, self._report)
            return run.to_end(start)

    def _prepare(self, control: ControlFollower, writer: Writer) -> tuple[ClockSetting | None, int, Policy]:
        """Set the clock and publish a policy where needed; return the clock, the start of traffic, the policy."""
        options, settled_at = self._options, real_now() + int(SETTLE_SECONDS * MICROS_PER_SECOND)
        clock: ClockSetting | None = None
        if options.sets_clock or not _is_real_time(clock_setting(control.snapshot)):  # an old setting would hold
            origin = midnight(options.day) if options.day is not None else settled_at
            clock = ClockSetting(origin=origin, real_origin=settled_at, speed=options.speed)
        published: Policy | None = control.snapshot.of(POLICY).get(options.tenant)
        start = virtual_now(clock, settled_at if clock is not None or published is None else real_now())
        policy = published or demo_policy(start, tenant=options.tenant, pace=options.pace, speed=options.speed)
        self._check_faults(policy)
        if clock is not None:
            writer.write(Effect(CLOCK, clock))
        if published is None:
            writer.write(Effect(POLICY, policy))
        writer.flush(_FLUSH_SECONDS)
        return clock, start, policy

    def _check_faults(self, policy: Policy) -> None:
        known = {endpoint.endpoint for endpoint in policy.endpoints}
        unknown = sorted({fault.endpoint for fault in self._options.faults} - known)
        if unknown:
            raise SettingsError(
                f"no endpoint {', '.join(unknown)} in the policy of tenant {policy.tenant!r}: "
                f"it has {', '.join(sorted(known)) or 'none'}"
            )

    def _world(self, start: int, policy: Policy) -> World:
        options = self._options
        arrivals, handling, beside = (
            random.Random(f"{purpose}-{options.seed}") for purpose in ("arrivals", "handling", "beside")
        )
        centre = Centre(
            tenant=options.tenant,
            run_id=self.run_id,
            utterances=self._utterances,
            pace=options.pace,
            people_per_queue=options.people_per_queue,
            people=options.people,
            offer_twice=options.offer_twice,
            change_matter=options.change_matter,
            supervisors=options.supervisors,
            qa_share=options.qa_share,
            qa_after_seconds=options.qa_after_seconds,
            rated_share=options.rated_share,
            callback_seconds=options.callback_seconds,
        )
        faults = [order for fault in options.faults for order in fault.orders(start)]
        world = World(centre, self._schedule(start, arrivals), arrivals, handling, beside, faults)
        world.step(0, [policy])
        return world

    def _schedule(self, start: int, rng: random.Random) -> Iterator[int]:
        options = self._options
        if self._intervals is not None:
            schedule = by_intervals(self._intervals, rng)
        else:
            schedule = constant_rate(start, options.rate_per_second or DEFAULT_RATE_PER_SECOND, rng)
        seconds = options.duration_seconds
        until = start + int(seconds * MICROS_PER_SECOND) if seconds is not None else None
        return bounded(schedule, until, options.contacts)


def _is_real_time(clock: ClockSetting | None) -> bool:
    return clock is None or (clock.speed == 1.0 and clock.origin == clock.real_origin)


def order_fault(settings: Settings, endpoint: str, kind: FaultKind, severity: float | None = None) -> Fault:
    """Order a fault of an endpoint from now on (Trunkline's time) and return it.

    Without a severity it is `fleet.DEFAULT_SEVERITY` of the kind. A simulation takes orders given while it
    runs. Raises SettingsError where no tenant's policy has the endpoint, and KafkaUnavailableError.
    """
    snapshot = look_at(settings, SOURCE, (POLICY, CLOCK))
    known = {item.endpoint for policy in snapshot.of(POLICY).values() for item in policy.endpoints}
    if endpoint not in known:
        names = ", ".join(sorted(known)) or "none"
        raise SettingsError(f"no policy has an endpoint {endpoint!r}: known endpoints are {names}")
    fault = Fault(
        endpoint=endpoint,
        kind=kind,
        severity=DEFAULT_SEVERITY[kind] if severity is None else severity,
        occurred_at=now(snapshot),
    )
    write_once(settings, SOURCE, Effect(FAULTS, fault))
    return fault
