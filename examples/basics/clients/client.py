"""Waits for an export with google-api-core: client.py HOST:PORT"""

import sys

import grpc
from google.api_core import operation, operations_v1

import exporter_pb2
import exporter_pb2_grpc

channel = grpc.insecure_channel(sys.argv[1])
exporter = exporter_pb2_grpc.ExporterStub(channel)
operations = operations_v1.OperationsClient(channel)

started = exporter.Export(exporter_pb2.ExportRequest(tables=["users", "orders"]))
future = operation.from_gapic(
    started,
    operations,
    exporter_pb2.ExportResponse,
    metadata_type=exporter_pb2.ExportMetadata,
)
response = future.result(timeout=60)
print(f"exported {response.tables_exported} tables")
print(f"{future.metadata.tables_done} of {future.metadata.tables_total}")
