"""What the inventory takes for ours is what the app makes."""

from aws_cdk import App, Stack

from app import compose
from stacks.settings import Settings
from workshop import inventory


def test_the_inventory_knows_every_stack_by_its_name() -> None:
    names = {
        child.stack_name
        for context in ({}, {"truck_webhook_url": "https://trucks.example.com/alerts"})
        for child in compose(App(context=context)).node.children
        if isinstance(child, Stack)
    }
    assert names == set(inventory.STACKS)


def test_the_inventory_knows_the_database_by_its_name() -> None:
    assert Settings.database == inventory.DATABASE
