// What a page of the console costs Chromium.
//
//     browser.mjs MODULES URL load     first paint, requests, nodes; the load event of 1,000 rows
//     browser.mjs MODULES URL live     the share of the main thread over 8 s, and rows patched a second
//
// prints these numbers, the times in milliseconds.
import fs from 'node:fs';
import {createRequire} from 'node:module';

const [modules, url, what] = process.argv.slice(2);
const {chromium} = createRequire(`${modules}/`)('playwright-core');
const median = numbers => numbers.toSorted((a, b) => a - b)[Math.floor(numbers.length / 2)];
const SPAN = 8000;

const browser = await chromium.launch({
  executablePath: process.env.PATH.split(':').map(it => `${it}/chromium`).find(fs.existsSync),
  args: ['--no-sandbox'],
});

/** A page of a new visitor, with an empty cache. */
async function open(path) {
  const context = await browser.newContext();
  const page = await context.newPage();
  page.asked = 0;
  page.on('request', request => { if (!request.url().endsWith('/events')) page.asked += 1; });
  await page.goto(url + path, {waitUntil: 'load'});
  return page;
}

if (what === 'load') {
  const [paints, loads] = [[], []];
  let asked = 0;
  let nodes = 0;
  for (let round = 0; round < 5; round += 1) {
    const page = await open('');
    await page.waitForFunction(() => performance.getEntriesByType('paint').length > 0);
    paints.push(await page.evaluate(() => performance.getEntriesByType('paint')[0].startTime));
    asked = page.asked;
    nodes = await page.evaluate(() => document.querySelectorAll('*').length);
    await page.context().close();
    const long = await open('?rows=1000');
    loads.push(await long.evaluate(() => performance.getEntriesByType('navigation')[0].loadEventEnd));
    await long.context().close();
  }
  console.log(median(paints), asked, nodes, median(loads));
} else {
  const page = await open('');
  await page.waitForFunction(() => document.querySelector('#live')?.dataset.state === 'live');
  const session = await page.context().newCDPSession(page);
  await session.send('Performance.enable');
  const busy = async () => {
    const {metrics} = await session.send('Performance.getMetrics');
    return metrics.find(it => it.name === 'TaskDuration').value;
  };
  // Each patch of a row writes its revision.
  await page.evaluate(() => {
    globalThis.patched = 0;
    const count = changes => { globalThis.patched += changes.length; };
    const options = {subtree: true, attributes: true, attributeFilter: ['data-revision']};
    new MutationObserver(count).observe(document.body, options);
  });
  const [before, begun] = [await busy(), performance.now()];
  await page.waitForTimeout(SPAN);
  const [took, patched] = [performance.now() - begun, await page.evaluate(() => globalThis.patched)];
  console.log(((await busy()) - before) / took * 1e5, patched / took * 1e3);
}
await browser.close();
process.exit(0);
