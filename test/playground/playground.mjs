// Uses the playground in Chromium as people do, and prints what each visit came to, as a JSON object of lists of
// complaints by the name of the visit.
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { chromium } from 'playwright-core';

const plan = JSON.parse(process.argv[2]);
const axe = await readFile('node_modules/axe-core/axe.min.js', 'utf8');
const wide = { width: 1280, height: 900 };
const narrow = { width: 360, height: 740 };
const patience = 60_000; // milliseconds, for one step on a busy machine

const browser = await chromium.launch({
  executablePath: plan.chromium,
  args: [
    '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run',
    '--disable-background-networking', '--disable-component-update', '--disable-sync',
  ],
});

const only = process.env.VOXKV_VISIT ?? ''; // a part of the names of the visits to make

const visits = {
  'shows an item on opening': async (page) => {
    await says(page, 'summary', /^200\. /);
    assert.equal(await page.locator('#value').textContent(), 'ringing');
    assert.equal(await page.locator('#key').inputValue(), 'order:1001');
    // Nothing on the page is larger.
    const sizes = await page.evaluate(() => [...document.querySelectorAll('body *')].filter((e) => e.id !== 'value').map((e) => parseFloat(getComputedStyle(e).fontSize)));
    const value = await page.locator('#value').evaluate((e) => parseFloat(getComputedStyle(e).fontSize));
    assert.ok(Math.max(...sizes) < value, `the value is ${value} px large, something else ${Math.max(...sizes)}`);
    await read(page, 'order:1003');
    assert.equal(await page.locator('#value').textContent(), '{\n  "courier": "+15550100",\n  "customer": "+15550199"\n}');
    assert.equal(await page.locator('#kind').textContent(), 'JSON');
  },

  'reads items': async (page) => {
    await says(page, 'summary', /^200\. Voximplant answered\.$|^200\. The function answered from its own copy\.$/);
    assert.match(await page.locator('#ends').textContent(), /^([45]\d:\d\d|1:00:00)$/); // the item was stored at the start
    const headers = await page.locator('#headers dt').allTextContents();
    for (const name of ['cache-control', 'date', 'etag', 'expires', 'x-request-id']) assert.ok(headers.includes(name), name);
    for (const name of ['content-security-policy', 'x-content-type-options']) assert.ok(!headers.includes(name), name);

    await read(page, 'order:1001');
    await says(page, 'summary', /^200\. The browser answered from its own copy\.$/);
    assert.deepEqual(await states(page), ['answered', '', '']);
    await cache(page, 'Ask the function');
    await read(page, 'feature:dark-mode');
    await says(page, 'summary', /Voximplant answered/);
    await read(page, 'feature:dark-mode');
    await says(page, 'summary', /after the function said that it still holds \(304\)/);
    assert.deepEqual(await states(page), ['answered', 'asked', '']);
    await cache(page, 'Do not use it');
    await read(page, 'order:1001');
    await says(page, 'summary', /The function answered from its own copy/);

    for (const [key, summary] of [
      ['order:absent', /^404 not_found\. Voximplant answered/], ['secret:token', /^404 not_found\. ALLOWED_KEYS does not allow this key/],
      ['no key', /^400 invalid_key/], ['ключЁё', /^200/], ['a#b', /^200/], ['.', /^404/],
    ]) {
      await read(page, key);
      await says(page, 'summary', summary);
    }
    assert.equal(await page.locator('#log li').count(), 11);
  },

  'asks for each form': async (page) => {
    const ask = page.getByLabel('What to ask for');
    for (const [form, key, value] of [
      ['The item, and null if there is none', 'order:absent', 'null'],
      ['The item, and null if there is none', 'order:1001', 'ringing'],
      ['The item, with its value parsed as JSON', 'order:1003', '{\n  "courier": "+15550100",\n  "customer": "+15550199"\n}'],
      ['The value alone', 'a#b', 'hash'],
    ]) {
      await ask.selectOption({ label: form });
      await read(page, key);
      await says(page, 'summary', /^200\./);
      assert.equal(await page.locator('#value').textContent(), value, form);
    }
    await ask.selectOption({ label: 'Several items (a space between their keys)' });
    await read(page, 'order:1001  order:absent');
    await says(page, 'summary', /^200\./);
    const several = JSON.parse(await page.locator('#body').textContent());
    assert.equal(several.items['order:1001'].value, 'ringing');
    assert.equal(several.items['order:absent'], null);
  },

  'keeps the view in its URL': async (page, open) => {
    await page.getByLabel('What to ask for').selectOption('parsed');
    await cache(page, 'Do not use it');
    await read(page, 'a#b');
    await says(page, 'summary', /^200/);
    const other = await open(await address(page));
    await says(other, 'summary', /^200/);
    assert.equal(await other.locator('#value').textContent(), 'hash');
    assert.deepEqual(await other.locator('select').evaluateAll((all) => all.slice(0, 2).map((one) => one.value)), ['parsed', 'no-store']);
    // A payload is shown, but not invoked: whoever sends the URL must not act for whoever opens it.
    await page.getByRole('tab', { name: 'Direct invocation' }).click();
    await page.getByLabel('Payload').fill('{"operation":"delete","key":"order:1001"}');
    const invoked = [];
    const third = await open(await address(page), (request) => request.method() !== 'GET' && invoked.push(request.url()));
    await says(third, 'summary', /^Not invoked yet/);
    assert.equal(await third.getByLabel('Payload').inputValue(), '{"operation":"delete","key":"order:1001"}');
    assert.deepEqual(invoked, []);
    await page.goto(`${page.url().split('#')[0]}#form=none&cache=none&tab=none&key=order:1003`);
    await says(page, 'summary', /^200/);
    assert.equal(await page.locator('#asked').textContent(), 'order:1003');
  },

  'watches a key': async (page) => {
    await write(page, 'order:watched', 'ringing', '15 seconds'); // so that copies live for some seconds
    await page.getByLabel('Key', { exact: true }).fill('order:watched');
    await page.getByRole('button', { name: 'Watch', exact: true }).click();
    await says(page, 'summary', /^200/);
    await page.locator('#watching').filter({ hasText: /^Watching\. Asks again in 00:\d\d\.$/ }).waitFor();
    assert.match(await address(page), /watch=1/);
    await write(page, 'order:watched', 'answered', '1 hour');
    await page.locator('#value').filter({ hasText: 'answered' }).waitFor({ timeout: 4 * patience });
    assert.ok(await page.locator('#log li', { hasText: 'GET order:watched, watched' }).count() >= 2, 'each request is listed');
    await page.getByRole('button', { name: 'Stop watching' }).click();
    assert.match(await page.locator('#watching').textContent(), /^Watch asks again/);
    assert.doesNotMatch(await address(page), /watch=/);
  },

  'asks again when an answer may have changed': async (page) => {
    const pauses = await page.evaluate(async () => {
      const { pauseAfter } = await import('/playground/watch.js');
      const answer = (status, fresh, parsed = {}, headers = {}) => ({ response: new Response(null, { status, headers }), parsed, fresh, now: () => 1000 });
      return [
        pauseAfter(answer(200, 44000), 0, 5000), pauseAfter(answer(200, null), 0, 5000), pauseAfter(answer(200, 500), 0, 5000),
        pauseAfter(answer(404, null), 0, 5000), pauseAfter(answer(200, 3000, null), 0, 5000), pauseAfter(answer(404, null), 0, 0),
        pauseAfter(answer(503, null), 1, 5000), pauseAfter(answer(503, null, {}, { 'Retry-After': '30' }), 1, 5000),
        pauseAfter(null, 3, 5000), pauseAfter(null, 100, 5000),
      ];
    });
    assert.deepEqual(pauses, [43000, 1000, 1000, 5000, 5000, 1000, 2000, 30000, 8000, 60000]);

    const asked = await page.evaluate(async () => {
      const { watch } = await import('/playground/watch.js');
      let [hidden, asked] = [true, 0];
      Object.defineProperty(document, 'hidden', { get: () => hidden });
      const counts = [];
      const look = () => {
        document.dispatchEvent(new Event('visibilitychange'));
        counts.push(asked);
      };
      const stop = watch(async () => { asked++; return null; }, 5000, () => {});
      counts.push(asked); // hidden from the start
      hidden = false;
      look(); // comes back
      look(); // while that request runs
      await new Promise(requestAnimationFrame);
      look(); // in the pause after it
      await new Promise(requestAnimationFrame);
      stop();
      look(); // after the end
      return counts;
    });
    assert.deepEqual(asked, [0, 1, 1, 2, 2]);
  },

  'copies what others would write': async (page, _, origin) => {
    const copied = async (name) => {
      await page.getByRole('button', { name, exact: true }).click();
      await says(page, 'copied', /^Copied:$/);
      const text = await page.locator('#snippet').textContent();
      assert.equal(await page.evaluate(() => navigator.clipboard.readText()), text);
      return text;
    };
    assert.equal(await copied('curl'), `curl -i '${origin}/v1/items/order%3A1001'`);
    assert.match(await copied('fetch'), new RegExp(`await fetch\\("${origin}/v1/items/order%3A1001"\\)`));
    assert.match(await copied('client'), /await kv\.get\("order:1001"\)/);
    assert.equal(await copied('aws lambda invoke'), `echo '{"key":"order:1001"}' | aws lambda invoke --endpoint-url ${origin} --region us-east-1 --no-sign-request --function-name voxkv --payload fileb:///dev/stdin /dev/stdout`);
    await page.getByLabel('What to ask for').selectOption('batch');
    await page.getByLabel('Key', { exact: true }).fill('a;b o\'k');
    assert.equal(await page.locator('#snippet').isVisible(), false);
    assert.equal(await copied('curl'), `curl -i '${origin}/v1/items?key=a%3Bb&key=o'\\''k'`);
    assert.match(await copied('client'), /await kv\.getMany\(\["a;b", "o'k"\]\)/);
    await page.getByRole('tab', { name: 'Direct invocation' }).click();
    await page.getByRole('button', { name: 'One key' }).click();
    assert.equal(await page.getByRole('button', { name: 'client', exact: true }).isVisible(), false);
    assert.match(await copied('curl'), /^curl -i -X POST '.*\/2015-03-31\/functions\/voxkv\/invocations' -d '\{\n/);
  },

  'invokes the function': async (page) => {
    await page.getByRole('tab', { name: 'Direct invocation' }).click();
    for (const [ready, summary, body] of [
      ['One key', /^The function answered/, /"value":"ringing"/],
      ['Several keys', /^The function answered/, /"order:1002"/],
      ['List items', /^The function answered/, /"next_offset"/],
      ['List keys', /^The function answered/, /\{"key":"order:1001","expires_at"/],
      ['Set', /^InvalidRequest: .*ALLOW_WRITES=true/, /errorType/],
      ['Delete an item', /^InvalidRequest: Writes are off/, /errorType/],
    ]) {
      await page.getByRole('button', { name: ready, exact: true }).click();
      await page.getByRole('button', { name: 'Invoke', exact: true }).click();
      await says(page, 'summary', summary);
      assert.match(await page.locator('#body').textContent(), body, ready);
    }
    await page.getByLabel('Payload').fill('no JSON');
    await page.getByRole('button', { name: 'Invoke', exact: true }).click();
    await says(page, 'summary', /^InvalidRequestContentException: /);
    assert.equal(await page.locator('#log li', { hasText: 'invoke' }).count(), 7);
    await accessible(page);
  },

  'shows that an answer is old while a request runs': async (page) => {
    await says(page, 'summary', /^200/);
    let release;
    const held = new Promise((resolve) => { release = resolve; });
    await page.route('**/v1/items/order*1003', async (route) => {
      await held;
      await route.continue();
    });
    await page.getByLabel('Key', { exact: true }).fill('order:1003');
    await page.getByRole('button', { name: 'Read', exact: true }).click();
    await says(page, 'summary', /^Reading order:1003/);
    const read = page.locator('#read-button');
    assert.equal(await read.getAttribute('aria-busy'), 'true');
    assert.equal(await page.locator('#answer').getAttribute('aria-busy'), 'true');
    assert.ok(Number(await page.locator('#answer').evaluate((e) => getComputedStyle(e).opacity)) < 0.6);
    release();
    await says(page, 'summary', /^200/);
    assert.equal(await read.getAttribute('aria-busy'), 'false');
    assert.equal(await page.locator('#answer').evaluate((e) => getComputedStyle(e).opacity), '1');
  },

  'finds a key among many': async (page) => {
    await page.evaluate(async () => {
      for (let i = 0; i < 120; i++) await fetch(`/storage/order:many-${i}?ttl=1h`, { method: 'PUT', body: 'v' });
    });
    await page.reload();
    await page.locator('#count').filter({ hasText: /1[34]\d keys/ }).waitFor();
    const height = await page.evaluate(() => document.documentElement.scrollHeight);
    assert.ok(height < 2500, `the page is ${height} px high`);
    assert.match(await page.locator('#keys li', { hasText: 'order:many-7' }).first().locator('span').textContent(), /^([45]\d:\d\d|1:00:00)$/);
    await page.getByLabel('Search the keys').fill('MANY-11');
    await page.locator('#count').filter({ hasText: /^11 of/ }).waitFor();
    assert.equal(await page.locator('#keys li:visible').count(), 11);
    await page.getByRole('button', { name: 'order:many-117', exact: true }).click();
    await says(page, 'summary', /^200/);
    await page.evaluate(async () => {
      for (let i = 0; i < 120; i++) await fetch(`/storage/order:many-${i}`, { method: 'DELETE' });
    });
  },

  'simulates a caller with claims': async (page) => {
    await page.getByText('Who asks').click();
    for (const [claims, status] of [
      ['{"sub":"42"}', /^These claims count/], ['sub', /accepted: claims such as/], ['', /^Nobody with claims asks/],
    ]) {
      await page.getByLabel('Claims').fill(claims);
      await page.getByRole('button', { name: 'Ask with these claims' }).click();
      await says(page, 'became', status);
    }
    await accessible(page);
  },

  'links to the contract': async (page, open) => {
    for (const [name, text] of [['The contract with callers', /Cache-Control/], ['openapi.yaml', /^openapi: 3/]]) {
      const link = await page.getByRole('link', { name }).evaluate((a) => a.href);
      assert.match(await (await open(link)).locator('body').textContent(), text);
    }
  },

  'picks a key and sees the item end': async (page) => {
    await write(page, 'order:short', 'soon over', '15 seconds');
    await page.getByRole('button', { name: 'order:short', exact: true }).click();
    await page.locator('#value').filter({ hasText: 'soon over' }).waitFor();
    const first = await page.locator('#ends').textContent();
    assert.match(first, /^00:\d\d$/);
    await page.waitForFunction((first) => document.getElementById('ends').textContent !== first, first);
    await says(page, 'summary', /^order:short has ended/);
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
    assert.match(await page.locator('#copies').textContent(), /there is no order:new may go on to say so until \d\d:\d\d:\d\d \(NOT_FOUND_MAX_AGE\)/);
    await page.getByRole('button', { name: 'Read it' }).click();
    await page.locator('#value').filter({ hasText: '<b>"new"</b>' }).waitFor();
    await write(page, 'order:new', 'newer', '1 hour');
    const copies = await page.locator('#copies li').allTextContents();
    assert.equal(copies.length, 3);
    for (const text of [/^The function .* \(LOCAL_MAX_AGE\)/, /^This browser may use its copy until \d\d:\d\d:\d\d/, /^Other .* \(CACHE_MAX_AGE\)/]) {
      assert.ok(copies.some((one) => text.test(one)), `${copies}; want ${text}`);
    }
    await page.getByRole('button', { name: 'Delete', exact: true }).click();
    await says(page, 'written', /^order:new is deleted/);
    assert.equal(await page.locator('#copies li').count(), 3);
    await page.getByRole('button', { name: 'order:new', exact: true }).waitFor({ state: 'detached' });
    await page.getByLabel('Key to change').fill('no key');
    await page.getByRole('button', { name: 'Write' }).click();
    await says(page, 'written', /the key has a character outside/);
    assert.equal(await page.getByRole('button', { name: 'Read it' }).isVisible(), false);
  },

  'makes Voximplant fail': async (page) => {
    await write(page, 'order:failing', 'well again', '1 hour');
    await page.getByLabel('The storage', { exact: true }).selectOption({ label: 'answers with a web page' });
    await says(page, 'failing', /answers with a web page from now on/);
    await read(page, 'order:failing');
    await says(page, 'summary', /^502 upstream_failure\. Voximplant failed, and nobody had a copy to use/);
    assert.deepEqual(await states(page), ['asked', 'asked', 'failed']);
    assert.equal(await page.locator('#fresh').textContent(), 'no time');
    await page.getByLabel('The storage', { exact: true }).selectOption({ label: 'says that we ask too often (340)' });
    await says(page, 'failing', /too often/);
    await read(page, 'order:failing');
    await says(page, 'summary', /^503 upstream_busy\. .* Ask again in \d+ s\.$/);
    await shoot(page, 'failing');
    await page.getByLabel('The storage', { exact: true }).selectOption({ label: 'answers' });
    await says(page, 'failing', /^The storage answers from now on/);
    await read(page, 'order:failing');
    await says(page, 'summary', /^200/);
  },

  'shows the latest read alone': async (page) => {
    await says(page, 'summary', /^200/);
    await page.getByLabel('The storage', { exact: true }).selectOption({ label: 'never answers' });
    await says(page, 'failing', /never answers/);
    await page.getByRole('button', { name: 'a;b' }).click();
    await says(page, 'summary', /^Reading a;b/);
    await read(page, 'secret:token');
    await says(page, 'summary', /ALLOWED_KEYS does not allow/);
    await page.getByLabel('The storage', { exact: true }).selectOption({ label: 'answers' });
    await says(page, 'failing', /^The storage answers from now on/);
    const requests = await page.locator('#log code').allTextContents();
    assert.deepEqual(requests, ['storage answers', 'GET secret:token', 'storage never answers', 'GET order:1001']);
  },

  'says when nobody answers': async (page) => {
    await page.route('**/v1/items/**', (route) => route.abort());
    await read(page, 'order:1003');
    await says(page, 'summary', /^No answer: .* Is cmd\/local still running\?$/);
    assert.equal(await page.locator('#answer').isVisible(), false);
  },

  'works by keyboard alone': async (page) => {
    const press = async (...keys) => { for (const key of keys) await page.keyboard.press(key); };
    const focused = () => page.evaluate(() => document.activeElement.id || document.activeElement.value || document.activeElement.textContent);
    await says(page, 'summary', /^200/);
    await press('Tab', 'Tab', 'Tab', 'ArrowRight');
    assert.equal(await focused(), 'tab-direct');
    await press('ArrowLeft', 'Tab');
    assert.equal(await focused(), 'key');
    await press('Control+A');
    await page.keyboard.type('ключЁё');
    await press('Enter');
    await says(page, 'summary', /^200/);
    await press('Tab', 'Tab', 'ArrowDown');
    assert.equal(await page.getByLabel('own copy').inputValue(), 'no-cache');
    await press('Tab');
    assert.equal(await focused(), 'read-button');
    assert.notEqual(await page.evaluate(() => getComputedStyle(document.activeElement).outlineStyle), 'none');
    while (await focused() !== 'search') await press('Tab');
    await page.keyboard.type('a+');
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
    await press('Tab', 'Tab');
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
      await says(page, 'summary', /^200/);
      await fits(page);
      await accessible(page);
      await shoot(page, `${width}-${colorScheme}-opened`);
      await read(page, 'я'.repeat(200));
      await write(page, 'order:' + 'long'.repeat(40), 'long'.repeat(400), '30 days');
      await cache(page, 'Ask the function');
      await read(page, 'order:' + 'long'.repeat(40));
      await says(page, 'summary', /^200/);
      await fits(page);
      await page.getByRole('button', { name: 'Delete', exact: true }).click();
      await says(page, 'written', /is deleted/);
      await read(page, 'order:1003');
      await says(page, 'summary', /^200/);
      await fits(page);
      await page.getByText('The whole answer').click();
      await page.getByRole('button', { name: 'client', exact: true }).click();
      await says(page, 'copied', /^Copied/);
      await accessible(page);
      await fits(page);
      await shoot(page, `${width}-${colorScheme}`);
      await page.getByRole('tab', { name: 'Direct invocation' }).click();
      await page.getByRole('button', { name: 'List items' }).click();
      await page.getByRole('button', { name: 'Invoke', exact: true }).click();
      await says(page, 'summary', /^The function answered/);
      await fits(page);
      await accessible(page);
      await shoot(page, `${width}-${colorScheme}-direct`);
    }, { options: { viewport, colorScheme } });
  }
}

const withoutStorage = async (page) => {
  await says(page, 'summary', /^200\. Voximplant answered/); // the first key that is listed
  assert.equal(await page.locator('#asked').textContent(), 'order:1');
  assert.equal(await page.locator('#value').textContent(), 'for real');
  for (const label of ['The storage', 'New value']) assert.equal(await page.getByLabel(label, { exact: true }).count(), 0);
  await read(page, 'order:1');
  await says(page, 'summary', /^200\. The browser answered/);
  await fits(page);
  await accessible(page);
  await read(page, 'order:endless');
  await says(page, 'summary', /^200\. Voximplant answered/);
  assert.equal(await page.locator('#ends').textContent(), '–');
};

const withoutCopies = async (page) => {
  await says(page, 'summary', /^200\. Voximplant answered/);
  await page.getByLabel('The storage', { exact: true }).selectOption({ label: 'fails (HTTP 503)' });
  await says(page, 'failing', /fails/);
  await read(page, 'order:1001');
  await says(page, 'summary', /^200\. The browser answered from its own copy/);
  await cache(page, 'Do not use it');
  await read(page, 'order:1001');
  await says(page, 'summary', /^200\. Voximplant failed\. The function answered from an older copy/);
  assert.deepEqual(await states(page), ['asked', 'answered', 'failed']);
};

try {
  const complaints = {};
  for (const [name, use] of Object.entries(visits)) if (name.includes(only)) complaints[name] = await visit(plan.embedded, use);
  complaints['sees an old copy stand in'] = await visit(plan.forgetful, withoutCopies);
  complaints['reads from the real API'] = await visit(plan.real, withoutStorage);
  console.log(JSON.stringify(complaints));
} finally {
  await browser.close();
}

// visit opens the page in a browser without history, and returns what was wrong.
async function visit(url, use) {
  const wrong = [];
  const context = await browser.newContext({ viewport: wide, permissions: ['clipboard-read', 'clipboard-write'], ...use.options });
  const open = async (address, onRequest = () => {}) => {
    const page = await context.newPage();
    page.setDefaultTimeout(patience);
    page.on('request', (request) => {
      onRequest(request);
      if (new URL(request.url()).origin !== url && !request.url().startsWith('data:')) wrong.push(`a request to ${request.url()}`);
    });
    page.on('console', (message) => {
      // Chromium reports every answer that is no success, and that another user has emptied the cache.
      const expected = message.text().startsWith('Clear-Site-Data header') && message.text().includes('Cleared data types')
        || message.text().startsWith('Failed to load resource') && /\/v1\/|\/storage\/|\/invocations|\/claims/.test(message.location().url);
      if (message.type() !== 'debug' && !expected) wrong.push(`on the console: ${message.text()}`);
    });
    page.on('pageerror', (error) => wrong.push(`an error: ${error.message}`));
    await page.goto(address);
    return page;
  };
  let page;
  try {
    page = await open(url);
    await use(page, open, url);
  } catch (error) {
    wrong.push(error.stack);
    if (page) await shoot(page, 'broken').catch(() => {});
  }
  await context.close();
  return wrong;
}

async function read(page, key) {
  await page.getByLabel('Key', { exact: true }).fill(key);
  await page.getByRole('button', { name: 'Read', exact: true }).click();
  await page.waitForFunction(() => !/^Reading/.test(document.getElementById('summary').textContent));
}

async function write(page, key, value, ttl) {
  await page.getByLabel('Key to change').fill(key);
  await page.getByLabel('New value').fill(value);
  await page.getByLabel('Time to live').selectOption({ label: ttl });
  await page.getByRole('button', { name: 'Write' }).click();
  await says(page, 'written', /is written\.$/);
}

async function cache(page, label) {
  const own = page.getByLabel('own copy');
  await own.selectOption(await own.locator('option', { hasText: label }).getAttribute('value'));
}

// says waits for a status that people are told of.
async function says(page, id, text) {
  const status = page.locator(`#${id}[role=status]`);
  try {
    await status.filter({ hasText: text }).waitFor();
  } catch {
    assert.match(await status.textContent(), text);
  }
}

// address is what the address bar has now; page.url() may lag behind.
async function address(page) {
  return page.evaluate(() => location.href);
}

async function states(page) {
  return page.locator('#hops li').evaluateAll((hops) => hops.map((hop) => hop.className));
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
