// Opens page.html in Chromium and reads items from it, as the plan in the arguments says. Prints what the page saw.
import { chromium } from 'playwright-core';

const plan = JSON.parse(process.argv[2]);
const browser = await chromium.launch({
  executablePath: plan.chromium,
  args: [
    '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run',
    '--disable-background-networking', '--disable-component-update', '--disable-sync',
  ],
});
try {
  const page = await browser.newPage();
  await page.goto(plan.page);
  await page.waitForFunction(() => window.getItem);
  const seen = await page.evaluate(readAll, plan.functions[0]);
  seen.last = await Promise.all(plan.functions.map((url) => page.evaluate(keep, [url, plan.ends])));
  console.log(JSON.stringify(seen));
} finally {
  await browser.close();
}

// The functions below run in the page.

async function readAll(url) {
  const aborted = new AbortController();
  const abort = getItem(url, 'order:1001', { signal: aborted.signal }).catch((error) => error.name);
  aborted.abort();
  const items = [];
  for (let i = 0; i < 5; i++) items.push(await getItem(url, 'ключЁё'));
  const error = await getItem(url, 'fails:busy').catch((error) => error);
  return {
    values: items.map((item) => item.value),
    absentIsNull: (await getItem(url, 'order:absent')) === null,
    abortIsAbort: (await abort) === 'AbortError',
    code: error.code,
    retryAfter: error.retryAfter,
  };
}

// keep reads the item again and again until it is gone, keeps all that it was given, and returns when one of them was
// last held to be usable.
async function keep([url, key]) {
  let last = 0;
  const kept = [];
  for (let item; item !== null; ) {
    item = await getItem(url, key);
    if (item) kept.push(item);
    if (kept.some((item) => !item.expired)) last = Date.now();
    await new Promise((resolve) => setTimeout(resolve, 150));
  }
  // What was kept must be over too. If it is not, that is seen for long after the end.
  for (const stop = performance.now() + 4000; performance.now() < stop; ) {
    if (kept.some((item) => !item.expired)) last = Date.now();
    await new Promise((resolve) => setTimeout(resolve, 150));
  }
  return last;
}
