// Runs the worker argv[2] as Cloudflare does, as one of today and as one from before workers knew the browser's cache, and
// prints what it answers.
import { build } from 'vite';
import { Miniflare } from 'miniflare';

const { output } = await build({
  configFile: false, logLevel: 'warn',
  build: { write: false, minify: false, ssr: process.argv[2], rollupOptions: { external: [] } },
  ssr: { noExternal: true, target: 'webworker' },
}).then((result) => [result].flat()[0]);
const seen = [];
for (const compatibilityDate of ['2025-10-01', '2024-12-01', '2023-01-01']) {
  const worker = new Miniflare({
    modules: true, script: output[0].code, compatibilityDate, bindings: { VOXKV_URL: process.env.VOXKV_URL },
  });
  try {
    for (const path of ['/order:worker', '/order:absent', '/no%20key']) {
      const response = await worker.dispatchFetch(`http://worker${path}`);
      seen.push({ compatibilityDate, path, status: response.status, body: await response.text() });
    }
  } finally {
    await worker.dispose();
  }
}
console.log(JSON.stringify(seen));
