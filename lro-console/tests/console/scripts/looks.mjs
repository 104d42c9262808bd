import assert from 'node:assert/strict';
import {PAGES, accessible, ask, close, names, open, operation, url} from './kit.mjs';
import {proxy} from './proxy.mjs';

/** Chromium says on the console what its policy blocks: `close` finds that, too. */
async function suits(base, theme) {
  const page = await open('', theme, base);
  for (const [name, path] of Object.entries(PAGES)) {
    await page.goto(base + path);
    await accessible(page, `${base} ${name} ${JSON.stringify(theme)}`);
    assert.equal(await page.evaluate(() => getComputedStyle(document.body).margin), '0px');
  }
  await close(page);
}

const THEMES = [{colorScheme: 'light'}, {colorScheme: 'dark'}, {forcedColors: 'active'}];

export default {
  // console:1
  async 'pages are accessible in all themes, at the root and below a prefix that is kept'() {
    for (const theme of THEMES) {
      await suits(url, theme);
      await suits(`${url}a/b/`, theme);
    }
  },

  // console:1
  async 'pages are accessible behind a proxy that strips its prefix'() {
    const {base, close: end} = await proxy({buffers: false});
    for (const theme of THEMES) await suits(base, theme);
    end();
  },

  async 'pages fit small screens'() {
    const page = await open('', {viewport: {width: 320, height: 640}});
    for (const [name, path] of Object.entries(PAGES)) {
      await page.goto(url + path);
      const wide = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
      assert.ok(wide <= 0, `${name} is ${wide} px too wide`);
    }
    await close(page);
  },

  // console:5
  async 'hostile texts run nothing'() {
    const name = await ask('hostile');
    for (const path of ['', operation(name), `?filter=${encodeURIComponent('<img src=x onerror=pwned=1>"\'')}`]) {
      const page = await open(path);
      for (const details of await page.locator('details').all()) await details.evaluate(it => { it.open = true; });
      await page.waitForTimeout(200);
      assert.equal(await page.evaluate(() => 'pwned' in window), false);
      assert.equal(await page.locator('img').count(), 0);
      if (path === operation(name)) await page.getByText('metadata <img src=x').waitFor();
      assert.match(await page.locator('main').innerText() + await page.locator('#filter').first().inputValue().catch(() => ''), /<img src=x/);
      await close(page);
    }
  },

  // console:8
  async 'ages are told by the clock of the server'() {
    // The clock of the test is years away from that of the browser.
    const page = await open('', {timezoneId: 'Asia/Kolkata'});
    const age = await page.locator(`tr[data-name="${names[6]}"] time`).textContent();
    assert.match(age, /^\d+ (s|min) ago$/);
    await page.goto(`${url}settings`);
    await page.locator('#clock').waitFor();
    await page.locator('select#zone').selectOption('local');
    await page.goto(url + operation(names[0]));
    assert.match(await page.locator('p.who #clock').textContent(), /Asia\/(Kolkata|Calcutta)/);
    await close(page);
  },
};
