"""Part encryption: records a second with encrypted payloads, against those without."""

import base64
import os
import random
from datetime import timedelta

from google.protobuf.duration_pb2 import Duration
from temporalio.api.workflowservice.v1 import DescribeNamespaceRequest, RegisterNamespaceRequest
from temporalio.client import Client
from temporalio.service import GrpcCompression

from batching_demo.comparison.report.sections import Section, Table
from batching_demo.contracts.names import WritePath
from batching_demo.contracts.payloads import ENCRYPTION_KEYS
from batching_demo.devstack.workers import coalescing_by
from batching_demo.encryption.plugin import EncryptionPlugin
from batching_demo.main_service.messages import Source
from tools.benchmark.harness.bench import Bench
from tools.benchmark.harness.cells import Cell, Sample
from tools.benchmark.harness.rounds import Report, relative, speed
from tools.benchmark.parts.paths import SLICES_LINGER, SLICES_MAX_RECORDS

PATHS = (WritePath.BATCHED, WritePath.COALESCED)
SLICE = 200
PLAIN, ENCRYPTED = WAYS = ("plain", "encrypted")
RETENTION = timedelta(days=1)


async def measure_encryption(
    bench: Bench, source: Source, workflows: int, rounds: int, report: Report
) -> Section:
    """Run each path with keys and without in each round, each way in a namespace of its own.

    The first round warms up the batchers, and is not counted.
    """
    keys = {PLAIN: "", ENCRYPTED: f"benchmark:{base64.b64encode(os.urandom(32)).decode()}"}
    benches = {way: await _in_namespace(bench, way, keys[way]) for way in WAYS}
    cells = [
        Cell(path, workflows, SLICE, SLICES_MAX_RECORDS, linger_seconds=SLICES_LINGER)
        for path in PATHS
    ]
    samples: dict[tuple[str, Cell], list[Sample]] = {
        (way, cell): [] for way in WAYS for cell in cells
    }
    for number in range(rounds + 1):
        for way in random.sample(WAYS, len(WAYS)):
            variables = {"TEMPORAL_NAMESPACE": way, ENCRYPTION_KEYS: keys[way]}
            await benches[way].restart_workers(variables | coalescing_by(cells[0].settings))
            for cell in random.sample(cells, len(cells)):
                sample = await benches[way].measure(cell, source, counted=False)
                if number:
                    samples[way, cell].append(sample)
                    report(
                        f"round {number} of {rounds}: {way} {cell.name} {workflows} x {SLICE}:"
                        f" {sample.records_per_second:,.0f} records/s"
                    )
    rows = [
        [
            cell.name,
            *(str(speed(samples[way, cell])) for way in WAYS),
            str(relative(samples[ENCRYPTED, cell], samples[PLAIN, cell])),
        ]
        for cell in cells
    ]
    note = f"medians of {rounds} interleaved rounds, lowest and highest in brackets"
    title = f"Encrypted payloads: records/s of {workflows} workflows of {SLICE} records"
    return Section("encryption", [Table(title, ["path", *WAYS, "ratio"], rows, note)])


async def _in_namespace(bench: Bench, namespace: str, keys: str) -> Bench:
    """Return the same servers with a client in a new namespace."""
    retention = Duration()
    retention.FromTimedelta(RETENTION)
    service = bench.client.workflow_service
    await service.register_namespace(
        RegisterNamespaceRequest(namespace=namespace, workflow_execution_retention_period=retention)
    )
    await service.describe_namespace(DescribeNamespaceRequest(namespace=namespace), retry=True)
    client = await Client.connect(
        bench.system.temporal.address,
        namespace=namespace,
        plugins=[EncryptionPlugin(keys)],
        grpc_compression=GrpcCompression.NONE,
    )
    return Bench(bench.system, client, bench.engine)
