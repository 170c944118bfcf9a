// A VoxEngine scenario that calls a customer and stores how the call goes under order:<number>, so that the order's page
// can show it: ringing, connected, then ended or failed. Each status is kept for an hour.
//
// Start it with StartScenarios and script_custom_data such as {"order":"1001","to":"+15550100","from":"+15550199"}. Allow
// the keys with ALLOWED_KEYS=order:*; the page then reads /v1/items/order:1001.
require(Modules.ApplicationStorage);

const TTL = 3600; // seconds

// What is stored last must be what happened last, so each put waits for the one before.
let stored = Promise.resolve();

function store(order, status) {
  stored = stored
    .then(() => ApplicationStorage.put(`order:${order}`, status, TTL))
    .catch((e) => Logger.write(`the status ${status} is not stored: ${e}`));
  return stored;
}

VoxEngine.addEventListener(AppEvents.Started, () => {
  const { order, to, from } = JSON.parse(VoxEngine.customData());
  const call = VoxEngine.callPSTN(to, from);
  store(order, 'ringing');
  call.addEventListener(CallEvents.Connected, () => store(order, 'connected'));
  call.addEventListener(CallEvents.Disconnected, () => store(order, 'ended').then(VoxEngine.terminate));
  call.addEventListener(CallEvents.Failed, () => store(order, 'failed').then(VoxEngine.terminate));
});
