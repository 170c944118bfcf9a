import { useMemo, useSyncExternalStore } from 'react';
import type { Client, Item, ItemError } from './index.js';

export interface ItemState {
  /** The item; null if there is none, and as long as nobody knows. */
  readonly item: Item | null;

  /** Why the last request got no answer. item is then what was known before, as long as it has not ended. */
  readonly error: ItemError | undefined;

  /** Whether there was neither an answer nor a failure yet. */
  readonly loading: boolean;
}

const loading: ItemState = { item: null, error: undefined, loading: true };
const idle: ItemState = { ...loading, loading: false };

/** Keeps the item under key live for as long as the component is shown. Without a key, also an empty one, nothing is asked for. */
export function useItem(client: Client, key: string | null | undefined): ItemState {
  const store = useMemo(() => storeOf(client, key), [client, key]);
  return useSyncExternalStore(store.subscribe, store.state, () => store.initial);
}

function storeOf(client: Client, key: string | null | undefined) {
  const initial = key ? loading : idle;
  let state = initial;
  return {
    initial,
    state: () => state,
    subscribe(changed: () => void) {
      if (!key) return () => {};
      const set = (next: Partial<ItemState>) => {
        state = { ...state, ...next, loading: false };
        changed();
      };
      const stop = client.watch(key, (item) => set({ item }), {
        onError: (error) => set({ error }),
        onAnswer: () => (state.error || state.loading) && set({ error: undefined }),
      });
      return () => {
        stop();
        state = initial; // an item that nobody watches might end unseen
      };
    },
  };
}
