"""The list of clients is complete."""

import inspect

from tests.local_aws.clients.listed import modules, trials


def test_every_test_of_a_client_is_listed() -> None:
    written = {
        f"{module.__name__.rpartition('.')[2]}.py::{name}"
        for module in modules()
        if module.__name__ != __name__
        for name, function in inspect.getmembers(module, inspect.isfunction)
        if name.startswith("test_")
    }
    assert {trial.test for trial in trials()} == written


def test_every_client_is_installed_and_tried_by_a_page_of_its_own_documentation() -> None:
    for trial in trials():
        assert trial.client.version
        assert trial.page.startswith(trial.client.pages)
        assert len(trial.page) > len(trial.client.pages)
