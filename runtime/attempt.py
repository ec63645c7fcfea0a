"""A slice of records stepped as a whole; where that fails record by record, with dead letters of those that fail."""

from __future__ import annotations

from runtime.kafka import MAX_RECORD_BYTES
from runtime.metrics import METRICS
from runtime.step import Batch, Step
from schemas.envelope import Packed, Record, dead_letter
from schemas.errors import RecordError


def stepped(step: Step, batch: Batch) -> list[Packed]:
    """Return what a step makes of a batch; raises RecordError (`too_large`) for a record that no broker would take."""
    outputs = step.step(batch)
    for packed in outputs:
        if packed.value is not None and len(packed.value) > MAX_RECORD_BYTES and not packed.topic.endswith(".dlq"):
            raise RecordError(
                "too_large", f"it makes a record for {packed.topic} of more than {MAX_RECORD_BYTES} bytes"
            )
    return outputs


def one_by_one(step: Step, batch: Batch, service: str) -> list[Packed]:
    """Begin again, and return what each record makes by itself: its outputs, or its dead letter."""
    step.begin()
    return [packed for record in batch.records for packed in _outputs_of_one(step, batch, record, service)]


def _outputs_of_one(step: Step, batch: Batch, record: Record, service: str) -> list[Packed]:
    try:
        return stepped(step, batch._replace(records=[record]))
    except Exception as problem:  # noqa: BLE001 - whatever a record provokes, it must not block its partition
        letter = dead_letter(record, service, problem)
    METRICS.dead_letters.labels(service, service, dict(letter.headers)["dlq_reason"].decode()).inc()
    return [letter]
