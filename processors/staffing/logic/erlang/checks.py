"""What the formulas accept: numbers or arrays, checked once at the door, and given back as they came.

A formula is written for arrays alone. `arrays` makes its arguments arrays of one shape, `as_given` makes
the result a plain number again where every argument was one, so that scalar calls run the same code.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from schemas.errors import TrunklineError

Floats: TypeAlias = npt.NDArray[np.float64]
Whole: TypeAlias = npt.NDArray[np.int64]
Mask: TypeAlias = npt.NDArray[np.bool_]
Numbers: TypeAlias = float | Sequence[float] | Floats | Whole
"""One number or many; many are broadcast against each other as numpy does."""
Figures: TypeAlias = Any
"""A plain number where every argument is one number, else an array."""

MAX_AGENTS = 1_000_000
"""A guard against wrong units, ten times the largest centre that results were checked for."""


class ErlangInputError(TrunklineError, ValueError):
    """An argument of a staffing formula is outside its range; the message names it."""


def arrays(*numbers: Numbers) -> list[Floats]:
    """Return the arguments as arrays of float64 of one shape.

    Raises ErlangInputError where their shapes do not fit together.
    """
    made = [np.array(each, dtype=np.float64) for each in numbers]
    if len({each.shape for each in made}) == 1:
        return made
    try:
        return [np.array(each) for each in np.broadcast_arrays(*made)]
    except ValueError as problem:
        shapes = ", ".join(str(each.shape) for each in made)
        raise ErlangInputError(f"arguments have shapes {shapes}: give arrays of one length, or single numbers") from (
            problem
        )


def as_given(figures: npt.NDArray[Any]) -> Figures:
    """Return a plain number in place of an array without dimensions."""
    return figures.item() if figures.ndim == 0 else figures


def check_not_negative(name: str, value: Numbers) -> None:
    """Raise ErlangInputError unless every number is finite and 0 or more."""
    given = np.asarray(value)
    _refuse(name, value, ~(np.isfinite(given) & (given >= 0)), "a finite number, 0 or more")


def check_positive(name: str, value: Numbers) -> None:
    """Raise ErlangInputError unless every number is finite and above 0."""
    given = np.asarray(value)
    _refuse(name, value, ~(np.isfinite(given) & (given > 0)), "a finite number above 0")


def check_patience(name: str, value: Numbers) -> None:
    """Raise ErlangInputError unless every number is above 0; infinity is patience without end."""
    _refuse(name, value, ~(np.asarray(value) > 0), "seconds above 0, or infinity where nobody leaves")


def check_share(name: str, value: Numbers) -> None:
    """Raise ErlangInputError unless every number is from 0 to 1."""
    given = np.asarray(value)
    _refuse(name, value, ~((given >= 0) & (given <= 1)), "a share from 0 to 1")


def check_occupancy(name: str, value: Numbers) -> None:
    """Raise ErlangInputError unless every number is above 0 and at most 1."""
    given = np.asarray(value)
    _refuse(name, value, ~((given > 0) & (given <= 1)), "a share above 0, at most 1")


def check_whole(name: str, value: Numbers, least: int = 0, most: int = MAX_AGENTS) -> None:
    """Raise ErlangInputError unless every number is whole and from `least` to `most`."""
    given = np.asarray(value)
    wrong = ~((given >= least) & (given <= most) & (np.floor(given) == given) & (given.dtype.kind in "iuf"))
    _refuse(name, value, wrong, f"a whole number from {least} to {most}")


def _refuse(name: str, value: Numbers, wrong: npt.NDArray[Any], wanted: str) -> None:
    if not np.any(wrong):
        return
    given = np.asarray(value)
    bad = given[np.broadcast_to(wrong, given.shape)].flat[0].item()
    raise ErlangInputError(f"{name} is {bad!r}: give {wanted}")
