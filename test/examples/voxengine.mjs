// Runs a scenario among stand-ins for VoxEngine's globals: node voxengine.mjs SCENARIO CUSTOM-DATA EVENT...
// The call that the scenario makes goes through the events. What is stored is printed, a line of JSON each.
import assert from 'node:assert';
import { readFileSync } from 'node:fs';
import { start } from '../../examples/live/voxengine.mjs';

const [scenario, customData, ...events] = process.argv.slice(2);
let terminated = false;
let slow = 3;

const emit = start(readFileSync(scenario, 'utf8'), scenario, {
  customData,
  log: console.error,
  terminate: () => { terminated = true; },
  async put(key, value, ttl) {
    // The first one takes longest.
    for (let turns = slow--; turns > 0; turns--) await new Promise((resolve) => setImmediate(resolve));
    if (process.env.STORAGE_FAILS) throw new Error('the storage is away');
    console.log(JSON.stringify({ key, value, ttl }));
  },
});
for (const event of events) emit(event);
process.on('exit', () => assert(terminated, 'the session does not end'));
