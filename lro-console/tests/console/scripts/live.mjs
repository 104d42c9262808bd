import assert from 'node:assert/strict';
import {ask, browser, close, live, liveIs, names, open, operation, row, standing, url} from './kit.mjs';
import {proxy} from './proxy.mjs';

export default {
  // console:2
  async 'rows change without a reload'() {
    const page = await open('');
    await liveIs(page, 'live');
    const running = row(page, names[4]);
    await ask(`progress ${names[4]} 6`);
    await running.getByText('75 %, 6 of 8 tables').waitFor();
    assert.equal(await running.locator('progress').getAttribute('value'), '75');
    await ask('start');
    await page.getByText('↑ 1 new operation').waitFor();
    assert.equal(await page.locator('tr[data-name]').count(), names.length, 'no row was added');
    await close(page);
  },

  // console:2
  async 'an empty list finds its first operation by itself'() {
    const page = await open('?filter=labels.team+%3D+late');
    await page.getByText('No operation matches').waitFor();
    const name = await ask('start late');
    await row(page, name).waitFor();
    assert.equal(await page.locator('tr[data-name]').count(), 1);
    await close(page);
  },

  async 'keys and links lead through the list with its filter'() {
    const page = await open('?state=running');
    const listed = await page.locator('tr[data-name]').evaluateAll(rows => rows.map(it => it.dataset.name));
    await page.keyboard.press('j');
    await page.keyboard.press('Enter');
    await page.waitForURL('**/operation?**');
    const shown = () => page.locator('#operation').getAttribute('data-name');
    assert.equal(await shown(), listed[0]);
    await page.keyboard.press('j');
    await page.waitForFunction(it => document.querySelector('#operation')?.dataset.name === it, listed[1]);
    await page.getByRole('link', {name: 'Newer'}).click();
    await page.waitForFunction(it => document.querySelector('#operation')?.dataset.name === it, listed[0]);
    await page.getByRole('link', {name: 'Newer'}).click();
    await page.getByText('No newer one in this list.').waitFor();
    await page.keyboard.press('u');
    await page.waitForURL('**/?state=running');
    await close(page);
  },

  // console:2
  async 'an operation changes without a reload'() {
    const page = await open(operation(names[4]));
    await liveIs(page, 'live');
    await ask(`progress ${names[4]} 7`);
    await page.locator('dd.changed', {hasText: '7'}).waitFor();
    await page.waitForFunction(() => document.title.includes('running 87 %'));
    await ask(`finish ${names[4]}`);
    await standing(page, 'SUCCEEDED');
    await page.locator('#result', {hasText: '9007199254740993'}).waitFor();
    await close(page);
  },

  // console:7
  async 'eight tabs load, and those without a stream say so'() {
    // The browser has six connections to one host over HTTP/1.1. A stream of each tab would take all.
    const context = await browser.newContext();
    const tabs = [];
    for (let at = 0; at < 8; at += 1) {
      const page = await context.newPage();
      await page.goto(url, {timeout: 10000});
      await liveIs(page, 'live');
      tabs.push(page);
    }
    await liveIs(tabs[0], 'polling');
    assert.match(await live(tabs[0]), /many tabs/);
    await context.close();
  },

  // console:7
  async 'behind a proxy that strips its prefix and buffers, the page polls and says so'() {
    const {base, close: end} = await proxy({buffers: true});
    const name = await ask('run');
    const page = await open('', {}, base);
    await liveIs(page, 'polling', 5000);
    assert.match(await page.locator('nav a', {hasText: 'Overview'}).evaluate(it => it.href), /\/x\/y\/overview$/);
    await ask(`progress ${name} 2`);
    await row(page, name).getByText('25 %, 2 of 8 tables').waitFor();
    await close(page);
    end();
  },
};
