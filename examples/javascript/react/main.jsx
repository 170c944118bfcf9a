// For a page made with `npm create vite@latest -- --template react` and the package that `npm pack` in client/ leaves, which
// no registry has: `npm install ../voxkv/client/voxkv-client-1.0.0.tgz`.
import { StrictMode, useState } from 'react';
import { createRoot } from 'react-dom/client';
import { createClient } from 'voxkv-client';
import { useItem } from 'voxkv-client/react';

const query = new URLSearchParams(location.search);
const kv = createClient({ url: query.get('url') ?? 'http://localhost:8080' }); // once, outside of components

function Status({ order }) {
  const { item, error, loading } = useItem(kv, order && `order:${order}`);
  return (
    <>
      <output id="status">{loading ? '…' : item ? item.value : 'no such order'}</output>
      {error && <p role="alert">Not up to date: {error.message}</p>}
    </>
  );
}

function App() {
  const [order, setOrder] = useState(query.get('order') ?? '1001');
  return (
    <>
      <label>Order <input value={order} onChange={(event) => setOrder(event.target.value)} /></label>
      <Status order={order} />
    </>
  );
}

createRoot(document.getElementById('root')).render(<StrictMode><App /></StrictMode>);
