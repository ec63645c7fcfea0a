"""The router's core as a Quix Streams dataframe, exactly once, called per record."""

from __future__ import annotations

from typing import Any

import quixstreams
from quixstreams.context import message_context
from quixstreams.models.serializers import Serializer

from bench.peers.core import OUTPUTS, Core
from bench.peers.options import Options, read_options
from bench.peers.quix import application
from schemas.envelope import Packed

COMMIT_SECONDS = 0.5


class _PackedValue(Serializer):
    """Quix's seam for values: the bytes are there already."""

    def __call__(self, value: Packed, ctx: Any) -> bytes | None:  # type: ignore[override]  # noqa: ARG002
        return value.value


def dataframe(options: Options, core: Core) -> quixstreams.Application:
    """Return the topology, ready to run."""
    app = application(options, COMMIT_SECONDS)
    offered = app.topic(options.offered, key_deserializer="bytes", value_deserializer="bytes")
    values = _PackedValue()
    outputs = {
        name: app.topic(options.topic(name), key_serializer="bytes", value_serializer=values) for name in OUTPUTS
    }

    def step(value: bytes, key: bytes, _timestamp: int, _headers: Any) -> list[Packed]:
        context = message_context()
        return core.step([core.record(context.partition, context.offset, key, value)])

    frame = app.dataframe(offered).apply(step, expand=True, metadata=True)
    frame = frame.set_headers(lambda packed, *_: packed.headers)
    frame.to_topic(lambda packed, *_: outputs[packed.topic], key=lambda packed: packed.key)
    return app


def main() -> None:
    """Run until SIGTERM."""
    options = read_options("quix_core", __doc__ or "", with_core=True)
    dataframe(options, Core(options)).run()


if __name__ == "__main__":
    main()
