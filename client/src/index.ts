export { createClient, type ChangesOptions, type Client, type ClientOptions, type GetOptions, type WatchOptions } from './client.js';
export { ItemError, type ItemErrorCode } from './error.js';
export type { Item } from './item.js';
