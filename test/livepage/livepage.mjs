// Uses the page of examples/live in a browser as people do, as the plan in the arguments says. Prints what each visit came
// to, as a JSON object of lists of complaints by the name of the visit.
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import puppeteer from 'puppeteer-core';

const plan = JSON.parse(process.argv[2]);
const axe = await readFile('node_modules/axe-core/axe.min.js', 'utf8');
const patience = 60_000; // milliseconds, for one step on a busy machine
const wide = { width: 1280, height: 900 };
const narrow = { width: 360, height: 740 };
const isChrome = plan.browser === 'chrome';
const chrome = [
  '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run',
  '--disable-background-networking', '--disable-component-update', '--disable-sync',
];
const browser = await puppeteer.launch({
  browser: plan.browser, executablePath: plan.executable, args: isChrome ? chrome : [], timeout: 120_000,
});
let orders = 3000;

const visits = {
  'sees a call that somebody answers': async (page) => {
    await says(page, '#status', /^No call yet$/);
    await says(page, '#since', /^First seen at \d\d:\d\d:\d\d\.$/);
    await page.evaluate(() => { window.notReloaded = true; });
    await call(page, 'you');
    await says(page, '#status', /^Ringing$/);
    await press(page, 'Answer');
    await says(page, '#status', /^Connected$/);
    await press(page, 'Hang up');
    await says(page, '#status', /^Ended$/);
    assert.deepEqual(await seen(page), ['Ended', 'Connected', 'Ringing', 'No call yet']);
    assert.ok(await page.evaluate(() => window.notReloaded));
    await says(page, '#connection', /^Live\.$/);
    await says(page, '#since', /^The last change was seen at \d\d:\d\d:\d\d\.$/);
  },

  'sees a call that goes by itself': async (page) => {
    await call(page, 'answers');
    await says(page, '#status', /^Ended$/);
  },

  'sees that nobody answers': async (page) => {
    await call(page, 'absent');
    await says(page, '#status', /^No answer$/);
  },

  'sees the end of a status': async (page) => {
    await says(page, '#status', /^No call yet$/);
    await call(page, 'you', 'short');
    await says(page, '#status', /^Ringing$/);
    await says(page, '#status', /^No status$/);
    await says(page, '#meaning', /^The last one has reached its end/);
    await says(page, '#connection', /^Live\.$/);
  },

  'keeps the last status while voxkv is down': async (page) => {
    await call(page, 'you');
    await says(page, '#status', /^Ringing$/);
    await press(page, 'Take down');
    await says(page, '#connection', /^Not live: voxkv cannot be reached\..*This is the last status that we know\./);
    await says(page, '#status', /^Ringing$/);
    await looksWell(page, 'down');
    await press(page, 'Answer'); // Voximplant is not down
    await press(page, 'Bring back');
    await says(page, '#status', /^Connected$/);
    await says(page, '#connection', /^Live\.$/);
  },

  'shows no status after its end while voxkv is down': async (page) => {
    await call(page, 'you', 'short');
    await says(page, '#status', /^Ringing$/);
    await press(page, 'Take down');
    await says(page, '#status', /^Unknown$/);
    await says(page, '#connection', /^Not live: voxkv cannot be reached\./);
    await press(page, 'Bring back');
    await says(page, '#connection', /^Live\.$/);
    await says(page, '#status', /^No status$/);
  },

  'is opened while voxkv is down': async (page) => {
    await press(page, 'Take down');
    await page.reload();
    await says(page, '#connection', /^Not live: voxkv cannot be reached\. We keep trying\.\s*$/);
    await says(page, '#status', /^…$/);
    await press(page, 'Bring back');
    await says(page, '#status', /^No call yet$/);
  },

  'says why there is no answer while Voximplant fails': async (page) => {
    await call(page, 'you');
    await says(page, '#status', /^Ringing$/);
    await fail('unavailable');
    await says(page, '#connection', /^Not live: voxkv has no answer \(upstream_unavailable\)\..*This is the last status that we know\./);
    await says(page, '#status', /^Ringing$/);
    await fail('off');
    await says(page, '#connection', /^Live\.$/);
  },

  'asks nothing while hidden, and at once afterwards': async (page) => {
    await call(page, 'you');
    await says(page, '#status', /^Ringing$/);
    await page.evaluate(show, 'hidden'); // headless browsers hide no tab
    await page.waitForNetworkIdle({ idleTime: 1000, timeout: patience });
    const asked = [];
    page.on('request', (request) => asked.push(request.url()));
    await press(page, 'Answer');
    await page.evaluate(() => new Promise((resolve) => setTimeout(resolve, 6000))); // three times max-age
    assert.deepEqual(asked.map((url) => new URL(url).pathname), ['/customer']);
    await says(page, '#status', /^Ringing$/);
    await page.evaluate(show, 'visible');
    await says(page, '#status', /^Connected$/);
  },

  'tells what cannot be done': async (page) => {
    await click(page, 'Answer');
    await says(page, '#done', /^There is no call now/);
    await page.goto(`${plan.page}/?order=${encodeURIComponent('<b>1 2')}`);
    await says(page, '#status', /^No such order$/);
    await says(page, 'h1', /^Order <b>1 2$/);
    await fits(page);
    await accessible(page);
    await page.goto(`${plan.page}/?order=1003`); // which has another kind of value
    await says(page, '#status', /courier/);
    await fits(page);
  },

  'shows a voxkv that is deployed': async (page) => {
    await page.goto(`${plan.deployed}/?order=7`);
    await says(page, '#status', /^Connected$/);
    await says(page, '#connection', /^Live\.$/);
    assert.equal(await page.$eval('#try', (section) => section.checkVisibility()), false);
    await accessible(page);
  },

  'looks well': async (page) => {
    await says(page, '#status', /^No call yet$/);
    await looksWell(page, 'before');
    await call(page, 'you');
    await says(page, '#status', /^Ringing$/);
    await looksWell(page, 'ringing');
    await press(page, 'Answer');
    await says(page, '#status', /^Connected$/);
    await looksWell(page, 'connected');
  },
};

try {
  const complaints = {};
  for (const [name, use] of Object.entries(visits)) complaints[name] = await visit(name, use);
  console.log(JSON.stringify(complaints));
} finally {
  await browser.close();
}

// visit opens the page of a new order in a browser without history, and returns what was wrong.
async function visit(name, use) {
  const wrong = [];
  const context = await browser.createBrowserContext();
  const page = await context.newPage();
  page.setDefaultTimeout(patience);
  await page.setViewport(wide);
  // Browsers report requests without an answer, which there are while voxkv is down, and what the server refuses.
  const kinds = { down: /ERR_CONNECTION|ERR_EMPTY_RESPONSE|CORS request did not succeed/, fails: /50\d/, cannot: /409/ };
  const expected = Object.entries(kinds).find(([word]) => name.includes(word))?.[1] ?? /^$/;
  page.on('console', (message) => {
    if (!expected.test(message.text()) && message.type() !== 'debug') wrong.push(`on the console: ${message.text()}`);
  });
  page.on('pageerror', (error) => expected.test(error.message) || wrong.push(`an error: ${error.message}`));
  try {
    await page.goto(`${plan.page}/?order=${++orders}`);
    await use(page);
  } catch (error) {
    wrong.push(error.stack);
    await shoot(page, 'broken').catch(() => {});
  }
  await context.close();
  return wrong;
}

async function call(page, customer, short) {
  await page.select('#customer', customer);
  if (short) await page.click('#short');
  await page.click('#call button');
  await says(page, '#done', /^The scenario has started/);
}

async function click(page, label) {
  await page.locator(`::-p-aria([name="${label}"][role="button"])`).setTimeout(patience).click();
}

async function press(page, label) {
  await click(page, label);
  await says(page, '#done', new RegExp(`^${label}: done\\.$`));
}

async function says(page, selector, pattern) {
  const text = () => page.$eval(selector, (element) => element.textContent);
  try {
    await page.waitForFunction((selector, source) => new RegExp(source).test(document.querySelector(selector)?.textContent), { timeout: patience }, selector, pattern.source);
  } catch (error) {
    assert.match(await text(), pattern, error.message);
  }
}

// The storage behind voxkv fails as named, or is well again.
async function fail(name) {
  const [, url] = /url = "(.+)"/.exec(await (await fetch(`${plan.page}/config.js`)).text());
  const response = await fetch(`${url}/playground/fault`, { method: 'PUT', body: name });
  assert.ok(response.ok, `${response.status}`);
}

function seen(page) {
  return page.$$eval('#seen li', (lines) => lines.map((line) => line.lastChild.textContent));
}

// The page believes that its tab was hidden or shown.
function show(state) {
  Object.defineProperty(document, 'visibilityState', { value: state, configurable: true });
  document.dispatchEvent(new Event('visibilitychange', { bubbles: true }));
}

async function looksWell(page, name) {
  for (const [width, viewport] of Object.entries({ wide, narrow })) {
    await page.setViewport(viewport);
    for (const scheme of isChrome ? ['light', 'dark'] : ['light']) {
      if (isChrome) await page.emulateMediaFeatures([{ name: 'prefers-color-scheme', value: scheme }, { name: 'prefers-reduced-motion', value: 'reduce' }]);
      await fits(page);
      await accessible(page);
      await shoot(page, `${name}-${width}-${scheme}`);
    }
  }
}

async function fits(page) {
  const [content, width] = await page.evaluate(() => [document.documentElement.scrollWidth, document.documentElement.clientWidth]);
  assert.ok(content <= width, `the content is ${content} px wide, the page ${width}`);
}

async function accessible(page) {
  await page.evaluate(axe);
  const { violations, passes } = await page.evaluate(() => window.axe.run());
  assert.ok(passes.length > 10, `axe looked at ${passes.length} rules only`);
  assert.deepEqual(violations.map(({ id, help, nodes }) => `${id}: ${help}: ${nodes.map((node) => node.html).join(' ')}`), []);
}

async function shoot(page, name) {
  for (const dir of plan.screenshots) await page.screenshot({ path: `${dir}/${plan.browser}-${name}.png`, fullPage: true });
}
