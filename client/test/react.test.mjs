import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createElement } from 'react';
import { renderToString } from 'react-dom/server';
import { createClient } from 'voxkv-client';
import { useItem } from 'voxkv-client/react';

// What a page does with it is tested in browsers.
const kv = createClient({ url: 'https://kv.example.com', fetch: () => assert.fail('a server asks nothing') });

function Show({ id }) {
  return JSON.stringify(useItem(kv, id));
}

const show = (id) => JSON.parse(renderToString(createElement(Show, { id })).replaceAll('&quot;', '"'));

test('a server renders that it is loading, and asks nothing', () => {
  assert.deepEqual(show('order:1001'), { item: null, loading: true });
});

test('without a key there is nothing to load', () => {
  assert.deepEqual(show(null), { item: null, loading: false });
  assert.deepEqual(show(undefined), { item: null, loading: false });
  assert.deepEqual(show(''), { item: null, loading: false });
});
