"""What customers and agents say after the first words, and how customers feel about it. No names, no numbers."""

from __future__ import annotations

import enum
import random
from collections.abc import Mapping, Sequence

from simulator.fleet import Answer
from simulator.utterances import Utterance


class Says(enum.Enum):
    """Why a customer says something."""

    OPENS = enum.auto()
    """The first words of the contact: its utterance."""
    GOES_ON = enum.auto()
    DOUBTS = enum.auto()
    """The answer was wrong."""
    ASKS = enum.auto()
    """The customer asks for a person."""
    CHANGES = enum.auto()
    """The contact is about something else from now on."""
    RESUMES = enum.auto()
    """Another agent has taken over."""


_CUSTOMER: Mapping[Says, Sequence[str]] = {
    Says.GOES_ON: (
        "Okay, and what happens next?",
        "Thanks. How long will that take?",
        "Right. Is there anything that I have to do?",
        "Could you send me that in writing?",
        "I see. And what does it cost?",
    ),
    Says.DOUBTS: (
        "That is not what I asked.",
        "No, that does not help me.",
        "I think you have misunderstood me.",
        "That cannot be right.",
    ),
    Says.ASKS: (
        "Can I speak to a person, please?",
        "I would rather talk to someone about this.",
        "Please put me through to a human agent.",
    ),
    Says.RESUMES: (
        "Yes, that is what I need.",
        "Exactly. Can you help me with that?",
    ),
}
_RIGHT = (
    "I have looked into it, and here is what I found.",
    "That is easily done: I will take you through it step by step.",
    "I have made a note of that and set it going.",
    "You will get a confirmation within the hour.",
    "The change is in place, and nothing else is needed from you.",
    "I have checked the details against your order, and they agree.",
    "It is all written down on the page that I have just sent you.",
    "That will not cost you anything.",
    "I have let the team in charge know, and they will see to it today.",
    "You can follow how it goes in the app, under your requests.",
)
"""More than an agent gives in one contact: one that is well does not repeat itself."""
_WRONG = (
    "You can change your password on the account page.",
    "Our shops are open until eight.",
    "Please switch your device off and on again.",
    "Your parcel has been delivered already.",
    "That is a matter for the manufacturer of your device.",
    "Your contract does not allow for that.",
    "There is a new offer with twice the data that I can recommend.",
    "You have to send us a letter about that.",
)
_TO_A_PERSON = ("I am putting you through to a colleague.", "Of course. Somebody will be with you in a moment.")
_TO_ANOTHER = ("Let me pass you on to the assistant for that.", "For that there is another assistant: one moment.")

CALM, CONTENT = -0.1, 0.4
"""Sentiment at the first words lies between these; -1 to 1."""
AFTER_RIGHT, AFTER_WRONG, AFTER_LOOP, AFTER_FAILURE = 0.1, -0.4, -0.2, -0.3
"""How an answer, or its absence, changes it."""


def customer_text(says: Says, opening: str, rng: random.Random) -> str:
    """Return what a customer says. opening: the first words of the contact, or of its new matter."""
    if says is Says.OPENS:
        return opening
    if says is Says.CHANGES:
        return f"There is something else: {opening}"
    return rng.choice(_CUSTOMER[says])


def agent_text(says: Says, answer: Answer, said: Sequence[str], rng: random.Random) -> str | None:
    """Return what an agent answers that has said so much already; None where it gave no answer.

    It repeats its last words where it goes round in circles, and else itself only when it has no more to say.
    """
    if answer.failed:
        return None
    if says is Says.ASKS:
        return rng.choice(_TO_A_PERSON)
    if says is Says.CHANGES:
        return rng.choice(_TO_ANOTHER)
    if answer.looping and said:
        return said[-1]
    texts = _WRONG if answer.wrong else _RIGHT
    return rng.choice([text for text in texts if text not in said] or texts)


def assessment(intent: str, turns: int, *, wrong: bool) -> str:
    """Return how an agent sums up the matter for a person."""
    state = "the last answer was doubtful" if wrong else "the answers were to the point"
    return f"The customer needs help with {intent.replace('_', ' ')}; at turn {turns}, {state}."


def opening_of(intent: str, utterances: Sequence[Utterance], rng: random.Random) -> str:
    """Return how a customer comes to speak of an intent."""
    fitting = [each.text for each in utterances if each.intent == intent]
    return rng.choice(fitting) if fitting else f"it is about {intent.replace('_', ' ')}"


def mood(before: float, change: float) -> float:
    """Return a sentiment after a change, within -1 to 1."""
    return round(min(1.0, max(-1.0, before + change)), 2)
