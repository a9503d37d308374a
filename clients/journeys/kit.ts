// What the journeys share: who asks, and how they wait for what comes over Kafka.
import { aftersales, type Answer, newKey, Refused, type Services } from "aftersales-client";

declare const process: {
  env: Record<string, string | undefined>;
  getBuiltinModule(name: "node:fs"): {
    existsSync(path: string): boolean;
    readFileSync(path: string, encoding: "utf8"): string;
    writeFileSync(path: string, text: string): void;
    renameSync(from: string, to: string): void;
  };
};

export type Role =
  | "SHOP" | "BUYER" | "SELLER" | "PAGE" | "MODERATOR" | "AGENT" | "SENIOR" | "ANALYST" | "OTHER_ANALYST";

const PATIENCE_SECONDS = 60;
const DAY_SECONDS = 24 * 60 * 60;

export const told = (name: string): string => {
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
export const as = (role: Role): Services => aftersales({ urls, token: () => told(`TOKEN_${role}`) });
export const mark = told("MARK");
export const path = { order_id: `O-${mark}` };
export const seller_id = `S-${mark}`;
export const buyer_id = `B-${mark}`;

/** The parameters of a command: of one that makes something, of one about what is there, and of a
 * decision on what was seen.
 */
export const once = () => ({ header: { "Idempotency-Key": newKey() } });
export const about = <P extends object>(path: P) => ({ path, ...once() });
export const on = <P extends object>(path: P, seen: Answer<unknown>) => ({
  path,
  header: { "Idempotency-Key": newKey(), "If-Match": some(seen.etag, "version") },
});
export const eur = (amount: number) => ({ amount, currency: "EUR" });

export function equal(actual: unknown, expected: unknown): void {
  if (actual !== expected) throw new Error(`${String(actual)}, and not ${String(expected)}`);
}

/** What has to be there. */
export function some<T>(value: T | null | undefined, what: string): T {
  if (value === null || value === undefined) throw new Error(`there is no ${what}`);
  return value;
}

/** Why it was not done. */
export async function refused(asked: Promise<unknown>): Promise<Refused> {
  const why = await asked.catch((failure: unknown) => failure);
  if (!(why instanceof Refused)) throw new Error("it was not refused");
  return why;
}

/** As soon as it is not refused, and holds: other processes are at work. */
export async function until<T>(
  ask: () => Promise<Answer<T>>,
  holds: (value: T) => boolean = () => true,
): Promise<Answer<T>> {
  for (const deadline = Date.now() + PATIENCE_SECONDS * 1000; ; ) {
    try {
      const answer = await ask();
      if (holds(answer.value)) return answer;
      if (Date.now() > deadline) throw new Error(JSON.stringify(answer.value));
    } catch (failure) {
      if (!(failure instanceof Refused) || Date.now() > deadline) throw failure;
    }
    await new Promise((wake) => setTimeout(wake, 100));
  }
}

/** By the clock of the stack, a file that tells how many seconds it is ahead. */
export function timeGoesBy(days: number): void {
  const files = process.getBuiltinModule("node:fs");
  const clock = told("CLOCK");
  const ahead = files.existsSync(clock) ? Number(files.readFileSync(clock, "utf8")) : 0;
  files.writeFileSync(`${clock}.new`, String(ahead + days * DAY_SECONDS));
  files.renameSync(`${clock}.new`, clock);
}
