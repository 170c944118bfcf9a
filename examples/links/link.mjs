// Makes links to items for people without a login, for a voxkv behind CloudFront with a link key.
//
//   export VOXKV_URL=https://d111111abcdef8.cloudfront.net LINK_KEY_ID=K2JCJMDEHXQW5F LINK_PRIVATE_KEY=private.pem
//   node link.mjs order:1001 3600   # a link to that item, for an hour
//
// Only the place that makes links has the private key: never a page.
import { readFileSync } from 'node:fs';
import { pathToFileURL } from 'node:url';
import { getSignedUrl } from '@aws-sdk/cloudfront-signer';

const { VOXKV_URL, LINK_KEY_ID, LINK_PRIVATE_KEY } = process.env;

// Returns a link with which anybody reads the item under key, and nothing else, until end, a Date.
export function itemLink(key, end) {
  // A URL's path cannot hold the keys . and .. ; the query can.
  const place = /^\.\.?$/.test(key) ? `?key=${key}` : `/${encodeURIComponent(key)}`;
  return getSignedUrl({
    url: `${VOXKV_URL}/v1/items${place}`,
    dateLessThan: end,
    keyPairId: LINK_KEY_ID,
    privateKey: readFileSync(LINK_PRIVATE_KEY, 'utf8'),
  });
}

if (import.meta.url === pathToFileURL(process.argv[1]).href) {
  const [key, seconds] = process.argv.slice(2);
  console.log(itemLink(key, new Date(Date.now() + seconds * 1000)));
}
