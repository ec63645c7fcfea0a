"""What makes each country's number one that can have been given out. All take digits and capitals without signs."""

from __future__ import annotations

from runtime.redaction.checks import all_same, is_day, luhn, mod_11_2, mod_11_10, verhoeff, weighed

_DNI = "TRWAGMYFPDXBNJZSQVHLCKE"
_HETU = "0123456789ABCDEFHJKLMNPRSTUVWXY"
_PPS = "WABCDEFGHIJKLMNOPQRSTUV"
_NRIC = {"S": "JZIHGFEDCBA", "T": "JZIHGFEDCBA", "F": "XWUTRQPNMLK", "G": "XWUTRQPNMLK"}
_NINO_NOT_GIVEN = ("BG", "GB", "KN", "NK", "NT", "TN", "ZZ")
_ODD = dict(
    zip(
        "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ",
        (1, 0, 5, 7, 9, 13, 15, 17, 19, 21) * 2 + (2, 4, 18, 20, 11, 3, 6, 8, 12, 14, 16, 10, 22, 25, 24, 23),
        strict=True,
    )
)
"""Codice fiscale: what a sign at an odd place counts (decree of 23 December 1976); 0 to 9 count as A to J do."""
_PENSIONER = 40
"""Added to the day in Norway's D numbers, and to months elsewhere."""


def us_ssn(digits: str) -> bool:
    """Area 001-899 but 666, group not 00, serial not 0000: as the Social Security Administration gives them out."""
    area, group, serial = digits[:3], digits[3:5], digits[5:]
    return area not in ("000", "666") and area[0] != "9" and group != "00" and serial != "0000" and not all_same(digits)


def us_itin(digits: str) -> bool:
    """Group 50-65, 70-88, 90-92 or 94-99 after a first 9 (Internal Revenue Service)."""
    group = int(digits[3:5])
    return 50 <= group <= 65 or 70 <= group <= 88 or (group >= 90 and group != 93)  # noqa: PLR2004


def uk_nino(value: str) -> bool:
    """Prefixes that are not given out (HM Revenue and Customs); there is no check digit."""
    return value[:2] not in _NINO_NOT_GIVEN


def uk_nhs(digits: str) -> bool:
    """NHS number: weights 10 to 2, mod 11."""
    return (weighed(digits, range(10, 1, -1)) + int(digits[9])) % 11 == 0 and not all_same(digits)


def de_tax(digits: str) -> bool:
    """Steuer-ID: ISO 7064 mod 11,10, and of the first ten digits one is there twice or three times, the others once."""
    counts = sorted(digits[:10].count(digit) for digit in set(digits[:10]))
    return counts[-1] in (2, 3) and (len(counts) == 1 or counts[-2] == 1) and mod_11_10(digits)


def es_dni(value: str) -> bool:
    """DNI and NIE: the letter is the number mod 23, X, Y and Z standing for 0, 1 and 2."""
    return _DNI[int(value[:-1].translate(str.maketrans("XYZ", "012"))) % 23] == value[-1]


def fr_nir(value: str) -> bool:
    """NIR: the key is 97 less the number mod 97; Corsica's 2A and 2B count as 19 and 18."""
    number = value[:13].replace("2A", "19").replace("2B", "18")
    return int(value[13:]) == 97 - int(number) % 97


def nl_bsn(digits: str) -> bool:
    """BSN: the test of eleven, weights 9 to 2 and -1."""
    digits = digits.zfill(9)
    return weighed(digits, (9, 8, 7, 6, 5, 4, 3, 2, -1)) % 11 == 0 and not all_same(digits)


def it_fiscal(value: str) -> bool:
    """Codice fiscale: odd and even places count differently, mod 26 is the last letter."""
    odd = sum(_ODD[sign] for sign in value[:15:2])
    even = sum(int(sign, 36) - (0 if sign.isdigit() else 10) for sign in value[1:15:2])
    return chr(ord("A") + (odd + even) % 26) == value[15]


def pl_pesel(digits: str) -> bool:
    """PESEL: weights 1, 3, 7, 9; the month is 20 more for births since 2000."""
    month = int(digits[2:4])
    check = -weighed(digits[:10], (1, 3, 7, 9, 1, 3, 7, 9, 1, 3)) % 10
    return check == int(digits[10]) and is_day(int(digits[4:6]), month - 20 if month > 20 else month)  # noqa: PLR2004


def se_personnummer(digits: str) -> bool:
    """Personnummer: a day (60 more in coordination numbers) and Luhn over the last ten digits."""
    last = digits[-10:]
    day = int(last[4:6])
    return is_day(day - 60 if day > 60 else day, int(last[2:4])) and luhn(last)  # noqa: PLR2004


def ca_sin(digits: str) -> bool:
    """SIN: Luhn; a first 0 or 8 is not given out."""
    return digits[0] not in "08" and luhn(digits) and not all_same(digits)


def in_aadhaar(digits: str) -> bool:
    """Aadhaar: Verhoeff; the first digit is 2 or more, and it reads otherwise backwards."""
    return digits[0] not in "01" and digits != digits[::-1] and verhoeff(digits)


def br_cpf(digits: str) -> bool:
    """CPF: two digits, each by falling weights mod 11."""
    first = weighed(digits[:9], range(10, 1, -1)) * 10 % 11 % 10
    second = weighed(digits[:10], range(11, 1, -1)) * 10 % 11 % 10
    return digits[9:] == f"{first}{second}" and not all_same(digits)


def be_national(digits: str) -> bool:
    """Rijksregisternummer: 97 less the number mod 97, with a 2 before it for births since 2000."""
    key = 97 - int(digits[9:])
    return is_day(int(digits[4:6]), int(digits[2:4])) and key in (int(digits[:9]) % 97, int(f"2{digits[:9]}") % 97)


def ch_ahv(digits: str) -> bool:
    """AHV number: 756 and the check digit of EAN-13."""
    return digits[:3] == "756" and weighed(digits, (1, 3) * 6 + (1,)) % 10 == 0


def at_svnr(digits: str) -> bool:
    """Sozialversicherungsnummer: the fourth digit by weights mod 11; a birthday behind it."""
    check = weighed(digits, (3, 7, 9, 0, 5, 8, 4, 2, 1, 6)) % 11
    return digits[0] != "0" and check == int(digits[3]) and is_day(int(digits[4:6]), int(digits[6:8]))


def fi_hetu(value: str) -> bool:
    """Henkilotunnus: day and serial number mod 31 give the last sign."""
    number = int(value[:6] + value[-4:-1])
    return is_day(int(value[:2]), int(value[2:4])) and _HETU[number % 31] == value[-1]


def no_birth(digits: str) -> bool:
    """Fodselsnummer and D number: a day and two check digits mod 11."""
    day = int(digits[:2])
    if not is_day(day - _PENSIONER if day > _PENSIONER else day, int(digits[2:4])):
        return False
    first = weighed(digits, (3, 7, 6, 1, 8, 9, 4, 5, 2, 1)) % 11
    return first == 0 and weighed(digits, (5, 4, 3, 2, 7, 6, 5, 4, 3, 2, 1)) % 11 == 0


def ie_pps(value: str) -> bool:
    """PPS number: weights 8 to 2, a second letter counts nine times, mod 23."""
    second = 0 if len(value) == 8 or value[8] == "W" else ord(value[8]) - ord("A") + 1  # noqa: PLR2004
    return _PPS[(weighed(value[:7], range(8, 1, -1)) + 9 * second) % 23] == value[7]


def cz_birth(digits: str) -> bool:
    """Rodne cislo, Czech and Slovak: a multiple of 11; women's months are 50 more, and 20 more where days ran out."""
    month = int(digits[2:4]) % 50
    day = is_day(int(digits[4:6]), month - 20 if month > 20 else month)  # noqa: PLR2004
    return day and (int(digits) % 11 == 0 or (int(digits[:9]) % 11 == 10 and digits[9] == "0"))  # noqa: PLR2004


def tr_identity(digits: str) -> bool:
    """T.C. kimlik: the tenth digit by odd and even places, the eleventh by the sum of ten."""
    odd, even = sum(map(int, digits[:9:2])), sum(map(int, digits[1:8:2]))
    return (
        digits[0] != "0"
        and (odd * 7 - even) % 10 == int(digits[9])
        and sum(map(int, digits[:10])) % 10 == int(digits[10])
    )


def pt_nif(digits: str) -> bool:
    """NIF: weights 9 to 2, mod 11."""
    return -weighed(digits[:8], range(9, 1, -1)) % 11 % 10 == int(digits[8])


def sg_nric(value: str) -> bool:
    """NRIC and FIN: weights 2, 7, 6, 5, 4, 3, 2, and 4 for T and G, mod 11."""
    total = weighed(value[1:8], (2, 7, 6, 5, 4, 3, 2)) + (4 if value[0] in "TG" else 0)
    return _NRIC[value[0]][total % 11] == value[8]


def cn_resident(value: str) -> bool:
    """Resident identity number: a birthday and ISO 7064 mod 11-2."""
    century = value[6:8] in ("19", "20")
    return century and is_day(int(value[12:14]), int(value[10:12])) and mod_11_2(value)


def dk_cpr(digits: str) -> bool:
    """CPR: a day; numbers since 2007 have no check digit."""
    return is_day(int(digits[:2]), int(digits[2:4]))


def ro_cnp(digits: str) -> bool:
    """CNP: sex and century, a birthday, weights 2 7 9 1 4 6 3 5 8 2 7 9, mod 11."""
    check = weighed(digits, (2, 7, 9, 1, 4, 6, 3, 5, 8, 2, 7, 9)) % 11
    return is_day(int(digits[5:7]), int(digits[3:5])) and (1 if check == 10 else check) == int(digits[12])  # noqa: PLR2004
