"""Compose the workshop's stacks: the settings once, then one line per stack."""

from aws_cdk import App

from stacks.alerts import AlertsStack
from stacks.ingest import IngestStack
from stacks.lake import LakeStack
from stacks.operations import OperationsStack
from stacks.settings import Settings
from stacks.standards import apply_standards
from stacks.truck_webhook import TruckWebhookStack
from stacks.trucks import TrucksStack


def compose(app: App) -> App:
    """Put every stack into the app, as its context says."""
    settings = Settings.from_context(app.node)
    lake = LakeStack(app, "InventoryLake", settings=settings)
    alerts = AlertsStack(app, "InventoryAlerts")
    ingest = IngestStack(app, "InventoryIngest", settings=settings, lake=lake, alerts=alerts)
    trucks = None
    if settings.ships_trucks:
        trucks = TrucksStack(app, "InventoryTrucks", settings=settings, alerts=alerts, ingest=ingest)
    if settings.truck_webhook_url:
        TruckWebhookStack(app, "InventoryTruckWebhook", settings=settings, alerts=alerts)
    if settings.operations:
        OperationsStack(app, "InventoryOperations", settings=settings, ingest=ingest, alerts=alerts, trucks=trucks)
    apply_standards(app)
    return app


if __name__ == "__main__":
    compose(App()).synth()
