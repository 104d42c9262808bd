import assert from 'node:assert/strict';
import http from 'node:http';
import {ask, browser, operation, standing, url} from './kit.mjs';

export default {
  // console:6
  async 'forms and scripts of another site change nothing'() {
    const name = await ask('run');
    const form = `<form method=post action="${url}act"><input name=action value=cancel>
      <input name=operation value=" ${name}"><button>go</button></form>`;
    const other = http.createServer((request, answer) => {
      answer.writeHead(200, {'content-type': 'text/html'});
      answer.end(form);
    });
    await new Promise(resolve => other.listen(0, 'localhost', resolve));
    const page = await (await browser.newContext()).newPage();
    // Another host, and another port of the same host, which is the same site.
    for (const host of ['localhost', '127.0.0.1']) {
      await page.goto(`http://localhost:${other.address().port}/`);
      if (host === '127.0.0.1') {
        await page.route('http://127.0.0.1:9/', route => route.fulfill({contentType: 'text/html', body: form}));
        await page.goto('http://127.0.0.1:9/');
      }
      const sent = await page.evaluate(async ({to, body}) => {
        const headers = {'content-type': 'application/x-www-form-urlencoded'};
        try {
          return (await fetch(to, {method: 'POST', mode: 'no-cors', headers, body})).type;
        } catch (error) { return String(error); }
      }, {to: `${url}act`, body: `action=cancel&operation=+${encodeURIComponent(name)}`});
      assert.match(sent, /opaque|TypeError/);
      const [answer] = await Promise.all([page.waitForNavigation(), page.locator('button').click()]);
      assert.equal(answer.status(), 403, host);
    }
    await page.goto(url + operation(name));
    await standing(page, 'RUNNING');
    await page.context().close();
    other.close();
    other.closeAllConnections();
  },
};
