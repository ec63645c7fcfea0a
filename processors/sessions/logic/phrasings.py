"""How customers ask for a person, by language: found in what they say, whatever the case and the spaces.

These are what stands where a policy names no phrases for a language: short forms that people use to a machine. They
are looked for as whole words, so that "agent" alone, or "a real problem", is no request.
"""

from __future__ import annotations

import functools
import re
import unicodedata
from collections.abc import Sequence

from schemas.control import Policy

KNOWN: dict[str, tuple[str, ...]] = {
    "en": (
        "speak to a person", "speak to someone", "speak to a human", "speak with a person", "speak with someone",
        "speak with a human", "talk to a person", "talk to someone", "talk to a human", "talk to somebody",
        "talk with a person", "talk with a human", "talk to a real person", "speak to a real person", "human agent",
        "live agent", "real person", "human being", "representative", "customer service agent", "speak to an agent",
        "talk to an agent", "get me a human", "get me a person", "connect me to an agent", "connect me with an agent",
        "transfer me to an agent", "stop the bot", "not a robot", "not a bot", "operator please",
    ),
    "de": (
        "mit einem menschen", "mit einem mitarbeiter", "mit einer mitarbeiterin", "mit jemandem sprechen",
        "mit jemand sprechen", "mit einer person", "echten menschen", "echter mensch", "echte person",
        "kein roboter", "keinem roboter", "keinen bot", "keinem bot", "menschlichen mitarbeiter",
    ),
    "es": (
        "con una persona", "con un agente", "con un humano", "con alguien", "persona real", "agente humano",
        "con un operador", "con un representante", "no un robot", "con un asesor",
    ),
    "fr": (
        "à une personne", "à un humain", "à un conseiller", "à une conseillère", "à quelqu'un", "avec un conseiller",
        "avec une personne", "avec un humain", "vraie personne", "être humain", "pas un robot", "à un agent",
    ),
    "it": (
        "con una persona", "con un operatore", "con un umano", "con qualcuno", "persona reale", "persona vera",
        "operatore umano", "non un robot", "con un consulente",
    ),
    "nl": (
        "met een mens", "met een medewerker", "met een persoon", "met iemand spreken", "met iemand praten",
        "echt persoon", "echte medewerker", "geen robot", "geen bot",
    ),
    "pl": (
        "z człowiekiem", "z konsultantem", "z pracownikiem", "z kimś porozmawiać", "prawdziwą osobą",
        "żywym człowiekiem",
    ),
    "pt": (
        "com uma pessoa", "com um atendente", "com um humano", "com alguém", "pessoa real", "atendente humano",
        "com um agente", "não um robô",
    ),
    "sv": (
        "med en människa", "med en person", "med en handläggare", "med någon", "riktig person", "riktig människa",
        "ingen robot",
    ),
}  # fmt: skip


def asks_for_person(text: str, language: str, policy: Policy | None) -> bool:
    """Tell whether a customer asks for a person. language: of the contact, such as `en` or `en-GB`."""
    stated = () if policy is None else policy.phrasings
    phrases: Sequence[str] | None = next((each.phrases for each in stated if each.language == language), None)
    base = language.partition("-")[0].lower()
    if phrases is None:
        phrases = next((each.phrases for each in stated if each.language == base), None)
    if phrases is None:
        phrases = KNOWN.get(base, ())
    pattern = _pattern(tuple(phrases))
    return pattern is not None and pattern.search(_plain(text)) is not None


@functools.lru_cache(maxsize=1024)
def _pattern(phrases: tuple[str, ...]) -> re.Pattern[str] | None:
    words = [r"\s+".join(map(re.escape, plain)) for phrase in phrases if (plain := _plain(phrase).split())]
    return re.compile(rf"(?<!\w)(?:{'|'.join(words)})(?!\w)") if words else None


def _plain(text: str) -> str:
    """Return a text without what keyboards write differently: case, composed letters, curved apostrophes."""
    return unicodedata.normalize("NFKC", text).replace("\u2019", "'").casefold()
