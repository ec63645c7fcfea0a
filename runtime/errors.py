"""The one error tree, for whoever catches or raises.

```
TrunklineError                    base of all that is raised on purpose
├── RecordError                   a record cannot be used: to the dead-letter topic
│   ├── DecodeError               bytes are no record of a known schema
│   └── EncodeError               an event does not fit its own schema
├── SchemaError                   a schema and its event type disagree, or a change breaks readers
├── SettingsError                 a setting is missing, malformed or contradicts another
├── KafkaUnavailableError         no broker answers, or it refuses for longer than we wait
├── FencedError                   another process holds this slot: end, and let one of the two run
├── StoreUnavailableError         Redis does not answer somebody who cannot do without
├── ApiKeysError                  the file of API keys cannot be used, or a key is there twice or not at all
├── EmbeddedError                 an embedded Kafka or Redis cannot be fetched or started
├── SupervisorError               a supervised program fails, or the supervisor is misused
├── router.classify ModelError            a model file is damaged, foreign or cannot be stored
├── processors.health IllegalMoveError    a breaker move that its table does not have
├── processors.staffing ErlangInputError  a load or target for which no number of agents exists
├── wfm_bridge BridgeError                the live view's reader of topics has ended
├── wfm_bridge.webhooks WebhookError      a subscription cannot be, is not known, or cannot be delivered
├── wfm_bridge.inbound InboundError       what WFM says makes no sense; each mistake with its place and remedy
└── wfm_bridge RequestError               a request that cannot be answered: a problem object, HTTP 4xx
```

The upper part lives in `schemas/errors.py`, because the wire contract imports nothing of the runtime;
the last seven live where they are raised, because nobody else catches them.
"""

from __future__ import annotations

from schemas.errors import DecodeError, EncodeError, RecordError, SchemaError, TrunklineError

__all__ = [
    "ApiKeysError",
    "DecodeError",
    "EmbeddedError",
    "EncodeError",
    "FencedError",
    "KafkaUnavailableError",
    "RecordError",
    "SchemaError",
    "SettingsError",
    "StoreUnavailableError",
    "SupervisorError",
    "TrunklineError",
]


class SettingsError(TrunklineError):
    """A setting is missing, malformed or contradicts another one; the message names it."""


class KafkaUnavailableError(TrunklineError):
    """No broker answers at the address given, or it refuses for longer than we wait."""


class FencedError(TrunklineError):
    """Another process has taken this slot's transactional or group id.

    Nothing this process produces can be committed any more: it must end, and a new one start.
    """


class StoreUnavailableError(TrunklineError):
    """Redis does not answer, and what was asked for is nowhere else."""


class ApiKeysError(TrunklineError):
    """The file of API keys cannot be read or written, or has a key of that name already, or none."""


class EmbeddedError(TrunklineError):
    """An embedded service cannot be fetched, checked or started; the message names the remedy."""


class SupervisorError(TrunklineError):
    """A supervised program failed or was not ready in time, or the supervisor was misused."""
