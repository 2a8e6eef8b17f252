"""Deliveries whose numbers come out of turn.

The numbers of a session's deliveries follow one another (OASIS AMQP 1.0, part 2, 2.5.6), and proton closes the
connection where they do not. Python's SDK takes a number and writes its frame in two steps, so two of its threads on
one connection (an automatic lock renewal is enough) can exchange their frames, or take the same number twice; Azure
does not mind. So deliveries are numbered anew in the order in which they arrive, and what the client is told of one has
the number that the client gave it.
"""

from __future__ import annotations

_NUMBERS = 1 << 32


class Numbering:
    """The deliveries that a client sends in one session."""

    __slots__ = ("_given", "_inside", "_next")

    def __init__(self) -> None:
        self._next: int | None = None
        self._inside: dict[int, int] = {}
        """By handle: the delivery of which not all has come."""
        self._given: dict[int, int] = {}
        """By the number in the order of arrival, the one that the client gave; where the two differ."""

    def follows(self, given: int) -> bool:
        """Take note of a delivery that comes whole, if it is the one that follows; else False, and nothing is noted."""
        if self._inside or (given != self._next and self._next is not None):
            return False
        self._next = (given + 1) % _NUMBERS
        return True

    def arrived(self, handle: int, given: int | None, *, more: bool) -> int | None:
        """Take note of a transfer; returns the number that its delivery has in the order of arrival.

        `given` is None where the client leaves it out: it is then told as it is.
        """
        number = self._inside.pop(handle, None)
        if number is None:
            number = self._begin((self._next or 0) if given is None else given)
        if more:
            self._inside[handle] = number
        return None if given is None else number

    def detached(self, handle: int) -> None:
        """The link of that handle is gone, and what has not come of its delivery does not come."""
        self._inside.pop(handle, None)

    def given(self, number: int, *, settled: bool) -> int:
        """The number that the client gave to the delivery that is `number` in the order of arrival."""
        if settled:
            return self._given.pop(number, number)
        return self._given.get(number, number)

    def are_given(self, first: int, last: int) -> bool:
        """Whether the client gave other numbers to some of the deliveries from `first` to `last`."""
        return any(first <= number <= last for number in self._given)

    def _begin(self, given: int) -> int:
        number = given if self._next is None else self._next
        self._next = (number + 1) % _NUMBERS
        if number != given:
            self._given[number] = given
        return number
