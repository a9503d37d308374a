/**
 * The four services, asked from TypeScript.
 *
 *     const { review } = aftersales({ urls: { review: "https://…" }, token: () => token });
 *     const { value } = await expect(
 *       review.GET("/v1/orders/{order_id}", { params: { path: { order_id: "O-1001" } } }),
 *     );
 *
 * The types of paths, bodies and answers are generated from the OpenAPI documents. What is here makes
 * them pleasant: answers that are what was expected or an exception that says why not, and patience.
 */
import createClient, { type Client } from "openapi-fetch";

import type * as dispute from "./dispute.js";
import type * as reputation from "./reputation.js";
import type * as returns from "./returns.js";
import type * as review from "./review.js";

export type { dispute, reputation, returns, review };

/** RFC 9457. `type` names the rule; its members come beside: `errors`, `closed_at` … */
export type Problem = review.components["schemas"]["Problem"];

/** What `validate_only` answers: the events that would be recorded. */
export type Rehearsal = review.components["schemas"]["Rehearsal"];

/** Without those that are not asked, an address for each service; a token, or how to get one. */
export interface Options {
  urls: Partial<Record<"review" | "dispute" | "returns" | "reputation", string>>;
  token: string | (() => string | Promise<string>);
  patience?: Partial<Patience>;
}

export interface Patience {
  /** How often it is asked again. */
  retries: number;
  /** What is waited before each at most. */
  secondsMax: number;
}

export interface Services {
  review: Client<review.paths>;
  dispute: Client<dispute.paths>;
  returns: Client<returns.paths>;
  reputation: Client<reputation.paths>;
}

/** Anything but the answer that was asked for. `correlationId` finds it in the logs. */
export class Refused extends Error {
  constructor(
    readonly problem: Problem,
    readonly correlationId: string | undefined,
  ) {
    super(`${problem.type}: ${problem.detail}`);
    this.name = "Refused";
  }

  /** `already-submitted`, of `/problems/already-submitted`. */
  get rule(): string {
    return this.problem.type.replace(/^\/problems\//, "");
  }
}

/**
 * `etag` is for If-Match; `consistencyToken` for reads that shall show what was recorded;
 * `replayed`: the same request was answered before, and so was this one.
 */
export interface Answer<T> {
  value: T;
  etag: string | undefined;
  consistencyToken: string | undefined;
  replayed: boolean;
}

/** What is answered without `validate_only`. */
export type Recorded<T> = T extends Rehearsal ? (Rehearsal extends T ? never : T) : T;

type Told = { data?: unknown; error?: unknown; response: Response };
type DataOf<R extends Told> = Exclude<R["data"], undefined>;

/** For `POST /v1/orders/bulk`: lines are sent as they are, and so are the answers. */
export const lines = {
  headers: { "Content-Type": "application/x-ndjson" },
  bodySerializer: (text: string) => text,
  parseAs: "text",
} as const;

/** An Idempotency-Key: make one for each thing that is to be done, and keep it with that. */
export function newKey(): string {
  return crypto.randomUUID();
}

/** A client for each service. */
export function aftersales({ urls, token, patience }: Options): Services {
  const fetch = patient(globalThis.fetch, patience);
  const client = <Paths extends object>(baseUrl: string | undefined): Client<Paths> => {
    const made = createClient<Paths>({ baseUrl: baseUrl ?? "", fetch });
    made.use({
      async onRequest({ request }) {
        const told = typeof token === "string" ? token : await token();
        request.headers.set("Authorization", `Bearer ${told}`);
        return request;
      },
    });
    return made;
  };
  return {
    review: client<review.paths>(urls.review),
    dispute: client<dispute.paths>(urls.dispute),
    returns: client<returns.paths>(urls.returns),
    reputation: client<reputation.paths>(urls.reputation),
  };
}

/** The answer, if it is one. Rejects with `Refused` if it is a problem. */
export async function expect<R extends Told>(asked: Promise<R>): Promise<Answer<Recorded<DataOf<R>>>> {
  const { data, error, response } = await asked;
  const { headers } = response;
  if (!response.ok) {
    throw new Refused(problemOf(error, response), headers.get("X-Correlation-Id") ?? undefined);
  }
  return {
    value: data as Recorded<DataOf<R>>,
    etag: headers.get("ETag") ?? undefined,
    consistencyToken: headers.get("Consistency-Token") ?? undefined,
    replayed: headers.get("Idempotent-Replayed") === "true",
  };
}

function problemOf(error: unknown, response: Response): Problem {
  if (typeof error === "object" && error !== null && "type" in error) {
    return error as Problem;
  }
  // Of something on the way that knows no problems.
  const title = response.statusText;
  return { type: "about:blank", title, status: response.status, detail: title };
}

const SAFE = new Set(["GET", "HEAD"]);
const MAY_PASS = new Set([429, 502, 503, 504]);
const FIRST_SECONDS = 0.2;

/**
 * A fetch that asks again where that is safe (what changes nothing, and what has an Idempotency-Key)
 * and where it may help: where nobody has answered, and after 429, 502, 503 and 504. It waits as long
 * as `Retry-After` says, or longer each time.
 */
export function patient(
  fetch: (request: Request) => Promise<Response>,
  { retries = 4, secondsMax = 30 }: Partial<Patience> = {},
): (request: Request) => Promise<Response> {
  return async (request) => {
    const isSafe = SAFE.has(request.method) || request.headers.has("Idempotency-Key");
    for (let left = isSafe ? retries : 0; ; left -= 1) {
      // Its body can be sent once.
      const answered = await fetch(left > 0 ? request.clone() : request).catch((failure: unknown) => {
        if (left === 0 || request.signal.aborted) throw failure;
        return null;
      });
      if (answered && (left === 0 || !MAY_PASS.has(answered.status))) return answered;
      await answered?.body?.cancel();
      const longer = FIRST_SECONDS * 2 ** (retries - left) * (0.5 + Math.random() / 2);
      const told = Number(answered?.headers.get("Retry-After") ?? Number.NaN);
      await sleep(Math.min(Number.isNaN(told) ? longer : told, secondsMax));
    }
  };
}

function sleep(seconds: number): Promise<void> {
  return new Promise((wake) => setTimeout(wake, seconds * 1000));
}
