"""One way of rounding, so that the same sums give the same bytes everywhere. No floats."""

from fractions import Fraction


def half_up(value: Fraction | int) -> int:
    """The nearest whole number; a half goes up (71.5 is 72)."""
    exact = Fraction(value)
    return (2 * exact.numerator + exact.denominator) // (2 * exact.denominator)


def per_cent(tenths: int) -> str:
    """Tenths of a per cent as people read them: 850 is ``85.0 %``."""
    return f"{tenths // 10}.{tenths % 10} %"


def points(hundredths: int) -> str:
    """Hundredths of a factor point as people read them: 745 is ``7.45``."""
    return f"{hundredths // 100}.{hundredths % 100:02d}"
