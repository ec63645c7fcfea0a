"""National identity, tax and insurance numbers, by list: a country, how it is written, what makes it right.

Whoever needs another one adds a line to IDS, with a check in `runtime.redaction.id_checks`.
"""

from __future__ import annotations

import dataclasses
import enum
from collections.abc import Callable

from runtime.redaction import id_checks as check


class Needs(enum.Enum):
    """What must be there beside the number itself."""

    NOTHING = enum.auto()
    """It is written or checked in a way that nothing else is."""
    NO_OTHER = enum.auto()
    """Other numbers may look so: not after words that speak of an order, an amount or a telephone."""
    WORDS = enum.auto()
    """Many numbers look so: only after the words for it."""


@dataclasses.dataclass(frozen=True, slots=True)
class NationalId:
    """One number of one country.

    pattern: how it is written, whole, in any case. check: whether digits and capitals without signs are right.
    example: one that is right, and nobody's that we know. words: what it is called, as words
    begin, in small letters.
    """

    country: str
    pattern: str
    check: Callable[[str], bool]
    example: str
    words: tuple[str, ...] = ()
    needs: Needs = Needs.NOTHING


_NINO = "[A-CEGHJ-PR-TW-Z][A-CEGHJ-NPR-TW-Z]"
_OMOCODE = "[0-9LMNPQRSTUV]"
"""Codice fiscale: a digit, or the letter in its place where two people would have the same."""
_FISCAL = rf"[A-Z]{{3}} ?[A-Z]{{3}} ?{_OMOCODE}{{2}}[A-EHLMPRST]{_OMOCODE}{{2}} ?[A-Z]{_OMOCODE}{{3}} ?[A-Z]"
_NIR_MONTH = "(?:0[1-9]|1[0-2]|[2-9][0-9])"
_NIR = ("s\u00e9cu", r"nir\b", "carte vitale", "vitale")
_SSN = (r"ssn", r"social\b", r"tax\b", r"itin\b")
_SIN = (r"sin\b", r"nas\b", "social insurance")
_BSN = ("bsn", "burgerservice", "sofi")
_AADHAAR = ("aadhaar", "aadhar", "adhaar", "uid")
_SV = ("sozialversicherung", r"sv-?nr", r"svnr")
_PERSON = ("personnummer", "person-?nr", r"personal (?:identity )?num", r"pnr\b", "samordnings")
_CPF, _PPS, _CPR = ("cpf",), ("pps",), ("cpr", "personn")

IDS = (
    NationalId("US", r"\d{3}([ .-])\d\d\1\d{4}", check.us_ssn, "536-22-8145", _SSN),
    NationalId("US", r"\d{9}", check.us_ssn, "536228145", _SSN, Needs.WORDS),
    NationalId("US", r"9\d\d([ -])\d\d\1\d{4}", check.us_itin, "912-70-1234", _SSN),
    NationalId("GB", rf"{_NINO}[ -]?\d\d[ -]?\d\d[ -]?\d\d[ -]?[A-D]", check.uk_nino, "AB123456C"),
    NationalId("GB", r"\d{3}[ -]?\d{3}[ -]?\d{4}", check.uk_nhs, "943 476 5919", ("nhs",), Needs.WORDS),
    NationalId(
        "DE",
        r"[1-9]\d ?\d{3} ?\d{3} ?\d{3}",
        check.de_tax,
        "86095742719",
        ("steuer", "id-?nr", r"tax\b"),
        Needs.NO_OTHER,
    ),
    NationalId("ES", r"\d{8}-?[A-Z]", check.es_dni, "12345678Z"),
    NationalId("ES", r"\d{1,2}\.\d{3}\.\d{3}-?[A-Z]", check.es_dni, "12.345.678-Z"),
    NationalId("ES", r"[XYZ]-?\d{7}-?[A-Z]", check.es_dni, "X1234567L"),
    NationalId(
        "FR",
        rf"[12] ?\d\d ?{_NIR_MONTH} ?\d\d ?\d{{3}} ?\d{{3}} ?\d\d",
        check.fr_nir,
        "2 69 05 49 588 157 80",
        _NIR,
        Needs.NO_OTHER,
    ),
    NationalId(
        "FR", rf"[12] ?\d\d ?{_NIR_MONTH} ?2[AB] ?\d{{3}} ?\d{{3}} ?\d\d", check.fr_nir, "1 85 05 2A 006 084 35"
    ),
    NationalId(
        "NL", r"\d{9}|\d{3}[ .-]\d{3}[ .-]\d{3}|\d{4}[ .]\d{2}[ .]\d{3}", check.nl_bsn, "111222333", _BSN, Needs.WORDS
    ),
    NationalId("NL", r"\d{8}", check.nl_bsn, "10000008", _BSN, Needs.WORDS),
    NationalId("IT", _FISCAL, check.it_fiscal, "RSSMRA85T10A562S"),
    NationalId("PL", r"\d{11}|\d{6}[ -]\d{5}", check.pl_pesel, "44051401359", ("pesel",), Needs.NO_OTHER),
    NationalId("SE", r"\d{6}-\d{4}", check.se_personnummer, "811228-9874", _PERSON),
    NationalId("SE", r"(?!07|1[78])\d{6} ?\d{4}", check.se_personnummer, "8112289874", _PERSON, Needs.NO_OTHER),
    NationalId("SE", r"07\d{4} ?\d{4}", check.se_personnummer, "0704129871", _PERSON, Needs.WORDS),  # or a mobile
    NationalId("SE", r"(?:19|20)\d{6}[ -]?\d{4}", check.se_personnummer, "198112289874", _PERSON, Needs.NO_OTHER),
    NationalId("CA", r"\d{3}-\d{3}-\d{3}", check.ca_sin, "130-692-544", _SIN, Needs.NO_OTHER),
    NationalId("CA", r"\d{9}|\d{3} \d{3} \d{3}", check.ca_sin, "130692544", _SIN, Needs.WORDS),
    NationalId("IN", r"\d{4}([ -])\d{4}\1\d{4}", check.in_aadhaar, "2341 2341 2346", _AADHAAR, Needs.NO_OTHER),
    NationalId("IN", r"\d{12}", check.in_aadhaar, "234123412346", _AADHAAR, Needs.WORDS),
    NationalId("BR", r"\d{3}\.\d{3}\.\d{3} ?- ?\d\d", check.br_cpf, "390.533.447-05", _CPF),
    NationalId("BR", r"\d{11}|\d{9}-\d\d|\d{3} \d{3} \d{3}[ -]\d\d", check.br_cpf, "39053344705", _CPF, Needs.NO_OTHER),
    NationalId(
        "BE",
        r"\d\d[ .-]?\d\d[ .-]?\d\d[ .-]?\d{3}[ .-]?\d\d",
        check.be_national,
        "85.07.30-033.28",
        ("rijksregister", "registre national", "insz", "niss"),
        Needs.NO_OTHER,
    ),
    NationalId("CH", r"756[ .]?\d{4}[ .]?\d{4}[ .]?\d\d", check.ch_ahv, "756.9217.0769.85", ("ahv", "avs")),
    NationalId("AT", r"\d{4}[ -]\d{6}", check.at_svnr, "1237 010180", _SV, Needs.NO_OTHER),
    NationalId("AT", r"\d{10}", check.at_svnr, "1237010180", _SV, Needs.WORDS),
    NationalId("FI", r"\d{6}[-+A-FU-Y]\d{3}[0-9A-Y]", check.fi_hetu, "131052-308T"),
    NationalId(
        "NO",
        r"\d{6}[ -]?\d{5}",
        check.no_birth,
        "15108695088",
        ("f\u00f8dselsn", "fodselsn", "personn"),
        Needs.NO_OTHER,
    ),
    NationalId("IE", r"\d{7}[A-W][A-IW]?", check.ie_pps, "1234567T", _PPS),
    NationalId("CZ", r"\d{6}/\d{4}", check.cz_birth, "710319/2745", ("rodn",)),
    NationalId("CZ", r"(?!0|1[78])\d{10}", check.cz_birth, "7103192745", ("rodn",), Needs.NO_OTHER),
    NationalId("TR", r"[1-9]\d{10}", check.tr_identity, "10000000146", ("kimlik", r"tc\b"), Needs.NO_OTHER),
    NationalId("PT", r"\d{9}|\d{3} \d{3} \d{3}", check.pt_nif, "123456789", ("nif", "contribuinte"), Needs.WORDS),
    NationalId("SG", r"[STFG]\d{7}[A-Z]", check.sg_nric, "S1234567D"),
    NationalId("CN", r"[1-6]\d{17}", check.cn_resident, "110105194912310038", needs=Needs.NO_OTHER),
    NationalId("CN", r"[1-6]\d{16}X", check.cn_resident, "11010519491231002X"),
    NationalId("DK", r"\d{6}-?\d{4}", check.dk_cpr, "211062-5629", _CPR, Needs.WORDS),
    NationalId("RO", r"[1-8]\d{12}", check.ro_cnp, "1630615123457", ("cnp",), Needs.WORDS),
)
