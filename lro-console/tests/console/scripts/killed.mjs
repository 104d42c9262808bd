import assert from 'node:assert/strict';
import {AWAY, ask, close, live, liveIs, open, operation, row, standing, url} from './kit.mjs';

export default {
  // console:2
  async 'after SIGKILL pages are live again by themselves, and have missed nothing'() {
    const [one, other] = [await ask('run'), await ask('run')];
    const list = await open('', {}, url, AWAY);
    const detail = await open(operation(other), {}, url, AWAY);
    let reloads = 0;
    for (const page of [list, detail]) {
      await liveIs(page, 'live');
      page.on('framenavigated', () => { reloads += 1; });
    }
    await ask('kill');
    for (const page of [list, detail]) {
      await liveIs(page, 'reconnecting');
      assert.match(await live(page), /reconnecting|no connection/);
    }
    // As long as the server is away, the rows stay as they were.
    assert.equal(await row(list, one).locator('.word').textContent(), 'RUNNING');
    await ask('revive');
    // The workers of the dead process are lost, and another one runs their operations again.
    await ask(`claim ${one}`);
    await ask(`progress ${one} 6`);
    await ask(`claim ${other}`);
    await ask(`finish ${other}`);
    await ask('start');
    await row(list, one).getByText('75 %, 6 of 8 tables').waitFor({timeout: 40000});
    await standing(detail, 'SUCCEEDED');
    await liveIs(list, 'live');
    await list.getByText('↑ 1 new operation').waitFor();
    for (const [name, state] of JSON.parse(await ask('states')).slice(1)) {
      assert.equal(await row(list, name).locator('.word').textContent(), state, name);
    }
    // The stream works, not only what was read when it began.
    await ask(`progress ${one} 7`);
    await row(list, one).getByText('87 %, 7 of 8 tables').waitFor();
    assert.equal(reloads, 0);
    await close(list);
    await close(detail);
  },
};
