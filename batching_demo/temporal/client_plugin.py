"""The plugin for clients of Temporal that the environment names."""

from functools import cache
from importlib import import_module
from inspect import iscoroutine

from temporalio.client import Plugin

from batching_demo.settings import CLIENT_PLUGIN, SettingsError

LONGEST_REASON = 200


@cache
def load_client_plugin(spec: str) -> Plugin:
    """Return what the factory of `module:factory` makes. It is called once in a process.

    Raises:
        SettingsError: There is no such factory, or it makes no plugin; the message says which.
    """
    module_name, colon, name = spec.partition(":")
    if not (module_name and colon and name):
        raise SettingsError(f"{CLIENT_PLUGIN} is {spec!r}: write MODULE:FACTORY")
    try:
        module = import_module(module_name)
    except ModuleNotFoundError as error:
        raise SettingsError(
            f"{CLIENT_PLUGIN} is {spec!r}: there is no module {error.name!r}: install it, or name"
            " its directory in PYTHONPATH"
        ) from None
    except (Exception, SystemExit) as error:
        raise SettingsError(f"{CLIENT_PLUGIN}: {module_name} raises {_reason(error)}") from None
    if not callable(factory := getattr(module, name, None)):
        raise SettingsError(
            f"{CLIENT_PLUGIN} is {spec!r}: {module_name} has no function {name!r}: correct it"
        )
    try:
        plugin = factory()
    except (Exception, SystemExit) as error:
        raise SettingsError(f"{CLIENT_PLUGIN}: {spec} raises {_reason(error)}") from None
    if not isinstance(plugin, Plugin):
        if iscoroutine(plugin):
            plugin.close()  # Else Python warns that nobody awaits it.
        raise SettingsError(
            f"{CLIENT_PLUGIN}: {spec} returns {type(plugin).__name__}, not a"
            " temporalio.client.Plugin"
        )
    return plugin


def _reason(error: BaseException) -> str:
    """Return what was raised, in one line."""
    text = " ".join(str(error).split())[:LONGEST_REASON]
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
