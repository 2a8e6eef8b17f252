"""The decimals of AMQP: IEEE 754-2008 numbers in binary integer encoding, to and from `decimal.Decimal`.

.NET sends System.Decimal so, as decimal128, and has its own way of reading and writing those, which
`localzure.services.servicebus.decimals` knows. What is not finite is told as NaN or infinity.
"""

from __future__ import annotations

from decimal import Context, Decimal
from typing import TYPE_CHECKING, NamedTuple

from localzure.services.servicebus.decimals import SCALE_MAX, scale_of, written
from localzure_protocols.amqp.types import Decimal32, Decimal64, Decimal128

if TYPE_CHECKING:
    from collections.abc import Mapping


class _Form(NamedTuple):
    """How the bits of one width are used (IEEE 754-2008, table 3.6)."""

    bits: int
    exponent_bits: int
    bias: int

    @property
    def coefficient_bits(self) -> int:
        """Those behind sign and exponent."""
        return self.bits - 1 - self.exponent_bits


_FORMS: Mapping[type, _Form] = {
    Decimal32: _Form(32, 8, 101),
    Decimal64: _Form(64, 10, 398),
    Decimal128: _Form(128, 14, 6176),
}

CONTEXT = Context(prec=34, Emin=-6143, Emax=6144, traps=[])
"""How decimals count: as decimal128, and what goes wrong is NaN or infinity."""

_COEFFICIENT_MAX = 2**96 - 1
"""Of .NET's decimals."""


def read_decimal(raw: Decimal32 | Decimal64 | Decimal128) -> Decimal:
    """The number that an AMQP decimal holds, to Azure."""
    if isinstance(raw, Decimal128) and (scale := scale_of(raw)) is not None:
        coefficient = int.from_bytes(raw[4:], "big")
        return Decimal((raw[0] >> 7, tuple(map(int, str(coefficient))), -scale))
    form = _FORMS[type(raw)]
    bits = int.from_bytes(raw, "big")
    sign = bits >> (form.bits - 1)
    if (bits >> (form.bits - 6)) & 0b11111 == 0b11111:
        return Decimal("NaN")
    if (bits >> (form.bits - 6)) & 0b11111 == 0b11110:
        return Decimal("-Infinity" if sign else "Infinity")
    shift = form.coefficient_bits
    if (bits >> (form.bits - 3)) & 0b11 == 0b11:
        # The exponent stands two bits further right, and the coefficient begins with an implicit 100.
        shift -= 2
        coefficient = (0b100 << shift) | (bits & ((1 << shift) - 1))
    else:
        coefficient = bits & ((1 << shift) - 1)
    exponent = (bits >> shift) & ((1 << form.exponent_bits) - 1)
    digits = tuple(int(digit) for digit in str(coefficient))
    return Decimal((sign, digits, exponent - form.bias))


def write_decimal(value: Decimal) -> Decimal128:
    """A number as .NET's decimals hold it, rounded to what they can. Raises OverflowError where it is too large."""
    value = CONTEXT.plus(value)
    if not value.is_finite() or value.adjusted() > SCALE_MAX:
        raise OverflowError("the number is out of the range of a decimal")
    for scale in range(min(SCALE_MAX, max(0, -int(value.as_tuple().exponent))), -1, -1):
        coefficient = abs(int(CONTEXT.to_integral_value(CONTEXT.scaleb(value, scale))))
        if coefficient <= _COEFFICIENT_MAX:
            return Decimal128(written(value.is_signed(), coefficient, scale))
    raise OverflowError("the number is out of the range of a decimal")
