// @ts-check
/** Begins the run that a link describes, once the page is there. The server reads the link, not this page. */

/** Resolves when the first document has come. @param {Page} page @returns {Promise<void>} */
export function whenReady({ store }) {
  return new Promise((resolve) => {
    if (store.newest !== null) return resolve();
    store.subscribe(() => store.newest !== null && resolve());
  });
}

/** @param {Page} page @param {string} link the query @returns {Promise<boolean>} whether it was a link */
export async function openLink(page, link) {
  await whenReady(page);
  const answer = await page.connection.open(link);
  if (!answer.ok) page.say(answer.error?.says ?? "The server did not open this link.", "bad");
  return answer.ok;
}

/** The link in the page's own address, if there is one. @param {Page} page */
export async function openAddress(page) {
  const link = location.search.slice(1);
  if (!/(^|&)(v|system|seed|set|do|end)=/.test(link)) return;
  // A wrong link stays where it can be put right; a run is not begun again when the page is loaded again.
  if (await openLink(page, link)) history.replaceState(null, "", location.pathname + location.hash);
}
