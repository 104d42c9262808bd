// Chromium against two servers: pages of their own hosts and of allowed origins may watch and cancel,
// others may not.
//
//     browser.mjs MODULES URL OPEN_URL PAGE_PORT ENDLESS_SOURCE
//
// URL is the archiver, which allows no origin. OPEN_URL is a server that allows the origin of
// ui.example. PAGE_PORT of this machine has a page for every host. Prints `ok NAME` for each check
// that passed, and ends with an error at the first that did not.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import {createRequire} from 'node:module';

const [modules, url, openUrl, pagePort, endless] = process.argv.slice(2);
const {chromium} = createRequire(`${modules}/`)('playwright-core');
const port = new URL(url).port;

async function call(method, path, body, base = url) {
  const headers = body === undefined ? {} : {'content-type': 'application/json'};
  const answer = await fetch(`${base}/v1/${path}`, {method, headers, body: JSON.stringify(body)});
  assert.ok(answer.ok, `${answer.status} ${await answer.clone().text()}`);
  return answer.json();
}

const create = archiveId =>
  call('POST', 'archives', {sourceDirectory: endless, archiveId}).then(operation => operation.name);

/** An operation of the open server, which runs until it is cancelled. */
const update = () =>
  call('PATCH', 'buildings/b/floors/f/rooms/r', {}, openUrl).then(operation => operation.name);

const browser = await chromium.launch({
  executablePath: process.env.PATH.split(':')
    .map(folder => `${folder}/chromium`)
    .find(fs.existsSync),
  args: [
    '--no-sandbox',
    // Names that other sites let resolve to this machine.
    `--host-resolver-rules=${['rebound', 'other', 'ui'].map(it => `MAP ${it}.example 127.0.0.1`)}`,
  ],
});

async function open(address) {
  const page = await browser.newPage();
  page.response = await page.goto(address);
  return page;
}

/** Sends what a browser sends to another site without asking it first. */
const sendUnasked = (page, base, name) =>
  page.evaluate(
    async ([base, name]) => {
      const cancel = `${base}/v1/${name}:cancel`;
      for (const [address, body] of [
        [cancel, undefined],
        [cancel, ''],
        [cancel, '{}'],
        [cancel, new URLSearchParams({name})],
        [`${base}/v1/archives`, '{"sourceDirectory": "/tmp"}'],
      ]) {
        await fetch(address, {method: 'POST', body, mode: 'no-cors', credentials: 'include'});
      }
      navigator.sendBeacon(cancel);
      navigator.sendBeacon(cancel, '{}');
      // A form is a navigation, here of a frame.
      const frame = document.createElement('iframe');
      frame.name = 'target';
      document.body.append(frame);
      const form = document.body.appendChild(document.createElement('form'));
      Object.assign(form, {method: 'POST', action: cancel, target: 'target', enctype: 'text/plain'});
      const sent = new Promise(resolve => frame.addEventListener('load', resolve, {once: true}));
      form.submit();
      await sent;
    },
    [base, name],
  );

/** Asks for what needs the consent of the other site, and the text of what comes. */
const ask = (page, method, address, headers) =>
  page.evaluate(
    ([method, address, headers]) =>
      fetch(address, {method, headers})
        .then(answer => answer.text())
        .catch(error => `${error}`),
    [method, address, headers],
  );

async function runs(name, base = url) {
  const operation = await call('GET', name, undefined, base);
  assert.ok(!operation.done, JSON.stringify(operation));
}

async function end(name, base = url) {
  await call('POST', `${name}:cancel`, undefined, base);
  const ended = await call('POST', `${name}:wait`, {timeout: '60s'}, base);
  assert.equal(ended.error.code, 1);
}

const checks = {
  async 'a page of its own host watches and cancels'() {
    const name = await create('browsed');
    const page = await open(`${url}/openapi.json`);
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

  async 'a page of another site changes nothing, and reads nothing'() {
    const name = await create('cross-site');
    const page = await open(`http://other.example:${pagePort}/`);
    await sendUnasked(page, url, name);
    for (const [method, path, headers] of [
      ['GET', name, {}],
      ['DELETE', name, {}],
      ['POST', `${name}:cancel`, {'content-type': 'application/json'}],
      ['POST', `${name}:cancel`, {authorization: 'Bearer x'}],
    ]) {
      assert.match(await ask(page, method, `${url}/v1/${path}`, headers), /TypeError/, path);
    }
    const watch = await page.evaluate(
      address =>
        new Promise(resolve => {
          const source = new EventSource(address);
          source.addEventListener('operation', () => resolve('read'));
          source.onerror = () => resolve('refused');
        }),
      `${url}/v1/${name}:watch`,
    );
    assert.equal(watch, 'refused');
    await runs(name);
    await end(name);
    await page.close();
  },

  async 'a page of another port is another site, too'() {
    const name = await create('same-site');
    const page = await open(`http://127.0.0.1:${pagePort}/`);
    await sendUnasked(page, url, name);
    await runs(name);
    await end(name);
    await page.close();
  },

  async 'a name that resolves to this machine is no host of the server'() {
    const page = await open(`http://rebound.example:${port}/v1/operations`);
    assert.equal(page.response.status(), 403);
    await page.close();
  },

  async 'a page of such a name changes nothing as its own origin'() {
    const name = await create('rebound');
    const page = await open(`http://rebound.example:${port}/`);
    const statuses = await page.evaluate(async name => {
      const statuses = [];
      for (const [method, path, body, type] of [
        ['GET', name],
        ['POST', `${name}:cancel`],
        ['POST', `${name}:cancel`, '{}', 'application/json'],
        ['DELETE', name],
        ['POST', 'archives', '{"sourceDirectory": "/tmp"}', 'application/json'],
      ]) {
        const headers = type ? {'content-type': type} : {};
        const answer = await fetch(`/v1/${path}`, {method, body, headers});
        statuses.push(answer.status);
      }
      return statuses;
    }, name);
    assert.deepEqual(statuses, [403, 403, 403, 403, 403]);
    await runs(name);
    await end(name);
    await page.close();
  },

  async 'a page of an allowed origin reads and cancels'() {
    const name = await update();
    const page = await open(`http://ui.example:${pagePort}/`);
    const seen = await page.evaluate(
      async ([base, name]) => {
        const got = await fetch(`${base}/v1/${name}`);
        const headers = {'content-type': 'application/json', authorization: 'Bearer x'};
        const cancel = `${base}/v1/${name}:cancel`;
        const cancelled = await fetch(cancel, {method: 'POST', headers, body: '{}'});
        return [got.status, got.headers.get('etag'), cancelled.status, await cancelled.text()];
      },
      [openUrl, name],
    );
    assert.equal(seen[0], 200);
    assert.match(seen[1], /^"[0-9a-f]+"$/);
    assert.deepEqual(seen.slice(2), [200, '{}']);
    const ended = await call('POST', `${name}:wait`, {timeout: '60s'}, openUrl);
    assert.equal(ended.error.code, 1);
    await page.close();
  },

  async 'a page of an allowed origin sends no other headers'() {
    const name = await update();
    const page = await open(`http://ui.example:${pagePort}/`);
    const headers = {'x-other': '1'};
    const seen = await ask(page, 'POST', `${openUrl}/v1/${name}:cancel`, headers);
    assert.match(seen, /TypeError/);
    await runs(name, openUrl);
    await end(name, openUrl);
    await page.close();
  },

  async 'an allowed origin allows no other one'() {
    const name = await update();
    for (const host of ['other.example', '127.0.0.1']) {
      const page = await open(`http://${host}:${pagePort}/`);
      await sendUnasked(page, openUrl, name);
      const address = `${openUrl}/v1/${name}`;
      assert.match(await ask(page, 'GET', address, {}), /TypeError/, host);
      assert.match(await ask(page, 'DELETE', address, {}), /TypeError/, host);
      await runs(name, openUrl);
      await page.close();
    }
    await end(name, openUrl);
  },
};

for (const [name, check] of Object.entries(checks)) {
  await check();
  console.log(`ok ${name}`);
}
await browser.close();
process.exit(0);
