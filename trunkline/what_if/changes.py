"""What options ask to be changed, as changes of the centre. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from processors.staffing.logic.changes import Change, Contain, Limit, Replace, Scope, Version, Watch
from processors.staffing.logic.what_if import Cell
from runtime.errors import SettingsError
from schemas.control import Policy
from schemas.fields import Supervision
from schemas.rules import Phase, SupervisionPolicy
from trunkline.what_if.base import Base, Basis, Source
from wfm_bridge.history.versions import Versions

ANY_INTENT = "*"
PHASES = (*Phase, *Supervision)


class Model(NamedTuple):
    """A version that an agent is to run. `containment` and `ai_seconds`: supposed of it, null for as measured."""

    endpoint: str
    version: str
    containment: float | None
    ai_seconds: float | None


class Wanted(NamedTuple):
    """What is to change. `phases`: intent, or `*`, with a phase or a supervision."""

    model: Model | None = None
    contain: Contain | None = None
    phases: Sequence[tuple[str, str]] = ()
    limit: Limit | None = None


def changes_of(wanted: Wanted, base: Base, versions: Versions | None) -> Iterator[Change]:
    """Yield the changes in the order in which they are laid on: model, containment, phases, AI's capacity.

    Raises SettingsError where one names what there is not.
    """
    if wanted.model is not None and versions is not None:
        yield _replaced(wanted.model, base, versions)
    if wanted.contain is not None:
        yield wanted.contain
    yield from _watched(wanted.phases, base)
    if wanted.limit is not None:
        yield wanted.limit


def told_of(wanted: Wanted, versions: Versions | None) -> Iterator[Source]:
    """Yield what the figures of the changes are from."""
    model = wanted.model
    if model is None or versions is None:
        return
    done, name = versions.ever(model.version), f"version {model.version} of {model.endpoint}"
    if model.containment is None:
        yield Source(Basis.MEASURED, f"what {name} contains ({done.containment:.1%} of {done.contacts:,} contacts)")
    if model.ai_seconds is None and done.mean_seconds is not None:
        yield Source(Basis.MEASURED, f"how long {name} has a contact ({done.mean_seconds:.4g} s)")
    given = {"containment": model.containment, "seconds": model.ai_seconds}
    if said := ", ".join(f"{what} {number:g}" for what, number in given.items() if number is not None):
        yield Source(Basis.GIVEN, f"what {name} does ({said})")
    others = versions.others_in_span(model.version)
    yield Source(Basis.MEASURED, f"contacts that other versions of {model.endpoint} had, and it takes ({others:,})")


def _watched(phases: Sequence[tuple[str, str]], base: Base) -> Iterator[Change]:
    """Yield what phases change, of an intent the last that is given: nothing where it is watched as closely already."""
    every = sorted({cell.intent for cell in base.centre.cells})
    wanted: dict[str, bool] = {}
    for intent, phase in phases:
        if intent != ANY_INTENT:
            Scope(intents=(intent,)).check(base.centre)
        is_watched = _supervision(phase, base.policy) is not Supervision.AUTONOMOUS
        wanted |= dict.fromkeys(every if intent == ANY_INTENT else (intent,), is_watched)
    for intent, is_watched in wanted.items():
        if base.policy is None or _is_watched(intent, base.policy) is not is_watched:
            yield Watch((intent,), float(is_watched))


def _is_watched(intent: str, policy: Policy) -> bool:
    own = next((rule.phase for rule in policy.intents if rule.intent == intent), None)
    return _supervision(own or policy.supervision.phase, policy) is not Supervision.AUTONOMOUS


def _supervision(name: str, policy: Policy | None) -> Supervision:
    if name in list(Supervision):
        return Supervision(name)
    return (policy.supervision if policy else SupervisionPolicy()).of(Phase(name))


def _replaced(model: Model, base: Base, versions: Versions) -> Change:
    _check(model, base, versions)
    of = {}
    for cell in base.centre.cells:
        share, others = versions.others(cell.queue, cell.intent, model.version)
        if share:
            of[cell.queue, cell.intent] = _version(
                model, cell, share, others.containment, others.mean_seconds, versions
            )
    return Replace(of)


def _version(
    model: Model, cell: Cell, share: float, containment: float, seconds: float | None, versions: Versions
) -> Version:
    """Return what the version does in place of others with this containment and these mean seconds."""
    expected = versions.expected(model.version, cell.intent)
    contains = expected.containment if model.containment is None else model.containment
    lasts = expected.mean_seconds if model.ai_seconds is None else model.ai_seconds
    used = cell.ai_seconds if seconds is None else seconds
    return Version(share, contains - containment, 0.0 if lasts is None else lasts - used)


def _check(model: Model, base: Base, versions: Versions) -> None:
    agents = [each.endpoint for each in base.policy.endpoints] if base.policy else []
    if model.endpoint not in agents:
        raise SettingsError(f"--model: there is no agent {model.endpoint!r}: there is {', '.join(agents) or 'none'}")
    if model.containment is None and not versions.ever(model.version).contacts:
        raise SettingsError(
            f"--model: version {model.version!r} of {model.endpoint} had no contacts that are known; measured are "
            f"{', '.join(versions.names()) or 'none'}: name one of these, or say what it is to do with "
            "--model-containment and --model-ai-seconds"
        )
