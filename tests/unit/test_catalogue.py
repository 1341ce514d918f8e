import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lambdas.core import catalogue
from lambdas.core.contract import _RULES as RULES
from lambdas.core.master_data import Product, Store

STORES = [catalogue.store(7, number) for number in range(1, 501)]
PRODUCTS = catalogue.products(7, 500)


@pytest.mark.parametrize("facts", [*STORES[::10], *PRODUCTS[::10]], ids=lambda facts: type(facts).__name__)
def test_stores_and_products_fit_the_contract(facts: Store | Product) -> None:
    for name in facts.__slots__:
        assert RULES[name](getattr(facts, name)) is None


@settings(max_examples=20)
@given(st.integers(0, 2**32), st.integers(1, catalogue.MAX_STORES))
def test_a_store_depends_on_the_seed_and_its_number_alone(seed: int, number: int) -> None:
    store = catalogue.store(seed, number)
    catalogue.store(seed + 1, number)
    assert catalogue.store(seed, number) == store
    assert store.store_id == f"S{number:05}"


def test_another_seed_makes_another_chain() -> None:
    assert catalogue.store(8, 1) != catalogue.store(7, 1)
    assert catalogue.products(8, 50) != catalogue.products(7, 50)


def test_no_two_stores_are_in_the_same_place() -> None:
    assert len({(store.latitude, store.longitude) for store in STORES}) == len(STORES)


def test_stores_of_a_chain_lie_close_around_their_cities() -> None:
    cities = {(city, country): (float(lat), float(lon)) for lat, lon, city, country, _ in catalogue._cities()}
    for store in STORES:
        latitude, longitude = cities[store.city, store.country]
        assert math.dist((store.latitude, store.longitude), (latitude, longitude)) <= 0.08


def test_stores_share_roughly_one_trading_day() -> None:
    assert {store.utc_offset for store in STORES} <= {-1, 0, 1, 2}


def test_an_assortment_is_the_beginning_of_every_larger_one() -> None:
    assert catalogue.products(7, 50) == PRODUCTS[:50]
    assert len({product.product_name for product in PRODUCTS}) == len({p.product_id for p in PRODUCTS}) == 500


def test_an_assortment_covers_all_departments_early() -> None:
    assert len({product.category for product in PRODUCTS[:10]}) == 10


def test_a_products_price_is_near_what_its_kind_costs() -> None:
    costs = {(category, goods): price for category, shelf in catalogue._DEPARTMENTS.items() for goods, price in shelf}
    for product in PRODUCTS:
        kind = next(kind for kind in costs if kind[0] == product.category and product.product_name.endswith(kind[1]))
        assert 0.8 < product.unit_price / costs[kind] < 1.35


@pytest.mark.parametrize("number", [0, catalogue.MAX_STORES + 1])
def test_there_is_no_store_beyond_the_chain(number: int) -> None:
    with pytest.raises(ValueError, match="stores 1 to 100000"):
        catalogue.store(7, number)


@pytest.mark.parametrize("count", [0, catalogue.MAX_PRODUCTS + 1])
def test_there_are_no_more_products_than_500(count: int) -> None:
    with pytest.raises(ValueError, match="1 to 500 products"):
        catalogue.products(7, count)
