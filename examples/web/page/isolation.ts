/** Isolates the page from other origins where its host does not: see isolate.js. */

const TRIED = 'isotorch-isolation-tried';

/** Registers the service worker, or takes away what an earlier page of this address left. */
export async function isolate(wanted: boolean): Promise<void> {
  if (!('serviceWorker' in navigator)) return;
  const { serviceWorker } = navigator;
  if (!wanted) {
    const registrations = await serviceWorker.getRegistrations();
    const ours = registrations.filter(({ active }) => active?.scriptURL.endsWith('/isolate.js'));
    await Promise.all(ours.map((registration) => registration.unregister()));
    return;
  }
  // Once only: a page that cannot be isolated works all the same.
  if (globalThis.crossOriginIsolated || sessionStorage.getItem(TRIED)) return;
  sessionStorage.setItem(TRIED, 'yes');
  await serviceWorker.register('./isolate.js');
  await serviceWorker.ready;
  location.reload();
}
