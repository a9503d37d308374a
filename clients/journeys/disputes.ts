// A question, and a dispute that the platform has to decide: first so, then otherwise.
import { expect } from "aftersales-client";

import { about, as, equal, on, once, path, refused, some, timeGoesBy, until } from "./kit.js";

const DISPUTE = "/v1/disputes/{dispute_id}";
const ONE = [{ line_id: "1", quantity: 1 }];
const DECISION = {
  outcome: "REFUND_FULL" as const,
  lines: ONE,
  liable: "SELLER" as const,
  seller_fault_pct: 100,
  rule_ids: ["R-1"],
  facts: "The seller has shown nothing.",
  explanation: "What was sent is another thing.",
};
const buyer = as("BUYER").dispute;
const seller = as("SELLER").dispute;
const parties = [buyer, seller];

export async function asked(): Promise<void> {
  const inquiry = await until(() =>
    expect(
      buyer.POST("/v1/inquiries", {
        params: once(),
        body: { ...path, topic: "PRODUCT", text: "Does it come with a charger?" },
      }),
    ),
  );
  const { inquiry_id } = inquiry.value;
  await expect(
    seller.POST("/v1/inquiries/{inquiry_id}/answer", {
      params: about({ inquiry_id }),
      body: { text: "It does." },
    }),
  );
  const closed = await expect(
    buyer.POST("/v1/inquiries/{inquiry_id}/closing", { params: about({ inquiry_id }), body: {} }),
  );
  equal(closed.value.inquiry_id, inquiry_id);
}

/** One piece is broken: the buyer says so, and finds it in his list. The seller offers a half. */
export async function opened(): Promise<string> {
  const dispute = await expect(
    buyer.POST("/v1/disputes", {
      params: once(),
      body: {
        ...path,
        reason: "DAMAGED",
        lines: ONE,
        outcome: "REFUND_FULL",
        text: "It came in pieces.",
      },
    }),
  );
  const listed = await expect(
    buyer.GET("/v1/disputes", {
      params: { header: { "Consistency-Token": dispute.consistencyToken } },
    }),
  );
  equal(listed.value.items.map((each) => each.dispute_id).join(), dispute.value.dispute_id);
  const of_it = { dispute_id: dispute.value.dispute_id };
  const half = { amount: 2495, currency: "EUR" };
  const offered = await expect(
    seller.POST(`${DISPUTE}/proposals`, {
      params: about(of_it),
      body: { outcome: "REFUND_PARTIAL", amount: half, lines: ONE, text: "It still shines." },
    }),
  );
  for (const { proposal_id, by } of offered.value.proposals) {
    await expect(
      (by === "BUYER" ? seller : buyer).POST(`${DISPUTE}/proposals/{proposal_id}/rejection`, {
        params: about({ ...of_it, proposal_id }),
        body: {},
      }),
    );
  }
  return of_it.dispute_id;
}

/** Days later the platform is asked; nobody has anything to show. Then a person decides. */
export async function decided(dispute_id: string): Promise<void> {
  const params = () => about({ dispute_id });
  const seen = () => expect(buyer.GET(DISPUTE, { params: { path: { dispute_id } } }));
  const early = await refused(
    expect(buyer.POST(`${DISPUTE}/escalation`, { params: params(), body: {} })),
  );
  equal(early.problem.status, 409);
  timeGoesBy(3);
  await until(() => expect(buyer.POST(`${DISPUTE}/escalation`, { params: params(), body: {} })));
  await until(seen, ({ stage }) => stage === "EVIDENCE");
  for (const role of ["AGENT", "SENIOR"] as const) {
    await expect(as(role).dispute.PUT("/v1/adjudication/duty", { body: {} }));
  }
  for (const party of parties) {
    await expect(
      party.POST(`${DISPUTE}/evidence/submission`, { params: params(), body: { nothing: true } }),
    );
  }
  for (const party of parties) {
    await expect(
      party.POST(`${DISPUTE}/rebuttal`, { params: params(), body: { text: "It is as I said." } }),
    );
  }
  const agent = as("AGENT").dispute;
  const drawn = () => expect(agent.GET(DISPUTE, { params: { path: { dispute_id } } }));
  const before = await until(drawn, ({ adjudicator_level }) => adjudicator_level === "AGENT");
  const decision = await expect(
    agent.POST(`${DISPUTE}/decision`, { params: on({ dispute_id }, before), body: DECISION }),
  );
  const [made] = decision.value.decisions;
  equal(some(made, "decision").liable, "SELLER");
}

/** Both appeal; somebody else looks at it, and sees the same. */
export async function appealed(dispute_id: string): Promise<void> {
  for (const party of parties) {
    await expect(
      party.POST(`${DISPUTE}/appeals`, {
        params: about({ dispute_id }),
        body: { ground: "MANIFEST_ERROR", text: "The pictures are of another lamp." },
      }),
    );
  }
  const senior = as("SENIOR").dispute;
  const drawn = () => expect(senior.GET(DISPUTE, { params: { path: { dispute_id } } }));
  const before = await until(drawn, ({ adjudicator_level }) => adjudicator_level === "SENIOR");
  for (const { appeal_id, by } of before.value.appeals) {
    await expect(
      (by === "BUYER" ? seller : buyer).POST(`${DISPUTE}/appeals/{appeal_id}/answer`, {
        params: about({ dispute_id, appeal_id }),
        body: { text: "They are of this one." },
      }),
    );
  }
  const answered = await drawn();
  await expect(
    senior.POST(`${DISPUTE}/appeals/decision`, {
      params: on({ dispute_id }, answered),
      body: { ...DECISION, result: "UPHELD" },
    }),
  );
  const closed = await until(drawn, ({ stage }) => stage === "CLOSED");
  equal(closed.value.end?.refunded?.amount, 4990);
}
