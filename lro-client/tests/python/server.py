"""A server of google.longrunning.Operations that is not ours, on grpcio.

It starts two servers, one with WaitOperation and one without, on free ports, and prints both ports
on one line. It ends when its standard input does. How an operation behaves is in the last segment
of its name, up to a `-`: see `BEHAVIOURS`.
"""

import collections
import concurrent.futures
import sys
import threading
import time

import grpc
from google.longrunning import operations_proto_pb2 as longrunning
from google.protobuf import any_pb2, duration_pb2, empty_pb2, timestamp_pb2
from google.rpc import code_pb2, error_details_pb2, status_pb2

SERVICE = "google.longrunning.Operations"
HOST = "type.googleapis.com/"


def pack(message, host=HOST):
    return any_pb2.Any(
        type_url=host + message.DESCRIPTOR.full_name, value=message.SerializeToString()
    )


RESPONSE = timestamp_pb2.Timestamp(seconds=42)
METADATA = duration_pb2.Duration(seconds=7)


def running(name, **fields):
    return longrunning.Operation(name=name, metadata=pack(METADATA), **fields)


def succeeded(name, **fields):
    fields.setdefault("response", pack(RESPONSE))
    fields.setdefault("metadata", pack(METADATA))
    return longrunning.Operation(name=name, done=True, **fields)


def failed(name, code, message="", details=()):
    error = status_pb2.Status(code=code, message=message, details=details)
    return longrunning.Operation(name=name, done=True, error=error)


def details():
    return [
        pack(error_details_pb2.ErrorInfo(reason="DISK_FULL", domain="python.test")),
        any_pb2.Any(type_url=HOST + "no.such.Detail", value=b"\xff"),
    ]


class Refusal(Exception):
    def __init__(self, code, message, status=None):
        super().__init__(message)
        self.code, self.message, self.status = code, message, status


def unavailable(_name):
    raise Refusal(grpc.StatusCode.UNAVAILABLE, "restarting")


def busy(_name):
    """UNAVAILABLE, to be asked again after 1.2 s."""
    info = error_details_pb2.RetryInfo(retry_delay=duration_pb2.Duration(seconds=1, nanos=200000000))
    status = status_pb2.Status(code=code_pb2.UNAVAILABLE, message="busy", details=[pack(info)])
    raise Refusal(grpc.StatusCode.UNAVAILABLE, "busy", status)


def absent(_name):
    raise Refusal(grpc.StatusCode.NOT_FOUND, "no such operation")


def bytes_of_nothing(_name):
    return b"\xff\xff\xff\xff"


def with_response(any_message):
    return lambda name: succeeded(name, response=any_message)


# What each call is answered with; the last one again and again.
BEHAVIOURS = {
    "plain": [running, running, succeeded],
    "host": [with_response(pack(RESPONSE, "example.org/some/where/"))],
    "bare": [with_response(pack(RESPONSE, ""))],
    "other": [with_response(pack(empty_pb2.Empty()))],
    "unknown": [with_response(any_pb2.Any(type_url=HOST + "no.such.Type", value=b"x"))],
    "garbage": [with_response(any_pb2.Any(type_url=HOST + "google.protobuf.Timestamp", value=b"\xff"))],
    "untyped": [with_response(any_pb2.Any())],
    "metadata": [
        lambda name: running(name[:0]),
        lambda name: succeeded(name, metadata=any_pb2.Any(type_url="x/no.such.Metadata")),
    ],
    "silent": [lambda name: longrunning.Operation(name=name, done=True)],
    "nameless": [lambda _: running(""), lambda _: succeeded("")],
    "zero": [lambda name: failed(name, 0, "fine?")],
    "odd": [lambda name: failed(name, -12345, "what?")],
    "failed": [lambda name: failed(name, code_pb2.RESOURCE_EXHAUSTED, "no\nroom", details())],
    "cancelled": [lambda name: failed(name, code_pb2.CANCELLED, "by somebody")],
    "late": [absent, absent, running, succeeded],
    "burst": [unavailable, unavailable, running, unavailable, succeeded],
    "busy": [busy, succeeded],
    "bytes": [bytes_of_nothing],
    "early": [running] * 4 + [succeeded],
    "endless": [running],
    "cut": [running, succeeded],
    "cancellable": [running],
    "stubborn": [running],
}


class Operations:
    """The methods; `waits` says whether WaitOperation is one of them."""

    def __init__(self, waits):
        self.waits = waits
        self.lock = threading.Lock()
        self.calls = collections.Counter()
        self.cancelled = set()

    def step(self, name):
        """The next answer to this name."""
        behaviour = name.rsplit("/", 1)[-1].split("-", 1)[0]
        answers = BEHAVIOURS.get(behaviour, [absent])
        with self.lock:
            index = self.calls[name]
            self.calls[name] += 1
            if name in self.cancelled:
                if behaviour == "stubborn":
                    return succeeded(name)
                return failed(name, code_pb2.CANCELLED, "on request")
        return answers[min(index, len(answers) - 1)](name)

    def get_operation(self, request, context):
        if request.name.endswith("/headers"):
            headers = dict(context.invocation_metadata())
            names = ["x-goog-api-client", "x-goog-request-params", "authorization"]
            text = "|".join(headers.get(name, "") for name in names)
            return failed(request.name, code_pb2.ABORTED, text)
        return self.step(request.name)

    def wait_operation(self, request, context):
        if not self.waits:
            raise Refusal(grpc.StatusCode.UNIMPLEMENTED, "no waiting here")
        if "/early-" in request.name:
            return self.step(request.name)
        if "/cut-" in request.name:
            time.sleep(0.1)
            raise Refusal(grpc.StatusCode.DEADLINE_EXCEEDED, "cut on the way")
        if "/endless-" in request.name:
            # Slower than it was asked to be.
            context.add_callback(threading.Event().set)
            while context.is_active():
                time.sleep(0.05)
        time.sleep(0.05)
        return self.step(request.name)

    def cancel_operation(self, request, _context):
        with self.lock:
            self.cancelled.add(request.name)
        return empty_pb2.Empty()

    def delete_operation(self, request, _context):
        absent(request.name)

    def list_operations(self, request, _context):
        """25 operations below any parent, 10 to a page."""
        start = int(request.page_token or "0")
        names = [f"{request.name}/operations/host-{index:02}" for index in range(25)]
        page = names[start : start + 10]
        token = str(start + 10) if start + 10 < len(names) else ""
        return longrunning.ListOperationsResponse(
            operations=[self.step(name) for name in page], next_page_token=token
        )


def unary(method, request_type):
    def handle(request, context):
        try:
            return method(request, context)
        except Refusal as refusal:
            if refusal.status is not None:
                details = refusal.status.SerializeToString()
                context.set_trailing_metadata((("grpc-status-details-bin", details),))
            context.abort(refusal.code, refusal.message)

    def serialize(message):
        return message if isinstance(message, bytes) else message.SerializeToString()

    return grpc.unary_unary_rpc_method_handler(
        handle, request_deserializer=request_type.FromString, response_serializer=serialize
    )


def start(waits):
    server = grpc.server(concurrent.futures.ThreadPoolExecutor(max_workers=64))
    operations = Operations(waits)
    methods = {
        "GetOperation": unary(operations.get_operation, longrunning.GetOperationRequest),
        "CancelOperation": unary(operations.cancel_operation, longrunning.CancelOperationRequest),
        "DeleteOperation": unary(operations.delete_operation, longrunning.DeleteOperationRequest),
        "ListOperations": unary(operations.list_operations, longrunning.ListOperationsRequest),
        "WaitOperation": unary(operations.wait_operation, longrunning.WaitOperationRequest),
    }
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(SERVICE, methods),))
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    return server, port


def main():
    servers = [start(waits=True), start(waits=False)]
    print(*(port for _, port in servers), flush=True)
    sys.stdin.read()
    for server, _ in servers:
        server.stop(None)


if __name__ == "__main__":
    main()
