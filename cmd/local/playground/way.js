// Who was asked, and who answered.

// wayOf tells what became of a request at the browser's cache, the function and Voximplant, and sums it up.
export function wayOf(visit) {
  if (!visit) {
    return { by: 'browser’s copy', sum: 'The browser answered from its own copy.', steps: [['answered', 'had a fresh copy'], ['', 'not asked'], ['', 'not asked']] };
  }
  const w = wayIn(visit);
  if (visit.status !== 304) return { ...w, steps: [['asked', 'had no copy to use'], ...w.steps] };
  return {
    by: `304, ${w.by}`, sum: 'The browser answered from its own copy, after the function said that it still holds (304).',
    steps: [['answered', 'had a copy'], ['asked', 'said “unchanged” (304)'], w.steps[1]],
  };
}

function wayIn({ cache, upstream_ms }) {
  const took = `${upstream_ms.toFixed(1)} ms`;
  switch (cache) {
    case 'hit':
      return { by: 'function’s copy', sum: 'The function answered from its own copy.', steps: [['answered', 'had a copy'], ['', 'not asked']] };
    case 'miss':
      return { by: 'Voximplant', sum: 'Voximplant answered.', steps: [['asked', 'had no copy to use'], ['answered', `answered, ${took}`]] };
    case 'stale':
      return { by: 'function’s old copy', sum: 'Voximplant failed. The function answered from an older copy, whose item has not ended.', steps: [['answered', 'had an older copy'], ['failed', `failed, ${took}`]] };
    case 'none':
      return { by: 'Voximplant failed', sum: 'Voximplant failed, and nobody had a copy to use.', steps: [['asked', 'had no copy to use'], ['failed', `failed, ${took}`]] };
    case 'scope':
      return { by: 'function: key not allowed', sum: 'ALLOWED_KEYS does not allow this key: for callers it does not exist.', steps: [['answered', 'key is not allowed'], ['', 'not asked']] };
  }
  return { by: 'function', sum: 'The function answered.', steps: [['answered', 'answered'], ['', 'not asked']] };
}
