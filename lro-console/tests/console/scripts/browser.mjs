// Chromium looks at the console.
//
//     browser.mjs MODULES URL check GROUP
//     browser.mjs MODULES URL shots FOLDER
//
// prints `ok NAME` for each check that passed, and ends with an error at the first that did not. With
// `ask WHAT` it asks the test to change the store, and waits for a line on its standard input.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import http from 'node:http';
import readline from 'node:readline';
import {createRequire} from 'node:module';

const [modules, url, mode, argument] = process.argv.slice(2);
const require = createRequire(`${modules}/`);
const {chromium} = require('playwright-core');
const axe = fs.readFileSync(require.resolve('axe-core/axe.min.js'), 'utf8');

const answers = readline.createInterface({input: process.stdin})[Symbol.asyncIterator]();
const ask = async what => {
  console.log(`ask ${what}`);
  return (await answers.next()).value;
};

const browser = await chromium.launch({
  executablePath: process.env.PATH.split(':').map(it => `${it}/chromium`).find(fs.existsSync),
  args: ['--no-sandbox'],
});

/** A page whose errors and foreign requests fail the check. */
async function open(path, options = {}, base = url, allowed = /^$/) {
  const context = await browser.newContext(options);
  const page = await context.newPage();
  page.faults = [];
  page.on('console', message => {
    const expected = /status of (400|404)/.test(message.text()) || allowed.test(message.text());
    if (message.type() === 'error' && !expected) page.faults.push(message.text());
  });
  page.on('pageerror', error => page.faults.push(String(error)));
  page.on('request', request => {
    if (!request.url().startsWith(new URL(base).origin)) page.faults.push(`asks ${request.url()}`);
  });
  await page.goto(base + path);
  return page;
}

async function close(page) {
  assert.deepEqual(page.faults, []);
  await page.context().close();
}

const live = page => page.locator('#live .word').textContent();
const liveIs = (page, state, timeout = 15000) =>
  page.waitForFunction(it => document.querySelector('#live')?.dataset.state === it, state, {timeout});
const row = (page, name) => page.locator(`tr[data-name="${name}"]`);

async function accessible(page, what) {
  const found = await page.evaluate(`${axe}; axe.run()`);
  const broken = found.violations.map(it => `${it.id}: ${it.nodes.map(node => node.html).join(' ')}`);
  assert.deepEqual(broken, [], what);
}

const names = JSON.parse(await ask('names'));
const operation = name => `operation?name=${encodeURIComponent(name)}`;
const PAGES = {
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
  'waits-for-a-promise': operation(names[8]),
  settings: 'settings',
};

async function shots() {
  for (const [colorScheme, width] of [['light', 1280], ['dark', 1280], ['light', 1920], ['dark', 390], ['light', 390]]) {
    const viewport = {width, height: width === 390 ? 844 : 800};
    const page = await open('', {colorScheme, viewport});
    for (const [name, path] of Object.entries(PAGES)) {
      await page.goto(url + path);
      await page.waitForTimeout(300);
      await page.screenshot({path: `${argument}/${name}-${width}-${colorScheme}.png`, fullPage: true});
    }
    await page.goto(url);
    for (const box of await page.locator('td.pick input').all()) await box.check();
    await page.locator('button[value="delete"]').click();
    await page.screenshot({path: `${argument}/confirm-${width}-${colorScheme}.png`, fullPage: true});
    await close(page);
  }
}

/** The checks of each group. Those of one group share a store. */
const CHECKS = {
  looks: {
    async 'pages are accessible in all themes, below any prefix'() {
      const themes = [{colorScheme: 'light'}, {colorScheme: 'dark'}, {forcedColors: 'active'}];
      for (const [at, theme] of themes.entries()) {
        for (const prefix of at === 0 ? ['', 'a/b/'] : ['']) {
          const page = await open(prefix, theme);
          for (const [name, path] of Object.entries(PAGES)) {
            await page.goto(url + prefix + path);
            await accessible(page, `${name} ${JSON.stringify(theme)} ${prefix}`);
            assert.equal(await page.evaluate(() => getComputedStyle(document.body).margin), '0px');
          }
          await close(page);
        }
      }
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

    async 'hostile texts run nothing'() {
      const name = await ask('hostile');
      for (const path of ['', operation(name), `?filter=${encodeURIComponent('<img src=x onerror=pwned=1>"\'')}`]) {
        const page = await open(path);
        await page.waitForTimeout(200);
        assert.equal(await page.evaluate(() => 'pwned' in window), false);
        assert.equal(await page.locator('img').count(), 0);
        await close(page);
      }
    },

    async 'ages are told by the clock of the server'() {
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
  },

  live: {
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

    async 'an operation changes without a reload'() {
      const page = await open(operation(names[4]));
      await liveIs(page, 'live');
      await ask(`progress ${names[4]} 7`);
      await page.locator('dd.changed', {hasText: '7'}).waitFor();
      await page.waitForFunction(() => document.title.includes('running 87 %'));
      await ask(`finish ${names[4]}`);
      await page.locator('#standing .word', {hasText: 'SUCCEEDED'}).waitFor();
      await page.locator('#result', {hasText: '9007199254740993'}).waitFor();
      await close(page);
    },

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

    async 'behind a proxy that strips its prefix and buffers, the page polls and says so'() {
      const proxy = http.createServer((request, answer) => {
        const path = new URL(request.url.replace(/^\/x\/y/, ''), url);
        const forwarded = http.request(path, {method: request.method, headers: {...request.headers, host: path.host}}, response => {
          if (path.pathname.endsWith('/events')) return;
          answer.writeHead(response.statusCode, response.headers);
          response.pipe(answer);
        });
        request.pipe(forwarded);
        answer.on('close', () => forwarded.destroy());
      });
      await new Promise(resolve => proxy.listen(0, '127.0.0.1', resolve));
      const name = await ask('run');
      const page = await open('', {}, `http://127.0.0.1:${proxy.address().port}/x/y/`);
      await liveIs(page, 'polling', 5000);
      assert.match(await page.locator('nav a', {hasText: 'Overview'}).evaluate(it => it.href), /\/x\/y\/overview$/);
      await ask(`progress ${name} 2`);
      await row(page, name).getByText('25 %, 2 of 8 tables').waitFor();
      await close(page);
      proxy.close();
      proxy.closeAllConnections();
    },
  },

  breaks: {
    async 'after the end of the server the page finds what it missed'() {
      const name = await ask('run');
      const page = await open('', {}, url, /ERR_CONNECTION_REFUSED|ERR_INCOMPLETE_CHUNKED|ERR_CONNECTION_RESET|ERR_EMPTY/);
      await liveIs(page, 'live');
      await ask('kill');
      await liveIs(page, 'reconnecting');
      await ask(`progress ${name} 6`);
      await ask('revive');
      await row(page, name).getByText('75 %, 6 of 8 tables').waitFor();
      await liveIs(page, 'live');
      await close(page);
    },

    async 'hidden tabs let go of their stream'() {
      const page = await (await browser.newContext()).newPage();
      await page.clock.install();
      await page.goto(url);
      await liveIs(page, 'live');
      const hide = hidden => page.evaluate(it => {
        Object.defineProperty(document, 'hidden', {configurable: true, get: () => it});
        document.dispatchEvent(new Event('visibilitychange'));
      }, hidden);
      await hide(true);
      await page.clock.fastForward(31000);
      await liveIs(page, 'off');
      assert.equal(await live(page), 'paused');
      await hide(false);
      await liveIs(page, 'live');
      await page.context().close();
    },
  },

  acts: {
    async 'filters are completed by keys'() {
      const page = await open('');
      await page.locator('#filter').pressSequentially('stat');
      await page.locator('#choices li', {hasText: /^state$/}).waitFor();
      await accessible(page, 'completion');
      await page.keyboard.press('Tab');
      await page.locator('#filter').pressSequentially('FAI');
      await page.locator('#choices li', {hasText: 'FAILED'}).waitFor();
      await page.keyboard.press('ArrowDown');
      await page.keyboard.press('Enter');
      assert.equal(await page.locator('#filter').inputValue(), 'state = FAILED ');
      await page.keyboard.press('Escape');
      await page.keyboard.press('Enter');
      await page.waitForURL('**/?filter=**');
      assert.equal(await page.locator('tr[data-name]').count(), 1);
      await close(page);
    },

    async 'keys cancel an operation'() {
      const name = await ask('run');
      const page = await open('');
      await page.keyboard.press('j');
      await page.keyboard.press('x');
      await page.locator('#selected', {hasText: '1 selected'}).waitFor();
      await page.keyboard.press('Enter');
      await page.waitForURL('**/operation?**');
      await page.locator('button[value="cancel"]').focus();
      await page.keyboard.press('Enter');
      await page.getByRole('heading', {name: 'Cancel 1 operation?'}).waitFor();
      await page.locator('button.danger').focus();
      await page.keyboard.press('Enter');
      await page.locator('#standing .word', {hasText: 'CANCELLING'}).waitFor();
      assert.equal(await page.locator('#operation').getAttribute('data-name'), name);
      await close(page);
    },

    async 'several are deleted after their number was typed'() {
      const page = await open('?state=pending');
      const shown = await page.locator('tr[data-name]').count();
      await page.locator('#all').check();
      await ask('start');
      await page.locator('.bulk button[value="delete"]').click();
      await page.getByRole('heading', {name: `Delete ${shown} operations?`}).waitFor();
      await accessible(page, 'confirm');
      await page.locator('#count').fill(String(shown));
      await page.locator('button.danger').click();
      await page.getByRole('heading', {name: `Deleted ${shown} of ${shown} operations`}).waitFor();
      await page.goto(`${url}?state=pending`);
      assert.equal(await page.locator('tr[data-name]').count(), 1, 'the one that came later is there');
      await close(page);
    },

    async 'everything but live updates works without scripts'() {
      const name = await ask('run');
      const page = await open(operation(name), {javaScriptEnabled: false});
      await page.locator('button[value="cancel"]').click();
      await page.locator('button.danger').click();
      await page.locator('#standing .word', {hasText: 'CANCELLING'}).waitFor();
      await page.goto(url);
      assert.equal(await page.locator('#live').isVisible(), false);
      assert.equal(await page.locator('[data-copy]').first().isVisible(), false);
      await close(page);
    },
  },
};

if (mode === 'shots') {
  await shots();
} else {
  for (const [name, check] of Object.entries(CHECKS[argument])) {
    await check().catch(error => { throw new Error(name, {cause: error}); });
    console.log(`ok ${name}`);
  }
}
await browser.close();
process.exit(0);
