// Uses the playground in Chromium as people do, and prints what each visit came to, as a JSON object of lists of
// complaints by the name of the visit.
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { chromium } from 'playwright-core';

const plan = JSON.parse(process.argv[2]);
const axe = await readFile('node_modules/axe-core/axe.min.js', 'utf8');
const wide = { width: 1280, height: 900 };
const narrow = { width: 360, height: 740 };
const patience = 15000; // milliseconds, for one step on a busy machine

const browser = await chromium.launch({
  executablePath: plan.chromium,
  args: [
    '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run',
    '--disable-background-networking', '--disable-component-update', '--disable-sync',
  ],
});

const visits = {
  'reads items': async (page) => {
    await read(page, 'order:1001');
    await says(page, 'summary', /^200\. Voximplant answered\.$/);
    assert.deepEqual(JSON.parse(await page.locator('#body').textContent()).key, 'order:1001');
    assert.match(await page.locator('#ends').textContent(), /^(59:\d\d|1:00:00)$/);
    const headers = await page.locator('#headers dt').allTextContents();
    for (const name of ['cache-control', 'date', 'etag', 'expires', 'x-request-id']) assert.ok(headers.includes(name), name);
    for (const name of ['content-security-policy', 'x-content-type-options']) assert.ok(!headers.includes(name), name);

    await read(page, 'order:1001');
    await says(page, 'summary', /^200\. The browser’s cache answered by itself\.$/);
    assert.deepEqual(await states(page), ['answered', '', '']);
    await page.getByLabel('asks the function first').check();
    await read(page, 'feature:dark-mode');
    await says(page, 'summary', /Voximplant answered/);
    await read(page, 'feature:dark-mode');
    await says(page, 'summary', /the function says that its copy still holds \(304\)/);
    assert.deepEqual(await states(page), ['answered', 'asked', '']);
    await page.getByLabel('is left out').check();
    await read(page, 'order:1001');
    await says(page, 'summary', /The function answered from its copy/);

    for (const [key, summary] of [
      ['order:absent', /^404 not_found\. Voximplant answered/], ['secret:token', /^404 not_found\. .*outside ALLOWED_KEYS/],
      ['no key', /^400 invalid_key/], ['ключЁё', /^200/], ['a#b', /^200/], ['.', /^404/],
    ]) {
      await read(page, key);
      await says(page, 'summary', summary);
    }
    assert.equal(await page.locator('#log li').count(), 10);
  },

  'picks a key and sees the item end': async (page) => {
    await write(page, 'order:short', 'soon over', '15 seconds');
    await page.getByRole('button', { name: 'order:short', exact: true }).click();
    await says(page, 'summary', /^200/);
    assert.match(await page.locator('#body').textContent(), /soon over/);
    const first = await page.locator('#ends').textContent();
    assert.match(first, /^00:1\d$/);
    await page.waitForFunction((first) => document.getElementById('ends').textContent < first, first);
    await says(page, 'summary', /^order:short has ended/, 30000);
    assert.equal(await page.locator('#ends').textContent(), 'ended');
    // The page counts an item as ended up to a second before it is.
    do await read(page, 'order:short'); while (/^200/.test(await page.locator('#summary').textContent()));
    await says(page, 'summary', /^(404 not_found|order:short has ended)/);
    await read(page, 'order:short');
    await says(page, 'summary', /^404 not_found/);
    assert.equal(await page.locator('#ends').textContent(), '–');
  },

  'writes, reads and deletes': async (page) => {
    await write(page, 'order:new', '<b>"new"</b>', '1 hour');
    await read(page, 'order:new');
    await says(page, 'summary', /^200/);
    assert.equal(JSON.parse(await page.locator('#body').textContent()).value, '<b>"new"</b>');
    await page.getByRole('button', { name: 'Delete' }).click();
    await says(page, 'written', /^order:new is deleted/);
    await page.getByRole('button', { name: 'order:new', exact: true }).waitFor({ state: 'detached' });
    await page.getByLabel('Key').last().fill('no key');
    await page.getByRole('button', { name: 'Write' }).click();
    await says(page, 'written', /the key has a character outside/);
  },

  'makes Voximplant fail': async (page) => {
    await page.getByLabel('The storage', { exact: true }).selectOption({ label: 'answers with a web page' });
    await says(page, 'failing', /answers with a web page from now on/);
    await read(page, 'pool:moscow');
    await says(page, 'summary', /^502 upstream_failure\. Voximplant failed, and no copy could stand in/);
    assert.deepEqual(await states(page), ['asked', 'asked', 'failed']);
    assert.equal(await page.locator('#fresh').textContent(), 'no time');
    await page.getByLabel('The storage', { exact: true }).selectOption({ label: 'says that we ask too often (340)' });
    await says(page, 'failing', /too often/);
    await read(page, 'pool:moscow');
    await says(page, 'summary', /^503 upstream_busy\. .* Ask again in \d+ s\.$/);
    await shoot(page, 'failing');
    await page.getByLabel('The storage', { exact: true }).selectOption({ label: 'answers' });
    await says(page, 'failing', /^The storage answers from now on/);
    await read(page, 'pool:moscow');
    await says(page, 'summary', /^200/);
  },

  'shows the latest read alone': async (page) => {
    await page.getByLabel('The storage', { exact: true }).selectOption({ label: 'never answers' });
    await says(page, 'failing', /never answers/);
    await page.getByRole('button', { name: 'a;b' }).click();
    await says(page, 'summary', /^Reading a;b/);
    await read(page, 'secret:token');
    await says(page, 'summary', /outside ALLOWED_KEYS/);
    await page.getByLabel('The storage', { exact: true }).selectOption({ label: 'answers' });
    await says(page, 'failing', /^The storage answers from now on/);
    assert.equal(await page.locator('#log li').count(), 3);
  },

  'says when nobody answers': async (page) => {
    await page.route('**/v1/items/**', (route) => route.abort());
    await read(page, 'order:1001');
    await says(page, 'summary', /^No answer: .* Is cmd\/local still running\?$/);
    assert.equal(await page.locator('#answer').isVisible(), false);
  },

  'works by keyboard alone': async (page) => {
    const press = async (...keys) => { for (const key of keys) await page.keyboard.press(key); };
    const focused = () => page.evaluate(() => document.activeElement.id || document.activeElement.value || document.activeElement.textContent);
    await press('Tab');
    assert.equal(await focused(), 'key');
    await press('Control+A');
    await page.keyboard.type('promo:весна');
    await press('Enter');
    await says(page, 'summary', /^200/);
    await press('Tab', 'ArrowDown');
    assert.equal(await page.getByLabel('asks the function first').isChecked(), true);
    await press('Tab');
    assert.equal(await focused(), 'Read');
    assert.notEqual(await page.evaluate(() => getComputedStyle(document.activeElement).outlineStyle), 'none');
    await press('Tab', 'Tab');
    assert.equal(await focused(), 'a+b');
    await press('Space');
    await says(page, 'summary', /^200\. Voximplant answered/);
    assert.equal(await focused(), 'a+b');
    while (await focused() !== 'write-key') await press('Tab');
    await press('Control+A');
    await page.keyboard.type('order:keys');
    await press('Tab', 'Control+A');
    await page.keyboard.type('typed');
    await press('Tab', 'Tab', 'Enter');
    await says(page, 'written', /^order:keys is written/);
    await press('Tab', 'Enter');
    await says(page, 'written', /^order:keys is deleted/);
    await press('Tab');
    assert.equal(await focused(), 'fault');
    await press('ArrowDown');
    await says(page, 'failing', /too often/);
    await press('ArrowUp');
    await says(page, 'failing', /^The storage answers/);
  },
};

for (const [width, viewport] of Object.entries({ wide, narrow })) {
  for (const colorScheme of ['light', 'dark']) {
    visits[`looks well: ${width}, ${colorScheme}`] = Object.assign(async (page) => {
      await fits(page);
      await accessible(page);
      await read(page, 'я'.repeat(200));
      await write(page, 'order:' + 'long'.repeat(40), 'long'.repeat(400), '30 days');
      await page.getByLabel('asks the function first').check();
      await read(page, 'order:' + 'long'.repeat(40));
      await says(page, 'summary', /^200/);
      await fits(page);
      await page.getByRole('button', { name: 'Delete' }).click();
      await says(page, 'written', /is deleted/);
      await read(page, 'promo:весна');
      await says(page, 'summary', /^200/);
      await fits(page);
      await accessible(page);
      await shoot(page, `${width}-${colorScheme}`);
    }, { options: { viewport, colorScheme } });
  }
}

const withoutStorage = async (page) => {
  for (const label of ['The storage', 'Value']) assert.equal(await page.getByLabel(label, { exact: true }).count(), 0);
  await read(page, 'order:1');
  await says(page, 'summary', /^200\. Voximplant answered/);
  await fits(page);
  await accessible(page);
  await read(page, 'order:endless');
  await says(page, 'summary', /^200\. Voximplant answered/);
  assert.equal(await page.locator('#ends').textContent(), '–');
};

const withoutCopies = async (page) => {
  await read(page, 'order:1001');
  await says(page, 'summary', /^200\. Voximplant answered/);
  await page.getByLabel('The storage', { exact: true }).selectOption({ label: 'fails (HTTP 503)' });
  await says(page, 'failing', /fails/);
  await read(page, 'order:1001');
  await says(page, 'summary', /^200\. The browser’s cache answered by itself/);
  await page.getByLabel('is left out').check();
  await read(page, 'order:1001');
  await says(page, 'summary', /^200\. Voximplant failed\. An older copy of the function, not expired, stood in/);
  assert.deepEqual(await states(page), ['asked', 'answered', 'failed']);
};

try {
  const complaints = {};
  for (const [name, use] of Object.entries(visits)) complaints[name] = await visit(plan.embedded, use);
  complaints['sees an old copy stand in'] = await visit(plan.forgetful, withoutCopies);
  complaints['reads from the real API'] = await visit(plan.real, withoutStorage);
  console.log(JSON.stringify(complaints));
} finally {
  await browser.close();
}

// visit opens the page in a browser without history, and returns what was wrong.
async function visit(url, use) {
  const wrong = [];
  const context = await browser.newContext({ viewport: wide, ...use.options });
  const page = await context.newPage();
  page.setDefaultTimeout(patience);
  page.on('request', (request) => {
    if (new URL(request.url()).origin !== url && !request.url().startsWith('data:')) wrong.push(`a request to ${request.url()}`);
  });
  page.on('console', (message) => {
    // Chromium reports every answer that is no success.
    const expected = message.text().startsWith('Failed to load resource') && /\/v1\/items|\/storage\//.test(message.location().url);
    if (message.type() !== 'debug' && !expected) wrong.push(`on the console: ${message.text()}`);
  });
  page.on('pageerror', (error) => wrong.push(`an error: ${error.message}`));
  try {
    await page.goto(url);
    await use(page);
  } catch (error) {
    wrong.push(error.stack);
    await shoot(page, 'broken').catch(() => {});
  }
  await context.close();
  return wrong;
}

async function read(page, key) {
  await page.getByLabel('Key').first().fill(key);
  await page.getByRole('button', { name: 'Read', exact: true }).click();
  await page.waitForFunction(() => !/^Reading/.test(document.getElementById('summary').textContent));
}

async function write(page, key, value, ttl) {
  await page.getByLabel('Key').last().fill(key);
  await page.getByLabel('Value').fill(value);
  await page.getByLabel('Time to live').selectOption({ label: ttl });
  await page.getByRole('button', { name: 'Write' }).click();
  await says(page, 'written', /is written\.$/);
}

// says waits for a status that people are told of.
async function says(page, id, text, timeout = patience) {
  const status = page.locator(`#${id}[role=status]`);
  try {
    await status.filter({ hasText: text }).waitFor({ timeout });
  } catch {
    assert.match(await status.textContent(), text);
  }
}

async function states(page) {
  return page.locator('#way li').evaluateAll((steps) => steps.map((step) => step.className));
}

async function fits(page) {
  const [content, width] = await page.evaluate(() => [document.documentElement.scrollWidth, document.documentElement.clientWidth]);
  assert.ok(content <= width, `the content is ${content} px wide, the page ${width}`);
}

async function accessible(page) {
  await page.evaluate(axe);
  const { violations, passes } = await page.evaluate(() => axe.run());
  assert.ok(passes.length > 20, `axe looked at ${passes.length} rules only`);
  assert.deepEqual(violations.map(({ id, help, nodes }) => `${id}: ${help}: ${nodes.map((node) => node.html).join(' ')}`), []);
}

async function shoot(page, name) {
  for (const dir of plan.screenshots) await page.screenshot({ path: `${dir}/${name}.png`, fullPage: true });
}
