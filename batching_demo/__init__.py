"""Batch the one-row writes of many Temporal workflows into bulk INSERTs for Postgres.

The names in `__all__` are the public API; docs/api.md describes them. Everything else may change.
Each name is loaded when it is first used, so that a workflow file never loads SQLAlchemy.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from batching_demo.batcher_service.worker import build_worker as build_batcher_worker
    from batching_demo.contracts.messages import Problem, Verdict
    from batching_demo.contracts.names import WritePath
    from batching_demo.contracts.operations import BatcherSettings
    from batching_demo.contracts.targets import OnConflict, TargetDeclaration
    from batching_demo.database.engine import create_engine
    from batching_demo.database.targets.check import TargetError
    from batching_demo.database.targets.declaring import declare_target
    from batching_demo.encryption.plugin import EncryptionPlugin
    from batching_demo.requester.client import BatchingClient
    from batching_demo.requester.plugin import BatchingPlugin
    from batching_demo.requester.records import Record, RecordResult
    from batching_demo.requester.requester import Requester
    from batching_demo.target_files import read_targets

__all__ = [
    "BatcherSettings",
    "BatchingClient",
    "BatchingPlugin",
    "EncryptionPlugin",
    "OnConflict",
    "Problem",
    "Record",
    "RecordResult",
    "Requester",
    "TargetDeclaration",
    "TargetError",
    "Verdict",
    "WritePath",
    "build_batcher_worker",
    "create_engine",
    "declare_target",
    "read_targets",
]

_HOMES = {
    "BatcherSettings": "contracts.operations.BatcherSettings",
    "BatchingClient": "requester.client.BatchingClient",
    "BatchingPlugin": "requester.plugin.BatchingPlugin",
    "EncryptionPlugin": "encryption.plugin.EncryptionPlugin",
    "OnConflict": "contracts.targets.OnConflict",
    "Problem": "contracts.messages.Problem",
    "Record": "requester.records.Record",
    "RecordResult": "requester.records.RecordResult",
    "Requester": "requester.requester.Requester",
    "TargetDeclaration": "contracts.targets.TargetDeclaration",
    "TargetError": "database.targets.check.TargetError",
    "Verdict": "contracts.messages.Verdict",
    "WritePath": "contracts.names.WritePath",
    "build_batcher_worker": "batcher_service.worker.build_worker",
    "create_engine": "database.engine.create_engine",
    "declare_target": "database.targets.declaring.declare_target",
    "read_targets": "target_files.read_targets",
}


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module, _, attribute = _HOMES[name].rpartition(".")
    return getattr(import_module(f"{__name__}.{module}"), attribute)


def __dir__() -> list[str]:
    return [*globals(), *__all__]
