// An edge worker, such as Cloudflare's, that makes a page of an item: GET /order:1001
import { createClient, ItemError } from 'voxkv-client';

export default {
  async fetch(request, { VOXKV_URL }) {
    const key = decodeURIComponent(new URL(request.url).pathname.slice(1)) || 'order:1001';
    const headers = { 'Content-Type': 'text/plain; charset=utf-8', 'Cache-Control': 'no-store' };
    try {
      const item = await createClient({ url: VOXKV_URL }).get(key, { signal: request.signal });
      return new Response(item ? item.value : 'no item', { status: item ? 200 : 404, headers });
    } catch (error) {
      if (!(error instanceof ItemError)) throw error;
      return new Response(error.message, { status: error.code === 'invalid_key' ? 400 : 502, headers });
    }
  },
};
