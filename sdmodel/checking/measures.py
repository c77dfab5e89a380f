"""What variables are measured in: units that do not fit, and units that are left out."""

from __future__ import annotations

from collections.abc import Iterator

from .findings import Finding
from .subject import Subject


def find_misfits(subject: Subject) -> Iterator[Finding]:
    """Sub-expressions whose units do not fit, and units that cannot be read."""
    for doubt in subject.units.doubts:
        yield Finding(doubt.level, "units", doubt.place, doubt.variable, doubt.message)


def find_unitless(subject: Subject) -> Iterator[Finding]:
    """What has no units, with those that the equations give it if they settle them."""
    for element in subject.elements:
        if not element.units:
            inferred = subject.units.inferred.get(element.key)
            cure = f"its equations give it {inferred}" if inferred else "give them, or 'Dmnl' for a pure number"
            yield Finding("advice", "no-units", element.place, element.name, f"'{element.name}' has no units; {cure}")
