"""What Google's Python clients do with the archiver's server.

The generated client comes from gapic-generator; operations come back as google.api_core's
`operation.Operation`, and `operations_v1.OperationsClient` speaks to google.longrunning.Operations.

    client.py URL SMALL_SOURCE ENDLESS_SOURCE

prints `ok NAME` for each check that passed, and ends with an error at the first that did not.
"""

import asyncio
import concurrent.futures
import sys
import uuid

import grpc
from google.api_core import exceptions, operation, operation_async, operations_v1
from google.longrunning import operations_pb2
from google.protobuf import empty_pb2
from google.rpc import code_pb2, error_details_pb2

from examples import archiver_v1
from examples.archiver_v1.services.archiver import transports

SERVICE = "/examples.archiver.v1.Archiver/"
PATIENCE = 120


class Session:
    """The clients of one server."""

    def __init__(self, url, small, endless):
        address = url.removeprefix("http://")
        self.address = address
        self.small = small
        self.endless = endless
        self.channel = grpc.insecure_channel(address)
        transport = transports.ArchiverGrpcTransport(host=address, channel=self.channel)
        self.archiver = archiver_v1.ArchiverClient(transport=transport)
        self.operations = operations_v1.OperationsClient(self.channel)

    def create(self, source, archive_id, request_id=""):
        request = archiver_v1.CreateArchiveRequest(
            source_directory=source, archive_id=archive_id, request_id=request_id
        )
        return self.archiver.create_archive(request=request)

    def raises(self, kind, call):
        try:
            call()
        except kind as error:
            return error
        raise AssertionError(f"no {kind.__name__}")


def typed_result_and_metadata(session):
    creation = session.create(session.small, "py-typed")
    assert isinstance(creation, operation.Operation)
    archive = creation.result(timeout=PATIENCE)
    assert isinstance(archive, archiver_v1.Archive), archive
    assert archive.name == "archives/py-typed", archive
    assert archive.file_count == 1, archive
    assert isinstance(creation.metadata, archiver_v1.CreateArchiveMetadata)
    assert creation.metadata.archive == "archives/py-typed"
    assert creation.metadata.create_time is not None
    assert creation.done() and not creation.cancelled()
    assert session.archiver.get_archive(request={"name": archive.name}) == archive


def empty_result(session):
    session.create(session.small, "py-empty").result(timeout=PATIENCE)
    deletion = session.archiver.delete_archive(request={"name": "archives/py-empty"})
    assert isinstance(deletion.result(timeout=PATIENCE), empty_pb2.Empty)


def resumed_by_name(session):
    name = session.create(session.small, "py-resumed").operation.name
    # Another process would begin here, with nothing but the name.
    found = session.operations.get_operation(name)
    resumed = operation.from_gapic(
        found, session.operations, archiver_v1.Archive, metadata_type=archiver_v1.CreateArchiveMetadata
    )
    assert resumed.result(timeout=PATIENCE).name == "archives/py-resumed"


def same_request_id_same_operation(session):
    request_id = str(uuid.uuid4())
    first = session.create(session.small, "py-twice", request_id)
    second = session.create(session.small, "py-twice", request_id)
    assert first.operation.name == second.operation.name
    changed = lambda: session.create(session.small, "py-changed", request_id)
    assert session.raises(exceptions.InvalidArgument, changed).reason
    first.result(timeout=PATIENCE)


def refused_starts(session):
    error = session.raises(exceptions.InvalidArgument, lambda: session.create("relative", "py-bad"))
    assert error.grpc_status_code == grpc.StatusCode.INVALID_ARGUMENT
    assert error.reason and error.domain, error
    violations = [it for it in error.details if isinstance(it, error_details_pb2.BadRequest)]
    assert violations[0].field_violations[0].field == "source_directory", error.details
    session.raises(exceptions.NotFound, lambda: session.create("/no/such/directory", "py-bad"))


def failed_operation(session):
    verification = session.archiver.verify_archive(request={"name": "archives/py-typed"})
    assert verification.result(timeout=PATIENCE) is not None
    archive = session.archiver.get_archive(request={"name": "archives/py-typed"})
    with open(archive.path, "r+b") as file:
        file.truncate(10)
    verification = session.archiver.verify_archive(request={"name": "archives/py-typed"})
    failed = lambda: verification.result(timeout=PATIENCE)
    error = session.raises(exceptions.DataLoss, failed)
    status = error.errors[0]
    assert status.code == code_pb2.DATA_LOSS, status
    info = error_details_pb2.ErrorInfo()
    assert status.details[0].Unpack(info) and info.reason, status
    assert isinstance(verification.exception(timeout=PATIENCE), exceptions.DataLoss)


def cancelled_operation(session):
    creation = session.create(session.endless, "py-endless")
    name = creation.operation.name
    assert creation.running()
    # Giving up is not the end of the operation, nor of its future.
    session.raises(concurrent.futures.TimeoutError, lambda: creation.result(timeout=0.5))
    assert creation.running()
    assert creation.cancel()
    session.raises(exceptions.Cancelled, lambda: creation.result(timeout=PATIENCE))
    assert creation.cancelled() and creation.done()
    assert not creation.cancel(), "there is nothing to cancel any more"
    # The server takes a late cancellation as well as the client does.
    session.operations.cancel_operation(name)
    assert session.operations.get_operation(name).error.code == code_pb2.CANCELLED


def lists_with_filter_and_pages(session):
    running = session.create(session.endless, "py-running")
    for _ in range(120):
        session.archiver.verify_archive(request={"name": "archives/py-resumed"})
    method = f'method = "{SERVICE}VerifyArchive"'
    list_all = lambda condition: list(session.operations.list_operations("", condition))
    verifications = list_all(method)
    # More than two pages of the default size, none twice.
    names = [it.name for it in verifications]
    assert len(names) == len(set(names)) >= 120, len(names)
    unfinished = [it.name for it in list_all(f'NOT {method} AND done = false')]
    assert unfinished == [running.operation.name], unfinished
    assert list_all(f'{method} AND create_time < "2001-01-01T00:00:00Z"') == []
    both = list(session.operations.list_operations("operations", 'done = false OR done = true'))
    assert len(both) > len(names)
    error = session.raises(exceptions.InvalidArgument, lambda: list_all("no_such_field = 1"))
    assert error.reason and error.details, error
    running.cancel()


def pages_by_hand(session):
    stub = operations_pb2
    list_page = session.channel.unary_unary(
        "/google.longrunning.Operations/ListOperations",
        request_serializer=stub.ListOperationsRequest.SerializeToString,
        response_deserializer=stub.ListOperationsResponse.FromString,
    )
    seen, token = [], ""
    while True:
        page = list_page(stub.ListOperationsRequest(page_size=7, page_token=token))
        assert len(page.operations) <= 7
        seen += [it.name for it in page.operations]
        token = page.next_page_token
        if not token:
            break
    assert len(seen) == len(set(seen)) > 100


def deletion(session):
    creation = session.create(session.small, "py-forgotten")
    creation.result(timeout=PATIENCE)
    name = creation.operation.name
    session.operations.delete_operation(name)
    session.raises(exceptions.NotFound, lambda: session.operations.get_operation(name))
    session.raises(exceptions.NotFound, lambda: session.operations.delete_operation(name))
    session.raises(exceptions.NotFound, lambda: session.operations.cancel_operation(name))
    session.raises(
        exceptions.InvalidArgument, lambda: session.operations.get_operation("no/operation")
    )


def asynchronous_client(session):
    async def run():
        async with grpc.aio.insecure_channel(session.address) as channel:
            transport = transports.ArchiverGrpcAsyncIOTransport(
                host=session.address, channel=channel
            )
            archiver = archiver_v1.ArchiverAsyncClient(transport=transport)
            request = archiver_v1.CreateArchiveRequest(
                source_directory=session.small, archive_id="py-async"
            )
            creation = await archiver.create_archive(request=request)
            assert isinstance(creation, operation_async.AsyncOperation)
            archive = await creation.result(timeout=PATIENCE)
            assert archive.name == "archives/py-async"
            request.source_directory, request.archive_id = session.endless, "py-async-endless"
            endless = await archiver.create_archive(request=request)
            assert await endless.cancel()
            try:
                await endless.result(timeout=PATIENCE)
                raise AssertionError("it was cancelled")
            # The asynchronous future, other than the blocking one, maps no codes.
            except exceptions.GoogleAPICallError as error:
                assert error.errors[0].code == code_pb2.CANCELLED
                assert await endless.cancelled()

    asyncio.run(run())


CHECKS = [
    typed_result_and_metadata,
    empty_result,
    resumed_by_name,
    same_request_id_same_operation,
    refused_starts,
    failed_operation,
    cancelled_operation,
    lists_with_filter_and_pages,
    pages_by_hand,
    deletion,
    asynchronous_client,
]

if __name__ == "__main__":
    session = Session(*sys.argv[1:])
    for check in CHECKS:
        check(session)
        print("ok", check.__name__, flush=True)
