"""Which redactor an installation has, by its settings."""

from __future__ import annotations

from runtime.errors import SettingsError
from runtime.redaction.presidio import names_and_places
from runtime.redaction.redactor import Redactor
from runtime.settings import Settings

_LEAST_KEY_BYTES = 16
"""128 bits, as a key for a keyed hash should have (RFC 2104, 3: not less than the output's length)."""


def redactor_of(settings: Settings) -> Redactor:
    """Return the redactor that the settings `redaction` and `redaction_key` ask for.

    Raises SettingsError where the key is too short, or Presidio or its language model is not installed.
    """
    key = redaction_key(settings)
    return Redactor(key) if settings.redaction == "rules" else Redactor(key, names_and_places())


def redaction_key(settings: Settings) -> bytes | None:
    """Return the key of tokens, None where there is none. Raises SettingsError where it is too short."""
    if settings.redaction_key is None:
        return None
    key = settings.redaction_key.get_secret_value().encode()
    if len(key) < _LEAST_KEY_BYTES:
        raise SettingsError(
            f"TRUNKLINE_REDACTION_KEY has {len(key)} bytes: with fewer than {_LEAST_KEY_BYTES}, values could be found "
            "by trying keys. Set a longer one, as of `openssl rand -hex 32`, or unset it for tokens without digits."
        )
    return key
