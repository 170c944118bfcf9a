// Opens the page argv[4] in the browser argv[3], which is a "chrome" or a
// "firefox" by argv[2], and says "ready". Then fetches from it as the plan on
// standard input says, and prints what the page saw as JSON.
import { text } from "node:stream/consumers";
import puppeteer from "puppeteer-core";

const chrome = [
  "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
  "--disable-background-networking", "--disable-component-update", "--disable-sync",
];
const [, , name, executablePath, address] = process.argv;
const browser = await puppeteer.launch({
  browser: name, executablePath, args: name === "chrome" ? chrome : [], timeout: 120_000,
});
try {
  const page = await browser.newPage();
  page.setDefaultNavigationTimeout(0); // whoever started this script ends it
  await page.goto(address);
  console.log("ready");
  const plan = JSON.parse(await text(process.stdin));
  const [reads, confirmed, flag, polls, status] = await Promise.all([
    page.evaluate(readAll, plan.reads),
    page.evaluate(fetchRepeatedly, plan.confirmed),
    page.evaluate(fetchRepeatedly, plan.flag),
    page.evaluate(pollAll, plan.polls),
    page.evaluate(pollAll, plan.status),
  ]);
  // The storage behind these fails by now.
  const failures = await page.evaluate(readAll, plan.failures);
  console.log(JSON.stringify({ reads, confirmed, flag, polls, status, failures }));
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

// fetchRepeatedly returns the statuses of fetches that outlast a max-age of 4 s at least twice.
async function fetchRepeatedly(url) {
  const statuses = [];
  for (let i = 0; i < 30; i++) {
    statuses.push((await fetch(url)).status);
    await new Promise((resolve) => setTimeout(resolve, 300));
  }
  return statuses;
}

// pollAll returns for each URL when the first answer other than 5xx was there,
// when the last fetch started that was given the item, the longest that such a
// fetch took, all in milliseconds, how many answers came from a store, and when
// the last fetch started that was given each value.
function pollAll(polls) {
  const tick = 200;
  const pause = (ms) => new Promise((resolve) => setTimeout(resolve, Math.max(0, ms)));
  const poll = async ({ url, begin, until }) => {
    await pause(begin);
    const seen = { url, first: 0, last: 0, slowest: 0, answers: 0, reused: 0, values: {} };
    const ids = new Set();
    // The last fetch is after the end, however slow the machine is.
    for (let start = 0; start < until; ) {
      start = Date.now();
      const res = await fetch(url).catch(() => null);
      if (res?.ok) {
        const { value } = await res.json();
        const id = res.headers.get("X-Request-Id");
        seen.reused += ids.has(id) ? 1 : 0;
        seen.answers++;
        seen.last = seen.values[value] = start;
        seen.slowest = Math.max(seen.slowest, Date.now() - start);
        ids.add(id);
      }
      // A busy machine may use up the time that the function gives the storage.
      seen.first ||= res?.status < 500 ? Date.now() : 0;
      await pause(start + tick - Date.now());
    }
    return seen;
  };
  return Promise.all(polls.map(poll));
}
