// Chromium looks at the console.
//
//     browser.mjs MODULES URL check GROUP
//     browser.mjs MODULES URL shots FOLDER
//
// prints `ok NAME` for each check that passed, and ends with an error at the first that did not. The checks
// of one group share a store. With `ask WHAT` it asks the test to change the store, and waits for a line
// on its standard input.
import {browser} from './kit.mjs';

const [mode, argument] = process.argv.slice(4);

if (mode === 'shots') {
  const {shots} = await import('./states.mjs');
  await shots(argument);
} else {
  const {default: checks} = await import(`./${argument}.mjs`);
  for (const [name, check] of Object.entries(checks)) {
    await check().catch(error => { throw new Error(name, {cause: error}); });
    console.log(`ok ${name}`);
  }
}
await browser.close();
process.exit(0);
