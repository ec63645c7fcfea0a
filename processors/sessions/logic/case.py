"""One contact while one of its events is applied: what is remembered of it, and what is to be told.

A step changes the case; `settle` writes what changed, tells the timer that is due first, and the contact's view where
others should see a change.
"""

from __future__ import annotations

from processors.sessions.logic import effects
from processors.sessions.logic.book import (
    HELD,
    PROGRESS,
    SESSION,
    STORY,
    TEXT_KEPT,
    UNTOLD,
    Kept,
    Progress,
    Session,
    Stage,
    Story,
    Untold,
    Wait,
    load,
    save,
    turn_name,
)
from runtime.snapshot import Snapshot
from runtime.state import KeyedState
from schemas.control import Policy
from schemas.fields import Channel
from schemas.interactions import Turn
from schemas.rules import SupervisionPolicy, Transfer, Triggers
from schemas.topics import POLICY, Effect, endpoint_key

_NO_STORY = Story()
_NO_TRANSFER = Transfer()
_NO_SUPERVISION = SupervisionPolicy()


class Case:
    """A contact that has a session. `session` and `progress` are loaded; the rest is when it is asked for."""

    def __init__(
        self, interaction_id: str, session: Session, progress: Progress, state: KeyedState, snapshot: Snapshot, now: int
    ) -> None:
        self.interaction_id = interaction_id
        self.session = session
        self.progress = progress
        self.state = state
        self.now = now
        self.out: list[Effect] = []
        self.changed = False
        self.viewed_at = 0
        self._snapshot = snapshot
        self._stored_session: Session | None = session
        self._story: Story | None = None
        self._held: list[Turn] | None = None
        self._untold: list[Untold] | None = None
        self._story_changed = False
        self._woken_by = self._wakened_by()

    @classmethod
    def opened(
        cls, interaction_id: str, session: Session, progress: Progress, state: KeyedState, snapshot: Snapshot, now: int
    ) -> Case:
        """Return the case of a session that was not there before."""
        case = cls(interaction_id, session, progress, state, snapshot, now)
        case._stored_session, case._story, case._held, case._untold, case.changed = None, Story(), [], [], True
        case._woken_by = None, 0
        return case

    @classmethod
    def load(cls, interaction_id: str, state: KeyedState, snapshot: Snapshot, now: int) -> Case | None:
        """Return the case of a contact, None where it has no session."""
        session = load(state, SESSION, Session)
        if session is None:
            return None
        progress = load(state, PROGRESS, Progress)
        assert progress is not None  # noqa: S101 - written with the session
        return cls(interaction_id, session, progress, state, snapshot, now)

    @property
    def policy(self) -> Policy | None:
        """The tenant's policy as it is now."""
        policy: Policy | None = self._snapshot.of(POLICY).get(self.session.tenant)
        return policy

    @property
    def transfer(self) -> Transfer:
        """How warm transfers are waited for."""
        return _NO_TRANSFER if self.policy is None else self.policy.transfer

    @property
    def supervision(self) -> SupervisionPolicy:
        """How supervisors are assigned, and for how long an answer waits."""
        return _NO_SUPERVISION if self.policy is None else self.policy.supervision

    def approval(self, intent: str) -> Triggers:
        """Return what in an intent waits for approval by the policy: its own triggers, or else the tenant's."""
        rules = () if self.policy is None else self.policy.intents
        own = next((rule.approve for rule in rules if rule.intent == intent), None)
        return self.supervision.approve if own is None else own

    @property
    def story(self) -> Story:
        """What happened besides turns, to look at."""
        if self._story is None:
            self._story = load(self.state, STORY, Story) or Story()
        return self._story

    def write_story(self) -> Story:
        """Return what happened besides turns, to be changed."""
        self._story_changed = True
        return self.story

    @property
    def held(self) -> list[Turn]:
        """Turns ahead of their turn. Who changes them says so by `hold`."""
        if self._held is None:
            self._held = (load(self.state, HELD, list[Turn]) if self.progress.held else None) or []
        return self._held

    def hold(self, turns: list[Turn]) -> None:
        """Keep these turns for later."""
        self._held = turns
        if turns:
            save(self.state, HELD, turns)
        elif self.progress.held:
            self.state.delete(HELD)
        self.progress.held = bool(turns)
        self.changed = True

    @property
    def untold(self) -> list[Untold]:
        """Turns of a contact that has ended, ahead of others. Who changes them says so by `put_off`."""
        if self._untold is None:
            self._untold = (load(self.state, UNTOLD, list[Untold]) if self.progress.untold else None) or []
        return self._untold

    def put_off(self, turns: list[Untold]) -> None:
        """Tell of these later."""
        self._untold = turns
        if turns:
            save(self.state, UNTOLD, turns)
        elif self.progress.untold:
            self.state.delete(UNTOLD)
        self.progress.untold = bool(turns)
        self.changed = True

    def let_go(self, at: int) -> bool:
        """Tell that a contact is held no more, where it is; return whether it was."""
        was_held = Wait.HOLD in self.progress.waits
        if was_held:
            self.wait_no_more(Wait.HOLD)
            self.out.append(effects.held(self.interaction_id, self.session, at, over=True))
        return was_held

    @property
    def channel(self) -> Channel:
        """The channel by which the contact goes on."""
        return self.progress.channel or self.session.channel

    def switch(self, to: Channel, at: int) -> None:
        """Go on by a channel: the last switch stands, of several at one instant the last by name."""
        progress, before = self.progress, self.channel
        if (at, to) <= (progress.channel_at, progress.channel or ""):
            return
        progress.channel, progress.channel_at = to, at
        self.changed = True
        if to is not before:
            self.view(at)

    @property
    def with_ai(self) -> bool:
        """Whether an AI agent has the contact, which is not closed."""
        return self.progress.stage is Stage.AI and not self.progress.closed

    def keep_turn(self, epoch: int, number: int, kept: Kept, revision: int = 1) -> None:
        """Remember a turn and let others see it."""
        save(self.state, turn_name(epoch, number), kept)
        self.out.append(
            effects.turn_view(self.interaction_id, self.session.tenant, kept.exchange(epoch, number), revision)
        )

    def kept_turn(self, epoch: int, number: int) -> Kept | None:
        """Return a turn as it is remembered."""
        return load(self.state, turn_name(epoch, number), Kept)

    def wait(self, wait: Wait, until: int) -> None:
        """Be woken at an instant (UTC microseconds)."""
        self.progress.waits[wait] = until
        self.changed = True

    def wait_no_more(self, *waits: Wait) -> None:
        """Be woken no more for these."""
        for wait in waits:
            if self.progress.waits.pop(wait, None) is not None:
                self.changed = True

    def view(self, at: int) -> None:
        """Let others see what changed at an instant: once for all changes of the step."""
        self.viewed_at = max(self.viewed_at, at)
        self.changed = True

    def settle(self, standing: int | None) -> list[Effect]:
        """Write what changed and return all that is to be told. standing: the timer that is set."""
        if not self.changed:
            return self.out
        progress = self.progress
        due_at = min(progress.waits.values())
        wakened_by = self._wakened_by()
        if due_at != standing or wakened_by != self._woken_by:
            self.out.append(effects.timer(self.interaction_id, due_at, *wakened_by))
        progress.due_at = due_at
        if self.viewed_at:
            progress.revision += 1
            self.out.append(
                effects.session_view(self.interaction_id, self.session, progress, self.story, self.viewed_at)
            )
        save(self.state, PROGRESS, progress)
        if self.session is not self._stored_session:
            save(self.state, SESSION, self.session)
        if self._story_changed and self.story != _NO_STORY:
            save(self.state, STORY, self.story)
        elif self._story_changed:
            self.state.delete(STORY)
        return self.out

    def _wakened_by(self) -> tuple[str | None, int]:
        """Return the agent whose loss is to wake the session, and the epoch of its breaker."""
        escalate, agent = self.session.escalate, self.session.agent
        if escalate is None or not escalate.breaker_opens or agent is None or self.progress.closed:
            return None, 0
        return endpoint_key(self.session.tenant, agent.endpoint), agent.breaker_epoch


def cut(text: str, most: int = TEXT_KEPT) -> str:
    """Return a text, or its beginning where it is longer than what is kept."""
    return text if len(text) <= most else text[:most] + "…"
