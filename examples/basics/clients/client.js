// Waits for an export with WaitOperation: client.js HOST:PORT PROTO-FOLDER..

const {promisify} = require('util');
const grpc = require('@grpc/grpc-js');
const loader = require('@grpc/proto-loader');
const protobuf = require('protobufjs');

const [address, ...folders] = process.argv.slice(2);
const files = ['exporter.proto', 'google/longrunning/operations.proto'];
const definition = loader.loadSync(files, {includeDirs: folders});
const {exporter, google} = grpc.loadPackageDefinition(definition);
const insecure = grpc.credentials.createInsecure();
const client = new exporter.v1.Exporter(address, insecure);
const operations = new google.longrunning.Operations(address, insecure);
const start = promisify(client.Export.bind(client));
const wait = promisify(operations.WaitOperation.bind(operations));

// The response is a google.protobuf.Any with these bytes.
const messages = protobuf.parse(`syntax = "proto3";
  message ExportResponse { uint32 tables_exported = 1; }`).root;

async function main() {
  let operation = await start({tables: ['users', 'orders']});
  while (!operation.done) {
    operation = await wait({name: operation.name, timeout: {seconds: 30}});
  }
  if (operation.error) throw new Error(operation.error.message);
  const type = messages.lookupType('ExportResponse');
  const response = type.decode(operation.response.value);
  console.log(`exported ${response.tablesExported} tables`);
}

main();
