// Runs a scenario among stand-ins for VoxEngine's globals: node voxengine.mjs SCENARIO CUSTOM-DATA EVENT...
// The call that the scenario makes goes through the events. What is stored is printed, a line of JSON each.
import assert from 'node:assert';
import { readFileSync } from 'node:fs';
import vm from 'node:vm';

const [scenario, customData, ...events] = process.argv.slice(2);
const listeners = {};
let modules = [];
let terminated = false;
let slow = 3;

const call = {
  addEventListener(event, listener) {
    assert(Object.values(globals.CallEvents).includes(event), `no event of a call: ${event}`);
    (listeners[event] ??= []).push(listener);
  },
};

const globals = {
  Modules: { ApplicationStorage: 'applicationstorage' },
  require: (name) => modules.push(name),
  AppEvents: { Started: 'Application.Started' },
  CallEvents: { Connected: 'Call.Connected', Disconnected: 'Call.Disconnected', Failed: 'Call.Failed' },
  Logger: { write: (text) => console.error(text) },
  // The storage is there only for those who asked for it. Its limits are the documented ones.
  get ApplicationStorage() {
    assert(modules.includes('applicationstorage'), 'ApplicationStorage is not required');
    return {
      async put(key, value, ttl) {
        assert.match(key, /^[a-zA-Z0-9а-яА-ЯёЁ_\-:;.#+]{1,200}$/);
        assert(typeof value === 'string' && value.length <= 2000, 'a value is text of up to 2,000 characters');
        assert(Number.isInteger(ttl) && ttl >= 0 && ttl <= 7776000, 'a ttl is up to 90 days');
        // The first one takes longest.
        for (let turns = slow--; turns > 0; turns--) await new Promise((resolve) => setImmediate(resolve));
        if (process.env.STORAGE_FAILS) throw new Error('the storage is away');
        assert(!terminated, 'the session has ended');
        console.log(JSON.stringify({ key, value, ttl }));
        return { key, value, expireAt: Math.floor(Date.now() / 1000) + ttl };
      },
    };
  },
  VoxEngine: {
    customData: () => customData,
    addEventListener: (event, listener) => (listeners[event] ??= []).push(listener),
    callPSTN(to, from) {
      assert.match(to, /^\+\d+$/);
      assert.match(from, /^\+\d+$/);
      return call;
    },
    terminate: () => { terminated = true; },
  },
};

const emit = (event) => {
  assert(listeners[event]?.length, `nobody listens to ${event}`);
  for (const listener of listeners[event]) listener({ name: event });
};

vm.runInNewContext(readFileSync(scenario, 'utf8'), globals, { filename: scenario });
emit(globals.AppEvents.Started);
for (const event of events) emit(globals.CallEvents[event]);
process.on('exit', () => assert(terminated, 'the session does not end'));
