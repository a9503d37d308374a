// A piece that is not wanted any more: sent back, looked at, and paid.
import { expect } from "aftersales-client";

import { about, as, equal, once, path, some, told, until } from "./kit.js";

const RETURN = "/v1/returns/{return_id}";
const buyer = as("BUYER").returns;
const seller = as("SELLER").returns;

/** The buyer asks whether he may, and does. */
export async function requested(): Promise<string> {
  const eligible = await until(() =>
    expect(buyer.GET("/v1/orders/{order_id}/return-eligibility", { params: { path } })),
  );
  equal(eligible.value.order_id, path.order_id);
  const asked = await until(() =>
    expect(
      buyer.POST("/v1/returns", {
        params: once(),
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
    buyer.GET("/v1/returns", {
      params: { header: { "Consistency-Token": asked.consistencyToken } },
    }),
  );
  equal(own.value.items.map((each) => each.return_id).join(), asked.value.return_id);
  return asked.value.return_id;
}

/** Under the label that the carrier has made; the seller finds it as it was. */
export async function sentBack(return_id: string): Promise<void> {
  const of_it = { return_id };
  const seen = () => expect(seller.GET(RETURN, { params: { path: of_it } }));
  const labelled = await until(seen, ({ label }) => Boolean(label));
  const { tracking_id } = some(labelled.value.label, "label");
  for (const kind of ["HANDED_OVER", "DELIVERED_BACK"] as const) {
    await expect(
      as("SHOP").returns.POST(`${RETURN}/scans`, {
        params: about(of_it),
        body: { kind, scanned_at: told("PLACED_AT"), tracking_id, units: ["2/1"] },
      }),
    );
  }
  await expect(
    seller.POST(`${RETURN}/receipt`, {
      params: about(of_it),
      body: { units: [{ unit: "2/1", reception: "RECEIVED" }] },
    }),
  );
  await expect(
    seller.POST(`${RETURN}/inspection`, {
      params: about(of_it),
      body: { units: [{ unit: "2/1", verdict: "ACCEPTED", grade: "A" }] },
    }),
  );
  const closed = await until(seen, ({ end }) => Boolean(end));
  equal(closed.value.end?.resolution, "REFUNDED");
  const ledger = await until(
    () => expect(buyer.GET("/v1/orders/{order_id}/refunds", { params: { path } })),
    ({ refunds }) => refunds.some(({ state }) => state === "SETTLED"),
  );
  equal(ledger.value.refunds.map(({ source }) => source).join(), "RETURN");
}
