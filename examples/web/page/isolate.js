// A service worker for hosts that cannot set headers: it adds the two that isolate a page from
// other origins (SharedArrayBuffer, precise clocks) to every answer. The page registers it, then
// loads itself once more. To take it away, unregister it: DevTools, Application, Service workers.
addEventListener('install', () => skipWaiting());
addEventListener('activate', (event) => event.waitUntil(clients.claim()));

addEventListener('fetch', (event) => {
  const { cache, mode, url } = event.request;
  // Chromium's DevTools ask in this way, and fetch() refuses it.
  if (cache === 'only-if-cached' && mode !== 'same-origin') return;
  if (new URL(url).origin === location.origin) event.respondWith(isolated(event.request));
});

async function isolated(request) {
  const answer = await fetch(request);
  const { body, headers, status, statusText } = answer;
  // Redirects, which the page follows itself, and failures: nothing can be added to them.
  if (status === 0) return answer;
  const more = new Headers(headers);
  more.set('cross-origin-opener-policy', 'same-origin');
  more.set('cross-origin-embedder-policy', 'require-corp');
  return new Response(body, { status, statusText, headers: more });
}
