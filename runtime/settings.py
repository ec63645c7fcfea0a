"""Settings of a Trunkline process: environment variables `TRUNKLINE_*`, overridden by options."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict


class Settings(BaseSettings):
    """Where the process finds Kafka and Redis, and which slot of its service it is."""

    model_config = SettingsConfigDict(env_prefix="TRUNKLINE_", frozen=True, extra="ignore")

    bootstrap: str = Field("127.0.0.1:9092", description="Kafka bootstrap servers, host:port[,host:port]")
    redis_url: str = Field("redis://127.0.0.1:6379/0", description="Redis, as a URL")
    prefix: str = Field("", description="put before every topic, group and key name, so that installations can share")
    slot: int = Field(0, ge=0, description="stable number of this process within its service (a StatefulSet's ordinal)")
    data: Path = Field(Path("data"), description="folder for local state, models and embedded services")
    port: int = Field(0, ge=0, le=65535, description="port for /metrics, /livez, /readyz and APIs; 0 takes a free one")
    host: str = Field("127.0.0.1", description="address to serve them on")
    keyed_partitions: int = Field(24, ge=1, description="partitions of keyed topics at creation")
    replication: int = Field(-1, description="replication factor of topics at creation; -1 is the broker's own default")
    delivery: Literal["exactly_once", "at_least_once"] = Field(
        "exactly_once",
        description="at_least_once gives up transactions for a shorter delay: after a crash, what the router decided "
        "in its last 200 ms is decided and written once more (under the same decision id, but perhaps otherwise), "
        "so whoever reads interactions.routed must drop repeats; sessions and volumes do",
    )
    redaction: Literal["rules", "presidio"] = Field(
        "rules",
        description="what cleans texts of customers' values: rules find cards, accounts, addresses, telephone and "
        "national numbers; presidio finds English names and places too, takes milliseconds a text and needs the extra",
    )
    redaction_key: SecretStr | None = Field(
        None,
        description="secret of 16 bytes or more from which tokens of values are made, the same for every process; "
        "without it a token tells the kind of a value alone",
    )
    log_level: str = Field("INFO", description="DEBUG, INFO, WARNING or ERROR")
    api_keys: Path | None = Field(
        None, description="file of the API keys; without it, api-keys.json in the data folder"
    )
    require_keys: bool | None = Field(
        None,
        description="whether the bridge's live views are shown to holders of a key alone; without it, where the "
        "address they are served on is not of this machine alone",
    )
    webhook_key: SecretStr | None = Field(
        None,
        description="secret of 16 bytes or more from which those of webhooks are derived, the same for the sender and "
        "for whoever adds subscriptions; without it, that of the file webhooks.key in the data folder",
    )
    allow_private: str = Field(
        "",
        description="networks that webhooks may reach although they are not public, and without TLS, separated by "
        "commas, such as 10.20.0.0/16,127.0.0.1/32",
    )

    @property
    def api_keys_file(self) -> Path:
        """Return where the API keys are."""
        return self.api_keys or self.data / "api-keys.json"

    def topic(self, name: str) -> str:
        """Return a topic's name on the broker."""
        return self.prefix + name

    def registry_name(self, topic: str) -> str:
        """Return a topic's name in the registry."""
        return topic.removeprefix(self.prefix)

    def service_id(self, service: str) -> str:
        """Return the stable id of this process: transactional id and static group member."""
        return f"{self.prefix}{service}-{self.slot}"

    def state_folder(self, service: str) -> Path:
        """Return the folder for this process's own state."""
        return self.data / "state" / self.service_id(service)
