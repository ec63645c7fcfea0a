"""The command `webhooks`: who is sent what; and the service `webhooks-sender`."""

from __future__ import annotations

import asyncio
import secrets
import socket
import time
from typing import Any

import click
import msgspec

from runtime.clock import real_now
from runtime.once import look_at, write_once
from runtime.options import BY, SERVICE, TOOL, Moment, with_settings
from runtime.service import service
from runtime.settings import Settings
from runtime.snapshot import Snapshot
from schemas.envelope import iso_time
from schemas.topics import POLICY, WEBHOOKS, Effect, disabled_key
from schemas.webhooks import WebhookSubscription
from wfm_bridge.webhooks.addresses import networks_of, receiver_of, refusal
from wfm_bridge.webhooks.errors import WebhookError
from wfm_bridge.webhooks.signing import check_of, derived, installation_key, is_key_of, shown
from wfm_bridge.webhooks.subscriptions import OFFERED, disabled, subscriptions, topics_of

_SOURCE = "webhooks"
_MICROS = 1_000_000
_KEYED = (*TOOL, "data")
_SENDING = (*_KEYED, "allow_private")
_MOST_HOURS = 144.0
"""A day less than topics are kept: what is given up must still lie there when it is looked for."""


_FROM = click.option(
    "--from", "start", type=Moment(), metavar="TIME", help="written then or later, 2026-12-01T08:00:00Z"
)


@click.group()
def webhooks() -> None:
    """Send what Trunkline tells WFM to HTTP receivers: signed CloudEvents, at least once, in the order of each key.

    A subscription is one receiver (--url) and what of one tenant it is sent. `add` prints the secret that its messages
    are signed with, by the Standard Webhooks scheme. The service `webhooks-sender` delivers; `trunkline up` runs it. It
    takes a change within a second. How receivers check and answer: docs/webhooks.md.

    \b
    Example:
      trunkline webhooks add --tenant acme --url https://wfm.example.com/in --topic wfm.staffing --queue billing
      trunkline webhooks list
      trunkline webhooks test wh-4f1c2a9b8d7e6f50
      trunkline webhooks replay wh-4f1c2a9b8d7e6f50 --from 2026-12-01T08:00:00Z
      trunkline webhooks remove wh-4f1c2a9b8d7e6f50
    """  # noqa: D301 - \b is click's mark for lines that stay as they are


@webhooks.command()
@with_settings(*_SENDING)
@click.option("--tenant", required=True, help="whose events")
@click.option("--url", required=True, help="where to; https, or http within the networks of --allow-private")
@click.option("--topic", "names", required=True, multiple=True, help=f"what, once or more: {', '.join(OFFERED)}")
@click.option("--queue", "queues", multiple=True, help="of this queue alone, once or more  [default: all]")
@_FROM
@click.option("--at-once", type=click.IntRange(1, 64), default=8, show_default=True, help="requests under way")
@click.option(
    "--max-age-hours",
    type=click.FloatRange(0.0, _MOST_HOURS, min_open=True),
    default=24.0,
    show_default=True,
    help="an event that is older and not taken becomes a dead letter",
)
@click.option(
    "--max-attempts", type=click.IntRange(1), default=500, show_default=True, help="as does one tried so often"
)
@BY
def add(
    settings: Settings, tenant: str, url: str, names: tuple[str, ...], queues: tuple[str, ...], start: int | None,
    at_once: int, max_age_hours: float, max_attempts: int, by: str,
) -> None:  # fmt: skip
    """Have a receiver sent events from now on (or from --from), and print its secret, on standard output.

    The secret can be shown again only by those who have the installation's key: TRUNKLINE_WEBHOOK_KEY, or the file
    webhooks.key in the data folder, made here where there is none. The sender must have the same.

    An address within is refused, as is plain http, unless its network is in --allow-private (TRUNKLINE_ALLOW_PRIVATE),
    here and at the sender.
    """
    topics_of(names, queues)
    _check_receiver(settings, url)
    key = installation_key(settings, make=True)
    snapshot = look_at(settings, _SOURCE, (WEBHOOKS, POLICY))
    if tenant not in snapshot.of(POLICY):
        click.echo(f"{tenant} has no policy yet: there may be nothing to send", err=True)
    name, now = f"wh-{secrets.token_hex(8)}", real_now()
    secret = derived(key, name, 1)
    made = WebhookSubscription(
        subscription=name,
        tenant=tenant,
        url=url,
        topics=tuple(dict.fromkeys(names)),
        queues=tuple(dict.fromkeys(queues)),
        revision=1,
        secret_generation=1,
        secret_check=check_of(secret),
        at_once=at_once,
        max_age_seconds=max_age_hours * 3600,
        max_attempts=max_attempts,
        starts_at=now if start is None else start,
        changed_by=by,
        created_at=now,
        occurred_at=now,
    )
    _write(settings, made)
    click.echo(f"{name}: {', '.join(made.topics)} of {tenant}, to {url}. Its secret, on standard output:", err=True)
    click.echo(shown(secret))


@webhooks.command("list")
@with_settings(*TOOL)
def list_(settings: Settings) -> None:
    """List the subscriptions: id, tenant, topics, queues, URL, since when (UTC), and whether its receiver is gone."""
    snapshot = look_at(settings, _SOURCE, (WEBHOOKS,))
    found = subscriptions(snapshot)
    if not found:
        click.echo("there are no subscriptions: 'trunkline webhooks add --help'", err=True)
    for name, each in found.items():
        gone = disabled(snapshot, each)
        state = "active" if gone is None else f"DISABLED {iso_time(gone.occurred_at)}: {gone.reason}"
        of = ",".join(each.topics) + (f" of {','.join(each.queues)}" if each.queues else "")
        click.echo(f"{name}  {each.tenant}  {of}  {each.url}  since {iso_time(each.created_at)}  {state}")


@webhooks.command()
@click.argument("subscription")
@with_settings(*_SENDING)
def test(settings: Settings, subscription: str) -> None:
    """Send a signed test message to the receiver of SUBSCRIPTION, once, from here, and print what came back.

    Its type is io.trunkline.WebhookTest; a receiver answers 2xx and does nothing. Exit code 1 where it does not.
    """
    from wfm_bridge.webhooks.post import Verdict  # noqa: PLC0415 - `--help` need not load an HTTP client
    from wfm_bridge.webhooks.replay import send_trial  # noqa: PLC0415

    known = _known(settings, subscription)
    key = _key_of(settings, known)
    name, began = f"test-{secrets.token_hex(8)}", time.monotonic()
    answer = asyncio.run(send_trial(settings, known, key, name))
    took = time.monotonic() - began
    click.echo(f"sent     {name} to {known.url}")
    click.echo(f"answer   {answer.status or 'none'}: {answer.detail}, after {took * 1000:.0f} ms")
    if answer.excerpt:
        click.echo(f"body     {answer.excerpt!r}")
    if answer.verdict is not Verdict.DELIVERED:
        raise WebhookError("the receiver did not take it: every message like it would be tried again")


@webhooks.command()
@click.argument("subscription")
@with_settings(*_SENDING)
@_FROM
@click.option("--to", "end", type=Moment(), metavar="TIME", help="written then or before  [default: now]")
@click.option(
    "--dead", is_flag=True, help="its dead letters, and not what the topics hold; without --from, all of them"
)
@click.option("--dry-run", is_flag=True, help="count what would be sent, and send nothing")
def replay(
    settings: Settings, subscription: str, start: int | None, end: int | None, *, dead: bool, dry_run: bool
) -> None:
    """Send again to SUBSCRIPTION what lies in its topics from a time on, or its dead letters.

    Messages keep their ids: a receiver that drops what it had takes only what it lost. They are sent from here, in the
    order of each key, while the sender goes on with new ones. It stops at the first that is not taken within 5
    attempts, and says from when to go on. Of compacted topics only the last revision of a row may still be there.
    """
    from wfm_bridge.webhooks.replay import Replay, Span, buried, written  # noqa: PLC0415 - as above

    if start is None and not dead:
        raise click.UsageError("say from when: --from 2026-12-01T08:00:00Z; or --dead for the dead letters")
    known = _known(settings, subscription)
    key = _key_of(settings, known)
    span = Span(start or 0, real_now() if end is None else end)
    letters = (buried if dead else written)(settings, known, span)
    if dry_run:
        click.echo(f"{sum(1 for _ in letters)} messages would be sent")
        return
    sending = Replay(settings, known, key)
    asyncio.run(sending.run(letters))
    click.echo(f"{sending.delivered} messages sent and taken")


@webhooks.command()
@click.argument("subscription")
@with_settings(*_KEYED)
@click.option(
    "--overlap-hours",
    type=click.FloatRange(0.0, 720.0),
    default=24.0,
    show_default=True,
    help="for so long the secret before signs too",
)
@BY
def rotate(settings: Settings, subscription: str, overlap_hours: float, by: str) -> None:
    """Give SUBSCRIPTION a new secret and print it. Messages bear both signatures until the overlap is over."""
    known, key = _known(settings, subscription), installation_key(settings)
    generation, now = known.secret_generation + 1, real_now()
    until = now + int(overlap_hours * 3600 * _MICROS) if is_key_of(key, known) else None
    if until is None:
        click.echo("the key here is not the one that it was added with: the secret before signs no more", err=True)
    secret = derived(key, subscription, generation)
    changes = {"secret_generation": generation, "secret_check": check_of(secret), "previous_secret_until": until}
    _write(settings, _changed(known, by, **changes))
    click.echo(f"{subscription}: its secret number {generation}, on standard output:", err=True)
    click.echo(shown(secret))


@webhooks.command()
@click.argument("subscription")
@with_settings(*TOOL)
@BY
def enable(settings: Settings, subscription: str, by: str) -> None:
    """Send to SUBSCRIPTION again, whose receiver had said that it is gone (410). It goes on where it stopped."""
    snapshot = look_at(settings, _SOURCE, (WEBHOOKS,))
    known = _of(snapshot, subscription)
    if disabled(snapshot, known) is None:
        raise WebhookError(f"{subscription} is not disabled, so there is nothing to enable")
    _write(settings, _changed(known, by))
    click.echo(f"{subscription}: enabled")


@webhooks.command()
@click.argument("subscription")
@with_settings(*TOOL)
def remove(settings: Settings, subscription: str) -> None:
    """Send nothing more to SUBSCRIPTION, and forget it. What it was not sent yet it is never sent."""
    known = _known(settings, subscription)
    keys = (subscription, disabled_key(subscription))
    write_once(settings, _SOURCE, *(Effect(WEBHOOKS, None, key) for key in keys))
    click.echo(f"{subscription}: removed, was for {known.tenant}, to {known.url}")


@click.command("webhooks-sender")
@with_settings(*SERVICE, "allow_private")
def sender(settings: Settings) -> None:
    """Deliver webhooks. Runs until SIGTERM; start one process per slot.

    Each subscription (`trunkline webhooks add`) has a consumer group, connections and a place of its own: a receiver
    that hangs holds up nobody else.
    """
    from wfm_bridge.webhooks.sender import run  # noqa: PLC0415 - commands load their own libraries only

    with service("webhooks-sender", settings) as process:
        run(settings, process)


def _check_receiver(settings: Settings, url: str) -> None:
    """Raise WebhookError for a URL that the sender would not go to; say so where its name is not found from here."""
    receiver, allowed = receiver_of(url), networks_of(settings.allow_private)
    from wfm_bridge.webhooks.post import addresses_of  # noqa: PLC0415 - `--help` need not load an HTTP client

    try:
        found = addresses_of(receiver.host, receiver.port)
    except socket.gaierror as problem:
        click.echo(f"{receiver.host} is not found from here ({problem.strerror}); the sender will look again", err=True)
        return
    reasons = [refusal(each, allowed, secure=receiver.secure) for each in found]
    if all(reasons):
        raise WebhookError(f"{url}: {'; '.join(filter(None, reasons))}")


def _known(settings: Settings, subscription: str) -> WebhookSubscription:
    return _of(look_at(settings, _SOURCE, (WEBHOOKS,)), subscription)


def _of(snapshot: Snapshot, subscription: str) -> WebhookSubscription:
    found = subscriptions(snapshot)
    if subscription not in found:
        raise WebhookError(f"there is no subscription {subscription!r}; there are: {', '.join(found) or 'none'}")
    return found[subscription]


def _key_of(settings: Settings, known: WebhookSubscription) -> bytes:
    key = installation_key(settings)
    if not is_key_of(key, known):
        raise WebhookError(
            f"{known.subscription} was added with another key: give the same TRUNKLINE_WEBHOOK_KEY (or --data with its "
            "webhooks.key), or rotate its secret"
        )
    return key


def _changed(known: WebhookSubscription, by: str, **changes: Any) -> WebhookSubscription:
    return msgspec.structs.replace(known, revision=known.revision + 1, changed_by=by, occurred_at=real_now(), **changes)


def _write(settings: Settings, made: WebhookSubscription) -> None:
    """Write a subscription, once its fields have been checked as those who read it check them."""
    try:
        checked = msgspec.convert(msgspec.to_builtins(made), WebhookSubscription)
    except msgspec.ValidationError as problem:
        raise click.UsageError(f"this is no subscription: {problem}; shorten or fill what it names") from problem
    write_once(settings, _SOURCE, Effect(WEBHOOKS, checked))
