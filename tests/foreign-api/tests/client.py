"""Google's published client for Memorystore for Redis, unchanged but for endpoint, credentials and
channel.

    client.py grpc|rest ADDRESS

prints `ok NAME` for each check that passed, and ends with an error at the first that did not.
"""

import sys

import grpc
from google.api_core import exceptions, operation
from google.auth.credentials import AnonymousCredentials
from google.cloud import redis_v1
from google.cloud.redis_v1.services.cloud_redis.transports import (
    CloudRedisGrpcTransport,
    CloudRedisRestTransport,
)
from google.longrunning import operations_pb2
from google.protobuf import empty_pb2, field_mask_pb2
from google.rpc import error_details_pb2

PARENT = "projects/tests/locations/here"
NAME = f"{PARENT}/instances/one"
PATIENCE = 120


def connect(kind, address):
    if kind == "grpc":
        channel = grpc.insecure_channel(address)
        transport = CloudRedisGrpcTransport(host=address, channel=channel)
    else:
        transport = CloudRedisRestTransport(
            host=address, url_scheme="http", credentials=AnonymousCredentials()
        )
    return redis_v1.CloudRedisClient(transport=transport)


def create(client, instance_id, **fields):
    instance = redis_v1.Instance(tier=redis_v1.Instance.Tier.BASIC, **fields)
    return client.create_instance(parent=PARENT, instance_id=instance_id, instance=instance)


def raises(kind, call):
    try:
        call()
    except kind as error:
        return error
    raise AssertionError(f"no {kind.__name__}")


def metadata_of(client, name):
    found = client.get_operation(operations_pb2.GetOperationRequest(name=name))
    return redis_v1.OperationMetadata.deserialize(found.metadata.value)


def created_with_metadata_in_steps(client):
    creation = create(client, "one", memory_size_gb=1, labels={"team": "a"})
    assert isinstance(creation, operation.Operation)
    assert creation.operation.name.startswith(f"{PARENT}/operations/"), creation.operation.name
    seen = []
    while not creation.done():
        detail = metadata_of(client, creation.operation.name).status_detail
        if detail and detail not in seen:
            seen.append(detail)
            # The service takes its next step when the instance is read.
            client.get_instance(name=NAME)
    assert len(seen) >= 3, seen
    instance = creation.result(timeout=PATIENCE)
    assert isinstance(instance, redis_v1.Instance), instance
    assert (instance.name, instance.host, instance.port) == (NAME, "10.0.0.1", 6379), instance
    metadata = creation.metadata
    assert isinstance(metadata, redis_v1.OperationMetadata), metadata
    assert (metadata.target, metadata.verb, metadata.api_version) == (PARENT, "create", "v1"), metadata
    assert metadata.create_time and metadata.end_time, metadata


def read_back(client):
    instance = client.get_instance(name=NAME)
    assert instance.state == redis_v1.Instance.State.READY, instance
    assert dict(instance.labels) == {"team": "a"}, instance
    assert list(client.list_instances(parent=PARENT)) == [instance]
    raises(exceptions.NotFound, lambda: client.get_instance(name=f"{PARENT}/instances/none"))


def updated(client):
    mask = field_mask_pb2.FieldMask(paths=["display_name", "memory_size_gb"])
    instance = redis_v1.Instance(name=NAME, display_name="First", memory_size_gb=4)
    update = client.update_instance(update_mask=mask, instance=instance)
    result = update.result(timeout=PATIENCE)
    assert (result.display_name, result.memory_size_gb) == ("First", 4), result
    assert update.metadata.verb == "update" and update.metadata.target == NAME, update.metadata
    assert client.get_instance(name=NAME) == result


def upgraded_by_a_custom_method(client):
    upgrade = client.upgrade_instance(name=NAME, redis_version="REDIS_7_2")
    assert upgrade.result(timeout=PATIENCE).redis_version == "REDIS_7_2"
    assert upgrade.metadata.verb == "upgrade", upgrade.metadata


def refused_with_details(client):
    # Over REST the class is that of the HTTP status, and details are JSON.
    error = raises(exceptions.BadRequest, lambda: create(client, "two", memory_size_gb=0))
    assert (error.reason, error.domain) == ("FIELD_INVALID", "redis.example.com"), error
    fields = [
        violation["field"] if isinstance(violation, dict) else violation.field
        for detail in error.details
        for violation in (
            detail.get("fieldViolations", [])
            if isinstance(detail, dict)
            else getattr(detail, "field_violations", [])
        )
    ]
    assert fields == ["instance.memory_size_gb"], error.details
    mask = field_mask_pb2.FieldMask(paths=["host"])
    update = client.update_instance(update_mask=mask, instance=redis_v1.Instance(name=NAME))
    failed = raises(exceptions.InvalidArgument, lambda: update.result(timeout=PATIENCE))
    info = error_details_pb2.ErrorInfo()
    assert any(detail.Unpack(info) for detail in failed.errors[0].details), failed.errors
    assert info.reason == "FIELD_INVALID", info


def cancelled_while_running(client):
    failover = client.failover_instance(name=NAME)
    name = failover.operation.name
    while metadata_of(client, name).status_detail != "waiting for the replica":
        pass
    assert failover.running()
    # The future's own `cancel` fails over REST before it sends anything: api_core wants a body in the
    # binding of CancelOperation, and this API has none. The client's method serves both transports.
    client.cancel_operation(operations_pb2.CancelOperationRequest(name=name))
    raises(exceptions.Cancelled, lambda: failover.result(timeout=PATIENCE))
    assert failover.cancelled() and metadata_of(client, name).cancel_requested


def operations_listed_and_deleted(client):
    request = operations_pb2.ListOperationsRequest(name=PARENT, filter="done = true")
    listed = client.list_operations(request).operations
    assert len(listed) == 5, listed
    assert all(one.name.startswith(f"{PARENT}/operations/") for one in listed), listed
    name = listed[0].name
    client.delete_operation(operations_pb2.DeleteOperationRequest(name=name))
    get = operations_pb2.GetOperationRequest(name=name)
    raises(exceptions.NotFound, lambda: client.get_operation(get))


def deleted(client):
    deletion = client.delete_instance(name=NAME)
    assert isinstance(deletion.result(timeout=PATIENCE), empty_pb2.Empty)
    assert deletion.metadata.verb == "delete", deletion.metadata
    assert list(client.list_instances(parent=PARENT)) == []


CHECKS = [
    created_with_metadata_in_steps,
    read_back,
    updated,
    upgraded_by_a_custom_method,
    refused_with_details,
    cancelled_while_running,
    operations_listed_and_deleted,
    deleted,
]


if __name__ == "__main__":
    served = connect(*sys.argv[1:])
    for check in CHECKS:
        check(served)
        print("ok", check.__name__, flush=True)
