// Helpers of all checks: the browser, pages that keep their errors, and questions to the test.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import readline from 'node:readline';
import {createRequire} from 'node:module';

const [modules, address] = process.argv.slice(2);
const require = createRequire(`${modules}/`);
const {chromium} = require('playwright-core');
const axe = fs.readFileSync(require.resolve('axe-core/axe.min.js'), 'utf8');

export const url = address;

const answers = readline.createInterface({input: process.stdin})[Symbol.asyncIterator]();

/** Asks the test to change the store, and waits for its answer. */
export const ask = async what => {
  console.log(`ask ${what}`);
  return (await answers.next()).value;
};

export const browser = await chromium.launch({
  executablePath: process.env.PATH.split(':').map(it => `${it}/chromium`).find(fs.existsSync),
  args: ['--no-sandbox'],
});

/** A page whose errors and foreign requests fail the check. */
export async function open(path, options = {}, base = url, allowed = /^$/) {
  const context = await browser.newContext(options);
  const page = await context.newPage();
  watch(page, base, allowed);
  await page.goto(base + path);
  return page;
}

export function watch(page, base, allowed = /^$/) {
  page.faults = [];
  page.on('console', message => {
    const expected = /status of (400|404)/.test(message.text()) || allowed.test(message.text());
    if (message.type() === 'error' && !expected) page.faults.push(message.text());
  });
  page.on('pageerror', error => page.faults.push(String(error)));
  page.on('request', request => {
    if (!request.url().startsWith(new URL(base).origin)) page.faults.push(`asks ${request.url()}`);
  });
}

export async function close(page) {
  assert.deepEqual(page.faults, []);
  await page.context().close();
}

/** The errors of a server that is away, which the browser reports. */
export const AWAY = /ERR_CONNECTION_REFUSED|ERR_INCOMPLETE_CHUNKED|ERR_CONNECTION_RESET|ERR_EMPTY/;

export const live = page => page.locator('#live .word').textContent();
export const liveIs = (page, state, timeout = 15000) =>
  page.waitForFunction(it => document.querySelector('#live')?.dataset.state === it, state, {timeout});
export const row = (page, name) => page.locator(`tr[data-name="${name}"]`);
export const standing = (page, word) => page.locator('#standing .word', {hasText: word}).waitFor();

export async function accessible(page, what) {
  const found = await page.evaluate(`${axe}; axe.run()`);
  const broken = found.violations.map(it => `${it.id}: ${it.nodes.map(node => node.html).join(' ')}`);
  assert.deepEqual(broken, [], what);
}

export const operation = name => `operation?name=${encodeURIComponent(name)}`;

const answer = JSON.parse(await ask('names'));
/** The operations of the console, one in each state. */
export const names = answer.main;
/** Other consoles, each with its URL and the names of its operations. */
export const sites = answer.sites ?? {};

export const PAGES = {
  list: '',
  failed: '?state=failed',
  empty: '?state=failed&filter=labels.team+%3D+nobody',
  filter: '?filter=labels.team+%3D+data+AND+done+%3D+maybe',
  succeeded: operation(names[0]),
  'ended-with-error': operation(names[1]),
  cancelling: operation(names[3]),
  running: operation(names[4]),
  scheduled: operation(names[6]),
  missing: operation('operations/none'),
  overview: 'overview',
  'several-attempts': operation(names[7]),
  ...(names[8] && {'waits-for-a-promise': operation(names[8])}),
  settings: 'settings',
};
