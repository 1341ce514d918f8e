import math
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambdas.core import catalogue, fleet
from lambdas.core.fleet import DEPOTS, EARTH_RADIUS_KM, great_circle_km, nearest_depot, road_km, travel_seconds, truck

LATITUDES, LONGITUDES = st.floats(-90, 90), st.floats(-180, 180)
POINTS = st.tuples(LATITUDES, LONGITUDES)
Point = tuple[float, float]


def between_vectors_km(a: Point, b: Point) -> float:
    """The same distance by another formula: the angle between the two points' vectors from the earth's centre."""

    def vector(point: Point) -> tuple[float, float, float]:
        latitude, longitude = map(math.radians, point)
        flat = math.cos(latitude)
        return flat * math.cos(longitude), flat * math.sin(longitude), math.sin(latitude)

    (x, y, z), (u, v, w) = vector(a), vector(b)
    cross = math.hypot(y * w - z * v, z * u - x * w, x * v - y * u)
    return EARTH_RADIUS_KM * math.atan2(cross, x * u + y * v + z * w)


@pytest.mark.parametrize(
    ("a", "b", "km"),
    [
        # Rosetta Code, Haversine formula: Nashville airport to Los Angeles airport
        ((36.12, -86.67), (33.94, -118.40), 2886.44444),
        # it4each.com, Haversine formula in Python: Berlin to Paris
        ((52.52, 13.4), (48.85, 2.35), 877.68),
        # Stack Overflow, Calculate distance between 2 GPS coordinates: London to Arlington
        ((51.5, 0.0), (38.8, -77.1), 5918.18506),
    ],
    ids=["Nashville-Los Angeles", "Berlin-Paris", "London-Arlington"],
)
def test_distances_that_others_computed_for_a_radius_of_6371_km(a: Point, b: Point, km: float) -> None:
    assert great_circle_km(*a, *b) * 6_371 / EARTH_RADIUS_KM == pytest.approx(km, abs=0.005)


@given(POINTS, POINTS)
def test_the_distance_is_that_between_the_points_vectors(a: Point, b: Point) -> None:
    assert great_circle_km(*a, *b) == pytest.approx(between_vectors_km(a, b), abs=0.3)  # near the antipodes


def test_the_antipodes_are_half_a_circumference_away() -> None:
    assert great_circle_km(50.0, 7.0, -50.0, -173.0) == pytest.approx(math.pi * EARTH_RADIUS_KM)
    assert great_circle_km(90.0, 0.0, -90.0, 0.0) == math.pi * EARTH_RADIUS_KM


@given(st.floats(35, 71), st.floats(-11, 32))
def test_no_depot_is_nearer_than_the_nearest(latitude: float, longitude: float) -> None:
    here = latitude, longitude
    chosen = nearest_depot(*here)
    distances = [between_vectors_km((depot.latitude, depot.longitude), here) for depot in DEPOTS]
    assert between_vectors_km((chosen.latitude, chosen.longitude), here) <= min(distances) + 1e-6


def test_most_stores_have_a_depot_within_400_km_and_every_depot_has_stores() -> None:
    stores = [catalogue.store(7, number) for number in range(1, 301)]
    depots = [nearest_depot(store.latitude, store.longitude) for store in stores]
    distances = [
        great_circle_km(depot.latitude, depot.longitude, store.latitude, store.longitude)
        for depot, store in zip(depots, stores, strict=True)
    ]
    assert sum(distance <= 400 for distance in distances) > 0.8 * len(stores)
    assert set(depots) == set(DEPOTS)


def test_the_same_truck_answers_an_alert_and_all_trucks_get_their_turn() -> None:
    (depot,) = [depot for depot in DEPOTS if depot.name == "Rhine"]
    alerts = [f"A-S{store:05}-P0001-{number}" for store in range(1, 101) for number in range(1, 16)]
    turns = Counter(truck(depot, alert) for alert in alerts)
    assert turns == Counter(truck(depot, alert) for alert in reversed(alerts))
    assert turns.keys() == {f"Rhine-{number:02}" for number in range(1, depot.trucks + 1)}
    assert max(turns.values()) < 1.5 * len(alerts) / depot.trucks
    # Fixed for ever: a retry after an update must not send another one.
    assert truck(depot, "A-S00001-P0001-1") == "Rhine-11"


def test_a_trip_of_two_hours_takes_two_minutes_at_sixty_times_the_pace() -> None:
    assert travel_seconds(105, speedup=1) == 15 * 60 + 105 * 60 == 2 * 3_600
    assert travel_seconds(105, speedup=60) == 120


@given(st.floats(0, math.pi * EARTH_RADIUS_KM * fleet.DETOUR), st.integers(1, 10_000))
def test_a_trip_takes_whole_seconds_that_a_wait_state_can_wait(distance_km: float, speedup: int) -> None:
    """Seconds from 0 to 99999999: Wait workflow state, Step Functions developer guide."""
    seconds = travel_seconds(distance_km, speedup)
    assert type(seconds) is int
    assert 1 <= seconds <= 99_999_999
    assert (seconds - 1) * speedup < 900 + distance_km * 60 <= seconds * speedup + 1e-3


@given(POINTS)
def test_a_road_is_longer_than_the_great_circle_by_the_detour(point: Point) -> None:
    depot = nearest_depot(*point)
    direct = between_vectors_km((depot.latitude, depot.longitude), point)
    assert road_km(depot, *point) == pytest.approx(1.3 * direct, abs=0.5)
