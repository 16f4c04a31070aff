// @ts-check
/**
 * What is fetched when it is wanted, fetched beforehand once the page has come to rest: so that it is
 * there when the network is not. Loading one of these modules does nothing that is seen.
 */
import "./diagram/spotlight.js";
import "./dock/dock.js";
import "./panels/evidence.js";
import "./panels/help.js";
import "./panels/ledger.js";
import "./panels/menus.js";
import "./panels/palette.js";
import "./panels/provenance.js";
import "./panels/snapshot.js";
import "./panels/switches.js";
import "./panels/table.js";
import "./panels/timeline.js";
import "./panels/why.js";

for (const name of ["dock", "share"]) {
  const href = new URL(`../css/${name}.css`, import.meta.url).href;
  document.head.append(Object.assign(document.createElement("link"), { rel: "prefetch", as: "style", href }));
}
