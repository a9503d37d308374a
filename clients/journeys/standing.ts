// What everybody reads of a seller, what he is accused of, and how he is told.
import { expect } from "aftersales-client";

import { about, as, equal, mark, on, once, seller_id, some, until } from "./kit.js";

const WHY = { rule_ids: ["P-3"], facts: "All were paid from one account.", explanation: "Made up." };
const CASE = "/v1/cases/{case_id}";
const ENDPOINT = "/v1/webhook-endpoints/{endpoint_id}";
const SCORE = "/v1/sellers/{seller_id}/score";
const seller = as("SELLER").reputation;

/** Once the reviews are in it; the same as of that instant, whenever it is asked for. */
export async function scored(token: string | undefined): Promise<void> {
  const page = as("PAGE").reputation;
  const score = await expect(
    page.GET(SCORE, { params: { path: { seller_id }, header: { "Consistency-Token": token } } }),
  );
  equal(score.value.seller_id, seller_id);
  const query = { as_of: score.value.as_of };
  const params = { path: { seller_id }, query };
  equal((await expect(page.GET(SCORE, { params }))).value.public_level, score.value.public_level);
  const explained = await expect(seller.GET(`${SCORE}/explain`, { params }));
  const shares = some(explained.value.dimensions["quality"], "mean of it").shares;
  equal(shares.length, 1);
}

/** Points for what he is said to have done; he appeals, and is right. */
export async function accused(): Promise<void> {
  const opened = await expect(
    as("ANALYST").reputation.POST("/v1/cases", {
      params: once(),
      body: {
        account_kind: "SELLER",
        account_id: seller_id,
        rule: "FAKE_TRANSACTION",
        cause_key: `ring-${mark}`,
        evidence_event_ids: ["01956f2e-7c00-7000-8000-00000000002a"],
        detection: "ANALYST",
      },
    }),
  );
  const { case_id } = opened.value;
  const params = () => about({ case_id });
  await expect(
    seller.POST(`${CASE}/statement`, { params: params(), body: { text: "They are customers." } }),
  );
  const other = as("OTHER_ANALYST").reputation;
  const heard = await expect(other.GET(CASE, { params: { path: { case_id } } }));
  await expect(
    other.POST(`${CASE}/confirmation`, {
      params: on({ case_id }, heard),
      body: { ...WHY, points: 24 },
    }),
  );
  await until(
    () => expect(seller.GET("/v1/sellers/{seller_id}/points", { params: { path: { seller_id } } })),
    ({ balance }) => balance === 76,
  );
  await expect(
    seller.POST(`${CASE}/appeals`, { params: params(), body: { text: "One company buys." } }),
  );
  const senior = as("SENIOR").reputation;
  const appealed = await expect(senior.GET(CASE, { params: { path: { case_id } } }));
  await expect(
    senior.POST(`${CASE}/appeals/decision`, {
      params: on({ case_id }, appealed),
      body: { ...WHY, outcome: "REVERSED" },
    }),
  );
  await until(
    () => expect(seller.GET("/v1/sellers/{seller_id}/points", { params: { path: { seller_id } } })),
    ({ balance }) => balance === 100,
  );
}

/** An address of his shop: made, switched off and on, and given up. */
export async function told(): Promise<void> {
  const made = await expect(
    seller.POST("/v1/webhook-endpoints", {
      params: once(),
      body: { url: "http://127.0.0.1:9/told", types: ["CaseOpened"] },
    }),
  );
  const of_it = { endpoint_id: made.value.endpoint_id };
  await expect(seller.POST(`${ENDPOINT}/disabling`, { params: about(of_it) }));
  await expect(seller.POST(`${ENDPOINT}/enabling`, { params: about(of_it) }));
  await expect(seller.DELETE(ENDPOINT, { params: { path: of_it } }));
  const left = await expect(seller.GET("/v1/webhook-endpoints"));
  equal(left.value.items.length, 0);
}
