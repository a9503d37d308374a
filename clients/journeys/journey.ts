// The life of an order in all four services: the client for TypeScript.
import { seller_id } from "./kit.js";
import * as disputes from "./disputes.js";
import * as returns from "./returns.js";
import * as reviews from "./reviews.js";
import * as standing from "./standing.js";

await reviews.ordered();
const both = await reviews.reviewed();
await reviews.moderated(both.value);
await reviews.imported();
await disputes.asked();
const dispute_id = await disputes.opened();
const return_id = await returns.requested();
await returns.sentBack(return_id);
const quality = await reviews.read(both.consistencyToken);
await standing.scored(both.consistencyToken);
await standing.accused();
await standing.told();
await disputes.decided(dispute_id);
await disputes.appealed(dispute_id);
console.log(`${seller_id}: ${quality}`);
