/** What went wrong, to switch on. Later versions of voxkv may have more codes. */
export type ItemErrorCode =
  // From this package: there is no answer, or none that counts.
  | 'network' | 'timeout' | 'token' | 'invalid_response'
  // From voxkv.
  | 'invalid_key' | 'invalid_request' | 'too_many_keys' | 'no_route' | 'method_not_allowed' | 'internal_error'
  | 'upstream_failure' | 'upstream_busy' | 'upstream_unavailable' | 'upstream_timeout'
  | (string & {});

/** There is neither an item nor its absence. */
export class ItemError extends Error {
  /** Of the answer; 0 if there is none. A key that failed among several has the 200 of the whole answer. */
  declare readonly status: number;

  /** Undefined if something in front of voxkv answered, such as a gateway. */
  declare readonly code: ItemErrorCode | undefined;

  /** The milliseconds to wait before asking again, if the answer names them. */
  declare readonly retryAfter: number | undefined;

  /** By which the operator finds the request in the log. */
  declare readonly requestId: string | undefined;

  constructor(message: string, status: number, code?: ItemErrorCode, rest?: { retryAfter?: number | undefined; requestId?: string | undefined; cause?: unknown }) {
    super(message);
    Object.assign(this, { name: 'ItemError', status, code }, rest);
  }
}
