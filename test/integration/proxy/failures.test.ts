// Every row of the failure table, brought about over real sockets: what the client is told, what the log says, and what
// is counted are the same words.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { Cause } from "../../../src/proxy-runtime/failure/cause.ts";
import { Causes } from "../../../src/proxy-runtime/failure/causes.ts";
import { eventually } from "../../support/eventually.ts";
import { CLIENT_CASES } from "../../support/failures/client-cases.ts";
import { Lab, type FailureCase } from "../../support/failures/lab.ts";
import { OWN_CASES } from "../../support/failures/own-cases.ts";
import { TIME_CASES } from "../../support/failures/time-cases.ts";
import { TLS_CASES } from "../../support/failures/tls-cases.ts";
import { UPSTREAM_CASES } from "../../support/failures/upstream-cases.ts";

const GROUPS: Readonly<Record<string, readonly FailureCase[]>> = {
  "what a client does": CLIENT_CASES,
  "what an upstream does": UPSTREAM_CASES,
  "what takes too long": TIME_CASES,
  "what TLS and filter chains refuse": TLS_CASES,
  "what the sidecar does itself": OWN_CASES,
};

test("every cause is provoked somewhere", () => {
  const provoked = new Set(Object.values(GROUPS).flatMap((cases) => cases.map((each) => each.cause)));
  assert.deepEqual(
    Object.keys(Causes).filter((name) => !provoked.has(name as keyof typeof Causes)),
    [],
  );
});

for (const [group, cases] of Object.entries(GROUPS)) {
  describe(group, () => {
    for (const each of cases) {
      const when = each.when === undefined ? "" : ` where ${each.when}`;
      test(`${each.cause}${when} is told to the client, the log and the counters`, async (context) => {
        const lab = new Lab(context);
        const answer = await each.provoke(lab);
        const cause: Cause = Causes[each.cause];
        for (const stat of each.stats ?? []) await eventually(() => assert.ok(lab.stat(stat) > 0, stat), { withinMs: 2000 });
        if (each.reply === "refusal") return checkRefusal(lab, cause, each);
        const flags = [cause.flag, each.alsoFlag].filter((flag) => flag !== undefined).join(",");
        if (each.reply === undefined) checkReply(answer, cause, flags, each);
        const details = each.cause.startsWith("relay") ? `- ${cause.details}` : `${cause.details} -`;
        assert.deepEqual(await lab.logged(), [`${each.loggedStatus ?? cause.httpStatus} ${flags} ${details}`]);
      });
    }
  });
}

function checkReply(answer: string | undefined, cause: Cause, flags: string, { by, detail }: FailureCase): void {
  assert.ok(answer !== undefined, "there is no reply");
  assert.match(answer, new RegExp(`^HTTP/1\\.1 ${cause.httpStatus} `));
  const said = /\r\nx-mesh-error: (.*); by=(.*); detail="(.*)"\r\n/.exec(answer);
  assert.ok(said !== null, answer);
  assert.deepEqual([said[1], said[2]], [flags, by]);
  if (detail !== undefined) assert.match(said[3]!, detail);
}

async function checkRefusal(lab: Lab, cause: Cause, { by, detail }: FailureCase): Promise<void> {
  const fields = await eventually(() => lab.plane.logs.at(-1) ?? assert.fail("nothing was logged"), { withinMs: 2000 });
  assert.deepEqual([fields["flag"], fields["by"]], [cause.flag, by]);
  if (detail !== undefined) assert.match(String(fields["reason"]), detail);
}
