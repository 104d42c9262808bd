"""google-api-core's REST client of operations against the service of rooms, with both styles of names.

    operations.py URL

prints `ok NAME` for each check that passed, and ends with an error at the first that did not.
"""

import sys

import requests
from google.api_core import exceptions, operation
from google.api_core.operations_v1 import AbstractOperationsClient, OperationsRestTransport
from google.auth.credentials import AnonymousCredentials
from google.protobuf import empty_pb2
from google.rpc import code_pb2, error_details_pb2
from library.v1 import library_pb2

URL = sys.argv[1]
FLOOR = "buildings/b/floors/2"
PATIENCE = 60

# The bindings that google/longrunning/operations.proto has.
ROOT_OPTIONS = {
    "google.longrunning.Operations.ListOperations": [
        {"method": "get", "uri": "/v1/{name=operations}"}
    ],
    "google.longrunning.Operations.GetOperation": [
        {"method": "get", "uri": "/v1/{name=operations/**}"}
    ],
    "google.longrunning.Operations.DeleteOperation": [
        {"method": "delete", "uri": "/v1/{name=operations/**}"}
    ],
    "google.longrunning.Operations.CancelOperation": [
        {"method": "post", "uri": "/v1/{name=operations/**}:cancel", "body": "*"}
    ],
}


def client(http_options=None):
    transport = OperationsRestTransport(
        host=URL, credentials=AnonymousCredentials(), http_options=http_options
    )
    return AbstractOperationsClient(transport=transport)


def call(method, path, body=None):
    answer = requests.request(method, f"{URL}/v1/{path}", json=body, timeout=PATIENCE)
    answer.raise_for_status()
    return answer.json()["name"]


def raises(kind, of):
    try:
        of()
    except kind as error:
        return error
    raise AssertionError(f"no {kind.__name__}")


def info_of(error):
    """The ErrorInfo of an exception: over REST, details are JSON."""
    kind = "type.googleapis.com/google.rpc.ErrorInfo"
    return next(detail for detail in error.details if detail["@type"] == kind)


def future(operations, name, result):
    """The future of an operation, as a client that comes later makes it."""
    found = operations.get_operation(name)
    refresh = lambda **_: operations.get_operation(name)
    cancel = lambda **_: operations.cancel_operation(name)
    return operation.Operation(
        found, refresh, cancel, result, metadata_type=library_pb2.OperationMetadata
    )


BELOW = client()
ROOT = client(ROOT_OPTIONS)


def a_result_below_a_parent():
    name = call("POST", f"{FLOOR}/rooms", {"name": f"{FLOOR}/rooms/a"})
    assert name.startswith(f"{FLOOR}/operations/"), name
    created = future(BELOW, name, library_pb2.Room)
    assert created.result(timeout=PATIENCE).name == f"{FLOOR}/rooms/a"
    assert created.metadata.verb == "create", created.metadata


def a_result_at_the_root():
    name = call("POST", "rooms:tidy", {})
    assert name.startswith("operations/"), name
    assert isinstance(future(ROOT, name, empty_pb2.Empty).result(timeout=PATIENCE), empty_pb2.Empty)


def a_failed_operation_with_details():
    name = call("DELETE", f"{FLOOR}/rooms/a")
    failed = future(BELOW, name, library_pb2.Room)
    error = raises(exceptions.FailedPrecondition, lambda: failed.result(timeout=PATIENCE))
    status = error.errors[0]
    info = error_details_pb2.ErrorInfo()
    assert status.code == code_pb2.FAILED_PRECONDITION and status.details[0].Unpack(info), status
    assert info.reason == "ROOM_OCCUPIED" and info.metadata["room"] == f"{FLOOR}/rooms/a", info


def a_cancelled_operation():
    name = call("PATCH", f"{FLOOR}/rooms/a", {})
    running = future(BELOW, name, library_pb2.Room)
    assert running.running() and running.cancel()
    raises(exceptions.Cancelled, lambda: running.result(timeout=PATIENCE))
    # A late cancellation changes nothing.
    BELOW.cancel_operation(name)
    assert BELOW.get_operation(name).error.code == code_pb2.CANCELLED


def a_late_cancellation_at_the_root():
    name = call("POST", "rooms:tidy", {})
    ROOT.cancel_operation(name)


def pages_below_a_parent():
    for number in range(5):
        call("POST", f"{FLOOR}/rooms", {"name": f"{FLOOR}/rooms/{number}"})
    names = [one.name for one in BELOW.list_operations(FLOOR, "done = true", page_size=2)]
    assert len(names) == len(set(names)) == 8, names
    assert all(name.startswith(f"{FLOOR}/operations/") for name in names), names
    assert list(BELOW.list_operations("buildings/b/floors/3", "", page_size=2)) == []


def pages_at_the_root():
    names = [one.name for one in ROOT.list_operations("operations", "done = true", page_size=1)]
    assert len(names) == len(set(names)) == 2, names


def a_filter_that_is_wrong():
    for operations, parent in [(BELOW, FLOOR), (ROOT, "operations")]:
        wrong = lambda: list(operations.list_operations(parent, "no_such_field = 1"))
        error = raises(exceptions.BadRequest, wrong)
        assert info_of(error)["reason"] and "no_such_field" in error.message, error


def deleted_below_a_parent():
    forget(BELOW, call("POST", f"{FLOOR}/rooms", {}), library_pb2.Room)


def deleted_at_the_root():
    forget(ROOT, call("POST", "rooms:tidy", {}), empty_pb2.Empty)


def forget(operations, name, result):
    future(operations, name, result).exception(timeout=PATIENCE)
    assert operations.delete_operation(name) is None
    for gone in [operations.get_operation, operations.delete_operation, operations.cancel_operation]:
        error = raises(exceptions.NotFound, lambda: gone(name))
        assert name in error.message and info_of(error)["reason"] == "OPERATION_NOT_FOUND", error


def unknown_names():
    raises(exceptions.NotFound, lambda: ROOT.get_operation("operations/none"))
    raises(exceptions.NotFound, lambda: BELOW.get_operation(f"{FLOOR}/operations/none"))


def a_deadline():
    """The client's timeout is one of its socket, and the server answers in time."""
    name = call("PATCH", f"{FLOOR}/rooms/a", {})
    assert not BELOW.get_operation(name, timeout=PATIENCE).done
    BELOW.cancel_operation(name)


CHECKS = [
    a_result_below_a_parent,
    a_result_at_the_root,
    a_failed_operation_with_details,
    a_cancelled_operation,
    a_late_cancellation_at_the_root,
    pages_below_a_parent,
    pages_at_the_root,
    a_filter_that_is_wrong,
    deleted_below_a_parent,
    deleted_at_the_root,
    unknown_names,
    a_deadline,
]

if __name__ == "__main__":
    for check in CHECKS:
        check()
        print("ok", check.__name__, flush=True)
