// Uses the package in pages of a browser, as the plan in the arguments says. Prints what each visit came to, as lists of
// complaints by the name of the visit.
import assert from 'node:assert/strict';
import puppeteer from 'puppeteer-core';

const plan = JSON.parse(process.argv[2]);
const patience = 60_000; // milliseconds, for one step on a busy machine
const chrome = [
  '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run',
  '--disable-background-networking', '--disable-component-update', '--disable-sync',
];
const browser = await puppeteer.launch({
  browser: plan.browser, executablePath: plan.executable, args: plan.browser === 'chrome' ? chrome : [], timeout: 120_000,
});

const visits = {
  'watches an item until it ends': async (page) => {
    const key = `ends:${plan.browser}`;
    const end = await put(plan.live, key, 'ringing', '20s');
    await page.evaluate(watch, plan.live.open, key);
    await page.waitForFunction(() => window.seen.length === 1, { timeout: patience });
    await down(plan.live, key); // from now on nothing but the page's own clock can tell it
    await page.waitForFunction(() => window.seen.length === 2, { timeout: patience });
    await page.waitForFunction(() => window.failed > 0, { timeout: patience }); // the page tries on
    const { seen, shown } = await page.evaluate(() => ({ seen: window.seen, shown: window.shown }));
    await down(plan.live, '');
    assert.deepEqual(seen, ['ringing', null]);
    assert.ok(shown < end, `shown ${shown - end} ms after its end`);
  },

  'sees no value of the browser\'s cache after its end': async (page) => {
    for (const [name, site] of Object.entries({ public: plan.live, private: plan.private })) {
      const key = `kept:${name}:${plan.browser}`;
      let [end, last] = [0, 0];
      for (let life = 12; last === 0 && life < 60; life *= 2) { // a busy machine may take a short life to open the page
        end = await put(site, key, 'ringing', `${life}s`);
        await page.evaluate(keep, site.open, key, 0);
        await page.reload(); // a page that knows nothing of the server's clock, and a browser that has kept the answer
        await load(page);
        last = await page.evaluate(keep, site.open, key, end + 3000);
      }
      assert.ok(last > 0, `${name}: never usable`);
      assert.ok(last < end, `${name}: held to be usable ${last - end} ms after its end`);
    }
  },

  'has the browser answer what it may': async (page) => {
    const key = `cached:${plan.browser}`;
    await put(plan.private, key, 'ringing', '1h');
    const values = await page.evaluate(async (url, key) => {
      const kv = window.createClient({ url });
      await kv.get(key, { fresh: true });
      const values = [];
      for (let i = 0; i < 5; i++) values.push((await kv.get(key)).value);
      return values;
    }, plan.private.open, key);
    assert.deepEqual(values, Array(5).fill('ringing'));
    assert.equal((await asked(plan.private, key)).length, 1);
  },

  'watches what is not there without a word in the console': async (page) => {
    const key = `absent:${plan.browser}`;
    await page.evaluate(watch, plan.live.open, key);
    await page.waitForFunction(() => window.answers >= 2, { timeout: patience });
    await put(plan.live, key, 'there', '1h');
    await page.waitForFunction(() => window.seen.length === 2, { timeout: patience });
    assert.deepEqual(await page.evaluate(() => window.seen), [null, 'there']);
    const requests = await asked(plan.live, key);
    assert.ok(requests.length >= 3 && requests.every(({ method }) => method === 'GET'), 'no preflight');
  },

  'asks nothing while hidden or offline': async (page) => {
    const key = `hidden:${plan.browser}`;
    await put(plan.live, key, 'one', '1h');
    await page.evaluate(watch, plan.live.open, key);
    await page.waitForFunction(() => window.answers >= 1, { timeout: patience });
    // Headless browsers hide no tab: document and navigator are made to say so.
    for (const [n, off, on] of [[1, 'hide', 'show'], [2, 'disconnect', 'connect']]) {
      await page.evaluate(be, off);
      await page.waitForNetworkIdle({ idleTime: 1000, timeout: patience }); // a request may be under way
      const before = (await asked(plan.live, key)).length;
      await put(plan.live, key, `value ${n}`, '1h');
      await page.evaluate(() => new Promise((resolve) => setTimeout(resolve, 6000)));
      assert.equal((await asked(plan.live, key)).length, before, `asked after ${off}`);
      await page.evaluate(be, on);
      await page.waitForFunction((value) => window.seen.at(-1) === value, { timeout: patience }, `value ${n}`);
    }
  },

  'sends a token, and another after 401': async (page) => {
    const key = `guarded:${plan.browser}`;
    await put(plan.private, key, 'for you', '1h');
    const seen = await page.evaluate(async (url, key) => {
      const tokens = ['old', 'good', 'good'];
      const kv = window.createClient({ url, token: async () => tokens.shift() });
      const without = await window.createClient({ url }).get(key).catch((error) => [error.name, error.status]);
      return { without, value: (await kv.get(key)).value, absent: await kv.get('absent') };
    }, plan.private.guarded, key);
    assert.deepEqual(seen, { without: ['ItemError', 401], value: 'for you', absent: null });
    const requests = await asked(plan.private, key);
    assert.ok(requests.some(({ method }) => method === 'OPTIONS'), 'the browser has asked for permission');
    assert.deepEqual(requests.filter(({ method }) => method === 'GET').map(({ authorization }) => authorization), ['', 'Bearer old', 'Bearer good']);
  },

  'reads several': async (page) => {
    const key = `several:${plan.browser}`;
    await put(plan.live, key, 'one', '1h');
    const seen = await page.evaluate(async (url, key) => {
      const all = await window.createClient({ url }).getMany([key, 'absent', 'no key', ...Array.from({ length: 20 }, (_, i) => `absent:${i}`)]);
      return [all.size, all.get(key).value, all.get('absent'), all.get('no key').code];
    }, plan.live.open, key);
    assert.deepEqual(seen, [23, 'one', null, 'invalid_key']);
  },

  'shows the plain page': async (page) => {
    const key = `order:plain:${plan.browser}`;
    await put(plan.live, key, 'ringing', '1h');
    await page.goto(`${plan.pages}/index.html?${new URLSearchParams({ url: plan.live.open, key })}`);
    await says(page, 'ringing');
    await put(plan.live, key, 'answered', '1h');
    await says(page, 'answered');
    await down(plan.live, key);
    await page.waitForFunction(() => document.getElementById('note').textContent.startsWith('Not up to date'), { timeout: patience });
    await says(page, 'answered');
    await down(plan.live, '');
    await page.waitForFunction(() => document.getElementById('note').textContent === '', { timeout: patience });
  },

  'shows the page made with Vite and React, in StrictMode': async (page) => {
    const order = `react:${plan.browser}`;
    await put(plan.private, `order:${order}`, 'ringing', '1h');
    await page.goto(`${plan.pages}/page/dist/index.html?${new URLSearchParams({ url: plan.private.open, order })}`);
    await says(page, 'ringing');
    assert.equal((await asked(plan.private, `order:${order}`)).length, 1, 'StrictMode mounts twice');
    await page.type('input', '2'); // another key
    await says(page, 'no such order');
    await put(plan.private, `order:${order}23`, 'short', '20s');
    await page.type('input', '3');
    await says(page, 'short');
    await says(page, 'no such order'); // at its end
    await page.focus('input');
    for (let i = 0; i < order.length + 2; i++) await page.keyboard.press('Backspace');
    await says(page, 'no such order');
  },
};

// measure is how late a page sees that values were overwritten, behind all fronts at once.
async function measure(page) {
  const n = plan.changes;
  const keys = Array.from({ length: n }, (_, i) => `${plan.browser}:${i}`);
  await Promise.all(plan.fronts.flatMap((front) => keys.map((key) => put(front, key, 'one', '1h'))));
  await page.evaluate((fronts, keys) => {
    window.first = 0;
    window.changed = fronts.map(({ url }) => {
      const changed = {};
      const kv = window.createClient({ url });
      for (const key of keys) kv.watch(key, (item) => (item?.value === 'two' ? (changed[key] = Date.now()) : window.first++));
      return changed;
    });
  }, plan.fronts, keys);
  await page.waitForFunction((n) => window.first === n, { timeout: patience }, n * plan.fronts.length);
  const written = plan.fronts.map(() => ({}));
  await Promise.all(plan.fronts.flatMap((front, f) => keys.map(async (key, i) => {
    await new Promise((resolve) => setTimeout(resolve, ((i + 0.5) / n) * front.seconds * 1000)); // in all phases of max-age
    await put(front, key, 'two', '1h');
    written[f][key] = Date.now();
  })));
  await page.waitForFunction((n) => window.changed.every((changed) => Object.keys(changed).length === n), { timeout: 5 * patience }, n);
  (await page.evaluate(() => window.changed)).forEach((changed, f) => {
    const late = keys.map((key) => (changed[key] - written[f][key]) / 1000).sort((a, b) => a - b);
    console.error(`| ${plan.browser} | ${plan.fronts[f].name} | ${late[n / 2].toFixed(1)} s | ${late[n - 1].toFixed(1)} s |`);
  });
}

const complaints = {};
try {
  for (const [name, use] of Object.entries(plan.fronts ? { measure } : visits)) complaints[name] = await visit(use);
  console.log(JSON.stringify(complaints));
} finally {
  await browser.close();
}

// One page at a time: a page in the background might not be asked to do anything.
async function visit(use) {
  const wrong = [];
  const page = await browser.newPage();
  page.setDefaultTimeout(patience);
  // Browsers report failed requests by themselves; those of an absent item are none.
  const complain = (text, url) => {
    if (!/Failed to load resource|Cross-Origin Request/.test(text) || /optional\/absent/.test(text + url)) wrong.push(text);
  };
  page.on('console', (message) => complain(message.text(), message.location()?.url));
  page.on('pageerror', (error) => complain(error.message));
  try {
    await page.goto(`${plan.pages}/index.html?url=${encodeURIComponent('http://127.0.0.1:9')}`); // which has nothing to watch
    await load(page);
    await use(page);
  } catch (error) {
    wrong.push(error.stack);
  }
  await page.close();
  return wrong;
}

// load gives a page the package.
async function load(page) {
  await page.evaluate(async () => {
    const { createClient } = await import('./voxkv-client.min.js');
    window.createClient = createClient;
  });
}

// put stores an item and returns when it ends, in Unix milliseconds.
async function put({ storage }, key, value, ttl) {
  const response = await fetch(`${storage}${key}?ttl=${ttl}`, { method: 'PUT', body: value });
  assert.equal(response.status, 204, await response.text());
  const items = await (await fetch(storage)).json();
  return items.find((item) => item.key === key).expires_at * 1000;
}

async function down({ control }, key) {
  await fetch(control, { method: 'PUT', body: key });
}

async function asked({ control }, key) {
  const seen = await (await fetch(control)).json();
  return seen.filter(({ path }) => path.endsWith(`/${key}`));
}

async function says(page, text) {
  try {
    await page.waitForFunction((text) => document.getElementById('status').textContent === text, { timeout: patience }, text);
  } catch {
    assert.equal(await page.evaluate(() => document.getElementById('status')?.textContent), text);
  }
}

// The functions below run in the page.

function watch(url, key) {
  Object.assign(window, { seen: [], answers: 0, failed: 0, shown: 0 });
  let now = null;
  const kv = window.createClient({ url, onError: () => window.failed++ });
  kv.watch(key, (item) => {
    now = item && item.value;
    window.seen.push(now);
  }, { onAnswer: () => window.answers++ });
  let before = performance.now();
  setInterval(() => {
    // Where a busy machine let the page do nothing, it could not take the value away either.
    if (now !== null && performance.now() - before < 500) window.shown = Date.now();
    before = performance.now();
  }, 50);
}

// keep reads the item again and again, keeps all that it was given, and returns when one of them was last usable.
async function keep(url, key, until) {
  const kv = window.createClient({ url });
  const kept = [];
  let last = 0;
  do {
    const item = await kv.get(key);
    if (item) kept.push(item);
    if (kept.some((item) => !item.expired)) last = Date.now();
    await new Promise((resolve) => setTimeout(resolve, 150));
  } while (Date.now() < until);
  return last;
}

function be(state) {
  if (state === 'hide' || state === 'show') {
    Object.defineProperty(document, 'visibilityState', { value: state === 'hide' ? 'hidden' : 'visible', configurable: true });
    document.dispatchEvent(new Event('visibilitychange', { bubbles: true }));
  } else {
    Object.defineProperty(navigator, 'onLine', { value: state === 'connect', configurable: true });
    window.dispatchEvent(new Event(state === 'connect' ? 'online' : 'offline'));
  }
}
