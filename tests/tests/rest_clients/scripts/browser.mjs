// Chromium against the archiver: a page of its own host may watch and cancel, pages of others may not.
//
//     browser.mjs MODULES URL ENDLESS_SOURCE
//
// prints `ok NAME` for each check that passed, and ends with an error at the first that did not.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import http from 'node:http';
import {createRequire} from 'node:module';

const [modules, url, endless] = process.argv.slice(2);
const {chromium} = createRequire(`${modules}/`)('playwright-core');
const port = new URL(url).port;

async function call(method, path, body) {
  const headers = body === undefined ? {} : {'content-type': 'application/json'};
  const answer = await fetch(`${url}/v1/${path}`, {method, headers, body: JSON.stringify(body)});
  assert.ok(answer.ok, `${answer.status} ${await answer.clone().text()}`);
  return answer.json();
}

const create = archiveId =>
  call('POST', 'archives', {sourceDirectory: endless, archiveId}).then(operation => operation.name);

// A page of another site, which a visitor opens while the server runs on the same machine.
const other = http.createServer((_, answer) => {
  answer.setHeader('content-type', 'text/html');
  answer.end('<title>another site</title>');
});
await new Promise(resolve => other.listen(0, '127.0.0.1', resolve));

const browser = await chromium.launch({
  executablePath: process.env.PATH.split(':')
    .map(folder => `${folder}/chromium`)
    .find(fs.existsSync),
  args: [
    '--no-sandbox',
    // Names that another site lets resolve to this machine.
    '--host-resolver-rules=MAP rebound.example 127.0.0.1, MAP other.example 127.0.0.1',
  ],
});

const checks = {
  async 'a page of its own host watches and cancels'() {
    const name = await create('browsed');
    const page = await browser.newPage();
    await page.goto(`${url}/openapi.json`);
    const states = await page.evaluate(
      name =>
        new Promise((resolve, reject) => {
          const states = [];
          const source = new EventSource(`/v1/${name}:watch`);
          source.addEventListener('operation', async event => {
            const operation = JSON.parse(event.data);
            states.push(operation);
            if (states.length === 1) await fetch(`/v1/${name}:cancel`, {method: 'POST'});
            if (operation.done) {
              source.close();
              resolve(states);
            }
          });
          source.onerror = () => {
            if (source.readyState === EventSource.CLOSED) reject(new Error('closed'));
          };
        }),
      name,
    );
    assert.ok(!states[0].done);
    assert.equal(states.at(-1).error.code, 1);
    await page.close();
  },

  async 'a page of another site cannot cancel, and reads nothing'() {
    const name = await create('cross-site');
    const page = await browser.newPage();
    await page.goto(`http://other.example:${other.address().port}/`);
    const seen = await page.evaluate(
      async ([url, name]) => {
        // Requests that a browser sends without asking first.
        for (const [method, path, body] of [
          ['POST', `${name}:cancel`, undefined],
          ['POST', `${name}:cancel`, ''],
          ['POST', 'archives', '{"sourceDirectory": "/tmp"}'],
        ]) {
          await fetch(`${url}/v1/${path}`, {method, body, mode: 'no-cors'});
        }
        const read = fetch(`${url}/v1/${name}`).then(answer => answer.text());
        return read.catch(error => `${error}`);
      },
      [url, name],
    );
    assert.match(seen, /TypeError/);
    const operation = await call('GET', name);
    assert.ok(!operation.done, JSON.stringify(operation));
    await call('POST', `${name}:cancel`);
    const ended = await call('POST', `${name}:wait`, {timeout: '60s'});
    assert.equal(ended.error.code, 1);
    await page.close();
  },

  async 'a name that resolves to this machine is no host of the server'() {
    const page = await browser.newPage();
    const answer = await page.goto(`http://rebound.example:${port}/v1/operations`);
    assert.equal(answer.status(), 403);
    await page.close();
  },
};

for (const [name, check] of Object.entries(checks)) {
  await check();
  console.log(`ok ${name}`);
}
await browser.close();
process.exit(0);
