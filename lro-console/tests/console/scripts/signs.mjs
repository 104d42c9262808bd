import assert from 'node:assert/strict';
import {ask, close, liveIs, names, open, operation, standing, url} from './kit.mjs';

// The certificate is the test's own.
const options = {ignoreHTTPSErrors: true};
const view = operation(names[4]);
const DENIED = /status of (401|403)/;

async function enter(page) {
  await page.locator('#token').fill(await ask('token'));
  await page.locator('button.main', {hasText: 'Sign in'}).click();
}

/** Waits until the server has registered its methods, which it does when it begins to serve. */
async function enabled(page, button) {
  while (await page.locator(button).isDisabled()) await page.reload();
}

export default {
  async 'a visitor signs in, and its cookie is for TLS and not for scripts'() {
    const page = await open(view, options, url, DENIED);
    await page.getByRole('heading', {name: 'Not signed in'}).waitFor();
    await enter(page);
    await page.waitForURL(url + view);
    await standing(page, 'RUNNING');
    await page.getByText('ada').first().waitFor();
    const [cookie, ...more] = await page.context().cookies();
    assert.deepEqual(more, []);
    assert.match(cookie.name, /^__Host-/);
    const {secure, httpOnly, sameSite, path} = cookie;
    assert.deepEqual({secure, httpOnly, sameSite, path}, {secure: true, httpOnly: true, sameSite: 'Strict', path: '/'});
    assert.equal(await page.evaluate(() => document.cookie), '');
    // HTTP/2, so that tabs do not take each other's connections.
    const protocol = () => performance.getEntriesByType('navigation')[0].nextHopProtocol;
    assert.equal(await page.evaluate(protocol), 'h2');
    await liveIs(page, 'live');
    await ask(`progress ${names[4]} 7`);
    await page.locator('#standing', {hasText: '87 %'}).waitFor();
    await page.getByRole('button', {name: 'Sign out'}).click();
    await page.getByRole('heading', {name: 'Not signed in'}).waitFor();
    assert.deepEqual(await page.context().cookies(), []);
    await close(page);
  },

  async 'a token that expires leads back to the same view'() {
    const page = await open(view, options, url, DENIED);
    await enter(page);
    await page.waitForURL(url + view);
    await liveIs(page, 'live');
    await ask('pass 61');
    await ask(`progress ${names[4]} 6`);
    await liveIs(page, 'lost');
    await page.getByRole('link', {name: 'Sign in again'}).click();
    await page.getByRole('heading', {name: 'Not signed in'}).waitFor();
    await enter(page);
    await page.waitForURL(url + view);
    await page.locator('#standing', {hasText: '75 %'}).waitFor();
    await close(page);
  },

  // console:3
  async 'an operation is resubmitted by mouse, and by keys'() {
    const page = await open(operation(names[0]), options, url, DENIED);
    await enter(page);
    const started = new Set();
    for (const by of ['mouse', 'keys']) {
      await page.goto(url + operation(names[0]));
      const press = async selector => {
        if (by === 'mouse') return page.locator(selector).click();
        await page.locator(selector).focus();
        return page.keyboard.press('Enter');
      };
      await enabled(page, 'button[value="resubmit"]');
      await press('button[value="resubmit"]');
      await page.getByRole('heading', {name: 'Resubmit 1 operation?'}).waitFor();
      await press('form.confirm button.main');
      await page.getByText('resubmitted-from').waitFor();
      started.add(await page.locator('#operation').getAttribute('data-name'));
    }
    started.add(names[0]);
    assert.equal(started.size, 3);
    await close(page);
  },
};
