// What @aws-sdk/client-lambda makes of Invoke, as one JSON object.
import { InvokeCommand, LambdaClient } from '@aws-sdk/client-lambda';

const client = new LambdaClient({ maxAttempts: 1 });
const arn = 'arn:aws:lambda:eu-central-1:123456789012:function:voxkv';
const invoke = (input) => client.send(new InvokeCommand({ FunctionName: 'voxkv', ...input }));
const error = async (input) => invoke(input).then(() => 'none', (e) => `${e.name} ${e.$metadata.httpStatusCode}`);
const text = (answer) => answer.Payload?.transformToString() ?? '';

const tail = await invoke({ Payload: '{"key":"order:missing"}', LogType: 'Tail' });
const log = Buffer.from(tail.LogResult, 'base64').toString();
const event = await invoke({ Payload: '{"key":"order:missing"}', InvocationType: 'Event', LogType: 'Tail' });
const dry = await invoke({ InvocationType: 'DryRun' });
const failed = await invoke({ Payload: '{"key":"a b"}' });

console.log(JSON.stringify({
  sync: `${tail.StatusCode} ${tail.ExecutedVersion} ${text(tail)}`,
  log: log.includes(tail.$metadata.requestId) && log.includes('"route":"direct"'),
  event: `${event.StatusCode} ${event.LogResult ?? ''}${text(event)}`,
  dry: `${dry.StatusCode} ${text(dry)}`,
  alias: text(await invoke({ FunctionName: arn, Qualifier: 'live', Payload: '{"key":"order:missing"}' })),
  failed: `${failed.StatusCode} ${failed.FunctionError} ${JSON.parse(text(failed)).errorType}`,
  nothing: JSON.parse(text(await invoke({}))).errorType,
  absent: await error({ FunctionName: `${arn}:green` }),
  large: await error({ Payload: `"${'x'.repeat(7 << 20)}"` }),
  largeEvent: await error({ Payload: `"${'x'.repeat(1 << 20)}"`, InvocationType: 'Event' }),
  garbage: await error({ Payload: 'key' }),
  mismatch: await error({ FunctionName: `${arn}:live`, Qualifier: 'green' }),
}));
