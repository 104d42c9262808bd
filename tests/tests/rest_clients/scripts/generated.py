"""A REST client that gapic-generator has made of the archiver's proto, against its server.

    generated.py URL SMALL_SOURCE ENDLESS_SOURCE

prints `ok NAME` for each check that passed, and ends with an error at the first that did not.
"""

import concurrent.futures
import sys

from google.api_core import exceptions, operation
from google.auth.credentials import AnonymousCredentials
from google.protobuf import empty_pb2
from google.rpc import code_pb2, error_details_pb2

from examples import archiver_v1
from examples.archiver_v1.services.archiver.transports import ArchiverRestTransport

URL, SMALL, ENDLESS = sys.argv[1:]
PATIENCE = 120

SCHEME, HOST = URL.split("://")
TRANSPORT = ArchiverRestTransport(
    host=HOST, url_scheme=SCHEME, credentials=AnonymousCredentials()
)
ARCHIVER = archiver_v1.ArchiverClient(transport=TRANSPORT)


def create(source, archive_id):
    request = archiver_v1.CreateArchiveRequest(source_directory=source, archive_id=archive_id)
    return ARCHIVER.create_archive(request=request)


def raises(kind, of):
    try:
        of()
    except kind as error:
        return error
    raise AssertionError(f"no {kind.__name__}")


def typed_result_and_metadata():
    creation = create(SMALL, "rest-typed")
    assert isinstance(creation, operation.Operation)
    archive = creation.result(timeout=PATIENCE)
    assert isinstance(archive, archiver_v1.Archive), archive
    assert archive.name == "archives/rest-typed" and archive.file_count == 1, archive
    assert archive.create_time and archive.size_bytes > 0, archive
    metadata = creation.metadata
    assert isinstance(metadata, archiver_v1.CreateArchiveMetadata), metadata
    assert metadata.archive == archive.name and metadata.create_time, metadata
    assert ARCHIVER.get_archive(request={"name": archive.name}) == archive


def pages():
    create(SMALL, "rest-second").result(timeout=PATIENCE)
    names = [one.name for one in ARCHIVER.list_archives(request={"page_size": 1})]
    assert names == ["archives/rest-second", "archives/rest-typed"], names


def empty_result():
    deletion = ARCHIVER.delete_archive(request={"name": "archives/rest-second"})
    assert isinstance(deletion.result(timeout=PATIENCE), empty_pb2.Empty)
    gone = lambda: ARCHIVER.get_archive(request={"name": "archives/rest-second"})
    raises(exceptions.NotFound, gone)


def refused_starts_with_details():
    # Over REST the class is that of the HTTP status, and details are JSON.
    error = raises(exceptions.BadRequest, lambda: create("relative", "rest-bad"))
    details = {detail["@type"].rsplit(".")[-1]: detail for detail in error.details}
    assert details["ErrorInfo"]["reason"] == "INVALID_FIELD", error.details
    assert details["ErrorInfo"]["domain"] == "archiver.example.com", error.details
    violation = details["BadRequest"]["fieldViolations"][0]
    assert violation["field"] == "source_directory", error.details
    raises(exceptions.NotFound, lambda: create("/no/such/directory", "rest-bad"))
    error = raises(exceptions.Conflict, lambda: create(SMALL, "rest-typed"))
    assert "archives/rest-typed" in error.message, error


def failed_operation_with_details():
    archive = ARCHIVER.get_archive(request={"name": "archives/rest-typed"})
    with open(archive.path, "r+b") as file:
        file.truncate(10)
    verification = ARCHIVER.verify_archive(request={"name": archive.name})
    error = raises(exceptions.DataLoss, lambda: verification.result(timeout=PATIENCE))
    status = error.errors[0]
    info = error_details_pb2.ErrorInfo()
    assert status.code == code_pb2.DATA_LOSS and status.details[0].Unpack(info), status
    assert info.reason, info


def cancelled_operation():
    creation = create(ENDLESS, "rest-endless")
    assert creation.running()
    raises(concurrent.futures.TimeoutError, lambda: creation.result(timeout=0.5))
    assert creation.running() and creation.cancel()
    raises(exceptions.Cancelled, lambda: creation.result(timeout=PATIENCE))
    assert creation.cancelled() and creation.done()


def resumed_by_name():
    name = create(SMALL, "rest-resumed").operation.name
    operations = TRANSPORT.operations_client
    resumed = operation.Operation(
        operations.get_operation(name),
        lambda **_: operations.get_operation(name),
        lambda **_: operations.cancel_operation(name),
        archiver_v1.Archive,
        metadata_type=archiver_v1.CreateArchiveMetadata,
    )
    assert resumed.result(timeout=PATIENCE).name == "archives/rest-resumed"
    listed = list(operations.list_operations("operations", "done = true", page_size=3))
    assert name in [one.name for one in listed], listed
    operations.delete_operation(name)
    raises(exceptions.NotFound, lambda: operations.get_operation(name))


CHECKS = [
    typed_result_and_metadata,
    pages,
    empty_result,
    refused_starts_with_details,
    failed_operation_with_details,
    cancelled_operation,
    resumed_by_name,
]

if __name__ == "__main__":
    for check in CHECKS:
        check()
        print("ok", check.__name__, flush=True)
