"""Stores and products that look like a real retailer's, made by Faker from a seed.

The whole of faker loads every provider of every language when it is imported, for half a second. The function's zip
holds the parts that are used here (`stacks/constructs/python_function.py`); nothing else in `lambdas` imports it.
"""

import math
from functools import cache, lru_cache
from importlib import import_module
from typing import Any, Final

from faker.generator import Generator
from faker.providers.geo import Provider as Geo

from lambdas.core.master_data import Product, Store, product_id, store_id

MAX_STORES: Final = 100_000
MAX_PRODUCTS: Final = 500

_SHOP_NAMES: Final[dict[str, tuple[str, tuple[str, ...]]]] = {
    "AT": ("de_AT", ("{name} Markt", "Feinkost {name}", "Nahversorger {name}")),
    "BE": ("nl_BE", ("Supermarkt {name}", "Voeding {name}", "Buurtwinkel {name}")),
    "CH": ("de_CH", ("{name} Markt", "Dorfladen {name}", "{name} & Co. Lebensmittel")),
    "DE": ("de_DE", ("{name} Markt", "Frischemarkt {name}", "Kaufhaus {name}", "{name} & Söhne")),
    "DK": ("da_DK", ("{name}s Købmand", "Købmandsgården {name}")),
    "ES": ("es_ES", ("Supermercado {name}", "Ultramarinos {name}", "Alimentación {name}")),
    "FI": ("fi_FI", ("Kauppa {name}", "{name} Market")),
    "FR": ("fr_FR", ("Épicerie {name}", "Marché {name}", "{name} & Fils")),
    "GB": ("en_GB", ("{name}'s Stores", "{name} & Sons Grocers", "{name} Food Hall")),
    "IE": ("en_IE", ("{name}'s Foodstore", "{name} & Sons")),
    "IT": ("it_IT", ("Alimentari {name}", "Supermercato {name}", "Mercato {name}")),
    "NL": ("nl_NL", ("Supermarkt {name}", "Kruidenier {name}")),
    "NO": ("no_NO", ("{name} Dagligvare", "Matbutikken {name}")),
    "PT": ("pt_PT", ("Mercearia {name}", "Supermercado {name}")),
    "SE": ("sv_SE", ("{name}s Livs", "Matboden {name}")),
}
"""Per country the language of its family names, and what a shop is called. Countries that trade at about one time."""

_DEPARTMENTS: Final[dict[str, tuple[tuple[str, float], ...]]] = {
    "Dairy and eggs": (
        ("whole milk 1 l", 1.29), ("natural yoghurt 500 g", 1.49), ("salted butter 250 g", 2.79),
        ("free-range eggs 10", 3.29), ("mature cheddar 300 g", 4.49), ("mozzarella 125 g", 1.19),
        ("crème fraîche 200 g", 1.39), ("oat drink 1 l", 1.99), ("cottage cheese 200 g", 1.59),
        ("vanilla pudding 4 x 125 g", 2.19),
    ),
    "Bakery": (
        ("rye loaf 750 g", 2.99), ("baguette", 1.29), ("butter croissants 4", 2.99),
        ("wholemeal toast 500 g", 1.79), ("pretzels 6", 2.49), ("sourdough loaf 500 g", 3.49),
        ("cinnamon rolls 4", 3.79), ("tortilla wraps 8", 2.29), ("apple pie 600 g", 5.49),
        ("crispbread 250 g", 1.89),
    ),
    "Fruit and vegetables": (
        ("bananas 1 kg", 1.79), ("vine tomatoes 500 g", 2.49), ("cucumber", 0.99), ("potatoes 2.5 kg", 3.49),
        ("apples 1 kg", 2.69), ("baby spinach 200 g", 2.29), ("lemons 4", 1.69), ("avocado", 1.49),
        ("red onions 1 kg", 1.89), ("strawberries 400 g", 3.99),
    ),
    "Meat and fish": (
        ("chicken breast 400 g", 5.99), ("beef mince 500 g", 6.49), ("smoked salmon 200 g", 6.99),
        ("bratwurst 5", 4.29), ("cooked ham 200 g", 2.99), ("salami 150 g", 2.79), ("cod fillet 300 g", 8.49),
        ("turkey slices 150 g", 2.89), ("lamb chops 400 g", 11.99), ("fish fingers 15", 4.49),
    ),
    "Pantry": (
        ("spaghetti 500 g", 1.29), ("basmati rice 1 kg", 3.29), ("plain flour 1 kg", 1.09),
        ("chopped tomatoes 400 g", 0.99), ("olive oil 750 ml", 8.99), ("caster sugar 1 kg", 1.39),
        ("red lentils 500 g", 2.19), ("sea salt 500 g", 0.89), ("tomato ketchup 500 ml", 2.59),
        ("basil pesto 190 g", 2.99),
    ),
    "Breakfast": (
        ("rolled oats 500 g", 1.19), ("crunchy muesli 600 g", 3.79), ("cornflakes 500 g", 2.69),
        ("strawberry jam 340 g", 2.49), ("blossom honey 500 g", 5.99), ("hazelnut spread 400 g", 3.49),
        ("peanut butter 350 g", 3.29), ("granola bars 6", 2.39), ("maple syrup 250 ml", 6.49),
        ("marmalade 340 g", 2.29),
    ),
    "Drinks": (
        ("sparkling water 6 x 1.5 l", 3.54), ("orange juice 1 l", 2.49), ("cola 1.5 l", 1.69),
        ("ground coffee 500 g", 6.99), ("green tea 20 bags", 2.29), ("lemonade 750 ml", 1.89),
        ("pale ale 500 ml", 1.59), ("riesling 750 ml", 7.49), ("apple spritzer 1 l", 1.49),
        ("coffee beans 1 kg", 14.99),
    ),
    "Frozen": (
        ("margherita pizza 350 g", 3.29), ("garden peas 750 g", 2.39), ("vanilla ice cream 900 ml", 4.29),
        ("oven chips 1 kg", 2.99), ("mixed berries 500 g", 4.49), ("spinach 450 g", 1.79),
        ("spring rolls 300 g", 3.49), ("puff pastry 275 g", 2.19), ("vegetable stir-fry 750 g", 3.19),
        ("ice lollies 8", 3.59),
    ),
    "Sweets and snacks": (
        ("dark chocolate 100 g", 1.79), ("salted crisps 175 g", 1.99), ("fruit gums 200 g", 1.19),
        ("roasted almonds 150 g", 3.49), ("butter biscuits 250 g", 1.89), ("popcorn 100 g", 1.49),
        ("chocolate wafers 5", 1.69), ("rice cakes 100 g", 1.29), ("trail mix 200 g", 2.99),
        ("pralines 200 g", 6.99),
    ),
    "Household": (
        ("toilet paper 8 rolls", 4.49), ("dishwasher tablets 40", 7.99), ("liquid detergent 1.5 l", 6.49),
        ("kitchen towels 4", 2.99), ("bin bags 35 l 20", 1.99), ("sponges 5", 1.49),
        ("all-purpose cleaner 1 l", 2.29), ("hand soap 300 ml", 1.79), ("shampoo 250 ml", 2.99),
        ("toothpaste 75 ml", 1.59),
    ),
}  # fmt: skip
"""Per department ten goods and what they cost in EUR. All come in five brands, some dearer than others."""
_GOODS: Final = 10
_BRANDS: Final = 5


@lru_cache(maxsize=2_000)
def store(seed: int, number: int) -> Store:
    """Return store `number`, 1 to 100,000, of a seed's chain.

    Stores of one city lie on a sunflower's spiral around it, so that no two coincide.
    """
    if not 1 <= number <= MAX_STORES:
        raise ValueError(f"There are stores 1 to {MAX_STORES}, not {number}.")
    faker = Generator()
    faker.seed_instance(f"{seed}/store/{number}")
    latitude, longitude, city, country, _ = faker.random.choice(_cities())
    locale, names = _SHOP_NAMES[country]
    family = _family_names(locale)(faker).last_name()
    family = family[0].upper() + family[1:]
    radius, angle = 0.08 * math.sqrt(number / MAX_STORES), number * math.pi * (3 - math.sqrt(5))
    return Store(
        store_id=store_id(number),
        store_name=faker.random.choice(names).format(name=family),
        city=city,
        country=country,
        latitude=round(float(latitude) + radius * math.cos(angle), 5),
        longitude=round(float(longitude) + radius * math.sin(angle), 5),
    )


def products(seed: int, count: int) -> tuple[Product, ...]:
    """Return the first `count` products, at most 500, of a seed's chain; departments take turns."""
    if not 1 <= count <= MAX_PRODUCTS:
        raise ValueError(f"There are 1 to {MAX_PRODUCTS} products, not {count}.")
    return _assortment(seed)[:count]


@cache
def _assortment(seed: int) -> tuple[Product, ...]:
    faker = Generator()
    faker.seed_instance(f"{seed}/products")
    brands = {
        department: [
            (name, faker.random.uniform(0.85, 1.3))
            for name in faker.random.sample(list(_family_names("en_GB").last_names), _BRANDS)
        ]
        for department in _DEPARTMENTS
    }
    shelved = [
        (department, brands[department][turn], goods[place])
        for turn in range(_BRANDS)
        for place in range(_GOODS)
        for department, goods in _DEPARTMENTS.items()
    ]
    return tuple(
        Product(product_id(number), f"{brand} {goods}", department, round(price * dearness, 2))
        for number, (department, (brand, dearness), (goods, price)) in enumerate(shelved, start=1)
    )


@cache
def _cities() -> tuple[tuple[str, ...], ...]:
    return tuple(place for place in Geo.land_coords if place[3] in _SHOP_NAMES and place[4].startswith("Europe/"))


@cache
def _family_names(locale: str) -> Any:
    return import_module(f"faker.providers.person.{locale}").Provider
