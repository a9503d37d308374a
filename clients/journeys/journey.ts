// An order reviewed by both sides, one piece of it disputed and one sent back, and what everybody
// reads of it: the client for TypeScript.
import { aftersales, type Answer, expect, newKey, Refused, type review } from "aftersales-client";

declare const process: { env: Record<string, string | undefined> };

type Role = "SHOP" | "BUYER" | "SELLER" | "PAGE";
type Order = review.components["schemas"]["OrderBody"];

const PATIENCE_SECONDS = 60;
const told = (name: string): string => {
  const value = process.env[name];
  if (value === undefined) throw new Error(`not set: ${name}`);
  return value;
};
const urls = {
  review: told("AFTERSALES_REVIEW_URL"),
  dispute: told("AFTERSALES_DISPUTE_URL"),
  returns: told("AFTERSALES_RETURNS_URL"),
  reputation: told("AFTERSALES_REPUTATION_URL"),
};
const as = (role: Role) => aftersales({ urls, token: () => told(`TOKEN_${role}`) });
const mark = told("MARK");
const path = { order_id: `O-${mark}` };
const once = () => ({ path, header: { "Idempotency-Key": newKey() } });

function equal(actual: unknown, expected: unknown): void {
  if (actual !== expected) throw new Error(`${String(actual)}, and not ${String(expected)}`);
}

// The order comes to the other services over Kafka.
async function untilKnown<T>(ask: () => Promise<Answer<T>>): Promise<Answer<T>> {
  for (const deadline = Date.now() + PATIENCE_SECONDS * 1000; ; ) {
    try {
      return await ask();
    } catch (failure) {
      if (!(failure instanceof Refused) || Date.now() > deadline) throw failure;
    }
    await new Promise((wake) => setTimeout(wake, 100));
  }
}

const eur = (amount: number) => ({ amount, currency: "EUR" });
const order: Order = {
  ...path,
  seller_id: `S-${mark}`,
  buyer_id: `B-${mark}`,
  marketplace_id: "market",
  country: "DE",
  currency: "EUR",
  placed_at: new Date(Date.now() - 60_000).toISOString(),
  lines: [
    { line_id: "1", sku: "LAMP-4", category: "home", quantity: 1, unit_price: eur(4990) },
    { line_id: "2", sku: "BULB-9", category: "home", quantity: 1, unit_price: eur(990) },
  ],
  shipping: eur(0),
  total: eur(5980),
  total_ref: { amount: 7020, currency: "USD" },
  withdrawal_right: true,
};

// The shop tells of it; told again with the same key, it is the same answer.
const shop = as("SHOP").review;
const header = { "Idempotency-Key": newKey() };
const placed = await expect(shop.POST("/v1/orders", { params: { header }, body: order }));
equal(placed.value.stage, "PLACED");
equal(placed.replayed, false);
equal((await expect(shop.POST("/v1/orders", { params: { header }, body: order }))).replayed, true);
await expect(
  shop.POST("/v1/orders/{order_id}/payment", { params: once(), body: { payment_ref: "P-1" } }),
);
await expect(shop.POST("/v1/orders/{order_id}/shipment", { params: once(), body: {} }));
await expect(
  shop.POST("/v1/orders/{order_id}/delivery", { params: once(), body: { signed: true } }),
);

// The buyer has it, and reviews it; a second time he is told which review there is.
const buyer = as("BUYER").review;
const completed = await expect(
  buyer.POST("/v1/orders/{order_id}/completion", { params: once(), body: {} }),
);
const evaluation = await expect(
  buyer.GET("/v1/orders/{order_id}/evaluation", {
    params: { path, header: { "Consistency-Token": completed.consistencyToken } },
  }),
);
equal(evaluation.value.state, "OPEN");
const stars = {
  quality: 5,
  logistics: 4,
  service: 5,
  incentive: "NONE" as const,
  text: "Bright enough to read by.",
};
const reviews = "/v1/orders/{order_id}/evaluation/reviews";
const written = await expect(buyer.POST(reviews, { params: once(), body: stars }));
equal(written.value.reviews.length, 1);
const other = { ...stars, quality: 1 };
const refused = await expect(buyer.POST(reviews, { params: once(), body: other })).catch(
  (failure: unknown) => failure,
);
if (!(refused instanceof Refused)) throw new Error("a second review was taken");
equal(refused.rule, "already-submitted");
equal(refused.problem.status, 409);
equal(refused.problem["existing_id"], written.value.reviews[0]?.review_id);

// The seller decides on what he has seen, and on nothing newer.
const seller = as("SELLER").review;
const stale = await expect(
  seller.POST(reviews, {
    params: { path, header: { "Idempotency-Key": newKey(), "If-Match": '"99"' } },
    body: { rating: 5 },
  }),
).catch((failure: unknown) => failure);
equal(stale instanceof Refused && stale.rule, "stale-version");
const both = await expect(
  seller.POST(reviews, { params: once(), body: { rating: 5 } }),
);
equal(both.value.state, "REVEALED");

// One piece is broken: the buyer opens a dispute, and finds it in his list.
const { dispute, returns } = as("BUYER");
const opened = await untilKnown(() =>
  expect(
    dispute.POST("/v1/disputes", {
      params: { header: { "Idempotency-Key": newKey() } },
      body: {
        ...path,
        reason: "DAMAGED",
        lines: [{ line_id: "1", quantity: 1 }],
        outcome: "REFUND_FULL",
        text: "It came in pieces.",
      },
    }),
  ),
);
const disputes = await expect(
  dispute.GET("/v1/disputes", {
    params: { header: { "Consistency-Token": opened.consistencyToken } },
  }),
);
equal(disputes.value.items.map((each) => each.dispute_id).join(), opened.value.dispute_id);

// The other piece is not wanted any more: the buyer asks whether he may send it back, and does.
const eligible = await untilKnown(() =>
  expect(returns.GET("/v1/orders/{order_id}/return-eligibility", { params: { path } })),
);
equal(eligible.value.order_id, path.order_id);
const asked = await untilKnown(() =>
  expect(
    returns.POST("/v1/returns", {
      params: { header: { "Idempotency-Key": newKey() } },
      body: {
        ...path,
        kind: "RETURN",
        lines: [{ line_id: "2", quantity: 1 }],
        reason: "CHANGE_OF_MIND",
        wants: "REFUND",
      },
    }),
  ),
);
equal(asked.value.units.map((each) => each.unit).join(), "2/1");
const own = await expect(
  returns.GET("/v1/returns", {
    params: { header: { "Consistency-Token": asked.consistencyToken } },
  }),
);
equal(own.value.items.map((each) => each.return_id).join(), asked.value.return_id);
const ledger = await untilKnown(() =>
  expect(returns.GET("/v1/orders/{order_id}/refunds", { params: { path } })),
);
equal(ledger.value.refunds.length, 0); // nothing is given back before it is there

// Everybody reads it.
const page = as("PAGE");
const ratings = await expect(
  page.review.GET("/v1/sellers/{seller_id}/ratings", {
    params: {
      path: { seller_id: order.seller_id },
      header: { "Consistency-Token": both.consistencyToken },
    },
  }),
);
equal(ratings.value.ratings, 1);
const score = await expect(
  page.reputation.GET("/v1/sellers/{seller_id}/score", {
    params: {
      path: { seller_id: order.seller_id },
      header: { "Consistency-Token": both.consistencyToken },
    },
  }),
);
equal(score.value.seller_id, order.seller_id);
console.log(`${score.value.seller_id}: ${ratings.value.quality} of 5`);
