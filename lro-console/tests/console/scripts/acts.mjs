import assert from 'node:assert/strict';
import {accessible, ask, close, names, open, operation, row, standing, url} from './kit.mjs';

export default {
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

  // console:3
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
    await page.locator('form.confirm .buttons button').focus();
    await page.keyboard.press('Enter');
    await standing(page, 'CANCELLING');
    assert.equal(await page.locator('#operation').getAttribute('data-name'), name);
    await close(page);
  },

  // console:3
  async 'keys delete an operation'() {
    const name = await ask('run');
    const page = await open(operation(name));
    await page.locator('button[value="delete"]').focus();
    await page.keyboard.press('Enter');
    await page.getByRole('heading', {name: 'Delete 1 operation?'}).waitFor();
    await page.locator('form.confirm .buttons button').focus();
    await page.keyboard.press('Enter');
    await page.waitForURL(url);
    assert.equal(await row(page, name).count(), 0);
    await close(page);
  },

  // console:4
  async 'bulk buttons tell how many of the selected they change'() {
    const page = await open('');
    const buttons = page.locator('.bulk button');
    assert.deepEqual(await buttons.allTextContents(), ['Cancel…', 'Resubmit…', 'Delete…']);
    for (const button of await buttons.all()) assert.equal(await button.isDisabled(), true);
    // One that runs, and one that has ended.
    for (const name of [names[4], names[0]]) await row(page, name).locator('input').check();
    assert.deepEqual(await buttons.allTextContents(), ['Cancel 1…', 'Resubmit 1…', 'Delete 2…']);
    await row(page, names[4]).locator('input').uncheck();
    assert.equal(await page.locator('.bulk button[value="cancel"]').isDisabled(), true);
    await close(page);
  },

  // console:4
  async 'several are deleted after their number was typed'() {
    const page = await open('?state=pending');
    const shown = await page.locator('tr[data-name]').count();
    await page.locator('#all').check();
    await ask('start');
    await page.locator('.bulk button[value="delete"]').click();
    await page.getByRole('heading', {name: `Delete ${shown} operations?`}).waitFor();
    await accessible(page, 'confirm');
    await page.locator('#count').fill(String(shown));
    await page.locator('form.confirm .buttons button').click();
    await page.getByRole('heading', {name: `Deleted ${shown} of ${shown} operations`}).waitFor();
    await page.goto(`${url}?state=pending`);
    assert.equal(await page.locator('tr[data-name]').count(), 1, 'the one that came later is there');
    await close(page);
  },

  // console:9
  async 'everything but live updates works without scripts'() {
    const name = await ask('run');
    const page = await open(operation(name), {javaScriptEnabled: false});
    await page.locator('button[value="cancel"]').click();
    await page.locator('form.confirm .buttons button').click();
    await standing(page, 'CANCELLING');
    await page.goto(url);
    assert.equal(await page.locator('#live').isVisible(), false);
    assert.equal(await page.locator('[data-copy]').first().isVisible(), false);
    await close(page);
  },

  // console:3
  async 'two who delete at once learn what happened'() {
    const name = await ask('run');
    const asks = async () => {
      const page = await open(operation(name));
      await page.locator('button[value="delete"]').click();
      await page.getByRole('heading', {name: 'Delete 1 operation?'}).waitFor();
      return page;
    };
    const [first, second] = [await asks(), await asks()];
    await first.locator('form.confirm .buttons button').click();
    await first.waitForURL(url);
    assert.equal(await row(first, name).count(), 0);
    await second.locator('form.confirm .buttons button').click();
    await second.getByRole('heading', {name: 'Not deleted: not found'}).waitFor();
    await close(first);
    await close(second);
  },

  // console:3
  async 'an operation that has ended since the page was read is left alone'() {
    const name = await ask('run');
    // Without scripts the page stays as it was read.
    const page = await open(operation(name), {javaScriptEnabled: false});
    await ask(`finish ${name}`);
    await page.locator('button[value="cancel"]').click();
    await page.getByRole('heading', {name: 'Left alone'}).waitFor();
    await page.getByText('It has ended.').waitFor();
    assert.equal(await page.locator('form.confirm .buttons button').count(), 0);
    await close(page);
  },

  // console:3
  async 'buttons that would be refused say why'() {
    const page = await open(operation(names[0]));
    const button = page.locator('button[value="cancel"]');
    assert.equal(await button.isDisabled(), true);
    const why = await button.getAttribute('aria-describedby');
    assert.equal(await page.locator(`#${why}`).textContent(), 'Cancel: It has ended.');
    await page.locator('button[value="delete"]').click();
    await page.locator('form.confirm .buttons button').click();
    await page.waitForURL(url);
    assert.equal(await row(page, names[0]).count(), 0);
    await close(page);
  },
};
