"""How many units a shelf should be filled up with: an order-up-to policy that needs the reorder point alone."""

import math
from typing import Final

LEAD_TICKS: Final = 8
"""Ticks from an alert to the unloaded truck for which the reorder point covers demand: two hours."""
_REVIEW_TICKS: Final = 60
"""Ticks of a trading day, the period for which a delivery should last."""
_SAFETY: Final = 1.65
"""Safety factor of the reorder point: the shelf lasts through the lead time in 95 % of cycles."""
_CYCLE_SAFETY: Final = 1.5
"""Safety factor of the order-up-to level."""
DAY_SPREAD: Final = 0.3
"""Standard deviation of the logarithm of what a product sells on one day in one store, relative to what is expected."""


def reorder_point(demand: float) -> int:
    """Return the units below which a shelf is low, from the mean demand in units per tick: s = x_L + k sd_L.

    Silver, Pyke and Thomas, Inventory and Production Management in Supply Chains, 4th ed. (2017), chapter 6.
    """
    lead = demand * LEAD_TICKS
    return math.ceil(lead + _SAFETY * math.sqrt(lead))


def order_up_to(reorder_point: int) -> int:
    """Return the units up to which a shelf is filled: S = x_(R+L) + k sd_(R+L), as in the same chapter.

    Events tell a shelf's reorder point and not its demand, so demand is read back from it. Always above it.
    """
    root = (math.sqrt(_SAFETY**2 + 4 * reorder_point) - _SAFETY) / 2  # the square root of the demand over the lead time
    cycle = root**2 / LEAD_TICKS * (_REVIEW_TICKS + LEAD_TICKS)
    level = math.ceil(cycle + _CYCLE_SAFETY * math.sqrt(cycle + (DAY_SPREAD * cycle) ** 2))
    return max(level, reorder_point + 1)


def order_quantity(reorder_point: int, on_hand: int, on_order: int) -> int:
    """Return the units a truck should bring to a low shelf: order-up-to level minus on hand minus on order.

    At least what lifts the shelf to its reorder point, so that a shelf never waits for nothing but an earlier truck
    that is late.
    """
    return max(order_up_to(reorder_point) - on_hand - on_order, reorder_point - on_hand)
