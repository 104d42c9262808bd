// The npm package eventsource, unchanged, on the watch of an operation of the archiver.
//
//     event_source.mjs MODULES URL SMALL_SOURCE ENDLESS_SOURCE
//
// prints `ok NAME` for each check that passed, and ends with an error at the first that did not.
import assert from 'node:assert/strict';
import {createRequire} from 'node:module';

const [modules, url, small, endless] = process.argv.slice(2);
const {EventSource} = createRequire(`${modules}/`)('eventsource');

async function call(method, path, body) {
  const headers = body === undefined ? {} : {'content-type': 'application/json'};
  const answer = await fetch(`${url}/v1/${path}`, {method, headers, body: JSON.stringify(body)});
  assert.ok(answer.ok, `${answer.status} ${await answer.clone().text()}`);
  return answer.json();
}

const create = (sourceDirectory, archiveId) =>
  call('POST', 'archives', {sourceDirectory, archiveId}).then(operation => operation.name);

// Watches until `over` says so of an event. All events.
function watch(path, over, options) {
  return new Promise((resolve, reject) => {
    const source = new EventSource(`${url}/v1/${path}`, options);
    const events = [];
    source.addEventListener('operation', event => {
      events.push({id: event.lastEventId, operation: JSON.parse(event.data)});
      if (over(events.at(-1).operation)) {
        source.close();
        resolve(events);
      }
    });
    source.onerror = event => {
      if (source.readyState === EventSource.CLOSED) reject(new Error(event.message));
    };
  });
}

const isDone = operation => operation.done === true;

const checks = {
  async 'the end of an operation is pushed'() {
    const name = await create(endless, 'watched');
    const watched = watch(`${name}:watch`, isDone);
    // The first event is the operation as it is.
    const [first] = await watch(`${name}:watch`, () => true);
    assert.equal(first.operation.name, name);
    assert.ok(!first.operation.done);
    await call('POST', `${name}:cancel`);
    const events = await watched;
    assert.equal(events.at(-1).operation.error.code, 1);
    assert.equal(new Set(events.map(event => event.id)).size, events.length);
  },

  async 'the path of the operation is a watch too'() {
    const name = await create(small, 'accepted');
    const events = await watch(name, isDone);
    assert.equal(events.at(-1).operation.response.name, 'archives/accepted');
  },

  async 'a known state is not sent again'() {
    const name = await create(small, 'known');
    const last = (await watch(`${name}:watch`, isDone)).at(-1);
    const again = await fetch(`${url}/v1/${name}:watch`, {headers: {'last-event-id': last.id}});
    assert.equal(again.status, 204);
  },

  async 'an unknown operation is an error and not a stream'() {
    const unknown = watch('operations/none:watch', isDone);
    await assert.rejects(unknown, /404/);
  },
};

for (const [name, check] of Object.entries(checks)) {
  await check();
  console.log(`ok ${name}`);
}
process.exit(0);
