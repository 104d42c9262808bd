// The states of the pages: in words, and as pictures.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import {AWAY, accessible, ask, browser, liveIs, operation, sites, watch} from './kit.mjs';

/** Where, an address, the words that say what it is, how the page comes into the state, and what follows. */
const at = (site, path, words, prepare, after) => ({site, path, words, prepare, after});
const of = (site, number) => operation(sites[site]?.names[number] ?? 'operations/none');

async function cutOff(page) {
  await liveIs(page, 'live');
  await page.context().setOffline(true);
  // The stream that is open continues: the next one cannot be opened.
  await page.evaluate(() => {
    window.dispatchEvent(new Event('pagehide'));
    window.dispatchEvent(new PageTransitionEvent('pageshow', {persisted: true}));
  });
  await liveIs(page, 'reconnecting');
}

const select = (verb, every) => async page => {
  for (const box of await page.locator('td.pick input').all()) await box.check();
  await page.locator(every ? `.matching button[value="${verb}"]` : `.bulk button[value="${verb}"]`).click();
  await page.getByRole('heading', {name: /\?$/}).waitFor();
};

const STATES = {
  list: at('main', '', [/RUNNING/, /FAILED/, /waits/, /starts in/, /62 %, 5 of 8 tables/]),
  running: at('main', of('main', 4), [/RUNNING/, /62 %/, /First run/]),
  scheduled: at('main', of('main', 6), [/Waits: /, /starts in 90 min|scheduled/]),
  succeeded: at('main', of('main', 0), [/SUCCEEDED/, /9007199254740993/, /Cancel: It has ended/]),
  'ended-with-error': at('main', of('main', 1), [/NOT_FOUND/, /did you mean/]),
  cancelling: at('main', of('main', 3), [/CANCELLING/, /already asked for/]),
  'several-attempts': at('main', of('main', 7), [/worker lost 31s/, /paused 5\.0s/]),
  overview: at('main', 'overview', [/All processes, now/, /This process, last hour/]),
  settings: at('main', 'settings', [/Time zone/]),
  'empty-store': at('empty', '', [/No operations yet/, /lro start METHOD/]),
  'empty-result': at('main', '?state=failed&filter=labels.team+%3D+nobody', [/No operation matches/, /Clear the filter/]),
  'filter-error': at('main', '?filter=labels.team+%3D+data+AND+done+%3D+maybe', [/This filter is not valid/, /\^/]),
  gone: at('main', operation('operations/none'), [/Not found/, /have expired/]),
  confirm: at('main', '', [/Delete 8 operations\?/, /Type 8 to confirm/], select('delete', false)),
  'all-that-match': at('crowd', '', [/Cancel \d+ operations\?/, /Type \d+ to confirm/], select('cancel', true)),
  'partial-failure': at('crowd', '?rows=5', [/Refused: 1/, /NOT_FOUND/], async page => {
    await select('delete', false)(page);
    // The form names an operation that is not there any more.
    await page.locator('input[name="operation"]').first().evaluate(it => { it.value = ' operations/none'; });
    await page.locator('#count').fill('5');
    await page.locator('form.confirm .buttons button').click();
    await page.getByRole('heading', {name: 'Deleted 4 of 5 operations'}).waitFor();
  }),
  'expires-soon': at('odd', of('odd', 0), [/expires in \d+ min/]),
  slow: at('odd', of('odd', 1), [/slow/, /95 of 100/]),
  'unknown-type': at('odd', of('odd', 2), [/acme\.v1\.Unknown/, /base64|bytes/]),
  'long-payload': at('odd', of('odd', 3), [/Only a part is shown/, /tables/], page => page.locator('details.request summary').click()),
  blocked: at('odd', of('odd', 4), [/Blocked: /, /validate/, /blocked 1m30s/]),
  'read-only': at('read-only', of('read-only', 4), [/Read only/]),
  'sign-in': at('signed-out', '', [/Not signed in/, /Bearer token, as callers/]),
  'forbidden-page': at('forbidden', 'overview', [/permission/i]),
  'forbidden-action': at('forbidden', of('forbidden', 4), [/Cancel: /, /Delete: /]),
  'no-inspection-list': at('bare', '', [/tells only what google\.longrunning has/]),
  'no-inspection': at('bare', of('bare', 0), [/tells only what google\.longrunning has/]),
  'no-scripts': at('main', '', [/RUNNING/]),
  reconnecting: at('main', '', [/reconnecting|no connection/], cutOff),
  'new-operations': at('changing', '', [/↑ 1 new operation/], async page => {
    await liveIs(page, 'live');
    // The store of the test starts it, as another process would: the next change brings the news.
    await ask('start');
    await ask(`progress ${sites.changing.names[4]} 6`);
    await page.getByText('↑ 1 new operation').waitFor();
  }),
  'gone-while-open': at('changing', '', [/Deleted, or expired/, /GONE/], async page => {
    await page.goto(new URL(operation(await ask('run')), page.url()).href);
    await liveIs(page, 'live');
    await ask(`delete ${await page.locator('#operation').getAttribute('data-name')}`);
    await liveIs(page, 'lost');
  }),
  'row-gone-while-open': at('changing', '', [/GONE/], async page => {
    await ask('run');
    await page.reload();
    await liveIs(page, 'live');
    await ask(`delete ${await page.locator('tr[data-name]').first().getAttribute('data-name')}`);
    await page.locator('tr .word', {hasText: 'GONE'}).waitFor();
  }),
  stale: at('changing', '', [/he store does not answer. The latest news came/], async page => {
    await liveIs(page, 'live');
    await ask('away');
    await ask(`progress ${sites.changing.names[4]} 7`);
    await page.locator('#stale', {hasText: 'the store does not answer'}).waitFor();
  }, () => ask('back')),
  paused: at('main', '', [/paused/], async page => {
    await page.clock.install();
    await page.reload();
    await liveIs(page, 'live');
    await page.evaluate(() => {
      Object.defineProperty(document, 'hidden', {configurable: true, get: () => true});
      document.dispatchEvent(new Event('visibilitychange'));
    });
    await page.clock.fastForward(31000);
    await liveIs(page, 'off');
  }),
  off: at('main', '', [/live updates off/], async page => {
    await page.evaluate(() => localStorage.setItem('lro.live', 'off'));
    await page.reload();
    await liveIs(page, 'off');
  }),
  polling: at('main', '', [/no stream: updated every 5 s/], async page => {
    await page.route('**/events', () => {});
    await page.reload();
    await liveIs(page, 'polling');
  }),
  completion: at('main', '', [/expire_time/], async page => {
    await page.locator('#filter').pressSequentially('labels.team = "data" AND e');
    await page.locator('#choices li').first().waitFor();
    await page.keyboard.press('ArrowDown');
  }),
  selected: at('main', '', [/2 selected/], async page => {
    for (const at of [1, 3]) await page.locator('td.pick input').nth(at).check();
    await page.getByText('2 selected').waitFor();
  }),
  'short-page': at('long', '?filter=labels.team+%3D+rare', [/PENDING/, /This page is short/]),
  'short-page-without-rows': at('long', '?filter=labels.team+%3D+nobody', [/Look further/]),
  'confirm-one': at('main', of('main', 4), [/Cancel 1 operation\?/], page => page.locator('button[value="cancel"]').click()),
  'left-alone': at('main', '', [/Left alone/, /It has ended/], async page => {
    for (const box of await page.locator('td.pick input').all()) await box.check();
    await page.locator('.bulk button[value="cancel"]').click();
    await page.getByRole('heading', {name: /^Cancel \d/}).waitFor();
  }),
  refused: at('changing', '', [/Not deleted: not found/], async page => {
    const name = await ask('run');
    await page.goto(new URL(operation(name), page.url()).href);
    await page.locator('button[value="delete"]').click();
    await page.locator('form.confirm .buttons button').waitFor();
    await ask(`delete ${name}`);
    await page.locator('form.confirm .buttons button').click();
    await page.getByRole('heading', {name: 'Not deleted: not found'}).waitFor();
  }),
  'action-done': at('changing', '', [/CANCELLING/, /Cancellation was asked for/], async page => {
    const name = await ask('run');
    await page.goto(new URL(operation(name), page.url()).href);
    await page.locator('button[value="cancel"]').click();
    await page.locator('form.confirm .buttons button').click();
    await page.getByText('CANCELLING').first().waitFor();
  }),
  steps: at('odd', of('odd', 5), [/approved/, /dump/]),
  'worker-lost': at('odd', of('odd', 6), [/RUNNING/, /Worker lost/, /lease expired/]),
  'hostile-texts': at('odd', of('odd', 7), [/<img src=x/]),
  'overview-of-a-day': at('odd', 'overview', [/Exporter\/Export/]),
  'store-away': at('changing', '', [/The store is unavailable/, /Bodies that run continue/], async page => {
    await ask('away');
    await page.reload();
    await page.getByText('Bodies that run').waitFor();
  }, () => ask('back')),
};

async function enter(name, {site, path, prepare}, options) {
  const context = await browser.newContext({...options, javaScriptEnabled: name !== 'no-scripts'});
  const page = await context.newPage();
  watch(page, sites[site].url, new RegExp(`status of (401|403|503)|ERR_INTERNET_DISCONNECTED|${AWAY.source}`));
  await page.goto(sites[site].url + path);
  page.setDefaultTimeout(15000);
  await prepare?.(page);
  return page;
}

async function leave({after}, page) {
  await page.context().close();
  await after?.();
}

/** Takes a picture of each state, in each width and theme, and writes a list of them. */
export async function shots(folder) {
  const index = ['# States of the console', '', '| files (`-WIDTH-THEME.png`) | site | address | words on it |', '| --- | --- | --- | --- |'];
  const wanted = process.env.LRO_CONSOLE_STATES?.split(',') ?? Object.keys(STATES);
  for (const [name, state] of Object.entries(STATES).filter(([name]) => wanted.includes(name))) {
    const page = await enter(name, state, {viewport: {width: 1280, height: 800}});
    for (const width of [1280, 1920, 390]) {
      await page.setViewportSize({width, height: width === 390 ? 844 : 800});
      for (const colorScheme of ['light', 'dark']) {
        await page.emulateMedia({colorScheme});
        await page.screenshot({path: `${folder}/${name}-${width}-${colorScheme}.png`, fullPage: true});
      }
    }
    index.push(`| ${name} | ${state.site} | \`./${state.path}\` | ${state.words.map(it => it.source).join(', ')} |`.replaceAll('\\', ''));
    await leave(state, page);
  }
  fs.writeFileSync(`${folder}/INDEX.md`, `${index.join('\n')}\n`);
}

export default {
  // console:11
  async 'each state says what it is, is accessible, and fits small screens'() {
    const misses = [];
    for (const [name, state] of Object.entries(STATES)) {
      const page = await enter(name, state, {}).catch(error => misses.push(`${name}: ${error.message}`));
      if (typeof page !== 'object') continue;
      const text = await page.locator('body').innerText();
      const missed = state.words.filter(words => !words.test(text));
      if (missed.length > 0) misses.push(`${name}: no ${missed} in ${text}`);
      assert.notEqual(await page.title(), '', name);
      assert.deepEqual(page.faults, [], name);
      if (name !== 'no-scripts') await accessible(page, name).catch(error => misses.push(error.message));
      await page.setViewportSize({width: 320, height: 640});
      const wide = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
      if (wide > 0) misses.push(`${name} is ${wide} px too wide`);
      await leave(state, page);
    }
    assert.deepEqual(misses, []);
  },
};
