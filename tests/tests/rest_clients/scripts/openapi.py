"""Checks the OpenAPI document of a server, and drives the server by it.

    openapi.py URL PHASES EXAMPLES

validates the document, and sends requests made from its schemas and against them: in the phase `fuzzing`
at most EXAMPLES to each operation, in `coverage` one for each bound of each schema. A 5xx but 501, a status, a content type or a body that contradicts the document is an error.
Properties that the document does not name are one too.
"""

import json
import pathlib
import subprocess
import sys
import tempfile

import openapi_spec_validator
import requests

URL, PHASES, EXAMPLES = sys.argv[1:]
CHECKS = [
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_schema_conformance",
]


def parts(schema):
    """The schemas within a schema."""
    if isinstance(schema, dict):
        yield schema
        for inner in schema.values():
            yield from parts(inner)
    elif isinstance(schema, list):
        for inner in schema:
            yield from parts(inner)


def close(document):
    """Forbids properties without a description in all messages that are not a part of an `allOf`."""
    schemas = document["components"]["schemas"]
    shared = {
        part["$ref"].rsplit("/")[-1]
        for schema in parts(document)
        if isinstance(schema.get("allOf"), list)
        for part in schema["allOf"]
        if "$ref" in part
    }
    for name, schema in schemas.items():
        if name not in shared and "properties" in schema:
            schema.setdefault("additionalProperties", False)


answer = requests.get(f"{URL}/openapi.json", timeout=60)
answer.raise_for_status()
document = answer.json()
openapi_spec_validator.OpenAPIV31SpecValidator(document).validate()
close(document)

with tempfile.TemporaryDirectory() as folder:
    file = pathlib.Path(folder, "openapi.json")
    file.write_text(json.dumps(document))
    # An rpc may be unimplemented.
    config = pathlib.Path(folder, "schemathesis.toml")
    config.write_text('checks.not_a_server_error.expected-statuses = ["2xx", "3xx", "4xx", "501"]\n')
    schemathesis = pathlib.Path(sys.executable).with_name("schemathesis")
    run = subprocess.run(
        [
            schemathesis,
            f"--config-file={config}",
            "run",
            file,
            f"--url={URL}",
            f"--checks={','.join(CHECKS)}",
            f"--max-examples={EXAMPLES}",
            f"--phases={PHASES}",
            "--seed=1",
            "--suppress-health-check=all",
            "--no-shrink",
            "--continue-on-failure",
            "--warnings=off",
            "--generation-database=none",
        ],
        cwd=folder,
        check=False,
    )
sys.exit(run.returncode)
