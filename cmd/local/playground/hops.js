// The hops of a request: the browser’s cache, the function and Voximplant; which were asked, and which answered.

// hopsOf tells what became of a request at the browser's cache, the function and Voximplant, and sums it up.
export function hopsOf(logged) {
  if (!logged) {
    return { by: 'browser’s copy', sum: 'The browser answered from its own copy.', hops: [['answered', 'had a fresh copy'], ['', 'not asked'], ['', 'not asked']] };
  }
  const behind = hopsBehindCache(logged);
  if (logged.status !== 304) return { ...behind, hops: [['asked', 'had no copy to use'], ...behind.hops] };
  return {
    by: `304, ${behind.by}`, sum: 'The browser answered from its own copy, after the function said that it still holds (304).',
    hops: [['answered', 'had a copy'], ['asked', 'said “unchanged” (304)'], behind.hops[1]],
  };
}

function hopsBehindCache({ cache, upstream_ms }) {
  const took = `${upstream_ms.toFixed(1)} ms`;
  switch (cache) {
    case 'hit':
      return { by: 'function’s copy', sum: 'The function answered from its own copy.', hops: [['answered', 'had a copy'], ['', 'not asked']] };
    case 'miss':
      return { by: 'Voximplant', sum: 'Voximplant answered.', hops: [['asked', 'had no copy to use'], ['answered', `answered, ${took}`]] };
    case 'stale':
      return { by: 'function’s old copy', sum: 'Voximplant failed. The function answered from an older copy, whose item has not ended.', hops: [['answered', 'had an older copy'], ['failed', `failed, ${took}`]] };
    case 'none':
      return { by: 'Voximplant failed', sum: 'Voximplant failed, and nobody had a copy to use.', hops: [['asked', 'had no copy to use'], ['failed', `failed, ${took}`]] };
    case 'scope':
      return { by: 'function: key not allowed', sum: 'ALLOWED_KEYS does not allow this key: for callers it does not exist.', hops: [['answered', 'key is not allowed'], ['', 'not asked']] };
  }
  return { by: 'function', sum: 'The function answered.', hops: [['answered', 'answered'], ['', 'not asked']] };
}
