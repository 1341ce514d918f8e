"""What does not change from event to event: stores and products."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Store:
    """A store: coordinates in degrees, WGS 84; country as ISO 3166-1 alpha-2."""

    store_id: str
    store_name: str
    city: str
    country: str
    latitude: float
    longitude: float

    @property
    def utc_offset(self) -> int:
        """Hours by which the store's solar time is ahead of UTC: 15 degrees of longitude make an hour."""
        return round(self.longitude / 15)


@dataclass(frozen=True, slots=True)
class Product:
    """A product: price of a unit in EUR."""

    product_id: str
    product_name: str
    category: str
    unit_price: float


def store_id(number: int) -> str:
    """Return the id of the store with a number: `S00001`."""
    return f"S{number:05}"


def product_id(number: int) -> str:
    """Return the id of the product with a number: `P0001`."""
    return f"P{number:04}"
