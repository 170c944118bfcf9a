// A session of VoxEngine, in a thread of its own: a scenario that fails or never ends harms nobody else.
import { readFile } from 'node:fs/promises';
import { parentPort, workerData } from 'node:worker_threads';
import { start } from './voxengine.mjs';

const { scenario, customData, longest } = workerData;
const emit = start(await readFile(scenario, 'utf8'), scenario, {
  customData,
  put: async (key, value, ttl) => parentPort.postMessage({ put: { key, value, ttl: Math.min(ttl, longest) } }),
  log: (text) => parentPort.postMessage({ log: text }),
  terminate: () => process.exit(), // ends the thread only
});
parentPort.on('message', emit);
parentPort.postMessage({ started: true });
