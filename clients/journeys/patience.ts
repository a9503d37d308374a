// The client for TypeScript asks again where that is safe, and where it may help.
import { patient } from "aftersales-client";

function equal(actual: unknown, expected: unknown): void {
  if (actual !== expected) throw new Error(`${String(actual)}, and not ${String(expected)}`);
}

/** Asked with a body, with a key or without: the status that it got, and what was sent each time. */
async function asked(answers: readonly number[], headers: Record<string, string>): Promise<string> {
  const left = [...answers];
  const sent: string[] = [];
  const ask = patient(
    async (request) => {
      sent.push(await request.text());
      const status = left.length > 1 ? left.shift() : left[0];
      if (!status) throw new TypeError("nobody answers");
      return new Response(null, { status, headers: { "Retry-After": "0" } });
    },
    { retries: 2, secondsMax: 0.01 },
  );
  const request = new Request("http://shop.example/", { method: "POST", body: "x", headers });
  const status = await ask(request).then(
    (response) => String(response.status),
    (failure: unknown) => String(failure),
  );
  return `${status} ${sent.join("")}`;
}

const keyed = { "Idempotency-Key": "K-1" };
for (const passing of [0, 429, 502, 503, 504]) {
  equal(await asked([passing, passing, 201], keyed), "201 xxx");
}
for (const lasting of [400, 404, 409, 412, 422, 500]) {
  equal(await asked([lasting, 201], keyed), `${lasting} x`);
}
equal(await asked([503, 201], {}), "503 x");
equal(await asked([503], keyed), "503 xxx");
equal(await asked([0], keyed), "TypeError: nobody answers xxx");
console.log("patient");
