"""Numbers as the report prints them: a real minus sign, and a dash for what is not known."""

from __future__ import annotations

import math

DASH = "\N{EN DASH}"
MINUS = "\N{MINUS SIGN}"


def fixed(value: float | None, digits: int = 1) -> str:
    """Format a number with so many decimals: ``−1,234.5``."""
    if value is None or not math.isfinite(value):
        return DASH
    return f"{value:,.{digits}f}".replace("-", MINUS)


def signed(value: float) -> str:
    """Format a difference with its sign and one decimal: ``+1.5``."""
    return f"{value:+.1f}".replace("-", MINUS) if math.isfinite(value) else DASH


def percent(share: float) -> str:
    """Format a share of one: ``12 %``."""
    return f"{100 * share:.0f} %" if math.isfinite(share) else DASH


def count(value: int) -> str:
    """Format a whole number: ``25,000``."""
    return f"{value:,}"
