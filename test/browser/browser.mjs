// Opens the page argv[3] in the Chromium argv[2] and says "ready". Then fetches
// from it as the plan on standard input says, and prints what the page saw as JSON.
import { text } from "node:stream/consumers";
import { chromium } from "playwright-core";

const browser = await chromium.launch({
  executablePath: process.argv[2],
  args: [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
  ],
});
try {
  const page = await browser.newPage();
  await page.goto(process.argv[3]);
  console.log("ready");
  const plan = JSON.parse(await text(process.stdin));
  const [reads, confirmed, polls] = await Promise.all([
    page.evaluate(readAll, plan.reads),
    page.evaluate(fetchRepeatedly, plan.confirmed),
    page.evaluate(pollAll, plan.polls),
  ]);
  // The storage behind these fails by now.
  const failures = await page.evaluate(readAll, plan.failures);
  console.log(JSON.stringify({ reads, confirmed, polls, failures }));
} finally {
  await browser.close();
}

// The functions below run in the page.

// readAll returns what a script may see of each answer.
function readAll(urls) {
  return Promise.all(urls.map(async (url) => {
    try {
      const res = await fetch(url);
      return { url, status: res.status, headers: Object.fromEntries(res.headers), body: await res.json() };
    } catch (error) {
      return { url, error: String(error) };
    }
  }));
}

// fetchRepeatedly returns the statuses of fetches that outlast max-age several times.
async function fetchRepeatedly(url) {
  const statuses = [];
  for (let i = 0; i < 12; i++) {
    statuses.push((await fetch(url)).status);
    await new Promise((resolve) => setTimeout(resolve, 300));
  }
  return statuses;
}

// pollAll returns for each URL the start of the last fetch that was given the
// item, in milliseconds, and how many answers came from a store.
function pollAll(polls) {
  const tick = 150;
  const pause = (ms) => new Promise((resolve) => setTimeout(resolve, Math.max(0, ms)));
  const poll = async ({ url, begin, until }) => {
    await pause(begin);
    const seen = { url, last: 0, answers: 0, reused: 0 };
    const ids = new Set();
    for (let start; (start = Date.now()) < until; ) {
      const res = await fetch(url).catch(() => null);
      if (res?.ok) {
        await res.text();
        const id = res.headers.get("X-Request-Id");
        seen.reused += ids.has(id) ? 1 : 0;
        seen.answers++;
        seen.last = start;
        ids.add(id);
      }
      await pause(start + tick - Date.now());
    }
    return seen;
  };
  return Promise.all(polls.map(poll));
}
