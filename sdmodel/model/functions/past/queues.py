"""Queues: first in, first out. The level is a stock that is held within a step, and what is in it follows from earlier inflows.

Whatever has left, the newest inflows are still there, as many as the level holds; so functions of a queue go back through them until
their sum is the level. Vensim's manual leaves open: what is there at the start has the ages of whole time steps, from one on; an empty
queue has the age and attribute 0; a part of the level that is only rounding does not count; ages count in time steps as long as that of
now; and the initial attribute is that in the middle of a time step.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic

from sympy import Expr, S, Symbol

from ...algebra import NA, Table, add, multiply, negate
from ..arithmetic import MAX, NEXT_TO_ZERO
from ..memory import DELAY_FIXED, INITIAL, expanded
from ..row import Expander, FunctionRow, Kind, PastEmitter, R
from .reading import counts, larger, reading, share, smaller

_TIME_STEP = Symbol("time_step")
_ROUNDING = 1e-9
"""The share of a level that is only rounding."""

Visit = Callable[..., tuple[R, ...]]
"""From the register of the steps since an element came, what is left of it, and what is newer, the next state from the state."""


@dataclass(frozen=True, slots=True)
class _Queue(Generic[R]):
    """A queue: its level, the amounts that came in at the steps before, and what was in it at the start."""

    f: PastEmitter[R]
    level: R
    entries: R
    initial: R
    length: R
    profile: Table
    step: R

    def visit(self, visit: Visit[R], *state: R) -> tuple[R, ...]:
        """Go through the elements, from the newest to the oldest; nothing is visited where the level is not above zero."""
        f, steps = self.f, self.f.steps
        enough = f.binary("*", self.level, f.constant(1 - _ROUNDING))

        def body(ago: R, newer: R, *so_far: R) -> tuple[R, ...]:
            back = f.real(ago)
            before = f.compare(">", back, steps)
            first, last = self.parts(back)
            old = f.binary(
                "*", self.initial, f.binary("-", share(f, self.profile, last), share(f, self.profile, first))
            )
            amount = f.choose(before, old, f.past(self.entries, ago))
            left = larger(f, smaller(f, amount, f.binary("-", self.level, newer)), f.constant(0.0))
            found = visit(ago, left, newer, *so_far)
            there = f.compare(">", left, f.constant(0.0))
            following = [f.choose(there, new, own) for new, own in zip(found, so_far, strict=True)]
            newer = f.binary("+", newer, left)
            remains = f.logic(
                "or", f.invert(before), f.logic("and", counts(f, ago), f.compare("<", last, f.constant(1.0)))
            )
            return f.logic("and", f.compare("<", newer, enough), remains), newer, *following

        return f.repeat(body, f.constant(0.0), *state)

    def parts(self, back: R) -> tuple[R, R]:
        """Write where the elements of the start that came some steps ago begin and end in the profile, from 0 to 1."""
        f, one = self.f, self.f.constant(1.0)
        place = larger(f, f.binary("-", f.binary("-", back, f.steps), one), f.constant(0.0))
        ends = (place, f.binary("+", place, one))
        first, last = (f.binary("/", f.binary("*", end, self.step), larger(f, self.length, self.step)) for end in ends)
        return smaller(f, first, one), smaller(f, last, one)

    def age(self, ago: R) -> R:
        """Write the age of an element."""
        return self.f.binary("*", self.f.real(ago), self.step)

    def oldest(self, quantity: R) -> R:
        """Write how much counts as the oldest: a quantity, or the whole level where that is not above zero or beyond it."""
        f = self.f
        part = f.logic("and", f.compare(">", quantity, f.constant(0.0)), f.compare("<", quantity, self.level))
        return f.choose(part, quantity, self.level)

    def among_oldest(self, quantity: R, left: R, newer: R) -> R:
        """Write how much of an element belongs to the oldest."""
        f = self.f
        begins = larger(f, newer, f.binary("-", self.level, quantity))
        return larger(f, f.binary("-", f.binary("+", newer, left), begins), f.constant(0.0))

    def mean(self, quantity: R, value: Callable[[R], R], none: R) -> R:
        """Write the mean of a value over the oldest elements, and none where there is nothing."""
        f, zero = self.f, self.f.constant(0.0)
        quantity = self.oldest(quantity)

        def visit(ago: R, left: R, newer: R, total: R, count: R) -> tuple[R, ...]:
            own = self.among_oldest(quantity, left, newer)
            return f.binary("+", total, f.binary("*", own, value(ago))), f.binary("+", count, own)

        _, total, count = self.visit(visit, zero, zero)
        return f.choose(f.compare(">", count, zero), f.binary("/", total, count), none)

    def within(self, least: R, most: R, value: Callable[[R], R], slack: R) -> R:
        """Write the amount with a value in a range, of which an end that is `:NA:` does not count."""
        f = self.f
        open_end = f.compare("<=", most, f.constant(NA / 2))

        def visit(ago: R, left: R, _: R, total: R) -> tuple[R, ...]:
            own = value(ago)
            above = f.compare(">=", f.binary("+", own, slack), least)
            below = f.logic("or", open_end, f.compare("<=", f.binary("-", own, slack), most))
            return (f.choose(f.logic("and", above, below), f.binary("+", total, left), total),)

        return self.visit(visit, f.constant(0.0))[1]

    def negative(self) -> R:
        """Write whether more has left than came: then the level has the age of one time step."""
        return self.f.compare("<", self.level, self.f.constant(0.0))


def _average_age(f: PastEmitter[R], quantity: R, *queue: Any) -> R:
    own: _Queue[R] = _Queue(f, *queue)
    return f.choose(own.negative(), own.step, own.mean(quantity, own.age, f.constant(0.0)))


def _oldest_age(f: PastEmitter[R], *queue: Any) -> R:
    own: _Queue[R] = _Queue(f, *queue)
    _, oldest = own.visit(lambda ago, *_: (own.age(ago),), f.constant(0.0))
    return f.choose(own.negative(), own.step, oldest)


def _age_in_range(f: PastEmitter[R], least: R, most: R, *queue: Any) -> R:
    own: _Queue[R] = _Queue(f, *queue)
    slack = f.binary("*", own.step, f.constant(NEXT_TO_ZERO))
    found = own.within(least, most, own.age, slack)
    few = f.logic("or", f.compare(">=", most, own.step), f.compare("<=", most, f.constant(NA / 2)))
    one = f.logic("and", few, f.compare("<=", least, own.step))
    return f.choose(own.negative(), f.choose(one, own.level, f.constant(0.0)), found)


@dataclass(frozen=True, slots=True)
class _Attributes(Generic[R]):
    """The attributes of the elements of a queue: those that came in at the steps before, less what had changed, and of the start."""

    queue: _Queue[R]
    before: R
    change: R
    initial: R
    profile: Table

    def value(self, ago: R) -> R:
        """Write the attribute of an element now."""
        queue, f = self.queue, self.queue.f
        back = f.real(ago)
        middle = f.binary("*", f.constant(0.5), f.binary("+", *queue.parts(back)))
        xs = [x for x, _ in self.profile.points]
        x = f.binary("+", f.constant(min(xs)), f.binary("*", middle, f.constant(max(xs) - min(xs))))
        first = f.binary("*", self.initial, f.look_up("between", self.profile, x))
        own = f.choose(f.compare(">", back, f.steps), first, f.past(self.before, ago))
        return f.binary("+", own, self.change)


def _with_attributes(f: PastEmitter[R], *arguments: Any) -> _Attributes[R]:
    return _Attributes(_Queue(f, *arguments[:6]), *arguments[6:])


def _average_attribute(f: PastEmitter[R], quantity: R, *arguments: Any) -> R:
    own = _with_attributes(f, *arguments)
    return own.queue.mean(quantity, own.value, f.constant(0.0))


def _attribute_in_range(f: PastEmitter[R], least: R, most: R, *arguments: Any) -> R:
    own = _with_attributes(f, *arguments)
    return own.queue.within(least, most, own.value, f.constant(0.0))


def _extreme(sign: str) -> Callable[..., Any]:
    """The largest or smallest attribute of the oldest elements."""

    def shape(f: PastEmitter[R], quantity: R, *arguments: Any) -> R:
        own = _with_attributes(f, *arguments)
        quantity = own.queue.oldest(quantity)

        def visit(ago: R, left: R, newer: R, best: R, seen: R) -> tuple[R, ...]:
            counts = f.compare(">", own.queue.among_oldest(quantity, left, newer), f.constant(0.0))
            value = own.value(ago)
            better = f.logic("or", f.compare("=", seen, f.constant(0.0)), f.compare(sign, value, best))
            return f.choose(f.logic("and", counts, better), value, best), f.choose(counts, f.constant(1.0), seen)

        return own.queue.visit(visit, f.constant(0.0), f.constant(0.0))[1]

    return shape


def _quantity(f: PastEmitter[R], attributes: R, *arguments: Any) -> R:
    """Write how much of the oldest has attributes of a sum: all but the newest elements that have the rest of it."""
    own, zero = _with_attributes(f, *arguments), f.constant(0.0)

    def total(ago: R, left: R, _: R, so_far: R) -> tuple[R, ...]:
        return (f.binary("+", so_far, f.binary("*", left, own.value(ago))),)

    _, whole = own.queue.visit(total, zero)
    rest = f.binary("-", whole, attributes)

    def visit(ago: R, left: R, _: R, needed: R, newest: R) -> tuple[R, ...]:
        value = own.value(ago)
        share_left = smaller(f, left, f.binary("/", needed, value))
        taken = f.choose(f.compare(">", needed, zero), f.choose(f.compare(">", value, zero), share_left, left), zero)
        return f.binary("-", needed, f.binary("*", taken, value)), f.binary("+", newest, taken)

    _, _, newest = own.queue.visit(visit, rest, zero)
    level = own.queue.level
    found = f.choose(f.compare(">", rest, zero), larger(f, f.binary("-", level, newest), zero), level)
    return f.choose(f.compare(">", attributes, zero), found, zero)


_FINITE: Kind = "finite"
_OF_QUEUE = "level, entries, initial, length, profile, time step"
_QUEUE_KINDS: tuple[Kind, ...] = (_FINITE, "past", _FINITE, _FINITE, "table", _FINITE)
_OF_ATTRIBUTES = f"{_OF_QUEUE}, attributes, change, first, attribute profile"
_ATTRIBUTE_KINDS: tuple[Kind, ...] = (*_QUEUE_KINDS, "past", _FINITE, _FINITE, "table")
_ROLES = ("entries", "initial", "length", "profile")
_ATTRIBUTE_ROLES = ("attributes", "change", "first", "multiples")


def _reader(
    name: str, arguments: str, meaning: str, units: str, shape: Callable[..., str], *, optional: int = 0
) -> FunctionRow:
    """A function of a queue, the first argument, and others."""
    of_attributes = " ATTRIB " in name
    roles = (*_ROLES, *(_ATTRIBUTE_ROLES if of_attributes else ()))
    count = arguments.count(", ")
    others = ", ".join([*arguments.split(", ")[1:], _OF_ATTRIBUTES if of_attributes else _OF_QUEUE])
    kinds = (_FINITE,) * count + (_ATTRIBUTE_KINDS if of_attributes else _QUEUE_KINDS)
    inner = reading(f"{name} OF({others})", meaning, f"{', '.join('*' * len(kinds))} -> *", shape, kinds)

    def expand(model: Expander, queue: Expr, *values: Expr) -> Expr:
        found = model.parts_of(queue, *roles)
        return inner.build(*values, queue, *found[:4], _TIME_STEP, *found[4:])

    return expanded(f"{name}({arguments})", meaning, units, expand, optional=optional, at_start=lambda *_: S.NaN)


def _positive(value: Expr) -> Expr:
    return MAX.build(value, S.Zero)


def _record(model: Expander, role: str, value: Expr) -> None:
    """Keep the values of all steps for other equations."""
    model.named(role, DELAY_FIXED.build(value, _TIME_STEP, S.Zero))


def _fifo(model: Expander, inflow: Expr, outflow: Expr, profile: Expr, initial: Expr, length: Expr) -> Expr:
    inflow, outflow = model.auxiliary(inflow), model.auxiliary(outflow)
    came = multiply(add(_positive(inflow), _positive(negate(outflow))), _TIME_STEP)
    _record(model, "entries", came)
    for role, value in (("initial", initial), ("length", length)):
        model.named(role, INITIAL.build(value))
    model.named("profile", profile)
    return model.stock(lambda _: add(inflow, negate(outflow)), initial, held=True)


def _fifo_attrib(
    model: Expander,
    inflow: Expr,
    outflow: Expr,
    attribute: Expr,
    change: Expr,
    profile: Expr,
    attribute_profile: Expr,
    initial: Expr,
    first: Expr,
    length: Expr,
) -> Expr:
    changed = model.named("change", model.stock(lambda _: change, S.Zero, held=True))
    _record(model, "attributes", add(attribute, negate(changed)))
    model.named("first", INITIAL.build(first))
    model.named("multiples", attribute_profile)
    return _fifo(model, inflow, outflow, profile, initial, length)


_NUMBER: Kind = "number"
QUEUES = (
    expanded(
        "QUEUE FIFO(inflow, outflow, profile, initial, age range)",
        "a stock of which functions know how old its elements are: what came first leaves first; the initial elements have ages up "
        "to the age range, by the profile",
        "u/t, u/t, *, u, t -> u",
        _fifo,
        kinds=(_NUMBER, _NUMBER, "table", _NUMBER, _NUMBER),
        at_start=3,
        roles=frozenset(_ROLES),
    ),
    expanded(
        "QUEUE FIFO ATTRIB(inflow, outflow, attribute, change, profile, attribute profile, initial, initial attribute, age range)",
        "a queue whose elements have an attribute, which changes by a rate while they wait; at the start it is the initial attribute "
        "times its profile",
        "u/t, u/t, v, v/t, *, *, u, v, t -> u",
        _fifo_attrib,
        kinds=(*(_NUMBER,) * 4, "table", "table", *(_NUMBER,) * 3),
        at_start=6,
        roles=frozenset((*_ROLES, *_ATTRIBUTE_ROLES)),
    ),
)
"""The functions that define queues."""

ROWS = (
    *QUEUES,
    _reader(
        "QUEUE AGE AVERAGE", "queue, quantity", "the mean age of a quantity of the oldest elements of a queue; of all where that is 0",
        "u, u -> t", _average_age, optional=1,
    ),
    _reader(
        "QUEUE AGE IN RANGE", "queue, least, most", "how much in a queue is at least and at most so old; :NA: leaves a limit out",
        "u, t, t -> u", _age_in_range,
    ),
    _reader("QUEUE AGE OLDEST", "queue", "the age of the oldest element of a queue", "u -> t", _oldest_age),
    _reader(
        "QUEUE ATTRIB AVERAGE", "queue, quantity", "the mean attribute of a quantity of the oldest elements; of all where that is 0",
        "u, u -> *", _average_attribute, optional=1,
    ),
    _reader(
        "QUEUE ATTRIB IN RANGE", "queue, least, most", "how much in a queue has an attribute in a range; :NA: leaves a limit out",
        "u, *, * -> u", _attribute_in_range,
    ),
    _reader(
        "QUEUE ATTRIB MAX", "queue, quantity", "the largest attribute of a quantity of the oldest elements; of all where that is 0",
        "u, u -> *", _extreme(">"), optional=1,
    ),
    _reader(
        "QUEUE ATTRIB MIN", "queue, quantity", "the smallest attribute of a quantity of the oldest elements; of all where that is 0",
        "u, u -> *", _extreme("<"), optional=1,
    ),
    _reader(
        "QUEUE ATTRIB QUANTITY", "queue, sum", "how much of the oldest in a queue has attributes of a sum; the level where all have less",
        "u, * -> u", _quantity,
    ),
)  # fmt: skip
