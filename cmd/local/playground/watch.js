// Keeps a key live: asks again when the answer may have changed.

const second = 1000;
const longest = 60 * second;

// pauseAfter is for how many milliseconds an answer needs no other one. failures counts those in a row.
export function pauseAfter(answer, failures, notFoundMaxAge) {
  if (failures > 0) return Math.max(Number(answer?.response.headers.get('Retry-After') ?? 0) * second, Math.min(2 ** failures * second, longest));
  const absent = answer.response.status === 404 || answer.parsed === null;
  const pause = absent ? notFoundMaxAge : answer.fresh === null ? 0 : answer.fresh - answer.now();
  return Math.max(pause, second);
}

// watch calls ask, which returns an answer or null, until it is stopped. Nobody looks at a hidden page, and without a
// network there is nothing to ask: both end the pause when they are over.
export function watch(ask, notFoundMaxAge, planned) {
  let [timer, failures, stopped, asking] = [0, 0, false, false];
  const now = async () => {
    clearTimeout(timer);
    if (stopped || asking || document.hidden || !navigator.onLine) return;
    asking = true;
    planned(null);
    const answer = await ask();
    asking = false;
    if (stopped) return;
    failures = !answer || answer.response.status >= 429 ? failures + 1 : 0;
    const pause = pauseAfter(answer, failures, notFoundMaxAge);
    planned(Date.now() + pause);
    timer = setTimeout(now, pause);
  };
  document.addEventListener('visibilitychange', now);
  addEventListener('online', now);
  now();
  return () => {
    stopped = true;
    clearTimeout(timer);
    document.removeEventListener('visibilitychange', now);
    removeEventListener('online', now);
  };
}
