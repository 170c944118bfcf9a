/** Tells the milliseconds since it was started. */
export type Stopwatch = () => number;

/**
 * Two clocks, and the one that went further counts: performance.now() may stand still while a computer sleeps, and
 * Date.now() goes back when somebody sets it. Only differences are used, so that a wrong clock does no harm.
 */
export function stopwatch(): Stopwatch {
  const [steady, wall] = [performance.now(), Date.now()];
  return () => Math.max(performance.now() - steady, Date.now() - wall);
}

/** What the server's clock shows, in Unix milliseconds, as far as answers tell. */
export interface ServerClock {
  /** The latest that it may show now. */
  latest(): number;

  /** An answer tells that it was at least the one time when it came, and at most the other. */
  learn(least: number, most: number): void;
}

/**
 * Each answer gives a bound for the clock, and the least of them is good for all. So one answer that certainly did not come
 * from the browser's cache tells how old all others are.
 */
export function serverClock(): ServerClock {
  let bound = Infinity;
  let since = stopwatch();
  // A page's clock may go too slowly, by a ten-thousandth at most. What is remembered for hours must not become wrong by that.
  const latest = () => bound + since() * 1.0001;
  return {
    latest,
    learn(least, most) {
      const known = latest();
      if (isNaN(least)) return;
      // An answer from beyond the bound: a clock was set or stood still. What is new is right.
      bound = least > known ? most : Math.min(most, known);
      since = stopwatch();
    },
  };
}
