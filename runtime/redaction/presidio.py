"""Names and places by Microsoft Presidio, which asks a language model of spaCy: the extra `presidio`.

It is loaded when it is asked for, and takes milliseconds for a text where the rules take microseconds. What the rules
find they find better: it is asked for names and places alone. Nothing is downloaded: a model is a package, and has to
be installed.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from runtime.errors import SettingsError
from runtime.redaction.kinds import Kind, Span
from runtime.redaction.redactor import Finder

MODELS = ("en_core_web_lg", "en_core_web_md", "en_core_web_sm")
"""spaCy's English models, the best first."""
_LANGUAGE = "en"
_KINDS = {"PERSON": Kind.NAME, "LOCATION": Kind.PLACE}
_LEAST_SCORE = 0.5
"""Presidio gives 0.85 to what spaCy's model finds."""


def names_and_places(*models: str) -> Finder:
    """Return what finds names and places in English, with the first of the models that is installed.

    Raises SettingsError where Presidio, or each of the models (MODELS if none is named), is not installed.
    """
    try:
        from presidio_analyzer import AnalyzerEngine  # noqa: PLC0415 - an extra, and a second to import
        from presidio_analyzer.nlp_engine import NlpEngineProvider  # noqa: PLC0415
        from spacy.util import is_package  # noqa: PLC0415 - Presidio downloads what it does not find by this
    except ImportError as problem:
        raise SettingsError(
            "TRUNKLINE_REDACTION is 'presidio', which is not installed: pip install 'trunkline[presidio]', or set "
            "'rules'."
        ) from problem
    asked = models or MODELS
    model = next((name for name in asked if is_package(name)), None)
    if model is None:
        raise SettingsError(
            f"TRUNKLINE_REDACTION is 'presidio', but none of spaCy's models {', '.join(asked)} is installed: "
            f"python -m spacy download {asked[0]}, or set 'rules'."
        )
    engine = NlpEngineProvider(
        nlp_configuration={
            "nlp_engine_name": "spacy",
            "models": [{"lang_code": _LANGUAGE, "model_name": model}],
        }
    ).create_engine()
    analyzer = AnalyzerEngine(nlp_engine=engine, supported_languages=[_LANGUAGE])

    def find(text: str) -> Iterator[Span]:
        found: list[Any] = analyzer.analyze(
            text, language=_LANGUAGE, entities=list(_KINDS), score_threshold=_LEAST_SCORE
        )
        for each in found:
            yield Span(_KINDS[each.entity_type], each.start, each.end)

    return find
