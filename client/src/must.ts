/** Throws at once where an argument is none that is accepted. */
export function must(accepted: unknown, message: string): asserts accepted {
  if (!accepted) throw new TypeError(message);
}
