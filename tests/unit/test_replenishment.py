"""The order-up-to policy, from the reorder point alone."""

from hypothesis import given
from hypothesis import strategies as st

from lambdas.core.replenishment import LEAD_TICKS, order_quantity, order_up_to, reorder_point


@given(st.integers(1, 1_000_000), st.data())
def test_a_delivery_lifts_a_low_shelf_to_its_order_up_to_level_with_what_is_on_order(
    threshold: int, data: st.DataObject
) -> None:
    on_hand = data.draw(st.integers(0, threshold - 1))
    assert order_quantity(threshold, on_hand, 0) == order_up_to(threshold) - on_hand
    on_order = data.draw(st.integers(0, order_up_to(threshold)))
    units = order_quantity(threshold, on_hand, on_order)
    assert units + on_hand >= threshold
    assert units + on_hand + on_order == order_up_to(threshold) or units + on_hand == threshold


@given(st.floats(0.001, 100))
def test_demand_is_read_back_from_the_reorder_point(demand: float) -> None:
    # A reorder point is rounded up to whole units: demand can seem higher by at most what one unit more stands for.
    threshold = reorder_point(demand)
    assert reorder_point(demand) >= demand * LEAD_TICKS
    assert order_up_to(threshold) >= order_up_to(max(threshold - 1, 1))
    assert order_up_to(threshold) >= demand * (60 + LEAD_TICKS)
