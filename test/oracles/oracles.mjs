// Reads exchanges as JSON and prints what http-cache-semantics makes of each, for a shared and for a private cache.

import { readFileSync } from 'node:fs';
import CachePolicy from 'http-cache-semantics';

const exchanges = JSON.parse(readFileSync(0, 'utf8'));
let clock;

class Policy extends CachePolicy {
  now() {
    return clock;
  }
}

// The policy for an answer. A 304 is no answer to store: it renews the stored one.
function policyOf({ method, request: headers, status, header, stored }, shared) {
  const request = { method, url: '/', headers };
  if (!stored) return new Policy(request, { status, headers: header }, { shared });
  const old = new Policy(request, { status: 200, headers: stored }, { shared });
  const { policy, modified } = old.revalidatedPolicy(request, { status, headers: header });
  if (modified) throw new Error('a 304 does not renew what it is about');
  return policy;
}

// The ways in which the policy lets a stale answer be used.
function stale(policy, request) {
  const failed = policy.revalidatedPolicy(request, { status: 503, headers: {} });
  return Object.entries({
    'still fresh': !policy.stale(),
    'while revalidating': policy.useStaleWhileRevalidate(),
    'on error': failed.policy === policy && !failed.modified,
    'at once': policy.evaluateRequest(request).response !== undefined,
  }).flatMap(([way, allowed]) => (allowed ? [way] : []));
}

function verdict(exchange, shared) {
  clock = Date.parse(exchange.header.date);
  const policy = policyOf(exchange, shared);
  const request = { method: exchange.method, url: '/', headers: exchange.request };
  const reused = policy.evaluateRequest(request).response !== undefined;
  // Besides max-age it counts what stale-if-error and stale-while-revalidate add.
  const lifetime = policy.timeToLive() / 1000;
  clock += lifetime * 1000;
  return {
    storable: policy.storable(),
    lifetime,
    reused,
    stale: stale(policy, request),
  };
}

process.stdout.write(
  JSON.stringify(exchanges.map((e) => ({ shared: verdict(e, true), private: verdict(e, false) }))),
);
