"""The one catalogue of metrics: every name, its labels and a sentence on what it counts."""

from __future__ import annotations

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.process_collector import ProcessCollector

_LATENCY_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
_SIZE_BUCKETS = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000)


class Catalogue:
    """Metrics of a process, on a registry of its own so that tests can make several."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        r = self.registry
        ProcessCollector(registry=r)
        self.records_consumed = Counter(
            "trunkline_records_consumed_total", "Records read from the inbox.", ["service"], registry=r
        )
        self.records_produced = Counter(
            "trunkline_records_produced_total", "Records written, by topic.", ["service", "topic"], registry=r
        )
        self.dead_letters = Counter(
            "trunkline_dead_letters_total",
            "Records sent to a dead-letter topic, by the step that failed and why.",
            ["service", "stage", "reason"],
            registry=r,
        )
        self.forwarded = Counter(
            "trunkline_forwarded_records_total",
            "Records found on a partition that is not their key's, and sent to the right one.",
            ["service"],
            registry=r,
        )
        self.batch_records = Histogram(
            "trunkline_batch_records", "Records per transaction.", ["service"], buckets=_SIZE_BUCKETS, registry=r
        )
        self.batch_seconds = Histogram(
            "trunkline_batch_seconds",
            "Time from a batch's first record to its commit.",
            ["service"],
            buckets=_LATENCY_BUCKETS,
            registry=r,
        )
        self.transactions_aborted = Counter(
            "trunkline_transactions_aborted_total", "Batches aborted and read again.", ["service", "cause"], registry=r
        )
        self.partitions_owned = Gauge(
            "trunkline_partitions_owned", "Partitions assigned to this process.", ["service"], registry=r
        )
        self.decisions = Counter("trunkline_decisions_total", "Decisions, by pool (or `repeat`).", ["pool"], registry=r)
        self.guard_down = Gauge(
            "trunkline_offer_guard_down", "1 while Redis does not answer: repeats are found by sessions.", registry=r
        )
        self.limits_down = Gauge(
            "trunkline_limits_down", "1 while Redis does not answer: no limit of a policy applies.", registry=r
        )
        self.contacts_limited = Counter(
            "trunkline_contacts_limited_total",
            "Contacts above a limit of their policy, by what it counts them by; once for each limit.",
            ["by"],
            registry=r,
        )
        self.counts_down = Gauge(
            "trunkline_counts_down",
            "1 while Redis cannot say how many contacts AI agents have at once: each router keeps to its share.",
            registry=r,
        )
        self.releases_waiting = Gauge(
            "trunkline_releases_waiting", "Contacts that have ended and still count, as Redis is away.", registry=r
        )
        self.times_corrected = Counter(
            "trunkline_times_corrected_total", "Offers whose time was more than 5 min ahead or 7 days old.", registry=r
        )
        self.control_epoch = Gauge(
            "trunkline_control_epoch", "Offset of the last control record applied.", ["service", "topic"], registry=r
        )
        self.control_undecodable = Counter(
            "trunkline_control_undecodable_total",
            "Control records that were skipped; the last good one stands.",
            ["service", "topic", "reason"],
            registry=r,
        )
        self.models_refused = Counter(
            "trunkline_models_refused_total",
            "Assigned models that could not be used; what the tenant had stays.",
            ["tenant"],
            registry=r,
        )
        self.model_fallbacks = Counter(
            "trunkline_model_fallbacks_total",
            "Contacts classified by the router's own model because the assigned one failed.",
            ["model"],
            registry=r,
        )
        self.models_in_use = Gauge("trunkline_models_in_use", "Models that tenants are classified with.", registry=r)
        self.copies_written = Counter(
            "trunkline_copies_written_total",
            "Headers and turns of contacts that were put into their copies in Redis, or taken out.",
            registry=r,
        )
        self.copies_lag_seconds = Gauge(
            "trunkline_copies_lag_seconds",
            "Seconds by which copies of contacts are behind: age of what was copied last, 0 once all of it is.",
            registry=r,
        )
        self.copies_down = Gauge(
            "trunkline_copies_down", "1 while Redis does not answer: copies of contacts stand still.", registry=r
        )
        self.volume_rows_checked = Counter(
            "trunkline_volume_rows_checked_total", "Rows of volumes whose conservation was checked.", registry=r
        )
        self.volume_rows_unbalanced = Counter(
            "trunkline_volume_rows_unbalanced_total",
            "Rows of volumes in which offered is not the sum of the handling states: always 0.",
            registry=r,
        )
        self.view_rows = Gauge("trunkline_view_rows", "Rows of a live view.", ["view"], registry=r)
        self.view_lag_seconds = Histogram(
            "trunkline_view_lag_seconds",
            "From a record's timestamp to its row in the live view.",
            buckets=_LATENCY_BUCKETS,
            registry=r,
        )
        self.view_undecodable = Counter(
            "trunkline_view_undecodable_total", "Records that a live view could not read.", registry=r
        )
        self._add_webhooks()

    def _add_webhooks(self) -> None:
        r, of_each = self.registry, ["subscription"]
        self.webhook_attempts = Counter(
            "trunkline_webhook_attempts_total",
            "Attempts to send a message, by what came of them: http_2xx is a delivery.",
            ["subscription", "outcome"],
            registry=r,
        )
        self.webhook_dead_letters = Counter(
            "trunkline_webhook_dead_letters_total", "Messages that were given up.", of_each, registry=r
        )
        self.webhook_seconds = Histogram(
            "trunkline_webhook_seconds",
            "From a record's timestamp to its receiver's 2xx.",
            buckets=_LATENCY_BUCKETS,
            registry=r,
        )
        self.webhook_waiting = Gauge(
            "trunkline_webhook_waiting", "Messages taken on and not delivered, at most 500.", of_each, registry=r
        )
        self.webhook_behind = Gauge(
            "trunkline_webhook_behind_records",
            "Records between what is delivered and the ends of the topics, other tenants' included.",
            of_each,
            registry=r,
        )
        self.webhook_oldest_seconds = Gauge(
            "trunkline_webhook_oldest_seconds",
            "Age of the oldest message that waits, 0 without one.",
            of_each,
            registry=r,
        )
        self.webhook_failing_seconds = Gauge(
            "trunkline_webhook_failing_seconds",
            "Seconds for which a receiver took nothing that it was sent; 0 while it takes.",
            of_each,
            registry=r,
        )
        self.webhook_unusable = Gauge(
            "trunkline_webhook_unusable",
            "1 while a subscription is not delivered for a reason on our side, such as another key: see the log.",
            of_each,
            registry=r,
        )


METRICS = Catalogue()


def exposition() -> tuple[bytes, str]:
    """Return the body and the content type of `/metrics`."""
    return generate_latest(METRICS.registry), CONTENT_TYPE_LATEST
