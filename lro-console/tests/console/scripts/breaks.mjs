import assert from 'node:assert/strict';
import {AWAY, ask, browser, close, live, liveIs, open, row, url} from './kit.mjs';

export default {
  async 'after the end of the server the page finds what it missed'() {
    const name = await ask('run');
    const page = await open('', {}, url, AWAY);
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
};
