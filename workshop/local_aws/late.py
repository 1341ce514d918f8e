"""What a start does not wait for: it is made when it is first needed, or soon after the server answers."""

import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType
from typing import Any, Generic, TypeVar

from workshop.local_aws.protocol import Action, Service

PROVISIONERS = "ministack.services.cloudformation.provisioners"
"""CloudFormation's resource types. They import nearly all services of ministack, which takes longer than the rest."""

T = TypeVar("T", covariant=True)


class Once(Generic[T]):
    """Something that is made when it is first asked for, by whichever thread comes first."""

    def __init__(self, make: Callable[[], T]) -> None:
        self._make = make
        self._lock = threading.Lock()
        self._made: T | None = None
        self.is_begun = False

    def __call__(self) -> T:
        """Return it."""
        with self._lock:
            if self._made is None:
                self.is_begun = True
                self._made = self._make()
            return self._made

    def if_made(self) -> T | None:
        """Return it, if anybody has asked for it."""
        with self._lock:
            return self._made


class LateService:
    """A service that is made when one of its actions is asked for."""

    def __init__(self, target_prefix: str, make: Once[Service]) -> None:
        self.target_prefix = target_prefix
        self._service = make

    @property
    def actions(self) -> Mapping[str, Action]:
        """Make the service, and return its actions."""
        return self._service().actions

    def close(self) -> None:
        """Close the service if it was made."""
        if service := self._service.if_made():
            service.close()


def when_used(services: Sequence[str], install: Callable[[], Any]) -> None:
    """Call `install` once, before the first request to one of some services of ministack, or with the PROVISIONERS.

    `install` is on its own then: it may import those services and replace their `handle_request`.
    """
    installed = Once(lambda: (install(), True))
    theirs: dict[ModuleType, Any] = {}

    def install_once() -> None:
        for module, handle_request in theirs.items():
            module.handle_request = handle_request  # type: ignore[attr-defined]
        theirs.clear()
        installed()

    def watch(name: str) -> None:
        module = sys.modules[name]
        if installed.is_begun:
            return
        theirs[module] = module.handle_request

        async def handle_request(*arguments: Any) -> Any:
            install_once()
            return await module.handle_request(*arguments)

        module.handle_request = handle_request  # type: ignore[attr-defined]

    for name in services:
        when_imported(name, partial(watch, name))
    when_imported(PROVISIONERS, install_once)


def when_imported(module: str, then: Callable[[], Any]) -> None:
    """Call `then` as soon as a module has been imported, before anybody else can use it; at once if it is already.

    `then` must not import what imports this module: two threads would wait for each other.
    """
    with _FINDER.lock:
        # One that another thread is importing tells later: to wait for it here could be to wait for each other.
        if module in _FINDER.waiting or module not in sys.modules:
            _FINDER.waiting.setdefault(module, []).append(then)
            return
    then()


def restore_stacks() -> None:
    """Have ministack read CloudFormation's state when it imports it, not when it starts."""
    from ministack import app
    from ministack.core.persistence import load_state

    name = "cloudformation"
    module = app._state_map.pop(name)

    def restore() -> None:
        if state := load_state(name):
            sys.modules[f"ministack.services.{module}"].load_persisted_state(state)
        app._state_map[name] = module  # only now: nothing is written over the state before it is read

    when_imported(f"ministack.services.{module}", restore)


class _Finder:
    """Finds modules as Python does, and has those that are waited for tell when they are imported."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.waiting: dict[str, list[Callable[[], Any]]] = {}

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Find a module that is waited for; others are left to the finders after this one."""
        if name not in self.waiting:
            return None
        spec = PathFinder.find_spec(name, path, target)
        if spec is None or spec.loader is None:
            return None
        execute = spec.loader.exec_module

        def execute_and_tell(module: ModuleType) -> None:
            execute(module)
            while then := self._next(name):
                then()

        spec.loader.exec_module = execute_and_tell  # type: ignore[method-assign]
        return spec

    def _next(self, name: str) -> Callable[[], Any] | None:
        """Return whom to tell next; None when all were told, from when on the module counts as imported."""
        with self.lock:
            if self.waiting[name]:
                return self.waiting[name].pop(0)
            del self.waiting[name]
            return None


_FINDER = _Finder()
sys.meta_path.insert(0, _FINDER)
