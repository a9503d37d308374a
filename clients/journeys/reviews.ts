// An order that both sides review, and what others make of it.
import { type Answer, expect, lines, newKey, type review } from "aftersales-client";

import { about, as, buyer_id, equal, eur, on, path, refused, seller_id, some, told, until } from "./kit.js";

type Order = review.components["schemas"]["OrderBody"];
type Evaluation = review.components["schemas"]["EvaluationView"];

const EVALUATION = "/v1/orders/{order_id}/evaluation";
const REVIEWS = "/v1/orders/{order_id}/evaluation/reviews";
const WHY = { rule_ids: ["R-3"], facts: "It names a street.", explanation: "No addresses here." };
const shop = as("SHOP").review;
const buyer = as("BUYER").review;
const seller = as("SELLER").review;
const order: Order = {
  ...path,
  seller_id,
  buyer_id,
  marketplace_id: "market",
  country: "DE",
  currency: "EUR",
  placed_at: told("PLACED_AT"),
  lines: [
    { line_id: "1", sku: "LAMP-4", category: "home", quantity: 1, unit_price: eur(4990) },
    { line_id: "2", sku: "BULB-9", category: "home", quantity: 1, unit_price: eur(990) },
  ],
  shipping: eur(0),
  total: eur(5980),
  total_ref: { amount: 7020, currency: "USD" },
  withdrawal_right: true,
};

/** The shop tells of it; told again with the same key, it is the same answer. */
export async function ordered(): Promise<void> {
  const header = { "Idempotency-Key": newKey() };
  const placed = await expect(shop.POST("/v1/orders", { params: { header }, body: order }));
  equal(placed.value.stage, "PLACED");
  equal(placed.replayed, false);
  equal((await expect(shop.POST("/v1/orders", { params: { header }, body: order }))).replayed, true);
  const params = () => about(path);
  await expect(
    shop.POST("/v1/orders/{order_id}/payment", { params: params(), body: { payment_ref: "P-1" } }),
  );
  await expect(shop.POST("/v1/orders/{order_id}/shipment", { params: params(), body: {} }));
  await expect(
    shop.POST("/v1/orders/{order_id}/delivery", { params: params(), body: { signed: true } }),
  );
}

/** The buyer has it, and reviews it; a second time he is told which review there is. */
export async function reviewed(): Promise<Answer<Evaluation>> {
  const completed = await expect(
    buyer.POST("/v1/orders/{order_id}/completion", { params: about(path), body: {} }),
  );
  const opened = await expect(
    buyer.GET(EVALUATION, {
      params: { path, header: { "Consistency-Token": completed.consistencyToken } },
    }),
  );
  equal(opened.value.state, "OPEN");
  const stars = {
    quality: 5,
    logistics: 4,
    service: 5,
    incentive: "NONE" as const,
    text: "Bright enough to read by.",
  };
  const written = await expect(buyer.POST(REVIEWS, { params: about(path), body: stars }));
  equal(written.value.reviews.length, 1);
  const twice = await refused(
    expect(buyer.POST(REVIEWS, { params: about(path), body: { ...stars, quality: 1 } })),
  );
  equal(twice.rule, "already-submitted");
  equal(twice.problem.status, 409);
  equal(twice.problem["existing_id"], written.value.reviews[0]?.review_id);

  // The seller decides on what he has seen, and on nothing newer.
  const stale = await refused(
    expect(seller.POST(REVIEWS, { params: on(path, { ...opened, etag: '"99"' }), body: { rating: 5 } })),
  );
  equal(stale.rule, "stale-version");
  const both = await expect(seller.POST(REVIEWS, { params: about(path), body: { rating: 5 } }));
  equal(both.value.state, "REVEALED");
  return both;
}

/** The seller replies and flags it; it is restricted, the buyer appeals, and is right. */
export async function moderated(both: Evaluation): Promise<void> {
  const { review_id, ref } = some(
    both.reviews.find((each) => each.by === "BUYER"),
    "review of the buyer",
  );
  const of_it = { path: { ref: some(ref, "name of it") } };
  await expect(
    seller.POST("/v1/orders/{order_id}/evaluation/reviews/{review_id}/reply", {
      params: about({ ...path, review_id }),
      body: { text: "Thank you." },
    }),
  );
  const moderator = as("MODERATOR").review;
  const senior = as("SENIOR").review;
  const seen = await until(() => expect(moderator.GET("/v1/reviews/{ref}", { params: of_it })));
  equal(seen.value.state, "REVEALED");
  const flag = await expect(
    seller.POST("/v1/reviews/{ref}/flags", {
      params: about(of_it.path),
      body: { reason: "PERSONAL_DATA", text: "It names my street." },
    }),
  );
  const flagged = await expect(moderator.GET("/v1/reviews/{ref}", { params: of_it }));
  await expect(
    moderator.POST("/v1/reviews/{ref}/restrictions", {
      params: on(of_it.path, flagged),
      body: { ...WHY, ground: "PERSONAL_DATA", measures: ["HIDE_TEXT"] },
    }),
  );
  const decided = await expect(
    seller.GET("/v1/reviews/{ref}/flags/{flag_id}", {
      params: { path: { ...of_it.path, flag_id: flag.value.flag_id } },
    }),
  );
  equal(decided.value.flag_id, flag.value.flag_id);
  const appeal = await expect(
    buyer.POST("/v1/reviews/{ref}/appeals", {
      params: about(of_it.path),
      body: { text: "It is the street of a shop." },
    }),
  );
  const appealed = await expect(senior.GET("/v1/reviews/{ref}", { params: of_it }));
  await expect(
    senior.POST("/v1/reviews/{ref}/appeals/{appeal_id}/decision", {
      params: on({ ...of_it.path, appeal_id: appeal.value.appeal_id }, appealed),
      body: { ...WHY, outcome: "REVERSED" },
    }),
  );
  const { value } = await expect(buyer.GET(EVALUATION, { params: { path } }));
  equal(value.reviews.find((each) => each.by === "BUYER")?.text, "Bright enough to read by.");
}

/** Another one that the marketplace brings, whole. */
export async function imported(): Promise<void> {
  const line = { order: { ...order, order_id: `${order.order_id}-old` } };
  const answers = await expect(
    shop.POST("/v1/orders/bulk", { body: `${JSON.stringify(line)}\n`, ...lines }),
  );
  const [first] = answers.value.split("\n");
  equal(JSON.parse(some(first, "answer")).order, "accepted");
}

/** Everybody reads of it what both have written. */
export async function read(token: string | undefined): Promise<string> {
  const ratings = await expect(
    as("PAGE").review.GET("/v1/sellers/{seller_id}/ratings", {
      params: { path: { seller_id }, header: { "Consistency-Token": token } },
    }),
  );
  equal(ratings.value.ratings, 1);
  return `${ratings.value.quality} of 5`;
}
