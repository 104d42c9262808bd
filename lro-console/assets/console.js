// @ts-check
// The script of the console. It writes texts and attributes only: the content security policy
// forbids to make markup of a text. Parts that are markup come from the server as documents.

/** @type {<T extends Element = HTMLElement>(selector: string, root?: ParentNode) => T[]} */
const all = (selector, root = document) => /** @type {any} */ ([...root.querySelectorAll(selector)]);
/** @type {<T extends Element = HTMLElement>(selector: string, root?: ParentNode) => T | null} */
const one = (selector, root = document) => /** @type {any} */ (root.querySelector(selector));

// --- Settings ---------------------------------------------------------------------------------

const stored = {
  /** @param {string} key */
  get: (key) => {
    try { return localStorage.getItem(`lro.${key}`) ?? ''; } catch { return ''; }
  },
  /** @param {string} key @param {string} value */
  set: (key, value) => {
    try {
      if (value) localStorage.setItem(`lro.${key}`, value);
      else localStorage.removeItem(`lro.${key}`);
    } catch { /* The browser keeps nothing: the setting holds for this page. */ }
  },
};

function applySettings() {
  for (const key of ['theme', 'density']) {
    const value = stored.get(key);
    if (value) document.documentElement.dataset[key] = value;
    else delete document.documentElement.dataset[key];
  }
}

function settingsForm() {
  const form = one('#settings');
  if (!form) return;
  for (const select of all('select', form)) {
    const field = /** @type {HTMLSelectElement} */ (/** @type {unknown} */ (select));
    field.value = stored.get(field.name);
    field.addEventListener('change', () => {
      stored.set(field.name, field.value);
      applySettings();
      showTimes();
    });
  }
}

// --- Times ------------------------------------------------------------------------------------

/** How far the clock of the server is ahead of this one, in milliseconds. */
let ahead = Number(document.body.dataset.now) - Date.now();

/** @param {number} millis */
function rough(millis) {
  const seconds = Math.floor(Math.abs(millis) / 1000);
  if (seconds < 1) return 'now';
  let text = `${Math.round(seconds / 86400)} d`;
  if (seconds < 90) text = `${seconds} s`;
  else if (seconds < 5400) text = `${Math.round(seconds / 60)} min`;
  else if (seconds < 129600) text = `${Math.round(seconds / 3600)} h`;
  return millis > 0 ? `${text} ago` : `in ${text}`;
}

/** The two largest units, as the server writes them. @param {number} millis */
function duration(millis) {
  const seconds = Math.max(Math.floor(millis / 1000), 0);
  /** @param {number} large @param {string} unit @param {number} small @param {string} smaller */
  const pair = (large, unit, small, smaller) => `${Math.floor(large)}${unit}${String(Math.floor(small)).padStart(2, '0')}${smaller}`;
  if (seconds < 10) return `${(Math.floor(Math.max(millis, 0) / 100) / 10).toFixed(1)}s`;
  if (seconds < 60) return `${seconds}s`;
  if (seconds < 3600) return pair(seconds / 60, 'm', seconds % 60, 's');
  if (seconds < 86400) return pair(seconds / 3600, 'h', (seconds % 3600) / 60, 'm');
  return pair(seconds / 86400, 'd', (seconds % 86400) / 3600, 'h');
}

/** @param {Date} date */
function local(date) {
  /** @param {number} value */
  const two = (value) => String(value).padStart(2, '0');
  const day = [date.getFullYear(), two(date.getMonth() + 1), two(date.getDate())].join('-');
  return `${day} ${[date.getHours(), date.getMinutes(), date.getSeconds()].map(two).join(':')}`;
}

function showTimes() {
  const isLocal = stored.get('zone') === 'local';
  const name = Intl.DateTimeFormat().resolvedOptions().timeZone || 'local time';
  const zone = one('#clock');
  if (zone) zone.textContent = isLocal ? name : 'UTC';
  const now = Date.now() + ahead;
  for (const time of all('time')) {
    const date = new Date(time.getAttribute('datetime') ?? '');
    if (Number.isNaN(date.getTime())) continue;
    const iso = date.toISOString();
    const full = isLocal ? local(date) : `${iso.slice(0, 10)} ${iso.slice(11, 19)} UTC`;
    if ('age' in time.dataset) {
      set(time, rough(now - date.getTime()));
      if (time.title !== full) time.title = full;
    } else {
      set(time, full);
    }
  }
  for (const cell of all('[data-since]')) set(cell, duration(now - Date.parse(cell.dataset.since ?? '')));
}

/** The address forgets the outcome of an action, which the page tells once. */
function forgetOutcome() {
  const address = new URL(location.href);
  if (!address.searchParams.has('did')) return;
  address.searchParams.delete('did');
  history.replaceState(history.state, '', address);
}

// --- Copying ----------------------------------------------------------------------------------

/** @param {string} text */
async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    // Browsers give the clipboard to secure origins only. The old way works everywhere.
    const area = document.createElement('textarea');
    area.value = text;
    area.className = 'unseen';
    document.body.append(area);
    area.select();
    const done = document.execCommand('copy');
    area.remove();
    return done;
  }
}

/** @param {ParentNode} root */
function copyButtons(root) {
  for (const button of all('[data-copy]', root)) {
    button.hidden = false;
    button.addEventListener('click', async () => {
      const label = button.textContent;
      button.textContent = (await copy(button.dataset.copy ?? '')) ? 'Copied' : 'Not copied';
      announce(button.textContent);
      setTimeout(() => { button.textContent = label; }, 1500);
    });
  }
}

// --- Announcements for screen readers -----------------------------------------------------------

/** @param {string} text */
function announce(text) {
  const region = one('#announce');
  if (region) region.textContent = text;
}

let changes = 0;
let announcing = false;

/** Says at most one sentence in 5 seconds. @param {number} count */
function announceChanges(count) {
  changes += count;
  if (announcing || changes === 0) return;
  announcing = true;
  announce(changes === 1 ? '1 operation changed' : `${changes} operations changed`);
  changes = 0;
  setTimeout(() => { announcing = false; announceChanges(0); }, 5000);
}

// --- Rows: selection and keys -------------------------------------------------------------------

/** @returns {HTMLInputElement[]} */
const boxes = () => /** @type {any} */ (all('input[name="operation"][type="checkbox"]'));

const ENDED = ['SUCCEEDED', 'FAILED', 'CANCELLED'];

/** The states in which each action has an effect. @type {Record<string, (state: string) => boolean>} */
const ACTIONS = {
  cancel: (state) => state === 'PENDING' || state === 'RUNNING',
  resubmit: (state) => ENDED.includes(state),
  delete: (state) => state !== 'GONE',
};

/** Shows the selection again after a change. */
let showSelection = () => {};

function selection() {
  const every = /** @type {HTMLInputElement | null} */ (/** @type {unknown} */ (one('#all')));
  const list = one('#list');
  if (!list || !every) return;
  every.hidden = false;
  const show = () => {
    const states = boxes().filter((box) => box.checked).map((box) => one('.state [data-state]', box.closest('tr') ?? list)?.dataset.state ?? '');
    const chosen = states.length;
    set(one('#selected'), `${chosen} selected`);
    for (const button of all('.bulk button')) {
      const verb = /** @type {HTMLButtonElement} */ (button).value;
      const count = states.filter((state) => ACTIONS[verb]?.(state)).length;
      button.toggleAttribute('disabled', count === 0);
      set(button, `${button.dataset.label}${count > 0 ? ` ${count}` : ''}…`);
    }
    every.checked = chosen > 0 && chosen === boxes().length;
    every.indeterminate = chosen > 0 && !every.checked;
  };
  every.addEventListener('change', () => {
    for (const box of boxes()) box.checked = every.checked;
    show();
  });
  list.addEventListener('change', show);
  showSelection = show;
  show();
}

/** The button of a question is off until the number is typed. */
function typedCount() {
  const input = /** @type {HTMLInputElement | null} */ (/** @type {unknown} */ (one('#count')));
  const button = one('.confirm .buttons button');
  if (!input || !button) return;
  const show = () => button.toggleAttribute('disabled', input.value.trim() !== input.pattern);
  input.addEventListener('input', show);
  show();
}

let here = -1;

/** @param {number} step */
function move(step) {
  const rows = all('tr[data-name]');
  if (rows.length === 0) { one(step > 0 ? '#older' : '#newer')?.click(); return; }
  rows[here]?.removeAttribute('data-here');
  here = Math.min(Math.max(here + step, 0), rows.length - 1);
  rows[here].setAttribute('data-here', '');
  one('a', rows[here])?.focus();
}

/** @param {KeyboardEvent} event */
function key(event) {
  if (event.ctrlKey || event.metaKey || event.altKey || stored.get('keys') === 'off') return;
  const target = /** @type {HTMLElement} */ (event.target);
  if (target.closest('input:not([type="checkbox"]), textarea, select')) return;
  const row = all('tr[data-name]')[here];
  const name = row?.dataset.name ?? one('#operation')?.dataset.name;
  switch (event.key) {
    case '/': one('#filter')?.focus(); break;
    case 'j': move(1); break;
    case 'k': move(-1); break;
    case 'x': one('input', row ?? document.createElement('p'))?.click(); break;
    case 'c':
      if (!name) return;
      copy(name).then((done) => announce(done ? `Copied ${name}` : 'Not copied'));
      break;
    case 'u': one('#back')?.click(); break;
    case '?': location.assign('./settings'); break;
    default: return;
  }
  event.preventDefault();
}

// --- Completion of the filter -------------------------------------------------------------------

/** The fields that a filter may name, each with its values. @type {Promise<Record<string, string[]>> | undefined} */
let fields;

/** What may stand at the end of a text, and how much of it is there already.
 * @param {string} text @param {Record<string, string[]>} known @returns {{from: number, choices: string[]}} */
function choicesFor(text, known) {
  const value = /([\w.@-]+)\s*(?:!?=|[<>]=?|:)\s*("[^"]*|[\w.-]*)$/.exec(text);
  if (value) {
    const values = known[value[1]] ?? [];
    return { from: text.length - value[2].length, choices: values.filter((it) => it.startsWith(value[2]) && it !== value[2]) };
  }
  const word = /[\w.@-]*$/.exec(text)?.[0] ?? '';
  const before = text.slice(0, text.length - word.length).trimEnd();
  const isAfterValue = before !== '' && !/(\(|\b(AND|OR|NOT))$/.test(before);
  const words = isAfterValue ? ['AND', 'OR'] : Object.keys(known);
  const least = isAfterValue ? 0 : 1;
  if (word.length < least) return { from: 0, choices: [] };
  return { from: text.length - word.length, choices: words.filter((it) => it.startsWith(word) && it !== word) };
}

function completion() {
  const input = /** @type {HTMLInputElement | null} */ (/** @type {unknown} */ (one('#filter')));
  const list = one('#choices');
  if (!input || !list) return;
  for (const [name, value] of [['role', 'combobox'], ['aria-autocomplete', 'list'], ['aria-controls', 'choices'], ['aria-expanded', 'false']]) input.setAttribute(name, value);
  let at = -1;
  let from = 0;
  const close = () => {
    list.hidden = true;
    at = -1;
    input.setAttribute('aria-expanded', 'false');
    input.removeAttribute('aria-activedescendant');
  };
  /** @param {string} choice */
  const take = (choice) => {
    const caret = input.selectionStart ?? input.value.length;
    const isField = !choice.startsWith('"') && /^[a-z]/.test(choice) && choice !== 'true' && choice !== 'false';
    const text = input.value.slice(0, from) + choice + (isField ? ' = ' : ' ');
    input.value = text + input.value.slice(caret);
    input.setSelectionRange(text.length, text.length);
    close();
    show();
  };
  const show = async () => {
    const parent = one('#list')?.dataset.parent ?? '';
    fields ??= fetch(`./fields?parent=${encodeURIComponent(parent)}`).then((it) => (it.ok ? it.json() : {})).catch(() => ({}));
    const known = await fields;
    const text = input.value.slice(0, input.selectionStart ?? input.value.length);
    const found = choicesFor(text, known);
    from = found.from;
    if (found.choices.length === 0 || document.activeElement !== input) { close(); return; }
    list.replaceChildren(...found.choices.slice(0, 50).map((choice, number) => {
      const item = document.createElement('li');
      item.id = `choice-${number}`;
      item.setAttribute('role', 'option');
      item.setAttribute('aria-selected', 'false');
      item.textContent = choice;
      // Before the input loses the focus.
      item.addEventListener('mousedown', (event) => { event.preventDefault(); take(choice); });
      return item;
    }));
    at = -1;
    input.removeAttribute('aria-activedescendant');
    list.hidden = false;
    input.setAttribute('aria-expanded', 'true');
  };
  input.addEventListener('input', show);
  input.addEventListener('blur', close);
  input.addEventListener('keydown', (event) => {
    const items = all('li', list);
    if (list.hidden || items.length === 0) return;
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step) {
      at = at < 0 && step < 0 ? items.length - 1 : (at + step + items.length) % items.length;
      items.forEach((item, number) => item.setAttribute('aria-selected', String(number === at)));
      input.setAttribute('aria-activedescendant', items[at].id);
      items[at].scrollIntoView({ block: 'nearest' });
    } else if (event.key === 'Escape') close();
    else if ((event.key === 'Enter' && at >= 0) || event.key === 'Tab') take(items[Math.max(at, 0)].textContent ?? '');
    else return;
    event.preventDefault();
  });
}

// --- Numbers ------------------------------------------------------------------------------------

const COUNT_INTERVAL = 10000;

/** Asks again for the numbers of the chips, while somebody looks. */
function countAgain() {
  if (!one('#counted') || stored.get('live') === 'off') return;
  setInterval(async () => {
    if (document.hidden) return;
    try {
      const list = one('#list');
      const query = new URLSearchParams(location.search);
      if (list) query.set('filter', list.dataset.filter ?? '');
      const answer = await fetch(`./counts?${query}`, { cache: 'no-store' });
      if (!answer.ok) return;
      const { counts, as_of: asOf } = await answer.json();
      for (const count of all('[data-count]')) set(count, counts[count.dataset.count ?? ''] ?? '');
      one('#counted time')?.setAttribute('datetime', asOf ?? '');
      showTimes();
    } catch { /* The numbers keep their age. */ }
  }, COUNT_INTERVAL);
}

/** Asks again for a page that has no stream of changes. */
function keepFresh() {
  const part = one('[data-refresh]');
  if (!part) return;
  if (stored.get('live') === 'off') { showLive('off', 'live updates off'); return; }
  const seconds = Number(part.dataset.refresh);
  showLive('live', `every ${seconds} s`);
  setInterval(() => { if (!document.hidden) refresh(); }, seconds * 1000);
  document.addEventListener('visibilitychange', () => { if (!document.hidden) refresh(); });
}

// --- Live updates -------------------------------------------------------------------------------

/** The states that each chip shows. @type {Record<string, string[]>} */
const CHIPS = {
  pending: ['PENDING'],
  running: ['RUNNING', 'CANCELLING'],
  failed: ['FAILED'],
  succeeded: ['SUCCEEDED'],
  cancelled: ['CANCELLED'],
};

/** @typedef {{name: string, removed?: boolean, revision: number, state: string, glyph: string, percent: number | null, note: string, warns: boolean, took: string, since: string | null}} Update */

/** When the server last said something. */
let news = Date.now();

/** @param {string} state @param {string} text */
function showLive(state, text) {
  const sign = one('#live');
  if (!sign) return;
  sign.hidden = false;
  const stale = one('#stale');
  if (stale) {
    stale.hidden = !['reconnecting', 'lost', 'off'].includes(state);
    set(one('.what', stale), text);
    one('time', stale)?.setAttribute('datetime', new Date(news + ahead).toISOString());
    if (!stale.hidden) showTimes();
  }
  if (sign.dataset.state === state && one('.word', sign)?.textContent === text) return;
  sign.dataset.state = state;
  const word = one('.word', sign);
  if (word) word.textContent = text;
}

/** The server does not know the visitor any more: the same address asks to sign in, and comes back here. */
function signedOut() {
  showLive('lost', 'signed out');
  const again = one('#again');
  if (!again) return;
  again.setAttribute('href', location.href);
  if (again.hidden) announce('Signed out');
  again.hidden = false;
}

/** @param {HTMLElement} row @param {Update} update */
function patchRow(row, update) {
  const state = one('.state [data-state], span.state', row);
  if (!state) return false;
  if (update.removed) {
    if (state.dataset.state === 'GONE') return false;
    row.dataset.left = '';
    delete one('td.took', row)?.dataset.since;
    one('progress', row)?.toggleAttribute('hidden', true);
    set(one('.note', row), '');
    state.dataset.state = 'GONE';
    set(one('.word', state), 'GONE');
    set(one('.glyph', state), '∅');
    return true;
  }
  if (update.revision < Number(row.dataset.revision)) return false;
  const differs = update.revision > Number(row.dataset.revision) || state.dataset.state !== update.state;
  row.dataset.revision = String(update.revision);
  state.dataset.state = update.state;
  set(one('.word', state), update.state);
  set(one('.glyph', state), update.glyph);
  const bar = /** @type {HTMLProgressElement | null} */ (/** @type {unknown} */ (one('progress', row)));
  if (bar) {
    bar.hidden = update.percent === null;
    if (update.percent !== null) bar.value = update.percent;
  }
  set(one('.note', row), update.note);
  one('.note', row)?.toggleAttribute('data-warns', update.warns);
  const took = one('td.took', row);
  if (took && update.since) took.dataset.since = update.since;
  else delete took?.dataset.since;
  set(took, update.took);
  const shown = CHIPS[one('#list')?.dataset.state ?? ''];
  if (shown) row.toggleAttribute('data-left', !shown.includes(update.state));
  return differs;
}

/** @param {Element | null} element @param {string} text */
function set(element, text) {
  if (element && element.textContent !== text) element.textContent = text;
}

let refreshing = false;
let refreshAgain = false;

/** Fetches the page of the operation again, and takes over the parts that differ. */
function refresh() {
  if (refreshing) { refreshAgain = true; return; }
  refreshing = true;
  const request = new XMLHttpRequest();
  request.open('GET', location.href);
  request.responseType = 'document';
  request.timeout = 10000;
  request.onloadend = () => {
    refreshing = false;
    const page = request.responseXML;
    if (page && request.status === 200) { news = Date.now(); takeOver(page); }
    else if (request.status === 401 || request.status === 403) signedOut();
    else if (one('[data-refresh]')) showLive('reconnecting', 'no answer, trying again');
    else if (request.status === 404) gone();
    if (refreshAgain) { refreshAgain = false; setTimeout(refresh, 250); }
  };
  request.send();
}

/** @param {Document} page */
function takeOver(page) {
  // The first operation of an empty list.
  if (one('#empty') && !one('#empty', page)) { location.reload(); return; }
  document.title = page.title;
  ahead = Number(page.body.dataset.now) - Date.now();
  for (const part of all('[data-part][id]', page)) {
    const old = document.getElementById(part.id);
    if (!old) continue;
    // A form under way stays.
    if ('keep' in old.dataset && one('details[open]', old)) continue;
    for (const value of all('dd[data-path]', part)) {
      const path = value.dataset.path ?? '';
      const before = all('dd[data-path]', old).find((it) => it.dataset.path === path);
      if (!before || before.textContent !== value.textContent) value.classList.add('changed');
    }
    const focused = old.contains(document.activeElement) ? document.activeElement : null;
    const adopted = document.adoptNode(part);
    old.replaceWith(adopted);
    copyButtons(adopted);
    if (focused instanceof HTMLButtonElement) one(`button[value="${CSS.escape(focused.value)}"]`, adopted)?.focus();
  }
  const article = one('#operation');
  const fresh = one('#operation', page);
  if (article && fresh && 'done' in fresh.dataset) {
    article.dataset.done = '';
    announce(document.title);
  }
  showTimes();
}

/** The operation of the page was deleted, or has expired: the rest of the page is its last known state. */
function gone() {
  showLive('lost', 'this operation is gone');
  const note = one('#removed');
  if (note) note.hidden = false;
  for (const wrong of all('#stale, #standing :is(.left, .why)')) wrong.hidden = true;
  for (const button of all('article button[name="action"]')) button.toggleAttribute('disabled', true);
  const state = one('#standing .state');
  if (!state) return;
  state.dataset.state = 'GONE';
  set(one('.word', state), 'GONE');
  set(one('.glyph', state), '∅');
}

/** @param {Update[]} updates */
function apply(updates) {
  const article = one('#operation');
  if (article) {
    const changed = updates.some((it) => !it.removed && (it.revision !== Number(article.dataset.revision) || it.state !== article.dataset.now));
    for (const it of updates) {
      if (it.removed) { gone(); continue; }
      article.dataset.revision = String(it.revision);
      article.dataset.now = it.state;
    }
    if (changed) refresh();
    return;
  }
  const rows = new Map(all('tr[data-name]').map((row) => [row.dataset.name, row]));
  let count = 0;
  for (const update of updates) {
    const row = rows.get(update.name);
    if (row && patchRow(row, update)) count += 1;
  }
  if (count > 0) showSelection();
  announceChanges(count);
}

/** @param {{count: number, more: boolean}} news */
function showNew(news) {
  const pill = one('#new');
  if (!pill) return;
  const count = `${news.count}${news.more ? '+' : ''}`;
  pill.textContent = `↑ ${count} new operation${news.count === 1 ? '' : 's'}`;
  pill.hidden = false;
}

/** What the tab follows, as a form. */
function followed() {
  const form = new URLSearchParams();
  const article = one('#operation');
  const named = article ? [article] : all('tr[data-name]');
  for (const it of named) form.append('operation', ` ${it.dataset.name}`);
  const list = one('#list');
  if (list?.dataset.newest !== undefined) {
    form.append('newest', list.dataset.newest);
    form.append('newest_name', list.dataset.newestName ?? '');
    for (const key of ['filter', 'state', 'parent']) form.append(key, list.dataset[key] ?? '');
  }
  return form;
}

/** How long the first event may take: a proxy that buffers sends it never. */
const OPEN_TIMEOUT = 3000;
const POLL_INTERVAL = 5000;
const HIDDEN_TIMEOUT = 30000;
/** Longer than the heartbeat of the server, twice. */
const SILENCE = 35000;

/** Browsers have six connections to one host over HTTP/1.1: more streams would hang further tabs. */
const MAX_STREAMS = 4;
const streams = 'BroadcastChannel' in window ? new BroadcastChannel('lro.streams') : null;
/** How many tabs have opened their stream after this one. */
let newer = 0;
/** Whether this tab has left its stream to newer tabs. */
let yielded = false;

/** @type {AbortController | null} */
let stream = null;
let failures = 0;
/** @type {ReturnType<typeof setTimeout> | undefined} */
let again;

/** @param {number} millis */
function later(millis, then = connect) {
  clearTimeout(again);
  again = setTimeout(then, millis);
}

async function connect() {
  clearTimeout(again);
  stream?.abort();
  const own = new AbortController();
  stream = own;
  let opened = false;
  let slow = false;
  let last = '';
  let timer = setTimeout(() => { slow = true; own.abort(); }, OPEN_TIMEOUT);
  if (failures === 0) showLive('connecting', 'connecting');
  try {
    const response = await fetch('./events', { method: 'POST', body: followed(), signal: own.signal, cache: 'no-store' });
    if (response.status === 401 || response.status === 403) {
      signedOut();
      clearTimeout(timer);
      return;
    }
    if (!response.ok || !response.body) throw new Error(String(response.status));
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
    let text = '';
    for (;;) {
      const { value, done } = await reader.read();
      if (done) break;
      clearTimeout(timer);
      timer = setTimeout(() => own.abort(), SILENCE);
      news = Date.now();
      if (!opened) {
        opened = true;
        failures = newer = 0;
        yielded = false;
        streams?.postMessage('opened');
      }
      text += value;
      const events = text.split('\n\n');
      text = events.pop() ?? '';
      for (const event of events) last = receive(event) || last;
    }
  } catch { /* What follows says what happened. */ }
  clearTimeout(timer);
  // Another one has begun, or the tab has let go of its stream.
  if (stream !== own) return;
  stream = null;
  if (last === '"denied"') { signedOut(); return; }
  if (slow && !opened) { poll(); return; }
  failures += 1;
  showLive('reconnecting', failures > 3 ? 'no connection, trying again' : 'reconnecting');
  later(last === '"time"' ? 100 : Math.min(2000 * failures, 30000) * (0.75 + Math.random() / 2));
}

/** @param {string} event */
function receive(event) {
  const lines = event.split('\n');
  const kind = lines.find((line) => line.startsWith('event: '))?.slice(7);
  const data = lines.find((line) => line.startsWith('data: '))?.slice(6) ?? '';
  if (kind === 'open') {
    const { interval } = JSON.parse(data);
    liveWord = interval ? `every ${interval} s` : 'live';
    showLive('live', liveWord);
  } else if (kind === 'rows') { showLive('live', liveWord); apply(JSON.parse(data)); }
  else if (kind === 'new') showNew(JSON.parse(data));
  else if (kind === 'stale') showLive('reconnecting', 'the store does not answer');
  else if (kind === 'bye') return data;
  return '';
}

/** How changes come: as they happen, or as often as the server is asked for them. */
let liveWord = 'live';
let polls = 0;

/** Asks for the rows that are shown, where no stream comes through. */
async function poll() {
  showLive('polling', yielded ? 'many tabs: updated every 5 s' : 'no stream: updated every 5 s');
  try {
    const response = await fetch('./rows', { method: 'POST', body: followed(), cache: 'no-store' });
    if (response.ok) { news = Date.now(); apply(await response.json()); }
    else if (response.status === 401 || response.status === 403) { signedOut(); return; }
    else showLive('lost', 'no answer');
  } catch { showLive('reconnecting', 'no connection, trying again'); }
  polls += 1;
  // Each minute another try of the stream.
  later(POLL_INTERVAL, !yielded && polls % 12 === 0 ? connect : poll);
}

function live() {
  if (!one('#live') || !(one('tr[data-name]') || one('#operation:not([data-done])'))) return;
  if (stored.get('live') === 'off') { showLive('off', 'live updates off'); return; }
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let hiding;
  document.addEventListener('visibilitychange', () => {
    clearTimeout(hiding);
    if (document.hidden) {
      hiding = setTimeout(() => {
        const old = stream;
        stream = null;
        old?.abort();
        clearTimeout(again);
        showLive('off', 'paused');
      }, HIDDEN_TIMEOUT);
    } else if (!stream) {
      connect();
    }
  });
  streams?.addEventListener('message', () => {
    newer += 1;
    if (!stream || newer < MAX_STREAMS) return;
    const old = stream;
    stream = null;
    yielded = true;
    old.abort();
    poll();
  });
  window.addEventListener('focus', () => { if (yielded) connect(); });
  // Pages that the browser keeps for "back" hold no connection.
  window.addEventListener('pagehide', () => { const old = stream; stream = null; old?.abort(); clearTimeout(again); });
  window.addEventListener('pageshow', (event) => { if (event.persisted) connect(); });
  connect();
}

applySettings();
typedCount();
forgetOutcome();
settingsForm();
copyButtons(document);
selection();
completion();
countAgain();
keepFresh();
showTimes();
setInterval(showTimes, 10000);
document.addEventListener('keydown', key);
live();
