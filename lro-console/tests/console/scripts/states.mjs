// The states of the pages: in words, and as pictures.
import assert from 'node:assert/strict';
import {AWAY, accessible, ask, browser, liveIs, operation, sites, watch} from './kit.mjs';

/** Where, an address, the words that say what it is, and how the page comes into the state. */
const at = (site, path, words, prepare) => ({site, path, words, prepare});
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
    await page.locator('button.danger').click();
    await page.getByRole('heading', {name: 'Deleted 4 of 5 operations'}).waitFor();
  }),
  'expires-soon': at('odd', of('odd', 0), [/Expires/, /in \d+ (h|min|d)/]),
  slow: at('odd', of('odd', 1), [/slow/, /95 of 100/]),
  'unknown-type': at('odd', of('odd', 2), [/acme\.v1\.Unknown/, /base64|bytes/]),
  'long-payload': at('odd', of('odd', 3), [/Only a part is shown/], page => page.locator('details.request summary').click()),
  blocked: at('odd', of('odd', 4), [/Waits: /, /validate/]),
  'read-only': at('read-only', of('read-only', 4), [/Read only/]),
  'sign-in': at('signed-out', '', [/Not signed in/, /Token, as callers/]),
  'forbidden-page': at('forbidden', 'overview', [/permission/i]),
  'forbidden-action': at('forbidden', of('forbidden', 4), [/Cancel: /, /Delete: /]),
  'no-inspection-list': at('bare', '', [/tells only what google\.longrunning has/]),
  'no-inspection': at('bare', of('bare', 0), [/tells only what google\.longrunning has/]),
  'no-scripts': at('main', '', [/RUNNING/]),
  reconnecting: at('main', '', [/reconnecting|no connection/], cutOff),
  'store-away': at('away', '', [/The store is unavailable/, /Bodies that run continue/], async page => {
    await ask('away');
    await page.reload();
  }),
};

async function enter(name, {site, path, prepare}, options) {
  const context = await browser.newContext({...options, javaScriptEnabled: name !== 'no-scripts'});
  const page = await context.newPage();
  watch(page, sites[site].url, new RegExp(`status of (401|403|503)|ERR_INTERNET_DISCONNECTED|${AWAY.source}`));
  await page.goto(sites[site].url + path);
  await prepare?.(page);
  return page;
}

/** Takes a picture of each state, in each width and theme. */
export async function shots(folder) {
  for (const width of [1280, 1920, 390]) {
    for (const colorScheme of ['light', 'dark']) {
      const viewport = {width, height: width === 390 ? 844 : 800};
      for (const [name, state] of Object.entries(STATES)) {
        const page = await enter(name, state, {colorScheme, viewport});
        await page.waitForTimeout(300);
        await page.screenshot({path: `${folder}/${name}-${width}-${colorScheme}.png`, fullPage: true});
        await page.context().close();
      }
    }
  }
}

export default {
  // console:11
  async 'each state says what it is, is accessible, and fits small screens'() {
    const misses = [];
    for (const [name, state] of Object.entries(STATES)) {
      const page = await enter(name, state, {});
      const text = await page.locator('body').innerText();
      const missed = state.words.filter(words => !words.test(text));
      if (missed.length > 0) misses.push(`${name}: no ${missed} in ${text}`);
      assert.notEqual(await page.title(), '', name);
      assert.deepEqual(page.faults, [], name);
      if (name !== 'no-scripts') await accessible(page, name).catch(error => misses.push(error.message));
      await page.setViewportSize({width: 320, height: 640});
      const wide = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
      if (wide > 0) misses.push(`${name} is ${wide} px too wide`);
      await page.context().close();
    }
    assert.deepEqual(misses, []);
  },
};
