// What Google's client library for Node, google-gax, does with the archiver's server.
//
//     node client.js URL SMALL_SOURCE ENDLESS_SOURCE ARCHIVER_PROTO_FOLDER GOOGLE_PROTO_FOLDER
//
// prints `ok NAME` for each check that passed, and ends with an error at the first that did not.
'use strict';

// Outside of Google's cloud there is no metadata server to look for.
process.env.METADATA_SERVER_DETECTION = 'none';

const assert = require('node:assert/strict');
const fs = require('node:fs');
const path = require('node:path');
const gax = require('google-gax');

const [url, small, endless, ownProtos, googleProtos] = process.argv.slice(2);
const address = new URL(url);
const grpc = gax.grpc;
const insecure = grpc.credentials.createInsecure();

const root = new gax.protobuf.Root();
root.resolvePath = (_, target) =>
  path.join(target.startsWith('google/') ? googleProtos : ownProtos, target);
root.loadSync('examples/archiver/v1/archiver.proto');
const type = name => root.lookupType(`examples.archiver.v1.${name}`);

const operations = gax
  .lro({})
  .operationsClient({servicePath: address.hostname, port: address.port, sslCreds: insecure});

const connection = new grpc.Client(address.host, insecure);

// The rpc as a generated client would call it.
function start(rpc, request) {
  const encode = message => Buffer.from(type(`${rpc}Request`).encode(message).finish());
  const decode = bytes => gaxOperation.decode(bytes);
  const message = type(`${rpc}Request`).create(request);
  return new Promise((resolve, reject) =>
    connection.makeUnaryRequest(
      `/examples.archiver.v1.Archiver/${rpc}`,
      encode,
      decode,
      message,
      (error, operation) => (error ? reject(error) : resolve(operation)),
    ),
  );
}

const gaxOperation = gax.operationsProtos.google.longrunning.Operation;
const backoff = gax.createDefaultBackoffSettings();

// gax's own Operation, typed by the decoders as generated clients do it.
function typed(operation, response, metadata) {
  const descriptor = new gax.LongrunningDescriptor(
    operations,
    response.decode.bind(response),
    metadata.decode.bind(metadata),
  );
  return gax.operation(operation, descriptor, backoff);
}

async function create(source, archiveId) {
  const request = {sourceDirectory: source, archiveId};
  const operation = await start('CreateArchive', request);
  return typed(operation, type('Archive'), type('CreateArchiveMetadata'));
}

async function rejects(promise, code) {
  const error = await promise.then(
    () => assert.fail('it should have failed'),
    error => error,
  );
  assert.equal(error.code, code, String(error));
  return error;
}

const checks = {
  async 'typed result and metadata'() {
    const creation = await create(small, 'node-typed');
    const [archive, metadata, raw] = await creation.promise();
    assert.equal(archive.name, 'archives/node-typed');
    assert.equal(Number(archive.fileCount), 1);
    assert.equal(metadata.archive, 'archives/node-typed');
    assert.equal(raw.done, true);
  },

  async 'empty result'() {
    const operation = await start('DeleteArchive', {name: 'archives/node-typed'});
    const empty = root.lookupType('google.protobuf.Empty');
    const [result] = await typed(operation, empty, type('DeleteArchiveMetadata')).promise();
    assert.deepEqual(empty.toObject(result), {});
  },

  async 'progress, then cancelled'() {
    const creation = await create(endless, 'node-endless');
    const ended = creation.promise();
    const progressed = new Promise(resolve => creation.once('progress', resolve));
    const metadata = await Promise.race([progressed, ended]);
    assert.equal(metadata.archive, 'archives/node-endless');
    await creation.cancel();
    const error = await rejects(ended, grpc.status.CANCELLED);
    assert.match(error.message, /cancelled/);
    // A late cancellation changes nothing.
    await operations.cancelOperation({name: creation.name});
  },

  async 'refused starts'() {
    const missing = start('VerifyArchive', {name: 'archives/node-missing'});
    await rejects(missing, grpc.status.NOT_FOUND);
    const error = await rejects(create('relative', 'node-bad'), grpc.status.INVALID_ARGUMENT);
    assert.ok(error.metadata.get('grpc-status-details-bin').length > 0);
  },

  async 'failed operation'() {
    const [archive] = await (await create(small, 'node-damaged')).promise();
    fs.truncateSync(archive.path, 10);
    const operation = await start('VerifyArchive', {name: archive.name});
    const response = type('VerifyArchiveResponse');
    const verification = typed(operation, response, type('VerifyArchiveMetadata'));
    await rejects(verification.promise(), grpc.status.DATA_LOSS);
  },

  async 'resumed by name'() {
    const {name} = await create(small, 'node-resumed');
    const [found] = await operations.getOperation({name});
    const resumed = typed(found, type('Archive'), type('CreateArchiveMetadata'));
    const [archive] = await resumed.promise();
    assert.equal(archive.name, 'archives/node-resumed');
  },

  async 'lists with filter and pages'() {
    const method = 'method = "/examples.archiver.v1.Archiver/VerifyArchive"';
    for (let i = 0; i < 25; i++) {
      await start('VerifyArchive', {name: 'archives/node-resumed'});
    }
    const names = new Set();
    const request = {name: 'operations', filter: method, pageSize: 10};
    for await (const operation of operations.listOperationsAsync(request)) {
      assert.ok(!names.has(operation.name), operation.name);
      names.add(operation.name);
    }
    // And the one of the damaged archive.
    assert.equal(names.size, 26);
    const bad = operations.listOperations({name: '', filter: 'no_such_field = 1'});
    await rejects(bad, grpc.status.INVALID_ARGUMENT);
  },

  async 'deletion'() {
    const creation = await create(small, 'node-forgotten');
    await creation.promise();
    await operations.deleteOperation({name: creation.name});
    await rejects(operations.getOperation({name: creation.name}), grpc.status.NOT_FOUND);
    await rejects(operations.deleteOperation({name: creation.name}), grpc.status.NOT_FOUND);
  },
};

async function main() {
  for (const [name, check] of Object.entries(checks)) {
    await check();
    console.log(`ok ${name}`);
  }
  connection.close();
  operations.close();
}

main().then(
  () => process.exit(0),
  error => {
    console.error(error);
    process.exit(1);
  },
);
