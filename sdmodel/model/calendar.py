"""The calendar of a model, in which Time 0 is a date, as GET TIME VALUE reads it.

The time of a model in years, quarters or months has years of 360 days and months of 30 (Vensim reference manual); in weeks, days and
shorter units it is that of the Gregorian calendar. Days are counted from January 1 of the year 0, which is 1 BC.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from typing import Any

from sympy import Expr, Float, Symbol

from .algebra import number

UNITS = ("year", "quarter", "month", "week", "day", "hour", "minute", "second")
"""The units of time with a calendar, by the number that Vensim's settings have for them."""
_DAYS = (360.0, 90.0, 30.0, 7.0, 1.0, 1 / 24, 1 / 1440, 1 / 86400)
_OF_360_DAYS = UNITS[:3]
_SECONDS = 86400
_GREGORIAN = 365
"""The days per year that stand for the Gregorian calendar."""
_JANUARY = 10
"""January, among months counted from March."""
_SLACK = 1e-7
"""What rounding may take from a whole day, in days."""


@dataclass(frozen=True, slots=True)
class Calendar:
    """The date of Time 0, and the unit of Time."""

    year: int = 2000
    month: int = 1
    day: int = 1
    unit: str = "month"

    def arguments(self) -> tuple[Expr, ...]:
        """What GET TIME VALUE needs to know besides its written arguments: times, the first day, days per unit, days per year."""
        if self.unit in _OF_360_DAYS:
            first, length = 360 * self.year + 30 * (self.month - 1) + self.day - 1, 360
        else:
            first, length = date(self.year, self.month, self.day).toordinal() + 365, _GREGORIAN
        unit = Float(_DAYS[UNITS.index(self.unit)])
        return Symbol("time"), Symbol("initial_time"), number(float(first)), unit, number(float(length))


def _date(day: Any, pick: Any) -> tuple[Any, Any, Any]:
    """The year, month and day of the month of a whole number of days in the Gregorian calendar.

    Years are counted from March 1, so that the leap day is the last one, and in cycles of 400 years, which have 146,097 days.
    """
    since_march = day - 60
    cycle = since_march // 146097
    in_cycle = since_march - cycle * 146097
    year = (in_cycle - in_cycle // 1460 + in_cycle // 36524 - in_cycle // 146096) // 365
    in_year = in_cycle - (year * 365 + year // 4 - year // 100)
    month = (in_year * 5 + 2) // 153
    day_of_month = in_year - (month * 153 + 2) // 5 + 1
    is_next = month >= _JANUARY
    return cycle * 400 + year + pick(is_next, day * 0 + 1, day * 0), pick(is_next, month - 9, month + 3), day_of_month


def date_measures(pick: Callable[..., Any], time: Any, first: Any, unit: Any, length: Any) -> list[Any]:
    """What GET TIME VALUE gives for each measure, from 0 on.

    All are numbers, or what has their arithmetic; `pick` chooses one of two by a comparison.
    """
    days = time * unit + first
    day = (days + _SLACK) // 1
    year = day // 360
    month = (day - year * 360) // 30
    real = _date(day, pick)
    is_real = length >= _GREGORIAN
    shown = [
        pick(is_real, other, own)
        for other, own in zip(real, (year, month + 1, day - year * 360 - month * 30 + 1), strict=True)
    ]
    weekday = day + 6 - (day + 6) // 7 * 7
    fraction = days - day
    fraction = pick(fraction >= 0, fraction, fraction * 0)
    hours, minutes, seconds = ((fraction + _SLACK / 1440) * per // 1 for per in (24, 1440, _SECONDS))
    second = fraction * _SECONDS - minutes * 60
    elapsed = day * _SECONDS + seconds
    return [
        time, shown[0], (shown[1] + 2) // 3, shown[1], shown[2], weekday, day, hours, minutes - hours * 60,
        pick(second >= 0, second, second * 0), elapsed - elapsed // 500000 * 500000,
    ]  # fmt: skip
