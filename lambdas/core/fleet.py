"""The fleet: where depots are, which truck goes, how far it is and how long it takes."""

import math
from dataclasses import dataclass
from hashlib import sha256
from typing import Final

EARTH_RADIUS_KM: Final = 6_371.0088
"""Mean radius of the earth, R1 of the International Union of Geodesy and Geophysics (Moritz, Geodetic Reference System
1980)."""
DETOUR: Final = 1.3
"""Roads are about 1.3 (± 0.1) times as long as the great circle between their ends (Wang et al., How much longer do you
have to drive than the crow has to fly?, arXiv 2406.06490). Ferries count as roads."""
KM_PER_HOUR: Final = 60
"""Average speed of a lorry on such a road, its driver's breaks included. An assumption."""
LOADING_SECONDS: Final = 15 * 60
"""From the call to the gate. An assumption."""


@dataclass(frozen=True, slots=True)
class Depot:
    """Where trucks are loaded: coordinates in degrees, WGS 84. Its trucks are numbered from 1."""

    name: str
    latitude: float
    longitude: float
    trucks: int


DEPOTS: Final = (
    Depot("Midlands", 52.37, -1.26, 12),
    Depot("Rhine", 51.43, 6.76, 15),
    Depot("Franconia", 49.45, 11.08, 12),
    Depot("Loire", 47.90, 1.90, 8),
    Depot("Rhone", 45.76, 4.84, 6),
    Depot("Meseta", 40.40, -3.70, 12),
    Depot("Po", 44.49, 11.34, 10),
    Depot("Campania", 40.90, 14.30, 6),
    Depot("Smaland", 57.78, 14.16, 6),
)
"""Invented, and placed so that most of the catalogue's stores have one within 400 km as the crow flies."""


def great_circle_km(latitude: float, longitude: float, to_latitude: float, to_longitude: float) -> float:
    """Return the distance over a sphere between two points in degrees, by the haversine formula.

    The earth is no sphere: the error is at most about half a per cent.
    """
    a, b = math.radians(latitude), math.radians(to_latitude)
    across = math.radians(to_longitude - longitude)
    haversine = math.sin((b - a) / 2) ** 2 + math.cos(a) * math.cos(b) * math.sin(across / 2) ** 2
    return 2 * EARTH_RADIUS_KM * math.asin(min(1.0, math.sqrt(haversine)))


def nearest_depot(latitude: float, longitude: float) -> Depot:
    """Return the depot with the shortest great circle to a point in degrees."""
    return min(DEPOTS, key=lambda depot: great_circle_km(depot.latitude, depot.longitude, latitude, longitude))


def truck(depot: Depot, alert_id: str) -> str:
    """Return the truck of a depot that answers an alert: always the same one, and each about equally often.

    Nobody keeps the trucks' diary: one may be on two trips at a time.
    """
    number = int.from_bytes(sha256(alert_id.encode()).digest()[:8], "big") % depot.trucks + 1
    return f"{depot.name}-{number:02}"


def road_km(depot: Depot, latitude: float, longitude: float) -> float:
    """Return the length in km, to 100 m, of the road from a depot to a point in degrees."""
    return round(DETOUR * great_circle_km(depot.latitude, depot.longitude, latitude, longitude), 1)


def travel_seconds(distance_km: float, speedup: int) -> int:
    """Return the seconds in which a truck is loaded and has driven so many km, at `speedup` times the real pace.

    Whole seconds, rounded up, at least one: what a Wait state takes.
    """
    return math.ceil((LOADING_SECONDS + distance_km / KM_PER_HOUR * 3_600) / speedup)
